/* tests/unit/queue/rig.c: the rooms around the queue, played. */
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/queue.h"

static const char settings[] =
    "hostname = \"mail.example.org\"\nstate = \"/var/lib/submitd\"\nrelays = 1\n"
    "listener \"submissions\" { address = \"[::]:465\" tls = \"implicit\" }\n"
    "tls { certificate = \"/etc/tls/chain.pem\" key = \"/etc/tls/key.pem\" }\n"
    "users \"file\" { path = \"/etc/submitd/users\" }\n"
    "route \"box.example\" { via = \"maildir\" to = \"/var/mail/box\" }\n"
    "route \"*\" { via = \"mx\" }\n"
    "spool { reserve = 0 }\n";

const struct rig_answer rig_done = { DELIVERY_DONE, CAUSE_REPLY, 250, "2.0.0", "2.0.0 Ok" };
const struct rig_answer rig_greylisted = { DELIVERY_DEFERRED, CAUSE_REPLY, 451, "4.7.1",
    "4.7.1 Greylisted" };
const struct rig_answer rig_refused = { DELIVERY_FAILED, CAUSE_REPLY, 550, "5.1.1",
    "5.1.1 No\nsuch user" };
const struct rig_answer rig_unreachable = { DELIVERY_DEFERRED, CAUSE_CONNECT, 0, "4.4.1",
    "connection refused" };
const struct rig_answer rig_returned = { DELIVERY_RETURNED, CAUSE_LOCAL, 0, "", "" };

struct queue *rig_queue(struct rig *rig)
{
    return rig->room.state;
}

/* ---- the room ---- */

static void on_drained(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig *rig = owner;

    (void)channel, (void)message, (void)fd;
    rig->is_drained = true;
}

static void supervisor_closed(void *owner, struct channel *channel)
{
    (void)owner, (void)channel;
}

static const struct channel_handler from_room[] = { { MSG_DRAINED, on_drained } };
static const struct channel_handler nothing[] = { { MSG_APPLY, NULL } };

static void connect_supervisor(struct rig *rig)
{
    int ends[2];
    struct channel_spec supervisor = { ROLE_SUPERVISOR, ROLE_QUEUE, 0, from_room, 1,
        supervisor_closed, rig };
    struct channel_spec room = { ROLE_QUEUE, ROLE_SUPERVISOR, 0, nothing, 1, supervisor_closed,
        rig };

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    rig->supervisor = channel_new(rig->loop, ends[0], &supervisor);
    rig->room.control = channel_new(rig->loop, ends[1], &room);
    assert_true(rig->supervisor && rig->room.control);
}

void rig_make(struct rig *rig)
{
    struct conf_error error = { "" };

    const char *folder = getenv("RIG_FOLDER"); /* for runs that need no real disk */

    memset(rig, 0, sizeof *rig);
    snprintf(rig->path, sizeof rig->path, "%s/queue-test-XXXXXX", folder ? folder : "/tmp");
    assert_non_null(mkdtemp(rig->path));
    rig->loop = loop_new();
    assert_non_null(rig->loop);
    arena_init(&rig->arena, 4 << 20);
    rig->control = -1;
    if (conf_parse("submitd.conf", slice_text(settings), &rig->arena, &rig->conf, &error) != ERR_OK)
        fail_msg("%s", error.text);
    rig->conf->number = 1;
    rig->conf->spool.segment_size = STORE_SEGMENT_MIN;
    for (uint32_t i = 0; i < RIG_RELAYS; i++)
        rig->relays[i] = (struct rig_relay){ .rig = rig, .role = ROLE_RELAY, .index = i };
    rig->maildrop = (struct rig_relay){ .rig = rig, .role = ROLE_MAILDROP };
    rig->gate.rig = rig;
}

static void apply(struct rig *rig)
{
    struct buffer packed;

    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    conf_pack(rig->conf, &packed);
    assert_int_equal(packed.error, ERR_OK);
    assert_int_equal(queue_room.apply(&rig->room, buffer_slice(&packed)), ERR_OK);
    rig->room.snapshot = rig->conf->number;
    buffer_clear(&packed);
}

void rig_start(struct rig *rig)
{
    struct msg_give spool = { GIFT_SPOOL, 0, slice_text(rig->path) };
    struct msg_give control = { GIFT_CONTROL, 0, slice_text("control") };

    rig->room = (struct room){ .type = &queue_room, .loop = rig->loop };
    rig->is_drained = false;
    connect_supervisor(rig);
    assert_int_equal(queue_room.init(&rig->room), ERR_OK);
    if (rig->disk)
        rig_queue(rig)->seam = rig->disk;
    queue_room.give(&rig->room, &spool, open(rig->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (rig->control >= 0)
        queue_room.give(&rig->room, &control, dup(rig->control));
    apply(rig);
    rig->is_running = true;
}

void rig_reload(struct rig *rig)
{
    rig->conf->number++;
    apply(rig);
}

void rig_crash(struct rig *rig)
{
    struct queue *queue = rig->room.state;

    if (!rig->is_running)
        return;
    queue_free(&queue);
    rig->room.state = NULL;
    channel_free(&rig->room.control);
    channel_free(&rig->supervisor);
    rig->is_running = false;
    for (int i = 0; i < RIG_RELAYS; i++)
        rig_relay_unplug(&rig->relays[i]);
    rig_relay_unplug(&rig->maildrop);
    rig_gate_lose_channel(rig);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char inner[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_tree(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

void rig_remove(struct rig *rig)
{
    rig_crash(rig);
    rig_gate_die(rig);
    for (int i = 0; i < RIG_RELAYS; i++)
        rig_relay_forget(&rig->relays[i]);
    rig_relay_forget(&rig->maildrop);
    loop_free(&rig->loop);
    arena_clear(&rig->arena);
    remove_tree(rig->path);
}

void rig_run(struct rig *rig, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        loop_turn(rig->loop, 5);
}

/* ---- the gate ---- */

static void on_blank(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_blank *m = message;

    (void)channel;
    assert_true(gate->writer_count < RIG_BLANKS);
    segment_writer_init(
        &gate->writers[gate->writer_count++], disk_posix(), fd, m->generation, m->size, m->start);
}

static void on_spare(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_spare *m = message;

    (void)channel;
    assert_true(gate->spare_count < 64);
    gate->spares[gate->spare_count++] = (struct body_spare){ m->number, fd };
}

static void on_cut_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_cut *m = message;

    (void)channel, (void)fd;
    gate->cut_done = m->generation;
}

static void on_disk(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_disk *m = message;

    (void)channel, (void)fd;
    gate->is_full = m->full;
}

static void on_held_answer(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_held_answer *m = message;

    (void)channel, (void)fd;
    gate->held_answered = m->request;
    gate->has_room = m->has_room;
}

static void on_partial_state(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    struct rig_partial *partial = &gate->partial;
    const struct msg_partial_state *m = message;

    (void)channel;
    if (partial->answers > 0 && partial->fd >= 0)
        close(partial->fd);
    *partial = (struct rig_partial){ .answers = partial->answers + 1,
        .yields = partial->yields,
        .yielded = partial->yielded,
        .request = m->request,
        .found = m->found,
        .id = { m->id_high, m->id_low },
        .octets = m->content.octets,
        .front_len = m->content.front.len,
        .recipient_count = m->content.recipient_count,
        .body_octets = m->content.body_octets,
        .fd = fd };
    snprintf(partial->front, sizeof partial->front, "%.*s", SLICE_ARGS(m->content.front));
    if (m->content.recipient_count > 0)
        snprintf(partial->address, sizeof partial->address, "%.*s",
            SLICE_ARGS(m->content.recipients[0].address));
}

static void on_partial_yield(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_gate *gate = owner;
    const struct msg_number *m = message;

    (void)channel, (void)fd;
    gate->partial.yields++;
    gate->partial.yielded = m->number;
}

static const struct channel_handler to_gate[] = { { MSG_HELD_ANSWER, on_held_answer },
    { MSG_BLANK, on_blank }, { MSG_SPARE, on_spare }, { MSG_CUT_DONE, on_cut_done },
    { MSG_DISK, on_disk }, { MSG_PARTIAL_STATE, on_partial_state },
    { MSG_PARTIAL_YIELD, on_partial_yield } };

static void gate_closed(void *owner, struct channel *channel)
{
    struct rig_gate *gate = owner;

    (void)channel;
    gate->is_closed = true;
    channel_free(&gate->channel);
}

void rig_gate_connect(struct rig *rig, uint32_t blanks, uint32_t spares)
{
    rig_gate_plug(rig, &rig->gate, blanks, spares);
}

void rig_gate_plug(struct rig *rig, struct rig_gate *gate, uint32_t blanks, uint32_t spares)
{
    struct channel_spec spec = { ROLE_GATE, ROLE_QUEUE, 0, to_gate, LENGTH_OF(to_gate), gate_closed,
        gate };
    struct msg_peer peer = { ROLE_GATE, gate->index };
    struct msg_need need = { blanks, spares };
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    gate->channel = channel_new(rig->loop, ends[0], &spec);
    gate->is_closed = false;
    assert_non_null(gate->channel);
    queue_room.peer(&rig->room, &peer, ends[1]);
    assert_int_equal(channel_send(gate->channel, MSG_NEED, &need, -1), ERR_OK);
}

void rig_gate_lose_channel(struct rig *rig)
{
    if (rig->gate.channel)
        channel_free(&rig->gate.channel);
}

void rig_gate_die(struct rig *rig)
{
    struct rig_gate *gate = &rig->gate;

    rig_gate_lose_channel(rig);
    for (size_t i = 0; i < gate->writer_count; i++)
        segment_writer_clear(&gate->writers[i]);
    for (size_t i = 0; i < gate->spare_count; i++)
        if (gate->spares[i].fd >= 0)
            close(gate->spares[i].fd);
    gate->writer_count = gate->spare_count = 0;
}

struct queue_id rig_id(unsigned number)
{
    return (struct queue_id){ .high = UINT64_C(0x018f00000000) << 16 | number,
        .low = number * UINT64_C(0x9e3779b97f4a7c15) };
}

void rig_write(struct rig *rig, const struct rig_mail *mail)
{
    static const char *const bob[] = { "bob@example.net" };
    static struct envelope_recipient recipients[RIG_ADDRESSES];
    const char *const *addresses = mail->recipients ? mail->recipients : bob;
    const char *user = mail->user ? mail->user : "alice";
    struct slice header =
        slice_text("From: alice@example.org\r\nSubject: test\r\nMessage-ID: <1@x>\r\n\r\n");
    struct slice body = slice_text(mail->body ? mail->body : "Hello.\r\n");
    struct envelope envelope = { .id = rig_id(mail->number), .user = slice_text(user) };
    struct record_draft draft, *drafts[] = { &draft };
    char sender[128];
    struct buffer packed;

    snprintf(sender, sizeof sender, "%s@example.org", user);
    envelope.sender = slice_text(mail->sender ? mail->sender : sender);
    envelope.arrival_us = mail->arrival_us ? mail->arrival_us : clock_wall_us();
    envelope.mechanism = slice_text("PLAIN");
    envelope.listener = slice_text("submissions");
    envelope.client = slice_text("192.0.2.7");
    envelope.ehlo = slice_text("client.example");
    envelope.tls_version = slice_text("TLSv1.3");
    envelope.tls_cipher = slice_text("TLS_AES_256_GCM_SHA384");
    envelope.header_size = header.len;
    envelope.body_size = mail->body_file ? mail->body_size : body.len;
    envelope.body_file = mail->body_file;
    envelope.body_checksum = mail->body_sum;
    envelope.hold = mail->hold;
    envelope.hold_value = mail->hold_value;
    envelope.recipients = recipients;
    envelope.recipient_count = mail->recipients ? mail->count : 1;
    for (size_t i = 0; i < envelope.recipient_count; i++)
        recipients[i] = (struct envelope_recipient){ .address = slice_text(addresses[i]),
            .notify = mail->notify };
    buffer_init(&packed, ENVELOPE_MAX);
    assert_int_equal(envelope_pack(&packed, &envelope), ERR_OK);
    assert_int_equal(record_draft_init(&draft, envelope.id, buffer_slice(&packed), &header, 1,
                         &body, mail->body_file ? 0 : 1),
        ERR_OK);
    assert_true(rig->gate.writer_count > 0);
    assert_int_equal(segment_append(&rig->gate.writers[0], drafts, 1), ERR_OK);
    buffer_clear(&packed);
}

void rig_ring(struct rig *rig, bool final)
{
    struct rig_gate *gate = &rig->gate;
    struct msg_doorbell bell = { gate->writers[0].generation, gate->writers[0].end, final };

    if (final)
        segment_writer_clear(&gate->writers[0]);
    assert_int_equal(channel_send(gate->channel, MSG_DOORBELL, &bell, -1), ERR_OK);
    if (final) {
        gate->writer_count--;
        memmove(gate->writers, gate->writers + 1, gate->writer_count * sizeof *gate->writers);
    }
}

void rig_submit(struct rig *rig, const struct rig_mail *mail)
{
    rig_until(rig, rig->gate.writer_count > 0);
    rig_write(rig, mail);
    rig_ring(rig, false);
}

/* ---- relays ---- */

static void copy_text(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_ARGS(from));
}

static void on_job(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_relay *relay = owner;
    const struct msg_job *m = message;
    struct rig_job *job = &relay->jobs[relay->job_count++];

    (void)channel;
    assert_true(relay->job_count < RIG_JOBS);
    assert_true(m->recipient_count <= 128);
    *job = (struct rig_job){ .job = *m, .fd = fd, .count = m->recipient_count };
    job->id = (struct queue_id){ m->id_high, m->id_low };
    copy_text(job->destination, sizeof job->destination, m->destination);
    copy_text(job->sender, sizeof job->sender, m->sender);
    for (size_t i = 0; i < job->count; i++) {
        job->index[i] = m->recipients[i].index;
        if (i < 4)
            copy_text(job->address[i], sizeof job->address[i], m->recipients[i].address);
    }
    job->header_size = m->header.len;
    job->content = malloc(m->header.len + m->body.len + 1);
    assert_non_null(job->content);
    memcpy(job->content, m->header.data, m->header.len);
    if (m->body.len > 0)
        memcpy(job->content + m->header.len, m->body.data, m->body.len);
    job->content[m->header.len + m->body.len] = '\0';
}

static void on_done(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_relay *relay = owner;
    const struct msg_job_ref *m = message;

    (void)channel, (void)fd;
    assert_true(relay->ack_count < RIG_JOBS);
    relay->acked[relay->ack_count++] = m->job;
}

static void on_forgive(void *owner, struct channel *channel, const void *message, int fd)
{
    struct rig_relay *relay = owner;

    (void)channel, (void)message, (void)fd;
    relay->forgiven++;
}

static const struct channel_handler to_relay[] = { { MSG_JOB, on_job },
    { MSG_OUTCOME_DONE, on_done }, { MSG_FORGIVE, on_forgive } };

static void relay_closed(void *owner, struct channel *channel)
{
    struct rig_relay *relay = owner;

    (void)channel;
    relay->is_closed = true;
    channel_free(&relay->channel);
}

void rig_relay_plug(struct rig *rig, struct rig_relay *relay)
{
    struct channel_spec spec = { relay->role, ROLE_QUEUE, 0, to_relay, LENGTH_OF(to_relay),
        relay_closed, relay };
    struct msg_peer peer = { relay->role, relay->index };
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    relay->channel = channel_new(rig->loop, ends[0], &spec);
    relay->is_closed = false;
    assert_non_null(relay->channel);
    queue_room.peer(&rig->room, &peer, ends[1]);
}

void rig_relay_say(struct rig_relay *relay, const struct msg_job_ref *jobs, size_t count)
{
    struct msg_job_ref *copy = calloc(count + 1, sizeof *copy);
    struct msg_in_hand message = { copy, count };

    assert_non_null(copy);
    if (count > 0)
        memcpy(copy, jobs, count * sizeof *copy);
    assert_int_equal(channel_send(relay->channel, MSG_IN_HAND, &message, -1), ERR_OK);
    free(copy);
}

void rig_relay_connect(
    struct rig *rig, struct rig_relay *relay, const struct msg_job_ref *jobs, size_t count)
{
    rig_relay_plug(rig, relay);
    rig_relay_say(relay, jobs, count);
}

void rig_relay_unplug(struct rig_relay *relay)
{
    if (relay->channel)
        channel_free(&relay->channel);
}

void rig_relay_forget(struct rig_relay *relay)
{
    rig_relay_unplug(relay);
    for (size_t i = 0; i < relay->job_count; i++) {
        free(relay->jobs[i].content);
        if (relay->jobs[i].fd >= 0)
            close(relay->jobs[i].fd);
    }
    relay->job_count = relay->ack_count = 0;
}

void rig_answer_each(struct rig_relay *relay, struct rig_job *job, const struct rig_answer *answers)
{
    static struct msg_result results[128];
    struct msg_outcome outcome = {
        .job = job->job.job,
        .id_high = job->id.high,
        .id_low = job->id.low,
        .started_us = clock_wall_us() - 1000,
        .finished_us = clock_wall_us() + relay->clock_ahead_us,
        .results = results,
        .result_count = job->count,
    };

    for (size_t i = 0; i < job->count; i++)
        results[i] = (struct msg_result){ job->index[i], answers[i].result, answers[i].cause,
            answers[i].code, slice_text(answers[i].status), slice_text(answers[i].text) };
    if (answers[0].cause != CAUSE_CONNECT) {
        outcome.remote_host = slice_text("mx.example.net");
        outcome.remote_address = slice_text("192.0.2.1:25");
        outcome.tls_version = slice_text("TLSv1.3");
    }
    job->is_answered = true;
    assert_int_equal(channel_send(relay->channel, MSG_OUTCOME, &outcome, -1), ERR_OK);
}

void rig_answer(struct rig_relay *relay, struct rig_job *job, const struct rig_answer *answer)
{
    struct rig_answer answers[128];

    for (size_t i = 0; i < job->count; i++)
        answers[i] = *answer;
    rig_answer_each(relay, job, answers);
}

struct rig_job *rig_last(struct rig_relay *relay)
{
    assert_true(relay->job_count > 0);
    return &relay->jobs[relay->job_count - 1];
}

bool rig_is_acked(const struct rig_relay *relay, uint64_t job)
{
    for (size_t i = 0; i < relay->ack_count; i++)
        if (relay->acked[i] == job)
            return true;
    return false;
}

/* ---- looking ---- */

size_t rig_files(const struct rig *rig, const char *folder)
{
    char path[256];
    size_t count = 0;
    DIR *dir;
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/%s", rig->path, folder);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

bool rig_has(const struct rig *rig, enum store_kind kind, uint64_t number)
{
    static const char *const folders[] = { "segments", "bodies", "journal" };
    char path[256], name[STORE_NAME];

    store_name(kind, number, name);
    snprintf(path, sizeof path, "%s/%s/%s", rig->path, folders[kind], name);
    return access(path, F_OK) == 0;
}

struct message *rig_message(struct rig *rig, unsigned number)
{
    return message_find(&rig_queue(rig)->messages, rig_id(number));
}

size_t rig_count(struct rig *rig, enum recipient_state state)
{
    return rig_queue(rig)->messages.in[state];
}

void rig_begin(struct rig *rig)
{
    rig_make(rig);
    rig_start(rig);
    rig_gate_connect(rig, 2, 0);
    rig_relay_connect(rig, &rig->relays[0], NULL, 0);
}
