/* tests/fuzz/fuzz_smtp_reply.c: replies of a next hop: the same whatever the cuts; and our own
 * replies that quote anything. */
#include "fuzz.h"

#include "smtp/peer_reply.h"
#include "smtp/reply.h"

static void note(const struct peer_reply *reply, struct buffer *out)
{
    struct slice line;
    size_t position = 0, lines = 0;

    while (peer_reply_line(reply, &position, &line))
        lines++;
    if (lines != reply->lines)
        abort();
    for (size_t i = 0; i < reply->text.len; i++)
        if (reply->text.data[i] != '\n' && (reply->text.data[i] < 32 || reply->text.data[i] > 126))
            abort();
    buffer_printf(out, "%u %zu %u.%u.%u", reply->code, reply->lines, reply->status.class,
        reply->status.subject, reply->status.detail);
    buffer_put_slice(out, reply->text);
}

static void trace(struct slice input, unsigned cut, struct buffer *out)
{
    enum peer_reply_answer answer = PEER_REPLY_MORE;
    struct peer_reply_reader reader;
    struct buffer stream;

    buffer_init(&stream, 1 << 22);
    peer_reply_reader_init(&reader);
    for (size_t at = 0, step; at < input.len && answer != PEER_REPLY_BROKEN; at += step) {
        step = cut == 0 ? input.len : 1 + (cut = cut * 1103515245u + 12345u) / 65536u % 9;
        buffer_put_slice(&stream, slice_first(slice_from(input, at), step));
        do {
            struct peer_reply reply;
            size_t consumed;

            answer = peer_reply_read(&reader, buffer_slice(&stream), &consumed, &reply);
            if (answer == PEER_REPLY_READY)
                note(&reply, out);
            buffer_consume(&stream, consumed);
        } while (answer == PEER_REPLY_READY);
    }
    buffer_clear(&stream);
    peer_reply_reader_clear(&reader);
}

static void check_ours(struct slice detail)
{
    struct buffer out;

    buffer_init(&out, 1 << 16);
    reply_printf(&out, REPLY_BAD_ARGUMENT, "%.*s", SLICE_ARGS(detail));
    for (size_t start = 0; start < out.len;) {
        struct slice rest = slice_from(buffer_slice(&out), start);
        size_t len = slice_find(rest, '\n') + 1;

        if (len > REPLY_LINE_MAX || len < 12 || rest.data[len - 2] != '\r')
            abort();
        start += len;
    }
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);

    require_same_for_cuts(input, trace);
    check_ours(input);
    return 0;
}
