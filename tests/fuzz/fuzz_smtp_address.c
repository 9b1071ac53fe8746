/* tests/fuzz/fuzz_smtp_address.c: mailboxes, domains and xtext: canonical forms are stable. */
#include <stdlib.h>

#include "smtp/address.h"
#include "smtp/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mailbox(struct arena *arena, struct slice text)
{
    struct address address, again;
    struct buffer written;
    size_t at;

    if (mailbox_parse(arena, text, &address, &at) != ADDRESS_OK) {
        if (at > text.len)
            abort();
        return;
    }
    buffer_init(&written, 4096);
    address_write(&written, &address);
    if (mailbox_parse(arena, buffer_slice(&written), &again, &at) != ADDRESS_OK)
        abort();
    if (!slice_equals(address.local, again.local) || !slice_equals(address.domain, again.domain))
        abort();
    buffer_clear(&written);
}

static void check_domain(struct slice text)
{
    struct buffer ascii, back;
    size_t at;

    buffer_init(&ascii, 4096);
    buffer_init(&back, 4096);
    if (domain_check(text, &at) == ADDRESS_OK) {
        if (!domain_to_ascii(&ascii, text) || !domain_to_ascii(&back, buffer_slice(&ascii)))
            abort();
        if (!slice_equals(buffer_slice(&ascii), buffer_slice(&back)))
            abort();
        if (!domain_equals(text, buffer_slice(&ascii)))
            abort();
    }
    buffer_clear(&ascii);
    buffer_clear(&back);
}

static void check_xtext(struct slice text)
{
    struct buffer decoded;

    buffer_init(&decoded, 1 << 22);
    if (!xtext_decode(&decoded, text, true) ? decoded.len > 0 : decoded.len > text.len)
        abort();
    buffer_clear(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct arena arena;

    arena_init(&arena, 1 << 20);
    check_mailbox(&arena, text);
    check_domain(text);
    check_xtext(text);
    arena_clear(&arena);
    return 0;
}
