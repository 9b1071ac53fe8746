/* relay/settings.c: unpacking a configuration and warming its TLS clients. */
#include "relay/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { SNAPSHOT_ARENA_MAX = 64 << 20 };

static bool uses_tls(const struct conf_route *route)
{
    return route->via != CONF_VIA_MAILDIR && route->tls != CONF_TLS_NONE;
}

/* Routes with the system's trust store share one client. */
static enum err make_clients(struct settings *s)
{
    struct tls_client *common = NULL;

    s->clients = arena_array(&s->arena, s->conf->route_count, sizeof *s->clients);
    if (!s->clients)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->conf->route_count; i++) {
        const struct conf_route *route = &s->conf->routes[i];
        char *file = route->ca_file.len > 0 ? arena_text(&s->arena, route->ca_file) : NULL;
        char why[TLS_WHY];
        enum err rc;

        if (!uses_tls(route))
            continue;
        if (!file && common) {
            s->clients[i] = common;
            continue;
        }
        rc = tls_client_new(file, &s->clients[i], why);
        if (rc != ERR_OK) {
            log_event(LOG_ERROR, NULL, "trust anchors cannot be used",
                log_slice("route", route->pattern), log_text("why", why));
            return rc;
        }
        if (!file)
            common = s->clients[i];
    }
    return ERR_OK;
}

enum err settings_new(struct slice conf, struct settings **out_settings)
{
    struct settings *s = calloc(1, sizeof *s);
    enum err rc;

    if (!s)
        return ERR_NOMEM;
    s->holds = 1;
    arena_init(&s->arena, SNAPSHOT_ARENA_MAX);
    rc = conf_unpack(conf, &s->arena, &s->conf);
    if (rc == ERR_OK)
        rc = make_clients(s);
    if (rc != ERR_OK) {
        settings_drop(&s);
        return rc;
    }
    s->number = s->conf->number;
    *out_settings = s;
    return ERR_OK;
}

struct settings *settings_hold(struct settings *settings)
{
    settings->holds++;
    return settings;
}

void settings_drop(struct settings **settings)
{
    struct settings *s = *settings;

    *settings = NULL;
    if (!s || --s->holds > 0)
        return;
    for (size_t i = 0; s->clients && i < s->conf->route_count; i++) {
        struct tls_client *client = s->clients[i];

        for (size_t j = i; client && j < s->conf->route_count; j++)
            if (s->clients[j] == client)
                s->clients[j] = NULL;
        tls_client_free(&client);
    }
    arena_clear(&s->arena);
    free(s);
}
