/* ipc/room.c: the start and the end of every room. Rights are dropped before a byte is read. */
#include "ipc/room.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "ipc/probe.h"
#include "net/hands.h"

enum { EXIT_OK = 0, EXIT_SOFTWARE = 70, EXIT_OSERR = 71, EXIT_CONFIG = 78 };

/* The channel to another room that the supervisor made last. */
struct given {
    enum role peer;
    uint32_t index;
    uint64_t number;
};

struct harness {
    struct room room;
    struct walls walls;
    struct given *channels; /* one for each peer */
    size_t channel_count;
    int status;
};

/* What the supervisor handed over for the snapshot that MSG_APPLY will put in force. */
static struct {
    struct buffer conf;
    uint64_t number;
} pending;

static void end(struct harness *h, int status)
{
    h->status = status;
    loop_stop(h->room.loop);
}

static void on_snapshot(void *owner, struct channel *c, const void *message, int fd)
{
    const struct msg_snapshot *m = message;

    (void)owner, (void)c, (void)fd;
    buffer_reset(&pending.conf);
    buffer_put_slice(&pending.conf, m->conf);
    pending.number = m->number;
}

static void on_give(void *owner, struct channel *c, const void *message, int fd)
{
    struct harness *h = owner;

    (void)c;
    walls_note_gift(&h->walls, ((const struct msg_give *)message)->gift, fd);
    if (h->room.type->give)
        h->room.type->give(&h->room, message, fd);
    else
        close(fd);
}

static void on_certificate(void *owner, struct channel *c, const void *message, int fd)
{
    struct harness *h = owner;

    (void)c, (void)fd;
    if (h->room.type->certificate)
        h->room.type->certificate(&h->room, message);
}

static struct given *find_given(const struct harness *h, enum role peer, uint32_t index)
{
    for (size_t i = 0; i < h->channel_count; i++)
        if (h->channels[i].peer == peer && h->channels[i].index == index)
            return &h->channels[i];
    return NULL;
}

static bool note_given(struct harness *h, const struct msg_peer *m)
{
    struct given *given = find_given(h, m->role, m->index);

    if (!given) {
        struct given *more = reallocarray(h->channels, h->channel_count + 1, sizeof *more);

        if (!more)
            return false;
        h->channels = more;
        given = &more[h->channel_count++];
    }
    *given = (struct given){ .peer = m->role, .index = m->index, .number = m->number };
    return true;
}

/* The peer may live, and this room cannot know; the supervisor does. */
static void on_lost(void *owner, enum role peer, uint32_t index)
{
    struct harness *h = owner;
    const struct given *given = find_given(h, peer, index);
    struct msg_number lost = { .number = given ? given->number : 0 };

    if (lost.number != 0 && channel_send(h->room.control, MSG_LOST, &lost, -1) != ERR_OK)
        end(h, EXIT_OSERR);
}

static void on_peer(void *owner, struct channel *c, const void *message, int fd)
{
    struct harness *h = owner;

    (void)c;
    if (!note_given(h, message)) {
        close(fd);
        log_event(LOG_ERROR, NULL, "no memory for a channel");
        end(h, EXIT_OSERR);
        return;
    }
    h->room.type->peer(&h->room, message, fd);
}

/* Rights and Landlock first, while there is one thread: those that are made then inherit it.
 * Seccomp takes all threads at once. */
static enum err raise_walls(struct harness *h, unsigned walls)
{
    enum err rc = ERR_OK;

    if (walls & WALL_FILES)
        rc = walls_raise(&h->walls, WALL_RIGHTS | WALL_FILES);
    if (rc == ERR_OK && walls & WALL_CALLS) {
        rc = hands_release();
        if (rc == ERR_OK)
            rc = walls_raise(&h->walls, WALL_SELF | WALL_CALLS);
    }
    return rc;
}

/* The first snapshot: the room begins its work, and when this returns it is walled in. The loop has
 * not turned meanwhile, so nothing from outside was read. */
static enum err begin(struct harness *h, struct slice conf)
{
    unsigned early = h->room.type->early_walls;
    enum err rc;

    probe_before(&h->walls);
    rc = raise_walls(h, early);
    if (rc == ERR_OK)
        rc = h->room.type->apply(&h->room, conf);
    if (rc == ERR_OK)
        rc = raise_walls(h, WALLS_ALL);
    if (rc == ERR_OK)
        probe_after(&h->walls);
    return rc;
}

/* A fault of the world that another start may not meet; whatever is wrong with the configuration
 * stays wrong. */
static bool may_pass(enum err rc)
{
    return rc == ERR_IO || rc == ERR_NOSPACE || rc == ERR_NOMEM || rc == ERR_NOFILES ||
           rc == ERR_BUSY;
}

static void on_apply(void *owner, struct channel *c, const void *message, int fd)
{
    struct harness *h = owner;
    const struct msg_number *m = message;
    bool first = h->room.snapshot == 0;
    enum err rc = ERR_PROTOCOL;

    (void)fd;
    if (m->number == pending.number && pending.conf.error == ERR_OK)
        rc = first ? begin(h, buffer_slice(&pending.conf))
                   : h->room.type->apply(&h->room, buffer_slice(&pending.conf));
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, first ? "cannot start" : "keeps its old configuration",
            log_reason(rc));
        if (first)
            end(h, may_pass(rc) ? EXIT_OSERR : EXIT_CONFIG);
        return;
    }
    h->room.snapshot = m->number;
    buffer_clear(&pending.conf);
    rc = channel_send(c, MSG_READY, m, -1);
    if (rc != ERR_OK)
        end(h, EXIT_OSERR);
}

static void on_drain(void *owner, struct channel *c, const void *message, int fd)
{
    struct harness *h = owner;

    (void)c, (void)message, (void)fd;
    h->room.type->drain(&h->room);
}

static const struct channel_handler handlers[] = {
    { MSG_SNAPSHOT, on_snapshot },
    { MSG_GIVE, on_give },
    { MSG_CERTIFICATE, on_certificate },
    { MSG_PEER, on_peer },
    { MSG_APPLY, on_apply },
    { MSG_DRAIN, on_drain },
};

static void on_orphaned(void *owner, struct channel *c)
{
    struct harness *h = owner;

    (void)c;
    if (h->room.type->orphaned)
        h->room.type->orphaned(&h->room);
    end(h, EXIT_OK);
}

void room_drained(struct room *room)
{
    struct harness *h = CONTAINER_OF(room, struct harness, room);
    struct msg_empty nothing = { 0 };

    if (channel_send(room->control, MSG_DRAINED, &nothing, -1) == ERR_OK)
        channel_flush(room->control, 1000);
    end(h, room->end);
}

/* The order matters: groups first, then the group, then the user; and it is checked that there is
 * no way back. */
static bool drop_rights(uid_t uid, gid_t gid)
{
    if (uid == (uid_t)-1)
        return true;
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return false;
    return uid == 0 || setuid(0) != 0;
}

/* A gate has a descriptor for each client, and the usual soft limit is for programs that still know
 * select(2). */
static void take_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static bool harden(uid_t uid, gid_t gid)
{
    struct rlimit none = { 0, 0 };

    take_files();
    if (setrlimit(RLIMIT_CORE, &none) != 0 || !drop_rights(uid, gid))
        return false;
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Ctrl-C reaches the whole foreground group; only the supervisor acts on it and drains the rooms.
 */
static void ignore_terminal(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

/* What the C library reads once: the time zone. */
static void warm(void)
{
    time_t now = time(NULL);
    struct tm tm;

    tzset();
    (void)gmtime_r(&now, &tm);
    (void)localtime_r(&now, &tm);
}

int room_main(const struct room_type *type, uint32_t index, uid_t uid, gid_t gid)
{
    struct harness h = { .room = { .type = type, .index = index }, .status = EXIT_SOFTWARE };
    struct channel_spec spec = { .self = type->role,
        .peer = ROLE_SUPERVISOR,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_orphaned,
        .owner = &h };
    char name[32];
    uint64_t seed;
    enum err rc;

    snprintf(name, sizeof name, "%s.%u", role_name(type->role), (unsigned)index);
    log_open(name, LOG_INFO);
    ignore_terminal();
    if (!harden(uid, gid)) {
        log_event(LOG_ERROR, NULL, "cannot drop rights", log_number("uid", uid),
            log_reason(err_from_errno(errno)));
        return EXIT_OSERR;
    }
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        map_seed(seed);
    warm();
    hands_hold();
    walls_init(&h.walls, type->role);
    buffer_init(&pending.conf, FRAME_MAX);
    h.room.loop = loop_new();
    h.room.control = h.room.loop ? channel_new(h.room.loop, ROOM_CONTROL_FD, &spec) : NULL;
    channel_watch_losses(on_lost, &h);
    rc = h.room.control ? type->init(&h.room) : ERR_NOMEM;
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, NULL, "cannot start", log_reason(rc));
        return EXIT_OSERR;
    }
    loop_run(h.room.loop);
    /* The room's memory goes with the process: sessions, jobs and threads need no orderly end here,
     * because nothing acknowledged depends on one. */
    return h.status;
}
