/* fetch/room.c: the room: its peers, its tables of messages, its life with the supervisor. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fetch/documents.h"
#include "fetch/fetch.h"
#include "fetch/imap.h"
#include "fetch/state.h"
#include "fetch/urls.h"
#include "net/https.h"
#include "net/loop.h"
#include "net/tls.h"

#define CLOCK_BACK_US (INT64_C(3600) * 1000000)

/* What the vault may ask. */

static void on_fetch(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    documents_ask(owner, message);
}

static void on_fetch_cancel(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    documents_cancel(owner, message);
}

static void on_login_say(void *owner, struct channel *channel, const void *message, int fd)
{
    struct asker *asker = owner;

    (void)channel, (void)fd;
    imap_login_say(asker->fetch, message);
}

static void on_vault_gone(struct asker *asker)
{
    documents_forget(asker);
    imap_vault_lost(asker->fetch);
}

static const struct channel_handler vault_handlers[] = {
    { MSG_LOGIN_SAY, on_login_say },
    { MSG_FETCH, on_fetch },
    { MSG_FETCH_CANCEL, on_fetch_cancel },
};

/* What a gate may ask. */

static void on_url(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel;
    urls_ask(owner, message, fd);
}

static void on_url_cancel(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)channel, (void)fd;
    urls_cancel(owner, message);
}

static const struct channel_handler gate_handlers[] = {
    { MSG_URL, on_url },
    { MSG_URL_CANCEL, on_url_cancel },
};

static const struct asker_kind kinds[] = {
    { ROLE_VAULT, vault_handlers, LENGTH_OF(vault_handlers), documents_begin, on_vault_gone,
        documents_is_busy },
    { ROLE_GATE, gate_handlers, LENGTH_OF(gate_handlers), urls_begin, urls_forget, urls_is_busy },
};

static const struct asker_kind *kind_of(enum role role)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        if (kinds[i].role == role)
            return &kinds[i];
    return NULL;
}

/* Askers. */

static void asker_free(struct asker *asker)
{
    struct fetch *fetch = asker->fetch;

    asker->kind->forget(asker);
    DL_DELETE(fetch->askers, asker);
    channel_free(&asker->channel);
    free(asker);
    fetch_drain_if_idle(fetch);
}

static void on_closed(void *owner, struct channel *channel)
{
    (void)channel;
    asker_free(owner);
}

struct channel *fetch_vault(const struct fetch *fetch)
{
    struct asker *asker;

    DL_FOREACH (fetch->askers, asker)
        if (asker->kind->role == ROLE_VAULT)
            return asker->channel;
    return NULL;
}

static struct asker *find_asker(const struct fetch *fetch, const struct msg_peer *who)
{
    struct asker *asker;

    DL_FOREACH (fetch->askers, asker)
        if (asker->kind->role == who->role && channel_peer_index(asker->channel) == who->index)
            return asker;
    return NULL;
}

static void fetch_peer_came(struct room *room, const struct msg_peer *who, int fd)
{
    struct fetch *fetch = room->state;
    const struct asker_kind *kind = kind_of(who->role);
    struct asker *old = kind ? find_asker(fetch, who) : NULL;
    struct asker *asker = kind ? calloc(1, sizeof *asker) : NULL;
    struct channel_spec spec = { .self = ROLE_FETCH,
        .peer = who->role,
        .peer_index = who->index,
        .handlers = kind ? kind->handlers : NULL,
        .handler_count = kind ? kind->handler_count : 0,
        .closed = on_closed,
        .owner = asker };

    if (old)
        asker_free(old);
    if (!asker) {
        close(fd);
        return;
    }
    asker->fetch = fetch;
    asker->kind = kind;
    asker->channel = channel_new(room->loop, fd, &spec);
    if (!asker->channel) {
        log_event(LOG_ERROR, NULL, "no channel to peer", log_text("peer", role_name(who->role)),
            log_reason(ERR_NOMEM));
        free(asker);
        return;
    }
    DL_APPEND(fetch->askers, asker);
}

/* Life. */

void fetch_drain_if_idle(struct fetch *fetch)
{
    struct asker *asker;

    if (!fetch->is_draining)
        return;
    DL_FOREACH (fetch->askers, asker)
        if (asker->kind->is_busy(asker))
            return;
    room_drained(fetch->room);
}

void fetch_mind_clock(struct fetch *fetch)
{
    int64_t offset = clock_offset_us();

    if (fetch->is_draining || offset > fetch->clock_offset_us - CLOCK_BACK_US)
        return;
    log_event(LOG_NOTICE, NULL, "the clock was set back: names are asked anew by another room",
        log_number("seconds", (offset - fetch->clock_offset_us) / 1000000));
    fetch->is_draining = true;
    fetch->room->end = ROOM_END_CLOCK;
}

static enum err fetch_init(struct room *room)
{
    struct fetch *fetch = calloc(1, sizeof *fetch);
    char why[HTTPS_WHY];

    if (!fetch || tls_warm() != ERR_OK)
        return ERR_NOMEM;
    room->state = fetch;
    fetch->room = room;
    fetch->clock_offset_us = clock_offset_us();
    fetch_gifts_init(&fetch->gifts);
    if (https_warm(why) != ERR_OK) {
        log_event(LOG_ERROR, NULL, "HTTPS cannot be used", log_text("why", why));
        return ERR_NOTFOUND;
    }
    return ERR_OK;
}

static void fetch_give(struct room *room, const struct msg_give *gift, int fd)
{
    struct fetch *fetch = room->state;

    fetch_gifts_take(&fetch->gifts, gift, fd);
}

static enum err make_resolver(struct fetch *fetch, const struct conf_dns *dns)
{
    const char *forwards[16];
    struct arena arena;
    struct resolver_settings wanted = { .forwards = forwards };
    char why[RESOLVE_WHY];
    enum err rc;

    arena_init(&arena, 1 << 20);
    wanted.trust_anchor = arena_text(&arena, dns->trust_anchor);
    wanted.root_hints = arena_text(&arena, dns->root_hints);
    for (; wanted.forward_count < dns->forward_count && wanted.forward_count < LENGTH_OF(forwards);
         wanted.forward_count++)
        forwards[wanted.forward_count] =
            arena_text(&arena, dns->forward[wanted.forward_count].text);
    rc = resolver_new(fetch->room->loop, &wanted, &fetch->resolver, why);
    if (rc != ERR_OK)
        log_event(LOG_ERROR, NULL, "DNS cannot be used", log_text("why", why));
    arena_clear(&arena);
    return rc;
}

static enum err fetch_apply(struct room *room, struct slice conf)
{
    struct fetch *fetch = room->state;
    struct fetch_settings *fresh;
    struct asker *asker;
    enum err rc = fetch_settings_new(room->loop, conf, &fetch->gifts, &fresh);

    fetch_gifts_clear(&fetch->gifts);
    if (rc == ERR_OK && !fetch->resolver) {
        rc = make_resolver(fetch, &fresh->conf->dns);
        if (rc != ERR_OK)
            fetch_settings_drop(&fresh);
    }
    if (rc != ERR_OK)
        return rc;
    fetch_settings_drop(&fetch->settings);
    fetch->settings = fresh;
    DL_FOREACH (fetch->askers, asker)
        asker->kind->begin(asker);
    return ERR_OK;
}

static void fetch_drain(struct room *room)
{
    struct fetch *fetch = room->state;

    fetch->is_draining = true;
    fetch_drain_if_idle(fetch);
}

void fetch_free(struct fetch **at)
{
    struct fetch *fetch = *at;

    *at = NULL;
    fetch->is_draining = false;
    while (fetch->askers)
        asker_free(fetch->askers);
    imap_end_all(fetch);
    fetch_settings_drop(&fetch->settings);
    resolver_free(&fetch->resolver);
    fetch_gifts_clear(&fetch->gifts);
    free(fetch);
}

const struct room_type fetch_room = {
    .role = ROLE_FETCH,
    .init = fetch_init,
    .give = fetch_give,
    .peer = fetch_peer_came,
    .apply = fetch_apply,
    .drain = fetch_drain,
};
