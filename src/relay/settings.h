/* relay/settings.h: one configuration as the relay uses it, shared by the deliveries that began
 * under it. */
#ifndef RELAY_SETTINGS_H
#define RELAY_SETTINGS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "net/tls.h"

struct settings {
    unsigned holds;
    uint64_t number;
    struct arena arena;
    struct conf *conf;
    struct tls_client **clients; /* by route; NULL where the route has no TLS */
};

/* Unpacks the configuration and loads trust anchors. ERR_CORRUPT, ERR_NOMEM, ERR_INVALID (logged
 * with the file's name). */
MUST_CHECK enum err settings_new(struct slice conf, struct settings **out_settings);
struct settings *settings_hold(struct settings *settings);
/* Nulls the pointer; frees with the last hold. */
void settings_drop(struct settings **settings);

#endif
