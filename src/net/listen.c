/* net/listen.c: binding and accepting. Never blocks; never spins when descriptors run out. */
#include "net/listen.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/peer.h"

enum {
    BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    REST_MS = 1000,
};

static enum err fail(char out_why[LISTEN_WHY], const char *act)
{
    int number = errno;

    snprintf(out_why, LISTEN_WHY, "%s: %s", act, strerrordesc_np(number));
    return number == EADDRINUSE ? ERR_BUSY : err_from_errno(number);
}

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Listens and hands the descriptor out, or closes it. */
static enum err finish(int fd, enum err err, int *out_fd, char out_why[LISTEN_WHY])
{
    if (err == ERR_OK && listen(fd, BACKLOG) != 0)
        err = fail(out_why, "listen");
    if (err != ERR_OK)
        close(fd);
    else
        *out_fd = fd;
    return err;
}

static enum err bind_ip(const struct peer *peer, int *out_fd, char out_why[LISTEN_WHY])
{
    struct sockaddr_storage address;
    socklen_t len = peer_to_sockaddr(peer, &address);
    int fd = open_socket(address.ss_family);
    enum err err = ERR_OK;
    int on = 1;
    int off = 0;

    if (fd < 0)
        return fail(out_why, "socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (peer->family == PEER_IPV6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0))
        err = fail(out_why, "setsockopt");
    else if (bind(fd, (struct sockaddr *)&address, len) != 0)
        err = fail(out_why, "bind");
    return finish(fd, err, out_fd, out_why);
}

static bool is_any_ipv6(const struct peer *peer)
{
    static const uint8_t any[16];

    return peer->family == PEER_IPV6 && memcmp(peer->octets, any, sizeof any) == 0;
}

static bool has_ipv6(void)
{
    int fd = open_socket(AF_INET6);

    if (fd < 0)
        return errno != EAFNOSUPPORT;
    close(fd);
    return true;
}

/* Somebody answers on it. A full backlog (EAGAIN) is an answer too. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = open_socket(AF_UNIX);
    bool alive;

    if (fd < 0)
        return true;
    alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
            errno != ECONNREFUSED;
    close(fd);
    return alive;
}

/* Bound under the strictest mask: there is no moment in which others may connect. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);

    umask(before);
    return result;
}

static bool is_socket_file(const char *path)
{
    struct stat file;

    return lstat(path, &file) == 0 && S_ISSOCK(file.st_mode);
}

static enum err bind_unix(struct slice path, int *out_fd, char out_why[LISTEN_WHY])
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    enum err err = ERR_OK;
    int fd;

    if (path.len == 0 || path.data[0] != '/' || path.len >= sizeof address.sun_path ||
        slice_find(path, '\0') < path.len) {
        snprintf(out_why, LISTEN_WHY, "a unix socket needs an absolute path below %zu octets",
            sizeof address.sun_path);
        return ERR_INVALID;
    }
    memcpy(address.sun_path, path.data, path.len);
    fd = open_socket(AF_UNIX);
    if (fd < 0)
        return fail(out_why, "socket");
    if (bind_private(fd, &address) != 0) {
        int reason = errno;
        bool is_stale =
            reason == EADDRINUSE && is_socket_file(address.sun_path) && !is_alive(&address);

        if (is_stale && unlink(address.sun_path) == 0 && bind_private(fd, &address) == 0)
            return finish(fd, ERR_OK, out_fd, out_why);
        errno = reason;
        err = fail(out_why, "bind");
    }
    return finish(fd, err, out_fd, out_why);
}

enum err listen_bind(struct slice address, int *out_fd, char out_why[LISTEN_WHY])
{
    static const char unix_prefix[] = "unix:";
    struct peer peer;

    if (slice_starts_nocase(address, unix_prefix))
        return bind_unix(slice_from(address, sizeof unix_prefix - 1), out_fd, out_why);
    if (!peer_parse_with_port(address, &peer)) {
        snprintf(out_why, LISTEN_WHY,
            "not an address: write 192.0.2.1:587, [2001:db8::1]:587 or unix:/path");
        return ERR_INVALID;
    }
    if (is_any_ipv6(&peer) && !has_ipv6())
        peer = (struct peer){ .family = PEER_IPV4, .port = peer.port };
    return bind_ip(&peer, out_fd, out_why);
}

static void want(struct listener *listener, bool accepting)
{
    enum err err = ERR_OK;

    if (accepting)
        err = watch_enable(&listener->watch, WATCH_READ);
    else
        watch_disable(&listener->watch, WATCH_READ);
    if (err != ERR_OK)
        timer_set(&listener->rest, REST_MS);
}

static void on_rested(void *owner)
{
    want(owner, true);
}

void listener_rest(struct listener *listener, int64_t ms)
{
    want(listener, false);
    timer_set(&listener->rest, ms);
}

static void rest_for_want(struct listener *listener, int reason)
{
    listener_rest(listener, REST_MS);
    if (!listener->is_reported)
        log_event(LOG_ERROR, NULL, "accept-rests", log_text("reason", strerrordesc_np(reason)),
            log_number("rest_ms", REST_MS));
    listener->is_reported = true;
}

/* One for each turn of the loop: the other gates wait at the same socket, and whoever took all that
 * wait would serve them alone. */
static void on_connection(void *owner, unsigned ready)
{
    struct listener *listener = owner;
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    int on = 1;
    struct peer peer;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)ready;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest_for_want(listener, errno);
        return;
    }
    listener->is_reported = false;
    peer = peer_of_sockaddr((struct sockaddr *)&address);
    if (peer.family != PEER_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    listener->fn(listener->owner, fd, &peer);
}

enum err listener_init(
    struct listener *listener, struct loop *loop, int fd, listen_fn *fn, void *owner)
{
    enum err err;

    *listener = (struct listener){ .fn = fn, .owner = owner, .fd = fd };
    watch_init(&listener->watch, loop, fd, on_connection, listener);
    timer_init(&listener->rest, loop, on_rested, listener);
    err = watch_enable(&listener->watch, WATCH_READ);
    if (err != ERR_OK)
        listener_clear(listener);
    return err;
}

void listener_clear(struct listener *listener)
{
    if (!listener->watch.loop)
        return;
    watch_clear(&listener->watch);
    timer_stop(&listener->rest);
    close(listener->fd);
    *listener = (struct listener){ .fd = -1 };
}
