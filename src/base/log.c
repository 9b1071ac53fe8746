/* base/log.c: builds a line in a fixed buffer. Whole lines are written with one write, so those of
 * several rooms never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_json.h"

enum { LINE_MAX_OCTETS = 4096, VALUE_MAX = 512, HELD_MAX = 4 * LINE_MAX_OCTETS };

static struct {
    char room[32];
    enum log_level most;
    bool journal; /* standard error is the journal: it wants a priority and adds its own time */
    bool is_json;
} settings = { .room = "submitd", .most = LOG_INFO };

struct line {
    char text[LINE_MAX_OCTETS];
    size_t len;
};

/* A thread's lines of this turn of its loop. */
static _Thread_local struct {
    char text[HELD_MAX];
    size_t len;
    bool holds;
} held;

void log_open(const char *room, enum log_level most)
{
    const char *form = getenv(LOG_FORM);

    snprintf(settings.room, sizeof settings.room, "%s", room);
    settings.most = most;
    settings.journal = getenv("JOURNAL_STREAM") != NULL;
    settings.is_json = form ? strcmp(form, "json") == 0 : !isatty(STDERR_FILENO);
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

static void put_escape(struct line *line, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char octet[] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
    const char named[] = { '\\', (char)(c == '\r' ? 'r' : c == '\n' ? 'n' : c) };

    if (c == '"' || c == '\\' || c == '\r' || c == '\n')
        put(line, named, sizeof named);
    else
        put(line, octet, sizeof octet);
}

static bool is_shown(char c)
{
    return c >= ' ' && c < 127 && c != '"' && c != '\\';
}

/* Printable ASCII as it is; everything else as an escape, so that no outsider can start a line or
 * colour a terminal. */
static void put_escaped(struct line *line, struct slice value)
{
    while (value.len > 0) {
        size_t shown = 0;

        while (shown < value.len && is_shown(value.data[shown]))
            shown++;
        put(line, value.data, shown);
        value = slice_from(value, shown);
        if (value.len > 0)
            put_escape(line, (unsigned char)value.data[0]);
        value = slice_from(value, 1);
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

static void put_priority(struct line *line, enum log_level level)
{
    const char priority[] = { '<', (char)('0' + level), '>' };

    if (settings.journal)
        put(line, priority, sizeof priority);
}

static void put_prefix(struct line *line, enum log_level level)
{
    char time[25];

    put_priority(line, level);
    if (!settings.journal) {
        clock_format(clock_wall_us(), time);
        put_text(line, time);
        put_text(line, " ");
    }
    put_text(line, settings.room);
    put_text(line, level <= LOG_ERROR ? " error: " : level == LOG_WARNING ? " warning: " : " ");
}

static void write_out(const char *text, size_t len)
{
    ssize_t written;

    do
        written = write(STDERR_FILENO, text, len);
    while (written < 0 && errno == EINTR);
}

void log_hold(bool holds)
{
    log_flush();
    held.holds = holds;
}

void log_flush(void)
{
    if (held.len > 0)
        write_out(held.text, held.len);
    held.len = 0;
}

static void finish_line(struct line *line, enum log_level level)
{
    line->text[line->len++] = '\n';
    if (held.len + line->len > sizeof held.text)
        log_flush();
    memcpy(held.text + held.len, line->text, line->len);
    held.len += line->len;
    if (!held.holds || level <= LOG_WARNING)
        log_flush();
}

static void put_object(struct line *line, struct log_line what)
{
    char time[25];

    put_priority(line, what.level);
    if (!settings.journal) {
        clock_format(clock_wall_us(), time);
        what.time = time;
    }
    what.process = settings.room;
    line->len += log_json(&what, line->text + line->len, sizeof line->text - 1 - line->len);
}

static void put_words(struct line *line, const struct log_line *what)
{
    put_prefix(line, what->level);
    put_text(line, what->event);
    put_context(line, what->context);
    for (const struct log_field *field = what->fields; field->key; field++) {
        char digits[24];
        struct slice value = field->text;

        if (field->kind == LOG_FIELD_NUMBER)
            value = slice_of(
                digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)field->number));
        put_value(line, field->key, value);
    }
}

void log_write(enum log_level level, const struct log_context *context, const char *event,
    const struct log_field *fields)
{
    struct log_line what = { .level = level, .context = context, .event = event, .fields = fields };
    struct line line;

    if (level > settings.most)
        return;
    line.len = 0;
    if (settings.is_json)
        put_object(&line, what);
    else
        put_words(&line, &what);
    finish_line(&line, level);
}
