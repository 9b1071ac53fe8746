/* tests/unit/vault/test_scram.c: the form of a SCRAM client's messages (SASL-4), stricter than the
 * library's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "vault/bearer.h"
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

/* SASL-10, SASL-12: who says he is somebody says it without NUL. */
static const struct {
    struct slice message;
    bool is_x;
    const char *user; /* "": none given; NULL: refused */
} bearers[] = {
    { T("n,,\1auth=Bearer t\1\1"), false, "" },
    { T("n,a=a=2Cb,\1auth=Bearer t\1\1"), false, "a,b" },
    { T("n,a=a\0b,\1auth=Bearer t\1\1"), false, NULL },
    { T("n,a=a\0,\1auth=Bearer t\1\1"), false, NULL },
    { T("n,a=,\1auth=Bearer t\1\1"), false, NULL },
    { T("user=a=b,c\1auth=Bearer t\1\1"), true, "a=b,c" },
    { T("user=a\0b\1auth=Bearer t\1\1"), true, NULL },
    { T("user=\1auth=Bearer t\1\1"), true, NULL },
};

static void test_bearers(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(bearers); i++) {
        struct slice message = bearers[i].message;
        struct bearer bearer;
        bool is_good =
            bearers[i].is_x ? bearer_read_x(message, &bearer) : bearer_read(message, &bearer);

        if (is_good != (bearers[i].user != NULL))
            fail_msg("row %zu", i);
        if (!is_good)
            continue;
        assert_int_equal(bearer.has_user, bearers[i].user[0] != '\0');
        assert_true(slice_is(bearer.token, "t"));
        if (bearer.has_user)
            assert_string_equal(bearer.user.text, bearers[i].user);
        for (size_t len = 0; len < message.len; len++) /* every cut is refused */
            assert_false(bearers[i].is_x ? bearer_read_x(slice_first(message, len), &bearer)
                                         : bearer_read(slice_first(message, len), &bearer));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_final),
        cmocka_unit_test(test_bearers),
    };

    return cmocka_run_group_tests_name("vault/scram", tests, NULL, NULL);
}
