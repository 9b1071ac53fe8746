/* tests/fuzz/fuzz_smtp_address.c: mailboxes and domains: canonical forms are stable, conversions
 * agree. */
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
    if (!address_equals(&address, &again) || !slice_equals(address.domain, again.domain))
        abort();
    buffer_reset(&written);
    if (address_write_ascii(&written, &address)) {
        if (!text_is_ascii(buffer_slice(&written)))
            abort();
        if (mailbox_parse(arena, buffer_slice(&written), &again, &at) == ADDRESS_OK &&
            !address_equals(&address, &again))
            abort();
    }
    buffer_clear(&written);
}

static void check_domain(struct slice text)
{
    struct buffer ascii, unicode, back;
    size_t at;

    buffer_init(&ascii, 4096);
    buffer_init(&unicode, 4096);
    buffer_init(&back, 4096);
    if (domain_check(text, &at) == ADDRESS_OK) {
        if (!domain_to_ascii(&ascii, text) || !domain_to_unicode(&unicode, text))
            abort();
        if (!domain_to_ascii(&back, buffer_slice(&unicode)))
            abort();
        if (!slice_equals(buffer_slice(&ascii), buffer_slice(&back)))
            abort();
        if (!domain_equals(text, buffer_slice(&unicode)))
            abort();
    }
    buffer_clear(&ascii);
    buffer_clear(&unicode);
    buffer_clear(&back);
}

static void check_xtext(struct slice text)
{
    struct buffer coded, decoded;

    buffer_init(&coded, 1 << 22);
    buffer_init(&decoded, 1 << 22);
    if (xtext_decode(&decoded, text, true)) {
        xtext_encode(&coded, buffer_slice(&decoded));
        buffer_reset(&decoded);
        if (!xtext_decode(&decoded, buffer_slice(&coded), false))
            abort();
    }
    buffer_clear(&coded);
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
