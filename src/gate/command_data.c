/* gate/command_data.c: DATA and BDAT: content, and what a refused BDAT brings with it. */
#include "base/clock.h"
#include "gate/accept.h"
#include "gate/command.h"
#include "gate/fetching.h"
#include "gate/gate.h"
#include "gate/partial.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "policy/rights.h"
#include "smtp/extension.h"

enum {
    SPARE_MS = BLANK_MS,
    FILE_MS = 60000,
    REPLAY_PER_MS = 1000,     /* octets that the slowest disk of all reads and writes */
    CONTENT_MS = 600000,      /* that long content may come as slowly as it likes … */
    CONTENT_PER_SECOND = 100, /* … and from then on not below this, on average, in octets */
};

static enum answer body_moved(struct session *s)
{
    if (s->phase == PHASE_COMMIT)
        return accept_go_on(s);
    if (s->phase == PHASE_FETCH)
        return fetching_go_on(s);
    return s->phase == PHASE_CHUNK ? chunk_read(s) : data_read(s);
}

/* The body of the session's transaction moved; it may be that somebody waits for that. */
static void on_moved(void *owner)
{
    struct session *s = owner;
    enum wait wait = s->wait;
    bool is_due = (wait == WAIT_BODY && !body_is_stuck(&s->transaction->body)) ||
                  (wait == WAIT_FETCH && s->transaction->body.error != ERR_OK);

    if (!is_due)
        return;
    session_woken(s, wait);
    session_settle(s, body_moved(s));
}

/* What was kept of the content comes first. */
static void replay_kept(struct transaction *t)
{
    struct partial *p = t->partial;
    int file;

    if (!p || p->phase != PARTIAL_RESUMED)
        return;
    file = p->file;
    p->file = -1;
    body_replay(&t->body, p->front, file, p->file_octets);
}

void content_open(struct session *s)
{
    const struct conf *conf = s->snapshot->conf;
    struct body_limits limits = {
        .size = rights_size(conf, session_mail_grant(s), session_narrower(s)),
        .large = conf->spool.large_message,
        .is_binary = s->transaction->parameters.body == BODY_BINARYMIME,
    };

    if (s->transaction->body.state != BODY_CLOSED)
        return;
    body_open(&s->transaction->body, &s->gate->commit.spares, &limits, on_moved, s);
    s->transaction->content_since_ms = clock_mono_ms();
    replay_kept(s->transaction);
}

/* What was kept is read and written again while the client waits. */
static int64_t replay_ms(const struct transaction *t)
{
    return t->is_resumed ? (int64_t)(t->partial->octets / REPLAY_PER_MS) : 0;
}

void content_spoil(struct session *s)
{
    transaction_free(&s->transaction);
    session_move(s, PHASE_SPOILT);
}

enum answer body_wait(struct session *s)
{
    const struct transaction *t = s->transaction;

    session_wait(s, WAIT_BODY, t->body.state == BODY_WANTING ? SPARE_MS : FILE_MS + replay_ms(t));
    return ANSWER_WAIT;
}

/* A client that sends an octet every four minutes would keep its place for ever. */
static bool is_too_slow(int64_t since_ms, uint64_t octets)
{
    int64_t allowed_ms = CONTENT_MS + (int64_t)(octets / CONTENT_PER_SECOND) * 1000;

    return clock_mono_ms() - since_ms > allowed_ms;
}

static enum answer wait_for_octets(struct session *s, int64_t since_ms, uint64_t octets)
{
    if (!is_too_slow(since_ms, octets))
        return ANSWER_MORE;
    session_say(s, REPLY_IDLE);
    return ANSWER_CLOSE;
}

/* More content has to come, or the body to move on first. */
static enum answer wait_for_more(struct session *s)
{
    struct transaction *t = s->transaction;

    if (body_is_stuck(&t->body))
        return body_wait(s);
    return wait_for_octets(s, t->content_since_ms, body_content(&t->body));
}

enum answer body_is_late(struct session *s)
{
    body_give_up(&s->transaction->body);
    return body_moved(s);
}

/* Why there can be no content yet; NO_OBJECTION when there can (CMD-10). */
static enum reply_id objection(const struct transaction *t)
{
    if (t->is_resumed)
        return NO_OBJECTION;
    if (t->recipient_count > 0)
        return NO_OBJECTION;
    return t->tried > 0 ? REPLY_NO_VALID_RECIPIENTS : REPLY_RCPT_FIRST;
}

/* Some of the kept recipients were given again, and not all: the client means other ones. */
static bool is_another(const struct transaction *t)
{
    return t->is_resumed && t->restated > 0 && t->restated < t->recipient_count;
}

enum answer command_data(struct session *s, struct slice argument)
{
    enum reply_id reply = s->transaction->parameters.body == BODY_BINARYMIME
                              ? REPLY_DATA_BINARY /* EXT-BINARYMIME-1 */
                              : objection(s->transaction);

    (void)argument;
    if (is_another(s->transaction)) {
        session_reset(s);
        session_say(s, REPLY_OTHER_TRANSACTION);
        return ANSWER_REPLY;
    }
    if (reply) {
        session_say(s, reply);
        return ANSWER_REPLY;
    }
    content_open(s);
    session_move(s, PHASE_DATA);
    if (s->transaction->is_resumed)
        session_sayf(s, REPLY_DATA_READY, "Go on at octet %llu, end data with <CR><LF>.<CR><LF>",
            (unsigned long long)s->transaction->partial->octets);
    else
        session_say(s, REPLY_DATA_READY);
    return ANSWER_REPLY;
}

enum answer data_read(struct session *s)
{
    struct body *body = &s->transaction->body;
    bool is_end;

    if (body_is_stuck(body))
        return body_wait(s);
    session_consume(s, body_take_data(body, stream_input(s->stream), &is_end));
    return is_end ? accept_message(s) : wait_for_more(s);
}

/* Chunks. */

static enum answer begin_chunk(struct session *s, struct chunk chunk)
{
    s->chunk = chunk;
    s->chunk.since_ms = clock_mono_ms();
    session_move(s, PHASE_CHUNK);
    return chunk_read(s);
}

/* Its octets are read and dropped before the reply (EXT-CHUNKING-3). Inside a transaction nothing
 * but RSET helps then: the message has a hole. */
static enum answer refuse_chunk(struct session *s, const struct bdat *bdat, enum reply_id reply)
{
    struct chunk chunk = {
        .left = bdat->size, .size = bdat->size, .is_refused = true, .reply = reply
    };

    chunk.after = phase_in(s->phase, PHASES_TRANSACTION) ? PHASE_SPOILT : s->phase;
    transaction_free(&s->transaction);
    return begin_chunk(s, chunk);
}

/* The stream behind the command is lost with its size (EXT-CHUNKING-6). */
static enum answer lose_chunk(struct session *s, enum reply_id reply)
{
    session_say(s, reply);
    session_say(s, REPLY_CHUNK_LOST);
    return ANSWER_CLOSE;
}

enum answer command_bdat_refused(struct session *s, struct slice argument, enum reply_id reply)
{
    struct bdat bdat;

    switch (bdat_parse(argument, &bdat)) {
    case BDAT_LOST:
        return lose_chunk(s, reply);
    case BDAT_SYNTAX:
        session_say(s, reply);
        return ANSWER_REPLY;
    default:
        return refuse_chunk(s, &bdat, reply);
    }
}

static uint64_t size_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* What is kept of it and will be taken first is there already. */
static uint64_t content_so_far(const struct transaction *t)
{
    return t->body.state == BODY_CLOSED && t->is_resumed ? t->partial->octets
                                                         : body_content(&t->body);
}

static bool is_too_big(const struct session *s, const struct bdat *bdat)
{
    const struct rights_case asked = { .step = RIGHTS_CONTENT,
        .conf = s->snapshot->conf,
        .grant = session_mail_grant(s),
        .narrower = session_narrower(s),
        .size = size_sum(content_so_far(s->transaction), bdat->size) };

    return rights_decide(&asked).verdict == RIGHTS_REFUSED;
}

static enum answer take_chunk(struct session *s, const struct bdat *bdat)
{
    enum reply_id reply = objection(s->transaction);

    if (is_another(s->transaction))
        reply = REPLY_OTHER_TRANSACTION;
    if (reply)
        return refuse_chunk(s, bdat, reply);
    if (is_too_big(s, bdat))
        return refuse_chunk(s, bdat, REPLY_TOO_BIG); /* EXT-CHUNKING-7 */
    content_open(s);
    return begin_chunk(
        s, (struct chunk){ .left = bdat->size, .size = bdat->size, .last = bdat->last });
}

enum answer command_bdat(struct session *s, struct slice argument)
{
    struct bdat bdat;

    if (!s->is_esmtp)
        return command_bdat_refused(s, argument, REPLY_EHLO_FIRST); /* CMD-4 */
    if (!(s->offered & EXTENSION_BIT(EXTENSION_CHUNKING)))
        return command_bdat_refused(s, argument, REPLY_NOT_OFFERED); /* CMD-19 */
    switch (bdat_parse(argument, &bdat)) {
    case BDAT_LOST:
        return lose_chunk(s, REPLY_CHUNK_SIZE);
    case BDAT_SYNTAX:
        session_say(s, REPLY_CHUNK_SIZE);
        return ANSWER_REPLY;
    case BDAT_OPTION:
        return refuse_chunk(s, &bdat, REPLY_BAD_ARGUMENT);
    default:
        return take_chunk(s, &bdat);
    }
}

static enum answer end_chunk(struct session *s)
{
    if (s->chunk.is_refused) {
        session_move(s, s->chunk.after);
        session_say(s, s->chunk.reply);
        return ANSWER_REPLY;
    }
    if (s->chunk.last) {
        body_end(&s->transaction->body);
        return accept_message(s);
    }
    session_move(s, PHASE_CHUNKS);
    session_sayf(s, REPLY_CHUNK_OK, "%llu octets received", (unsigned long long)s->chunk.size);
    return ANSWER_REPLY;
}

enum answer chunk_read(struct session *s)
{
    struct slice bytes = slice_first(stream_input(s->stream), s->chunk.left);

    if (!s->chunk.is_refused) {
        if (body_is_stuck(&s->transaction->body))
            return body_wait(s);
        body_take_chunk(&s->transaction->body, bytes);
    }
    s->chunk.left -= bytes.len;
    session_consume(s, bytes.len);
    if (s->chunk.left == 0)
        return end_chunk(s);
    if (s->chunk.is_refused)
        return wait_for_octets(s, s->chunk.since_ms, s->chunk.size - s->chunk.left);
    return wait_for_more(s);
}
