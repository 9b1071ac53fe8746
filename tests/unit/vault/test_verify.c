/* tests/unit/vault/test_verify.c: hashes on workers: right answers, turns, a full queue, taking
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/loop.h"
#include "vault/verify.h"

static struct loop *loop;
static struct user alice;
static char hash[PASSWORD_HASH_MAX + 1];

static struct slice order[64];
static size_t finished;

struct probe {
    struct check check;
    char name[8];
};

static void on_done(struct check *check)
{
    struct probe *probe = CONTAINER_OF(check, struct probe, check);

    order[finished++] = slice_text(probe->name);
}

static void fill(struct probe *probe, const struct verifier *verifier, const char *name,
    const char *client, const char *password, const struct user *user)
{
    *probe = (struct probe){ .check.done = on_done };
    snprintf(probe->name, sizeof probe->name, "%s", name);
    probe->check.client = client_key_of(slice_text(client));
    assert_true(secret_set(&probe->check.password, slice_text(password)));
    check_fill(&probe->check, verifier, user, &alice);
}

static void wait_for(size_t count)
{
    int64_t end = clock_mono_ms() + 60000;

    while (finished < count && clock_mono_ms() < end)
        loop_turn(loop, 100);
    assert_int_equal(finished, count);
}

static int set_up(void **state)
{
    (void)state;
    finished = 0;
    loop = loop_new();
    if (!loop || password_hash(slice_text("secret"), hash) != ERR_OK)
        return -1;
    alice = (struct user){ .login = slice_text("alice@example.org"), .hash = slice_text(hash) };
    return scram_derive(SCRAM_SHA_256, slice_text("secret"), slice_text("salt"), 4096,
               &alice.scram) == ERR_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    return 0;
}

static void test_results(void **state)
{
    struct verifier *verifier = verifier_new(loop, 2, 10);
    struct user no_hash = alice, bcrypt = alice;
    struct probe probes[6];

    (void)state;
    no_hash.hash = slice_text("");
    bcrypt.hash = slice_text("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    fill(&probes[0], verifier, "0", "192.0.2.1", "secret", &alice);
    fill(&probes[1], verifier, "1", "192.0.2.1", "Secret", &alice);
    fill(&probes[2], verifier, "2", "192.0.2.1", "secret",
        NULL); /* AUTH-14: a decoy is never right, not even by luck */
    fill(&probes[3], verifier, "3", "192.0.2.1", "secret", &no_hash); /* by the SCRAM verifier */
    fill(&probes[4], verifier, "4", "192.0.2.1", "secres", &no_hash);
    fill(&probes[5], verifier, "5", "192.0.2.1", "U*U", &bcrypt);
    for (size_t i = 0; i < LENGTH_OF(probes); i++)
        assert_true(verifier_give(verifier, &probes[i].check));
    wait_for(LENGTH_OF(probes));
    assert_int_equal(probes[0].check.result, CHECK_RIGHT);
    assert_int_equal(probes[1].check.result, CHECK_WRONG);
    assert_int_equal(probes[2].check.result, CHECK_WRONG);
    assert_int_equal(probes[3].check.result, CHECK_RIGHT);
    assert_int_equal(probes[4].check.result, CHECK_WRONG);
    assert_int_equal(probes[5].check.result, CHECK_RIGHT);
    for (size_t i = 0; i < LENGTH_OF(probes); i++)
        check_clear(&probes[i].check);
    verifier_free(&verifier);
}

/* One client floods, another comes last and is second. */
static void test_turns(void **state)
{
    struct verifier *verifier = verifier_new(loop, 1, 100);
    struct probe flood[8], other[2];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(flood); i++) {
        fill(&flood[i], verifier, "flood", "192.0.2.1", "wrong", &alice);
        assert_true(verifier_give(verifier, &flood[i].check));
    }
    for (size_t i = 0; i < LENGTH_OF(other); i++) {
        fill(&other[i], verifier, "other", "192.0.2.2", "secret", &alice);
        assert_true(verifier_give(verifier, &other[i].check));
    }
    wait_for(10);
    assert_true(slice_is(order[0], "flood")); /* was being worked on when the other came */
    assert_true(slice_is(order[2], "other") || slice_is(order[1], "other"));
    assert_true(slice_is(order[3], "other") || slice_is(order[4], "other"));
    for (size_t i = 0; i < LENGTH_OF(flood); i++)
        check_clear(&flood[i].check);
    check_clear(&other[0].check);
    check_clear(&other[1].check);
    verifier_free(&verifier);
}

/* A full queue makes room for a source that has less in it; the greedy one is turned away. */
static void test_full(void **state)
{
    struct verifier *verifier = verifier_new(loop, 1, 3);
    struct probe flood[5], other;

    (void)state;
    for (size_t i = 0; i < 4; i++) { /* one is worked on, three wait */
        fill(&flood[i], verifier, "flood", "192.0.2.1", "wrong", &alice);
        assert_true(verifier_give(verifier, &flood[i].check));
    }
    fill(&flood[4], verifier, "flood", "192.0.2.1", "wrong", &alice);
    assert_false(verifier_give(verifier, &flood[4].check));
    fill(&other, verifier, "other", "192.0.2.2", "secret", &alice);
    assert_true(verifier_give(verifier, &other.check));
    assert_int_equal(finished, 1); /* the newest of the flood had to go */
    assert_int_equal(flood[3].check.result, CHECK_OVERLOAD);
    wait_for(5);
    assert_int_equal(other.check.result, CHECK_RIGHT);
    for (size_t i = 0; i < LENGTH_OF(flood); i++)
        check_clear(&flood[i].check);
    check_clear(&other.check);
    verifier_free(&verifier);
}

static enum check_result never(struct check *check)
{
    (void)check;
    return CHECK_REFUSED;
}

static void test_taking_back(void **state)
{
    struct verifier *verifier = verifier_new(loop, 1, 10);
    struct probe probes[4];

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(probes); i++) {
        fill(&probes[i], verifier, "x", "192.0.2.1", "secret", &alice);
        probes[i].check.foresee = i == 2 ? never : NULL;
        assert_true(verifier_give(verifier, &probes[i].check));
    }
    assert_false(verifier_take_back(verifier, &probes[0].check)); /* is being worked on */
    assert_true(verifier_take_back(verifier, &probes[1].check));
    wait_for(2);
    assert_int_equal(probes[2].check.result, CHECK_REFUSED);
    verifier_free(&verifier); /* the last one is worked to its end, or comes back */
    assert_int_equal(finished, 3);
    for (size_t i = 0; i < LENGTH_OF(probes); i++)
        check_clear(&probes[i].check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taking_back, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("vault/verify", tests, NULL, NULL);
}
