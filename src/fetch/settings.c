/* fetch/settings.c: unpacking a configuration, its trusted roots and its secrets. */
#include "fetch/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/https.h"
#include "net/tls.h"

enum { SNAPSHOT_ARENA_MAX = 64 << 20 };

void fetch_gifts_init(struct fetch_gifts *gifts)
{
    for (size_t i = 0; i < FETCH_PEERS; i++)
        gifts->roots[i] = gifts->secrets[i] = -1;
    for (size_t i = 0; i < IMAP_SERVERS_MAX; i++)
        gifts->imap_roots[i] = -1;
}

void fetch_gifts_take(struct fetch_gifts *gifts, const struct msg_give *gift, int fd)
{
    int *list = gift->gift == GIFT_FETCH_ROOTS    ? gifts->roots
                : gift->gift == GIFT_FETCH_SECRET ? gifts->secrets
                : gift->gift == GIFT_IMAP_ROOTS   ? gifts->imap_roots
                                                  : NULL;
    size_t count = gift->gift == GIFT_IMAP_ROOTS ? IMAP_SERVERS_MAX : FETCH_PEERS;

    if (!list || gift->index >= count) {
        close(fd);
        return;
    }
    if (list[gift->index] >= 0)
        close(list[gift->index]);
    list[gift->index] = fd;
}

void fetch_gifts_clear(struct fetch_gifts *gifts)
{
    for (size_t i = 0; i < FETCH_PEERS; i++) {
        if (gifts->roots[i] >= 0)
            close(gifts->roots[i]);
        if (gifts->secrets[i] >= 0)
            close(gifts->secrets[i]);
    }
    for (size_t i = 0; i < IMAP_SERVERS_MAX; i++)
        if (gifts->imap_roots[i] >= 0)
            close(gifts->imap_roots[i]);
    fetch_gifts_init(gifts);
}

/* The first line. */
static enum err read_secret(int fd, struct secret *out_secret)
{
    char text[FETCH_SECRET_MAX + 2];
    ssize_t got = pread(fd, text, sizeof text, 0);
    struct slice line = slice_line(slice_of(text, got > 0 ? (size_t)got : 0));
    enum err rc = got < 0 ? err_from_errno(errno) : ERR_OK;

    if (rc == ERR_OK && (line.len == 0 || line.len > FETCH_SECRET_MAX))
        rc = ERR_INVALID;
    if (rc == ERR_OK && !secret_set(out_secret, line))
        rc = ERR_NOMEM;
    explicit_bzero(text, sizeof text);
    return rc;
}

static enum err load_peer(
    struct fetch_settings *s, enum fetch_peer peer, const struct fetch_gifts *gifts)
{
    char why[TLS_WHY];
    enum err rc = tls_client_new(gifts->roots[peer], &s->clients[peer], why);

    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, "trust anchors cannot be used", log_text("why", why));
        return rc;
    }
    if (gifts->secrets[peer] >= 0)
        rc = read_secret(gifts->secrets[peer], &s->secrets[peer]);
    if (rc != ERR_OK)
        log_event(LOG_ERROR, NULL, "the secret file cannot be used", log_reason(rc));
    return rc;
}

static enum err load_imap_servers(struct fetch_settings *s, const struct fetch_gifts *gifts)
{
    char why[TLS_WHY];
    enum err rc = ERR_OK;

    for (size_t i = 0; i < s->conf->imap_server_count && i < IMAP_SERVERS_MAX && rc == ERR_OK; i++)
        rc = tls_client_new(gifts->imap_roots[i], &s->imap_clients[i], why);
    if (rc != ERR_OK)
        log_event(LOG_ERROR, NULL, "trust anchors cannot be used", log_text("why", why));
    return rc;
}

enum err fetch_settings_new(struct loop *loop, struct slice conf, const struct fetch_gifts *gifts,
    struct fetch_settings **out_settings)
{
    struct fetch_settings *s = calloc(1, sizeof *s);
    enum err rc;

    if (!s)
        return ERR_NOMEM;
    s->holds = 1;
    arena_init(&s->arena, SNAPSHOT_ARENA_MAX);
    rc = conf_unpack(conf, &s->arena, &s->conf);
    for (size_t i = 0; i < FETCH_PEERS && rc == ERR_OK; i++)
        rc = load_peer(s, (enum fetch_peer)i, gifts);
    if (rc == ERR_OK)
        rc = load_imap_servers(s, gifts);
    if (rc == ERR_OK) {
        s->https = https_new(loop, s->clients[FETCH_PEER_OAUTH]);
        rc = s->https ? ERR_OK : ERR_NOMEM;
    }
    if (rc != ERR_OK) {
        fetch_settings_drop(&s);
        return rc;
    }
    s->number = s->conf->number;
    *out_settings = s;
    return ERR_OK;
}

struct fetch_settings *fetch_settings_hold(struct fetch_settings *settings)
{
    settings->holds++;
    return settings;
}

void fetch_settings_drop(struct fetch_settings **settings)
{
    struct fetch_settings *s = *settings;

    *settings = NULL;
    if (!s || --s->holds > 0)
        return;
    https_free(&s->https);
    for (size_t i = 0; i < FETCH_PEERS; i++) {
        tls_client_free(&s->clients[i]);
        secret_clear(&s->secrets[i]);
    }
    for (size_t i = 0; i < IMAP_SERVERS_MAX; i++)
        tls_client_free(&s->imap_clients[i]);
    arena_clear(&s->arena);
    free(s);
}
