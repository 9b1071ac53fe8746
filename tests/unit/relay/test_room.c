/* The room among the others: a queue that restarts, reload, drain, gates that ask of domains, and
 * its own name. */
#include "../check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/relay.h"
#include "rows.h"

#define SEND MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n"
#define SLOW BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n~300\n> 250 2.0.0 queued\n"
#define BYE  "< QUIT\n> 221 2.0.0 bye\n"

static const char *const records[] = {
    "mx.example MX 10 host.example",
    "null.example MX 0 .",
    "six.example AAAA ::1",
    "four.example A 127.0.0.1",
    "empty.example TXT",
    "bad.example SERVFAIL",
    "silent.example SILENT",
    "host.example A 127.0.0.1",
    NULL,
};

static const struct mail mail;

/* Memory that fails for the next job, and for the next outcome. */
static bool is_job_refused, is_outcome_refused;

struct job *__real_job_new(const struct msg_job *message, int body);
struct job *__wrap_job_new(const struct msg_job *message, int body);
bool __real_job_outcome(
    const struct job *job, struct arena *arena, struct msg_outcome *out_outcome);
bool __wrap_job_outcome(
    const struct job *job, struct arena *arena, struct msg_outcome *out_outcome);

struct job *__wrap_job_new(const struct msg_job *message, int body)
{
    if (!is_job_refused)
        return __real_job_new(message, body);
    is_job_refused = false;
    if (body >= 0)
        close(body);
    return NULL;
}

bool __wrap_job_outcome(const struct job *job, struct arena *arena, struct msg_outcome *out_outcome)
{
    bool is_refused = is_outcome_refused;

    is_outcome_refused = false;
    return !is_refused && __real_job_outcome(job, arena, out_outcome);
}

static void begin(struct scene *s, struct play *play, const char *name, const char *script)
{
    scene_forget(s);
    scene_conf(s)->timeouts.idle = 0;
    play_open(play, s, name, script, &mail, PLAY_WHOLE, SIZE_MAX);
}

static void end(struct play *play)
{
    play_require_over(play);
    play_close(play);
}

/* QUE-12: outcomes are kept and told again until they are acknowledged; what is under way is named
 * first. */
static void test_queue_restarts(void **state)
{
    struct scene *s = *state;
    struct carrier *carrier = scene_carrier(s);
    struct play play;
    uint64_t done, busy;

    begin(s, &play, "a queue that restarts", BARE SEND BYE "--\n" SLOW BYE);
    s->holds_acks = true;
    done = scene_send(s, &mail);
    assert_non_null(scene_outcome(s, done, 5000));
    busy = scene_send(s, &mail);
    scene_turn(s, 100);
    assert_int_equal(HASH_COUNT(carrier->jobs), 2);

    scene_detach_queue(s);
    assert_null(carrier->queue);
    scene_forget(s);
    s->holds_acks = false;
    scene_attach_queue(s);
    scene_turn(s, 50);
    assert_int_equal(s->in_hands, 1);
    assert_int_equal(s->in_hand_count, 2);
    assert_int_equal(s->in_hand[0].job, done);
    assert_int_equal(s->in_hand[0].id_high, done);
    assert_int_equal(s->in_hand[1].job, busy);
    assert_int_equal(s->told_count, 1);
    assert_int_equal(s->told[0].job, done);
    assert_string_equal(s->told[0].summary, "done 250 2.0.0");

    assert_non_null(scene_outcome(s, busy, 5000));
    scene_turn(s, 20);
    assert_int_equal(HASH_COUNT(carrier->jobs), 0);
    end(&play);
}

/* What ends while there is no queue is told to the next one. */
static void test_queue_is_away(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t job;

    begin(s, &play, "a queue that is away", SLOW BYE);
    job = scene_send(s, &mail);
    scene_turn(s, 100);
    scene_detach_queue(s);
    scene_turn(s, 500);
    scene_attach_queue(s);
    assert_non_null(scene_outcome(s, job, 1000));
    assert_int_equal(s->in_hand_count, 1);
    end(&play);
}

static void send_raw(struct scene *s, struct msg_job *job, int fd)
{
    static struct msg_recipient row = { 0, SLICE_LITERAL("bob@example.org") };

    job->recipients = &row;
    job->recipient_count = 1;
    job->destination = slice_text("127.0.0.1");
    assert_int_equal(channel_send(s->queue, MSG_JOB, job, fd), ERR_OK);
    scene_turn(s, 30);
}

/* A queue that breaks the rules loses its channel and nothing else. */
static void test_queue_breaks_rules(void **state)
{
    struct scene *s = *state;
    struct play play;
    struct msg_job job = { .job = 700, .snapshot = s->room.snapshot, .body_size = 12 };

    begin(s, &play, "a body that is not there", BARE SEND BYE);
    send_raw(s, &job, -1);
    assert_null(s->queue);
    assert_null(scene_carrier(s)->queue);
    scene_attach_queue(s);

    s->holds_acks = true;
    job.job = scene_send(s, &mail);
    assert_non_null(scene_outcome(s, job.job, 5000));
    job.body_size = 0;
    send_raw(s, &job, open("/dev/null", O_RDONLY));
    assert_null(s->queue);
    s->holds_acks = false;
    scene_forget(s);
    scene_attach_queue(s);
    assert_non_null(scene_outcome(s, job.job, 1000));
    end(&play);
}

/* Without memory for a job the queue has it back, and the room goes on. */
static void test_no_memory_for_a_job(void **state)
{
    static const struct mail two = { .to = { "bob", "carol" } };
    struct scene *s = *state;
    const struct told *told;
    struct play play;
    uint64_t busy;
    int in_hands;

    begin(s, &play, "no memory for a job", SLOW BYE "--\n" BARE SEND BYE);
    busy = scene_send(s, &mail);
    scene_turn(s, 100);
    in_hands = s->in_hands;
    is_job_refused = true;
    told = scene_outcome(s, scene_send(s, &two), 1000);
    assert_non_null(told);
    assert_string_equal(told->summary, "returned 0 4.3.2; returned 0 4.3.2");
    assert_string_equal(told->text, "out of memory");
    assert_int_equal(HASH_COUNT(scene_carrier(s)->jobs), 1);
    assert_string_equal(scene_outcome(s, busy, 5000)->summary, "done 250 2.0.0");
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "done 250 2.0.0");
    assert_int_equal(s->in_hands, in_hands);
    end(&play);
}

/* Without memory to tell an outcome the channel ends, and on the next it is told. */
static void test_no_memory_for_an_outcome(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t job;

    begin(s, &play, "no memory for an outcome", BARE SEND BYE);
    is_outcome_refused = true;
    job = scene_send(s, &mail);
    for (int i = 0; i < 500 && s->queue; i++)
        scene_turn(s, 10);
    assert_null(s->queue);
    assert_false(is_outcome_refused);
    assert_null(scene_carrier(s)->queue);
    scene_attach_queue(s);
    assert_string_equal(scene_outcome(s, job, 1000)->summary, "done 250 2.0.0");
    assert_int_equal(s->in_hand_count, 1);
    end(&play);
}

/* A body that is shorter than said cannot be sent. */
static void test_short_body(void **state)
{
    struct scene *s = *state;
    struct play play;
    struct msg_job job = { .job = ++s->last_job, .snapshot = s->room.snapshot, .body_size = 12 };

    begin(s, &play, "a body that is shorter than said",
        BARE "< MAIL FROM:<>\n" OK RCPT("bob") OK "< DATA\n> 354 go\n&\n");
    send_raw(s, &job, open("/dev/null", O_RDONLY));
    assert_non_null(scene_outcome(s, job.job, 5000));
    assert_string_equal(s->told[0].summary, "deferred 0 4.3.0");
    end(&play);
}

static void test_reload(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t busy;

    begin(s, &play, "a reload: who is under way keeps the old settings",
        SLOW BYE "--\n" BARE SEND BYE);
    busy = scene_send(s, &mail);
    scene_turn(s, 100);
    scene_apply(s, "");
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "done 250 2.0.0");
    assert_string_equal(scene_outcome(s, busy, 5000)->summary, "done 250 2.0.0");

    s->room.snapshot--; /* the queue has not heard of it yet */
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "returned 0 4.3.2");
    s->room.snapshot++;
    end(&play);
}

static void test_bad_reload(void **state)
{
    struct scene *s = *state;
    struct play play;

    begin(s, &play, "a snapshot that cannot be read leaves the old one", BARE SEND BYE);
    assert_int_not_equal(relay_room.apply(&s->room, slice_text("nonsense")), ERR_OK);
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "done 250 2.0.0");
    end(&play);
}

/* What is under way ends and is acknowledged; what comes is given back. */
static void test_drain(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t busy;

    begin(s, &play, "drain", SLOW BYE);
    busy = scene_send(s, &mail);
    scene_turn(s, 100);
    relay_room.drain(&s->room);
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "returned 0 4.3.2");
    assert_false(s->is_drained);
    assert_string_equal(scene_outcome(s, busy, 5000)->summary, "done 250 2.0.0");
    end(&play);
    scene_turn(s, 20);
    assert_true(s->is_drained);
}

/* Without a queue nobody can be told. */
static void test_drain_without_queue(void **state)
{
    struct scene *s = *state;
    struct play play;

    begin(s, &play, "drain without a queue", SLOW);
    play.may_be_left = true;
    scene_send(s, &mail);
    scene_turn(s, 100);
    relay_room.drain(&s->room);
    assert_false(s->is_drained);
    scene_detach_queue(s);
    assert_true(s->is_drained);
    play_close(&play);
}

/* What the resolver keeps goes by the wall clock: after a step back another relay is to ask anew,
 * and the supervisor hears why. */
static void test_clock_set_back(void **state)
{
    struct scene *s = *state;
    struct play play;
    uint64_t busy;

    begin(s, &play, "a clock that is set back", SLOW BYE);
    busy = scene_send(s, &mail);
    scene_turn(s, 100);
    scene_carrier(s)->clock_offset_us += 2 * INT64_C(3600) * 1000000;
    assert_string_equal(scene_outcome(s, scene_send(s, &mail), 5000)->summary, "returned 0 4.3.2");
    assert_string_equal(scene_outcome(s, busy, 5000)->summary, "done 250 2.0.0");
    end(&play);
    scene_turn(s, 20);
    assert_true(s->is_drained);
    assert_int_equal(s->room.end, ROOM_END_CLOCK);
}

static void test_domains(void **state)
{
    static const struct {
        const char *domain;
        enum domain_verdict verdict;
    } cases[] = {
        { "mx.example", DOMAIN_EXISTS },
        { "null.example", DOMAIN_NULL_MX },
        { "six.example", DOMAIN_EXISTS },
        { "four.example", DOMAIN_EXISTS },
        { "empty.example", DOMAIN_MISSING },
        { "nowhere.example", DOMAIN_MISSING },
        { "bad.example", DOMAIN_TEMPORARY },
    };
    struct scene *s = *state;

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct msg_domain_ask ask = { .request = i, .domain = slice_text(cases[i].domain) };
        assert_int_equal(channel_send(s->gate, MSG_DOMAIN_ASK, &ask, -1), ERR_OK);
    }
    for (int i = 0; i < 500 && s->answer_count < (int)LENGTH_OF(cases); i++)
        loop_turn(s->loop, 10);
    assert_int_equal(s->answer_count, LENGTH_OF(cases));
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        if (s->answers[i] != cases[i].verdict)
            fail_msg("SUB-4.2-6, OPS-7, OUT-3: %s: %d", cases[i].domain, s->answers[i]);
}

/* A gate that goes takes its questions with it; a name server that says nothing is not waited for.
 */
static void test_silent_domain(void **state)
{
    struct scene *s = *state;
    struct msg_domain_ask ask = { .request = 1, .domain = SLICE_LITERAL("silent.example") };

    assert_int_equal(channel_send(s->gate, MSG_DOMAIN_ASK, &ask, -1), ERR_OK);
    scene_turn(s, 100);
    assert_non_null(scene_carrier(s)->questions);
    scene_attach_gate(s);
    scene_turn(s, 20);
    assert_null(scene_carrier(s)->questions);
    assert_int_equal(channel_send(s->gate, MSG_DOMAIN_ASK, &ask, -1), ERR_OK);
    for (int i = 0; i < 600 && s->answer_count == 0; i++)
        loop_turn(s->loop, 10);
    assert_int_equal(s->answer_count, 1);
    assert_int_equal(s->answers[1], DOMAIN_SILENT);
}

/* A delivery whose question to DNS is open when everything ends. */
static void test_end_within_dns(void **state)
{
    static const struct mail silent = { .route = ROUTE_MX, .domain = "silent.example" };
    struct scene *s = *state;

    scene_send(s, &silent);
    scene_turn(s, 100);
    assert_true(name_server_asked(s->names, "silent.example") > 0);
    assert_non_null(scene_carrier(s)->deliveries);
}

/* ---- OUT-8 ---- */

static size_t warnings(const char *const *with_records, unsigned index, bool smtp)
{
    static struct scene own;
    char text[4096] = "";
    int before = dup(STDERR_FILENO), pipe_ends[2];
    ssize_t got;

    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    own.says = NULL;
    scene_open(&own, "", with_records, NULL);
    log_open("test", LOG_WARNING);
    own.room.index = index;
    if (!smtp)
        for (size_t i = 0; i < SCENE_ROUTES; i++)
            own.conf->routes[i].via = CONF_VIA_LMTP;
    scene_reapply(&own);
    scene_turn(&own, 150);
    scene_close(&own);
    dup2(before, STDERR_FILENO);
    got = read(pipe_ends[0], text, sizeof text - 1);
    close(before);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return got > 0 && strstr(text, "EHLO") != NULL;
}

static void test_own_name(void **state)
{
    static const char *const four[] = { "msa.example.net A 192.0.2.1", NULL };
    static const char *const six[] = { "msa.example.net AAAA 2001:db8::1", NULL };
    static const char *const neither[] = { "msa.example.net TXT", NULL };
    static const char *const nothing[] = { NULL };
    static const char *const bad[] = { "msa.example.net SERVFAIL", NULL };

    (void)state;
    assert_int_equal(warnings(four, 0, true), 0);
    assert_int_equal(warnings(six, 0, true), 0);
    assert_int_equal(warnings(neither, 0, true), 1);
    assert_int_equal(warnings(nothing, 0, true), 1);
    assert_int_equal(warnings(bad, 0, true), 0);
    assert_int_equal(warnings(nothing, 1, true), 0);
    assert_int_equal(warnings(nothing, 0, false), 0);
}

static int open_scene(void **state)
{
    return scene_begin_with(state, records, NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_scene, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = { CASE(test_queue_restarts), CASE(test_queue_is_away),
        CASE(test_queue_breaks_rules), CASE(test_no_memory_for_a_job),
        CASE(test_no_memory_for_an_outcome), CASE(test_short_body), CASE(test_reload),
        CASE(test_bad_reload), CASE(test_drain), CASE(test_drain_without_queue),
        CASE(test_clock_set_back), CASE(test_domains), CASE(test_silent_domain),
        CASE(test_end_within_dns), cmocka_unit_test(test_own_name) };

    return cmocka_run_group_tests_name("relay/room", tests, NULL, NULL);
}
