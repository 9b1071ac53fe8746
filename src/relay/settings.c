/* relay/settings.c: unpacking a configuration and warming its TLS clients. */
#include "relay/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/messages.h"

enum { SNAPSHOT_ARENA_MAX = 64 << 20 };

static bool uses_tls(const struct conf_route *route)
{
    return route->via != CONF_VIA_MAILDIR && route->tls != CONF_TLS_NONE;
}

enum err roots_take(struct roots *roots, uint32_t route, int file)
{
    struct roots_file *files = reallocarray(roots->files, roots->count + 1, sizeof *files);

    if (!files) {
        close(file);
        return ERR_NOMEM;
    }
    files[roots->count++] = (struct roots_file){ .route = route, .file = file };
    roots->files = files;
    return ERR_OK;
}

void roots_clear(struct roots *roots)
{
    for (size_t i = 0; i < roots->count; i++)
        close(roots->files[i].file);
    free(roots->files);
    *roots = (struct roots){ 0 };
}

static int roots_find(const struct roots *roots, uint32_t route)
{
    for (size_t i = 0; i < roots->count; i++)
        if (roots->files[i].route == route)
            return roots->files[i].file;
    return -1;
}

/* Routes with the system's trust store share one client. */
static enum err make_clients(struct settings *s, const struct roots *roots)
{
    struct tls_client *common = NULL;

    s->clients = arena_array(&s->arena, s->conf->route_count, sizeof *s->clients);
    if (!s->clients)
        return ERR_NOMEM;
    for (size_t i = 0; i < s->conf->route_count; i++) {
        const struct conf_route *route = &s->conf->routes[i];
        bool is_own = route->ca_file.len > 0;
        char why[TLS_WHY];
        enum err rc;

        if (!uses_tls(route))
            continue;
        if (!is_own && common) {
            s->clients[i] = common;
            continue;
        }
        rc = tls_client_new(
            roots_find(roots, is_own ? (uint32_t)i : GIFT_ROOTS_SYSTEM), &s->clients[i], why);
        if (rc != ERR_OK) {
            log_event(LOG_ERROR, NULL, "trust anchors cannot be used",
                log_slice("route", route->pattern), log_text("why", why));
            return rc;
        }
        if (!is_own)
            common = s->clients[i];
    }
    return ERR_OK;
}

enum err settings_new(struct slice conf, const struct roots *roots, struct settings **out_settings)
{
    struct settings *s = calloc(1, sizeof *s);
    enum err rc;

    if (!s)
        return ERR_NOMEM;
    s->holds = 1;
    arena_init(&s->arena, SNAPSHOT_ARENA_MAX);
    rc = conf_unpack(conf, &s->arena, &s->conf);
    if (rc == ERR_OK)
        rc = make_clients(s, roots);
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
