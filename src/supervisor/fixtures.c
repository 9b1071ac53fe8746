/* supervisor/fixtures.c: opening what stays. */
#include "supervisor/fixtures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/counters.h"
#include "ipc/mistakes.h"
#include "net/listen.h"
#include "supervisor/activation.h"

enum { LOCK_WAIT_MS = 5000, LOCK_STEP_MS = 50 };

static void join_path(const struct conf *conf, const char *name, char out_path[4096])
{
    snprintf(out_path, 4096, "%.*s/%s", SLICE_ARGS(conf->state), name);
}

static enum err say(struct conf_error *out_why, const char *path, const char *what, int number)
{
    snprintf(out_why->text, sizeof out_why->text, "%.200s: %s%s%s", path, what, number ? ": " : "",
        number ? strerror(number) : "");
    return number ? err_from_errno(number) : ERR_INVALID;
}

/* Another instance may be ending: its queue holds the lock until its last sync. */
static enum err take_lock(int fd, const char *path, struct conf_error *out_why)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += LOCK_STEP_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return say(out_why, path, "cannot be locked", errno);
        if (waited >= LOCK_WAIT_MS) {
            say(out_why, path,
                "another submitd runs on this spool; stop it first, or give this one a state "
                "folder of its own",
                0);
            return ERR_BUSY;
        }
        usleep(LOCK_STEP_MS * 1000);
    }
    return ERR_OK;
}

static enum err write_pid(int fd, const char *path, struct conf_error *out_why)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return say(out_why, path, "cannot be written", errno);
    return ERR_OK;
}

static enum err open_spool(
    struct fixtures *f, const struct conf *conf, struct account queue, struct conf_error *out_why)
{
    char path[4096];
    struct stat st;

    join_path(conf, "spool", path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return say(out_why, path, "the spool folder cannot be made", errno);
    f->spool = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->spool < 0 || fstat(f->spool, &st) != 0)
        return say(out_why, path, "the spool folder cannot be opened", errno);
    if (queue.uid == (uid_t)-1)
        return access(path, R_OK | W_OK | X_OK) == 0
                   ? ERR_OK
                   : say(out_why, path, "the spool folder is not writable", errno);
    if (st.st_uid != queue.uid && fchown(f->spool, queue.uid, queue.gid) != 0)
        return say(out_why, path, "the spool folder cannot be given to the queue's user", errno);
    return ERR_OK;
}

enum err fixtures_open(struct fixtures *f, const struct conf *conf,
    const struct account accounts[ROLE_COUNT], struct conf_error *out_why)
{
    char path[4096];
    struct stat st;
    enum err rc;

    *f = FIXTURES_NONE;
    join_path(conf, "", path);
    if (stat(path, &st) != 0)
        return say(out_why, path,
            "the state folder cannot be used; make it with mkdir -p or change \"state\"", errno);
    join_path(conf, "lock", path);
    f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (f->lock < 0)
        return say(out_why, path, "cannot be opened", errno);
    rc = take_lock(f->lock, path, out_why);
    if (rc == ERR_OK)
        rc = write_pid(f->lock, path, out_why);
    if (rc == ERR_OK)
        rc = open_spool(f, conf, accounts[ROLE_QUEUE], out_why);
    return rc;
}

static enum err bind_one(
    struct slice address, const char *what, int *out_fd, struct conf_error *out_why)
{
    char why[LISTEN_WHY];
    enum err rc = listen_bind(address, out_fd, why);

    if (rc != ERR_OK)
        snprintf(out_why->text, sizeof out_why->text, "%s %.*s: cannot listen: %s", what,
            SLICE_ARGS(address), why);
    return rc;
}

static enum err bind_control(
    struct fixtures *f, const struct conf *conf, struct conf_error *out_why)
{
    char address[4096];

    snprintf(address, sizeof address, "unix:%.*s", SLICE_ARGS(conf->control));
    return bind_one(slice_text(address), "control", &f->control, out_why);
}

static enum err make_counters(struct fixtures *f, size_t gates, struct conf_error *out_why)
{
    enum err rc = counters_create((unsigned)gates, &f->counters_fd);

    if (rc == ERR_OK)
        rc = counters_open(f->counters_fd, &f->counters);
    if (rc == ERR_OK)
        rc = mistakes_create((unsigned)gates, &f->mistakes, &f->mistakes_read);
    if (rc != ERR_OK)
        snprintf(
            out_why->text, sizeof out_why->text, "shared memory of the gates: %s", err_text(rc));
    return rc;
}

/* What the service manager has bound already, else our own. */
static enum err bind_listeners(
    struct fixtures *f, const struct conf *conf, struct conf_error *out_why)
{
    struct activation activation;
    enum err rc = activation_read(&activation, out_why);

    while (rc == ERR_OK && f->listener_count < conf->listener_count) {
        struct slice address = conf->listeners[f->listener_count].address;
        int fd = activation_take(&activation, address);

        if (fd < 0)
            rc = bind_one(address, "listener", &fd, out_why);
        if (rc == ERR_OK)
            f->listeners[f->listener_count++] = fd;
    }
    return rc == ERR_OK ? activation_finish(&activation, out_why) : rc;
}

enum err fixtures_bind(
    struct fixtures *f, const struct conf *conf, size_t gates, struct conf_error *out_why)
{
    enum err rc = make_counters(f, gates, out_why);

    f->listeners = calloc(conf->listener_count, sizeof *f->listeners);
    if (!f->listeners)
        return say(out_why, "listeners", "out of memory", ENOMEM);
    if (rc == ERR_OK)
        rc = bind_control(f, conf, out_why);
    if (rc == ERR_OK)
        rc = bind_listeners(f, conf, out_why);
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void fixtures_stop_listening(struct fixtures *f)
{
    for (size_t i = 0; i < f->listener_count; i++)
        close_fd(&f->listeners[i]);
    f->listener_count = 0;
}

void fixtures_close(struct fixtures *f, const struct conf *conf)
{
    char path[4096];

    if (f->control >= 0) {
        snprintf(path, sizeof path, "%.*s", SLICE_ARGS(conf->control));
        unlink(path);
    }
    fixtures_stop_listening(f);
    free(f->listeners);
    counters_free(&f->counters);
    close_fd(&f->control);
    close_fd(&f->counters_fd);
    close_fd(&f->mistakes);
    close_fd(&f->mistakes_read);
    close_fd(&f->spool);
    close_fd(&f->lock);
    *f = FIXTURES_NONE;
}
