/* relay/transaction.c: MAIL, RCPT, content and their replies. Replies are matched to what was sent
 * by position alone: a receiving cursor follows the sending one. */
#include "relay/transaction.h"

#include <stdio.h>

#include "base/clock.h"
#include "policy/content.h"
#include "relay/carrier.h"
#include "relay/upload.h"
#include "relay/wishes.h"

enum {
    ONE_FLIGHT_MAX = 256 << 10, /* OUT-24 */
    WISHES_ROOM = 4096,         /* more than the longest parameters take */
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

/* Choosing. */

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] > 127)
            return false;
    return true;
}

static struct wishes_hop wishes_hop(const struct connection *c)
{
    return (struct wishes_hop){
        .peer = &c->peer,
        .is_lmtp = connection_is_lmtp(c),
        .is_tls = stream_is_secured(c->stream),
        .utf8 = c->transaction.smtputf8,
        .now = clock_wall(),
    };
}

static bool may_chunk(const struct connection *c)
{
    return has(c, EXTENSION_CHUNKING) && c->route->chunking;
}

/* False, with the reason noted, when this hop cannot take the recipient's copy. Another may, unless
 * the recipient is decided then. */
static bool fits(struct connection *c, struct job_recipient *recipient,
    struct content_parameters *out_parameters)
{
    const struct msg_job *m = &c->transaction.job->message;
    struct content_needs needs = { .body_8bit = m->eight_bit,
        .header_8bit = m->eight_bit_header,
        .sender_8bit = !is_ascii(m->sender),
        .recipient_8bit = !is_ascii(recipient->address),
        .binary = m->binary };
    struct content_hop hop = { .eightbitmime = has(c, EXTENSION_8BITMIME),
        .smtputf8 = has(c, EXTENSION_SMTPUTF8),
        .binarymime = has(c, EXTENSION_BINARYMIME) && may_chunk(c) };
    enum content_verdict verdict = content_judge(&needs, &hop, out_parameters);
    struct wishes_hop wishes = wishes_hop(c);
    enum wishes_fit fit = WISHES_NOT_HERE;
    struct verdict why;

    if (verdict == CONTENT_FITS)
        fit = wishes_judge(m, recipient, &wishes, &why);
    else
        why = verdict_of(
            DELIVERY_FAILED, CAUSE_CONTENT, content_status(verdict), "%s", content_reason(verdict));
    if (fit == WISHES_NOT_HERE)
        job_note_unfit(recipient, &why);
    else if (fit == WISHES_NOWHERE)
        job_decide(recipient, &why);
    return fit == WISHES_FIT;
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

static struct slice domain_of(const struct job_recipient *r)
{
    return slice_from(r->address, slice_find_last(r->address, '@') + 1);
}

static bool has_domain(const struct transaction *t, struct slice domain)
{
    for (size_t i = 0; i < t->count; i++)
        if (slice_equals_nocase(domain_of(t->recipients[i]), domain))
            return true;
    return false;
}

/* Does the peer's LIMITS RCPTDOMAINMAX leave room for this one (EXT-LIMITS-3)? */
static bool has_room(const struct connection *c, const struct job_recipient *r, size_t *domains)
{
    const struct transaction *t = &c->transaction;
    uint32_t most = c->peer.rcpt_domain_max;

    if (most == 0 || has_domain(t, domain_of(r)))
        return true;
    if (*domains == most)
        return false;
    ++*domains;
    return true;
}

static void choose(struct connection *c)
{
    struct transaction *t = &c->transaction;
    size_t most = TRANSACTION_RECIPIENTS_MAX, domains = 0;

    if (c->peer.rcpt_max > 0 && c->peer.rcpt_max < most)
        most = c->peer.rcpt_max;
    for (size_t i = 0; i < t->job->recipient_count && t->count < most; i++) {
        struct job_recipient *r = &t->job->recipients[i];
        struct content_parameters parameters;

        if (r->decided || !fits(c, r, &parameters) || !has_room(c, r, &domains))
            continue;
        t->body_8bitmime = t->body_8bitmime || parameters.body_8bitmime;
        t->body_binary = parameters.body_binary; /* the message's, the same for all */
        t->smtputf8 = t->smtputf8 || parameters.smtputf8;
        t->recipients[t->count++] = r;
    }
}

/* Sending. */

static void send_mail(struct connection *c)
{
    struct transaction *t = &c->transaction;
    const struct msg_job *m = &t->job->message;
    struct wishes_hop hop = wishes_hop(c);
    char size[40] = "";
    struct buffer wishes;

    if (has(c, EXTENSION_SIZE))
        snprintf(size, sizeof size, " SIZE=%llu", (unsigned long long)job_content_size(t->job));
    buffer_init(&wishes, WISHES_ROOM);
    wishes_put_mail(&wishes, m, &hop);
    connection_send(c, "MAIL FROM:<%.*s>%s%s%s%s%.*s", SLICE_ARGS(m->sender), size,
        t->body_binary     ? " BODY=BINARYMIME"
        : t->body_8bitmime ? " BODY=8BITMIME"
                           : "",
        t->smtputf8 ? " SMTPUTF8" : "", c->is_logged_in && has(c, EXTENSION_AUTH) ? " AUTH=<>" : "",
        SLICE_ARGS(buffer_slice(&wishes)));
    buffer_clear(&wishes);
}

static void send_rcpt(struct connection *c, const struct job_recipient *recipient)
{
    struct wishes_hop hop = wishes_hop(c);
    struct buffer wishes;

    buffer_init(&wishes, WISHES_ROOM);
    wishes_put_rcpt(&wishes, recipient, &hop);
    connection_send(
        c, "RCPT TO:<%.*s>%.*s", SLICE_ARGS(recipient->address), SLICE_ARGS(buffer_slice(&wishes)));
    buffer_clear(&wishes);
}

static void send_content_command(struct connection *c)
{
    struct transaction *t = &c->transaction;

    if (!t->uses_bdat) {
        connection_send(c, "DATA");
        return;
    }
    connection_send(c, "BDAT %llu LAST", (unsigned long long)job_content_size(t->job));
    upload_begin(c);
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

static void send_steps(struct connection *c)
{
    struct transaction *t = &c->transaction;

    while (c->phase == CONNECTION_BUSY && may_send(c)) {
        size_t step = t->sent;

        t->sent++;
        if (step == 0)
            send_mail(c);
        else if (step < content_step(t))
            send_rcpt(c, t->recipients[step - 1]);
        else
            send_content_command(c);
    }
}

static void limit_for_next_reply(struct connection *c)
{
    const struct conf_timeouts *timeouts = &c->settings->conf->timeouts;
    const struct transaction *t = &c->transaction;

    if (c->phase != CONNECTION_BUSY || t->content == CONTENT_SENDING)
        return;
    if (t->received == 0)
        connection_limit(c, timeouts->mail);
    else if (t->received < content_step(t))
        connection_limit(c, timeouts->rcpt);
    else
        connection_limit(c, t->content == CONTENT_NONE ? timeouts->data : timeouts->end);
}

bool transaction_start(struct connection *c, struct job *job)
{
    struct transaction *t = &c->transaction;

    *t = (struct transaction){ .job = job };
    if (!too_large(c))
        choose(c);
    if (t->count == 0)
        return false;
    t->uses_bdat = may_chunk(c);
    t->one_flight = t->uses_bdat && job->body < 0 && job_content_size(job) <= ONE_FLIGHT_MAX;
    c->phase = CONNECTION_BUSY;
    c->messages++;
    send_steps(c);
    limit_for_next_reply(c);
    return true;
}

/* Receiving. */

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
 * itself. The last act of whoever calls it: the owner may begin another transaction at once. */
static void finish(struct connection *c)
{
    struct transaction *t = &c->transaction;
    bool clean = t->content == CONTENT_SENT && t->accepted_count > 0;

    if (clean || c->is_finishing) {
        connection_transaction_over(c);
        return;
    }
    t->is_resetting = true;
    connection_send(c, "RSET");
    connection_limit(c, c->settings->conf->timeouts.mail);
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
    limit_for_next_reply(c);
}

static void on_mail(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v = verdict_of_reply(reply);

    t->received++;
    if (peer_reply_class(reply) != 2) {
        t->mail_refused = true;
        decide_all(t, &v);
    }
    next_step(c);
}

/* "Too many recipients" after others were accepted means: send the rest later (OUT-11, D-33). */
static bool is_too_many(const struct transaction *t, const struct peer_reply *reply)
{
    return (reply->code == 452 || reply->code == 552) && t->accepted_count > 0;
}

static void on_rcpt(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    size_t i = t->received++ - 1;
    struct verdict v = verdict_of_reply(reply);

    if (!t->mail_refused && peer_reply_class(reply) == 2) {
        t->accepted[i] = true;
        t->accepted_count++;
    } else if (!t->mail_refused && !is_too_many(t, reply)) {
        job_decide(t->recipients[i], &v);
    }
    next_step(c);
}

/* DATA was taken though nobody is left to send to: nothing but the final dot may be sent
 * (EXT-PIPELINING-5). LMTP answers that once for each accepted recipient, so perhaps not at all: it
 * is not waited for. */
static void send_lone_dot(struct connection *c)
{
    c->transaction.content = CONTENT_DROPPED;
    stream_write(c->stream, slice_text(".\r\n"));
    limit_for_next_reply(c);
    if (!connection_is_lmtp(c))
        return;
    c->is_finishing = true;
    finish(c);
}

static void on_data(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v = verdict_of_reply(reply);

    t->received++;
    if (reply->code == 354 && t->accepted_count > 0) {
        upload_begin(c);
        return;
    }
    if (reply->code == 354) {
        send_lone_dot(c);
        return;
    }
    if (v.result == DELIVERY_DONE) { /* OUT-12: no data without 354 */
        v = verdict_of_unasked(reply);
        c->is_finishing = true;
    }
    t->content = CONTENT_DROPPED;
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
    struct wishes_hop hop = wishes_hop(c);

    v.end = wishes_end(&hop);
    if (t->received == content_step(t)) /* BDAT has no other reply */
        t->received++;
    /* The reply to content that nobody was to get means nothing. */
    if (t->accepted_count > 0 && connection_is_lmtp(c))
        decide_next_accepted(t, &v);
    else if (t->accepted_count > 0)
        decide_accepted(t, &v);
    if (++t->final_received == final_replies(c))
        finish(c);
    else
        limit_for_next_reply(c);
}

/* A next hop that answers while content still goes out has made up its mind; the stream is not in
 * step any more. */
static void on_early_final(struct connection *c, const struct peer_reply *reply)
{
    struct verdict v = verdict_of_reply(reply);
    struct verdict rest = verdict_of(DELIVERY_DEFERRED, CAUSE_LOST, "4.4.2",
        "the next hop did not wait for the end of the message");

    if (v.result == DELIVERY_DONE)
        v = verdict_of_unasked(reply);
    decide_accepted(&c->transaction, &v);
    connection_lose(c, CONNECTION_END_LOST, &rest);
}

/* 421, or a code that SMTP does not have: there is nothing more to be had here (OUT-10). To MAIL it
 * says nothing of the recipients: another connection may do. */
static void on_goodbye(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;
    struct verdict v = verdict_of_reply(reply);

    t->has_spoken = t->received > 0 || reply->code != 421;
    connection_lose(c, CONNECTION_END_LOST, &v);
}

static void on_reset(struct connection *c, const struct peer_reply *reply)
{
    c->is_finishing = c->is_finishing || peer_reply_class(reply) != 2;
    connection_transaction_over(c);
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

/* What a reply answers is told by its place alone. */
void transaction_reply(struct connection *c, const struct peer_reply *reply)
{
    struct transaction *t = &c->transaction;

    if (t->is_resetting) {
        on_reset(c, reply);
        return;
    }
    if (reply->code == 421 || peer_reply_class(reply) == 0) {
        on_goodbye(c, reply);
        return;
    }
    t->has_spoken = true;
    if (t->received == 0)
        on_mail(c, reply);
    else if (t->received < content_step(t))
        on_rcpt(c, reply);
    else if (t->content == CONTENT_SENDING)
        on_early_final(c, reply);
    else if (t->received == content_step(t) && !t->uses_bdat)
        on_data(c, reply);
    else
        on_final(c, reply);
}

void transaction_lost(struct connection *c, const struct verdict *why)
{
    struct transaction *t = &c->transaction;

    upload_stop(c);
    if (t->has_spoken)
        decide_all(t, why);
}
