/* vault/vault.c: the room: its peers, its tables of messages, its life with the supervisor. */
#include "vault/vault.h"

#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "vault/auth.h"
#include "vault/fetcher.h"
#include "vault/login.h"
#include "vault/asker.h"
#include "vault/secrets.h"
#include "vault/senders.h"
#include "vault/sign.h"
#include "vault/store.h"
#include "vault/tickets.h"
#include "vault/tokens.h"

enum { CONF_ARENA = 64 << 20, DRAIN_STEP_MS = 20, DRAIN_MS = 5000, SIGN_THREADS_MAX = 8 };

/* A channel that came before the first snapshot was in force: its questions wait in the socket. */
struct early_peer {
    struct early_peer *prev, *next;
    struct msg_peer who;
    int fd;
};

struct vault {
    struct room *room;
    struct secrets *secrets;
    struct sign *sign;
    struct tickets *tickets;
    struct logins *logins;
    struct store *store;
    struct fetcher *fetcher;
    struct tokens *tokens;
    struct auth *auth;
    struct senders *senders;
    struct asker *askers;
    uint64_t asker_ids;
    struct early_peer *early;
    bool is_started;
    int users_dir; /* handed over, not in force yet; -1: none */
    char *users_name;
    int keys_dir; /* the same for the key set of access tokens */
    char *keys_name;
    struct timer drain;
    int64_t drain_end;
};

static void on_auth_start(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    auth_start(asker->vault->auth, asker, message);
}

static void on_auth_step(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    auth_step(asker->vault->auth, asker, message);
}

static void on_auth_cancel(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    auth_cancel(asker->vault->auth, asker, message);
}

static void on_rights(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    senders_ask(asker->vault->senders, asker, message);
}

static void on_sign(void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    sign_request(asker->vault->sign, asker, message);
}

static void on_login_start(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    logins_start(asker->vault->logins, asker, message);
}

static void on_login_step(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    logins_step(asker->vault->logins, asker, message);
}

static void on_login_end(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    logins_end(asker->vault->logins, asker, message);
}

/* What a gate may ask. */
static const struct channel_handler gate_handlers[] = {
    { MSG_AUTH_START, on_auth_start },
    { MSG_AUTH_STEP, on_auth_step },
    { MSG_AUTH_CANCEL, on_auth_cancel },
    { MSG_RIGHTS, on_rights },
    { MSG_SIGN, on_sign },
};

/* What a relay may ask. */
static const struct channel_handler relay_handlers[] = {
    { MSG_LOGIN_START, on_login_start },
    { MSG_LOGIN_STEP, on_login_step },
    { MSG_LOGIN_END, on_login_end },
};

static void on_fetched(
    void *owner, struct channel *channel UNUSED, const void *message, int fd UNUSED)
{
    struct asker *asker = owner;

    fetcher_take(asker->vault->fetcher, message);
}

/* What the fetch room may ask, and answers. */
static const struct channel_handler fetch_handlers[] = {
    { MSG_LOGIN_START, on_login_start },
    { MSG_LOGIN_STEP, on_login_step },
    { MSG_LOGIN_END, on_login_end },
    { MSG_FETCHED, on_fetched },
};

static const struct peer_kind {
    enum role role;
    const struct channel_handler *handlers;
    size_t handler_count;
    bool wants_tickets;
} peer_kinds[] = {
    { ROLE_GATE, gate_handlers, LENGTH_OF(gate_handlers), true },
    { ROLE_RELAY, relay_handlers, LENGTH_OF(relay_handlers), false },
    { ROLE_FETCH, fetch_handlers, LENGTH_OF(fetch_handlers), false },
};

static const struct peer_kind *kind_of(enum role role)
{
    for (size_t i = 0; i < LENGTH_OF(peer_kinds); i++)
        if (peer_kinds[i].role == role)
            return &peer_kinds[i];
    return NULL;
}

static void asker_free(struct asker *asker)
{
    struct vault *vault = asker->vault;

    auth_forget_asker(vault->auth, asker);
    senders_forget_asker(vault->senders, asker);
    sign_forget_asker(vault->sign, asker);
    logins_forget_asker(vault->logins, asker);
    if (channel_peer(asker->channel) == ROLE_FETCH)
        fetcher_connect(vault->fetcher, NULL);
    DL_DELETE(vault->askers, asker);
    channel_free(&asker->channel);
    free(asker);
}

static void on_closed(void *owner, struct channel *channel UNUSED)
{
    asker_free(owner);
}

static void send_tickets(struct vault *vault, struct asker *asker)
{
    struct msg_ticket_keys message = tickets_message(vault->tickets);

    channel_send(asker->channel, MSG_TICKET_KEYS, &message, -1);
}

static void on_tickets_changed(void *owner)
{
    struct vault *vault = owner;
    struct asker *asker;

    DL_FOREACH (vault->askers, asker)
        if (kind_of(channel_peer(asker->channel))->wants_tickets)
            send_tickets(vault, asker);
}

static struct asker *find_asker(const struct vault *vault, const struct msg_peer *who)
{
    struct asker *asker;

    DL_FOREACH (vault->askers, asker)
        if (channel_peer(asker->channel) == who->role &&
            channel_peer_index(asker->channel) == who->index)
            return asker;
    return NULL;
}

static void open_peer(struct vault *vault, const struct msg_peer *who, int fd)
{
    const struct peer_kind *kind = kind_of(who->role);
    struct asker *old = find_asker(vault, who);
    struct asker *asker = calloc(1, sizeof *asker);
    struct channel_spec spec = { .self = ROLE_VAULT,
        .peer = who->role,
        .peer_index = who->index,
        .handlers = kind->handlers,
        .handler_count = kind->handler_count,
        .closed = on_closed,
        .owner = asker };

    if (old)
        asker_free(old);
    if (asker)
        asker->channel = channel_new(vault->room->loop, fd, &spec);
    else
        close(fd);
    if (!asker || !asker->channel) {
        log_event(LOG_ERROR, NULL, "no channel to peer", log_text("peer", role_name(who->role)),
            log_reason(ERR_NOMEM));
        free(asker);
        return;
    }
    asker->vault = vault;
    asker->id = ++vault->asker_ids;
    DL_APPEND(vault->askers, asker);
    if (kind->wants_tickets)
        send_tickets(vault, asker);
    if (who->role == ROLE_FETCH)
        fetcher_connect(vault->fetcher, asker->channel);
}

static void vault_peer(struct room *room, const struct msg_peer *who, int fd)
{
    struct vault *vault = room->state;
    struct early_peer *early;

    if (!kind_of(who->role)) {
        close(fd);
        return;
    }
    if (vault->is_started) {
        open_peer(vault, who, fd);
        return;
    }
    early = calloc(1, sizeof *early);
    if (!early) {
        close(fd);
        return;
    }
    early->who = *who;
    early->fd = fd;
    DL_APPEND(vault->early, early);
}

static void open_early_peers(struct vault *vault)
{
    struct early_peer *early, *next;

    DL_FOREACH_SAFE (vault->early, early, next) {
        DL_DELETE(vault->early, early);
        open_peer(vault, &early->who, early->fd);
        free(early);
    }
}

static unsigned sign_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores <= 2)
        return 1;
    return cores - 1 < SIGN_THREADS_MAX ? (unsigned)cores - 1 : SIGN_THREADS_MAX;
}

static void on_drain(void *owner);

static enum err vault_init(struct room *room)
{
    struct vault *vault = calloc(1, sizeof *vault);
    struct auth_settings settings = auth_defaults();

    /* Its configuration file is read now: later the walls are up. */
    if (!vault || OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
        return ERR_NOMEM;
    room->state = vault;
    vault->room = room;
    vault->users_dir = -1;
    vault->keys_dir = -1;
    timer_init(&vault->drain, room->loop, on_drain, vault);
    vault->secrets = secrets_new();
    vault->store = store_new(room->loop);
    vault->tickets = tickets_new(room->loop, TICKETS_LIFE_MS, on_tickets_changed, vault);
    vault->fetcher = fetcher_new(room->loop);
    vault->tokens = vault->fetcher ? tokens_new(room->loop, vault->fetcher) : NULL;
    if (!vault->secrets || !vault->store || !vault->tickets || !vault->tokens)
        return ERR_NOMEM;
    vault->sign = sign_new(room->loop, vault->secrets, sign_threads());
    vault->logins = logins_new(room->loop, vault->secrets);
    vault->auth = auth_new(room->loop, vault->store, vault->tokens, &settings);
    vault->senders = senders_new(vault->store);
    return vault->sign && vault->logins && vault->auth && vault->senders ? ERR_OK : ERR_NOMEM;
}

static void take_folder(struct slice name, int fd, char **name_at, int *dir_at)
{
    if (*dir_at >= 0)
        close(*dir_at);
    free(*name_at);
    *name_at = strndup(name.len > 0 ? name.data : "", name.len);
    *dir_at = fd;
}

static void vault_give(struct room *room, const struct msg_give *gift, int fd)
{
    struct vault *vault = room->state;

    switch (gift->gift) {
    case GIFT_KEY:
        secrets_give_key(vault->secrets, gift->index, gift->name, fd);
        break;
    case GIFT_PASSWORD:
        secrets_give_password(vault->secrets, gift->index, fd);
        break;
    case GIFT_USERS:
        if (gift->index == 1)
            take_folder(gift->name, fd, &vault->keys_name, &vault->keys_dir);
        else
            take_folder(gift->name, fd, &vault->users_name, &vault->users_dir);
        break;
    default:
        close(fd);
    }
}

static void vault_certificate(struct room *room, const struct msg_certificate *certificate)
{
    struct vault *vault = room->state;

    secrets_give_certificate(vault->secrets, certificate->index, certificate->chain);
}

static enum err apply_users(struct vault *vault)
{
    int dir = vault->users_dir;
    struct slice name = slice_text(vault->users_name);

    vault->users_dir = -1;
    if (dir >= 0 && !vault->users_name) {
        close(dir);
        return ERR_NOMEM;
    }
    return store_set_place(vault->store, dir, name) ? ERR_OK : ERR_NOMEM;
}

static enum err apply_tokens(struct vault *vault, const struct conf *conf)
{
    int dir = vault->keys_dir;

    vault->keys_dir = -1;
    fetcher_set_snapshot(vault->fetcher, conf->number);
    return tokens_set_rules(vault->tokens, &conf->auth, dir, slice_text(vault->keys_name))
               ? ERR_OK
               : ERR_NOMEM;
}

static enum err vault_apply(struct room *room, struct slice bytes)
{
    struct vault *vault = room->state;
    struct arena arena;
    struct conf *conf;
    enum err rc;

    arena_init(&arena, CONF_ARENA);
    rc = conf_unpack(bytes, &arena, &conf);
    if (rc == ERR_OK)
        rc = secrets_apply(vault->secrets, conf);
    if (rc == ERR_OK)
        rc = apply_users(vault);
    if (rc == ERR_OK)
        rc = apply_tokens(vault, conf);
    if (rc == ERR_OK)
        auth_set_limits(vault->auth,
            (struct failure_limits){ .per_client = conf->limits.auth_failures_per_client,
                .per_account = conf->limits.auth_failures_per_account });
    arena_clear(&arena);
    if (rc != ERR_OK)
        return rc;
    vault->is_started = true;
    open_early_peers(vault);
    sign_retry(vault->sign);
    return ERR_OK;
}

/* Gates and relays have ended before, so there is seldom anything left; what is, gets its answer.
 */
static void on_drain(void *owner)
{
    struct vault *vault = owner;
    size_t busy = auth_busy(vault->auth) + sign_busy(vault->sign) + logins_busy(vault->logins) +
                  tokens_busy(vault->tokens);

    if (busy == 0 || clock_mono_ms() >= vault->drain_end)
        room_drained(vault->room);
    else
        timer_set(&vault->drain, DRAIN_STEP_MS);
}

static void vault_drain(struct room *room)
{
    struct vault *vault = room->state;

    vault->drain_end = clock_mono_ms() + DRAIN_MS;
    timer_set(&vault->drain, 0);
}

const struct room_type vault_room = {
    .role = ROLE_VAULT,
    .early_walls = WALLS_ALL,
    .init = vault_init,
    .give = vault_give,
    .certificate = vault_certificate,
    .peer = vault_peer,
    .apply = vault_apply,
    .drain = vault_drain,
};
