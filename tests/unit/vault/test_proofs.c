/* tests/unit/vault/test_proofs.c: what was right a moment ago, for exactly that record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "vault/proofs.h"

static const struct user alice = { .login = SLICE_LITERAL("alice@example.org"),
    .hash = SLICE_LITERAL("$y$one") };

static void test_hit(void **state)
{
    struct proofs *proofs = proofs_new(10);
    struct slice password = slice_text("secret");

    (void)state;
    assert_non_null(proofs);
    assert_false(proofs_hit(proofs, &alice, password, 0));
    proofs_add(proofs, &alice, password, 0);
    assert_true(proofs_hit(proofs, &alice, password, 0));
    assert_false(proofs_hit(proofs, &alice, slice_text("secres"), 0));
    assert_false(proofs_hit(proofs, &alice, slice_text(""), 0));
    proofs_free(&proofs);
}

/* A changed record is another record: login, hash and verifier all count, and no two splits of them
 * mean the same. */
static void test_other_record(void **state)
{
    struct proofs *proofs = proofs_new(10);
    struct slice password = slice_text("secret");
    struct user other;

    (void)state;
    proofs_add(proofs, &alice, password, 0);
    other = alice;
    other.hash = slice_text("$y$two");
    assert_false(proofs_hit(proofs, &other, password, 0));
    other = alice;
    other.login = slice_text("bob@example.org");
    assert_false(proofs_hit(proofs, &other, password, 0));
    other = alice;
    other.scram.iterations = 4096;
    assert_false(proofs_hit(proofs, &other, password, 0));
    other = alice;
    other.login = slice_text("alice@example.org$");
    other.hash = slice_text("y$one");
    assert_false(proofs_hit(proofs, &other, password, 0));
    other = alice;
    other.state = USER_DISABLED; /* is judged anew each time, so it need not forget */
    assert_true(proofs_hit(proofs, &other, password, 0));
    proofs_free(&proofs);
}

static void test_life(void **state)
{
    struct proofs *proofs = proofs_new(10);
    struct slice password = slice_text("secret");

    (void)state;
    proofs_add(proofs, &alice, password, 0);
    assert_true(proofs_hit(proofs, &alice, password, PROOFS_LIFE_MS - 1));
    assert_true(
        proofs_hit(proofs, &alice, password, 2 * PROOFS_LIFE_MS - 2)); /* since its last use */
    assert_false(proofs_hit(proofs, &alice, password, 3 * PROOFS_LIFE_MS - 2));
    proofs_free(&proofs);
}

static void test_bounded(void **state)
{
    struct proofs *proofs = proofs_new(2);

    (void)state;
    proofs_add(proofs, &alice, slice_text("1"), 0);
    proofs_add(proofs, &alice, slice_text("2"), 1);
    proofs_add(proofs, &alice, slice_text("2"), 1);
    assert_true(proofs_hit(proofs, &alice, slice_text("1"), 2));
    proofs_add(proofs, &alice, slice_text("3"), 3);
    assert_true(proofs_hit(proofs, &alice, slice_text("1"), 4));
    assert_false(proofs_hit(proofs, &alice, slice_text("2"), 4)); /* was not used for longest */
    assert_true(proofs_hit(proofs, &alice, slice_text("3"), 4));
    proofs_free(&proofs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hit),
        cmocka_unit_test(test_other_record),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests_name("vault/proofs", tests, NULL, NULL);
}
