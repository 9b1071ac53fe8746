/* net/peer.h: the address of the other end as plain data (it may cross a channel), its text, and
 * CIDR blocks. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

struct sockaddr;
struct sockaddr_storage;

enum peer_family { PEER_NONE, PEER_IPV4, PEER_IPV6, PEER_UNIX };

/* Zeroed: no address. An IPv4 address that came in a v4-mapped IPv6 form is PEER_IPV4 (RFC 4291
 * section 2.5.5.2). */
struct peer {
    enum peer_family family;
    uint8_t octets[16]; /* network order; the first 4 for PEER_IPV4, none for PEER_UNIX */
    uint16_t port;      /* host order */
    uint32_t scope;     /* interface of a link-local IPv6 address, else 0 */
};

enum { PEER_TEXT = 48 };

/* PEER_NONE for families we do not know. */
struct peer peer_of_sockaddr(const struct sockaddr *address);
/* The number of octets filled, 0 for PEER_NONE and PEER_UNIX. */
uint32_t peer_to_sockaddr(const struct peer *peer, struct sockaddr_storage *out_address);
/* A numeric IPv4 or IPv6 address without brackets, port or scope: "192.0.2.1", "2001:db8::1". False
 * for anything else; a v4-mapped address gives PEER_IPV4. */
MUST_CHECK bool peer_parse(struct slice text, uint16_t port, struct peer *out_peer);
/* "192.0.2.1:25", "[2001:db8::1]:25". As peer_parse for the address; the port is 0 to 65535 and
 * must be there. */
MUST_CHECK bool peer_parse_with_port(struct slice text, struct peer *out_peer);
/* The address alone, NUL-ended: "192.0.2.1", "2001:db8::1" (RFC 5952), "unix", "none". */
void peer_text(const struct peer *peer, char out_text[PEER_TEXT]);
/* With the port, for logs: "192.0.2.1:25", "[2001:db8::1]:25", "unix". */
void peer_text_with_port(const struct peer *peer, char out_text[PEER_TEXT]);
/* The address as IPv6, an IPv4 one as ::ffff:a.b.c.d. False for PEER_NONE and PEER_UNIX. */
MUST_CHECK bool peer_to_ipv6(const struct peer *peer, uint8_t out_octets[16]);
/* The same address, whatever the port. */
bool peer_same_address(const struct peer *a, const struct peer *b);

#endif
