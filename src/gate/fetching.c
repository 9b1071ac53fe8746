/* gate/fetching.c: questions to the fetch room, and the reading end of the pipe. Owns the channel
 * to that room and struct fetching. Never blocks. */
#include "gate/fetching.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/accept.h"
#include "gate/command.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "ipc/channel.h"
#include "smtp/burl.h"

enum {
    PIECE = 64 << 10,
    PIECES_IN_A_TURN = 4, /* then other sessions have their turn */
    GRACE_MS = 5000,      /* for the fetch room, which keeps the time itself */
    COUNT_BITS = 16,      /* of a question's number; those above are the session's id */
};

static void close_pipe(struct fetching *f)
{
    watch_clear(&f->readable);
    if (f->pipe >= 0)
        close(f->pipe);
    f->pipe = -1;
}

void fetching_forget(struct session *s)
{
    struct fetching *f = s->fetching;
    struct fetchings *fetchings = &s->gate->fetchings;

    if (!f)
        return;
    if (!f->is_told && fetchings->channel)
        (void)channel_send(
            fetchings->channel, MSG_URL_CANCEL, &(struct msg_request){ .request = f->number }, -1);
    close_pipe(f);
    free(f);
    s->fetching = NULL;
}

/* A hole in the content, or none of it: nothing of the transaction counts any more (RFC 4468
 * section 3.2). */
static enum answer fail(struct session *s, enum reply_id reply)
{
    fetching_forget(s);
    return burl_failed(s, reply);
}

static enum answer finish(struct session *s)
{
    bool last = s->fetching->last;
    uint64_t octets = s->fetching->octets;

    fetching_forget(s);
    if (last) {
        body_end(&s->transaction->body);
        return accept_message(s);
    }
    session_move(s, PHASE_CHUNKS);
    session_sayf(s, REPLY_URL_OK, "%llu octets fetched", (unsigned long long)octets);
    return ANSWER_REPLY;
}

/* What the content does to the body; NO_OBJECTION: all is well so far. What is binary would have to
 * be converted (EXT-BURL-4). */
static enum reply_id objection(const struct body *body)
{
    if (body->error != ERR_OK)
        return body->error == ERR_NOSPACE ? REPLY_NO_SPACE : REPLY_STORAGE;
    if (body->fault == BODY_TOO_BIG)
        return REPLY_URL_TOO_BIG;
    return body->fault == BODY_SOUND ? NO_OBJECTION : REPLY_URL_CONVERSION;
}

static const enum reply_id replies[] = {
    [URL_REFUSED] = REPLY_URL_NOT_FETCHED,
    [URL_UNREACHABLE] = REPLY_URL_UNREACHABLE,
    [URL_TOO_BIG] = REPLY_URL_TOO_BIG,
    [URL_UNTRUSTED] = REPLY_URL_UNTRUSTED,
};

static enum answer wait_for_pipe(struct session *s)
{
    struct fetching *f = s->fetching;
    int64_t left_ms = f->deadline_ms - clock_mono_ms();

    if (f->pipe >= 0 && watch_enable(&f->readable, WATCH_READ) != ERR_OK)
        return fail(s, REPLY_INTERNAL);
    session_wait(s, WAIT_FETCH, left_ms);
    return ANSWER_WAIT;
}

static enum answer wait_for_body(struct session *s)
{
    watch_disable(&s->fetching->readable, WATCH_READ);
    return body_wait(s);
}

enum piece { PIECE_TAKEN, PIECE_LATER, PIECE_END, PIECE_FAILED };

static enum piece take_piece(struct session *s)
{
    struct fetching *f = s->fetching;
    char piece[PIECE];
    ssize_t got;

    do
        got = read(f->pipe, piece, sizeof piece);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? PIECE_LATER : PIECE_FAILED;
    if (got == 0)
        return PIECE_END;
    f->taken += (uint64_t)got;
    body_take_chunk(&s->transaction->body, slice_of(piece, (size_t)got));
    return PIECE_TAKEN;
}

/* The pipe is read to its end. */
static enum answer judge(struct session *s)
{
    struct fetching *f = s->fetching;

    if (!f->is_told)
        return wait_for_pipe(s);
    if (f->octets != f->taken)
        return fail(s, REPLY_URL_UNREACHABLE);
    return finish(s);
}

enum answer fetching_go_on(struct session *s)
{
    struct fetching *f = s->fetching;
    struct body *body = &s->transaction->body;

    if (f->is_told && f->result != URL_FETCHED)
        return fail(s, replies[f->result]);
    for (int i = 0; f->pipe >= 0 && i < PIECES_IN_A_TURN; i++) {
        enum piece piece = PIECE_LATER;
        enum reply_id reply = objection(body);

        if (reply)
            return fail(s, reply);
        if (body_is_stuck(body))
            return wait_for_body(s);
        piece = take_piece(s);
        if (piece == PIECE_FAILED)
            return fail(s, REPLY_INTERNAL);
        if (piece == PIECE_LATER)
            break;
        if (piece == PIECE_END)
            close_pipe(f);
    }
    if (objection(body))
        return fail(s, objection(body));
    return f->pipe < 0 ? judge(s) : wait_for_pipe(s);
}

enum answer fetching_is_late(struct session *s)
{
    return fail(s, REPLY_URL_UNREACHABLE);
}

/* The session may wait for its body's disk, and goes on when that has moved. */
static void go_on(struct session *s)
{
    if (s->wait != WAIT_FETCH)
        return;
    session_woken(s, WAIT_FETCH);
    session_settle(s, fetching_go_on(s));
}

static void on_readable(void *owner, unsigned ready UNUSED)
{
    struct fetching *f = owner;

    go_on(f->session);
}

/* Asking. */

/* Of sockets: at a pipe(7) its owner could make the writer wait. */
static bool open_pipe(struct fetching *f, int *out_theirs)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return false;
    f->pipe = ends[0];
    *out_theirs = ends[1];
    watch_init(&f->readable, f->session->gate->loop, f->pipe, on_readable, f);
    return true;
}

enum answer fetching_start(
    struct session *s, const struct burl *burl, struct slice server, uint64_t most)
{
    struct fetchings *fetchings = &s->gate->fetchings;
    struct msg_url message = {
        .snapshot = s->snapshot->conf->number, .server = server, .url = burl->url, .most = most
    };
    struct fetching *f;
    int theirs;

    if (!fetchings->channel)
        return fail(s, REPLY_URL_UNREACHABLE);
    f = s->fetching = calloc(1, sizeof *f);
    if (!f)
        return fail(s, REPLY_INTERNAL);
    *f = (struct fetching){ .session = s, .pipe = -1, .last = burl->last, .is_told = true };
    f->number = message.request = s->id << COUNT_BITS | ++fetchings->count;
    f->deadline_ms =
        clock_mono_ms() + (int64_t)s->snapshot->conf->extensions.burl_timeout * 1000 + GRACE_MS;
    if (!open_pipe(f, &theirs)) {
        log_event(LOG_ERROR, &s->log, "no pipe", log_reason(err_from_errno(errno)));
        return fail(s, REPLY_INTERNAL);
    }
    if (channel_send(fetchings->channel, MSG_URL, &message, theirs) != ERR_OK)
        return fail(s, REPLY_URL_UNREACHABLE);
    f->is_told = false;
    return wait_for_pipe(s);
}

/* Answers. */

static struct session *asker(struct fetchings *fetchings, uint64_t number)
{
    struct session *s = session_find(fetchings->gate, number >> COUNT_BITS);

    return s && s->fetching && s->fetching->number == number ? s : NULL;
}

static void tell(struct session *s, enum url_result result, uint64_t octets)
{
    s->fetching->is_told = true;
    s->fetching->result = result;
    s->fetching->octets = octets;
    go_on(s);
}

static void on_url_done(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_url_done *m = message;
    struct session *s = asker(owner, m->request);

    if (s && !s->fetching->is_told)
        tell(s, m->result, m->octets);
}

static const struct channel_handler handlers[] = { { MSG_URL_DONE, on_url_done } };

static void lose(struct fetchings *fetchings)
{
    struct session *s, *next;

    channel_free(&fetchings->channel);
    HASH_ITER (hh, fetchings->gate->sessions, s, next)
        if (s->fetching && !s->fetching->is_told)
            tell(s, URL_UNREACHABLE, 0);
}

static void on_closed(void *owner, struct channel *channel UNUSED)
{
    lose(owner);
}

void fetchings_attach(struct fetchings *fetchings, int fd)
{
    const struct channel_spec spec = { .self = ROLE_GATE,
        .peer = ROLE_FETCH,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_closed,
        .owner = fetchings };

    lose(fetchings);
    fetchings->channel = channel_new(fetchings->gate->loop, fd, &spec);
    if (!fetchings->channel)
        log_event(LOG_ERROR, NULL, "no channel to the fetch room");
}

void fetchings_init(struct fetchings *fetchings, struct gate *gate)
{
    *fetchings = (struct fetchings){ .gate = gate };
}

void fetchings_clear(struct fetchings *fetchings)
{
    channel_free(&fetchings->channel);
}
