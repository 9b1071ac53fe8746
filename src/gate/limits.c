/* gate/limits.c: a client's share. The counts of connections lie in memory that all gates share;
 * those of lines are the gate's own, which takes its part of what a client may have. */
#include "gate/limits.h"

enum { SURPLUS_MOST = 2 };

enum err limits_open(struct limits *limits, int fd, unsigned gate)
{
    struct counters *counters;
    enum err code = counters_open(fd, &counters);

    if (code)
        return code;
    if (gate >= counters_gates(counters)) {
        counters_free(&counters);
        return ERR_INVALID;
    }
    counters_free(&limits->counters);
    limits->counters = counters;
    limits->gate = gate;
    counters_wipe(counters, gate);
    return ERR_OK;
}

void limits_clear(struct limits *limits)
{
    counters_free(&limits->counters);
}

/* The octets by which a client is counted: the address, of IPv6 the network (64 bits), since a
 * client usually has all of those. They lie in the peer. */
static struct slice client_of(const struct peer *peer)
{
    static const struct slice local = SLICE_LITERAL("local");

    switch (peer->family) {
    case PEER_IPV4:
        return slice_of(peer->octets, 4);
    case PEER_IPV6:
        return slice_of(peer->octets, 8);
    default:
        return local;
    }
}

static bool above(uint64_t count, uint64_t most)
{
    return most > 0 && count > most;
}

/* Counts itself first, so that two gates that admit at the same time both see both. */
enum admission limits_enter(
    struct limits *limits, const struct conf_limits *conf, const struct peer *peer)
{
    struct slice client = client_of(peer);
    struct counters_sum sum;

    counters_enter(limits->counters, limits->gate, client);
    sum = counters_read(limits->counters, client);
    if (!above(sum.total, conf->connections) && !above(sum.client, conf->connections_per_client))
        return ADMISSION_GRANTED;
    counters_leave(limits->counters, limits->gate, client);
    return above(sum.client, conf->connections_per_client) ? ADMISSION_CLIENT_FULL : ADMISSION_FULL;
}

void limits_leave(struct limits *limits, const struct peer *peer)
{
    counters_leave(limits->counters, limits->gate, client_of(peer));
}

void limits_enter_all_the_same(struct limits *limits, const struct peer *peer)
{
    counters_enter(limits->counters, limits->gate, client_of(peer));
}

bool limits_is_ahead(const struct limits *limits)
{
    return counters_surplus(limits->counters, limits->gate) > SURPLUS_MOST;
}

uint64_t limits_connections(const struct limits *limits, const struct peer *peer)
{
    return counters_read(limits->counters, client_of(peer)).client;
}

bool limits_may_log(
    struct limits *limits, const struct peer *peer, int64_t wall, uint32_t *session_lines)
{
    uint32_t share = LINE_LIMIT_PER_CLIENT / counters_gates(limits->counters);

    if (*session_lines >= LOG_LINES_PER_SESSION) {
        line_limit_suppress(&limits->lines);
        return false;
    }
    if (!line_limit_take(&limits->lines, client_of(peer), wall, share > 0 ? share : 1))
        return false;
    (*session_lines)++;
    return true;
}
