/* conf/check.h: what no single setting can say: which belong together, which are unsafe, and the
 * parts derived from them. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/fault.h"
#include "conf/scan.h"

/* Checks the filled configuration and completes it: addresses are taken apart, defaults that depend
 * on other settings are set. The arena is the configuration's. ERR_INVALID with the fault set,
 * ERR_NOMEM. */
MUST_CHECK enum err check_conf(
    struct conf *conf, const struct scan *scan, struct arena *arena, struct fault *fault);

#endif
