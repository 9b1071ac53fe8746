/* tests/fuzz/fuzz_message_canonical.c: the form of a binary message's text: the same verdict
 * whatever the cuts, and no fault without a CR or LF that stands alone. */
#include <stdlib.h>

#include "message/canonical.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static struct canonical *feed(struct slice content, size_t step)
{
    struct canonical *c = canonical_new();

    REQUIRE(c);
    for (size_t at = 0; at < content.len; at += step)
        canonical_feed(c, slice_first(slice_from(content, at), step));
    canonical_end(c);
    return c;
}

static void compare(const struct canonical *whole, struct slice content, size_t step)
{
    struct canonical *cut = feed(content, step);

    REQUIRE(canonical_fault(cut) == canonical_fault(whole));
    REQUIRE(canonical_fault_line(cut) == canonical_fault_line(whole));
    canonical_free(&cut);
}

static bool has_bare(struct slice content)
{
    for (size_t i = 0; i < content.len; i++) {
        if (content.data[i] == '\n' && (i == 0 || content.data[i - 1] != '\r'))
            return true;
        if (content.data[i] == '\r' && (i + 1 == content.len || content.data[i + 1] != '\n'))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = slice_of(data, size);
    struct canonical *whole = feed(content, size + 1);

    REQUIRE(canonical_fault(whole) != CANONICAL_NEWLINE || has_bare(content));
    compare(whole, content, 1);
    compare(whole, content, size > 0 ? 1 + data[size - 1] % 37 : 1);
    canonical_free(&whole);
    return 0;
}
