/* relay/own_name.c: two questions, one warning. */
#include "relay/own_name.h"

#include <stdlib.h>

#include "base/log.h"
#include "ipc/room.h"
#include "relay/carrier.h"

/* One question and what it asks for. */
struct asking {
    struct own_name *own_name;
    struct resolve_query *query;
};

struct own_name {
    struct carrier *carrier;
    struct settings *settings;
    struct asking askings[2]; /* AAAA, A */
    size_t waiting;
};

void own_name_forget(struct carrier *carrier)
{
    struct own_name *o = carrier->own_name;

    carrier->own_name = NULL;
    if (!o)
        return;
    for (size_t i = 0; i < LENGTH_OF(o->askings); i++)
        resolve_cancel(&o->askings[i].query);
    settings_drop(&o->settings);
    free(o);
}

static void on_address(void *owner, const struct resolve_result *result)
{
    struct asking *asking = owner;
    struct own_name *o = asking->own_name;
    bool is_missing = result->status == RESOLVE_NODATA || result->status == RESOLVE_NXDOMAIN;

    asking->query = NULL;
    if (is_missing && --o->waiting > 0)
        return;
    if (is_missing)
        log_event(LOG_WARNING, NULL,
            "the name said in EHLO has no address record; others may refuse mail from it",
            log_slice("hostname", o->settings->conf->hostname));
    own_name_forget(o->carrier);
}

static bool speaks_smtp(const struct conf *conf)
{
    for (size_t i = 0; i < conf->route_count; i++)
        if (conf->routes[i].via == CONF_VIA_MX || conf->routes[i].via == CONF_VIA_SMTP)
            return true;
    return false;
}

void own_name_check(struct carrier *carrier)
{
    static const enum dns_type types[] = { DNS_AAAA, DNS_A };
    struct own_name *o;

    own_name_forget(carrier);
    if (carrier->room->index > 0 || !speaks_smtp(carrier->settings->conf))
        return;
    o = calloc(1, sizeof *o);
    if (!o)
        return;
    o->carrier = carrier;
    o->settings = settings_hold(carrier->settings);
    carrier->own_name = o;
    for (; o->waiting < LENGTH_OF(types); o->waiting++) {
        struct asking *asking = &o->askings[o->waiting];

        asking->own_name = o;
        if (resolve_start(carrier->resolver, o->settings->conf->hostname, types[o->waiting],
                on_address, asking, &asking->query) != ERR_OK) {
            own_name_forget(carrier);
            return;
        }
    }
}
