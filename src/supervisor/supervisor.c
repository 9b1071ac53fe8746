/* supervisor/supervisor.c: the life of the house. Start: configuration, lock, files, sockets,
 * rooms. Then signals: SIGHUP reloads, SIGTERM and SIGINT drain room by room in the order of the
 * mail, SIGCHLD restarts who fell. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/counters.h"
#include "supervisor/drain.h"
#include "supervisor/links.h"
#include "supervisor/notify.h"
#include "supervisor/process.h"
#include "supervisor/rights.h"

enum { EXIT_GOOD = 0, EXIT_UNAVAILABLE = 69, EXIT_OSERR = 71, EXIT_CONFIG = 78 };

enum {
    CONF_ARENA_MAX = 64 << 20,
    BACK_OFF_FIRST_MS = 100,
    BACK_OFF_LAST_MS = 10000,
    LONG_LIFE_MS = 60000, /* a room that lived this long starts with the first back-off again */
};

struct supervisor {
    const char *conf_path;
    struct loop *loop;
    struct arena *arena; /* of the configuration in force */
    struct conf *conf;
    struct buffer packed;
    uint64_t number; /* of the snapshot in force */
    struct account accounts[ROLE_COUNT];
    struct fixtures fixtures;
    struct handover handover;
    struct process *processes;
    struct links links;
    int exe;
    bool announced; /* READY=1 has been said */
    struct drain drain;
    struct signal_watch signals[4];
    int status;
};

/* A sentence for the person who starts the program, not a log line. */
static void say_error(const struct conf_error *why)
{
    fprintf(stderr, "submitd: %s\n", why->text);
}

static bool is_wanted(const struct process *p)
{
    return p->index < p->plan->count(p->supervisor->conf);
}

static void connect_to_others(struct process *p)
{
    for (struct process *other = p->supervisor->processes; other; other = other->next)
        if (other != p && process_is_reachable(other))
            links_make(&p->supervisor->links, p, other);
}

/* Rooms that the configuration wants no longer are not waited for. */
static void announce_if_ready(struct supervisor *s)
{
    for (struct process *p = s->processes; p; p = p->next)
        if (is_wanted(p) && (p->state != PROCESS_READY || p->ready != s->number))
            return;
    if (s->drain.has_begun)
        return;
    log_event(LOG_NOTICE, NULL, s->announced ? "configuration in force" : "submitd ready",
        log_number("snapshot", (int64_t)s->number), log_slice("hostname", s->conf->hostname));
    notify_send("READY=1");
    s->announced = true;
}

static void on_ready(void *owner, struct channel *c, const void *message, int fd)
{
    struct process *p = owner;
    const struct msg_number *m = message;

    (void)c, (void)fd;
    if (m->number <= p->ready || m->number > p->supervisor->number)
        return;
    p->ready = m->number;
    if (p->state == PROCESS_STARTING)
        p->state = PROCESS_READY;
    if (is_wanted(p))
        announce_if_ready(p->supervisor);
}

/* The death that follows is what counts. */
static void on_drained(void *owner, struct channel *c, const void *message, int fd)
{
    (void)owner, (void)c, (void)message, (void)fd;
}

static void on_lost(void *owner, struct channel *c, const void *message, int fd)
{
    struct process *p = owner;
    const struct msg_number *m = message;

    (void)c, (void)fd;
    links_lost(&p->supervisor->links, p, m->number);
}

static void on_control_closed(void *owner, struct channel *c)
{
    struct process *p = owner;

    (void)c;
    channel_free(&p->control);
    /* It is ending, or it broke the rules: nobody runs on without a supervisor. */
    if (p->pid > 0)
        kill(p->pid, SIGKILL);
}

static const struct channel_handler handlers[] = {
    { MSG_READY, on_ready },
    { MSG_DRAINED, on_drained },
    { MSG_LOST, on_lost },
};

static void plan_restart(struct process *p)
{
    int64_t delay = BACK_OFF_FIRST_MS;

    if (clock_mono_ms() - p->started_ms > LONG_LIFE_MS)
        p->failures = 0;
    for (unsigned i = 0; i < p->failures && delay < BACK_OFF_LAST_MS; i++)
        delay *= 2;
    p->failures++;
    timer_set(&p->restart, delay < BACK_OFF_LAST_MS ? delay : BACK_OFF_LAST_MS);
}

static void process_start(struct process *p)
{
    struct supervisor *s = p->supervisor;
    struct channel_spec spec = { .self = ROLE_SUPERVISOR,
        .peer = p->plan->role,
        .peer_index = p->index,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_control_closed,
        .owner = p };
    int pair[2] = { -1, -1 };
    enum err rc;

    p->started_ms = clock_mono_ms();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_event(LOG_ERROR, NULL, "no socket for a room", log_reason(err_from_errno(errno)));
        plan_restart(p);
        return;
    }
    rc = process_spawn(s->exe, p, s->accounts[p->plan->role], pair[1], &p->pid);
    close(pair[1]);
    if (rc != ERR_OK) {
        close(pair[0]);
        log_event(LOG_ERROR, NULL, "a room cannot be started",
            log_text("room", role_name(p->plan->role)), log_reason(rc));
        plan_restart(p);
        return;
    }
    p->state = PROCESS_STARTING;
    p->control = channel_new(s->loop, pair[0], &spec);
    if (!p->control || process_hand_over(p, s->number, buffer_slice(&s->packed), &s->fixtures,
                           &s->handover) != ERR_OK) {
        kill(p->pid, SIGKILL);
        return;
    }
    connect_to_others(p);
}

static void on_restart(void *owner)
{
    struct process *p = owner;

    if (!p->supervisor->drain.has_begun && is_wanted(p))
        process_start(p);
}

static struct process *process_find(struct supervisor *s, enum role role, uint32_t index)
{
    for (struct process *p = s->processes; p; p = p->next)
        if (p->plan->role == role && p->index == index)
            return p;
    return NULL;
}

static struct process *process_add(
    struct supervisor *s, const struct room_plan *plan, uint32_t index)
{
    struct process *p = calloc(1, sizeof *p);
    struct process **end = &s->processes;

    if (!p)
        return NULL;
    p->supervisor = s;
    p->plan = plan;
    p->index = index;
    timer_init(&p->restart, s->loop, on_restart, p);
    drain_init_room(p, s->loop);
    while (*end)
        end = &(*end)->next;
    *end = p;
    return p;
}

/* Unless it runs, or waits for its restart. One that drains is restarted when it has ended. */
static enum err start_room(struct supervisor *s, const struct room_plan *plan, uint32_t index)
{
    struct process *p = process_find(s, plan->role, index);

    if (!p)
        p = process_add(s, plan, index);
    if (!p)
        return ERR_NOMEM;
    if (!process_is_up(p) && !p->restart.is_set)
        process_start(p);
    return ERR_OK;
}

/* Every room that the configuration wants. */
static enum err start_rooms(struct supervisor *s)
{
    for (size_t i = 0; i < room_plan_count; i++)
        for (uint32_t index = 0; index < room_plans[i].count(s->conf); index++)
            if (start_room(s, &room_plans[i], index) != ERR_OK)
                return ERR_NOMEM;
    return ERR_OK;
}

static void end_house(struct supervisor *s)
{
    if (drain_go_on(&s->drain, s->processes))
        loop_stop(s->loop);
}

static void process_died(struct process *p, int status)
{
    struct supervisor *s = p->supervisor;
    bool expected = s->drain.has_begun || p->state == PROCESS_DRAINING;

    channel_free(&p->control);
    links_forget(&s->links, p);
    timer_stop(&p->drain_deadline);
    p->state = PROCESS_DOWN;
    p->ready = 0;
    if (p->plan->role == ROLE_GATE && s->fixtures.counters)
        counters_wipe(s->fixtures.counters, p->index);
    if (!expected)
        process_tell_death(p, status);
    else
        p->failures = 0;
    p->pid = 0;
    if (s->drain.has_begun) {
        end_house(s);
        return;
    }
    if (!is_wanted(p))
        return;
    /* A room that refuses its very first configuration will refuse it again. */
    if (!s->announced && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG) {
        s->status = EXIT_CONFIG;
        end_house(s);
    } else {
        plan_restart(p);
    }
}

static void on_child(void *owner, int signal)
{
    struct supervisor *s = owner;
    int status;

    (void)signal;
    for (struct process *p = s->processes; p; p = p->next)
        if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
            process_died(p, status);
}

static void on_stop(void *owner, int signal)
{
    struct supervisor *s = owner;

    if (s->drain.has_begun)
        return;
    log_event(
        LOG_NOTICE, NULL, "stopping", log_text("signal", signal == SIGINT ? "SIGINT" : "SIGTERM"));
    notify_send("STOPPING=1");
    fixtures_stop_listening(&s->fixtures);
    for (struct process *p = s->processes; p; p = p->next)
        timer_stop(&p->restart);
    end_house(s);
}

/* A configuration with its arena and everything it names, loaded but not in force. */
struct candidate {
    struct arena *arena;
    struct conf *conf;
    struct handover handover;
};

static void candidate_drop(struct candidate *c)
{
    handover_close(&c->handover);
    if (c->arena)
        arena_clear(c->arena);
    free(c->arena);
}

static enum err candidate_load(
    struct supervisor *s, struct candidate *c, struct conf_error *out_why)
{
    enum err rc = ERR_NOMEM;

    *c = (struct candidate){ .arena = calloc(1, sizeof *c->arena), .handover = HANDOVER_NONE };
    snprintf(out_why->text, sizeof out_why->text, "out of memory");
    if (!c->arena)
        return rc;
    arena_init(c->arena, CONF_ARENA_MAX);
    rc = conf_load(s->conf_path, c->arena, &c->conf, out_why);
    if (rc == ERR_OK && s->conf)
        rc = conf_adopt(s->conf, c->arena, c->conf);
    if (rc == ERR_OK && !s->conf)
        rc = accounts_find(c->conf, s->accounts, out_why);
    return rc;
}

static enum err candidate_adopt(struct supervisor *s, struct candidate *c)
{
    struct buffer packed;

    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    c->conf->number = s->number + 1;
    conf_pack(c->conf, &packed);
    if (packed.error != ERR_OK) {
        buffer_clear(&packed);
        return packed.error;
    }
    handover_close(&s->handover);
    if (s->arena)
        arena_clear(s->arena);
    free(s->arena);
    buffer_clear(&s->packed);
    s->arena = c->arena;
    s->conf = c->conf;
    s->handover = c->handover;
    s->packed = packed;
    s->number++;
    return ERR_OK;
}

static void tell_pending(const struct conf *conf)
{
    for (size_t i = 0; i < conf->pending_count; i++)
        log_event(LOG_WARNING, NULL, "setting waits for a restart",
            log_slice("setting", conf->pending[i].text));
}

/* Rooms that the new configuration needs no longer finish and end; those that are new or needed
 * again start. A wall is never lowered: a room that has to work in a folder which is new to it
 * (bits 1 << enum gift) finishes and is started again. */
static void apply_everywhere(struct supervisor *s, unsigned new_folders)
{
    for (struct process *p = s->processes; p; p = p->next) {
        if (!process_is_up(p) || !p->control)
            continue;
        if (!is_wanted(p) || p->plan->gifts & new_folders)
            drain_room(p);
        else if (process_hand_over(p, s->number, buffer_slice(&s->packed), NULL, &s->handover) !=
                 ERR_OK)
            kill(p->pid, SIGKILL);
    }
    if (start_rooms(s) != ERR_OK)
        log_event(LOG_ERROR, NULL, "a room cannot be started", log_reason(ERR_NOMEM));
}

static void on_reload(void *owner, int signal)
{
    struct supervisor *s = owner;
    struct conf_error why;
    struct candidate c;
    unsigned new_folders;
    enum err rc;

    (void)signal;
    if (s->drain.has_begun)
        return;
    notify_reloading();
    rc = candidate_load(s, &c, &why);
    if (rc == ERR_OK)
        rc = handover_open(&c.handover, c.conf, s->accounts, &why);
    new_folders = rc == ERR_OK ? handover_new_folders(&s->handover, &c.handover) : 0;
    if (rc == ERR_OK)
        rc = candidate_adopt(s, &c);
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, "the new configuration is refused, the old one stays",
            log_text("why", why.text));
        candidate_drop(&c);
        notify_send("READY=1");
        return;
    }
    tell_pending(s->conf);
    apply_everywhere(s, new_folders);
}

static enum err watch_signals(struct supervisor *s)
{
    static const struct {
        int signal;
        signal_fn *fn;
    } rows[LENGTH_OF(s->signals)] = { { SIGCHLD, on_child }, { SIGTERM, on_stop },
        { SIGINT, on_stop }, { SIGHUP, on_reload } };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        enum err rc = signal_watch_start(&s->signals[i], s->loop, rows[i].signal, rows[i].fn, s);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* Everything that can be wrong is found before a socket is bound, and before a room runs. */
static enum err prepare(struct supervisor *s, struct conf_error *out_why)
{
    struct candidate c;
    enum err rc = candidate_load(s, &c, out_why);

    if (rc == ERR_OK)
        rc = fixtures_open(&s->fixtures, c.conf, s->accounts, out_why);
    if (rc == ERR_OK)
        rc = handover_open(&c.handover, c.conf, s->accounts, out_why);
    if (rc == ERR_OK)
        rc = candidate_adopt(s, &c);
    if (rc != ERR_OK) {
        candidate_drop(&c);
        return rc;
    }
    return fixtures_bind(&s->fixtures, s->conf, plan_gates(s->conf), out_why);
}

static void clear(struct supervisor *s)
{
    links_clear(&s->links);
    while (s->processes) {
        struct process *p = s->processes;

        s->processes = p->next;
        channel_free(&p->control);
        timer_stop(&p->restart);
        timer_stop(&p->drain_deadline);
        free(p);
    }
    for (size_t i = 0; i < LENGTH_OF(s->signals); i++)
        signal_watch_stop(&s->signals[i]);
    loop_free(&s->loop);
    close(s->exe);
}

static int run(struct supervisor *s)
{
    s->exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    s->loop = loop_new();
    if (s->exe < 0 || !s->loop || watch_signals(s) != ERR_OK) {
        log_event(LOG_ERROR, NULL, "cannot start", log_reason(err_from_errno(errno)));
        return EXIT_OSERR;
    }
    links_init(&s->links, s->loop);
    if (geteuid() != 0)
        log_event(LOG_WARNING, NULL, "not started as root: every room runs as the same user",
            log_number("uid", geteuid()));
    if (start_rooms(s) != ERR_OK)
        return EXIT_OSERR;
    loop_run(s->loop);
    clear(s);
    log_event(LOG_NOTICE, NULL, "submitd stopped");
    return s->status;
}

/* For this process, and by the environment for each room that it starts. */
static void choose_log(const struct conf *conf)
{
    static const char *const forms[] = { [CONF_LOG_TEXT] = "text", [CONF_LOG_JSON] = "json" };

    if (conf->log == CONF_LOG_AUTO)
        unsetenv(LOG_FORM);
    else if (setenv(LOG_FORM, forms[conf->log], true) != 0)
        log_event(LOG_WARNING, NULL, "the log is not written as asked", log_reason(ERR_NOMEM));
    log_open("submitd", LOG_INFO);
}

static int status_of(enum err rc)
{
    return rc == ERR_BUSY ? EXIT_UNAVAILABLE : EXIT_CONFIG;
}

int supervisor_main(const char *conf_path)
{
    struct supervisor s = { .conf_path = conf_path,
        .status = EXIT_GOOD,
        .handover = HANDOVER_NONE,
        .fixtures = FIXTURES_NONE };
    struct conf_error why;
    enum err rc;
    int status;

    log_open("submitd", LOG_INFO);
    rc = rights_reduce();
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, "cannot give up rights", log_reason(rc));
        return EXIT_OSERR;
    }
    rc = prepare(&s, &why);
    if (rc != ERR_OK) {
        say_error(&why);
        return status_of(rc);
    }
    choose_log(s.conf);
    status = run(&s);
    fixtures_close(&s.fixtures, s.conf);
    handover_close(&s.handover);
    buffer_clear(&s.packed);
    arena_clear(s.arena);
    free(s.arena);
    return status;
}

int supervisor_check(const char *conf_path)
{
    struct supervisor s = { .conf_path = conf_path };
    struct conf_error why;
    struct candidate c;
    struct buffer report;
    size_t faults;

    buffer_init(&report, 1 << 20);
    if (candidate_load(&s, &c, &why) != ERR_OK) {
        say_error(&why);
        candidate_drop(&c);
        return EXIT_CONFIG;
    }
    faults = conf_check_files(c.conf, &report);
    fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&report)));
    if (faults == 0 && handover_check(c.conf, &why) != ERR_OK) {
        say_error(&why);
        faults++;
    }
    if (faults == 0)
        printf("%s: the configuration is good\n", conf_path);
    buffer_clear(&report);
    candidate_drop(&c);
    return faults == 0 ? EXIT_GOOD : EXIT_CONFIG;
}
