/* gate/command_auth.c: AUTH: the gate carries octets between the client and the vault and never
 * looks into them. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "gate/command.h"
#include "gate/exchange.h"
#include "gate/gate.h"
#include "gate/report.h"
#include "gate/session.h"
#include "smtp/extension.h"

enum { EXCHANGE_LINE_MAX = COMMAND_LINE_MAX_AUTH };

static enum answer say(struct session *s, enum reply_id reply)
{
    session_say(s, reply);
    return ANSWER_REPLY;
}

void auth_forget(struct session *s)
{
    if (!s->exchange)
        return;
    secret_clear(&s->exchange->initial);
    free(s->exchange);
    s->exchange = NULL;
}

/* The exchange ends with this reply; another may follow (AUTH-26). */
static enum answer finish(struct session *s, enum reply_id reply)
{
    report_auth(s, reply);
    auth_forget(s);
    session_move(s, PHASE_READY);
    return say(s, reply);
}

/* The client or its line ends the exchange, so the vault has to be told. */
static enum answer give_up(struct session *s, enum reply_id reply)
{
    ask_auth_cancel(s);
    return finish(s, reply);
}

/* Why a client may not begin an exchange with that mechanism; NO_OBJECTION when it may. */
static enum reply_id objection(const struct session *s, struct slice name)
{
    enum mechanism mechanism;
    uint32_t usable = session_is_tls(s) ? session_mechanisms(s) : s->snapshot->mechanisms;
    bool is_known = mechanism_find(name, &mechanism) && (usable & MECHANISM_BIT(mechanism)) != 0;

    if (!s->is_esmtp)
        return REPLY_EHLO_FIRST; /* AUTH-7: HELO is not enough */
    if (s->login)
        return REPLY_AUTH_TWICE;
    if (!is_known)
        return REPLY_AUTH_MECHANISM;
    return session_is_tls(s) ? NO_OBJECTION : REPLY_AUTH_NEEDS_TLS;
}

/* Octets from base64 into a secret. False: it is none, or there is no memory. */
static bool decode(struct slice text, struct secret *out)
{
    struct buffer octets;
    bool is_good;

    buffer_init(&octets, EXCHANGE_LINE_MAX);
    is_good = base64_decode(&octets, text) && secret_set(out, buffer_slice(&octets));
    if (octets.data)
        explicit_bzero(octets.data, octets.size);
    buffer_clear(&octets);
    return is_good;
}

static struct exchange *exchange_new(const struct auth_command *auth)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    for (size_t i = 0; i < auth->mechanism.len && i < MECHANISM_NAME_MAX; i++) {
        char c = auth->mechanism.data[i];
        exchange->mechanism[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    exchange->has_initial = auth->has_initial;
    return exchange;
}

enum answer command_auth(struct session *s, struct slice argument)
{
    struct auth_command auth;
    enum reply_id reply;

    if (!auth_parse(argument, &auth))
        return say(s, REPLY_BAD_ARGUMENT);
    reply = objection(s, auth.mechanism);
    if (reply)
        return say(s, reply);
    s->exchange = exchange_new(&auth);
    if (!s->exchange)
        return say(s, REPLY_AUTH_UNAVAILABLE);
    if (!decode(auth.initial, &s->exchange->initial)) {
        auth_forget(s);
        return say(s, REPLY_BASE64); /* AUTH-11 */
    }
    session_move(s, PHASE_AUTH);
    return ask_auth_start(s);
}

/* A line of the client in the exchange. */
static enum answer run_line(struct session *s, struct slice line)
{
    struct secret data = { 0 };
    enum answer answer;

    if (slice_is(line, "*"))
        return give_up(s, REPLY_AUTH_CANCELLED); /* AUTH-10 */
    if (s->exchange->state == EXCHANGE_LOST)
        return auth_lost(s);
    if (!decode(line, &data))
        return give_up(s, REPLY_BASE64);
    answer = ask_auth_step(s, secret_slice(&data));
    secret_clear(&data);
    return answer;
}

enum answer auth_read(struct session *s)
{
    struct line line;
    enum answer answer = ANSWER_MORE;

    switch (line_read(&s->line, stream_input(s->stream), EXCHANGE_LINE_MAX, &line)) {
    case LINE_READY:
        answer = run_line(s, line.text);
        break;
    case LINE_TOO_LONG:
        answer = give_up(s, REPLY_AUTH_LINE_TOO_LONG); /* AUTH-13 */
        break;
    case LINE_BARE_LF:
        session_say(s, REPLY_BARE_LF);
        return ANSWER_CLOSE;
    case LINE_MORE:
        break;
    }
    session_wipe(s, line.consumed);
    return answer;
}

enum answer auth_challenged(struct session *s, struct slice challenge)
{
    struct buffer base64;

    buffer_init(&base64, EXCHANGE_LINE_MAX * 2);
    base64_encode(&base64, challenge);
    reply_challenge(session_words(s, REPLY_CHALLENGE), buffer_slice(&base64));
    buffer_clear(&base64);
    return ANSWER_REPLY;
}

enum answer auth_lost(struct session *s)
{
    return finish(s, REPLY_AUTH_UNAVAILABLE); /* AUTH-15 */
}

static struct slice keep(char **room, struct slice text)
{
    struct slice kept = slice_of(*room, text.len);

    if (text.len > 0)
        memcpy(*room, text.data, text.len);
    *room += text.len;
    return kept;
}

/* What a list takes, with its texts. */
static size_t room_for(const struct msg_sender *patterns, size_t count)
{
    size_t size = count * sizeof(struct sender);

    for (size_t i = 0; i < count; i++)
        size += patterns[i].pattern.len;
    return size;
}

static void keep_patterns(
    char **room, const struct msg_sender *patterns, size_t count, struct sender *out)
{
    for (size_t i = 0; i < count; i++)
        out[i].pattern = keep(room, patterns[i].pattern);
}

static struct grant keep_scope(char **room, const struct msg_scope *scope, struct sender *lists)
{
    struct sender *recipients = lists + scope->sender_count;

    keep_patterns(room, scope->senders, scope->sender_count, lists);
    keep_patterns(room, scope->recipients, scope->recipient_count, recipients);
    return (struct grant){ .may_submit = scope->may_submit,
        .senders = lists,
        .sender_count = scope->sender_count,
        .recipients = recipients,
        .recipient_count = scope->recipient_count,
        .max_recipients = scope->max_recipients,
        .max_size = scope->max_size };
}

/* The grant outlives the message it came in, in one piece of memory: most sessions that are open
 * are idle ones with a login. */
static bool keep_login(struct session *s, const struct msg_auth_done *done)
{
    struct slice mechanism = slice_text(s->exchange->mechanism);
    size_t size = sizeof *s->login + done->user.len + mechanism.len + done->proof.len +
                  room_for(done->senders, done->sender_count) +
                  room_for(done->recipients, done->recipient_count) +
                  room_for(done->scope.senders, done->scope.sender_count) +
                  room_for(done->scope.recipients, done->scope.recipient_count);
    struct login_grant *login = calloc(1, size);
    struct sender *recipients, *narrower;
    char *room;

    if (!login)
        return false;
    recipients = login->senders + done->sender_count;
    narrower = recipients + done->recipient_count;
    room = (char *)(narrower + done->scope.sender_count + done->scope.recipient_count);
    keep_patterns(&room, done->senders, done->sender_count, login->senders);
    keep_patterns(&room, done->recipients, done->recipient_count, recipients);
    login->grant = (struct grant){ .user = keep(&room, done->user),
        .may_submit = done->may_submit,
        .truncated = done->more_senders,
        .senders = login->senders,
        .sender_count = done->sender_count,
        .recipients_truncated = done->more_recipients,
        .recipients = recipients,
        .recipient_count = done->recipient_count,
        .max_recipients = done->max_recipients,
        .max_size = done->max_size };
    login->is_narrowed = done->is_narrowed;
    login->narrower = keep_scope(&room, &done->scope, narrower);
    login->mechanism = keep(&room, mechanism);
    login->proof = keep(&room, done->proof);
    s->login = login;
    return true;
}

static enum answer succeed(struct session *s, const struct msg_auth_done *done)
{
    return finish(s, keep_login(s, done) ? REPLY_AUTH_OK : REPLY_AUTH_UNAVAILABLE);
}

static enum answer fail(struct session *s)
{
    if (!conduct_auth_failed(&s->conduct)) {
        finish(s, REPLY_AUTH_TOO_MANY); /* AUTH-17 */
        return ANSWER_CLOSE;
    }
    s->delay_ms = AUTH_FAILURE_DELAY_MS; /* AUTH-14 */
    return finish(s, REPLY_AUTH_FAILED);
}

static const enum reply_id replies[] = {
    [AUTH_TEMPORARY] = REPLY_AUTH_UNAVAILABLE,
    [AUTH_DISABLED] = REPLY_AUTH_DISABLED,
    [AUTH_TOO_WEAK] = REPLY_AUTH_WEAK,
    [AUTH_UNKNOWN] = REPLY_AUTH_MECHANISM,
    [AUTH_NO_INITIAL] = REPLY_AUTH_INITIAL,
};

enum answer auth_finished(struct session *s, const struct msg_auth_done *done)
{
    if (done->result == AUTH_OK)
        return succeed(s, done);
    if (done->result == AUTH_REFUSED)
        return fail(s);
    return finish(s, replies[done->result]);
}
