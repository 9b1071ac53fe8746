/* tests/unit/queue/story.c: the model. */
#include "story.h"

#include "base/clock.h"

struct story story;

int story_make(void **state)
{
    (void)state;
    rig_make(&story.rig);
    story.relay = &story.rig.relays[0];
    story.rig.conf->spool.checkpoint = UINT64_C(1) << 40;
    rig_start(&story.rig);
    rig_gate_connect(&story.rig, 2, 0);
    memset(story.fates, 0, sizeof story.fates);
    memset(story.told, 0, sizeof story.told);
    story.used = 0;
    story.answered = 0;
    return 0;
}

int story_end(void **state)
{
    (void)state;
    rig_remove(&story.rig);
    return 0;
}

void story_restart(void)
{
    rig_crash(&story.rig);
    rig_gate_die(&story.rig);
    rig_relay_forget(story.relay);
    story.answered = 0;
    rig_start(&story.rig);
    rig_until(&story.rig, rig_queue(&story.rig)->is_recovered);
}

void story_submit(unsigned count)
{
    for (unsigned i = 0; i < count && story.used + 1 < STORY_MOST; i++) {
        rig_submit(&story.rig, &(struct rig_mail){ .number = ++story.used });
        story.fates[story.used] = story.told[story.used] = ACCEPTED;
    }
}

static unsigned number_of(const struct rig_job *job)
{
    return job->id.high & 0xffff;
}

/* Every third is delivered, every third deferred, the rest stays in hand. */
void story_answer_next(void)
{
    struct rig_job *job = &story.relay->jobs[story.answered];
    unsigned number;

    if (story.answered >= story.relay->job_count)
        return;
    story.answered++;
    number = number_of(job);
    assert_true(story.fates[number] != DELIVERED);
    if (number % 3 == 2)
        return;
    story.told[number] = number % 3 == 0 ? DELIVERED : DEFERRED;
    rig_answer(story.relay, job, number % 3 == 0 ? &rig_done : &rig_greylisted);
}

void story_note_acks(void)
{
    for (size_t i = 0; i < story.answered; i++) {
        unsigned number = number_of(&story.relay->jobs[i]);
        if (!rig_is_acked(story.relay, story.relay->jobs[i].job.job))
            continue;
        story.fates[number] = story.told[number];
        if (story.told[number] == DEFERRED && rig_message(&story.rig, number))
            story.next_s[number] = rig_message(&story.rig, number)->recipients[0].next_s;
    }
}

void story_settle(void)
{
    int64_t until = clock_mono_ms() + 20000;

    rig_queue(&story.rig)->destinations.window_limit = 1000;
    for (struct destination *d = rig_queue(&story.rig)->destinations.map; d; d = d->hh.next)
        d->concurrency.window = 1000;
    while (clock_mono_ms() < until) {
        rig_run(&story.rig, 10);
        while (story.answered < story.relay->job_count)
            story_answer_next();
        story_note_acks();
        if (story.answered + story.relay->ack_count > 0 &&
            commit_is_idle(&rig_queue(&story.rig)->commit) &&
            rig_count(&story.rig, RECIPIENT_READY) == 0)
            break;
    }
    story_note_acks();
}

/* After a restart: what was acknowledged is so, and what was accepted is there. */
void story_check(void)
{
    for (unsigned number = 1; number <= story.used; number++) {
        struct message *message = rig_message(&story.rig, number);
        if (story.fates[number] == DELIVERED) {
            rig_until(&story.rig, !rig_message(&story.rig, number));
            continue;
        }
        if (!message && story.told[number] == DELIVERED)
            continue;
        if (!message)
            fail_msg("message %u is lost", number);
        assert_false(message->is_held);
        if (story.fates[number] != DEFERRED)
            continue;
        assert_int_equal(message->recipients[0].attempts, 1);
        assert_int_equal(message->recipients[0].next_s, story.next_s[number]);
        assert_true(
            slice_is(reply_parts_of(message->recipients[0].reply).text, rig_greylisted.text));
        assert_true(slice_is(message_sender(message), "alice@example.org"));
        assert_true(slice_is(user_name(message->user), "alice"));
    }
    assert_int_equal(rig_queue(&story.rig)->counters.damaged, 0);
}

void story_begin_checkpoint(void)
{
    rig_queue(&story.rig)->commit.tally.since = UINT64_C(1) << 50; /* until the next commit */
    checkpoint_tick(rig_queue(&story.rig));
    assert_true(rig_queue(&story.rig)->checkpoint.stage >= CHECKPOINT_STATING);
}

bool story_has_checkpoint(void)
{
    return rig_queue(&story.rig)->checkpoint.ended_us != 0 &&
           rig_queue(&story.rig)->checkpoint.stage == CHECKPOINT_IDLE;
}

void story_checkpoint(void)
{
    rig_queue(&story.rig)->checkpoint.ended_us = 0;
    story_begin_checkpoint();
    rig_until(&story.rig, story_has_checkpoint());
}

void story_checkpoint_and_trim(void)
{
    rig_queue(&story.rig)->upkeep.history = 0;
    story_checkpoint();
    rig_until(&story.rig,
        rig_files(&story.rig, "journal") == 1 || stock_busy(&rig_queue(&story.rig)->stock) == 0);
}
