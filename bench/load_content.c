/* bench/load_content.c: makes messages. */
#include "bench/load_content.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { LINE = 78 }; /* with CRLF */

static void fill_line(char line[LINE])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

    for (size_t i = 0; i < LINE - 2; i++)
        line[i] = letters[i % (sizeof letters - 1)];
    line[LINE - 2] = '\r';
    line[LINE - 1] = '\n';
}

enum err content_init(struct content *content, size_t size)
{
    size_t count = size / LINE + 1;
    time_t now = time(NULL);
    struct tm parts;
    char *lines = malloc(count * LINE);

    if (!lines)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        fill_line(lines + i * LINE);
    *content = (struct content){ .lines = lines, .lines_len = count * LINE, .size = size };
    gmtime_r(&now, &parts);
    strftime(content->date, sizeof content->date, "%a, %d %b %Y %H:%M:%S +0000", &parts);
    return ERR_OK;
}

void content_clear(struct content *content)
{
    free(content->lines);
    *content = (struct content){ 0 };
}

/* A line of len octets, CRLF included: 2 to LINE + 1. */
static void put_short_line(const struct content *content, size_t len, struct buffer *out)
{
    buffer_put(out, content->lines, len - 2 > LINE - 2 ? LINE - 2 : len - 2);
    if (len - 2 > LINE - 2)
        buffer_put_char(out, '=');
    buffer_put_text(out, "\r\n");
}

void content_put(const struct content *content, uint64_t number, struct slice from, struct slice to,
    struct buffer *out, struct slice *out_rest)
{
    size_t before = out->len;
    size_t left;
    size_t odd;

    buffer_printf(out,
        "From: <%.*s>\r\nTo: <%.*s>\r\nSubject: bench %" PRIu64 "\r\nDate: %s\r\n"
        "Message-ID: <%" PRIu64 ".%p@bench.invalid>\r\nX-Bench: %" PRIu64 "\r\n\r\n",
        SLICE_ARGS(from), SLICE_ARGS(to), number, content->date, number, (const void *)content,
        number);
    left = out->len - before < content->size ? content->size - (out->len - before) : 0;
    odd = left % LINE;
    if (odd == 1)
        odd = left > LINE ? LINE + 1 : 0;
    if (odd > 0)
        put_short_line(content, odd, out);
    *out_rest = slice_of(content->lines, left >= odd ? (left - odd) / LINE * LINE : 0);
}

void pattern_put(const char *pattern, uint64_t user, uint64_t number, struct buffer *out)
{
    for (const char *at = pattern; *at; at++) {
        if (at[0] == '%' && at[1] == 'u')
            buffer_printf(out, "%" PRIu64, user);
        else if (at[0] == '%' && at[1] == 'n')
            buffer_printf(out, "%" PRIu64, number);
        else {
            buffer_put_char(out, *at);
            continue;
        }
        at++;
    }
}
