/* spool/store_name.c: the names of files: made of numbers only, read back strictly. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spool/store.h"

static const char *const suffixes[STORE_KINDS] = {
    [STORE_SEGMENT] = ".seg",
    [STORE_BODY] = ".body",
    [STORE_JOURNAL] = ".jnl",
    [STORE_PARTIAL] = ".part",
};

static const char digits[] = "0123456789abcdef";

void store_name(enum store_kind kind, uint64_t number, char out_name[STORE_NAME])
{
    snprintf(out_name, STORE_NAME, "%016" PRIx64 "%s", number, suffixes[kind]);
}

bool store_parse_name(enum store_kind kind, const char *name, uint64_t *out_number)
{
    uint64_t number = 0;

    for (int i = 0; i < 16; i++) {
        const char *digit = name[i] ? strchr(digits, name[i]) : NULL;
        if (!digit)
            return false;
        number = number << 4 | (uint64_t)(digit - digits);
    }
    if (number == 0 || strcmp(name + 16, suffixes[kind]) != 0)
        return false;
    *out_number = number;
    return true;
}
