/* tests/fuzz/fuzz_spool_envelope.c: the packed envelope alone, as it stands in a record. What
 * unpacks packs to an envelope that reads the same; one octet less or more does not unpack. */
#include "fuzz.h"

#include "spool/envelope.h"

static void check_same(const struct envelope *a, const struct envelope *b)
{
    REQUIRE(queue_id_equals(a->id, b->id) && queue_id_equals(a->about, b->about));
    REQUIRE(a->arrival_us == b->arrival_us && slice_equals(a->sender, b->sender));
    REQUIRE(slice_equals(a->user, b->user) && slice_equals(a->ehlo, b->ehlo));
    REQUIRE(a->header_size == b->header_size && a->body_size == b->body_size);
    REQUIRE(a->body_file == b->body_file && a->body_checksum == b->body_checksum);
    REQUIRE(a->notice == b->notice && a->body_kind == b->body_kind);
    REQUIRE(a->smtputf8 == b->smtputf8 && a->ret == b->ret && slice_equals(a->envid, b->envid));
    REQUIRE(a->require_tls == b->require_tls && a->by == b->by && a->priority == b->priority);
    REQUIRE(slice_equals(a->mtrk_certifier, b->mtrk_certifier) && a->conperm == b->conperm);
    REQUIRE(slice_equals(a->solicit, b->solicit) && a->mtrk_timeout == b->mtrk_timeout);
    REQUIRE(a->by_trace == b->by_trace && a->by_seconds == b->by_seconds);
    REQUIRE(a->hold == b->hold && a->hold_value == b->hold_value);
    REQUIRE(a->recipient_count == b->recipient_count && a->recipient_count > 0);
    for (size_t i = 0; i < a->recipient_count; i++) {
        REQUIRE(slice_equals(a->recipients[i].address, b->recipients[i].address));
        REQUIRE(a->recipients[i].flags == b->recipients[i].flags);
        REQUIRE(a->recipients[i].notify == b->recipients[i].notify);
        REQUIRE(slice_equals(a->recipients[i].orcpt, b->recipients[i].orcpt));
        REQUIRE(a->recipients[i].rrvs == b->recipients[i].rrvs);
        REQUIRE(a->recipients[i].rrvs_since == b->recipients[i].rrvs_since);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    struct envelope envelope, again;
    struct buffer packed;
    struct arena arena;

    arena_init(&arena, 8 << 20);
    buffer_init(&packed, ENVELOPE_MAX + 1024);
    if (envelope_unpack(bytes, &arena, &envelope) == ERR_OK) {
        REQUIRE(envelope_pack(&packed, &envelope) == ERR_OK);
        REQUIRE(envelope_unpack(buffer_slice(&packed), &arena, &again) == ERR_OK);
        check_same(&envelope, &again);
        REQUIRE(envelope_unpack(slice_first(bytes, size - 1), &arena, &again) != ERR_OK);
        buffer_put_u8(&packed, 0);
        REQUIRE(envelope_unpack(buffer_slice(&packed), &arena, &again) == ERR_CORRUPT);
    }
    buffer_clear(&packed);
    arena_clear(&arena);
    return 0;
}
