/* vault/fetcher.c: what is asked, in the order of asking, which is that of the time-outs. */
#include "vault/fetcher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "ipc/channel.h"
#include "net/loop.h"

struct fetcher {
    struct loop *loop;
    struct channel *channel; /* the vault's; NULL: the room is not there */
    struct fetch_ask *asks;
    uint64_t requests;
    uint64_t snapshot;
    struct timer limit;
};

static void on_limit(void *owner);

struct fetcher *fetcher_new(struct loop *loop)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);

    if (!fetcher)
        return NULL;
    fetcher->loop = loop;
    timer_init(&fetcher->limit, loop, on_limit, fetcher);
    return fetcher;
}

void fetcher_free(struct fetcher **fetcher)
{
    if (!*fetcher)
        return;
    timer_stop(&(*fetcher)->limit);
    free(*fetcher);
    *fetcher = NULL;
}

static void take_out(struct fetcher *fetcher, struct fetch_ask *ask)
{
    DL_DELETE(fetcher->asks, ask);
    ask->until = 0;
}

static void on_limit(void *owner)
{
    struct fetcher *fetcher = owner;
    int64_t now = clock_mono_ms();

    while (fetcher->asks && fetcher->asks->until <= now) {
        struct fetch_ask *ask = fetcher->asks;

        fetcher_cancel(fetcher, ask);
        ask->done(ask, NULL);
    }
    if (fetcher->asks)
        timer_set(&fetcher->limit, fetcher->asks->until - now);
}

static void say(const struct fetcher *fetcher, const struct fetch_ask *ask)
{
    struct msg_fetch message = { .request = ask->request,
        .snapshot = ask->snapshot,
        .target = ask->target,
        .token = ask->token };

    if (fetcher->channel)
        channel_send(fetcher->channel, MSG_FETCH, &message, -1);
}

void fetcher_take(struct fetcher *fetcher, const struct msg_fetched *message)
{
    struct fetch_ask *ask;

    DL_FOREACH (fetcher->asks, ask)
        if (ask->request == message->request)
            break;
    if (!ask)
        return; /* nobody waits any more */
    take_out(fetcher, ask);
    ask->done(ask, message->result == FETCH_DONE ? message : NULL);
}

void fetcher_connect(struct fetcher *fetcher, struct channel *channel)
{
    struct fetch_ask *ask;

    fetcher->channel = channel;
    if (channel)
        DL_FOREACH (fetcher->asks, ask)
            say(fetcher, ask);
}

void fetcher_set_snapshot(struct fetcher *fetcher, uint64_t number)
{
    fetcher->snapshot = number;
}

void fetcher_ask(struct fetcher *fetcher, struct fetch_ask *ask)
{
    ask->request = ++fetcher->requests;
    ask->snapshot = fetcher->snapshot;
    ask->until = clock_mono_ms() + FETCHER_WAIT_MS;
    DL_APPEND(fetcher->asks, ask);
    if (!fetcher->limit.is_set)
        timer_set(&fetcher->limit, FETCHER_WAIT_MS);
    say(fetcher, ask);
}

void fetcher_cancel(struct fetcher *fetcher, struct fetch_ask *ask)
{
    struct msg_request message = { .request = ask->request };

    if (ask->until == 0)
        return;
    take_out(fetcher, ask);
    if (fetcher->channel)
        channel_send(fetcher->channel, MSG_FETCH_CANCEL, &message, -1);
}
