/* base/slice.c: comparing and cutting counted bytes. */
#include "base/slice.h"

bool slice_equals(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_is(struct slice a, const char *text)
{
    return slice_equals(a, slice_text(text));
}

bool slice_equals_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

bool slice_is_nocase(struct slice a, const char *text)
{
    return slice_equals_nocase(a, slice_text(text));
}

bool slice_starts_nocase(struct slice a, const char *prefix)
{
    struct slice p = slice_text(prefix);

    return a.len >= p.len && slice_equals_nocase(slice_first(a, p.len), p);
}

size_t slice_find(struct slice s, char c)
{
    const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

    return at ? (size_t)(at - s.data) : s.len;
}

size_t slice_find_last(struct slice s, char c)
{
    const char *at = s.len ? memrchr(s.data, c, s.len) : NULL;

    return at ? (size_t)(at - s.data) : s.len;
}

struct slice slice_from(struct slice s, size_t start)
{
    if (start > s.len)
        start = s.len;
    return (struct slice){ s.data ? s.data + start : NULL, s.len - start };
}

struct slice slice_first(struct slice s, size_t max)
{
    return (struct slice){ s.data, s.len < max ? s.len : max };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_line(struct slice s)
{
    struct slice line = slice_first(s, slice_find(s, '\n'));

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool slice_number(struct slice s, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.data[i]))
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value) || value > max)
            return false;
    }
    *out_value = value;
    return true;
}
