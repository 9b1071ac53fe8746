/* tests/rooms/attempts_network.c: sockets of every kind, and what is done with them. */
#include "attempts.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/room.h"

/* The socket may already be denied; where it is not, what follows must be. */
static int loopback(int type, uint16_t port, struct sockaddr_in *out_address)
{
    *out_address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) }
    };
    return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static long answer(int fd, long rc)
{
    int number = errno;

    close(fd);
    errno = number;
    return rc;
}

static long connect_tcp(void)
{
    struct sockaddr_in address;
    int fd = loopback(SOCK_STREAM, (uint16_t)target_number(TARGET_PORT), &address);

    return fd < 0 ? fd : answer(fd, connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int find_listener(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int is_listening = 0, domain = 0;
        socklen_t size = sizeof is_listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && is_listening &&
            domain == AF_INET)
            return fd;
    }
    return -1;
}

/* A listening socket that is shut down can connect, and sending with MSG_FASTOPEN connects without
 * connect(2), so Landlock does not look. */
static long connect_by_sending(void)
{
    struct sockaddr_in address;
    int fd = loopback(SOCK_STREAM, (uint16_t)target_number(TARGET_PORT), &address);
    int listener = find_listener();

    if (fd < 0 && listener < 0)
        return -1;
    if (fd < 0 && shutdown(listener, SHUT_RDWR) != 0)
        return -1;
    return sendto(
        fd < 0 ? listener : fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address);
}

static long bind_tcp(void)
{
    struct sockaddr_in address;
    int fd = loopback(SOCK_STREAM, 2525, &address);

    return fd < 0 ? fd : answer(fd, bind(fd, (struct sockaddr *)&address, sizeof address));
}

/* Without an address the kernel would choose one: no bind is needed to be reachable. */
static long listen_tcp(void)
{
    struct sockaddr_in address;
    int fd = loopback(SOCK_STREAM, 0, &address);

    return fd < 0 ? fd : answer(fd, listen(fd, 1));
}

static long bind_low_udp(void)
{
    struct sockaddr_in address;
    int fd = loopback(SOCK_DGRAM, 53, &address);

    return fd < 0 ? fd : answer(fd, bind(fd, (struct sockaddr *)&address, sizeof address));
}

static long connect_unix(const char *path, bool is_abstract)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strnlen(path, sizeof address.sun_path - 2);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    memcpy(address.sun_path + is_abstract, path, len);
    len += offsetof(struct sockaddr_un, sun_path) + is_abstract;
    return answer(fd, connect(fd, (struct sockaddr *)&address, (socklen_t)len));
}

static long connect_control(void)
{
    return connect_unix(target_text(TARGET_CONTROL), false);
}

static long connect_open_socket(void)
{
    return connect_unix(target_text(TARGET_SOCKET), false);
}

static long connect_abstract(void)
{
    return connect_unix(target_text(TARGET_ABSTRACT), true);
}

static long bind_unix(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long rc;

    if (fd < 0)
        return fd;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/bound", target_text(TARGET_FOLDER));
    rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    if (rc == 0)
        unlink(address.sun_path);
    return answer(fd, rc);
}

static long listen_abstract(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0submitd-probe" };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    long rc = fd < 0 ? fd : bind(fd, (struct sockaddr *)&address, sizeof address);

    return rc == 0 ? answer(fd, listen(fd, 1)) : rc;
}

static long pair_of(int family, int type)
{
    int pair[2];
    long rc = socketpair(family, type | SOCK_CLOEXEC, 0, pair);

    if (rc == 0) {
        close(pair[0]);
        close(pair[1]);
    }
    return rc;
}

static long make_pair(void)
{
    return pair_of(AF_UNIX, SOCK_STREAM);
}

static long make_datagram_pair(void)
{
    return pair_of(AF_UNIX, SOCK_DGRAM);
}

static long make_packet_pair(void)
{
    return pair_of(AF_UNIX, SOCK_SEQPACKET);
}

#define SOCKET(name, lawful, family, type, protocol)                                               \
    {                                                                                              \
        name, lawful, NULL, SYS_socket, { AS(family), AS((type) | SOCK_CLOEXEC), AS(protocol) },   \
            EAFNOSUPPORT                                                                           \
    }

static const struct attempt rows[] = {
    SOCKET("a TCP socket", OUTWARD, AF_INET, SOCK_STREAM, 0),
    SOCKET("a TCP socket of IPv6", OUTWARD, AF_INET6, SOCK_STREAM, 0),
    SOCKET("a UDP socket", OUTWARD, AF_INET, SOCK_DGRAM, 0),
    SOCKET("a UDP socket of IPv6", OUTWARD, AF_INET6, SOCK_DGRAM, 0),
    SOCKET("a raw socket", NOBODY, AF_INET, SOCK_RAW, IPPROTO_ICMP),
    SOCKET("a raw socket of IPv6", NOBODY, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),
    SOCKET("an ICMP socket", NOBODY, AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
    SOCKET("an SCTP socket", NOBODY, AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP),
    SOCKET("a multipath TCP socket", NOBODY, AF_INET, SOCK_STREAM, 262),
    SOCKET("a packet socket", NOBODY, AF_PACKET, SOCK_RAW, 0),
    SOCKET("a netlink socket for routes", RELAY, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
    SOCKET("a netlink socket for netfilter", NOBODY, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER),
    SOCKET("a netlink socket for audit", NOBODY, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT),
    SOCKET("a unix stream socket", RELAY, AF_UNIX, SOCK_STREAM, 0),
    SOCKET("a unix datagram socket", NOBODY, AF_UNIX, SOCK_DGRAM, 0),
    SOCKET("a unix packet socket", NOBODY, AF_UNIX, SOCK_SEQPACKET, 0),
    SOCKET("a kernel crypto socket", NOBODY, AF_ALG, SOCK_SEQPACKET, 0),
    SOCKET("a socket to the host", NOBODY, AF_VSOCK, SOCK_STREAM, 0),
    SOCKET("a Bluetooth socket", NOBODY, AF_BLUETOOTH, SOCK_RAW, 0),
    SOCKET("an IPsec key socket", NOBODY, AF_KEY, SOCK_RAW, 2),
    SOCKET("an XDP socket", NOBODY, AF_XDP, SOCK_RAW, 0),
    SOCKET("a TIPC socket", NOBODY, AF_TIPC, SOCK_RDM, 0),
    SOCKET("a CAN socket", NOBODY, AF_CAN, SOCK_RAW, 1),
    { "a pair of sockets", FETCH | GATE, make_pair },
    { "a pair of datagram sockets", NOBODY, make_datagram_pair },
    { "a pair of packet sockets", NOBODY, make_packet_pair },
    { "connect to a TCP port", OUTWARD, connect_tcp },
    { "connect to a TCP port by sending", OUTWARD, connect_by_sending },
    { "bind a TCP port", NOBODY, bind_tcp },
    { "listen at a TCP port", NOBODY, listen_tcp },
    { "bind UDP port 53", NOBODY, bind_low_udp },
    { "connect to the operator's socket", NOBODY, connect_control },
    { "connect to a unix socket", RELAY, connect_open_socket },
    { "connect to an abstract socket", NOBODY, connect_abstract },
    { "bind a unix socket", NOBODY, bind_unix },
    { "listen at an abstract socket", NOBODY, listen_abstract },
    CALL("listen on its own channel", NOBODY, SYS_listen, AS(ROOM_CONTROL_FD), AS(1)),
    CALL("bind its own channel", OUTWARD, SYS_bind, AS(ROOM_CONTROL_FD), NULL, AS(0)),
    CALL("connect its own channel", OUTWARD, SYS_connect, AS(ROOM_CONTROL_FD), NULL, AS(0)),
    CALL("accept on its own channel", GATE | QUEUE, SYS_accept4, AS(ROOM_CONTROL_FD), NULL, NULL,
        AS(0)),
    CALL("accept the old way", GATE | QUEUE, SYS_accept, AS(ROOM_CONTROL_FD), NULL, NULL),
};
const struct attempt_table attempts_network = ATTEMPTS(rows);
