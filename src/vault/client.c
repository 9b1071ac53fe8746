/* vault/client.c: from an address to a key. */
#include "vault/client.h"

#include <arpa/inet.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

struct client_key client_key_of(struct slice address)
{
    struct client_key key = { .octets = { 0 } };
    char text[INET6_ADDRSTRLEN] = "";

    if (address.len > 0 && address.len < sizeof text)
        memcpy(text, address.data, address.len);
    if (inet_pton(AF_INET, text, key.octets + 12) == 1) {
        memcpy(key.octets, mapped, sizeof mapped);
    } else if (inet_pton(AF_INET6, text, key.octets) == 1) {
        if (memcmp(key.octets, mapped, sizeof mapped) != 0)
            memset(key.octets + 8, 0, 8);
    } else {
        key.octets[0] = 0xff; /* multicast: no client has such an address */
        memcpy(key.octets + 1, text, 15);
    }
    return key;
}
