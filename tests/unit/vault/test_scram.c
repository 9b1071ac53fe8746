/* tests/unit/vault/test_scram.c: the form of a SCRAM client's messages (SASL-4), stricter than the
 * library's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "vault/scram.h"

#define T SLICE_LITERAL

static const struct {
    struct slice message;
    const char *user; /* NULL: refused */
    char binding;
    const char *authzid;
} firsts[] = {
    { T("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), "user", 'n', NULL },
    { T("y,,n=user,r=x"), "user", 'y', NULL },
    { T("p=tls-exporter,,n=user,r=x"), "user", 'p', NULL },
    { T("n,a=boss,n=user,r=x"), "user", 'n', "boss" },
    { T("n,a=a=2Cb,n=a=2Cb=3Dc,r=x"), "a,b=c", 'n', "a,b" }, /* =2C and =3D are decoded */
    { T("n,,n=user,r=x,e=ext,Z=1"), "user", 'n',
        NULL }, /* unknown optional extensions are ignored */
    { T("n,,n=user,r=x,e=a=b"), "user", 'n', NULL },
    { T("n,,n=a=2cb,r=x"), NULL, 0, NULL }, /* any other = fails */
    { T("n,,n=a=,r=x"), NULL, 0, NULL },
    { T("n,,n=a=2,r=x"), NULL, 0, NULL },
    { T("n,,n==41,r=x"), NULL, 0, NULL },
    { T("n,a=b=zz,n=user,r=x"), NULL, 0, NULL },
    { T("n,,m=ext,n=user,r=x"), NULL, 0, NULL }, /* m= is refused, wherever it is */
    { T("n,,n=user,r=x,m=ext"), NULL, 0, NULL },
    { T("n,,n=user,r=x,e=1,m=ext"), NULL, 0, NULL },
    { T("x,,n=user,r=x"), NULL, 0, NULL }, /* the first octet is n, y or p */
    { T("N,,n=user,r=x"), NULL, 0, NULL },
    { T("nn,,n=user,r=x"), NULL, 0, NULL },
    { T("p,,n=user,r=x"), NULL, 0, NULL },
    { T("p=,,n=user,r=x"), NULL, 0, NULL },
    { T(",,n=user,r=x"), NULL, 0, NULL },
    { T("n,n=user,r=x"), NULL, 0, NULL },
    { T("n,b=x,n=user,r=x"), NULL, 0, NULL },
    { T("n,a=,n=user,r=x"), NULL, 0, NULL },
    { T("n,,n=,r=x"), NULL, 0, NULL },
    { T("n,,r=x,n=user"), NULL, 0, NULL },
    { T("n,,n=user"), NULL, 0, NULL },
    { T("n,,n=user,"), NULL, 0, NULL },
    { T("n,,n=user,r="), NULL, 0, NULL },
    { T("n,,n=user,r=x,"), NULL, 0, NULL },
    { T("n,,n=user,r=x,="), NULL, 0, NULL },
    { T("n,,n=user,r=x,1=2"), NULL, 0, NULL },
    { T("n,,n=user,r=x,ee"), NULL, 0, NULL },
    { T("n,,n=user,r=a b"), NULL, 0, NULL },
    { T("n,,n=user,r=a\x7f"), NULL, 0, NULL },
    { T("n,,n=us\0er,r=x"), NULL, 0, NULL },
    { T("n,,n=user,r=x\0"), NULL, 0, NULL },
    { T(""), NULL, 0, NULL },
    { T("n"), NULL, 0, NULL },
    { T("n,"), NULL, 0, NULL },
    { T("n,,"), NULL, 0, NULL },
};

static void test_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(firsts); i++) {
        struct scram_first first;
        bool good = scram_read_first(firsts[i].message, &first);

        if (good != (firsts[i].user != NULL))
            fail_msg("row %zu: %.*s", i, SLICE_ARGS(firsts[i].message));
        if (!good)
            continue;
        assert_string_equal(first.user.text, firsts[i].user);
        assert_int_equal(first.binding, firsts[i].binding);
        assert_int_equal(first.has_authzid, firsts[i].authzid != NULL);
        if (firsts[i].authzid)
            assert_string_equal(first.authzid.text, firsts[i].authzid);
    }
}

/* The longest name and nonce, and one octet more. */
static void test_bounds(void **state)
{
    char text[2048];
    struct scram_first first;

    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        snprintf(text, sizeof text, "n,,n=%0*d,r=x", SCRAM_NAME_MAX + extra, 0);
        assert_int_equal(scram_read_first(slice_text(text), &first), !extra);
        snprintf(text, sizeof text, "n,,n=u,r=%0*d", SCRAM_NONCE_MAX + extra, 0);
        assert_int_equal(scram_read_first(slice_text(text), &first), !extra);
    }
}

static const struct {
    struct slice message;
    bool valid;
} finals[] = {
    { T("c=biws,r=ab,p=AAAA"), true },
    { T("c=biws,r=ab,e=1,p=AAAA"), true },
    { T("c=biws,r=ab,m=1,p=AAAA"), false },
    { T("c=biws,r=ab,p=AAA"), false },
    { T("c=biws,r=ab,p=AA=A"), false },
    { T("c=biws,r=ab,p=AAAA,e=1"), false },
    { T("c=biws,r=ab,p=AAAA,"), false },
    { T("c=biw,r=ab,p=AAAA"), false },
    { T("c=,r=ab,p=AAAA"), false },
    { T("c=biws,p=AAAA"), false },
    { T("r=ab,c=biws,p=AAAA"), false },
    { T("c=biws,r=ab"), false },
    { T("c=biws,r=,p=AAAA"), false },
    { T("c=biws,r=ab,p="), false },
    { T("c=biws,r=ab,1=2,p=AAAA"), false },
    { T("c=biws,r=a\0b,p=AAAA"), false },
    { T(""), false },
};

static void test_final(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(finals); i++)
        if (scram_final_is_valid(finals[i].message) != finals[i].valid)
            fail_msg("row %zu: %.*s", i, SLICE_ARGS(finals[i].message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_final),
    };

    return cmocka_run_group_tests_name("vault/scram", tests, NULL, NULL);
}
