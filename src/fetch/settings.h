/* fetch/settings.h: one configuration as the fetch room uses it, shared by what began under it. */
#ifndef FETCH_SETTINGS_H
#define FETCH_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "ipc/messages.h"

struct https;
struct loop;
struct tls_client;

enum { IMAP_SERVERS_MAX = 64 };

struct fetch_settings {
    unsigned holds;
    uint64_t number;
    struct arena arena;
    struct conf *conf;
    struct tls_client *clients[FETCH_PEERS]; /* with the trusted roots of each */
    struct secret secrets[FETCH_PEERS];      /* the first line of each file; empty: none */
    struct https *https;                     /* to FETCH_PEER_OAUTH */
    struct tls_client *imap_clients[IMAP_SERVERS_MAX]; /* with the trusted roots of each */
};

/* Files that came with a snapshot; -1: none. */
struct fetch_gifts {
    int roots[FETCH_PEERS];
    int secrets[FETCH_PEERS];
    int imap_roots[IMAP_SERVERS_MAX];
};

void fetch_gifts_init(struct fetch_gifts *gifts);
/* Owns the descriptor; one that is none of these is closed. */
void fetch_gifts_take(struct fetch_gifts *gifts, const struct msg_give *gift, int fd);
/* Closes all. */
void fetch_gifts_clear(struct fetch_gifts *gifts);

/* Unpacks the configuration, loads trusted roots, reads secrets. ERR_CORRUPT, ERR_NOMEM,
 * ERR_INVALID, ERR_IO (said in the log). */
MUST_CHECK enum err fetch_settings_new(struct loop *loop, struct slice conf,
    const struct fetch_gifts *gifts, struct fetch_settings **out_settings);
struct fetch_settings *fetch_settings_hold(struct fetch_settings *settings);
/* Nulls the pointer; frees with the last hold. Not from inside a callback of its https. */
void fetch_settings_drop(struct fetch_settings **settings);

#endif
