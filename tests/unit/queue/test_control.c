/* tests/unit/queue/test_control.c: the operator's socket: QUE-11 and the protocol of
 * docs/control.md. */
#include "rig.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static struct rig rig;
static struct rig_relay *relay;
static struct sockaddr_un address;

static int make(void **state)
{
    (void)state;
    rig_make(&rig);
    relay = &rig.relays[0];
    address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", rig.path);
    rig.control = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(rig.control, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(rig.control, 64), 0);
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_remove(&rig);
    close(rig.control);
    return 0;
}

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* The next line, without LF; NULL when the server has closed. To be freed. */
static char *hear(int fd)
{
    int64_t until = clock_mono_ms() + 60000;
    char *line = calloc(1, 1 << 20);
    size_t len = 0;

    while (clock_mono_ms() < until) {
        ssize_t got = recv(fd, line + len, 1, 0);
        if (got == 0)
            break;
        if (got < 0) {
            loop_turn(rig.loop, 5);
            continue;
        }
        if (line[len] == '\n') {
            line[len] = '\0';
            return line;
        }
        len++;
    }
    free(line);
    return NULL;
}

static json_t *ask(const char *request)
{
    int fd = dial();
    char *line;
    json_t *reply;

    say(fd, request);
    say(fd, "\n");
    line = hear(fd);
    assert_non_null(line);
    reply = json_loads(line, 0, NULL);
    assert_non_null(reply);
    free(line);
    close(fd);
    return reply;
}

/* The result of a good request. */
static json_t *result(const char *format, ...)
{
    char request[512];
    va_list args;
    json_t *reply, *value;

    va_start(args, format);
    vsnprintf(request, sizeof request, format, args);
    va_end(args);
    reply = ask(request);
    if (!json_is_true(json_object_get(reply, "ok")))
        fail_msg("%s: %s", request, json_dumps(reply, 0));
    value = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    return value;
}

static void assert_failure(const char *request, const char *code)
{
    json_t *reply = ask(request);

    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_string_equal(json_string_value(json_object_get(reply, "code")), code);
    assert_true(json_string_length(json_object_get(reply, "error")) > 0);
    json_decref(reply);
}

static json_int_t number(const json_t *object, const char *name)
{
    assert_true(json_is_integer(json_object_get(object, name)));
    return json_integer_value(json_object_get(object, name));
}

static const char *text(const json_t *object, const char *name)
{
    assert_true(json_is_string(json_object_get(object, name)));
    return json_string_value(json_object_get(object, name));
}

static const char *id_text(unsigned mail)
{
    static char at[4][QUEUE_ID_TEXT + 1];
    static int turn;

    turn = (turn + 1) % 4;
    queue_id_format(rig_id(mail), at[turn]);
    return at[turn];
}

static void submit(unsigned mail, const char *user)
{
    rig_submit(&rig, &(struct rig_mail){ .number = mail, .user = user });
    rig_until(&rig, rig_message(&rig, mail));
}

static void answer_first(size_t index, const struct rig_answer *answer)
{
    rig_until(&rig, relay->job_count > index);
    rig_answer(relay, &relay->jobs[index], answer);
    rig_until(&rig, rig_is_acked(relay, relay->jobs[index].job.job));
}

static void test_status(void **state)
{
    json_t *status, *events;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_greylisted);
    submit(2, "alice");
    answer_first(1, &rig_done);
    rig_until(&rig, !rig_message(&rig, 2));
    rig_until(&rig, stock_busy(&rig_queue(&rig)->stock) == 0); /* all blanks are made */
    status = result("{\"command\":\"status\"}");
    assert_int_equal(number(status, "queued"), 1);
    assert_int_equal(number(status, "accepted"), 2);
    assert_int_equal(number(status, "delivered"), 1);
    assert_int_equal(number(status, "deferred"), 1);
    assert_int_equal(number(status, "bounced"), 0);
    assert_int_equal(number(status, "recipients"), 1);
    assert_int_equal(number(status, "active"), 0);
    assert_int_equal(number(status, "snapshot"), 1);
    assert_string_equal(text(status, "hostname"), "mail.example.org");
    assert_string_equal(text(json_object_get(status, "spool"), "path"), "/var/lib/submitd/spool");
    assert_string_equal(
        text(json_object_get(status, "spool"), "aside"), "/var/lib/submitd/spool/aside");
    events = json_object_get(json_object_get(status, "spool"), "damaged_log");
    assert_int_equal(json_array_size(events), 6);
    assert_string_equal(json_string_value(json_array_get(events, 5)), EVENT_CONTRADICTION);
    assert_int_equal(strlen(text(status, "started")), 24);
    assert_true(number(json_object_get(status, "spool"), "segments") >= 2);
    json_decref(status);
}

/* QUE-2: id, user, sender, the state and next time of each recipient. */
static void test_list(void **state)
{
    json_t *list, *row, *recipient;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_greylisted);
    submit(2, "bob");
    list = result("{\"command\":\"queue-list\"}");
    assert_int_equal(number(list, "total"), 2);
    row = json_array_get(json_object_get(list, "messages"), 0);
    assert_string_equal(text(row, "id"), id_text(1));
    assert_string_equal(text(row, "user"), "alice");
    assert_string_equal(text(row, "sender"), "alice@example.org");
    recipient = json_array_get(json_object_get(row, "recipients"), 0);
    assert_string_equal(text(recipient, "address"), "bob@example.net");
    assert_string_equal(text(recipient, "state"), "deferred");
    assert_string_equal(text(recipient, "last_reply"), "4.7.1 Greylisted");
    assert_int_equal(number(recipient, "attempts"), 1);
    assert_int_equal(strlen(text(recipient, "next_attempt")), 24);
    json_decref(list);
    list = result("{\"command\":\"queue-list\",\"user\":\"bob\"}");
    assert_int_equal(number(list, "total"), 1);
    json_decref(list);
    list = result("{\"command\":\"queue-list\",\"domain\":\"EXAMPLE.net\",\"limit\":1}");
    assert_int_equal(number(list, "total"), 2);
    assert_int_equal(json_array_size(json_object_get(list, "messages")), 1);
    json_decref(list);
    list = result("{\"command\":\"queue-list\",\"after\":\"%s\"}", id_text(1));
    row = json_array_get(json_object_get(list, "messages"), 0);
    assert_string_equal(text(row, "id"), id_text(2));
    json_decref(list);
}

static void test_show(void **state)
{
    json_t *row, *recipient;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_greylisted);
    row = result("{\"command\":\"queue-show\",\"id\":\"%s\"}", id_text(1));
    recipient = json_array_get(json_object_get(row, "recipients"), 0);
    assert_string_equal(text(row, "client"), "192.0.2.7");
    assert_string_equal(text(row, "listener"), "submissions");
    assert_true(json_is_null(json_object_get(row, "notice_of")));
    assert_string_equal(text(recipient, "route"), "*");
    assert_string_equal(text(recipient, "destination"), "mx:example.net");
    assert_string_equal(text(recipient, "status"), "4.7.1");
    assert_string_equal(text(recipient, "host"), "mx.example.net");
    assert_string_equal(text(recipient, "remote"), "192.0.2.1:25");
    assert_int_equal(number(row, "segment"), rig.gate.writers[0].generation);
    json_decref(row);
    assert_failure(
        "{\"command\":\"queue-show\",\"id\":\"01HW000000000000000000000Z\"}", "not-found");
}

static void assert_changed(json_t *changed, json_int_t messages, json_int_t recipients)
{
    assert_int_equal(number(changed, "messages"), messages);
    assert_int_equal(number(changed, "recipients"), recipients);
    json_decref(changed);
}

/* QUE-11: hold and release, also over a restart. */
static void test_hold(void **state)
{
    (void)state;
    rig_relay_unplug(relay);
    submit(1, "alice");
    submit(2, "bob");
    assert_changed(result("{\"command\":\"queue-hold\",\"user\":\"alice\"}"), 1, 1);
    assert_changed(result("{\"command\":\"queue-hold\",\"user\":\"alice\"}"), 0, 0);
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_start(&rig);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, relay->job_count == 1);
    assert_true(queue_id_equals(relay->jobs[0].id, rig_id(2)));
    assert_true(rig_message(&rig, 1)->is_held);
    rig_run(&rig, 50);
    assert_int_equal(relay->job_count, 1);
    assert_changed(result("{\"command\":\"queue-release\",\"id\":\"%s\"}", id_text(1)), 1, 1);
    rig_until(&rig, relay->job_count == 2);
}

/* QUE-11: another attempt now, and what is known of dead hosts is forgotten. */
static void test_retry(void **state)
{
    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_unreachable);
    submit(2, "alice");
    rig_run(&rig, 50);
    assert_int_equal(relay->job_count, 1);
    assert_changed(result("{\"command\":\"queue-retry\",\"domain\":\"example.net\"}"), 2, 2);
    rig_until(&rig, relay->job_count == 2);
    assert_int_equal(relay->forgiven, 1);
    answer_first(1, &rig_done);
    rig_until(&rig, relay->job_count == 3);
}

/* QUE-11: delete, with a bounce or without; only the recipients of a domain. */
static void test_delete(void **state)
{
    static const char *const two[] = { "bob@example.net", "eve@example.com" };

    (void)state;
    rig_relay_unplug(relay);
    rig_submit(&rig, &(struct rig_mail){ .number = 1, .recipients = two, .count = 2 });
    submit(2, "alice");
    submit(3, "carol");
    rig_until(&rig, rig_message(&rig, 1));
    assert_changed(result("{\"command\":\"queue-delete\",\"domain\":\"example.com\"}"), 1, 1);
    assert_int_equal(rig_message(&rig, 1)->open_count, 1);
    assert_int_equal(rig_message(&rig, 1)->recipients[1].state, RECIPIENT_DELETED);
    assert_changed(result("{\"command\":\"queue-delete\",\"user\":\"carol\"}"), 1, 1);
    rig_until(&rig, !rig_message(&rig, 3));
    assert_int_equal(rig_queue(&rig)->counters.notices, 0);
    assert_changed(
        result("{\"command\":\"queue-delete\",\"id\":\"%s\",\"bounce\":true}", id_text(2)), 1, 1);
    assert_int_equal(rig_queue(&rig)->counters.notices, 1);
    /* Gone, and its bounce has come in beside message 1. */
    rig_until(&rig, !rig_message(&rig, 2) && rig_queue(&rig)->messages.count == 2);
    assert_changed(result("{\"command\":\"queue-delete\",\"all\":true}"), 2, 2);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_changed(result("{\"command\":\"queue-delete\",\"all\":true}"), 0, 0);
}

/* And when nobody will ever say what became of it, it is deleted, not sent again. */
static void test_delete_and_lost(void **state)
{
    (void)state;
    submit(1, "alice");
    rig_until(&rig, relay->job_count == 1);
    assert_changed(result("{\"command\":\"queue-delete\",\"all\":true}"), 1, 1);
    rig_relay_unplug(relay);
    rig_relay_connect(&rig, relay, NULL, 0);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(relay->job_count, 1);
    assert_int_equal(rig_queue(&rig)->counters.bounced, 0);
}

/* A recipient under way is deleted unless it is delivered. */
static void test_delete_under_way(void **state)
{
    (void)state;
    submit(1, "alice");
    submit(2, "alice");
    rig_until(&rig, relay->job_count == 2);
    assert_changed(result("{\"command\":\"queue-delete\",\"all\":true}"), 2, 2);
    rig_answer(relay, &relay->jobs[0], &rig_done);
    rig_answer(relay, &relay->jobs[1], &rig_greylisted);
    rig_until(&rig, rig_queue(&rig)->messages.count == 0);
    assert_int_equal(rig_queue(&rig)->counters.delivered, 1);
    assert_int_equal(rig_queue(&rig)->counters.bounced, 0);
}

static void assert_events(const json_t *trace, const char *expected)
{
    char names[512] = "";
    const json_t *event;
    size_t i;

    json_array_foreach (json_object_get(trace, "events"), i, event) {
        strcat(names, i > 0 ? " " : "");
        strcat(names, text(event, "event"));
    }
    assert_string_equal(names, expected);
}

/* From the login to the last reply, while it is queued, when it is closed, and after a restart. */
static void test_trace(void **state)
{
    json_t *trace, *event;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_greylisted);
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_string_equal(text(trace, "state"), "queued");
    assert_events(trace, "login accepted attempt");
    event = json_array_get(json_object_get(trace, "events"), 0);
    assert_string_equal(text(event, "user"), "alice");
    assert_string_equal(text(event, "client_name"), "client.example");
    assert_string_equal(text(event, "tls_version"), "TLSv1.3");
    event = json_array_get(json_object_get(trace, "events"), 2);
    assert_string_equal(text(event, "recipient"), "bob@example.net");
    assert_string_equal(text(event, "result"), "deferred");
    assert_string_equal(text(event, "host"), "mx.example.net");
    assert_int_equal(number(event, "code"), 451);
    assert_int_equal(strlen(text(event, "next_attempt")), 24);
    json_decref(trace);
    json_decref(result("{\"command\":\"queue-retry\",\"all\":true}"));
    answer_first(1, &rig_refused);
    rig_until(&rig, !rig_message(&rig, 1));
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_start(&rig);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_string_equal(text(trace, "state"), "closed");
    assert_events(trace, "login accepted attempt retried attempt bounce closed");
    event = json_array_get(json_object_get(trace, "events"), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(event, "recipients"), 0)),
        "bob@example.net");
    json_decref(trace);
    assert_failure("{\"command\":\"trace\",\"id\":\"01HW000000000000000000000Z\"}", "not-found");
}

static void checkpoint(uint64_t history)
{
    struct queue *queue = rig_queue(&rig);

    queue->upkeep.history = history;
    queue->checkpoint.ended_us = 0;
    queue->commit.tally.since = UINT64_C(1) << 50;
    checkpoint_tick(queue);
    rig_until(&rig, queue->checkpoint.ended_us != 0 && stock_busy(&queue->stock) == 0);
}

/* A checkpoint repeats what was told before, and remembers it when the files that told it are gone:
 * no attempt comes twice, and none is left out. */
static void test_trace_of_states(void **state)
{
    json_t *trace, *event;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_greylisted);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    checkpoint(256 << 20);
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_events(trace, "login accepted attempt");
    json_decref(trace);
    checkpoint(0);
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_events(trace, "login accepted earlier");
    event = json_array_get(json_object_get(trace, "events"), 0);
    assert_string_equal(text(event, "mechanism"), "PLAIN");
    event = json_array_get(json_object_get(trace, "events"), 2);
    assert_string_equal(text(event, "recipient"), "bob@example.net");
    assert_string_equal(text(event, "result"), "deferred");
    assert_int_equal(number(event, "attempts"), 1);
    assert_int_equal(number(event, "code"), 451);
    assert_string_equal(text(event, "host"), "mx.example.net");
    json_decref(trace);
    json_decref(result("{\"command\":\"queue-retry\",\"all\":true}"));
    answer_first(1, &rig_done);
    rig_until(&rig, !rig_message(&rig, 1));
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_events(trace, "accepted earlier retried attempt closed");
    json_decref(trace);
}

/* Refused at the first attempt: the bounce is journalled before the outcome that names its
 * recipient. */
static void test_trace_names_the_bounced(void **state)
{
    json_t *trace, *event, *recipients;
    size_t i;

    (void)state;
    submit(1, "alice");
    answer_first(0, &rig_refused);
    rig_until(&rig, !rig_message(&rig, 1));
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_events(trace, "login accepted attempt bounce closed");
    json_array_foreach (json_object_get(trace, "events"), i, event) {
        recipients = json_object_get(event, "recipients");
        if (recipients)
            assert_string_equal(
                json_string_value(json_array_get(recipients, 0)), "bob@example.net");
    }
    json_decref(trace);
}

static void put(struct journal_entry entry)
{
    entry.id = rig_id(1);
    commit_put(&rig_queue(&rig)->commit, &entry);
    rig_run(&rig, 5);
}

/* However long the disk took in between: each bounce stands behind the failures that it reports,
 * and all else as it was written down. */
static void test_trace_order(void **state)
{
    struct journal_noticed_recipient first = { 0 }, others[] = { { 1 }, { 2 } };
    struct journal_entry failed = { .kind = JOURNAL_OUTCOME,
        .outcome = { .result = JOURNAL_FAILED, .attempt = 1, .started_us = 1 } };
    struct journal_entry entry = { .kind = JOURNAL_NOTICED };
    json_t *trace, *event;
    const char *last = "";
    size_t i;

    (void)state;
    submit(1, "alice");
    entry.noticed = (struct journal_noticed){ NOTICE_FAILURE, rig_id(8), &first, 1 };
    put(entry);
    put(failed);
    entry.noticed = (struct journal_noticed){ NOTICE_FAILURE, rig_id(9), others, 2 };
    put(entry);
    failed.outcome.recipient = 1;
    put(failed);
    failed.outcome.recipient = 2;
    failed.outcome.result = JOURNAL_EXPIRED;
    put(failed);
    put((struct journal_entry){ .kind = JOURNAL_HELD });
    put((struct journal_entry){ .kind = JOURNAL_CLOSED });
    trace = result("{\"command\":\"trace\",\"id\":\"%s\"}", id_text(1));
    assert_events(
        trace, "login accepted attempt bounce attempt attempt expired bounce held closed");
    json_array_foreach (json_object_get(trace, "events"), i, event) {
        assert_true(strcmp(last, text(event, "time")) <= 0);
        last = text(event, "time");
    }
    json_decref(trace);
}

static void test_bad_requests(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"command\":\"nonsense\"}",
        "{\"command\":7}",
        "{\"command\":\"status\",\"verbose\":true}",
        "{\"command\":\"queue-list\",\"limit\":0}",
        "{\"command\":\"queue-list\",\"limit\":10001}",
        "{\"command\":\"queue-list\",\"limit\":\"1\"}",
        "{\"command\":\"queue-list\",\"users\":\"alice\"}",
        "{\"command\":\"queue-list\",\"user\":1}",
        "{\"command\":\"queue-list\",\"after\":\"xyz\"}",
        "{\"command\":\"queue-show\"}",
        "{\"command\":\"queue-show\",\"id\":\"short\"}",
        "{\"command\":\"queue-delete\"}",
        "{\"command\":\"queue-delete\",\"all\":false}",
        "{\"command\":\"queue-delete\",\"all\":true,\"user\":\"alice\"}",
        "{\"command\":\"queue-delete\",\"all\":true,\"bounce\":\"yes\"}",
        "{\"command\":\"queue-hold\",\"user\":\"\"}",
        "[]",
        "7",
        "not json",
        "",
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_failure(bad[i], "bad-request");
}

/* Several requests on one connection, octet by octet, are answered in order. */
static void test_pipeline(void **state)
{
    const char *requests = "{\"command\":\"queue-list\"}\n{\"command\":\"nonsense\"}\n"
                           "{\"command\":\"status\"}\n";
    int fd = dial();
    char *line;

    (void)state;
    for (const char *at = requests; *at; at++) {
        char octet[2] = { *at, '\0' };
        say(fd, octet);
        loop_turn(rig.loop, 0);
    }
    line = hear(fd);
    assert_non_null(strstr(line, "\"total\":0"));
    free(line);
    line = hear(fd);
    assert_non_null(strstr(line, "nonsense"));
    free(line);
    line = hear(fd);
    assert_non_null(strstr(line, "\"queued\":0"));
    free(line);
    close(fd);
}

/* A request without an end is refused at its bound, and the connection ends. */
static void test_too_long(void **state)
{
    static char much[70000];
    int fd = dial();
    size_t sent = 0;
    char *line;

    (void)state;
    memset(much, 'a', sizeof much);
    while (sent < sizeof much) {
        ssize_t put = send(fd, much + sent, sizeof much - sent, MSG_NOSIGNAL);
        if (put < 0)
            assert_true(errno == EAGAIN || errno == EPIPE);
        if (put < 0 && errno == EPIPE)
            break;
        sent += put > 0 ? (size_t)put : 0;
        loop_turn(rig.loop, 0);
    }
    line = hear(fd);
    assert_non_null(line);
    assert_non_null(strstr(line, "bad-request"));
    free(line);
    assert_null(hear(fd));
    close(fd);
}

/* Clients that go away at any time, also with their answer under way. */
static void test_rude_clients(void **state)
{
    (void)state;
    submit(1, "alice");
    for (int i = 0; i < 50; i++) {
        int fd = dial();
        say(fd, i % 2 ? "{\"command\":\"trace\",\"id\":\"01HW000000000000000000000Z\"}\n"
                      : "{\"command\":\"queue-list\"}\n{\"comm");
        if (i % 3)
            loop_turn(rig.loop, 0);
        close(fd);
    }
    rig_run(&rig, 50);
    json_decref(result("{\"command\":\"status\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status, make, end),
        cmocka_unit_test_setup_teardown(test_list, make, end),
        cmocka_unit_test_setup_teardown(test_show, make, end),
        cmocka_unit_test_setup_teardown(test_hold, make, end),
        cmocka_unit_test_setup_teardown(test_retry, make, end),
        cmocka_unit_test_setup_teardown(test_delete, make, end),
        cmocka_unit_test_setup_teardown(test_delete_and_lost, make, end),
        cmocka_unit_test_setup_teardown(test_delete_under_way, make, end),
        cmocka_unit_test_setup_teardown(test_trace, make, end),
        cmocka_unit_test_setup_teardown(test_trace_of_states, make, end),
        cmocka_unit_test_setup_teardown(test_trace_names_the_bounced, make, end),
        cmocka_unit_test_setup_teardown(test_trace_order, make, end),
        cmocka_unit_test_setup_teardown(test_bad_requests, make, end),
        cmocka_unit_test_setup_teardown(test_pipeline, make, end),
        cmocka_unit_test_setup_teardown(test_too_long, make, end),
        cmocka_unit_test_setup_teardown(test_rude_clients, make, end),
    };

    return cmocka_run_group_tests_name("queue/control", tests, NULL, NULL);
}
