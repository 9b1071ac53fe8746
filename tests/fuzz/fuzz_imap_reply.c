/* tests/fuzz/fuzz_imap_reply.c: an IMAP server's octets, whole and in pieces, give the same parts.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch/imap_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came, as one run of octets: a letter, the text, an end. Runs of a literal's octets join. */
struct notes {
    struct buffer text;
    bool is_in_octets;
};

static void parse(struct slice text)
{
    struct imap_response response = imap_response_parse(text, "s1");
    enum imap_value_kind kind;
    struct slice value;
    struct buffer plain;

    buffer_init(&plain, 1 << 20);
    for (size_t i = 0; (kind = imap_value_take(&response.rest, &value)) != IMAP_VALUE_NONE; i++) {
        if (kind == IMAP_VALUE_BAD)
            break;
        imap_unquote(&plain, value);
        if (i > text.len)
            abort();
    }
    if (plain.len > text.len)
        abort();
    buffer_clear(&plain);
    (void)imap_has_code(response.rest, "UNAVAILABLE");
}

static void note(struct notes *notes, enum imap_answer answer, const struct imap_part *part)
{
    if (answer == IMAP_OCTETS) {
        if (part->text.len == 0)
            abort();
        if (!notes->is_in_octets)
            buffer_put_char(&notes->text, 'O');
        buffer_put_slice(&notes->text, part->text);
        notes->is_in_octets = true;
        return;
    }
    if (part->text.len > IMAP_LINE_MAX || slice_find(part->text, '\0') < part->text.len)
        abort();
    buffer_printf(&notes->text, "%d %d %llu ", answer, part->is_first,
        (unsigned long long)(answer == IMAP_LITERAL ? part->size : 0));
    buffer_put_slice(&notes->text, part->text);
    notes->is_in_octets = false;
    if (part->is_first)
        parse(part->text);
}

static void feed(struct slice input, size_t step, struct notes *notes)
{
    struct imap_reader reader = { 0 };
    size_t seen = step < input.len ? step : input.len;
    size_t taken = 0;

    while (true) {
        struct imap_part part;
        size_t consumed;
        enum imap_answer answer =
            imap_read(&reader, slice_of(input.data + taken, seen - taken), &consumed, &part);

        if (consumed > seen - taken)
            abort();
        taken += consumed;
        if (answer == IMAP_BROKEN) {
            buffer_put_char(&notes->text, '!');
            return;
        }
        if (answer != IMAP_MORE)
            note(notes, answer, &part);
        else if (seen < input.len)
            seen = seen + step < input.len ? seen + step : input.len;
        else
            return;
    }
}

/* The first octet says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = size > 0 ? slice_of(data + 1, size - 1) : slice_of(data, 0);
    struct notes whole = { 0 }, pieces = { 0 };

    if (input.len == 0)
        return 0;
    buffer_init(&whole.text, 16 << 20);
    buffer_init(&pieces.text, 16 << 20);
    feed(input, input.len, &whole);
    feed(input, 1 + data[0] % 16, &pieces);
    if (!slice_equals(buffer_slice(&whole.text), buffer_slice(&pieces.text)))
        abort();
    buffer_clear(&whole.text);
    buffer_clear(&pieces.text);
    return 0;
}
