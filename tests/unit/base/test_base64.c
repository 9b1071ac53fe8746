/* AUTH-11: strict base64. */
#include "../check.h"

#include "base/base64.h"

static const struct {
    const char *text;
    const char *octets; /* NULL: refused */
} cases[] = {
    { "", "" },
    { "Zg==", "f" },
    { "Zm8=", "fo" },
    { "Zm9v", "foo" },
    { "Zm9vYg==", "foob" },
    { "Zm9vYmFy", "foobar" },
    { "Zg=", NULL },
    { "Zg", NULL },
    { "Z", NULL },
    { "Zg==Zg==", NULL },
    { "AA=A", NULL },
    { "=AAA", NULL },
    { "A===", NULL },
    { "====", NULL },
    { "Zm9v\n", NULL },
    { " Zm9", NULL },
    { "Zm9-", NULL },
    { "Zm9_", NULL },
    { "Zh==", NULL },
    { "Zm9=", NULL },
};

static void test_cases(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        buffer_reset(&out);
        buffer_put_text(&out, "x");
        assert_int_equal(base64_decode(&out, slice_text(cases[i].text)), cases[i].octets != NULL);
        assert_int_equal(out.len, 1 + (cases[i].octets ? strlen(cases[i].octets) : 0));
        if (cases[i].octets)
            assert_memory_equal(buffer_slice(&out).data + 1, cases[i].octets, out.len - 1);
    }
    buffer_clear(&out);
}

static void test_round_trip(void **state)
{
    unsigned char octets[64];
    struct buffer text, back;

    (void)state;
    buffer_init(&text, 1000);
    buffer_init(&back, 1000);
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (unsigned char)(i * 37 + 200);
    for (size_t len = 0; len <= sizeof octets; len++) {
        buffer_reset(&text);
        buffer_reset(&back);
        base64_encode(&text, slice_of(octets, len));
        assert_true(base64_decode(&back, buffer_slice(&text)));
        assert_int_equal(back.len, len);
        if (len > 0)
            assert_memory_equal(buffer_slice(&back).data, octets, len);
    }
    buffer_clear(&text);
    buffer_clear(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
        cmocka_unit_test(test_round_trip) };

    return cmocka_run_group_tests_name("base/base64", tests, NULL, NULL);
}
