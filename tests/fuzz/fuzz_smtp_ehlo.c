/* tests/fuzz/fuzz_smtp_ehlo.c: the EHLO reply of a next hop. */
#include <stdlib.h>

#include "smtp/ehlo.h"
#include "smtp/peer_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct peer_extensions *peer)
{
    if (peer->set >> EXTENSION_COUNT || peer->mechanisms >> MECHANISM_COUNT)
        abort();
    if (peer->rcpt_max > 999999 || peer->mail_max > 999999 || peer->rcpt_domain_max > 999999)
        abort();
    if ((peer->rcpt_max || peer->mail_max || peer->rcpt_domain_max) &&
        !peer_has(peer, EXTENSION_LIMITS))
        abort();
    if (peer->mechanisms && !peer_has(peer, EXTENSION_AUTH))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct peer_reply_reader reader;
    struct peer_extensions peer;
    struct peer_reply reply;
    size_t consumed;

    peer_reply_reader_init(&reader);
    while (peer_reply_read(&reader, input, &consumed, &reply) == PEER_REPLY_READY) {
        peer_extensions_read(&reply, &peer);
        check(&peer);
        input = slice_from(input, consumed);
    }
    peer_reply_reader_clear(&reader);
    return 0;
}
