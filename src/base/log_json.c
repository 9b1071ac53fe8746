/* base/log_json.c: builds the object in place; what is begun always fits to its end. */
#include "base/log_json.h"

#include <stdio.h>

enum {
    VALUE_MAX = 512,
    TAIL = 16,  /* ,"cut":true} */
    DOTS = 4,   /* ..." */
    ESCAPE = 12 /* the longest escape: a pair of \uXXXX */
};

struct writer {
    char *out;
    size_t room; /* octets, but for the tail */
    size_t len;
    bool is_cut;
};

static bool fits(const struct writer *w, size_t len)
{
    return len <= w->room - w->len;
}

static void put(struct writer *w, const char *text, size_t len)
{
    memcpy(w->out + w->len, text, len);
    w->len += len;
}

/* The code point that begins there, and its length; 0: it is not UTF-8. */
static size_t decode(struct slice text, uint32_t *out_point)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead = (unsigned char)text.data[0];
    size_t len = lead < 0x80       ? 1
                 : lead >> 5 == 6  ? 2
                 : lead >> 4 == 14 ? 3
                 : lead >> 3 == 30 ? 4
                                   : 0;
    uint32_t point = len < 2 ? lead : lead & (0xffu >> (len + 1));

    if (len == 0 || len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >> 6 != 2)
            return 0;
        point = point << 6 | (c & 0x3f);
    }
    if (point < least[len] || point > 0x10ffff || point >> 11 == 0xd800 >> 11)
        return 0;
    *out_point = point;
    return len;
}

static int escape_point(uint32_t point, char out_text[ESCAPE + 1])
{
    if (point == '\r' || point == '\n' || point == '\t')
        return snprintf(out_text, ESCAPE + 1, "\\%c",
            point == '\r'   ? 'r'
            : point == '\n' ? 'n'
                            : 't');
    if (point == '"' || point == '\\')
        return snprintf(out_text, ESCAPE + 1, "\\%c", (char)point);
    if (point >= ' ' && point < 127)
        return snprintf(out_text, ESCAPE + 1, "%c", (char)point);
    if (point < 0x10000)
        return snprintf(out_text, ESCAPE + 1, "\\u%04x", (unsigned)point);
    point -= 0x10000;
    return snprintf(out_text, ESCAPE + 1, "\\u%04x\\u%04x", 0xd800 + (unsigned)(point >> 10),
        0xdc00 + (unsigned)(point & 0x3ff));
}

/* The next character as it is written; gives the octets that it took of the text. */
static size_t escape(struct slice text, char out_text[ESCAPE + 1], size_t *out_len)
{
    uint32_t point;
    size_t taken = decode(text, &point);

    *out_len = (size_t)(taken > 0 ? escape_point(point, out_text)
                                  : snprintf(out_text, ESCAPE + 1, "\\\\x%02x",
                                        (unsigned)(unsigned char)text.data[0]));
    return taken > 0 ? taken : 1;
}

/* Behind its opening quote. */
static void put_string(struct writer *w, struct slice value)
{
    struct slice rest = slice_first(value, VALUE_MAX);
    bool is_whole = rest.len == value.len;

    while (rest.len > 0) {
        char text[ESCAPE + 1];
        size_t len, taken = escape(rest, text, &len);

        if (!fits(w, len + DOTS)) {
            w->is_cut = true;
            is_whole = false;
            break;
        }
        put(w, text, len);
        rest = slice_from(rest, taken);
    }
    put(w, "...", is_whole ? 0 : 3);
    put(w, "\"", 1);
}

/* The name of a member, of ours; false: there is no room for it and a value. */
static bool put_name(struct writer *w, const char *name, size_t least)
{
    size_t len = strlen(name);

    if (!fits(w, len + 4 + least)) {
        w->is_cut = true;
        return false;
    }
    put(w, w->len == 0 ? "{" : ",", 1);
    put(w, "\"", 1);
    put(w, name, len);
    put(w, "\":", 2);
    return true;
}

static void put_text(struct writer *w, const char *name, struct slice value)
{
    if (!put_name(w, name, 1 + DOTS))
        return;
    put(w, "\"", 1);
    put_string(w, value);
}

static void put_number(struct writer *w, const char *name, int64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)number);

    if (put_name(w, name, (size_t)len))
        put(w, digits, (size_t)len);
}

static void put_context(struct writer *w, const struct log_context *context)
{
    if (!context)
        return;
    put_context(w, context->parent);
    if (context->key && context->value.len > 0)
        put_text(w, context->key, context->value);
}

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

size_t log_json(const struct log_line *line, char *out, size_t size)
{
    struct writer w = { .out = out, .room = size > TAIL ? size - TAIL : 0 };

    if (line->time)
        put_text(&w, "time", slice_text(line->time));
    put_text(&w, "level", slice_text(level_names[line->level]));
    put_text(&w, "process", slice_text(line->process));
    put_text(&w, "event", slice_text(line->event));
    put_context(&w, line->context);
    for (const struct log_field *field = line->fields; field->key; field++)
        if (field->kind == LOG_FIELD_NUMBER)
            put_number(&w, field->key, field->number);
        else
            put_text(&w, field->key, field->text);
    if (w.is_cut)
        put(&w, ",\"cut\":true", 11);
    put(&w, "}", 1);
    return w.len;
}
