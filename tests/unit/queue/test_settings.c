/* tests/unit/queue/test_settings.c: new settings, a clock that jumps and an operator who asks,
 * while much mail waits: nothing is visited message by message at once, and what happens meanwhile
 * is right. */
#include "story.h"

#include "base/clock.h"
#include "base/log.h"

enum { MAIL = 300, SECOND = 1000000 };

static struct queue *queue_of(void)
{
    return rig_queue(&story.rig);
}

static void submit_many(void)
{
    rig_until(&story.rig, story.rig.gate.writer_count > 0);
    for (unsigned number = 1; number <= MAIL; number++)
        rig_write(&story.rig, &(struct rig_mail){ .number = number });
    rig_ring(&story.rig, false);
    rig_until(&story.rig, queue_of()->messages.count == MAIL);
}

static size_t count_bound_for(const char *host)
{
    const struct message *message;
    size_t count = 0;

    DL_FOREACH (queue_of()->messages.order, message) {
        const struct recipient *r = &message->recipients[0];
        count += r->state == RECIPIENT_READY && strstr(r->lane->key.destination->key, host) != NULL;
    }
    return count;
}

static void route_all_to_hub(void)
{
    for (size_t i = 0; i < story.rig.conf->route_count; i++) {
        struct conf_route *route = &story.rig.conf->routes[i];
        if (!slice_is(route->pattern, "*"))
            continue;
        route->via = CONF_VIA_SMTP;
        route->to = route->host = slice_text("hub.example");
        route->port = 25;
    }
    rig_reload(&story.rig);
}

/* The new route counts from the first job on, though most of the mail still stands where the old
 * one put it; in the end all of it stands in the new place. */
static void test_reload(void **state)
{
    size_t answered = 0;

    (void)state;
    submit_many();
    route_all_to_hub();
    assert_int_equal(count_bound_for("hub.example"), 0);
    queue_of()->messages.placing =
        NULL; /* as if there were so much that none of these has its turn */
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    while (answered < MAIL / 2) {
        rig_until(&story.rig, story.relay->job_count > answered);
        for (; answered < story.relay->job_count; answered++) {
            struct rig_job *job = &story.relay->jobs[answered];
            assert_string_equal(job->destination, "hub.example");
            assert_int_equal(job->job.snapshot, story.rig.conf->number);
            rig_answer(story.relay, job, &rig_done);
        }
    }
    queue_of()->messages.placing = queue_of()->messages.order;
    schedule_kick(queue_of());
    rig_until(&story.rig, !queue_of()->messages.placing);
    assert_int_equal(count_bound_for("hub.example"), rig_count(&story.rig, RECIPIENT_READY));
}

/* The folder writer goes for good with its last route, and what it had in hand comes to nobody's:
 * that goes the new way. */
static void test_room_goes(void **state)
{
    static const char *const places[] = { "bob@box.example" };
    struct rig *rig = &story.rig;

    (void)state;
    queue_of()->upkeep.gone_ms = 100;
    rig_relay_connect(rig, story.relay, NULL, 0);
    rig_relay_connect(rig, &rig->maildrop, NULL, 0);
    rig_submit(rig, &(struct rig_mail){ .number = 1, .recipients = places, .count = 1 });
    rig_until(rig, rig->maildrop.job_count == 1);
    for (size_t i = 0; i < rig->conf->route_count; i++)
        if (slice_is(rig->conf->routes[i].pattern, "box.example"))
            rig->conf->routes[i].via = CONF_VIA_MX;
    rig_reload(rig);
    rig_relay_unplug(&rig->maildrop);
    rig_until(rig, story.relay->job_count == 1);
    assert_string_equal(story.relay->jobs[0].address[0], "bob@box.example");
}

/* A shorter lifetime ends what waits, also behind the portion that is placed at once. */
static void test_lifetime(void **state)
{
    int64_t began = clock_mono_ms();

    (void)state;
    rig_until(&story.rig, story.rig.gate.writer_count > 0);
    for (unsigned number = 1; number <= MAIL; number++)
        rig_write(&story.rig, &(struct rig_mail){ .number = number,
                                  .sender = "",
                                  .arrival_us = clock_wall_us() - 60 * INT64_C(1000000) });
    rig_ring(&story.rig, false);
    rig_until(&story.rig, queue_of()->messages.count == MAIL);
    story.rig.conf->queue.lifetime = 62 + (uint64_t)(clock_mono_ms() - began) / 1000;
    log_open("queue", LOG_ERROR); /* each is told to nobody, which is a line */
    rig_reload(&story.rig);
    rig_until(&story.rig, queue_of()->messages.count == 0);
    log_open("submitd", LOG_INFO);
}

/* The two clocks are not read at the same moment. */
static void assert_near(int64_t a_us, int64_t b_us)
{
    assert_true(a_us > b_us - 100000 && a_us < b_us + 100000);
}

/* QUE-4: a jump moves nothing in memory; the wall clock's times are where they are shown or kept,
 * also in a checkpoint. */
static void test_jump(void **state)
{
    int64_t next, key, arrival;
    struct message *message;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(1);
    rig_until(&story.rig, story.relay->job_count == 1);
    rig_answer(story.relay, &story.relay->jobs[0], &rig_greylisted);
    rig_until(&story.rig, rig_is_acked(story.relay, story.relay->jobs[0].job.job));
    message = rig_message(&story.rig, 1);
    next = message->recipients[0].next_s;
    key = message->recipients[0].due.key;
    arrival = message->arrival_us;
    for (int i = 0; i < 2; i++) { /* there and further */
        queue_of()->clock_offset_us -= 3600 * INT64_C(1000000);
        rig_run(&story.rig, 20);
    }
    schedule_message(queue_of(), message);
    assert_int_equal(message->recipients[0].due.key, key);
    assert_near(time_to_wall(queue_of(), next * SECOND), (next + 7200) * SECOND);
    assert_near(time_to_wall(queue_of(), arrival), arrival + 7200 * INT64_C(1000000));
    story_checkpoint();
    story_restart();
    message = rig_message(&story.rig, 1);
    assert_int_equal(message->recipients[0].next_s, next + 7200);
    /* Which is later than now: nothing is older than that. */
    assert_true(message->arrival_us <= clock_wall_us());
    assert_true(message->arrival_us > arrival);
}

/* QUE-4: while a long spool is read, mail that the journal knows is neither older nor younger for a
 * jump, and what waits still waits as long. */
static void test_jump_while_read(void **state)
{
    const int64_t jumps[] = { -3600 * INT64_C(1000000), 3600 * INT64_C(1000000) };
    struct message *message;
    int64_t next, arrival;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_submit(&story.rig,
        &(struct rig_mail){ .number = 1, .arrival_us = clock_wall_us() - 7200 * INT64_C(1000000) });
    rig_until(&story.rig, story.relay->job_count == 1);
    rig_answer(story.relay, &story.relay->jobs[0], &rig_greylisted);
    rig_until(&story.rig, rig_is_acked(story.relay, story.relay->jobs[0].job.job));
    next = rig_message(&story.rig, 1)->recipients[0].next_s;
    arrival = rig_message(&story.rig, 1)->arrival_us;
    story_checkpoint();
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        rig_crash(&story.rig);
        rig_gate_die(&story.rig);
        rig_relay_forget(story.relay);
        rig_start(&story.rig);
        rig_until(&story.rig, queue_of()->phase >= QUEUE_OPENING);
        assert_null(rig_message(&story.rig, 1));
        queue_of()->clock_offset_us -= jumps[i];
        rig_until(&story.rig, queue_of()->is_recovered);
        assert_near(queue_of()->jumped_us, jumps[i]);
        message = rig_message(&story.rig, 1);
        assert_near(message->arrival_us, arrival);
        assert_int_equal(message->recipients[0].next_s, next);
    }
}

/* EXT-FUTURE-3: what is held until an hour does not go before it, though the clock was set back
 * since: that it has waited so long is not enough. */
static void test_held_until(void **state)
{
    int64_t until = clock_wall() + 4;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_submit(&story.rig,
        &(struct rig_mail){ .number = 1, .hold = ENVELOPE_HOLD_UNTIL, .hold_value = until });
    rig_until(&story.rig, queue_of()->messages.count == 1);
    queue_of()->clock_offset_us += 3600 * INT64_C(1000000);
    rig_run(&story.rig, 1500);
    assert_true(story.relay->job_count == 0 || clock_wall() >= until);
    rig_until(&story.rig, story.relay->job_count == 1);
    assert_true(clock_wall() >= until);
}

/* QUE-4, EXT-FUTURE-3: while mail waits the journal is told the time now and then: of a life that
 * says nothing for more than a day, only a day would count at the next start. */
static void test_time_is_noted(void **state)
{
    uint64_t before;

    (void)state;
    assert_true(queue_of()->upkeep.clock_each * queue_of()->upkeep.tick_ms <= 86400 * 1000 / 4);
    queue_of()->upkeep.clock_each = 1;
    queue_of()->upkeep.tick_ms = 20;
    rig_run(&story.rig, 1200);
    before = queue_of()->commit.tally.begun_size;
    rig_run(&story.rig, 300);
    assert_int_equal(queue_of()->commit.tally.begun_size, before); /* nothing waits */
    rig_submit(&story.rig,
        &(struct rig_mail){ .number = 1, .hold = ENVELOPE_HOLD_FOR, .hold_value = 86400 });
    rig_until(&story.rig, queue_of()->messages.count == 1);
    rig_run(&story.rig, 300);
    before = queue_of()->commit.tally.begun_size;
    rig_until(&story.rig, queue_of()->commit.tally.begun_size > before + 300);
}

/* The count of deferred recipients follows every change of state. */
static void test_deferred_count(void **state)
{
    static const char *const two[] = { "bob@example.net", "carol@example.net" };
    const struct rig_answer answers[] = { rig_greylisted, rig_done };
    struct messages *ms = &queue_of()->messages;
    struct message *message;

    (void)state;
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_submit(&story.rig, &(struct rig_mail){ .number = 1, .recipients = two, .count = 2 });
    rig_until(&story.rig, story.relay->job_count == 1);
    assert_int_equal(ms->deferred, 0);
    rig_answer_each(story.relay, &story.relay->jobs[0], answers);
    rig_until(&story.rig, rig_is_acked(story.relay, story.relay->jobs[0].job.job));
    assert_int_equal(ms->deferred, 1);
    message = rig_message(&story.rig, 1);
    message_hold(ms, message, true);
    schedule_message(queue_of(), message);
    assert_int_equal(ms->deferred, 1);
    rig_until(&story.rig, commit_is_idle(&queue_of()->commit));
    story_restart();
    ms = &queue_of()->messages;
    assert_int_equal(ms->deferred, 1);
    message = rig_message(&story.rig, 1);
    message->recipients[0].next_s = 0;
    schedule_message(queue_of(), message);
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_until(&story.rig, story.relay->job_count == 1);
    assert_int_equal(ms->deferred, 0);
    rig_answer(story.relay, &story.relay->jobs[0], &rig_greylisted);
    rig_until(&story.rig, ms->deferred == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reload, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_room_goes, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_lifetime, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_jump, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_jump_while_read, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_held_until, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_time_is_noted, story_make, story_end),
        cmocka_unit_test_setup_teardown(test_deferred_count, story_make, story_end),
    };

    return cmocka_run_group_tests_name("queue/settings", tests, NULL, NULL);
}
