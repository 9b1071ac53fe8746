/* tests/fuzz/fuzz_base_text.c: the small readers of base/: base64, queue ids, decimal numbers. What
 * is read is written back as it was, so there is one spelling for each value. */
#include "fuzz.h"

#include "base/base64.h"
#include "base/queue_id.h"

static void check_base64(struct slice text)
{
    struct buffer decoded, encoded;

    buffer_init(&decoded, 1 << 21);
    buffer_init(&encoded, 1 << 21);
    if (base64_decode(&decoded, text)) {
        base64_encode(&encoded, buffer_slice(&decoded));
        REQUIRE(slice_equals(buffer_slice(&encoded), text));
    } else {
        REQUIRE(decoded.len == 0);
    }
    buffer_reset(&decoded);
    buffer_reset(&encoded);
    base64_encode(&encoded, text);
    REQUIRE(encoded.len == (text.len + 2) / 3 * 4);
    REQUIRE(base64_decode(&decoded, buffer_slice(&encoded)));
    REQUIRE(slice_equals(buffer_slice(&decoded), text));
    buffer_clear(&decoded);
    buffer_clear(&encoded);
}

static void check_queue_id(struct slice text)
{
    char again[QUEUE_ID_TEXT + 1];
    struct queue_id id, back;

    if (text.len >= sizeof id) {
        memcpy(&id, text.data, sizeof id);
        queue_id_format(id, again);
        REQUIRE(queue_id_parse(slice_text(again), &back) && queue_id_equals(id, back));
    }
    if (!queue_id_parse(text, &id))
        return;
    queue_id_format(id, again);
    REQUIRE(slice_equals_nocase(slice_text(again), text));
}

static void check_number(struct slice text)
{
    static const uint64_t most[] = { 0, 9, 998, UINT32_MAX, INT64_MAX, UINT64_MAX };
    uint64_t value, exact;
    char written[32];

    for (size_t i = 0; i < LENGTH_OF(most); i++) {
        if (!slice_number(text, most[i], &value))
            continue;
        REQUIRE(value <= most[i] && text.len > 0);
        REQUIRE(slice_number(text, UINT64_MAX, &exact) && exact == value);
        snprintf(written, sizeof written, "%llu", (unsigned long long)value);
        REQUIRE(text.len >= strlen(written));
        REQUIRE(slice_is(slice_from(text, text.len - strlen(written)), written));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);

    check_base64(text);
    check_queue_id(text);
    check_number(text);
    return 0;
}
