/* queue/show.c: facts as JSON values. What came from outside may be no text. */
#include "queue/control.h"

#include "base/clock.h"

enum { TEXT_MOST = 8192 };

/* Octets of the UTF-8 sequence at the front, 0 when there is none. */
static size_t sequence(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (len == 0 || at[0] > 0xf4 || len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

static bool is_control(unsigned char octet)
{
    return (octet < ' ' && octet != '\n') || octet == 127;
}

json_t *show_text(struct slice text)
{
    struct slice rest = slice_first(text, TEXT_MOST);
    struct buffer shown;
    json_t *value;

    buffer_init(&shown, 4 * TEXT_MOST + 4096);
    while (rest.len > 0) {
        size_t len = sequence(rest);
        if (len == 0 || (len == 1 && is_control((unsigned char)rest.data[0]))) {
            buffer_printf(&shown, "\\x%02x", (unsigned char)rest.data[0]);
            len = 1;
        } else {
            buffer_put(&shown, rest.data, len);
        }
        rest = slice_from(rest, len);
    }
    value = shown.error == ERR_OK
                ? json_stringn(shown.len > 0 ? buffer_slice(&shown).data : "", shown.len)
                : NULL;
    buffer_clear(&shown);
    return value;
}

json_t *show_text_or_null(struct slice text)
{
    return text.len > 0 ? show_text(text) : json_null();
}

json_t *show_time(int64_t wall_us)
{
    char text[25];

    clock_format(wall_us, text);
    return json_string(text);
}

json_t *show_id(struct queue_id id)
{
    char text[QUEUE_ID_TEXT + 1];

    queue_id_format(id, text);
    return json_string(text);
}

char *show_line(json_t *result)
{
    json_t *reply = json_pack("{s:b, s:o}", "ok", 1, "result", result);
    char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

    json_decref(reply);
    return line;
}
