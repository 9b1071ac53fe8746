/* relay/dead.h: hosts that could not be reached lately, by address and port, so that not every
 * queued message tries them again (QUE-5). Bounded; a host leaves it by its first success or when
 * its time is over. */
#ifndef RELAY_DEAD_H
#define RELAY_DEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "conf/conf.h"

struct dead_hosts;

MUST_CHECK struct dead_hosts *dead_hosts_new(void);
void dead_hosts_free(struct dead_hosts **hosts);
/* address: text with port. now_ms: monotonic. */
bool dead_hosts_has(const struct dead_hosts *hosts, const char *address, int64_t now_ms);
/* No connection or no greeting: remembered for conf's dead_host seconds, doubled with each failure
 * in a row, one hour at most. Without memory it is not remembered. */
void dead_hosts_add(
    struct dead_hosts *hosts, const char *address, const struct conf_queue *queue, int64_t now_ms);
/* Forgets all of them. */
void dead_hosts_forgive(struct dead_hosts *hosts);
void dead_hosts_remove(struct dead_hosts *hosts, const char *address);

#endif
