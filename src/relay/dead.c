/* relay/dead.c: the memory of unreachable hosts. */
#include "relay/dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "policy/retry.h"

enum { HOSTS_MAX = 8192 };

struct dead_host {
    UT_hash_handle hh;
    int64_t until_ms;
    uint64_t failures;
    char address[64];
};

struct dead_hosts {
    struct dead_host *map;
};

struct dead_hosts *dead_hosts_new(void)
{
    return calloc(1, sizeof(struct dead_hosts));
}

static void drop(struct dead_hosts *hosts, struct dead_host *host)
{
    HASH_DEL(hosts->map, host);
    free(host);
}

void dead_hosts_forgive(struct dead_hosts *hosts)
{
    struct dead_host *host, *next;

    HASH_ITER (hh, hosts->map, host, next)
        drop(hosts, host);
}

void dead_hosts_free(struct dead_hosts **hosts)
{
    if (*hosts)
        dead_hosts_forgive(*hosts);
    free(*hosts);
    *hosts = NULL;
}

static struct dead_host *find(const struct dead_hosts *hosts, const char *address)
{
    struct dead_host *host;

    HASH_FIND_STR(hosts->map, address, host);
    return host;
}

bool dead_hosts_has(const struct dead_hosts *hosts, const char *address, int64_t now_ms)
{
    const struct dead_host *host = find(hosts, address);

    return host && now_ms < host->until_ms;
}

/* The map keeps the order of adding, so the first is the oldest. */
static struct dead_host *add_new(struct dead_hosts *hosts, const char *address)
{
    struct dead_host *host = calloc(1, sizeof *host);

    if (!host)
        return NULL;
    if (HASH_COUNT(hosts->map) >= HOSTS_MAX)
        drop(hosts, hosts->map);
    snprintf(host->address, sizeof host->address, "%s", address);
    HASH_ADD_STR(hosts->map, address, host);
    return host;
}

void dead_hosts_add(
    struct dead_hosts *hosts, const char *address, const struct conf_queue *queue, int64_t now_ms)
{
    struct dead_host *host = find(hosts, address);

    if (retry_dead_host(queue, 1) == 0)
        return;
    if (!host)
        host = add_new(hosts, address);
    if (!host)
        return;
    /* Failures while it counts as dead already (deliveries that had begun before) are the same
     * failure. */
    if (now_ms >= host->until_ms)
        host->until_ms = now_ms + retry_dead_host(queue, ++host->failures) * 1000;
}

void dead_hosts_remove(struct dead_hosts *hosts, const char *address)
{
    struct dead_host *host = find(hosts, address);

    if (host)
        drop(hosts, host);
}
