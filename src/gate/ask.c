/* gate/ask.c: questions out, answers in. Owns the channels to the vault and the relays. */
#include "gate/ask.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gate/command.h"
#include "gate/exchange.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "ipc/channel.h"
#include "net/tls.h"

/* The number carries the session's id, so no table of questions is needed. */
enum { COUNT_BITS = 16 };

static uint64_t next_number(struct session *s)
{
    return s->question.number = s->id << COUNT_BITS | ++s->question.count;
}

/* The session that waits for the answer of that number; NULL when nobody does. */
static struct session *asker(struct ask *ask, uint64_t number, enum wait wait)
{
    struct session *s = session_find(ask->gate, number >> COUNT_BITS);

    return s && s->wait == wait && s->question.number == number ? s : NULL;
}

static bool remember(struct session *s, struct slice about)
{
    char *copy = malloc(about.len + 1);

    if (!copy)
        return false;
    memcpy(copy, about.data, about.len);
    free(s->question.about);
    s->question.about = copy;
    s->question.about_len = about.len;
    return true;
}

static struct slice about(const struct session *s)
{
    return slice_of(s->question.about, s->question.about_len);
}

/* The question is answered, or no longer asked; its count goes on. */
static void close_question(struct session *s)
{
    free(s->question.about);
    s->question = (struct question){ .count = s->question.count };
}

/* A message that cannot be sent is not lost: the channel is broken then, and its end says so. */
static void tell_vault(struct ask *ask, enum message_type type, const void *message)
{
    if (ask->vault && channel_send(ask->vault, type, message, -1) == ERR_LIMIT)
        log_event(LOG_ERROR, NULL, "a message to the vault is too long");
}

/* Rights. */

static void send_rights(struct session *s)
{
    struct msg_rights message = {
        .session = s->question.number,
        .user = session_user(s),
        .address = about(s),
        .question = s->question.asked,
    };

    tell_vault(&s->gate->ask, MSG_RIGHTS, &message);
}

enum answer ask_rights(
    struct session *s, enum rights_question asked, struct slice address, rights_fn *go_on)
{
    if (!remember(s, address))
        return go_on(s, RIGHTS_WORD_NONE);
    next_number(s);
    s->question.asked = asked;
    s->question.rights = go_on;
    session_wait(s, WAIT_RIGHTS, ASK_ROOM_MS);
    send_rights(s);
    return ANSWER_WAIT;
}

static enum answer rights_known(struct session *s, enum rights_word word)
{
    rights_fn *go_on = s->question.rights;

    close_question(s);
    return go_on(s, word);
}

static void on_rights_done(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_rights_done *m = message;
    struct session *s = asker(owner, m->session, WAIT_RIGHTS);

    (void)channel, (void)fd;
    if (!s)
        return;
    session_woken(s, WAIT_RIGHTS);
    session_settle(s, rights_known(s, m->allowed ? RIGHTS_WORD_YES : RIGHTS_WORD_NO));
}

/* Domains. */

/* A domain is always asked at the same relay while that is there, for its cache. */
static struct channel *choose_relay(const struct ask *ask, struct slice domain)
{
    size_t first = map_hash(domain.data, domain.len) % ASK_RELAYS_MAX;

    for (size_t i = 0; i < ASK_RELAYS_MAX; i++)
        if (ask->relays[(first + i) % ASK_RELAYS_MAX])
            return ask->relays[(first + i) % ASK_RELAYS_MAX];
    return NULL;
}

enum answer ask_domain(struct session *s, struct slice domain, domain_fn *go_on)
{
    struct ask *ask = &s->gate->ask;
    struct channel *relay = choose_relay(ask, domain);
    enum domain_verdict verdict = DOMAIN_SILENT;
    struct msg_domain_ask message = { .domain = domain };

    if (domains_find(&ask->domains, domain, clock_mono_ms(), &verdict) || !relay ||
        !remember(s, domain))
        return go_on(s, verdict);
    message.request = next_number(s);
    s->question.domain = go_on;
    if (channel_send(relay, MSG_DOMAIN_ASK, &message, -1) != ERR_OK) {
        close_question(s);
        return go_on(s, DOMAIN_SILENT);
    }
    session_wait(s, WAIT_DOMAIN, ASK_DOMAIN_MS);
    return ANSWER_WAIT;
}

static enum answer domain_known(struct session *s, enum domain_verdict verdict)
{
    domain_fn *go_on = s->question.domain;

    domains_keep(&s->gate->ask.domains, about(s), clock_mono_ms(), verdict);
    close_question(s);
    return go_on(s, verdict);
}

static void on_domain_answer(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_domain_answer *m = message;
    struct session *s = asker(owner, m->request, WAIT_DOMAIN);

    (void)channel, (void)fd;
    if (!s)
        return;
    session_woken(s, WAIT_DOMAIN);
    session_settle(s, domain_known(s, m->verdict));
}

/* Held mail. */

static void send_held(struct session *s)
{
    struct msg_held_ask message = {
        .request = s->question.number,
        .user = session_user(s),
        .size = s->transaction->parameters.size,
    };

    commit_ask_held(&s->gate->commit, &message);
}

enum answer ask_held(struct session *s, held_fn *go_on)
{
    next_number(s);
    s->question.held = go_on;
    session_wait(s, WAIT_HELD, ASK_ROOM_MS);
    send_held(s);
    return ANSWER_WAIT;
}

static enum answer held_known(struct session *s, enum rights_word word)
{
    held_fn *go_on = s->question.held;

    close_question(s);
    return go_on(s, word);
}

void ask_held_answered(struct gate *gate, const struct msg_held_answer *answer)
{
    struct session *s = asker(&gate->ask, answer->request, WAIT_HELD);

    if (!s)
        return;
    session_woken(s, WAIT_HELD);
    session_settle(s, held_known(s, answer->has_room ? RIGHTS_WORD_YES : RIGHTS_WORD_NO));
}

void ask_held_again(struct gate *gate)
{
    struct session *s, *next;

    HASH_ITER (hh, gate->sessions, s, next)
        if (s->wait == WAIT_HELD)
            send_held(s);
}

/* Logins. */

static void send_auth_start(struct session *s)
{
    char client[PEER_TEXT];
    uint8_t exporter[32], unique[STREAM_UNIQUE_MAX];
    size_t unique_len;
    struct msg_auth_start message = {
        .session = s->question.number,
        .mechanism = slice_text(s->exchange->mechanism),
        .has_initial = s->exchange->has_initial,
        .initial = secret_slice(&s->exchange->initial),
        .tls = session_is_tls(s),
    };

    if (s->external)
        message.external = slice_text(s->external);
    peer_text(&s->peer, client);
    message.client = slice_text(client);
    if (message.tls && stream_export_channel_binding(s->stream, exporter))
        message.channel_binding = slice_of(exporter, sizeof exporter);
    if (message.tls && stream_export_unique(s->stream, unique, &unique_len))
        message.tls_unique = slice_of(unique, unique_len);
    tell_vault(&s->gate->ask, MSG_AUTH_START, &message);
}

enum answer ask_auth_start(struct session *s)
{
    next_number(s);
    session_wait(s, WAIT_AUTH, s->gate->ask.vault ? ASK_AUTH_MS : ASK_ROOM_MS);
    send_auth_start(s);
    return ANSWER_WAIT;
}

enum answer ask_auth_step(struct session *s, struct slice data)
{
    struct msg_auth_step message = { .session = s->question.number, .data = data };

    session_wait(s, WAIT_AUTH, ASK_AUTH_MS);
    tell_vault(&s->gate->ask, MSG_AUTH_STEP, &message);
    return ANSWER_WAIT;
}

void ask_auth_cancel(struct session *s)
{
    struct msg_session message = { .session = s->question.number };

    if (s->exchange->state != EXCHANGE_LOST)
        tell_vault(&s->gate->ask, MSG_AUTH_CANCEL, &message);
    close_question(s);
}

/* The conversation keeps its number until it ends. */
static void on_auth_say(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_auth_step *m = message;
    struct session *s = asker(owner, m->session, WAIT_AUTH);

    (void)channel, (void)fd;
    if (!s)
        return;
    s->exchange->state = EXCHANGE_TALKING;
    secret_clear(&s->exchange->initial);
    session_woken(s, WAIT_AUTH);
    session_settle(s, auth_challenged(s, m->data));
}

static void on_auth_done(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_auth_done *m = message;
    struct session *s = asker(owner, m->session, WAIT_AUTH);

    (void)channel, (void)fd;
    if (!s)
        return;
    session_woken(s, WAIT_AUTH);
    close_question(s);
    session_settle(s, auth_finished(s, m));
}

/* Handshakes. */

void ask_sign(void *owner, const struct tls_sign_request *request)
{
    struct msg_sign message = { .request = request->number,
        .key = request->key,
        .algorithm = request->algorithm,
        .input = request->input };

    tell_vault(owner, MSG_SIGN, &message);
}

static void on_signed(void *owner, struct channel *channel, const void *message, int fd)
{
    struct ask *ask = owner;
    const struct msg_signed *m = message;
    struct slice signature = m->ok ? m->signature : (struct slice){ 0 };

    (void)channel, (void)fd;
    if (!tls_sign_done(ask->gate->signer, m->request, signature))
        log_event(LOG_WARNING, NULL, "a signature nobody waits for");
}

static void on_ticket_keys(void *owner, struct channel *channel, const void *message, int fd)
{
    struct ask *ask = owner;

    (void)channel, (void)fd;
    gate_set_ticket_keys(ask->gate, message);
}

/* Peers come and go. */

static const struct channel_handler vault_handlers[] = {
    { MSG_AUTH_SAY, on_auth_say },
    { MSG_AUTH_DONE, on_auth_done },
    { MSG_RIGHTS_DONE, on_rights_done },
    { MSG_SIGNED, on_signed },
    { MSG_TICKET_KEYS, on_ticket_keys },
};

static const struct channel_handler relay_handlers[] = {
    { MSG_DOMAIN_ANSWER, on_domain_answer },
};

/* The vault no longer knows of this exchange. One that it had not answered yet begins anew with the
 * next vault. */
static void lose_exchange(struct session *s)
{
    if (s->exchange->state == EXCHANGE_BEGUN)
        return;
    s->exchange->state = EXCHANGE_LOST;
    if (s->wait != WAIT_AUTH)
        return; /* the client hears it with its next line */
    session_woken(s, WAIT_AUTH);
    close_question(s);
    session_settle(s, auth_lost(s));
}

static void lose_vault(struct ask *ask)
{
    struct session *s, *next;

    channel_free(&ask->vault);
    HASH_ITER (hh, ask->gate->sessions, s, next)
        if (s->exchange)
            lose_exchange(s);
}

static void on_vault_closed(void *owner, struct channel *channel)
{
    (void)channel;
    lose_vault(owner);
}

static void on_relay_closed(void *owner, struct channel *channel)
{
    struct ask *ask = owner;

    channel_free(&ask->relays[channel_peer_index(channel)]);
}

void ask_attach_vault(struct ask *ask, int fd)
{
    const struct channel_spec spec = { .self = ROLE_GATE,
        .peer = ROLE_VAULT,
        .handlers = vault_handlers,
        .handler_count = LENGTH_OF(vault_handlers),
        .closed = on_vault_closed,
        .owner = ask };
    struct session *s, *next;

    lose_vault(ask);
    ask->vault = channel_new(ask->gate->loop, fd, &spec);
    if (!ask->vault) {
        log_event(LOG_ERROR, NULL, "no channel to the vault");
        return;
    }
    tls_signer_resend(ask->gate->signer);
    HASH_ITER (hh, ask->gate->sessions, s, next) {
        if (s->wait == WAIT_AUTH)
            send_auth_start(s);
        else if (s->wait == WAIT_RIGHTS)
            send_rights(s);
    }
}

void ask_attach_relay(struct ask *ask, uint32_t index, int fd)
{
    const struct channel_spec spec = { .self = ROLE_GATE,
        .peer = ROLE_RELAY,
        .peer_index = index,
        .handlers = relay_handlers,
        .handler_count = LENGTH_OF(relay_handlers),
        .closed = on_relay_closed,
        .owner = ask };

    if (index >= ASK_RELAYS_MAX) {
        close(fd);
        return;
    }
    channel_free(&ask->relays[index]);
    ask->relays[index] = channel_new(ask->gate->loop, fd, &spec);
}

void ask_init(struct ask *ask, struct gate *gate)
{
    ask->gate = gate;
}

void ask_clear(struct ask *ask)
{
    channel_free(&ask->vault);
    for (size_t i = 0; i < ASK_RELAYS_MAX; i++)
        channel_free(&ask->relays[i]);
}

/* Ends. */

enum answer ask_auth_is_over(struct session *s)
{
    ask_auth_cancel(s);
    return auth_lost(s);
}

enum answer ask_rights_is_over(struct session *s)
{
    return rights_known(s, RIGHTS_WORD_NONE);
}

enum answer ask_domain_is_over(struct session *s)
{
    return domain_known(s, DOMAIN_SILENT);
}

enum answer ask_held_is_over(struct session *s)
{
    return held_known(s, RIGHTS_WORD_NONE);
}

void ask_forget(struct session *s)
{
    if (s->exchange)
        ask_auth_cancel(s);
    close_question(s);
}
