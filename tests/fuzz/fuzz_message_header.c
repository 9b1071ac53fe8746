/* tests/fuzz/fuzz_message_header.c: a header taken in whole and in pieces is the same; what is made
 * of a sound one is a sound header with every field that was to stay. */
#include <stdlib.h>

#include "message/completion.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static size_t feed(struct header_scan *scan, struct slice content, size_t step)
{
    size_t used = 0;

    header_scan_init(scan);
    while (used < content.len && scan->state != HEADER_COMPLETE)
        used += header_scan_feed(scan, slice_first(slice_from(content, used), step));
    header_scan_end(scan);
    return used;
}

static void compare(struct slice content, const struct header_scan *whole, size_t used, size_t step)
{
    struct header_scan cut;
    size_t cut_used = feed(&cut, content, step);

    REQUIRE(cut.state == whole->state && cut.verdict.fault == whole->verdict.fault);
    REQUIRE(cut_used == used && cut.fields == whole->fields && cut.lines == whole->lines);
    REQUIRE(slice_equals(header_scan_block(&cut), header_scan_block(whole)));
    header_scan_clear(&cut);
}

static bool is_kept(const struct header_field *field)
{
    switch (field->id) {
    case HEADER_DATE:
    case HEADER_MESSAGE_ID:
    case HEADER_BCC:
    case HEADER_RESENT_BCC:
    case HEADER_RETURN_PATH:
    case HEADER_CONTENT_LENGTH:
    case HEADER_PRIVATE:
    case HEADER_AUTHENTICATION_RESULTS:
        return false;
    default:
        return true;
    }
}

/* Every kept field of the first is in the second, in order. */
static void find_fields(const struct header_index *before, const struct header_index *after)
{
    size_t at = 1; /* behind our Received */

    REQUIRE(after->count > 1 && after->fields[0].id == HEADER_RECEIVED);
    for (size_t i = 0; i < before->count; i++) {
        if (!is_kept(&before->fields[i]))
            continue;
        while (at < after->count && !is_kept(&after->fields[at]))
            at++;
        REQUIRE(at < after->count);
        REQUIRE(slice_equals(before->fields[i].whole, after->fields[at].whole));
        at++;
    }
    REQUIRE(after->seen[HEADER_DATE] == 1 && after->seen[HEADER_MESSAGE_ID] == 1);
    REQUIRE(after->seen[HEADER_BCC] == 0 && after->seen[HEADER_PRIVATE] == 0);
}

static void complete(const struct header_index *index, struct arena *arena, struct slice content)
{
    struct completion_facts facts = {
        .received = {
            .ehlo = slice_first(content, 40), /* as hostile as anything */
            .client = slice_from(content, 40),
            .client_name = slice_from(content, 3),
            .by = SLICE_LITERAL("msa.example.net"),
            .protocol = "ESMTP",
            .queue_id = SLICE_LITERAL("Q1"),
            .tls_cipher = slice_from(content, 80),
            .wall = 1772532000,
        },
    };
    struct header_index done;
    struct header_scan scan;
    struct buffer out;

    buffer_init(&out, index->block.len + 4096);
    completion_put(&out, index, &facts);
    REQUIRE(out.error == ERR_OK);
    /* Ours may push a header at its limit over it; the next hop's limits are its own. */
    if (out.len < HEADER_SIZE_MAX && index->count + 3 <= HEADER_FIELDS_MAX) {
        REQUIRE(feed(&scan, buffer_slice(&out), SIZE_MAX) == out.len);
        REQUIRE(scan.state == HEADER_COMPLETE && scan.text.len == out.len - 2);
        REQUIRE(header_index_build(header_scan_block(&scan), arena, &done) == ERR_OK);
        find_fields(index, &done);
        header_scan_clear(&scan);
    }
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice content = slice_of(data, size);
    struct header_verdict verdict;
    struct header_index index;
    struct header_scan scan;
    struct arena arena;
    size_t used = feed(&scan, content, SIZE_MAX);

    compare(content, &scan, used, 1);
    compare(content, &scan, used, size > 0 ? 1 + data[size - 1] % 37 : 1);
    arena_init(&arena, 4 << 20);
    if (scan.state == HEADER_COMPLETE) {
        REQUIRE(header_index_build(header_scan_block(&scan), &arena, &index) == ERR_OK);
        REQUIRE(index.count == scan.fields);
        if (header_check(&index, size % 2, &verdict))
            complete(&index, &arena, content);
    }
    arena_clear(&arena);
    header_scan_clear(&scan);
    return 0;
}
