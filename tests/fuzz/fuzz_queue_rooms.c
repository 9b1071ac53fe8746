/* tests/fuzz/fuzz_queue_rooms.c: a gate and a relay that lie to the queue. The input is a script of
 * acts: frames of any octets, doorbells and cuts about segments they have or have not, records with
 * any envelope, in-hand lists, outcomes of jobs they have or have not, and leaving at any time. The
 * queue closes what breaks the rules; an honest gate's message is in the queue all the same, in the
 * end and after a restart on what they left behind. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "fuzz.h"
#include "lazy_disk.h"
#include "queue/queue.h"
#include "rig.h"

enum { ACTS_MOST = 200, HONEST = 1000 };

static struct rig rig;
static struct rig_gate *liar;   /* of index 1 */
static struct rig_relay *crook; /* of index 0 */
static struct rig_gate liars;

static struct slice take_text(struct cursor *in)
{
    size_t len = cursor_u8(in);

    return cursor_take(in, len < in->rest.len ? len : in->rest.len);
}

static struct segment_writer *some_segment(struct cursor *in)
{
    size_t which = cursor_u8(in);

    return liar->writer_count > 0 ? &liar->writers[which % liar->writer_count] : NULL;
}

/* ---- the gate ---- */

static void connect_liar(struct cursor *in)
{
    if (!liar->channel)
        rig_gate_plug(&rig, liar, cursor_u8(in) % 4, cursor_u8(in) % 3);
}

static void leave_liar(struct cursor *in)
{
    channel_free(&liar->channel);
    if (cursor_u8(in) & 1)
        return;
    for (size_t i = 0; i < liar->writer_count; i++)
        segment_writer_clear(&liar->writers[i]);
    for (size_t i = 0; i < liar->spare_count; i++)
        close(liar->spares[i].fd);
    liar->writer_count = liar->spare_count = 0;
}

static void ring(struct cursor *in)
{
    struct segment_writer *writer = some_segment(in);
    struct msg_doorbell bell = { .generation = writer ? writer->generation : cursor_u64(in) };

    bell.upto = writer ? writer->end : 0;
    if (cursor_u8(in) & 1)
        bell.upto = cursor_u32(in);
    bell.final = cursor_u8(in) & 1;
    if (liar->channel)
        channel_send(liar->channel, MSG_DOORBELL, &bell, -1);
}

static void cut(struct cursor *in)
{
    struct segment_writer *writer = some_segment(in);
    struct msg_cut message = { .generation = writer ? writer->generation : cursor_u64(in) };

    message.upto = cursor_u32(in);
    if (liar->channel)
        channel_send(liar->channel, MSG_CUT, &message, -1);
}

static void scribble(struct cursor *in)
{
    struct segment_writer *writer = some_segment(in);
    uint64_t at = cursor_u32(in) % STORE_SEGMENT_MIN;
    struct slice text = take_text(in);

    if (writer && text.len > 0)
        (void)!pwrite(writer->file, text.data, text.len, (off_t)at);
}

/* What was asked for at MAIL and RCPT, made of the texts there are, as long as they pack. */
static void fill_wishes(struct envelope *envelope)
{
    envelope->envid = slice_first(envelope->user, ENVELOPE_ENVID_MAX);
    envelope->solicit = envelope->user;
    envelope->ret = (enum envelope_return)(envelope->user.len % 3);
    envelope->by = (enum envelope_by)(envelope->sender.len % 3);
    envelope->by_seconds = (int64_t)envelope->user.len - 2;
    envelope->priority = (uint8_t)(envelope->user.len % 20);
    envelope->mtrk_certifier = slice_first(envelope->user, ENVELOPE_CERTIFIER_MAX);
    envelope->hold = envelope->user.len % 4 == 3 ? ENVELOPE_HOLD_FOR : ENVELOPE_HOLD_NONE;
    envelope->hold_value = 1;
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        struct envelope_recipient *recipient = &envelope->recipients[i];

        recipient->notify = recipient->address.len % (ENVELOPE_NOTIFY_ALL + 1);
        recipient->orcpt = slice_first(recipient->address, ENVELOPE_ORCPT_MAX);
        recipient->rrvs = (enum envelope_rrvs)(recipient->address.len % 4);
        recipient->rrvs_since = (int64_t)envelope->sender.len << 28;
    }
}

/* A sound record of an envelope that no parser has seen; where the user's name begins with "+",
 * with wishes. */
static void write_record(struct cursor *in)
{
    struct segment_writer *writer = some_segment(in);
    struct envelope_recipient recipients[8] = { 0 };
    struct envelope envelope = { .recipients = recipients };
    struct record_draft draft, *drafts[] = { &draft };
    struct slice header, body;
    struct buffer packed;

    envelope.id = rig_id(cursor_u8(in) % 16);
    envelope.recipient_count = 1 + cursor_u8(in) % LENGTH_OF(recipients);
    for (size_t i = 0; i < envelope.recipient_count; i++)
        recipients[i].address = take_text(in);
    envelope.sender = take_text(in);
    envelope.user = take_text(in);
    envelope.client = slice_first(take_text(in), ENVELOPE_CLIENT_MAX);
    envelope.arrival_us = cursor_u8(in) & 1 ? (int64_t)cursor_u64(in) : clock_wall_us();
    envelope.notice = (enum envelope_notice)(cursor_u8(in) % (NOTICE_DELAY + 1));
    envelope.about = rig_id(cursor_u8(in) % 16);
    header = take_text(in);
    body = take_text(in);
    envelope.header_size = header.len;
    envelope.body_size = cursor_u8(in) & 1 ? cursor_u64(in) : body.len;
    if (cursor_u8(in) & 1)
        envelope.body_file = liar->spare_count > 0 ? liar->spares[0].number : cursor_u64(in);
    if (envelope.user.len > 0 && envelope.user.data[0] == '+')
        fill_wishes(&envelope);
    buffer_init(&packed, ENVELOPE_MAX);
    if (writer && envelope_pack(&packed, &envelope) == ERR_OK &&
        record_draft_init(&draft, envelope.id, buffer_slice(&packed), &header, 1, &body, 1) ==
            ERR_OK)
        (void)!segment_append(writer, drafts, 1);
    buffer_clear(&packed);
}

/* ---- the relay ---- */

static void connect_crook(struct cursor *in)
{
    struct msg_job_ref refs[4] = { 0 };
    size_t count = cursor_u8(in) % (LENGTH_OF(refs) + 1);

    if (crook->channel)
        return;
    rig_relay_plug(&rig, crook);
    for (size_t i = 0; i < count; i++) {
        struct queue_id id = rig_id(cursor_u8(in) % 16);

        refs[i] = (struct msg_job_ref){ cursor_u8(in), id.high, id.low };
    }
    if (cursor_u8(in) & 1)
        rig_relay_say(crook, refs, count);
}

static void leave_crook(struct cursor *in)
{
    if (cursor_u8(in) & 1)
        rig_relay_unplug(crook);
    else
        rig_relay_forget(crook);
}

static void answer(struct cursor *in)
{
    struct msg_result results[6] = { 0 };
    struct rig_job *job = NULL;
    struct msg_outcome outcome = { .results = results };
    size_t which = cursor_u8(in);

    if (crook->job_count > 0)
        job = &crook->jobs[which % crook->job_count];
    outcome.job = job ? job->job.job : cursor_u64(in);
    outcome.id_high = job ? job->id.high : rig_id(which % 16).high;
    outcome.id_low = job ? job->id.low : rig_id(which % 16).low;
    outcome.started_us = clock_wall_us();
    outcome.finished_us = cursor_u8(in) & 1 ? (int64_t)cursor_u64(in) : outcome.started_us;
    outcome.remote_host = take_text(in);
    outcome.remote_address = take_text(in);
    outcome.tls_version = take_text(in);
    outcome.result_count = cursor_u8(in) % (LENGTH_OF(results) + 1);
    for (size_t i = 0; i < outcome.result_count; i++)
        results[i] = (struct msg_result){ .index = cursor_u8(in) % 10,
            .result = (enum delivery_result)(cursor_u8(in) % (DELIVERY_RETURNED + 1)),
            .cause = (enum delivery_cause)(cursor_u8(in) % (CAUSE_LOCAL + 1)),
            .code = cursor_u16(in),
            .status = take_text(in),
            .text = take_text(in) };
    if (crook->channel)
        channel_send(crook->channel, MSG_OUTCOME, &outcome, -1);
}

/* ---- either ---- */

/* A room that sends octets of its own choice: on a socket of its own, as gate 2 or the maildrop. */
static void send_octets(struct cursor *in)
{
    struct msg_peer peer = { cursor_u8(in) & 1 ? ROLE_GATE : ROLE_MAILDROP, 2 };
    struct slice text = take_text(in);
    int ends[2];

    peer.index = peer.role == ROLE_GATE ? 2 : 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    queue_room.peer(&rig.room, &peer, ends[1]);
    (void)!send(ends[0], text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (int i = 0; i < 4; i++)
        loop_turn(rig.loop, 0);
    close(ends[0]);
}

static void wait(struct cursor *in)
{
    for (unsigned i = cursor_u8(in) % 8; i > 0; i--)
        loop_turn(rig.loop, 2);
}

static void (*const acts[])(struct cursor *in) = { connect_liar, leave_liar, ring, cut, scribble,
    write_record, connect_crook, leave_crook, answer, send_octets, wait };

static void play(struct slice script)
{
    struct cursor in = cursor_of(script);

    for (int i = 0; i < ACTS_MOST && in.rest.len > 0 && in.error == ERR_OK; i++) {
        acts[cursor_u8(&in) % LENGTH_OF(acts)](&in);
        loop_turn(rig.loop, 0);
    }
}

/* The honest gate's message is there, whatever the others did. */
static void submit_honestly(unsigned number)
{
    rig_submit(&rig, &(struct rig_mail){ .number = number });
    rig_until(&rig, rig_message(&rig, number));
}

static void restart(void)
{
    struct cursor nothing = cursor_of(slice_of(NULL, 0));

    leave_liar(&nothing);
    rig_relay_forget(crook);
    rig_crash(&rig);
    rig_gate_die(&rig);
    rig_start(&rig);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
    rig_until(&rig, rig_message(&rig, HONEST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice script = slice_of(data, size);
    struct cursor nothing = cursor_of(slice_of(NULL, 0));
    struct cursor wishes = cursor_of(slice_text("\2\1"));
    bool is_restarted = take_octet(&script) & 1;

    if (!liar)
        log_open("fuzz", LOG_ERROR - 1);
    lazy_disk_install();
    liar = &liars;
    crook = &rig.relays[0];
    rig_make(&rig);
    liars = (struct rig_gate){ .rig = &rig, .index = 1 };
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    connect_liar(&wishes);
    rig_until(&rig, liar->writer_count > 0 && rig_queue(&rig)->is_recovered);
    play(script);
    submit_honestly(HONEST);
    if (is_restarted)
        restart();
    leave_liar(&nothing);
    rig_remove(&rig);
    return 0;
}
