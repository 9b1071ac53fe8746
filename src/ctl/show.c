/* ctl/show.c: facts for people. */
#include "ctl/show.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Octets of the well-formed UTF-8 sequence at the front; 0 where there is none. Overlong forms and
 * surrogates cannot come out of the JSON reader; all that matters here is that no control character
 * passes. */
static size_t sequence(struct slice text)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc2 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf5 ? 4
                                : 0;

    if (len == 0 || len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)text.data[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static bool is_control(struct slice sequence)
{
    unsigned char first = (unsigned char)sequence.data[0];

    return first < 0x20 || first == 0x7f ||
           (first == 0xc2 && (unsigned char)sequence.data[1] < 0xa0);
}

void show_text(FILE *to, struct slice text)
{
    while (text.len > 0) {
        size_t len = sequence(text);

        if (len > 0 && !is_control(slice_first(text, len)))
            fwrite(text.data, 1, len, to);
        else
            for (size_t i = 0; i < (len > 0 ? len : 1); i++)
                fprintf(to, "\\x%02x", (unsigned char)text.data[i]);
        text = slice_from(text, len > 0 ? len : 1);
    }
}

void show_time(const char *utc, bool fractions, char out_text[SHOW_TIME])
{
    struct tm parts = { 0 };
    int used = 0;
    unsigned ms = 0;
    time_t seconds;
    size_t len;

    strcpy(out_text, "-");
    if (!utc ||
        sscanf(utc, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
            &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6 ||
        used != 19)
        return;
    if (utc[used] == '.' && sscanf(utc + used, ".%3u", &ms) != 1)
        return;
    parts.tm_year -= 1900;
    parts.tm_mon--;
    seconds = timegm(&parts);
    if (!localtime_r(&seconds, &parts))
        return;
    len = strftime(out_text, SHOW_TIME, "%Y-%m-%d %H:%M:%S", &parts);
    if (fractions)
        len += (size_t)snprintf(out_text + len, SHOW_TIME - len, ".%03u", ms % 1000);
    strftime(out_text + len, SHOW_TIME - len, " %z", &parts);
}

void show_size(json_int_t octets, char out_text[SHOW_TIME])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double size = (double)octets;
    size_t unit = 0;

    while (size >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    snprintf(out_text, SHOW_TIME, unit > 0 && size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

const char *show_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

json_int_t show_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

void show_line(FILE *to, const json_t *object, const char *name, const char *label)
{
    const json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return;
    fprintf(to, "%-18s ", label);
    if (json_is_string(value))
        show_text(to, slice_of(json_string_value(value), json_string_length(value)));
    else if (json_is_integer(value))
        fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "yes" : "no", to);
    fputc('\n', to);
}
