/* gate/accept.c: the end of a message: verdict, completion, envelope, record, reply. */
#include "gate/accept.h"

#include <assert.h>
#include <sys/random.h>

#include "base/clock.h"
#include "gate/gate.h"
#include "gate/partial.h"
#include "gate/report.h"
#include "gate/session.h"
#include "gate/solicitation.h"
#include "gate/transaction.h"
#include "message/completion.h"
#include "message/header.h"
#include "policy/priority.h"

enum {
    INDEX_OCTETS = 2 << 20, /* HEADER_FIELDS_MAX fields with room to spare */
    FILE_MS = 60000,        /* for the disk to take a body */
    COMMIT_MS = 110000,     /* SUB-5.3-1: within two minutes the client knows, or is let go */
};

/* Refusals. */

static const struct {
    enum reply_id reply;
    const char *before; /* the line's number */
    const char *after;
} body_faults[] = {
    [BODY_BARE_CR] = { REPLY_BARE_NEWLINE, "Bare CR or LF not allowed: line ",
        " holds a CR without LF" },
    [BODY_BARE_LF] = { REPLY_BARE_NEWLINE, "Bare CR or LF not allowed: line ",
        " holds an LF without CR" },
    [BODY_NUL] = { REPLY_NUL, "NUL not allowed: line ", " holds one" },
    [BODY_LONG_LINE] = { REPLY_LONG_LINE, "Line ", " is longer than 998 octets" },
    [BODY_TEXT] = { REPLY_BARE_NEWLINE, "Bare CR or LF not allowed in text: line ", " holds one" },
    [BODY_DEEP] = { REPLY_HEADER_LIMIT, "Line ", " begins one multipart too many inside another" },
};

static const enum reply_id header_faults[HEADER_FAULTS] = {
    [HEADER_TOO_LARGE] = REPLY_HEADER_LIMIT,
    [HEADER_TOO_MANY_FIELDS] = REPLY_HEADER_LIMIT,
    [HEADER_FIELD_TOO_LARGE] = REPLY_HEADER_LIMIT,
    [HEADER_LINE_TOO_LONG] = REPLY_LONG_LINE,
    [HEADER_BARE_NEWLINE] = REPLY_BARE_NEWLINE,
    [HEADER_NUL] = REPLY_NUL,
    [HEADER_BAD_LINE] = REPLY_MESSAGE_SYNTAX,
    [HEADER_NO_FROM] = REPLY_NO_FROM,
    [HEADER_REPEATED_FIELD] = REPLY_MESSAGE_SYNTAX,
    [HEADER_LOOP] = REPLY_LOOP,
    [HEADER_NOT_UTF8] = REPLY_MESSAGE_SYNTAX,
    [HEADER_8BIT_ADDRESS] = REPLY_HEADER_UTF8,
};

/* The reply was said; the transaction is over. */
static enum answer finish(struct session *s)
{
    session_reset(s);
    return ANSWER_VERDICT;
}

static enum answer say(struct session *s, enum reply_id reply)
{
    session_say(s, reply);
    return finish(s);
}

static enum answer refuse_header(struct session *s, const struct header_verdict *verdict)
{
    session_sayf(s, header_faults[verdict->fault], "%s", verdict->text);
    return finish(s);
}

static enum answer refuse_octets(struct session *s, const struct body *body)
{
    session_sayf(s, body_faults[body->fault].reply, "%s%llu%s", body_faults[body->fault].before,
        (unsigned long long)body->fault_line, body_faults[body->fault].after);
    return finish(s);
}

/* A body that was given up on the way. */
static enum answer refuse_body(struct session *s, const struct body *body)
{
    if (body->fault == BODY_TOO_BIG)
        return say(s, REPLY_TOO_BIG);
    if (body->fault != BODY_SOUND)
        return refuse_octets(s, body);
    if (body->error == ERR_OK)
        return refuse_header(s, &body->header.verdict);
    log_event(LOG_ERROR, &s->log, "message not stored", log_reason(body->error));
    return say(s, body->error == ERR_NOSPACE ? REPLY_NO_SPACE : REPLY_STORAGE); /* DATA-16 */
}

/* Completion. */

static uint64_t random_number(void)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint64_t)clock_wall_us();
    return number;
}

static void complete(struct session *s, struct entry *entry, const struct header_index *index)
{
    const struct tls_info *tls = stream_tls_info(s->stream);
    const struct conf *conf = s->snapshot->conf;
    char client[PEER_TEXT];
    char id[QUEUE_ID_TEXT + 1];
    struct completion_facts facts = {
        .received = { .ehlo = session_ehlo(s),
            .by = conf->hostname,
            .protocol = received_protocol(
                s->is_esmtp, tls != NULL, s->login != NULL, s->transaction->parameters.smtputf8),
            .tls_cipher = slice_text(tls ? tls->cipher : NULL),
            .tls_group = slice_text(tls ? tls->group : NULL),
            .solicit = s->transaction->parameters.solicit,
            .has_priority = s->transaction->parameters.has_priority,
            .priority = s->transaction->parameters.priority,
            .wall = clock_wall(),
            .hide_client = conf->hide_client },
        .random = random_number(),
    };

    peer_text(&s->peer, client);
    queue_id_format(entry->id, id);
    facts.received.client = slice_text(client);
    facts.received.queue_id = slice_text(id);
    entry->fixups = completion_put(&entry->header, index, &facts);
}

/* SOLICIT and the header say the same (EXT-NOSOL-2), and it is none of what is not taken
 * (EXT-NOSOL-3), however the client has greeted. What the header says is passed on (EXT-NOSOL-4).
 * Only where there is NO-SOLICITING: else the field is text as any other. */
static enum reply_id solicitation_objection(
    struct session *s, const struct header_index *index, struct arena *arena)
{
    const struct conf_extensions *extensions = &s->snapshot->conf->extensions;
    struct transaction *t = s->transaction;
    struct slice said = t->parameters.solicit, words;

    if (extensions->no_soliciting_count == 0)
        return NO_OBJECTION;
    if (!solicitation_read(index, arena, &words))
        return REPLY_SOLICITATION;
    if (said.len > 0 && !slice_equals_nocase(said, words))
        return REPLY_SOLICITATION;
    if (solicitation_is_refused(extensions, words))
        return REPLY_SOLICITED;
    return arena_copy(&t->arena, words, &t->parameters.solicit) ? NO_OBJECTION : REPLY_INTERNAL;
}

/* Judges the header block and writes the final one into a new entry. */
static enum answer make_entry(struct session *s, struct arena *arena)
{
    struct transaction *t = s->transaction;
    struct header_verdict verdict;
    struct header_index index;
    enum reply_id objection;

    if (header_index_build(header_scan_block(&t->body.header), arena, &index) != ERR_OK)
        return say(s, REPLY_INTERNAL);
    if (!header_check(&index, t->parameters.smtputf8, &verdict))
        return refuse_header(s, &verdict);
    objection = solicitation_objection(s, &index, arena);
    if (objection)
        return say(s, objection);
    t->entry = entry_new();
    if (!t->entry)
        return say(s, REPLY_INTERNAL);
    t->entry->id = queue_id_new();
    t->entry->session = s->id;
    t->entry->is_8bit_header = index.charset != HEADER_ASCII;
    complete(s, t->entry, &index);
    if (!t->partial)
        header_scan_clear(&t->body.header); /* else it may be cut off even now */
    return accept_go_on(s);
}

/* Whose SIZE said less, or nothing. */
static bool is_too_big_for_priority(const struct session *s)
{
    const struct transaction *t = s->transaction;

    return priority_judge(&s->snapshot->conf->extensions, t->parameters.priority,
               body_content(&t->body)) == PRIORITY_TOO_BIG;
}

/* The message was taken before, and only the client did not hear it. */
static enum answer say_again(struct session *s)
{
    struct queue_id taken = s->transaction->partial->id;
    char id[QUEUE_ID_TEXT + 1];

    if (s->transaction->body.given > 0)
        return say(s, REPLY_OTHER_TRANSACTION);
    queue_id_format(taken, id);
    session_sayf(s, REPLY_QUEUED, "Ok: queued as %s", id);
    partial_given(&s->transaction->partial, s->transaction);
    partial_said(s, taken);
    return finish(s);
}

enum answer accept_message(struct session *s)
{
    struct arena arena;
    enum answer answer;

    session_move(s, PHASE_COMMIT);
    if (s->transaction->partial && s->transaction->partial->phase == PARTIAL_MISSED)
        return say_again(s);
    if (s->transaction->body.state == BODY_DROPPING)
        return refuse_body(s, &s->transaction->body);
    if (is_too_big_for_priority(s))
        return say(s, REPLY_PRIORITY_SIZE); /* EXT-MTPRI-3 */
    arena_init(&arena, INDEX_OCTETS);
    answer = make_entry(s, &arena);
    arena_clear(&arena);
    return answer;
}

/* The record. What smtp/ reads and what the spool keeps have the same numbers, and neither may know
 * the other. */

_Static_assert((int)RETURN_HEADERS == ENVELOPE_RETURN_HEADERS &&
                   (int)BY_RETURN == ENVELOPE_BY_RETURN && (int)HOLD_UNTIL == ENVELOPE_HOLD_UNTIL &&
                   (int)RRVS_REJECT == ENVELOPE_RRVS_REJECT &&
                   (int)NOTIFY_DELAY == ENVELOPE_NOTIFY_DELAY,
    "the same numbers");

static void put_parameters(struct envelope *envelope, const struct mail_parameters *from)
{
    envelope->ret = (enum envelope_return)from->ret;
    envelope->envid = from->envid;
    envelope->require_tls = from->require_tls;
    envelope->by = (enum envelope_by)from->by.mode;
    envelope->by_trace = from->by.trace;
    envelope->by_seconds = from->by.seconds;
    envelope->priority =
        from->has_priority ? (uint8_t)(from->priority + ENVELOPE_PRIORITY_ZERO) : 0;
    envelope->mtrk_certifier = from->mtrk.certifier;
    envelope->mtrk_timeout = from->mtrk.timeout;
    envelope->solicit = from->solicit;
    envelope->conperm = from->conperm;
    envelope->hold = (enum envelope_hold)from->hold.kind;
    envelope->hold_value = from->hold.value;
}

static enum envelope_body body_kind(enum body_type stated)
{
    static const enum envelope_body kinds[] = {
        [BODY_UNSTATED] = ENVELOPE_7BIT,
        [BODY_7BIT] = ENVELOPE_7BIT,
        [BODY_8BITMIME] = ENVELOPE_8BITMIME,
        [BODY_BINARYMIME] = ENVELOPE_BINARYMIME,
    };

    return kinds[stated];
}

/* Of binary content anything may be one line. */
static uint32_t longest_line(const struct content *content)
{
    return content->longest_line > UINT32_MAX ? UINT32_MAX : (uint32_t)content->longest_line;
}

static enum err pack_envelope(struct session *s, struct entry *entry)
{
    const struct transaction *t = s->transaction;
    const struct tls_info *tls = stream_tls_info(s->stream);
    char client[PEER_TEXT];
    struct envelope envelope = {
        .id = entry->id,
        .arrival_us = clock_wall_us(),
        .sender = t->sender,
        .sender_flags = t->sender_utf8 ? MAILBOX_UTF8 : 0,
        .user = session_user(s),
        .mechanism = s->login ? s->login->mechanism : (struct slice){ 0 },
        .listener = slice_first(s->listener->name, ENVELOPE_LISTENER_MAX),
        .client_port = s->peer.port,
        .ehlo = session_ehlo(s),
        .tls_version = slice_text(tls ? tls->version : NULL),
        .tls_cipher = slice_text(tls ? tls->cipher : NULL),
        .body_kind = body_kind(t->parameters.body),
        .smtputf8 = t->parameters.smtputf8,
        .eight_bit_header = entry->is_8bit_header,
        .eight_bit_body = t->body.is_8bit,
        .longest_line = longest_line(&t->body.decoder.content),
        .header_size = entry->header.len,
        .body_size = t->body.size,
        .body_file = entry->file ? entry->file->number : 0,
        .body_checksum = entry->file ? entry->file->checksum : 0,
        .recipients = t->recipients,
        .recipient_count = t->recipient_count,
    };

    peer_text(&s->peer, client);
    envelope.client = slice_text(client);
    put_parameters(&envelope, &t->parameters);
    return envelope_pack(&entry->envelope, &envelope);
}

/* Everything is there: to the sync thread. */
static enum answer submit(struct session *s)
{
    struct transaction *t = s->transaction;
    struct entry *entry = t->entry;
    enum err code;

    entry->file = t->body.file;
    t->body.file = NULL;
    entry->body = t->body.small;
    buffer_init(&t->body.small, 0);
    code = pack_envelope(s, entry);
    if (code == ERR_OK)
        code = entry_seal(entry);
    if (code) {
        log_event(LOG_ERROR, &s->log, "no record of the message", log_reason(code));
        return say(s, REPLY_INTERNAL);
    }
    t->entry = NULL;
    if (t->partial)
        partial_given(&t->partial, t);
    entry->partial = t->partial ? t->partial->request : 0;
    session_wait(s, WAIT_COMMIT, COMMIT_MS);
    commit_give(&s->gate->commit, entry);
    return ANSWER_WAIT;
}

enum answer accept_go_on(struct session *s)
{
    struct body *body = &s->transaction->body;

    if (body->state == BODY_DROPPING)
        return refuse_body(s, body);
    if (body->state == BODY_DONE)
        return submit(s);
    if (body->state == BODY_FILING && body->file->state == BODY_FILE_TAKEN)
        body_sync(body);
    session_wait(s, WAIT_BODY, body->state == BODY_WANTING ? BLANK_MS : FILE_MS);
    return ANSWER_WAIT;
}

/* The last word. */

static enum answer say_kept(struct session *s, const struct entry *entry)
{
    char id[QUEUE_ID_TEXT + 1];

    if (s->gate->state == GATE_ORPHANED)
        return ANSWER_VANISH; /* design.md section 2, rule 8 */
    queue_id_format(entry->id, id);
    conduct_accepted(&s->conduct);
    session_sayf(s, REPLY_QUEUED, "Ok: queued as %s", id);
    partial_said(s, entry->id);
    return finish(s);
}

static enum answer say_result(
    struct session *s, const struct entry *entry, enum commit_result result)
{
    if (result == COMMIT_KEPT)
        return say_kept(s, entry);
    if (result == COMMIT_UNKNOWN)
        return ANSWER_VANISH;
    return say(s, result == COMMIT_NO_ROOM ? REPLY_NO_SPACE : REPLY_STORAGE);
}

void accept_told(void *owner, const struct entry *entry, enum commit_result result)
{
    struct gate *gate = owner;
    struct session *s = session_find(gate, entry->session);

    if (s && s->wait != WAIT_COMMIT)
        s = NULL; /* it has given up waiting and is closing */
    report_commit(gate, s, entry, result);
    partial_told(&gate->partials, entry->partial, entry->id, result == COMMIT_KEPT);
    if (!s)
        return;
    session_woken(s, WAIT_COMMIT);
    session_settle(s, say_result(s, entry, result));
}
