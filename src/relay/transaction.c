/* relay/transaction.c: MAIL, RCPT, content and their replies. Replies are matched to what was sent
 * by position alone: a receiving cursor follows the sending one. */
#include "relay/transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/content.h"
#include "relay/carrier.h"

enum {
    ONE_FLIGHT_MAX = 256 << 10, /* OUT-24 */
    READ_CHUNK = 256 << 10,
};

/* A piece of a large body, read on a hand. Outlives its connection when that goes first. */
struct body_read {
    struct hand_job job;
    struct connection *connection; /* NULL: nobody waits any more */
    int fd;                        /* own copy */
    uint64_t at;
    size_t wanted;
    ssize_t got;
    char data[READ_CHUNK];
};

static size_t step_count(const struct transaction *t)
{
    return 1 + t->count + 1; /* MAIL, each RCPT, DATA or BDAT */
}

static size_t content_step(const struct transaction *t)
{
    return 1 + t->count;
}

static bool has(const struct connection *c, enum extension extension)
{
    return peer_has(&c->peer, extension);
}

/* choosing */

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] > 127)
            return false;
    return true;
}

/* Decides a recipient whose copy this hop cannot take; true when it fits. */
static bool fits(struct connection *c, struct job_recipient *recipient,
    struct content_parameters *out_parameters)
{
    const struct msg_job *m = &c->transaction.job->message;
    struct content_needs needs = { .body_8bit = m->eight_bit,
        .header_8bit = m->eight_bit_header,
        .sender_8bit = !is_ascii(m->sender),
        .recipient_8bit = !is_ascii(recipient->address) };
    struct content_hop hop = { .eightbitmime = has(c, EXTENSION_8BITMIME),
        .smtputf8 = has(c, EXTENSION_SMTPUTF8) };
    enum content_verdict verdict = content_judge(&needs, &hop, out_parameters);
    struct verdict why;

    if (verdict == CONTENT_FITS)
        return true;
    why = verdict_of(
        DELIVERY_FAILED, CAUSE_CONTENT, content_status(verdict), "%s", content_reason(verdict));
    job_decide(recipient, &why);
    return false;
}

/* Too large for this hop by its own word: permanent, and no DATA (EXT-SIZE-6). */
static bool too_large(struct connection *c)
{
    struct job *job = c->transaction.job;
    uint64_t size = job_content_size(job);
    struct verdict why;

    if (!has(c, EXTENSION_SIZE) || c->peer.size == 0 || size <= c->peer.size)
        return false;
    why = verdict_of(DELIVERY_FAILED, CAUSE_CONTENT, "5.3.4",
        "the message has %llu octets, the next hop takes at most %llu", (unsigned long long)size,
        (unsigned long long)c->peer.size);
    job_decide_rest(job, &why);
    return true;
}

static void choose(struct connection *c)
{
    struct transaction *t = &c->transaction;
    size_t most = TRANSACTION_RECIPIENTS_MAX;

    if (c->peer.rcpt_max > 0 && c->peer.rcpt_max < most)
        most = c->peer.rcpt_max;
    for (size_t i = 0; i < t->job->recipient_count && t->count < most; i++) {
        struct job_recipient *r = &t->job->recipients[i];
        struct content_parameters parameters;

        if (r->decided || !fits(c, r, &parameters))
            continue;
        t->body_8bitmime = t->body_8bitmime || parameters.body_8bitmime;
        t->smtputf8 = t->smtputf8 || parameters.smtputf8;
        t->recipients[t->count++] = r;
    }
}

/* sending */

static void send_mail(struct connection *c)
{
    struct transaction *t = &c->transaction;
    const struct msg_job *m = &t->job->message;
    char size[40] = "";

    if (has(c, EXTENSION_SIZE))
        snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)job_content_size(t->job));
    connection_send(c, "MAIL FROM:<%.*s>%s%s%s%s", SLICE_ARGS(m->sender), size,
        t->body_8bitmime ? " BODY=8BITMIME" : "", t->smtputf8 ? " SMTPUTF8" : "",
        c->is_logged_in && has(c, EXTENSION_AUTH) ? " AUTH=<>" : "");
}

static void read_more(struct connection *c);

static void content_over(struct connection *c)
{
    struct transaction *t = &c->transaction;

    t->content = CONTENT_SENT;
    connection_limit(c, c->settings->conf->timeouts.end);
    if (!t->uses_bdat && !data_encode_end(&t->encoder, stream_output(c->stream))) {
        struct verdict why = verdict_of(
            DELIVERY_FAILED, CAUSE_CONTENT, "5.6.0", "the message holds a bare CR or LF");
        connection_lose(c, CONNECTION_END_LOST, &why);
    }
}

/* False when the connection had to go. */
static bool put_content(struct connection *c, struct slice bytes)
{
    struct transaction *t = &c->transaction;

    if (t->uses_bdat) {
        stream_write(c->stream, bytes);
        return true;
    }
    if (data_encode(&t->encoder, bytes, stream_output(c->stream)))
        return true;
    /* Sending on would let the next hop see a line end that is none (DATA-6). */
    struct verdict why =
        verdict_of(DELIVERY_FAILED, CAUSE_CONTENT, "5.6.0", "the message holds a bare CR or LF");
    connection_lose(c, CONNECTION_END_LOST, &why);
    return false;
}

static void send_content(struct connection *c)
{
    struct transaction *t = &c->transaction;
    const struct msg_job *m = &t->job->message;

    t->content = CONTENT_SENDING;
    timer_stop(&c->limit); /* while octets go out, the stream's own write time-out rules (OUT-7) */
    if (!put_content(c, m->header))
        return;
    if (t->job->body >= 0) {
        read_more(c);
        return;
    }
    if (put_content(c, m->body))
        content_over(c);
}

static void body_failed(struct connection *c)
{
    struct verdict why =
        verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "the message's body cannot be read");

    connection_lose(c, CONNECTION_END_LOST, &why);
}

static void body_read_done(struct hand_job *job)
{
    struct body_read *read = CONTAINER_OF(job, struct body_read, job);
    struct connection *c = read->connection;
    struct transaction *t = c ? &c->transaction : NULL;

    if (!c) {
        close(read->fd);
        free(read);
        return;
    }
    t->read = NULL;
    if (read->got > 0)
        t->body_at += (uint64_t)read->got;
    if (read->got <= 0)
        body_failed(c);
    else if (put_content(c, slice_of(read->data, (size_t)read->got))) {
        if (t->body_at == t->job->message.body_size)
            content_over(c);
        else if (stream_is_full(c->stream))
            stream_ask_drained(c->stream);
        else
            read_more(c);
    }
    close(read->fd);
    free(read);
}

static void body_read_work(struct hand_job *job)
{
    struct body_read *read = CONTAINER_OF(job, struct body_read, job);

    read->got = pread(read->fd, read->data, read->wanted, (off_t)read->at);
}

static void read_more(struct connection *c)
{
    struct transaction *t = &c->transaction;
    uint64_t left = t->job->message.body_size - t->body_at;
    struct body_read *read = malloc(sizeof *read);

    if (left == 0) {
        free(read);
        content_over(c);
        return;
    }
    if (!read || (read->fd = dup(t->job->body)) < 0) {
        free(read);
        body_failed(c);
        return;
    }
    read->job = (struct hand_job){ .work = body_read_work, .done = body_read_done };
    read->connection = c;
    read->at = t->body_at;
    read->wanted = left < READ_CHUNK ? (size_t)left : READ_CHUNK;
    t->read = read;
    hands_give(c->carrier->hands, &read->job);
}

void transaction_drained(struct connection *c)
{
    struct transaction *t = &c->transaction;

    if (t->content == CONTENT_SENDING && !t->read && t->job->body >= 0)
        read_more(c);
}

static void send_content_command(struct connection *c)
{
    struct transaction *t = &c->transaction;

    if (!t->uses_bdat) {
        connection_send(c, "DATA");
        return;
    }
    connection_send(c, "BDAT %llu LAST", (unsigned long long)job_content_size(t->job));
    send_content(c);
}

/* May the next step go out now? */
static bool may_send(const struct connection *c)
{
    const struct transaction *t = &c->transaction;
    bool all_answered = t->received == t->sent;

    if (t->sent == step_count(t))
        return false;
    if (!has(c, EXTENSION_PIPELINING))
        return all_answered;
    if (t->sent < content_step(t))
        return true;
    /* Content that goes without a 354 waits for somebody who takes it, unless it is small. */
    return !t->uses_bdat || t->one_flight || all_answered;
}

static void finish(struct connection *c);

static void send_steps(struct connection *c)
{
    struct transaction *t = &c->transaction;

    while (c->phase == CONNECTION_BUSY && may_send(c)) {
        size_t step = t->sent;

        t->sent++;
        if (step == 0)
            send_mail(c);
        else if (step < content_step(t))
            connection_send(c, "RCPT TO:<%.*s>", SLICE_ARGS(t->recipients[step - 1]->address));
        else
            send_content_command(c);
    }
}

static void limit_for_next_reply(struct connection *c)
{
    const struct conf_timeouts *timeouts = &c->settings->conf->timeouts;
    const struct transaction *t = &c->transaction;

    if (t->content == CONTENT_SENDING)
        return;
    if (t->content == CONTENT_SENT && t->received >= content_step(t))
        connection_limit(c, timeouts->end);
    else if (t->received == 0)
        connection_limit(c, timeouts->mail);
    else
        connection_limit(c, t->received < content_step(t) ? timeouts->rcpt : timeouts->data);
}

bool transaction_start(struct connection *c, struct job *job)
{
    struct transaction *t = &c->transaction;

    *t = (struct transaction){ .job = job };
    if (!too_large(c))
        choose(c);
    if (t->count == 0)
        return false;
    t->uses_bdat = has(c, EXTENSION_CHUNKING) && c->route->chunking;
    t->one_flight = t->uses_bdat && job->body < 0 && job_content_size(job) <= ONE_FLIGHT_MAX;
    c->phase = CONNECTION_BUSY;
    c->messages++;
    limit_for_next_reply(c);
    send_steps(c);
    return true;
}

/* receiving */

static void decide_accepted(struct transaction *t, const struct verdict *verdict)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->accepted[i])
            job_decide(t->recipients[i], verdict);
}

static void decide_all(struct transaction *t, const struct verdict *verdict)
{
    for (size_t i = 0; i < t->count; i++)
        job_decide(t->recipients[i], verdict);
}

/* The transaction is over. Where it ended early the next hop is told so, unless it says goodbye
 * itself. */
static void finish(struct connection *c)
{
    struct transaction *t = &c->transaction;
    bool clean = t->content == CONTENT_SENT && t->accepted_count > 0;

    if (clean || t->is_resetting || c->is_finishing) {
        connection_transaction_over(c);
        return;
    }
    t->is_resetting = true;
    connection_send(c, "RSET");
    connection_limit(c, c->settings->conf->timeouts.mail);
}

static void on_mail(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v = verdict_of_reply(reply);

    if (peer_reply_class(reply) == 2)
        return;
    t->mail_refused = true;
    decide_all(t, &v);
}

/* "Too many recipients" after others were accepted means: send the rest later (OUT-11, D-33). */
static bool is_too_many(const struct transaction *t, const struct peer_reply *reply)
{
    return (reply->code == 452 || reply->code == 552) && t->accepted_count > 0;
}

static void on_rcpt(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    size_t i = t->received - 2; /* the cursor is past this step already */
    struct verdict v = verdict_of_reply(reply);

    if (t->mail_refused)
        return;
    if (peer_reply_class(reply) == 2) {
        t->accepted[i] = true;
        t->accepted_count++;
    } else if (!is_too_many(t, reply)) {
        job_decide(t->recipients[i], &v);
    }
}

/* A lone dot where DATA was taken though nobody accepted: nothing may be sent (EXT-PIPELINING-5).
 */
static void on_data(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v;

    if (reply->code == 354 && t->accepted_count > 0) {
        send_content(c);
        return;
    }
    t->content = CONTENT_DROPPED;
    if (reply->code == 354) {
        stream_write(c->stream, slice_text(".\r\n"));
        return;
    }
    v = verdict_of_reply(reply);
    if (v.result == DELIVERY_DONE) { /* OUT-12: no data without 354 */
        v.result = DELIVERY_DEFERRED;
        snprintf(v.status, sizeof v.status, "4.5.0");
        decide_accepted(t, &v);
        c->is_finishing = true;
    }
    decide_accepted(t, &v);
    finish(c);
}

static size_t final_replies(const struct connection *c)
{
    return connection_is_lmtp(c) && c->transaction.accepted_count > 0
               ? c->transaction.accepted_count
               : 1;
}

/* LMTP answers for each accepted recipient in the order of RCPT (RFC 2033 section 4.2). */
static void decide_next_accepted(struct transaction *t, const struct verdict *v)
{
    size_t seen = 0;

    for (size_t i = 0; i < t->count; i++)
        if (t->accepted[i] && seen++ == t->final_received) {
            job_decide(t->recipients[i], v);
            return;
        }
}

static void on_final(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v = verdict_of_reply(reply);

    /* The reply to content that nobody was to get means nothing. */
    if (t->accepted_count > 0 && connection_is_lmtp(c))
        decide_next_accepted(t, &v);
    else if (t->accepted_count > 0)
        decide_accepted(t, &v);
    if (++t->final_received == final_replies(c))
        finish(c);
}

/* A next hop that answers while content still goes out has made up its mind; the stream is not in
 * step any more. */
static void on_early_final(struct connection *c, const struct peer_reply *reply)
{
    struct verdict v = verdict_of_reply(reply);

    if (v.result == DELIVERY_DONE)
        v = verdict_of(DELIVERY_DEFERRED, CAUSE_REPLY, "4.5.0",
            "the next hop accepted the message before its end");
    decide_accepted(&c->transaction, &v);
    connection_lose(c, CONNECTION_END_LOST, &v);
}

static void next_step(struct connection *c)
{
    struct transaction *t = &c->transaction;

    /* Everything sent is answered and nobody is left to send to: the end, unless content is on its
     * way already. */
    if (t->received == t->sent &&
        (t->mail_refused || (t->received == content_step(t) && t->accepted_count == 0))) {
        t->content = CONTENT_DROPPED;
        finish(c);
        return;
    }
    send_steps(c);
}

/* To content, LMTP replies once for each accepted recipient: how many, only the replies to RCPT
 * will say. */
size_t transaction_owed(const struct connection *c)
{
    const struct transaction *t = &c->transaction;
    size_t steps = t->sent - t->received;

    if (t->is_resetting || t->content == CONTENT_SENDING)
        return 1;
    if (t->received == step_count(t))
        return final_replies(c) - t->final_received;
    if (t->sent == step_count(t) && t->uses_bdat && connection_is_lmtp(c))
        return steps - 1 + t->count;
    return steps;
}

void transaction_reply(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;

    t->any_reply = true;
    if (peer_reply_class(reply) == 0)
        c->is_finishing = true; /* OUT-10: out of range is fatal for the transaction */
    if (t->is_resetting) {
        connection_transaction_over(c);
        return;
    }
    if (t->content == CONTENT_SENDING && t->received >= content_step(t)) {
        on_early_final(c, reply);
        return;
    }
    if (t->received < content_step(t)) {
        t->received++;
        (t->received == 1 ? on_mail : on_rcpt)(c, reply);
        limit_for_next_reply(c);
        next_step(c);
        return;
    }
    if (t->received == content_step(t) && !t->uses_bdat) {
        t->received++;
        on_data(c, reply);
        if (c->phase == CONNECTION_BUSY && !t->is_resetting)
            limit_for_next_reply(c);
        return;
    }
    if (t->received == content_step(t))
        t->received++;
    on_final(c, reply);
}

void transaction_lost(struct connection *c, const struct verdict *why)
{
    struct transaction *t = &c->transaction;

    if (t->read)
        t->read->connection = NULL;
    t->read = NULL;
    if (t->any_reply || t->content == CONTENT_SENT || t->content == CONTENT_SENDING)
        decide_all(t, why);
}
