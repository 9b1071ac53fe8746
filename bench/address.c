/* bench/address.c: addresses of load, sink and null. */
#include "bench/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static bool read_port(const char *text, uint16_t *out_port)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || port > UINT16_MAX)
        return false;
    *out_port = htons((uint16_t)port);
    return true;
}

bool address_read(const char *text, struct sockaddr_in *out_address)
{
    const char *colon = strrchr(text, ':');
    struct sockaddr_in address = { .sin_family = AF_INET };
    char host[INET_ADDRSTRLEN] = "";

    if (!colon || (size_t)(colon - text) >= sizeof host)
        return false;
    memcpy(host, text, (size_t)(colon - text));
    if (!read_port(colon + 1, &address.sin_port) ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return false;
    *out_address = address;
    return true;
}

static void tell_address(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char host[INET_ADDRSTRLEN];

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return;
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    fprintf(stderr, "listening %s:%d\n", host, ntohs(address.sin_port));
}

int address_listen(const char *text)
{
    struct sockaddr_in address;
    int on = 1;
    int fd;

    if (!address_read(text, &address)) {
        fprintf(stderr, "%s is not an IPv4 address and a port\n", text);
        return -1;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0) {
        tell_address(fd);
        return fd;
    }
    perror(text);
    if (fd >= 0)
        close(fd);
    return -1;
}
