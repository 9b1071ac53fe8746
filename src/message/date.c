/* message/date.c: RFC 5322 dates. The calendar is counted here and not asked of the C library,
 * which would look for a time zone file that a room may not open. */
#include "message/date.h"

#include <stdio.h>

#include "message/cfws.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
    "Oct", "Nov", "Dec" };

/* Section 4.3. The single letters of the military zones are read like +0000: their signs were once
 * defined wrongly, so nobody knows what was meant. */
static const struct {
    const char *name;
    int minutes;
} zones[] = {
    { "UT", 0 },
    { "GMT", 0 },
    { "EST", -300 },
    { "EDT", -240 },
    { "CST", -360 },
    { "CDT", -300 },
    { "MST", -420 },
    { "MDT", -360 },
    { "PST", -480 },
    { "PDT", -420 },
};

enum { DAY = 86400, YEAR_MIN = 1900, YEAR_MAX = 9999 };
#define WALL_MAX INT64_C(253402300799) /* the last second of the year 9999 */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int64_t year, size_t month)
{
    static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return lengths[month] + (month == 1 && is_leap(year));
}

static int64_t leap_days_until(int64_t year)
{
    return year / 4 - year / 100 + year / 400;
}

/* Days from 1970-01-01 to the first of January of the year. */
static int64_t days_before(int64_t year)
{
    return 365 * (year - 1970) + leap_days_until(year - 1) - leap_days_until(1969);
}

/* 1970-01-01 was a Thursday. */
static size_t weekday_of(int64_t day)
{
    return (size_t)(((day + 4) % 7 + 7) % 7);
}

void date_format(int64_t wall, char out_text[DATE_TEXT + 1])
{
    int64_t clamped = wall < 0 ? 0 : wall > WALL_MAX ? WALL_MAX : wall;
    int64_t day = clamped / DAY;
    unsigned second = (unsigned)(clamped % DAY);
    size_t weekday = weekday_of(day);
    int64_t year = 1970 + day / 366;
    size_t month = 0;

    while (day >= days_before(year + 1))
        year++;
    day -= days_before(year);
    for (; day >= days_in(year, month); month++)
        day -= days_in(year, month);
    snprintf(out_text, DATE_TEXT + 1, "%s, %02u %s %04u %02u:%02u:%02u +0000", days[weekday],
        (unsigned)(day + 1) % 100, months[month], (unsigned)year % 10000, second / 3600 % 24,
        second / 60 % 60, second % 60);
}

/* Reads tokens from the front; after the first failure everything fails. */
struct date_reader {
    struct slice text;
    size_t at;
    bool bad;
};

static void skip_blanks(struct date_reader *r)
{
    if (!r->bad && !cfws_skip(r->text, &r->at))
        r->bad = true;
}

static bool take_char(struct date_reader *r, char c)
{
    if (r->bad || r->at >= r->text.len || r->text.data[r->at] != c)
        return false;
    r->at++;
    return true;
}

static void expect_char(struct date_reader *r, char c)
{
    if (!take_char(r, c))
        r->bad = true;
}

/* The digits in front: their value, and how many there were. Fails outside fewest .. most. */
static int64_t take_digits(struct date_reader *r, size_t fewest, size_t most, size_t *out_count)
{
    int64_t value = 0;
    size_t count = 0;

    while (!r->bad && r->at < r->text.len && ascii_is_digit(r->text.data[r->at])) {
        if (++count > most)
            break;
        value = value * 10 + (r->text.data[r->at++] - '0');
    }
    if (count < fewest || count > most)
        r->bad = true;
    *out_count = count;
    return value;
}

static int64_t take_number(struct date_reader *r, size_t fewest, size_t most, int64_t limit)
{
    size_t count;
    int64_t value = take_digits(r, fewest, most, &count);

    if (value > limit)
        r->bad = true;
    return value;
}

static struct slice take_letters(struct date_reader *r)
{
    size_t start = r->at;

    while (!r->bad && r->at < r->text.len && ascii_is_alpha(r->text.data[r->at]))
        r->at++;
    return slice_first(slice_from(r->text, start), r->at - start);
}

/* Which of the names the letters in front are; fails when none. */
static size_t take_name(struct date_reader *r, const char (*names)[4], size_t count)
{
    struct slice word = take_letters(r);

    for (size_t i = 0; i < count; i++)
        if (slice_is_nocase(word, names[i]))
            return i;
    r->bad = true;
    return 0;
}

/* Two digits are of 1950 to 2049, three count from 1900 (section 4.3). */
static int64_t take_year(struct date_reader *r)
{
    size_t count;
    int64_t year = take_digits(r, 2, 4, &count);

    if (count == 2)
        year += year < 50 ? 2000 : 1900;
    else if (count == 3)
        year += 1900;
    if (year < YEAR_MIN || year > YEAR_MAX)
        r->bad = true;
    return year;
}

/* Seconds of the day. */
static int64_t take_time(struct date_reader *r)
{
    int64_t hour, minute, second = 0;

    hour = take_number(r, 2, 2, 23);
    skip_blanks(r);
    expect_char(r, ':');
    skip_blanks(r);
    minute = take_number(r, 2, 2, 59);
    skip_blanks(r);
    if (take_char(r, ':')) {
        skip_blanks(r);
        second = take_number(r, 2, 2, 60);
        skip_blanks(r);
    }
    return hour * 3600 + minute * 60 + second;
}

static int64_t take_named_zone(struct date_reader *r)
{
    struct slice word = take_letters(r);

    for (size_t i = 0; i < LENGTH_OF(zones); i++)
        if (slice_is_nocase(word, zones[i].name))
            return zones[i].minutes * 60;
    if (word.len != 1 || ascii_lower(word.data[0]) == 'j')
        r->bad = true;
    return 0;
}

/* Seconds east of UTC. A numeric zone stands behind white space. */
static int64_t take_zone(struct date_reader *r)
{
    bool apart = r->at > 0 && (r->text.data[r->at - 1] == ' ' || r->text.data[r->at - 1] == '\t');
    int64_t sign, value;

    if (take_char(r, '+'))
        sign = 1;
    else if (take_char(r, '-'))
        sign = -1;
    else
        return take_named_zone(r);
    value = take_number(r, 4, 4, 9959);
    if (!apart || value % 100 > 59)
        r->bad = true;
    return sign * (value / 100 * 3600 + value % 100 * 60);
}

/* Days from 1970-01-01. weekday: the one that was written, or 7. */
static int64_t take_day(struct date_reader *r, size_t weekday)
{
    int64_t in_month = take_number(r, 1, 2, 31);
    size_t month;
    int64_t year, day;

    skip_blanks(r);
    month = take_name(r, months, LENGTH_OF(months));
    skip_blanks(r);
    year = take_year(r);
    skip_blanks(r);
    if (r->bad || in_month < 1 || in_month > days_in(year, month)) {
        r->bad = true;
        return 0;
    }
    day = days_before(year) + in_month - 1;
    for (size_t i = 0; i < month; i++)
        day += days_in(year, i);
    if (weekday < 7 && weekday != weekday_of(day))
        r->bad = true;
    return day;
}

bool date_parse(struct slice text, int64_t *out_wall)
{
    struct date_reader r = { .text = text };
    size_t weekday = 7;
    int64_t day, second, zone;

    skip_blanks(&r);
    if (r.at < text.len && ascii_is_alpha(text.data[r.at])) {
        weekday = take_name(&r, days, LENGTH_OF(days));
        skip_blanks(&r);
        expect_char(&r, ',');
        skip_blanks(&r);
    }
    day = take_day(&r, weekday);
    second = take_time(&r);
    zone = take_zone(&r);
    skip_blanks(&r);
    if (r.bad || r.at != text.len)
        return false;
    *out_wall = day * DAY + second - zone;
    return true;
}
