/* bench/load_lane.c: the course of a lane: all log in, messages begin, those under way end. */
#include "bench/load_lane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/load_client.h"
#include "bench/load_hold.h"

enum { TURN_US = 100000, GATHERING_TURN_US = 2000, CHECK_US = 100000, DIAL_AT_ONCE = 64 };

/* When messages are due: the lanes take turns. */
static int64_t next_due(const struct lane *lane)
{
    const struct load_options *options = lane->plan->options;
    double place = (double)(lane->tally.begun * options->threads + lane->index);

    return lane->start_us + (int64_t)(place * 1e6 / options->rate);
}

static bool is_offered(const struct lane *lane)
{
    return lane->plan->options->rate > 0;
}

static bool is_due(const struct lane *lane, int64_t now_us)
{
    int64_t due_us = next_due(lane);

    return due_us <= now_us && due_us < lane->end_us;
}

/* When to wake */

/* Microseconds from now to what comes next. */
static int64_t time_to_next(const struct lane *lane, int64_t now_us)
{
    int64_t next_us = now_us + (lane->phase == LANE_GATHERING ? GATHERING_TURN_US : TURN_US);
    int64_t events[] = { lane->begin_us, lane->end_us, is_offered(lane) ? next_due(lane) : 0 };

    for (size_t i = 0; i < LENGTH_OF(events) && lane->phase == LANE_LOADING; i++)
        if (events[i] > now_us && events[i] < next_us)
            next_us = events[i];
    return next_us - now_us;
}

static void set_turn(struct lane *lane)
{
    int64_t wait_us = time_to_next(lane, mono_us());
    struct itimerspec in = { .it_value = { wait_us / 1000000, wait_us % 1000000 * 1000 } };

    if (timerfd_settime(lane->turn.fd, 0, &in, NULL) != 0)
        abort();
}

/* The idle list */

void lane_keep(struct lane *lane, struct client *client)
{
    client->next = NULL;
    if (lane->idle)
        lane->idle_last->next = client;
    else
        lane->idle = client;
    lane->idle_last = client;
    if (is_offered(lane))
        set_turn(lane);
}

void lane_forget(struct lane *lane, struct client *client)
{
    struct client *before = NULL;

    for (struct client *at = lane->idle; at; before = at, at = at->next) {
        if (at != client)
            continue;
        if (before)
            before->next = client->next;
        else
            lane->idle = client->next;
        if (lane->idle_last == client)
            lane->idle_last = before;
        return;
    }
}

static struct client *take_idle(struct lane *lane)
{
    struct client *client = lane->idle;

    if (client)
        lane->idle = client->next;
    return client;
}

/* The course */

/* Idle connections take their leave; the busy ones do when they come for their next message. */
static void end_load(struct lane *lane, int64_t now_us)
{
    struct client *client;

    if (lane->phase >= LANE_ENDING)
        return;
    lane->phase = LANE_ENDING;
    lane->tally.ended_us = now_us;
    while ((client = take_idle(lane)))
        client_work(client);
}

static void start_load(struct lane *lane, int64_t start_us)
{
    const struct load_options *options = lane->plan->options;

    lane->phase = LANE_LOADING;
    lane->start_us = start_us;
    lane->begin_us = start_us + (int64_t)(options->warmup * 1e6);
    lane->end_us =
        options->seconds > 0 ? lane->begin_us + (int64_t)(options->seconds * 1e6) : INT64_MAX;
}

static bool is_finished(const struct lane *lane, int64_t now_us)
{
    if (lane->count > 0 && lane->tally.begun >= lane->count)
        return true;
    return now_us >= lane->end_us;
}

bool lane_take(struct lane *lane, struct assignment *out_assignment)
{
    const struct load_options *options = lane->plan->options;
    int64_t now_us = mono_us();

    if (lane->phase != LANE_LOADING)
        return false;
    if (is_finished(lane, now_us)) {
        end_load(lane, now_us);
        return false;
    }
    if (is_offered(lane) && !is_due(lane, now_us))
        return false;
    *out_assignment = (struct assignment){
        .number = options->first + lane->tally.begun * options->threads + lane->index,
        .due_us = is_offered(lane) ? next_due(lane) : now_us,
    };
    lane->tally.begun++;
    return true;
}

static bool is_counted(const struct lane *lane, const struct assignment *assignment, int64_t now_us)
{
    int64_t at_us = is_offered(lane) ? assignment->due_us : now_us;

    return at_us >= lane->begin_us && at_us < lane->end_us;
}

void lane_accept(struct lane *lane, const struct assignment *assignment)
{
    struct load_tally *tally = &lane->tally;
    int64_t now_us = mono_us();

    tally->accepted++;
    tally->last_us = now_us;
    if (!is_counted(lane, assignment, now_us))
        return;
    tally->counted++;
    meter_add(&tally->commit, now_us - assignment->ended_us);
    meter_add(&tally->message, now_us - assignment->due_us);
}

static void copy_printable(struct slice what, char out_text[FAULT_TEXT])
{
    size_t len = what.len < FAULT_TEXT - 1 ? what.len : FAULT_TEXT - 1;

    while (len > 0 && (what.data[len - 1] == '\n' || what.data[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < len; i++)
        out_text[i] = what.data[i] >= ' ' && what.data[i] <= '~' ? what.data[i] : '|';
    out_text[len] = '\0';
}

void lane_fault(
    struct lane *lane, const struct client *client, const char *where, struct slice what)
{
    struct load_tally *tally = &lane->tally;
    char text[FAULT_TEXT];

    if (tally->fault_count < FAULTS_SHOWN) {
        char *shown = tally->faults[tally->fault_count];

        copy_printable(what, text);
        snprintf(shown, FAULT_TEXT, "connection %" PRIu64 ", %s: %.*s", client->index, where,
            FAULT_TEXT - 80, text);
        fprintf(stderr, "unexpected: %s\n", shown);
    }
    tally->fault_count++;
}

/* Gathering */

static void dial_next(struct lane *lane)
{
    if (lane->dialled < lane->connections)
        client_connect(lane->clients[lane->dialled++]);
}

/* The lane that is last says when the load begins; the others see it at their next turn. */
static void tell_gathered(struct lane *lane)
{
    struct plan *plan = lane->plan;

    if (atomic_fetch_add(&plan->gathered, 1) + 1 == plan->options->threads)
        atomic_store(&plan->start_us, mono_us());
}

static void leave_gathering(struct lane *lane)
{
    int64_t start_us = atomic_load(&lane->plan->start_us);

    if (lane->ready < lane->connections || start_us == 0)
        return;
    if (lane->plan->options->idle) {
        hold(lane);
        return;
    }
    start_load(lane, start_us);
    for (uint64_t i = 0; i < lane->connections; i++)
        if (lane->clients[i]->phase == CLIENT_FREE)
            client_work(lane->clients[i]);
    set_turn(lane);
}

void lane_ready(struct lane *lane)
{
    dial_next(lane);
    if (++lane->ready < lane->connections)
        return;
    tell_gathered(lane);
    leave_gathering(lane);
}

void lane_gone(struct lane *lane)
{
    if (--lane->live > 0)
        return;
    lane->phase = LANE_OVER;
    poller_stop(&lane->poller);
}

/* Time */

static void put_mark(const struct lane *lane, const char *word, bool *mark)
{
    *mark = true;
    if (lane->plan->options->marks && lane->index == 0)
        fprintf(stderr, "%s\n", word);
}

static void put_marks(struct lane *lane, int64_t now_us)
{
    if (lane->start_us == 0)
        return;
    if (!lane->has_marked_begin && now_us >= lane->begin_us)
        put_mark(lane, "begin", &lane->has_marked_begin);
    if (!lane->has_marked_end && now_us >= lane->end_us)
        put_mark(lane, "end", &lane->has_marked_end);
}

/* What has waited gets its message or its end. */
static void offer(struct lane *lane)
{
    while (lane->phase == LANE_LOADING && lane->idle && is_due(lane, mono_us()))
        client_work(take_idle(lane));
}

static void check_clients(struct lane *lane, int64_t now_us)
{
    if (now_us - lane->checked_us < CHECK_US)
        return;
    lane->checked_us = now_us;
    for (uint64_t i = 0; i < lane->connections; i++)
        client_check(lane->clients[i], now_us);
}

static void drop_all(struct lane *lane)
{
    for (uint64_t i = 0; i < lane->connections; i++)
        client_drop(lane->clients[i]);
}

static void on_turn(struct watcher *watcher, uint32_t events)
{
    struct lane *lane = CONTAINER_OF(watcher, struct lane, turn);
    int64_t now_us = mono_us();
    uint64_t expired;

    (void)events;
    if (read(watcher->fd, &expired, sizeof expired) < 0)
        return;
    put_marks(lane, now_us);
    if (lane->tally.fault_count >= lane->plan->options->faults) {
        end_load(lane, now_us);
        drop_all(lane);
        return;
    }
    if (lane->phase == LANE_GATHERING)
        leave_gathering(lane);
    if (lane->phase == LANE_LOADING && is_finished(lane, now_us))
        end_load(lane, now_us);
    if (is_offered(lane))
        offer(lane);
    check_clients(lane, now_us);
    set_turn(lane);
}

/* Begin and end */

static enum err make_clients(struct lane *lane)
{
    lane->clients = calloc(lane->connections, sizeof *lane->clients);
    if (!lane->clients)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < lane->connections; i++) {
        enum err err = client_new(lane, i, &lane->clients[i]);

        if (err != ERR_OK)
            return err;
        lane->live++;
    }
    return ERR_OK;
}

/* With one session for each connection all log in first; else logging in is part of the load. */
static void start_clients(struct lane *lane)
{
    if (lane->plan->options->per_session == 0) {
        for (uint64_t i = 0; i < DIAL_AT_ONCE; i++)
            dial_next(lane);
        return;
    }
    start_load(lane, mono_us());
    for (uint64_t i = 0; i < lane->connections; i++)
        client_work(lane->clients[i]);
}

static enum err prepare(struct lane *lane)
{
    enum err err = poller_init(&lane->poller);

    lane->orders.fd = -1;
    lane->turn = (struct watcher){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
        .on_ready = on_turn,
    };
    if (err != ERR_OK || lane->turn.fd < 0)
        return ERR_NOFILES;
    err = poller_add(&lane->poller, &lane->turn, EPOLLIN);
    return err == ERR_OK ? make_clients(lane) : err;
}

static void clear(struct lane *lane)
{
    for (uint64_t i = 0; lane->clients && i < lane->connections; i++)
        if (lane->clients[i])
            client_free(&lane->clients[i]);
    free(lane->clients);
    lane->clients = NULL;
    if (lane->turn.fd >= 0)
        close(lane->turn.fd);
    poller_clear(&lane->poller);
}

enum err lane_run(struct lane *lane)
{
    enum err err = prepare(lane);

    if (err == ERR_OK) {
        start_clients(lane);
        set_turn(lane);
        poller_run(&lane->poller);
        put_marks(lane, INT64_MAX);
    }
    clear(lane);
    return err;
}
