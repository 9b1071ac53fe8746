/* tests/unit/maildrop/test_room.c: the maildrop between a supervisor and a queue that the test
 * plays. */
#include "../check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "maildrop/drop.h"
#include "maildrop/maildrop.h"

static const char settings[] =
    "hostname = \"mail.example.org\"\nstate = \"/var/lib/submitd\"\n"
    "listener \"submissions\" { address = \"[::]:465\" tls = \"implicit\" }\n"
    "tls { certificate = \"/etc/tls/chain.pem\" key = \"/etc/tls/key.pem\" }\n"
    "users \"file\" { path = \"/etc/submitd/users\" }\n"
    "route \"box.example\" { via = \"maildir\" to = \"/var/mail/box\" }\n"
    "route \"none.example\" { via = \"maildir\" to = \"/var/mail/none\" }\n"
    "route \"*\" { via = \"mx\" }\n";

enum { TOLD_MOST = 64 };

struct told {
    uint64_t job;
    size_t count;
    uint32_t index[8];
    enum delivery_result result[8];
    char status[8][16];
    char text[256];
};

static struct room room;
static struct loop *loop;
static struct channel *queue;
static struct told told[TOLD_MOST];
static size_t told_count;
static uint64_t in_hand[16];
static size_t in_hand_count;
static bool has_in_hand;
static char path[64];
static struct arena arena;
static struct conf *conf;

static void on_outcome(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_outcome *m = message;
    struct told *t = &told[told_count++];

    (void)owner, (void)channel, (void)fd;
    assert_true(told_count < TOLD_MOST);
    *t = (struct told){ .job = m->job, .count = m->result_count };
    for (size_t i = 0; i < m->result_count && i < 8; i++) {
        t->index[i] = m->results[i].index;
        t->result[i] = m->results[i].result;
        snprintf(t->status[i], 16, "%.*s", SLICE_ARGS(m->results[i].status));
        snprintf(t->text, sizeof t->text, "%.*s", SLICE_ARGS(m->results[i].text));
    }
}

static void on_in_hand(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_in_hand *m = message;

    (void)owner, (void)channel, (void)fd;
    assert_int_equal(told_count, 0); /* it comes first */
    has_in_hand = true;
    in_hand_count = m->job_count;
    for (size_t i = 0; i < m->job_count && i < 16; i++)
        in_hand[i] = m->jobs[i].job;
}

static const struct channel_handler handlers[] = { { MSG_OUTCOME, on_outcome },
    { MSG_IN_HAND, on_in_hand } };

static void closed(void *owner, struct channel *channel)
{
    (void)owner, (void)channel;
    channel_free(&queue);
}

static void connect_queue(void)
{
    struct channel_spec spec = { ROLE_QUEUE, ROLE_MAILDROP, 0, handlers, LENGTH_OF(handlers),
        closed, NULL };
    struct msg_peer peer = { ROLE_QUEUE, 0 };
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    told_count = 0;
    has_in_hand = false;
    queue = channel_new(loop, ends[0], &spec);
    assert_non_null(queue);
    maildrop_room.peer(&room, &peer, ends[1]);
}

static void apply(uint64_t number)
{
    struct msg_give box = { GIFT_MAILDIR, 0, SLICE_LITERAL("/var/mail/box") };
    struct buffer packed;

    conf->number = number;
    maildrop_room.give(&room, &box, open(path, O_RDONLY | O_DIRECTORY));
    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    conf_pack(conf, &packed);
    assert_int_equal(maildrop_room.apply(&room, buffer_slice(&packed)), ERR_OK);
    buffer_clear(&packed);
}

static int make(void **state)
{
    struct conf_error error;

    (void)state;
    strcpy(path, "/tmp/maildrop-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    arena_init(&arena, 4 << 20);
    if (conf_parse("submitd.conf", slice_text(settings), &arena, &conf, &error) != ERR_OK)
        fail_msg("%s", error.text);
    loop = loop_new();
    assert_non_null(loop);
    room = (struct room){ .type = &maildrop_room, .loop = loop };
    assert_int_equal(maildrop_room.init(&room), ERR_OK);
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    maildrop_free(&room);
    if (queue)
        channel_free(&queue);
    loop_free(&loop);
    arena_clear(&arena);
    snprintf(command, sizeof command, "rm -r %s", path);
    return system(command);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_end = clock_mono_ms() + 60000;                                               \
        while (!(condition) && clock_mono_ms() < until_end)                                        \
            loop_turn(loop, 5);                                                                    \
        assert_true(condition);                                                                    \
    } while (0)

static void send_job(uint64_t number, uint64_t snapshot, uint32_t route)
{
    struct msg_recipient recipients[] = { { 0, SLICE_LITERAL("bob@box.example") },
        { 4, SLICE_LITERAL("eve@box.example") } };
    struct msg_job job = {
        .job = number,
        .snapshot = snapshot,
        .route = route,
        .id_high = UINT64_C(0x018f000000000000) + number,
        .id_low = 1,
        .arrival_us = INT64_C(1700000000000000),
        .destination = SLICE_LITERAL("/var/mail/box"),
        .sender = SLICE_LITERAL("alice@example.org"),
        .recipients = recipients,
        .recipient_count = 2,
        .header = SLICE_LITERAL("Subject: x\r\n\r\n"),
        .body = SLICE_LITERAL("body\r\n"),
        .body_size = 6,
    };

    assert_int_equal(channel_send(queue, MSG_JOB, &job, -1), ERR_OK);
}

static void acknowledge(uint64_t number)
{
    struct msg_job_ref ref = { .job = number };

    assert_int_equal(channel_send(queue, MSG_OUTCOME_DONE, &ref, -1), ERR_OK);
}

static size_t files(void)
{
    char full[128];
    struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    snprintf(full, sizeof full, "%s/new", path);
    dir = opendir(full);
    while (dir && (entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

/* OUT-20: one copy for each recipient, and a result for each. */
static void test_delivery(void **state)
{
    (void)state;
    apply(1);
    connect_queue();
    UNTIL(has_in_hand);
    assert_int_equal(in_hand_count, 0);
    send_job(7, 1, 0);
    UNTIL(told_count == 1);
    assert_int_equal(told[0].job, 7);
    assert_int_equal(told[0].count, 2);
    assert_int_equal(told[0].index[1], 4);
    assert_int_equal(told[0].result[0], DELIVERY_DONE);
    assert_int_equal(told[0].result[1], DELIVERY_DONE);
    assert_int_equal(files(), 2);
}

/* An outcome is told again over a new channel until it is acknowledged; the same job again writes
 * nothing new. */
static void test_unacknowledged(void **state)
{
    (void)state;
    apply(1);
    connect_queue();
    send_job(7, 1, 0);
    UNTIL(told_count == 1);
    channel_free(&queue);
    connect_queue();
    UNTIL(told_count == 1);
    assert_int_equal(told[0].job, 7);
    assert_int_equal(in_hand_count, 1); /* named, or its outcome would count for nothing */
    assert_int_equal(in_hand[0], 7);
    acknowledge(7);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 5);
    channel_free(&queue);
    connect_queue();
    send_job(8, 1, 0);
    UNTIL(told_count == 1);
    assert_int_equal(told[0].job, 8);
    send_job(8, 1, 0);
    UNTIL(told_count == 2);
    assert_int_equal(files(), 4);
}

/* A route without a folder: put off, with the path in the reason. */
static void test_no_folder(void **state)
{
    (void)state;
    apply(1);
    connect_queue();
    send_job(7, 1, 1);
    UNTIL(told_count == 1);
    assert_int_equal(told[0].result[0], DELIVERY_DEFERRED);
    assert_string_equal(told[0].status[0], "4.3.0");
    assert_non_null(strstr(told[0].text, "/var/mail/none"));
}

/* A job of a snapshot that is still to come waits for it and is in hand; one of an old snapshot
 * goes back. */
static void test_snapshots(void **state)
{
    (void)state;
    apply(1);
    connect_queue();
    send_job(7, 2, 0);
    UNTIL(has_in_hand);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 5);
    assert_int_equal(told_count, 0);
    channel_free(&queue);
    connect_queue();
    UNTIL(has_in_hand);
    assert_int_equal(in_hand_count, 1);
    assert_int_equal(in_hand[0], 7);
    apply(2);
    UNTIL(told_count == 1);
    assert_int_equal(told[0].result[0], DELIVERY_DONE);
    send_job(8, 1, 0);
    UNTIL(told_count == 2);
    assert_int_equal(told[1].result[0], DELIVERY_RETURNED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivery, make, end),
        cmocka_unit_test_setup_teardown(test_unacknowledged, make, end),
        cmocka_unit_test_setup_teardown(test_no_folder, make, end),
        cmocka_unit_test_setup_teardown(test_snapshots, make, end),
    };

    return cmocka_run_group_tests_name("maildrop/room", tests, NULL, NULL);
}
