/* smtp/timestamp.c: RFC 3339, strictly. */
#include "smtp/timestamp.h"

#include <stdio.h>

enum { DAY = 86400, HOUR = 3600, MINUTE = 60 };

/* Days from the first of January of the year 1 to 1970, in the Gregorian calendar. */
#define EPOCH_DAYS INT64_C(719162)
#define FIRST      (-EPOCH_DAYS * DAY)
#define LAST       INT64_C(253402300799)

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days before the year, since the first of January of the year 1. */
static int64_t days_before(int64_t year)
{
    int64_t past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400;
}

/* Takes so many digits, and the octet behind them unless that is NUL. */
static bool take(struct slice *rest, size_t digits, char behind, int least, int most, int *out)
{
    size_t len = digits + (behind != '\0');
    uint64_t number;

    if (rest->len < len || !slice_number(slice_first(*rest, digits), (uint64_t)most, &number) ||
        (int)number < least || (behind != '\0' && ascii_lower(rest->data[digits]) != behind))
        return false;
    *out = (int)number;
    *rest = slice_from(*rest, len);
    return true;
}

static bool take_fraction(struct slice *rest, unsigned forms)
{
    size_t len = 1;

    if (rest->len == 0 || rest->data[0] != '.')
        return true;
    while (len < rest->len && ascii_is_digit(rest->data[len]))
        len++;
    *rest = slice_from(*rest, len);
    return len > 1 && (forms & TIMESTAMP_FRACTIONS);
}

/* Seconds that the local time is ahead of UTC. */
static bool take_zone(struct slice rest, unsigned forms, int64_t *out_ahead)
{
    int hours, minutes, sign;

    if (slice_is_nocase(rest, "z")) {
        *out_ahead = 0;
        return true;
    }
    if (!(forms & TIMESTAMP_OFFSETS) || rest.len == 0 ||
        (rest.data[0] != '+' && rest.data[0] != '-'))
        return false;
    sign = rest.data[0] == '-' ? -1 : 1;
    rest = slice_from(rest, 1);
    if (!take(&rest, 2, ':', 0, 23, &hours) || !take(&rest, 2, '\0', 0, 59, &minutes) ||
        rest.len > 0)
        return false;
    *out_ahead = (int64_t)sign * (hours * HOUR + minutes * MINUTE);
    return true;
}

bool timestamp_parse(struct slice text, unsigned forms, int64_t *out_wall)
{
    int year, month, day, hour, minute, second;
    int64_t days, ahead;

    if (!take(&text, 4, '-', 1, 9999, &year) || !take(&text, 2, '-', 1, 12, &month) ||
        !take(&text, 2, 't', 1, 31, &day) || day > days_in(year, month))
        return false;
    if (!take(&text, 2, ':', 0, 23, &hour) || !take(&text, 2, ':', 0, 59, &minute) ||
        !take(&text, 2, '\0', 0, 60, &second))
        return false;
    if (!take_fraction(&text, forms) || !take_zone(text, forms, &ahead))
        return false;
    days = days_before(year) - EPOCH_DAYS + day - 1;
    for (int m = 1; m < month; m++)
        days += days_in(year, m);
    *out_wall = days * DAY + hour * HOUR + minute * MINUTE + second - ahead;
    return true;
}

void timestamp_format(int64_t wall, char out_text[TIMESTAMP_TEXT + 1])
{
    int64_t at = wall < FIRST ? FIRST : wall > LAST ? LAST : wall;
    int64_t days = (at - FIRST) / DAY, year = days / 366 + 1;
    int seconds = (int)((at - FIRST) % DAY), month = 1;
    char text[64];

    while (days_before(year + 1) <= days)
        year++;
    days -= days_before(year);
    while (days >= days_in(year, month))
        days -= days_in(year, month++);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, month, (int)days + 1,
        seconds / HOUR, seconds / MINUTE % 60, seconds % 60);
    snprintf(out_text, TIMESTAMP_TEXT + 1, "%.*s", TIMESTAMP_TEXT, text);
}
