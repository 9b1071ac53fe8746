/* net/dial.c: one connect that does not block. */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct target {
    struct sockaddr_storage address;
    socklen_t len;
};

static int set_target(const struct dial_settings *settings, struct target *out_target)
{
    struct sockaddr_un *local = (struct sockaddr_un *)(void *)&out_target->address;

    if (settings->to.family != PEER_UNIX) {
        out_target->len = peer_to_sockaddr(&settings->to, &out_target->address);
        return out_target->len > 0 ? 0 : EAFNOSUPPORT;
    }
    if (settings->path.len == 0 || settings->path.len >= sizeof local->sun_path ||
        slice_find(settings->path, '\0') < settings->path.len)
        return ENAMETOOLONG;
    out_target->address = (struct sockaddr_storage){ .ss_family = AF_UNIX };
    memcpy(local->sun_path, settings->path.data, settings->path.len);
    out_target->len = sizeof *local;
    return 0;
}

static int bind_source(int fd, const struct peer *from)
{
    struct sockaddr_storage address;
    socklen_t len = peer_to_sockaddr(from, &address);
    int on = 1;

    if (len == 0)
        return 0;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&address, len) == 0 ? 0 : errno;
}

static int begin(struct dial *dial, const struct dial_settings *settings)
{
    struct target target;
    int error = set_target(settings, &target);
    int on = 1;

    if (error)
        return error;
    dial->fd = socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0)
        return errno;
    if (settings->to.family != PEER_UNIX)
        setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    error = bind_source(dial->fd, &settings->from);
    if (error)
        return error;
    return connect(dial->fd, (struct sockaddr *)&target.address, target.len) == 0 ? 0 : errno;
}

void dial_stop(struct dial *dial)
{
    if (!dial->is_busy)
        return;
    watch_clear(&dial->watch);
    timer_stop(&dial->limit);
    deferred_cancel(&dial->report);
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    dial->is_busy = false;
}

static enum err code_of(int error)
{
    enum err err = err_from_errno(error);

    return err == ERR_TIMEOUT || err == ERR_NOFILES || err == ERR_DENIED || err == ERR_NOTFOUND
               ? err
               : ERR_IO;
}

/* Idle before the owner hears of it, so that it may be started again or freed. */
static void report(struct dial *dial, int error)
{
    dial_fn *fn = dial->fn;
    void *owner = dial->owner;
    int fd = dial->fd;

    if (!error)
        dial->fd = -1;
    dial_stop(dial);
    if (error)
        fn(owner, code_of(error), -1, strerrordesc_np(error));
    else
        fn(owner, ERR_OK, fd, "");
}

static void on_report(void *owner)
{
    struct dial *dial = owner;

    report(dial, dial->error_number);
}

static void on_limit(void *owner)
{
    report(owner, ETIMEDOUT);
}

static void on_connected(void *owner, unsigned ready)
{
    struct dial *dial = owner;
    int error = 0;
    socklen_t len = sizeof error;

    (void)ready;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    report(dial, error);
}

void dial_start(struct dial *dial, struct loop *loop, const struct dial_settings *settings,
    dial_fn *fn, void *owner)
{
    assert(!dial->is_busy);
    *dial = (struct dial){ .fn = fn, .owner = owner, .fd = -1, .is_busy = true };
    deferred_init(&dial->report, loop, on_report, dial);
    timer_init(&dial->limit, loop, on_limit, dial);
    dial->error_number = begin(dial, settings);
    watch_init(&dial->watch, loop, dial->fd, on_connected, dial);
    if (dial->error_number == EINPROGRESS && watch_enable(&dial->watch, WATCH_WRITE) == ERR_OK) {
        timer_set(&dial->limit, settings->timeout_ms);
        return;
    }
    if (dial->error_number == EINPROGRESS)
        dial->error_number = ENOMEM;
    deferred_ask(&dial->report);
}
