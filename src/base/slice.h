/* base/slice.h: counted bytes that somebody else owns. Text from outside is always a slice: it may
 * hold NUL. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

/* For printf: "%.*s", SLICE_ARGS(s). Only for text that is known to be printable. */
#define SLICE_ARGS(s) (int)(s).len, (s).data

/* A slice of a string literal, usable in static initialisers. */
#define SLICE_LITERAL(text)                                                                        \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){ data, len };
}

/* A slice of a NUL-ended string; NULL gives the empty slice. */
static inline struct slice slice_text(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

bool slice_equals(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *text);
/* ASCII case-insensitive; octets above 127 are compared as they are. */
bool slice_equals_nocase(struct slice a, struct slice b);
bool slice_is_nocase(struct slice a, const char *text);
bool slice_starts_nocase(struct slice a, const char *prefix);
/* Position of the first octet equal to c, or s.len. */
size_t slice_find(struct slice s, char c);
/* Position of the last octet equal to c, or s.len. */
size_t slice_find_last(struct slice s, char c);
/* Bytes from start (clamped to the length) to the end; at most max octets of it. */
struct slice slice_from(struct slice s, size_t start);
struct slice slice_first(struct slice s, size_t max);
/* The first line, without its LF or CRLF; everything where there is none. */
struct slice slice_line(struct slice s);
/* Without leading and trailing SP and HTAB. */
struct slice slice_trim(struct slice s);
/* Decimal digits only, at least one, no sign, value at most max. False otherwise; *out_value
 * untouched. */
bool slice_number(struct slice s, uint64_t max, uint64_t *out_value);

/* ASCII only, whatever the locale. */
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
