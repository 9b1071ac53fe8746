/* fetch/state.h: what the room holds. */
#ifndef FETCH_STATE_H
#define FETCH_STATE_H

#include "base/map.h"
#include "fetch/settings.h"
#include "ipc/channel.h"
#include "ipc/room.h"
#include "net/resolve.h"

struct ask;
struct imap;
struct url;

/* A room at the other end of a channel. Owned by room.c. */
struct asker {
    struct asker *prev, *next;
    struct fetch *fetch;
    const struct asker_kind *kind;
    struct channel *channel;
    struct ask *asks; /* under way for it (documents.c) */
    size_t ask_count;
    struct url *urls; /* the same (urls.c) */
    size_t url_count;
};

/* What rooms of one role may ask: a row of the table in room.c for each. */
struct asker_kind {
    enum role role;
    const struct channel_handler *handlers; /* their owner is the asker */
    size_t handler_count;
    /* A configuration came into force. */
    void (*begin)(struct asker *asker);
    /* Nobody waits any more for what was asked. The channel is about to be closed. */
    void (*forget)(struct asker *asker);
    /* Is anything under way for it? */
    bool (*is_busy)(const struct asker *asker);
};

struct fetch {
    struct room *room;
    struct resolver *resolver; /* the house's one for this room; never NULL after the first apply */
    struct fetch_settings *settings; /* in force */
    struct fetch_gifts gifts;        /* for the snapshot that follows */
    struct asker *askers;
    struct imap *imaps; /* conversations with IMAP servers (imap.c) */
    size_t urls_busy;   /* of the askers' urls, those whose turn it is */
    uint64_t last_login;
    int64_t clock_offset_us;
    bool is_draining;
};

/* The channel to the vault, or NULL while it is away. */
struct channel *fetch_vault(const struct fetch *fetch);
/* Something that was under way is over: ends the room where it drains and nothing is left. */
void fetch_drain_if_idle(struct fetch *fetch);
/* Before names are looked up: the resolver library keeps answers by the wall clock, so after a step
 * back the room has to end and be started anew. */
void fetch_mind_clock(struct fetch *fetch);

#endif
