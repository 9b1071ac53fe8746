/* tests/unit/vault/test_known_tokens.c: tokens that were good a moment ago, and not for longer. */
#include "../check.h"

#include "vault/known_tokens.h"

static const struct login alice = { "alice@example.org", 17 };
static const struct login bob = { "bob@example.org", 15 };

static bool has(struct known_tokens *known, const char *token, int64_t ms, int64_t now)
{
    struct login login = { "nobody", 6 };
    bool is_there = known_tokens_find(known, slice_text(token), ms, now, &login);

    assert_true(slice_is(login_slice(&login), "nobody") == !is_there);
    return is_there;
}

static void test_find(void **state)
{
    struct known_tokens *known = known_tokens_new(10);
    struct login login;

    (void)state;
    assert_non_null(known);
    assert_false(has(known, "t", 0, 0));
    known_tokens_add(known, slice_text("t"), &alice, 100, 0);
    assert_true(known_tokens_find(known, slice_text("t"), 0, 0, &login));
    assert_true(slice_equals(login_slice(&login), login_slice(&alice)));
    assert_false(has(known, "T", 0, 0));
    assert_false(has(known, "", 0, 0));
    known_tokens_add(known, slice_text("t"), &bob, 100, 0);
    assert_true(known_tokens_find(known, slice_text("t"), 0, 0, &login));
    assert_true(slice_equals(login_slice(&login), login_slice(&bob)));
    known_tokens_forget(known);
    assert_false(has(known, "t", 0, 0));
    known_tokens_free(&known);
    assert_null(known);
    known_tokens_free(&known);
}

/* SASL-11: not longer than it is good, and not longer than a minute, however often it is used. */
static void test_life(void **state)
{
    struct known_tokens *known = known_tokens_new(10);

    (void)state;
    known_tokens_add(known, slice_text("short"), &alice, 100, 0);
    known_tokens_add(known, slice_text("long"), &alice, INT64_MAX, 0);
    assert_true(has(known, "short", 1, 99));
    assert_false(has(known, "short", 1, 100));
    for (int64_t ms = 0; ms < KNOWN_TOKENS_LIFE_MS; ms += 1000)
        assert_true(has(known, "long", ms, 0));
    assert_true(has(known, "long", KNOWN_TOKENS_LIFE_MS - 1, 0));
    assert_false(has(known, "long", KNOWN_TOKENS_LIFE_MS, 0));
    known_tokens_free(&known);
}

static void test_bound(void **state)
{
    struct known_tokens *known = known_tokens_new(3);

    (void)state;
    known_tokens_add(known, slice_text("a"), &alice, 100, 0);
    known_tokens_add(known, slice_text("b"), &alice, 100, 1);
    known_tokens_add(known, slice_text("c"), &alice, 100, 2);
    known_tokens_add(known, slice_text("d"), &alice, 100, 3);
    assert_false(has(known, "a", 3, 0));
    assert_true(has(known, "b", 3, 0) && has(known, "c", 3, 0) && has(known, "d", 3, 0));
    known_tokens_add(known, slice_text("b"), &alice, 100, 4); /* the youngest now */
    known_tokens_add(known, slice_text("e"), &alice, 100, 5);
    assert_false(has(known, "c", 5, 0));
    assert_true(has(known, "b", 5, 0));
    known_tokens_free(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests_name("vault/known_tokens", tests, NULL, NULL);
}
