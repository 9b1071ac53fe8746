/* tests/unit/queue/test_tally.c: how many notices a sender is sent in an hour (DSN-17), and which
 * are remembered. */
#include "../check.h"

#include "base/macros.h"
#include "queue/tally.h"

static const struct slice alice = SLICE_LITERAL("alice@example.net");
static const struct slice carol = SLICE_LITERAL("carol@example.net");

static unsigned allowed(struct tallies *tallies, struct slice sender, enum envelope_notice kind)
{
    unsigned count = 0;

    for (int i = 0; i < 2000; i++)
        count += tally_allows(tallies, sender, kind);
    return count;
}

/* Success is bounded apart, so that it keeps no notice of failure away, nor the other way round. */
static void test_limits(void **state)
{
    struct tallies tallies = { 0 };

    (void)state;
    assert_int_equal(allowed(&tallies, alice, NOTICE_SUCCESS), 1000);
    assert_int_equal(allowed(&tallies, alice, NOTICE_FAILURE), 100);
    assert_int_equal(allowed(&tallies, alice, NOTICE_DELAY), 0);
    assert_int_equal(allowed(&tallies, carol, NOTICE_DELAY), 100);
    tallies_expire(&tallies); /* their hour is not over */
    assert_int_equal(allowed(&tallies, alice, NOTICE_SUCCESS), 0);
    tallies_clear(&tallies);
}

static void test_noticed(void **state)
{
    struct noticed_ids ids = { 0 };

    (void)state;
    assert_false(noticed_has(&ids, (struct queue_id){ 1, 2 }));
    noticed_add(&ids, (struct queue_id){ 1, 2 });
    noticed_add(&ids, (struct queue_id){ 1, 2 });
    assert_true(noticed_has(&ids, (struct queue_id){ 1, 2 }));
    assert_false(noticed_has(&ids, (struct queue_id){ 2, 1 }));
    for (uint64_t i = 0; i < 65536; i++)
        noticed_add(&ids, (struct queue_id){ 7, i });
    assert_false(noticed_has(&ids, (struct queue_id){ 1, 2 })); /* the oldest goes */
    assert_true(noticed_has(&ids, (struct queue_id){ 7, 0 }));
    noticed_clear(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_noticed),
    };

    return cmocka_run_group_tests_name("queue/tally", tests, NULL, NULL);
}
