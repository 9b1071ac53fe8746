/* Content against the extensions of a hop: every combination of needs and offers (EXT-8BITMIME-3,
 * EXT-SMTPUTF8-6, EXT-SMTPUTF8-7), and the named ones. */
#include "../check.h"

#include "base/macros.h"
#include "policy/content.h"

static const struct {
    const char *name;
    struct content_needs needs;
    struct content_hop hop;
    enum content_verdict verdict;
    const char *status;
} cases[] = {
    { "ASCII to a plain hop", { false, false, false, false }, { false, false }, CONTENT_FITS,
        NULL },
    { "EXT-8BITMIME-3 8-bit body", { true, false, false, false }, { false, false },
        CONTENT_NEEDS_8BITMIME, "5.6.3" },
    { "EXT-8BITMIME-3 8-bit body, SMTPUTF8 alone", { true, false, false, false }, { false, true },
        CONTENT_NEEDS_8BITMIME, "5.6.3" },
    { "EXT-8BITMIME-3 8-bit body, 8BITMIME", { true, false, false, false }, { true, false },
        CONTENT_FITS, NULL },
    { "EXT-SMTPUTF8-7 recipient", { false, false, false, true }, { true, false },
        CONTENT_NEEDS_UTF8_ADDRESS, "5.6.7" },
    { "EXT-SMTPUTF8-7 sender", { false, false, true, false }, { true, false },
        CONTENT_NEEDS_UTF8_ADDRESS, "5.6.7" },
    { "EXT-SMTPUTF8-7 header", { false, true, false, false }, { true, false },
        CONTENT_NEEDS_UTF8_HEADER, "5.6.9" },
    { "EXT-SMTPUTF8-7 address before header before body", { true, true, false, true },
        { false, false }, CONTENT_NEEDS_UTF8_ADDRESS, "5.6.7" },
    { "EXT-SMTPUTF8-7 header before body", { true, true, false, false }, { false, false },
        CONTENT_NEEDS_UTF8_HEADER, "5.6.9" },
    { "EXT-BINARYMIME-2 binary", { .binary = true, .body_8bit = true }, { true, true, false },
        CONTENT_NEEDS_BINARYMIME, "5.6.3" },
    { "EXT-BINARYMIME-2 binary to a hop that takes it", { .binary = true, .body_8bit = true },
        { false, false, true }, CONTENT_FITS, NULL },
    { "everything to a hop that takes it", { true, true, true, true }, { true, true }, CONTENT_FITS,
        NULL },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct content_parameters parameters;
        enum content_verdict verdict = content_judge(&cases[i].needs, &cases[i].hop, &parameters);

        if (verdict != cases[i].verdict)
            fail_msg("%s: %d", cases[i].name, verdict);
        if (cases[i].status)
            assert_string_equal(content_status(verdict), cases[i].status);
        else
            assert_null(content_status(verdict));
        assert_int_equal(content_reason(verdict) != NULL, verdict != CONTENT_FITS);
    }
}

/* All 256: nothing leaves that the hop did not offer, and no parameter is given without need. */
static void test_all(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 256; bits++) {
        struct content_needs needs = { bits & 1, bits & 2, bits & 4, bits & 8, bits & 64 };
        struct content_hop hop = { bits & 16, bits & 32, bits & 128 };
        struct content_parameters parameters = { false, false, false };
        bool utf8 = needs.header_8bit || needs.sender_8bit || needs.recipient_8bit;
        bool fits = content_judge(&needs, &hop, &parameters) == CONTENT_FITS;

        assert_int_equal(
            fits, (hop.smtputf8 || !utf8) &&
                      (needs.binary ? hop.binarymime : hop.eightbitmime || !needs.body_8bit));
        if (!fits)
            continue;
        assert_int_equal(parameters.smtputf8, utf8);
        assert_true(hop.eightbitmime || !parameters.body_8bitmime);
        assert_int_equal(parameters.body_binary, needs.binary);
        assert_true(!needs.binary || !parameters.body_8bitmime);
        assert_true(!needs.body_8bit || parameters.body_8bitmime || parameters.body_binary);
        assert_true(bits % 16 != 0 || !parameters.body_8bitmime);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests_name("policy/content", tests, NULL, NULL);
}
