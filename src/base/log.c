/* base/log.c: builds a line in a fixed buffer and writes it with one write, so lines of several
 * rooms never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_MAX_OCTETS = 4096, VALUE_MAX = 512 };

static struct {
    char room[32];
    enum log_level most;
    bool journal; /* standard error is the journal: it wants a priority and adds its own time */
} settings = { .room = "submitd", .most = LOG_INFO };

struct line {
    char text[LINE_MAX_OCTETS];
    size_t len;
};

void log_open(const char *room, enum log_level most)
{
    snprintf(settings.room, sizeof settings.room, "%s", room);
    settings.most = most;
    settings.journal = getenv("JOURNAL_STREAM") != NULL;
}

static void put(struct line *line, const char *data, size_t len)
{
    size_t room = sizeof line->text - 1 - line->len; /* one octet is kept for the line end */

    if (len > room)
        len = room;
    memcpy(line->text + line->len, data, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool is_plain(char c)
{
    return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '=';
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_plain(value.data[i]))
            return true;
    return value.len == 0;
}

/* Printable ASCII as it is; everything else as an escape, so that no outsider can start a line or
 * colour a terminal. */
static void put_escaped(struct line *line, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        char escape[8];

        if (c == '"' || c == '\\')
            snprintf(escape, sizeof escape, "\\%c", c);
        else if (c == '\r')
            snprintf(escape, sizeof escape, "\\r");
        else if (c == '\n')
            snprintf(escape, sizeof escape, "\\n");
        else if (c < ' ' || c > 126)
            snprintf(escape, sizeof escape, "\\x%02x", c);
        else
            snprintf(escape, sizeof escape, "%c", c);
        put_text(line, escape);
    }
}

static void put_value(struct line *line, const char *key, struct slice value)
{
    bool quoted = needs_quotes(value);
    bool cut = value.len > VALUE_MAX;

    put_text(line, " ");
    put_text(line, key);
    put_text(line, quoted ? "=\"" : "=");
    put_escaped(line, slice_first(value, VALUE_MAX));
    put_text(line, cut ? "..." : "");
    put_text(line, quoted ? "\"" : "");
}

static void put_context(struct line *line, const struct log_context *context)
{
    if (!context)
        return;
    put_context(line, context->parent);
    if (context->key && context->value.len > 0)
        put_value(line, context->key, context->value);
}

static void put_prefix(struct line *line, enum log_level level)
{
    char prefix[64];
    char time[25];

    if (settings.journal) {
        snprintf(prefix, sizeof prefix, "<%d>", (int)level);
    } else {
        clock_format(clock_wall_us(), time);
        snprintf(prefix, sizeof prefix, "%s ", time);
    }
    put_text(line, prefix);
    put_text(line, settings.room);
    put_text(line, level <= LOG_ERROR ? " error: " : level == LOG_WARNING ? " warning: " : " ");
}

void log_write(enum log_level level, const struct log_context *context, const char *event,
    const struct log_field *fields)
{
    struct line line = { .len = 0 };
    ssize_t written;

    if (level > settings.most)
        return;
    put_prefix(&line, level);
    put_text(&line, event);
    put_context(&line, context);
    for (; fields->key; fields++) {
        char digits[24];
        struct slice value = fields->text;

        if (fields->kind == LOG_FIELD_NUMBER)
            value = slice_of(
                digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)fields->number));
        put_value(&line, fields->key, value);
    }
    line.text[line.len++] = '\n';
    do
        written = write(STDERR_FILENO, line.text, line.len);
    while (written < 0 && errno == EINTR);
}
