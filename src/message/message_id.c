/* message/message_id.c: making and checking Message-IDs. */
#include "message/message_id.h"

#include <inttypes.h>

#include "message/cfws.h"
#include "message/text.h"

void message_id_put(struct buffer *out, struct slice queue_id, uint64_t random, struct slice host)
{
    buffer_put_char(out, '<');
    text_put_safe(out, queue_id, false);
    buffer_printf(out, ".%016" PRIx64 "@", random);
    text_put_safe(out, host, false);
    buffer_put_char(out, '>');
}

static bool take_char(struct slice text, size_t *at, char c)
{
    if (*at >= text.len || text.data[*at] != c)
        return false;
    ++*at;
    return true;
}

/* "[" *dtext "]" */
static bool skip_literal(struct slice text, size_t *at)
{
    if (!take_char(text, at, '['))
        return false;
    while (*at < text.len && text.data[*at] != '[' && text.data[*at] != ']' &&
           text.data[*at] != '\\' && text.data[*at] > 32 && text.data[*at] < 127)
        ++*at;
    return take_char(text, at, ']');
}

static bool skip_domain(struct slice text, size_t *at)
{
    bool is_literal = *at < text.len && text.data[*at] == '[';

    return is_literal ? skip_literal(text, at) : dot_atom_skip(text, at);
}

bool message_id_is_valid(struct slice body)
{
    size_t at = 0;

    return cfws_skip(body, &at) && take_char(body, &at, '<') && dot_atom_skip(body, &at) &&
           take_char(body, &at, '@') && skip_domain(body, &at) && take_char(body, &at, '>') &&
           cfws_skip(body, &at) && at == body.len && text_is_utf8(body);
}
