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

/* Files of trusted roots that came with a snapshot. */
struct roots {
    struct roots_file {
        uint32_t route; /* or GIFT_ROOTS_SYSTEM */
        int file;
    } * files;
    size_t count;
};

/* Owns the descriptor, also when it fails. */
MUST_CHECK enum err roots_take(struct roots *roots, uint32_t route, int file);
void roots_clear(struct roots *roots);

/* Unpacks the configuration and loads trusted roots. ERR_CORRUPT, ERR_NOMEM, ERR_INVALID, ERR_IO
 * (logged with the route). */
MUST_CHECK enum err settings_new(
    struct slice conf, const struct roots *roots, struct settings **out_settings);
struct settings *settings_hold(struct settings *settings);
/* Nulls the pointer; frees with the last hold. */
void settings_drop(struct settings **settings);

#endif
