/* tests/unit/queue/test_flow.c: a message's way through the queue: accepted, given to a relay,
 * delivered, closed, and its segment unlinked. */
#include "rig.h"

#include "base/clock.h"
#include <unistd.h>

#include "spool/body.h"

static struct rig rig;

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 2);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

/* QUE-1, QUE-12: accepted, job, outcome, closed, acknowledged, segment unlinked. */
static void test_delivered(void **state)
{
    struct rig_relay *relay = &rig.relays[0];

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, relay->job_count == 1);
    assert_string_equal(relay->jobs[0].destination, "example.net");
    assert_string_equal(relay->jobs[0].sender, "alice@example.org");
    assert_string_equal(relay->jobs[0].address[0], "bob@example.net");
    assert_non_null(strstr(relay->jobs[0].content, "\r\n\r\nHello.\r\n"));
    assert_int_equal(relay->jobs[0].job.snapshot, 1);
    assert_int_equal(relay->jobs[0].job.route, 1);
    assert_int_equal(rig_count(&rig, RECIPIENT_IN_HAND), 1);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[0].job.job));
    rig_until(&rig, rig_message(&rig, 1) == NULL);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 1);
    uint64_t segment = rig.gate.writers[0].generation;
    assert_true(rig_has(&rig, STORE_SEGMENT, segment));
    rig_ring(&rig, true);
    rig_until(&rig, !rig_has(&rig, STORE_SEGMENT, segment));
}

/* QUE-8: one job for two recipients in one place; a hundred at most. */
static void test_together(void **state)
{
    static char text[250][32];
    static const char *addresses[250];
    struct rig_relay *relay = &rig.relays[0];
    size_t sizes = 0;

    (void)state;
    for (int i = 0; i < 250; i++) {
        snprintf(text[i], sizeof text[i], "u%d@example.net", i);
        addresses[i] = text[i];
    }
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = addresses, .count = 250 });
    rig_until(&rig, rig_message(&rig, 1));
    rig_relay_connect(&rig, relay, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        rig_until(&rig, relay->job_count > i);
        rig_answer(relay, &relay->jobs[i], &rig_done);
        sizes += relay->jobs[i].count;
        assert_true(relay->jobs[i].count <= 100);
    }
    assert_int_equal(sizes, 250);
    rig_until(&rig, rig_message(&rig, 1) == NULL);
    assert_int_equal(relay->job_count, 3);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 250);
}

/* OUT-20: a route to a Maildir goes to the maildrop, others to a relay. */
static void test_maildir_route(void **state)
{
    static const char *const two[] = { "bob@box.example", "eve@example.net" };

    (void)state;
    rig_relay_connect(&rig, &rig.relays[0], NULL, 0);
    rig_relay_connect(&rig, &rig.maildrop, NULL, 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = two, .count = 2 });
    rig_until(&rig, rig.maildrop.job_count == 1 && rig.relays[0].job_count == 1);
    assert_string_equal(rig.maildrop.jobs[0].destination, "/var/mail/box");
    assert_string_equal(rig.maildrop.jobs[0].address[0], "bob@box.example");
    assert_int_equal(rig.maildrop.jobs[0].index[0], 0);
    assert_int_equal(rig.relays[0].jobs[0].index[0], 1);
    rig_answer(&rig.maildrop, &rig.maildrop.jobs[0], &rig_done);
    rig_answer(&rig.relays[0], &rig.relays[0].jobs[0], &rig_done);
    rig_until(&rig, rig_message(&rig, 1) == NULL);
}

/* QUE-14: a large body is kept once and goes out as a descriptor; its file goes with the message.
 */
static void test_large_body(void **state)
{
    struct rig_relay *relay = &rig.relays[0];
    struct slice text = SLICE_LITERAL("A large body.\r\n");
    struct body_writer writer;
    uint64_t sum;
    char read[64] = "";

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, rig.gate.spare_count > 0);
    body_writer_init(&writer, disk_posix(), rig.gate.spares[0].fd, rig.gate.spares[0].number);
    rig.gate.spares[0].fd = -1;
    assert_int_equal(body_writer_append(&writer, &text, 1), ERR_OK);
    assert_int_equal(body_writer_commit(&writer, &sum), ERR_OK);
    rig_submit(&rig,
        &(struct rig_mail){
            .number = 1, .body_file = writer.number, .body_size = text.len, .body_sum = sum });
    body_writer_clear(&writer);
    rig_until(&rig, relay->job_count == 1);
    assert_true(relay->jobs[0].fd >= 0);
    assert_int_equal(relay->jobs[0].job.body_size, text.len);
    assert_int_equal(pread(relay->jobs[0].fd, read, sizeof read, 0), (ssize_t)text.len);
    assert_memory_equal(read, text.data, text.len);
    assert_true(rig_has(&rig, STORE_BODY, writer.number));
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, !rig_has(&rig, STORE_BODY, writer.number));
}

/* A second record that names the same body, or one of another gate, is refused. */
static void test_stolen_body(void **state)
{
    struct rig_relay *relay = &rig.relays[0];

    (void)state;
    rig_until(&rig, rig.gate.spare_count > 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .body_file = rig.gate.spares[0].number });
    rig_submit(&rig, &(struct rig_mail){ .number = 2, .body_file = rig.gate.spares[0].number });
    rig_submit(&rig, &(struct rig_mail){ .number = 3 });
    rig_until(&rig, rig_message(&rig, 3));
    assert_non_null(rig_message(&rig, 1));
    assert_null(rig_message(&rig, 2));
    (void)relay;
}

/* relays = 0: accept only. */
static void test_no_relays(void **state)
{
    (void)state;
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig.conf->relays = 0;
    rig_start(&rig);
    rig_gate_connect(&rig, 1, 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, rig_message(&rig, 1));
    rig_run(&rig, 50);
    assert_int_equal(rig_count(&rig, RECIPIENT_READY), 1);
}

/* Nothing is given to a relay before it has said what it has in hand. */
static void test_in_hand_first(void **state)
{
    struct rig_relay *relay = &rig.relays[0];

    (void)state;
    rig_relay_plug(&rig, relay);
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, rig_message(&rig, 1));
    rig_run(&rig, 50);
    assert_int_equal(relay->job_count, 0);
    rig_relay_say(relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
}

/* A drained room has begun nothing new, waited for what was in hand, and synced. */
static void test_drain(void **state)
{
    struct rig_relay *relay = &rig.relays[0];

    (void)state;
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, relay->job_count == 1);
    rig.room.type->drain(&rig.room);
    rig_submit(&rig, &(struct rig_mail){ .number = 2 });
    rig_until(&rig, rig_message(&rig, 2));
    rig_run(&rig, 50);
    assert_int_equal(relay->job_count, 1);
    assert_false(rig.is_drained);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_until(&rig, rig.is_drained);
    assert_true(rig_is_acked(relay, relay->jobs[0].job.job));
}

/* New routes hold for what is scheduled from then on. */
static void test_reload(void **state)
{
    (void)state;
    rig_submit(&rig, &(struct rig_mail){ .number = 1 });
    rig_until(&rig, rig_message(&rig, 1));
    rig.conf->routes[0].pattern = slice_text("example.net");
    rig_reload(&rig);
    rig_relay_connect(&rig, &rig.relays[0], NULL, 0);
    rig_relay_connect(&rig, &rig.maildrop, NULL, 0);
    rig_until(&rig, rig.maildrop.job_count == 1);
    assert_int_equal(rig.maildrop.jobs[0].job.snapshot, 2);
    assert_int_equal(rig.relays[0].job_count, 0);
}

static uint64_t newest_journal(const struct queue *queue)
{
    const struct journal *journal = &queue->commit.journal;

    return journal->number ? journal->number : journal->previous;
}

/* Old journal files go, but none that is read at a start, nor the newest as history. */
static void test_journal_trim(void **state)
{
    struct queue *queue;
    uint64_t first;

    (void)state;
    for (int life = 0; life < 3; life++) {
        queue = rig_queue(&rig);
        rig_submit(&rig, &(struct rig_mail){ .number = (unsigned)life + 1 });
        rig_until(&rig, rig_message(&rig, (unsigned)life + 1) && commit_is_idle(&queue->commit));
        if (life == 0)
            first = newest_journal(queue);
        rig_crash(&rig);
        rig_start(&rig);
        rig_gate_connect(&rig, 0, 0);
        rig_ring(&rig, false);
        rig_until(&rig, rig_message(&rig, (unsigned)life + 1));
    }
    queue = rig_queue(&rig);
    assert_int_equal(rig_files(&rig, "journal"), 3);
    stock_trim_journal(&queue->stock, first, 0);
    rig_run(&rig, 50);
    assert_int_equal(rig_files(&rig, "journal"), 3);
    stock_trim_journal(&queue->stock, newest_journal(queue), 256 << 20); /* history */
    rig_run(&rig, 50);
    assert_int_equal(rig_files(&rig, "journal"), 3);
    stock_trim_journal(&queue->stock, newest_journal(queue), 0);
    rig_until(&rig, rig_files(&rig, "journal") == 1);
    assert_false(rig_has(&rig, STORE_JOURNAL, first));
}

/* The bound of memory: a message with one recipient. */
static void test_memory(void **state)
{
    (void)state;
    print_message("a message with one recipient: %zu octets\n",
        sizeof(struct message) + sizeof(struct recipient));
    assert_true(sizeof(struct message) + sizeof(struct recipient) <= 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivered, make, end),
        cmocka_unit_test_setup_teardown(test_together, make, end),
        cmocka_unit_test_setup_teardown(test_maildir_route, make, end),
        cmocka_unit_test_setup_teardown(test_large_body, make, end),
        cmocka_unit_test_setup_teardown(test_stolen_body, make, end),
        cmocka_unit_test_setup_teardown(test_no_relays, make, end),
        cmocka_unit_test_setup_teardown(test_in_hand_first, make, end),
        cmocka_unit_test_setup_teardown(test_drain, make, end),
        cmocka_unit_test_setup_teardown(test_reload, make, end),
        cmocka_unit_test_setup_teardown(test_journal_trim, make, end),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests_name("queue/flow", tests, NULL, NULL);
}
