/* A sender pattern and an address, split at the first LF: no pattern but "*" covers addresses of
 * two domains. */
#include <assert.h>

#include "policy/rights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct slice pattern = slice_first(input, slice_find(input, '\n'));
    struct slice address = slice_from(input, pattern.len + 1);
    struct sender senders[] = { { pattern } };
    struct grant grant = { .user = pattern, .senders = senders, .sender_count = 1 };
    bool matches = rights_pattern_matches(pattern, address);

    assert(!matches || slice_find(address, '@') < address.len);
    assert(!matches || rights_sender(&grant, address) == RIGHTS_ALLOWED);
    if (matches && !slice_is(pattern, "*")) {
        char other[2048];
        size_t at = slice_find_last(address, '@');
        if (address.len + 2 < sizeof other) {
            memcpy(other, address.data, at + 1);
            memcpy(other + at + 1, "z.", 2);
            memcpy(other + at + 3, address.data + at + 1, address.len - at - 1);
            assert(!rights_pattern_matches(pattern, slice_of(other, address.len + 2)));
        }
    }
    return 0;
}
