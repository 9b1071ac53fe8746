/* tests/unit/queue/test_release.c: mail that its sender had held: not before its time, whatever
 * restarts and clocks do, and no more of it than is allowed (EXT-FUTURE-3, EXT-FUTURE-6,
 * EXT-FUTURE-7). */
#include "rig.h"

#include "base/clock.h"
#include "queue/release.h"
#include "story.h"

static struct rig *rig = &story.rig;

static const int64_t second_us = 1000000, hour_us = INT64_C(3600) * 1000000;

static void hold(unsigned number, const char *user, enum envelope_hold how, int64_t value)
{
    rig_submit(rig,
        &(struct rig_mail){ .number = number, .user = user, .hold = how, .hold_value = value });
    rig_until(rig, rig_message(rig, number));
}

static const struct recipient *only(unsigned number)
{
    return &rig_message(rig, number)->recipients[0];
}

/* Asks as a gate does. */
static bool has_room(const char *user, uint64_t size)
{
    struct msg_held_ask ask = {
        .request = ++rig->gate.held_asked, .user = slice_text(user), .size = size
    };

    assert_int_equal(channel_send(rig->gate.channel, MSG_HELD_ASK, &ask, -1), ERR_OK);
    rig_until(rig, rig->gate.held_answered == ask.request);
    return rig->gate.has_room;
}

/* As if the clock on the wall had been set by so much since it was last looked at. */
static void jump(int64_t by_us)
{
    rig_queue(rig)->clock_offset_us -= by_us;
}

static void test_for_a_while(void **state)
{
    int64_t began = clock_mono_ms();

    (void)state;
    rig_relay_connect(rig, &rig->relays[0], NULL, 0);
    hold(1, "alice", ENVELOPE_HOLD_FOR, 2);
    assert_true(rig_message(rig, 1)->is_timed);
    assert_int_equal(only(1)->state, RECIPIENT_WAITING);
    rig_until(rig, rig->relays[0].job_count == 1);
    assert_true(clock_mono_ms() - began >= 1990);
    assert_false(rig_message(rig, 1)->is_timed);
}

static void test_until(void **state)
{
    int64_t date = clock_wall() + 2;

    (void)state;
    rig_relay_connect(rig, &rig->relays[0], NULL, 0);
    hold(1, "alice", ENVELOPE_HOLD_UNTIL, date);
    hold(2, "alice", ENVELOPE_HOLD_UNTIL, clock_wall() - 5); /* past: at once */
    rig_until(rig, rig->relays[0].job_count == 1);
    assert_true(clock_wall() < date && rig_message(rig, 1)->is_timed);
    rig_until(rig, rig->relays[0].job_count == 2);
    assert_true(clock_wall() >= date);
}

/* A while counts as it passes; a date is the wall clock's, and further away when that goes back.
 * What was released waits no more, whatever the clock says. */
static void test_jumps(void **state)
{
    struct queue *queue = rig_queue(rig);

    (void)state;
    hold(1, "alice", ENVELOPE_HOLD_FOR, 7200);
    hold(2, "alice", ENVELOPE_HOLD_UNTIL, clock_wall() + 7200);
    hold(3, "alice", ENVELOPE_HOLD_UNTIL, clock_wall() + 1);
    rig_until(rig, !rig_message(rig, 3)->is_timed);
    assert_int_equal(queue->dated, 1);
    jump(-hour_us);
    rig_run(rig, 1200);
    assert_true(queue->jumped_us < -3590 * second_us && queue->jumped_us > -3610 * second_us);
    assert_true(only(2)->due.key - only(1)->due.key > hour_us - 10 * second_us);
    assert_int_equal(only(3)->state, RECIPIENT_READY);
    jump(2 * hour_us);
    rig_run(rig, 1200);
    assert_true(only(1)->due.key - only(2)->due.key > hour_us - 10 * second_us);
    assert_int_equal(only(3)->state, RECIPIENT_READY);
}

/* Restarts, from the record and from a checkpoint. */
static void test_restarts(void **state)
{
    int64_t date = clock_wall() + 7200;

    (void)state;
    hold(1, "alice", ENVELOPE_HOLD_FOR, 3600);
    hold(2, "alice", ENVELOPE_HOLD_UNTIL, date);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            story_checkpoint_and_trim();
        story_restart();
        assert_true(rig_message(rig, 1)->is_timed && rig_message(rig, 2)->is_timed);
        assert_int_equal(rig_message(rig, 2)->hold_date, date);
        assert_in_range(only(1)->due.key / second_us, date - 3610, date - 3590);
        assert_in_range(only(2)->due.key / second_us, date - 10, date + 10);
        assert_int_equal(rig_queue(rig)->dated, 1);
        assert_int_equal(rig_message(rig, 1)->user->timed, 2);
        /* EXT-FUTURE-7: five days of trying, from the release on */
        assert_in_range(message_expiry_us(rig_queue(rig), rig_message(rig, 1)) / second_us,
            date - 3610 + 432000, date - 3590 + 432000);
    }
}

static void test_quota(void **state)
{
    (void)state;
    rig->conf->extensions.futurerelease_messages = 2;
    rig_reload(rig);
    assert_true(has_room("alice", 0));
    hold(1, "alice", ENVELOPE_HOLD_FOR, 3600);
    hold(2, "bob", ENVELOPE_HOLD_FOR, 3600);
    hold(3, "alice", ENVELOPE_HOLD_NONE, 0); /* counts for nothing */
    assert_true(has_room("alice", 0));
    hold(4, "alice", ENVELOPE_HOLD_UNTIL, clock_wall() + 1);
    assert_false(has_room("alice", 0));
    assert_true(has_room("bob", 0));
    assert_true(has_room("", 0));                   /* who has not logged in */
    rig_until(rig, !rig_message(rig, 4)->is_timed); /* released */
    assert_true(has_room("alice", 0));
    hold(5, "alice", ENVELOPE_HOLD_FOR, 3600);
    assert_false(has_room("alice", 0));
    story_restart();
    rig_gate_connect(rig, 2, 0);
    assert_false(has_room("alice", 0));
    release_end(rig_queue(rig), rig_message(rig, 5)); /* as when it is deleted */
    assert_true(has_room("alice", 0));
}

static void test_octets(void **state)
{
    uint64_t size;

    (void)state;
    hold(1, "alice", ENVELOPE_HOLD_FOR, 3600);
    size = rig_message(rig, 1)->size;
    rig->conf->extensions.futurerelease_octets = size + 100;
    rig_reload(rig);
    assert_true(has_room("alice", 0));
    assert_true(has_room("alice", 100));
    assert_false(has_room("alice", 101));
    assert_false(has_room("alice", UINT64_MAX));
    rig->conf->extensions.futurerelease_octets = size;
    rig_reload(rig);
    assert_false(has_room("alice", 0));
    rig->conf->extensions.futurerelease_octets = 0;
    rig->conf->extensions.futurerelease_messages = 0;
    rig_reload(rig);
    assert_true(has_room("alice", UINT64_MAX));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, story_make, story_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_for_a_while),
        CASE(test_until),
        CASE(test_jumps),
        CASE(test_restarts),
        CASE(test_quota),
        CASE(test_octets),
    };

    return cmocka_run_group_tests_name("queue/release", tests, NULL, NULL);
}
