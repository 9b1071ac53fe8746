/* net/peer.c: addresses as plain data. Pure. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static struct peer peer_of_ipv4(const uint8_t octets[4], uint16_t port)
{
    struct peer peer = { .family = PEER_IPV4, .port = port };

    memcpy(peer.octets, octets, 4);
    return peer;
}

static struct peer peer_of_ipv6(const uint8_t octets[16], uint16_t port, uint32_t scope)
{
    struct peer peer = { .family = PEER_IPV6, .port = port, .scope = scope };

    if (memcmp(octets, mapped_prefix, sizeof mapped_prefix) == 0)
        return peer_of_ipv4(octets + sizeof mapped_prefix, port);
    memcpy(peer.octets, octets, 16);
    return peer;
}

struct peer peer_of_sockaddr(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

    switch (address->sa_family) {
    case AF_INET:
        return peer_of_ipv4((const uint8_t *)&in->sin_addr, ntohs(in->sin_port));
    case AF_INET6:
        return peer_of_ipv6(in6->sin6_addr.s6_addr, ntohs(in6->sin6_port), in6->sin6_scope_id);
    case AF_UNIX:
        return (struct peer){ .family = PEER_UNIX };
    default:
        return (struct peer){ .family = PEER_NONE };
    }
}

uint32_t peer_to_sockaddr(const struct peer *peer, struct sockaddr_storage *out_address)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)out_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out_address;

    *out_address = (struct sockaddr_storage){ 0 };
    if (peer->family == PEER_IPV4) {
        in->sin_family = AF_INET;
        in->sin_port = htons(peer->port);
        memcpy(&in->sin_addr, peer->octets, 4);
        return sizeof *in;
    }
    if (peer->family == PEER_IPV6) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(peer->port);
        in6->sin6_scope_id = peer->scope;
        memcpy(&in6->sin6_addr, peer->octets, 16);
        return sizeof *in6;
    }
    return 0;
}

bool peer_parse(struct slice text, uint16_t port, struct peer *out_peer)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t octets[16];

    if (text.len == 0 || text.len >= sizeof copy || slice_find(text, '\0') < text.len)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, octets) == 1)
        *out_peer = peer_of_ipv4(octets, port);
    else if (inet_pton(AF_INET6, copy, octets) == 1)
        *out_peer = peer_of_ipv6(octets, port, 0);
    else
        return false;
    return true;
}

bool peer_parse_with_port(struct slice text, struct peer *out_peer)
{
    bool has_brackets = text.len > 0 && text.data[0] == '[';
    size_t colon = slice_find_last(text, ':');
    struct slice address = slice_first(text, colon);
    struct peer peer;
    uint64_t port;

    if (colon == text.len || !slice_number(slice_from(text, colon + 1), 65535, &port))
        return false;
    if (has_brackets) {
        if (address.len < 2 || address.data[address.len - 1] != ']')
            return false;
        address = slice_of(address.data + 1, address.len - 2);
    }
    if (has_brackets != (slice_find(address, ':') < address.len) ||
        !peer_parse(address, (uint16_t)port, &peer))
        return false;
    *out_peer = peer;
    return true;
}

void peer_text(const struct peer *peer, char out_text[PEER_TEXT])
{
    if (peer->family == PEER_IPV4)
        inet_ntop(AF_INET, peer->octets, out_text, PEER_TEXT);
    else if (peer->family == PEER_IPV6)
        inet_ntop(AF_INET6, peer->octets, out_text, PEER_TEXT);
    else
        snprintf(out_text, PEER_TEXT, "%s", peer->family == PEER_UNIX ? "unix" : "none");
}

void peer_text_with_port(const struct peer *peer, char out_text[PEER_TEXT])
{
    char address[PEER_TEXT];

    peer_text(peer, address);
    if (peer->family == PEER_IPV4)
        snprintf(out_text, PEER_TEXT, "%.15s:%u", address, peer->port);
    else if (peer->family == PEER_IPV6)
        snprintf(out_text, PEER_TEXT, "[%.39s]:%u", address, peer->port);
    else
        snprintf(out_text, PEER_TEXT, "%s", address);
}

bool peer_to_ipv6(const struct peer *peer, uint8_t out_octets[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (peer->family == PEER_IPV4) {
        memcpy(out_octets, mapped, sizeof mapped);
        memcpy(out_octets + sizeof mapped, peer->octets, 4);
    } else if (peer->family == PEER_IPV6) {
        memcpy(out_octets, peer->octets, 16);
    }
    return peer->family == PEER_IPV4 || peer->family == PEER_IPV6;
}

bool peer_same_address(const struct peer *a, const struct peer *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}
