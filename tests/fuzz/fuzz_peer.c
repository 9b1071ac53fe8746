/* tests/fuzz/fuzz_peer.c: addresses; what parses prints as text that parses to the same. */
#include <stdlib.h>

#include "net/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    char printed[PEER_TEXT];
    struct peer peer;
    struct peer again;

    if (peer_parse_with_port(text, &peer)) {
        peer_text_with_port(&peer, printed);
        if (!peer_parse_with_port(slice_text(printed), &again) ||
            !peer_same_address(&peer, &again) || peer.port != again.port)
            abort();
    }
    if (peer_parse(text, 0, &peer)) {
        peer_text(&peer, printed);
        if (!peer_parse(slice_text(printed), 0, &again) || !peer_same_address(&peer, &again))
            abort();
    }
    return 0;
}
