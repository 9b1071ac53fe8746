/* gate/partial.c: the life of a transaction with a TRANSID, and the conversation with the queue
 * about it. Owns struct partial. */
#include "gate/partial.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "ipc/channel.h"
#include "spool/disk.h"

enum {
    ASK_MS = 20000, /* another session may have to let go of it first */
    BACKLOG_MOST = 16 << 20,
    ARENA_MOST = 8 << 20, /* texts, the front and 4096 recipients at their longest */
};

void partials_init(struct partials *ps, struct gate *gate)
{
    *ps = (struct partials){ .gate = gate, .next_request = 1 };
}

static struct partial *find(const struct partials *ps, uint64_t request)
{
    struct partial *p;

    DL_FOREACH (ps->list, p)
        if (p->request == request)
            return p;
    return NULL;
}

static void close_file(struct partial *p)
{
    disk_close(p->gate->commit.disk, &p->file);
}

static void partial_free(struct partial *p)
{
    struct partials *ps = &p->gate->partials;

    if (p->phase == PARTIAL_SAVING)
        ps->saving--;
    DL_DELETE(ps->list, p);
    close_file(p);
    body_file_drop(&p->kept.file);
    buffer_clear(&p->kept.front);
    arena_clear(&p->arena);
    free(p);
    gate_session_gone(ps->gate);
}

void partials_clear(struct partials *ps)
{
    while (ps->list)
        partial_free(ps->list);
}

/* ---- to the queue ---- */

/* The transaction may end before the queue is told. */
static bool copy_recipients(struct partial *p, const struct transaction *t)
{
    struct msg_partial_recipient *list =
        arena_array(&p->arena, t->recipient_count + 1, sizeof *list);

    if (!list)
        return false;
    for (size_t i = 0; i < t->recipient_count; i++) {
        const struct envelope_recipient *from = &t->recipients[i];
        list[i] = (struct msg_partial_recipient){ .flags = from->flags,
            .notify = from->notify,
            .rrvs = (uint8_t)from->rrvs,
            .rrvs_since = from->rrvs_since };
        if (!arena_copy(&p->arena, from->address, &list[i].address) ||
            !arena_copy(&p->arena, from->orcpt, &list[i].orcpt))
            return false;
    }
    p->recipients = list;
    p->recipient_count = t->recipient_count;
    return true;
}

static bool send_keep(struct partial *p)
{
    uint64_t front = p->kept.front.len;
    struct msg_partial_keep message = {
        .request = p->request,
        .key = p->key,
        .content = { .recipients = p->recipients,
            .recipient_count = p->recipient_count,
            .octets = p->kept.octets,
            .front = buffer_slice(&p->kept.front) },
    };

    if (p->kept.file) {
        message.content.body_file = p->kept.file->number;
        message.content.body_octets = p->kept.octets - front;
        message.content.body_size = p->kept.file->writer.size;
        message.content.body_checksum = p->kept.file->checksum;
    }
    /* Nobody writes it any more when the queue hears of it. */
    if (p->kept.file)
        body_file_keep(&p->kept.file);
    return commit_tell(&p->gate->commit, MSG_PARTIAL_KEEP, &message);
}

static bool send_end(struct partial *p)
{
    struct msg_partial_end message = {
        .request = p->request,
        .key = p->key,
        .end = p->end,
        .id_high = p->id.high,
        .id_low = p->id.low,
    };

    if (p->end == PARTIAL_TAKEN)
        message.content = (struct msg_partial_content){
            .recipients = p->recipients, .recipient_count = p->recipient_count, .octets = p->octets
        };
    return commit_tell(&p->gate->commit, MSG_PARTIAL_END, &message);
}

/* When many clients are cut off at once, not all that they sent is passed on: the queue's channel
 * is needed for mail. Nobody names the file, so it serves another body. */
static void keep_within_bounds(struct partial *p)
{
    if (!p->is_kept || channel_backlog(p->gate->commit.queue) < BACKLOG_MOST)
        return;
    p->is_kept = false;
    p->end = PARTIAL_LEFT;
    body_file_drop(&p->kept.file);
}

/* Tells the queue how it ended, and is gone; or waits for a queue. One of which nothing is on the
 * disk and nothing wanted needs no queue to know. */
static void finish(struct partial *p)
{
    bool is_worth_waiting = p->is_kept || p->end == PARTIAL_TAKEN || p->octets > 0;

    if (p->phase == PARTIAL_SAVING)
        p->gate->partials.saving--;
    p->phase = PARTIAL_ENDED;
    if (p->gate->commit.queue)
        keep_within_bounds(p);
    if (p->gate->commit.queue || !is_worth_waiting) {
        if (!(p->is_kept ? send_keep(p) : send_end(p)))
            log_event(LOG_DEBUG, NULL, "the queue does not hear of a cut transaction");
        partial_free(p);
    }
}

static void end_as(struct partial *p, enum partial_end end)
{
    close_file(p);
    p->end = end;
    finish(p);
}

void partials_attach(struct partials *ps)
{
    struct partial *p, *next;

    DL_FOREACH_SAFE (ps->list, p, next)
        if (p->phase == PARTIAL_ENDED)
            finish(p);
}

/* ---- asking ---- */

static bool copy_key(struct partial *p, struct session *s, struct slice mail)
{
    char address[PEER_TEXT];
    struct slice user = session_user(s);

    if (user.len == 0) { /* no login looks like that */
        peer_text(&s->peer, address);
        user = arena_printf(&p->arena, "[%s]", address);
    }
    return user.len > 0 && arena_copy(&p->arena, user, &p->key.user) &&
           arena_copy(&p->arena, session_ehlo(s), &p->key.ehlo) &&
           arena_copy(&p->arena, s->transaction->parameters.transid, &p->key.transid) &&
           arena_copy(&p->arena, mail, &p->key.mail) &&
           (!s->login || arena_copy(&p->arena, s->login->proof, &p->key.proof));
}

static struct partial *partial_new(struct session *s, struct slice mail)
{
    struct partials *ps = &s->gate->partials;
    struct partial *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->gate = s->gate;
    p->session = s->id;
    p->request = ps->next_request++;
    p->file = -1;
    arena_init(&p->arena, ARENA_MOST);
    DL_APPEND(ps->list, p);
    if (copy_key(p, s, mail))
        return p;
    partial_free(p);
    return NULL;
}

enum answer partial_ask(struct session *s, struct slice mail)
{
    struct commit *commit = &s->gate->commit;
    struct partial *p = commit->queue ? partial_new(s, mail) : NULL;
    struct msg_partial_ask message = { 0 };

    if (!p)
        return partial_known(s, NULL, 0);
    message.request = p->request;
    message.key = p->key;
    if (!commit_tell(commit, MSG_PARTIAL_ASK, &message)) {
        partial_free(p);
        return partial_known(s, NULL, 0);
    }
    s->transaction->partial = p;
    session_wait(s, WAIT_PARTIAL, ASK_MS);
    return ANSWER_WAIT;
}

/* The queue's answer will be for nobody. */
static void abandon(struct partial **at)
{
    (*at)->is_left = true;
    *at = NULL;
}

enum answer partial_ask_is_over(struct session *s)
{
    abandon(&s->transaction->partial);
    return partial_known(s, NULL, 0);
}

static struct session *waiting(const struct partial *p)
{
    struct session *s = session_find(p->gate, p->session);

    return s && s->wait == WAIT_PARTIAL && s->transaction->partial == p ? s : NULL;
}

static void take_state(struct partial *p, const struct msg_partial_state *state, int fd)
{
    const struct msg_partial_content *content = &state->content;

    p->phase = PARTIAL_OPEN;
    p->file = fd;
    if (state->found == PARTIAL_NONE)
        return;
    p->phase = state->found == PARTIAL_COMPLETE ? PARTIAL_MISSED : PARTIAL_RESUMED;
    p->octets = content->octets;
    p->id = (struct queue_id){ state->id_high, state->id_low };
    p->file_octets = content->body_octets;
    if (!arena_copy(&p->arena, content->front, &p->front))
        p->phase = PARTIAL_OPEN; /* it begins anew */
}

void partials_state(struct partials *ps, const struct msg_partial_state *state, int fd)
{
    struct partial *p = find(ps, state->request);
    struct session *s;

    if (!p || p->phase != PARTIAL_ASKED) {
        log_event(LOG_WARNING, NULL, "an answer about a transaction that nobody asked for");
        disk_close(ps->gate->commit.disk, &fd);
        return;
    }
    take_state(p, state, fd);
    s = p->is_left ? NULL : waiting(p);
    if (!s) {
        end_as(p, PARTIAL_LEFT);
        return;
    }
    session_woken(s, WAIT_PARTIAL);
    session_settle(s, partial_known(s, state->content.recipients, state->content.recipient_count));
}

/* Those that wait for an answer go on without one. */
void partials_lost(struct partials *ps)
{
    struct partial *p, *next;

    DL_FOREACH_SAFE (ps->list, p, next) {
        struct session *s = waiting(p);
        if (p->phase != PARTIAL_ASKED)
            continue;
        if (s)
            s->transaction->partial = NULL;
        partial_free(p);
        if (!s)
            continue;
        session_woken(s, WAIT_PARTIAL);
        session_settle(s, partial_known(s, NULL, 0));
    }
}

/* ---- ends ---- */

void partial_drop(struct partial **at)
{
    struct partial *p = *at;

    *at = NULL;
    if (!p)
        return;
    if (p->phase == PARTIAL_ASKED)
        p->is_left = true;
    else
        end_as(p, PARTIAL_DROPPED);
}

void partial_put_back(struct partial **at)
{
    struct partial *p = *at;

    *at = NULL;
    end_as(p, PARTIAL_LEFT);
}

void partial_given(struct partial **at, const struct transaction *t)
{
    struct partial *p = *at;

    if (!copy_recipients(p, t)) {
        partial_drop(at);
        return;
    }
    p->phase = PARTIAL_GIVEN;
    if (t->body.given > 0) /* else it was taken before */
        p->octets = t->body.given;
}

void partial_said(struct session *s, struct queue_id id)
{
    struct partial *p = s->transaction->partial;

    s->transaction->partial = NULL;
    if (!p)
        return;
    p->phase = PARTIAL_SAID;
    p->id = id;
    if (p->is_wanted)
        end_as(p, PARTIAL_TAKEN);
    else
        s->said_partial = p;
}

void partial_told(struct partials *ps, uint64_t request, struct queue_id id, bool is_taken)
{
    struct partial *p = request != 0 ? find(ps, request) : NULL;

    if (!p || p->phase != PARTIAL_GIVEN || !p->is_left)
        return;
    p->id = id;
    end_as(p, is_taken ? PARTIAL_TAKEN : PARTIAL_LEFT);
}

/* ---- the cut ---- */

static void on_saved(void *owner)
{
    struct partial *p = owner;
    struct body_file *file = p->kept.file;

    if (file->error != ERR_OK) {
        p->is_kept = false;
        p->end = PARTIAL_LEFT;
        body_file_drop(&p->kept.file);
        finish(p);
    } else if (!p->is_syncing) {
        p->is_syncing = true;
        body_file_sync(file);
    } else {
        finish(p);
    }
}

static void save(struct partial *p)
{
    struct body_file *file = p->kept.file;

    p->phase = PARTIAL_SAVING;
    p->gate->partials.saving++;
    p->is_kept = true;
    p->end = PARTIAL_LEFT;
    if (!file) {
        finish(p);
        return;
    }
    file->moved = on_saved;
    file->owner = p;
    p->is_syncing = file->state == BODY_FILE_SYNCING;
    if (file->state == BODY_FILE_TAKEN)
        on_saved(p);
}

/* More than was kept before is kept instead of that; else that stays. */
static void leave_open(struct partial *p, struct transaction *t)
{
    if (t->body.state == BODY_DROPPING) {
        end_as(p, PARTIAL_DROPPED);
    } else if (body_keep(&t->body, &p->kept) && p->kept.octets > p->octets &&
               copy_recipients(p, t)) {
        close_file(p);
        save(p);
    } else {
        end_as(p, PARTIAL_LEFT);
    }
}

void partial_leave(struct session *s)
{
    struct transaction *t = s->transaction;
    struct partial *p = t ? t->partial : NULL;

    if (s->said_partial)
        end_as(s->said_partial, PARTIAL_TAKEN);
    s->said_partial = NULL;
    if (!p)
        return;
    t->partial = NULL;
    p->is_left = true;
    if (p->phase == PARTIAL_MISSED)
        end_as(p, PARTIAL_LEFT);
    else if (p->phase == PARTIAL_OPEN || p->phase == PARTIAL_RESUMED)
        leave_open(p, t);
    else if (p->phase == PARTIAL_GIVEN && s->wait != WAIT_COMMIT)
        end_as(p, PARTIAL_LEFT); /* nobody knows whether it was taken */
}

/* The client has another connection, and wants to go on there. */
void partials_yield(struct partials *ps, uint64_t request)
{
    struct partial *p = find(ps, request);
    struct session *s = p && !p->is_left ? session_find(ps->gate, p->session) : NULL;

    if (!s)
        return;
    p->is_wanted = true; /* one that is on its way to the disk cannot be stopped */
    if (s->said_partial == p) {
        s->said_partial = NULL;
        end_as(p, PARTIAL_TAKEN);
    } else if (s->transaction && s->transaction->partial == p && s->wait != WAIT_COMMIT) {
        log_event(LOG_NOTICE, &s->log, "the client goes on with its message elsewhere");
        session_abandon(s);
    }
}
