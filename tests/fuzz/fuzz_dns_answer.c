/* DNS answers: any packet, asked for MX, A or TXT of a fixed name. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_MX, DNS_A, DNS_AAAA, DNS_TXT };

    for (size_t i = 0; i < LENGTH_OF(types); i++) {
        struct dns_answer answer;
        struct arena arena;

        arena_init(&arena, 256 << 10);
        if (dns_answer_parse(slice_of(data, size), slice_text("example.org"), types[i], &arena,
                &answer) == ERR_OK)
            for (size_t r = 0; r < answer.record_count; r++)
                if (answer.records[r].name.len > DNS_NAME_TEXT ||
                    (types[i] == DNS_A && answer.records[r].data.len != 4))
                    abort();
        arena_clear(&arena);
    }
    return 0;
}
