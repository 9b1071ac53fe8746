/* bench/load_run.c: the course of a load: all log in, messages begin, those under way end. */
#include "bench/load_run.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/load_client.h"

enum { TURN_US = 100000, CHECK_US = 500000 };

static double interval_us(const struct run *run)
{
    return 1e6 / run->options->rate;
}

static int64_t next_due(const struct run *run)
{
    return run->start_us + (int64_t)((double)run->begun * interval_us(run));
}

static bool is_offered(const struct run *run)
{
    return run->options->rate > 0;
}

static bool is_due(const struct run *run, int64_t now_us)
{
    int64_t due_us = next_due(run);

    return due_us <= now_us && due_us < run->end_us;
}

/* When to wake */

/* Microseconds from now to what comes next. */
static int64_t time_to_next(const struct run *run, int64_t now_us)
{
    int64_t next_us = now_us + TURN_US;
    int64_t events[] = { run->begin_us, run->end_us, is_offered(run) ? next_due(run) : 0 };

    for (size_t i = 0; i < LENGTH_OF(events) && run->phase == RUN_LOADING; i++)
        if (events[i] > now_us && events[i] < next_us)
            next_us = events[i];
    return next_us - now_us;
}

static void set_turn(struct run *run)
{
    int64_t wait_us = time_to_next(run, mono_us());
    struct itimerspec in = { .it_value = { wait_us / 1000000, wait_us % 1000000 * 1000 } };

    if (timerfd_settime(run->turn_fd, 0, &in, NULL) != 0)
        abort();
}

/* The idle list */

void run_keep(struct run *run, struct client *client)
{
    client->next = NULL;
    if (run->idle)
        run->idle_last->next = client;
    else
        run->idle = client;
    run->idle_last = client;
    if (is_offered(run))
        set_turn(run);
}

void run_forget(struct run *run, struct client *client)
{
    struct client *before = NULL;

    for (struct client *at = run->idle; at; before = at, at = at->next) {
        if (at != client)
            continue;
        if (before)
            before->next = client->next;
        else
            run->idle = client->next;
        if (run->idle_last == client)
            run->idle_last = before;
        return;
    }
}

static struct client *take_idle(struct run *run)
{
    struct client *client = run->idle;

    if (client)
        run->idle = client->next;
    return client;
}

/* The course */

/* Idle connections take their leave; the busy ones do when they come for their next message. */
static void end_load(struct run *run, int64_t now_us)
{
    struct client *client;

    if (run->phase >= RUN_ENDING)
        return;
    run->phase = RUN_ENDING;
    run->ended_us = now_us;
    while ((client = take_idle(run)))
        client_work(client);
}

static void start_load(struct run *run)
{
    const struct load_options *options = run->options;

    run->phase = RUN_LOADING;
    run->start_us = mono_us();
    run->begin_us = run->start_us + (int64_t)(options->warmup * 1e6);
    run->end_us =
        options->seconds > 0 ? run->begin_us + (int64_t)(options->seconds * 1e6) : INT64_MAX;
}

static bool is_finished(const struct run *run, int64_t now_us)
{
    if (run->options->count > 0 && run->begun >= run->options->count)
        return true;
    return now_us >= run->end_us;
}

bool run_take(struct run *run, struct assignment *out_assignment)
{
    int64_t now_us = mono_us();

    if (run->phase != RUN_LOADING)
        return false;
    if (is_finished(run, now_us)) {
        end_load(run, now_us);
        return false;
    }
    if (is_offered(run) && !is_due(run, now_us))
        return false;
    *out_assignment = (struct assignment){
        .number = run->options->first + run->begun,
        .due_us = is_offered(run) ? next_due(run) : now_us,
    };
    run->begun++;
    return true;
}

static bool is_counted(const struct run *run, const struct assignment *assignment, int64_t now_us)
{
    int64_t at_us = is_offered(run) ? assignment->due_us : now_us;

    return at_us >= run->begin_us && at_us < run->end_us;
}

void run_accept(struct run *run, const struct assignment *assignment)
{
    int64_t now_us = mono_us();

    run->accepted++;
    run->last_us = now_us;
    if (!is_counted(run, assignment, now_us))
        return;
    run->counted++;
    meter_add(&run->commit, now_us - assignment->ended_us);
    meter_add(&run->whole, now_us - assignment->due_us);
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

void run_fault(struct run *run, const struct client *client, const char *where, struct slice what)
{
    char text[FAULT_TEXT];

    if (run->fault_count < FAULTS_SHOWN) {
        char *shown = run->faults[run->fault_count];

        copy_printable(what, text);
        snprintf(shown, FAULT_TEXT, "connection %" PRIu64 ", %s: %.*s", client->index, where,
            FAULT_TEXT - 80, text);
        fprintf(stderr, "unexpected: %s\n", shown);
    }
    run->fault_count++;
}

void run_ready(struct run *run)
{
    if (++run->ready < run->options->connections)
        return;
    start_load(run);
    for (uint64_t i = 0; i < run->options->connections; i++)
        if (run->clients[i]->phase == CLIENT_FREE)
            client_work(run->clients[i]);
}

void run_gone(struct run *run)
{
    if (--run->live > 0)
        return;
    run->phase = RUN_OVER;
    loop_stop(run->loop);
}

/* Time */

static void put_mark(const struct run *run, const char *word, bool *mark)
{
    *mark = true;
    if (run->options->marks)
        fprintf(stderr, "%s\n", word);
}

static void put_marks(struct run *run, int64_t now_us)
{
    if (run->phase >= RUN_LOADING && !run->has_marked_begin && now_us >= run->begin_us)
        put_mark(run, "begin", &run->has_marked_begin);
    if (run->phase >= RUN_LOADING && !run->has_marked_end && now_us >= run->end_us)
        put_mark(run, "end", &run->has_marked_end);
}

/* What has waited gets its message or its end. */
static void offer(struct run *run)
{
    while (run->phase == RUN_LOADING && run->idle && is_due(run, mono_us()))
        client_work(take_idle(run));
}

static void check_clients(struct run *run, int64_t now_us)
{
    if (now_us - run->checked_us < CHECK_US)
        return;
    run->checked_us = now_us;
    for (uint64_t i = 0; i < run->options->connections; i++)
        client_check(run->clients[i], now_us);
}

static void drop_all(struct run *run)
{
    for (uint64_t i = 0; i < run->options->connections; i++)
        client_drop(run->clients[i]);
}

static void on_turn(void *owner, unsigned ready)
{
    struct run *run = owner;
    int64_t now_us = mono_us();
    uint64_t expired;

    (void)ready;
    if (read(run->turn_fd, &expired, sizeof expired) < 0)
        return;
    put_marks(run, now_us);
    if (run->fault_count >= run->options->faults) {
        end_load(run, now_us);
        drop_all(run);
        return;
    }
    if (run->phase == RUN_LOADING && is_finished(run, now_us))
        end_load(run, now_us);
    if (is_offered(run))
        offer(run);
    check_clients(run, now_us);
    set_turn(run);
}

static enum err make_clients(struct run *run)
{
    run->clients = calloc(run->options->connections, sizeof *run->clients);
    if (!run->clients)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < run->options->connections; i++) {
        enum err err = client_new(run, i, &run->clients[i]);

        if (err != ERR_OK)
            return err;
        run->live++;
    }
    return ERR_OK;
}

/* With one session for each connection all log in first; else logging in is part of the load. */
static void start_clients(struct run *run)
{
    if (run->options->per_session > 0)
        start_load(run);
    for (uint64_t i = 0; i < run->options->connections; i++)
        if (run->options->per_session > 0)
            client_work(run->clients[i]);
        else
            client_connect(run->clients[i]);
}

static void clear(struct run *run)
{
    for (uint64_t i = 0; run->clients && i < run->options->connections; i++)
        if (run->clients[i])
            client_free(&run->clients[i]);
    free(run->clients);
    run->clients = NULL;
    watch_clear(&run->turn);
    close(run->turn_fd);
}

enum err run_all(struct run *run)
{
    enum err err;

    run->turn_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (run->turn_fd < 0)
        return ERR_NOFILES;
    watch_init(&run->turn, run->loop, run->turn_fd, on_turn, run);
    err = watch_enable(&run->turn, WATCH_READ);
    if (err == ERR_OK)
        err = make_clients(run);
    if (err == ERR_OK) {
        start_clients(run);
        set_turn(run);
        loop_run(run->loop);
        put_marks(run, INT64_MAX);
    }
    clear(run);
    return err;
}

double run_seconds(const struct run *run)
{
    int64_t until_us = run->ended_us >= run->end_us ? run->end_us : run->last_us;

    return until_us > run->begin_us ? (double)(until_us - run->begin_us) / 1e6 : 0;
}

uint64_t run_unbegun(const struct run *run)
{
    double due;

    if (!is_offered(run) || run->end_us == INT64_MAX)
        return 0;
    due = ceil((double)(run->end_us - run->start_us) / interval_us(run));
    return due > (double)run->begun ? (uint64_t)due - run->begun : 0;
}
