/* tests/fuzz/fuzz_message_dsn.c: whatever the parts of a notice hold, it is whole lines, 7-bit
 * unless it says otherwise, within its bound, and has as many parts as it should. Input: texts of
 * one octet of length each, in the order below; the rest is the original header, or, where the
 * first recipient's action is above 127, the whole original, which may be 8-bit. */
#include <stdlib.h>

#include "base/cursor.h"
#include "message/dsn.h"
#include "message/text.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { RECIPIENTS = 2 };

static bool is_whole;

/* A text of up to 255 octets, repeated to be longer than any limit when its length is 255. */
static struct slice take(struct cursor *c, struct buffer *repeated)
{
    size_t len = cursor_u8(c);
    struct slice text = cursor_take(c, len < c->rest.len ? len : c->rest.len);

    if (len < 255 || repeated->len > 0 || text.len == 0)
        return text;
    while (repeated->len < 10000)
        buffer_put_slice(repeated, text);
    return buffer_slice(repeated);
}

static void read_recipient(
    struct cursor *c, struct buffer *repeated, struct dsn_recipient *out_recipient)
{
    unsigned action = cursor_u8(c);

    is_whole = is_whole || action > 127;
    out_recipient->action = (enum dsn_action)(action % DSN_ACTIONS);
    out_recipient->last_attempt = (int64_t)cursor_u32(c);
    out_recipient->retry_until = 1;
    out_recipient->final = take(c, repeated);
    out_recipient->original = take(c, repeated);
    out_recipient->status = take(c, repeated);
    out_recipient->remote_mta = take(c, repeated);
    out_recipient->diagnostic = take(c, repeated);
    out_recipient->reason = take(c, repeated);
}

static void check_lines(struct slice text)
{
    while (text.len > 0) {
        size_t newline = slice_find(text, '\n');

        REQUIRE(newline > 0 && newline < text.len && newline - 1 <= 998);
        REQUIRE(slice_find(text, '\r') == newline - 1);
        REQUIRE(slice_find(text, '\0') > newline);
        text = slice_from(text, newline + 1);
    }
}

/* Lines that start with the boundary: one before each part, and the last. */
static size_t count_borders(struct slice body)
{
    size_t count = 0;

    for (; body.len > 0; body = slice_from(body, slice_find(body, '\n') + 1))
        count += slice_starts_nocase(body, "--=_report_");
    return count;
}

static void check(const struct dsn_notice *notice)
{
    struct buffer header, body;
    bool utf8, empty = notice->header.len == 0;

    buffer_init(&header, dsn_size_max(notice));
    buffer_init(&body, dsn_size_max(notice));
    REQUIRE(dsn_put(&header, &body, notice, &utf8) == ERR_OK);
    check_lines(buffer_slice(&header));
    check_lines(buffer_slice(&body));
    REQUIRE(utf8 || text_is_ascii(buffer_slice(&header)));
    REQUIRE(utf8 || notice->is_whole || text_is_ascii(buffer_slice(&body)));
    REQUIRE(text_is_utf8(buffer_slice(&header)));
    REQUIRE(notice->is_whole || text_is_utf8(buffer_slice(&body)));
    REQUIRE(header.len > 4 && memcmp(header.data + header.len - 4, "\r\n\r\n", 4) == 0);
    /* More only where the original header plays with the word. */
    REQUIRE(count_borders(buffer_slice(&body)) >= (empty ? 3 : 4));
    buffer_clear(&header);
    buffer_clear(&body);
}

/* RET=FULL, and what notices say of BY and HOLDFOR. */
static void take_whole(struct dsn_notice *notice)
{
    size_t len = 0;

    if (!is_whole)
        return;
    while (len < notice->header.len &&
           (len < 4 || memcmp(notice->header.data + len - 4, "\r\n\r\n", 4) != 0))
        len++;
    notice->is_whole = true;
    notice->body = slice_from(notice->header, len);
    notice->header = slice_first(notice->header, len);
    notice->deliver_by = 900;
    notice->future_release = slice_text("for;600");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(slice_of(data, size));
    struct dsn_recipient recipients[RECIPIENTS];
    struct dsn_notice notice = { .recipients = recipients,
        .recipient_count = RECIPIENTS,
        .now = 1,
        .arrival = size & 1,
        .random = size };
    struct buffer repeated;

    is_whole = false;
    buffer_init(&repeated, 1 << 16);
    notice.to = take(&c, &repeated);
    notice.host = take(&c, &repeated);
    notice.postmaster = take(&c, &repeated);
    notice.notice_id = take(&c, &repeated);
    notice.original_id = take(&c, &repeated);
    notice.envelope_id = take(&c, &repeated);
    for (size_t i = 0; i < RECIPIENTS; i++)
        read_recipient(&c, &repeated, &recipients[i]);
    notice.header = c.rest;
    take_whole(&notice);
    if (notice.to.len > 0)
        check(&notice);
    buffer_clear(&repeated);
    return 0;
}
