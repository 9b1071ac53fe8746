/* bench/load_hold.c: holds. Each line of standard input is answered by one line of JSON. */
#include "bench/load_hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/load_client.h"

static void leave(struct lane *lane)
{
    lane->phase = LANE_ENDING;
    for (uint64_t i = 0; i < lane->connections; i++)
        if (lane->clients[i]->phase != CLIENT_TALKING)
            client_work(lane->clients[i]);
}

static void show(const struct lane *lane)
{
    printf("{\"asked\": %" PRIu64 ", \"answered\": %" PRIu64 "}\n", lane->asked, lane->answered);
    fflush(stdout);
}

/* Who has broken meanwhile counts as not having answered. */
static void ask_all(struct lane *lane)
{
    lane->asked = lane->connections;
    lane->answered = 0;
    lane->replied = 0;
    for (uint64_t i = 0; i < lane->connections; i++)
        client_ask(lane->clients[i]);
}

void lane_answered(struct lane *lane, bool is_good)
{
    lane->answered += is_good;
    if (++lane->replied == lane->asked)
        show(lane);
}

static void on_order(struct watcher *watcher, uint32_t events)
{
    struct lane *lane = CONTAINER_OF(watcher, struct lane, orders);
    char line[256];

    (void)events;
    if (read(watcher->fd, line, sizeof line) > 0) {
        ask_all(lane);
        return;
    }
    poller_remove(&lane->poller, watcher);
    leave(lane);
}

void hold(struct lane *lane)
{
    lane->phase = LANE_HOLDING;
    lane->orders = (struct watcher){ .fd = STDIN_FILENO, .on_ready = on_order };
    if (poller_add(&lane->poller, &lane->orders, EPOLLIN) != ERR_OK) {
        fprintf(stderr, "standard input is neither a pipe nor a terminal\n");
        leave(lane);
        return;
    }
    fprintf(stderr, "held\n");
}
