/* supervisor/activation.c: sockets from the environment, found again by their address. */
#include "supervisor/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

static enum err refuse(const struct activated *socket, const char *what, struct conf_error *out_why)
{
    snprintf(out_why->text, sizeof out_why->text, "the socket \"%s\" that was handed over %s",
        socket->name, what);
    return ERR_INVALID;
}

/* A number in the environment, or 0. */
static unsigned long number_of(const char *name)
{
    const char *text = getenv(name);
    uint64_t number = 0;

    return text && slice_number(slice_text(text), INT32_MAX, &number) ? (unsigned long)number : 0;
}

/* The names are separated by colons, in the order of the descriptors; they may be missing. */
static void set_name(struct activated *socket, struct slice *rest, int fd)
{
    size_t end = slice_find(*rest, ':');
    struct slice name = slice_first(*rest, end);

    if (name.len > 0)
        snprintf(socket->name, sizeof socket->name, "%.*s", SLICE_ARGS(slice_first(name, 60)));
    else
        snprintf(socket->name, sizeof socket->name, "%d", fd);
    *rest = end < rest->len ? slice_from(*rest, end + 1) : slice_text("");
}

static bool has_option(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static enum err look(struct activated *socket, struct conf_error *out_why)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    int flags = fcntl(socket->fd, F_GETFL);

    if (flags < 0 || fcntl(socket->fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse(socket, "is not there", out_why);
    if (!has_option(socket->fd, SO_TYPE, SOCK_STREAM) || !has_option(socket->fd, SO_ACCEPTCONN, 1))
        return refuse(socket,
            "is no listening stream socket; submitd.socket wants ListenStream= and Accept=no",
            out_why);
    if (getsockname(socket->fd, (struct sockaddr *)&address, &len) != 0 ||
        fcntl(socket->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return refuse(socket, "cannot be used", out_why);
    socket->address = peer_of_sockaddr((struct sockaddr *)&address);
    if (socket->address.family != PEER_IPV4 && socket->address.family != PEER_IPV6)
        return refuse(socket, "has no IPv4 or IPv6 address", out_why);
    return ERR_OK;
}

static void forget_environment(void)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

enum err activation_read(struct activation *out_activation, struct conf_error *out_why)
{
    bool is_ours = number_of("LISTEN_PID") == (unsigned long)getpid();
    size_t count = is_ours ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    struct slice rest = slice_text(names ? names : "");
    enum err rc = ERR_OK;

    *out_activation = (struct activation){ 0 };
    if (count > ACTIVATION_MOST) {
        snprintf(out_why->text, sizeof out_why->text,
            "%zu sockets were handed over, and at most %d can be used", count, ACTIVATION_MOST);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        struct activated *socket = &out_activation->sockets[i];

        socket->fd = FIRST_FD + (int)i;
        set_name(socket, &rest, socket->fd);
        out_activation->count++;
        rc = look(socket, out_why);
    }
    forget_environment();
    return rc;
}

int activation_take(struct activation *activation, struct slice address)
{
    struct peer wanted;

    if (!peer_parse_with_port(address, &wanted))
        return -1;
    for (size_t i = 0; i < activation->count; i++) {
        struct activated *socket = &activation->sockets[i];
        int fd = socket->fd;

        if (fd < 0 || socket->address.port != wanted.port ||
            !peer_same_address(&socket->address, &wanted))
            continue;
        socket->fd = -1;
        return fd;
    }
    return -1;
}

enum err activation_finish(struct activation *activation, struct conf_error *out_why)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < activation->count; i++) {
        struct activated *socket = &activation->sockets[i];
        char address[PEER_TEXT];

        if (socket->fd < 0)
            continue;
        close(socket->fd);
        socket->fd = -1;
        peer_text_with_port(&socket->address, address);
        snprintf(out_why->text, sizeof out_why->text,
            "the socket \"%s\" that was handed over is bound to %s, and no listener has that "
            "address; write address = \"%s\" in a listener, or change ListenStream= in "
            "submitd.socket",
            socket->name, address, address);
        rc = ERR_INVALID;
    }
    return rc;
}
