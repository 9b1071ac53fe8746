/* tests/rooms/probe.c: tries the tables of attempts.h from inside a room, and says on standard
 * error what came of each. Only in builds with -Dprobe=true.
 *
 *   SUBMITD_PROBE=FIRST-LAST     the attempts to make, by number; without it the room just works
 *   SUBMITD_PROBE_AS=child       each in a child of the room that first raises the walls itself
 *   SUBMITD_PROBE_AS=room        in the room, behind its own walls, one after the other, until one
 *                                of them kills it
 *   SUBMITD_PROBE_AS=hand        the same on one of the room's threads
 *   SUBMITD_PROBE_WALLS=files    what a child raises: all (the default), none, self, files, calls
 *   SUBMITD_PROBE_KEY=… and so on: see enum target
 *
 * A line for each: "probe 17 denied: WHY: NAME", with open, lawful or begins in the place of
 * denied. A room that was killed for an attempt leaves "begins" as its last line. */
#include "ipc/probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attempts.h"
#include "base/macros.h"
#include "ipc/walls.h"

enum { WAKE_NS = 5000000, NS = 1000000000, CHILD_SECONDS = 5, ENDED_OPEN = 0, NO_WALLS = 253 };

static const struct attempt_table *const tables[] = { &attempts_files, &attempts_network,
    &attempts_processes, &attempts_kernel };

static struct {
    enum role role;
    unsigned long first;
    unsigned long last;
    pid_t supervisor;
} plan;

static atomic_bool waits_for_hand;

/* ---- the world outside ---- */

const char *target_text(enum target target)
{
    static const char *const names[TARGET_COUNT] = {
        [TARGET_KEY] = "SUBMITD_PROBE_KEY",
        [TARGET_USERS] = "SUBMITD_PROBE_USERS",
        [TARGET_SPOOL] = "SUBMITD_PROBE_SPOOL",
        [TARGET_SEGMENT] = "SUBMITD_PROBE_SEGMENT",
        [TARGET_CONTROL] = "SUBMITD_PROBE_CONTROL",
        [TARGET_FILE] = "SUBMITD_PROBE_FILE",
        [TARGET_FOLDER] = "SUBMITD_PROBE_FOLDER",
        [TARGET_SOCKET] = "SUBMITD_PROBE_SOCKET",
        [TARGET_ABSTRACT] = "SUBMITD_PROBE_ABSTRACT",
        [TARGET_PORT] = "SUBMITD_PROBE_PORT",
        [TARGET_STRANGER] = "SUBMITD_PROBE_STRANGER",
        [TARGET_TWIN] = "SUBMITD_PROBE_TWIN",
    };
    const char *text = getenv(names[target]);

    return text ? text : "";
}

long target_number(enum target target)
{
    return strtol(target_text(target), NULL, 10);
}

pid_t target_supervisor(void)
{
    return plan.supervisor;
}

static bool is_asked_for(const char *setting, const char *word)
{
    const char *text = getenv(setting);

    return text && strcmp(text, word) == 0;
}

static bool read_plan(enum role role)
{
    const char *range = getenv("SUBMITD_PROBE");
    char *end;

    if (!range)
        return false;
    plan.role = role;
    plan.first = strtoul(range, &end, 10);
    plan.last = strtoul(*end == '-' ? end + 1 : end, NULL, 10);
    return true;
}

/* ---- attempts ---- */

/* Counted through all tables; NULL behind the last. */
static const struct attempt *attempt_at(size_t number)
{
    for (size_t i = 0; i < LENGTH_OF(tables); i++) {
        if (number < tables[i]->count)
            return &tables[i]->rows[number];
        number -= tables[i]->count;
    }
    return NULL;
}

/* By write(2) alone: dprintf(3) makes calls that rooms may not. */
static void say(size_t number, const char *word, const char *why, const struct attempt *a)
{
    char line[256];
    int len = snprintf(line, sizeof line, "probe %zu %s: %s: %s\n", number, word, why, a->name);

    (void)!write(STDERR_FILENO, line, (size_t)len);
}

static void say_over(void)
{
    static const char line[] = "probe over\n";

    (void)!write(STDERR_FILENO, line, sizeof line - 1);
}

/* 0, or the error. */
static int make(const struct attempt *a)
{
    const void *const *args = a->args;
    long rc;

    errno = 0;
    rc = a->try ? a->try() : syscall(a->call, args[0], args[1], args[2], args[3], args[4], args[5]);
    return rc < 0 ? errno : ENDED_OPEN;
}

static const char *word_for(const struct attempt *a, int number)
{
    bool is_denied = number == EPERM || number == EACCES || number == ENOSYS ||
                     (number != 0 && number == a->refusal);

    return is_denied ? "denied" : "open";
}

static const char *why(int number)
{
    const char *name = number ? strerrorname_np(number) : "done";

    return name ? name : "?";
}

/* ---- in children ---- */

static unsigned walls_asked_for(void)
{
    static const struct {
        const char *name;
        unsigned parts;
    } rows[] = { { "none", 0 }, { "self", WALL_SELF }, { "files", WALL_FILES },
        { "calls", WALL_CALLS } };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (is_asked_for("SUBMITD_PROBE_WALLS", rows[i].name))
            return rows[i].parts;
    return WALLS_ALL;
}

NORETURN static void be_child(struct walls *walls, const struct attempt *a)
{
    unsigned parts = walls_asked_for();

    alarm(CHILD_SECONDS);
    if (parts != 0 && walls_raise(walls, parts) != ERR_OK)
        _exit(NO_WALLS);
    _exit(make(a));
}

static void judge_child(size_t number, const struct attempt *a, int status)
{
    if (WIFSIGNALED(status))
        say(number, WTERMSIG(status) == SIGSYS ? "denied" : "open", sigabbrev_np(WTERMSIG(status)),
            a);
    else if (WEXITSTATUS(status) == NO_WALLS)
        say(number, "open", "the walls did not go up", a);
    else
        say(number, word_for(a, WEXITSTATUS(status)), why(WEXITSTATUS(status)), a);
}

static void try_in_child(struct walls *walls, size_t number, const struct attempt *a)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        be_child(walls, a);
    do {
        if (child < 0 || waitpid(child, &status, 0) != child) {
            say(number, "open", "no child", a);
            return;
        }
    } while (!WIFEXITED(status) && !WIFSIGNALED(status));
    judge_child(number, a, status);
}

void probe_before(struct walls *walls)
{
    const struct attempt *a;

    plan.supervisor = getppid(); /* behind the walls a room may not even ask that */
    if (!is_asked_for("SUBMITD_PROBE_AS", "child") || !read_plan(walls->role))
        return;
    for (size_t i = plan.first; i <= plan.last && (a = attempt_at(i)); i++) {
        if (a->lawful & 1u << plan.role)
            say(i, "lawful", "it is its work", a);
        else
            try_in_child(walls, i, a);
    }
    say_over();
}

/* ---- in the room ---- */

static void try_here(void)
{
    const struct attempt *a;

    for (size_t i = plan.first; i <= plan.last && (a = attempt_at(i)); i++) {
        int number;

        if (a->lawful & 1u << plan.role) {
            say(i, "lawful", "it is its work", a);
            continue;
        }
        say(i, "begins", "room", a);
        number = make(a);
        say(i, word_for(a, number), why(number), a);
    }
    say_over();
}

/* In the place of the C library's: threads that wait for work look now and then whether they shall
 * probe. A return without a signal is lawful. */
int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    bool expected = true;
    struct timespec until;

    if (atomic_compare_exchange_strong(&waits_for_hand, &expected, false))
        try_here();
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAKE_NS;
    if (until.tv_nsec >= NS) {
        until.tv_nsec -= NS;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(cond, mutex, &until);
    return 0;
}

void probe_after(const struct walls *walls)
{
    bool on_hand = is_asked_for("SUBMITD_PROBE_AS", "hand");

    if ((!on_hand && !is_asked_for("SUBMITD_PROBE_AS", "room")) || !read_plan(walls->role))
        return;
    if (on_hand)
        atomic_store(&waits_for_hand, true);
    else
        try_here();
}
