/* tests/fuzz/fuzz_tls_sign.c: what a gate may have signed has one of two forms, whatever it sends.
 */
#include <stdlib.h>

#include "net/tls_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (tls_sign_input_is_handshake(slice_of(data, size)) &&
        (size < 64 + 4 + 32 || size > 64 + 4 + 133))
        abort();
    return 0;
}
