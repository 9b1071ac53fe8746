/* tests/fuzz/fuzz_smtp_orcpt.c: a value of ORCPT: what decodes is fit to be shown, and decodes the
 * same in either form that it leaves in. */
#include "fuzz.h"
#include "smtp/address.h"
#include "smtp/orcpt.h"

static void check_shown(struct slice decoded)
{
    REQUIRE(text_is_utf8(decoded) && slice_find(decoded, ';') < decoded.len);
    for (size_t i = 0; i < decoded.len; i++)
        REQUIRE((unsigned char)decoded.data[i] >= 32 && decoded.data[i] != 127);
}

static void check_onwards(struct slice text, struct slice decoded, bool allow_utf8)
{
    struct buffer onwards, again;

    buffer_init(&onwards, 8192);
    buffer_init(&again, 8192);
    orcpt_write(&onwards, text, allow_utf8);
    REQUIRE(onwards.error == ERR_OK);
    REQUIRE(allow_utf8 || text_is_ascii(buffer_slice(&onwards)));
    /* Escapes are longer than what they stand for. */
    if (onwards.len <= ORCPT_MAX) {
        REQUIRE(orcpt_decode(&again, buffer_slice(&onwards)));
        REQUIRE(slice_equals(buffer_slice(&again), decoded));
    }
    buffer_clear(&onwards);
    buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct buffer decoded;

    buffer_init(&decoded, 4096);
    buffer_put_text(&decoded, "x");
    if (orcpt_decode(&decoded, text)) {
        struct slice shown = slice_from(buffer_slice(&decoded), 1);

        check_shown(shown);
        check_onwards(text, shown, false);
        check_onwards(text, shown, true);
    } else {
        REQUIRE(decoded.len == 1 && decoded.error == ERR_OK);
    }
    buffer_clear(&decoded);
    return 0;
}
