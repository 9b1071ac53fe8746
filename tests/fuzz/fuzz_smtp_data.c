/* tests/fuzz/fuzz_smtp_data.c: the DATA stream: the same content whatever the cuts, the end only at
 * CRLF.CRLF by a plain search, and what is encoded decodes to the same. */
#include <stdlib.h>

#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t next_step(unsigned *cut, size_t all)
{
    if (*cut == 0)
        return all ? all : 1;
    *cut = *cut * 1103515245u + 12345u;
    return 1 + *cut / 65536u % 9;
}

/* Gives the octets taken. */
static size_t decode(
    struct slice input, unsigned cut, struct data_decoder *decoder, struct buffer *out)
{
    enum data_answer answer = DATA_MORE;
    size_t taken = 0;

    *decoder = (struct data_decoder){ 0 };
    for (size_t at = 0, step; at < input.len && answer != DATA_END; at += step) {
        struct slice part = slice_first(slice_from(input, at), step = next_step(&cut, input.len));

        do {
            struct slice run;
            size_t consumed;

            answer = data_decode(decoder, part, &run, &consumed);
            buffer_put_slice(out, run);
            part = slice_from(part, consumed);
            taken += consumed;
        } while (answer == DATA_RUN);
    }
    return taken;
}

/* Where the data ends by the rule as it is written; 0: nowhere. */
static size_t find_end(struct slice input)
{
    if (input.len >= 3 && memcmp(input.data, ".\r\n", 3) == 0)
        return 3;
    for (size_t i = 0; i + 5 <= input.len; i++)
        if (memcmp(input.data + i, "\r\n.\r\n", 5) == 0)
            return i + 5;
    return 0;
}

static void check_same(const struct content *a, const struct content *b)
{
    if (a->octets != b->octets || a->lines != b->lines || a->longest_line != b->longest_line ||
        a->has_bare_cr != b->has_bare_cr || a->has_bare_lf != b->has_bare_lf ||
        a->has_nul != b->has_nul || a->has_8bit != b->has_8bit || a->after_cr != b->after_cr)
        abort();
}

static void check_decoder(struct slice input)
{
    struct data_decoder whole, cuts;
    struct buffer a, b;
    size_t end = find_end(input), taken;

    buffer_init(&a, 1 << 24);
    buffer_init(&b, 1 << 24);
    taken = decode(input, 0, &whole, &a);
    if ((whole.state == DATA_ENDED) != (end > 0) || taken != (end > 0 ? end : input.len))
        abort();
    if (decode(input, (unsigned)input.len * 2 + 1, &cuts, &b) != taken ||
        !slice_equals(buffer_slice(&a), buffer_slice(&b)))
        abort();
    check_same(&whole.content, &cuts.content);
    if (whole.content.octets != a.len)
        abort();
    buffer_clear(&a);
    buffer_clear(&b);
}

/* Every LF after a CR, every CR before an LF. */
static bool is_clean(struct slice content)
{
    for (size_t i = 0; i < content.len; i++) {
        if (content.data[i] == '\n' && (i == 0 || content.data[i - 1] != '\r'))
            return false;
        if (content.data[i] == '\r' && (i + 1 == content.len || content.data[i + 1] != '\n'))
            return false;
    }
    return true;
}

static void check_encoder(struct slice content)
{
    struct data_encoder encoder = { 0 };
    struct data_decoder decoder;
    unsigned cut = (unsigned)content.len * 2 + 1;
    struct buffer wire, back;
    bool is_good = true;

    buffer_init(&wire, 1 << 24);
    buffer_init(&back, 1 << 24);
    for (size_t at = 0, step; at < content.len && is_good; at += step)
        is_good = data_encode(
            &encoder, slice_first(slice_from(content, at), step = next_step(&cut, 0)), &wire);
    is_good = is_good && data_encode_end(&encoder, &wire);
    if (is_good != is_clean(content))
        abort();
    if (is_good) {
        size_t extra = content.len > 0 && content.data[content.len - 1] != '\n' ? 2 : 0;

        if (decode(buffer_slice(&wire), 0, &decoder, &back) != wire.len ||
            decoder.state != DATA_ENDED)
            abort();
        if (back.len != content.len + extra ||
            !slice_equals(slice_first(buffer_slice(&back), content.len), content))
            abort();
    }
    buffer_clear(&wire);
    buffer_clear(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);

    check_decoder(input);
    check_encoder(input);
    return 0;
}
