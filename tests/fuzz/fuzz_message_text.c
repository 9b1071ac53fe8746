/* tests/fuzz/fuzz_message_text.c: what we write into messages out of hostile text: safe text,
 * folded lines, transfer encodings, our Received field, a Message-ID. The encodings decode to what
 * went in. */
#include "fuzz.h"

#include "base/base64.h"
#include "message/cfws.h"
#include "message/message_id.h"
#include "message/mime.h"
#include "message/received.h"
#include "message/text.h"

enum { LINE_OCTETS = 998, ROOM = 1 << 23 };

/* Whole lines within `most` octets, no CR, LF or NUL inside, none that is only white space. */
static void check_lines(struct slice text, size_t most)
{
    while (text.len > 0) {
        size_t newline = slice_find(text, '\n');

        REQUIRE(newline > 0 && newline < text.len && newline - 1 <= most);
        REQUIRE(slice_find(text, '\r') == newline - 1 && slice_find(text, '\0') > newline);
        text = slice_from(text, newline + 1);
    }
}

static void check_safe(struct slice text)
{
    struct buffer safe, folded;

    buffer_init(&safe, ROOM);
    buffer_init(&folded, ROOM);
    for (int utf8 = 0; utf8 < 2; utf8++) {
        buffer_reset(&safe);
        buffer_reset(&folded);
        text_put_safe(&safe, text, utf8);
        for (size_t i = 0; i < safe.len; i++)
            REQUIRE((unsigned char)safe.data[i] >= 32 && safe.data[i] != 127);
        REQUIRE(utf8 ? text_is_utf8(buffer_slice(&safe)) : text_is_ascii(buffer_slice(&safe)));
        text_put_folded(&folded, buffer_slice(&safe), text.len % 5);
        REQUIRE(folded.error == ERR_OK && folded.len >= 2);
        check_lines(buffer_slice(&folded), LINE_OCTETS);
        REQUIRE(!utf8 || text_is_utf8(buffer_slice(&folded)));
    }
    buffer_clear(&safe);
    buffer_clear(&folded);
}

static int hex(char c)
{
    return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 2045 section 6.7, read strictly. */
static void decode_quoted(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_from(text, i);

        if (text.data[i] != '=') {
            buffer_put_char(out, text.data[i]);
        } else if (rest.len >= 3 && rest.data[1] == '\r' && rest.data[2] == '\n') {
            i += 2;
        } else {
            REQUIRE(rest.len >= 3 && hex(rest.data[1]) >= 0 && hex(rest.data[2]) >= 0);
            buffer_put_u8(out, (uint8_t)(hex(rest.data[1]) * 16 + hex(rest.data[2])));
            i += 2;
        }
    }
}

static void check_encodings(struct slice text)
{
    struct buffer coded, back;

    buffer_init(&coded, ROOM);
    buffer_init(&back, ROOM);
    mime_put_quoted_printable(&coded, text);
    check_lines(buffer_slice(&coded), 76);
    REQUIRE(mime_need_of(buffer_slice(&coded)) == MIME_7BIT);
    decode_quoted(buffer_slice(&coded), &back);
    REQUIRE(slice_equals(buffer_slice(&back), text));
    if (mime_need_of(text) == MIME_7BIT)
        REQUIRE(text_is_ascii(text) && slice_find(text, '\0') == text.len);
    buffer_clear(&coded);
    buffer_clear(&back);
}

/* A field of ours holds one colon of a field name and no line that begins another field. */
static void check_received(struct slice text)
{
    struct received_facts facts = {
        .by = SLICE_LITERAL("msa.example.net"), .queue_id = SLICE_LITERAL("01J"), .wall = 1772532000
    };
    struct buffer out;
    struct slice rest;

    facts.protocol = received_protocol(text.len & 1, text.len & 2, text.len & 4, text.len & 8);
    facts.hide_client = text.len % 7 == 0;
    rest = text;
    facts.ehlo = take_until(&rest, '\n');
    facts.client = take_until(&rest, '\n');
    facts.client_name = take_until(&rest, '\n');
    facts.tls_cipher = take_until(&rest, '\n');
    facts.tls_group = rest;
    buffer_init(&out, ROOM);
    received_put(&out, &facts);
    REQUIRE(out.error == ERR_OK && text_is_ascii(buffer_slice(&out)));
    check_lines(buffer_slice(&out), LINE_OCTETS);
    for (size_t i = 0; i + 1 < out.len; i++)
        REQUIRE(out.data[i] != '\n' || out.data[i + 1] == ' ');
    buffer_clear(&out);
}

static void check_tokens(struct slice text)
{
    struct buffer id;
    size_t at = 0;

    if (cfws_skip(text, &at))
        REQUIRE(at <= text.len);
    at = 0;
    if (dot_atom_skip(text, &at))
        REQUIRE(at > 0 && at <= text.len && text.data[0] != '.' && text.data[at - 1] != '.');
    buffer_init(&id, 4096);
    message_id_put(&id, slice_text("01J"), text.len, slice_text("msa.example.net"));
    REQUIRE(message_id_is_valid(buffer_slice(&id)));
    buffer_clear(&id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_first(slice_of(data, size), 1 << 18);

    check_safe(text);
    check_encodings(text);
    check_received(text);
    check_tokens(text);
    return 0;
}
