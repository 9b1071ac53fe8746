/* base/queue_id.c: making, deriving and showing queue ids. */
#include "base/queue_id.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"

static const char digits[] =
    "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's base 32: no I, L, O, U */

struct queue_id queue_id_new(void)
{
    uint64_t ms = (uint64_t)clock_wall_us() / 1000;
    struct {
        uint64_t low;
        uint16_t high;
    } random;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        abort();
    return (struct queue_id){ .high = ms << 16 | random.high, .low = random.low };
}

struct queue_id queue_id_derive(struct queue_id about, uint8_t kind, struct slice recipients)
{
    unsigned char head[17];
    XXH128_hash_t hash;

    memcpy(head, &about.high, 8);
    memcpy(head + 8, &about.low, 8);
    head[16] = kind;
    hash = XXH3_128bits_withSeed(recipients.data, recipients.len, XXH3_64bits(head, sizeof head));
    /* The time of the message stays in front, so ids still sort by age. */
    return (struct queue_id){ .high = (about.high & ~UINT64_C(0xffff)) | (hash.high64 & 0xffff),
        .low = hash.low64 };
}

void queue_id_format(struct queue_id id, char out_text[QUEUE_ID_TEXT + 1])
{
    unsigned __int128 v = (unsigned __int128)id.high << 64 | id.low;

    for (int i = QUEUE_ID_TEXT - 1; i >= 0; i--) {
        out_text[i] = digits[(unsigned)(v & 31)];
        v >>= 5;
    }
    out_text[QUEUE_ID_TEXT] = '\0';
}

bool queue_id_parse(struct slice text, struct queue_id *out_id)
{
    unsigned __int128 v = 0;

    /* 26 digits of 5 bits hold 130: the first may only be 0 to 7. */
    if (text.len != QUEUE_ID_TEXT || text.data[0] < '0' || text.data[0] > '7')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c =
            text.data[i] >= 'a' && text.data[i] <= 'z' ? (char)(text.data[i] - 32) : text.data[i];
        const char *at = c ? strchr(digits, c) : NULL;
        if (!at)
            return false;
        v = v << 5 | (unsigned)(at - digits);
    }
    *out_id = (struct queue_id){ .high = (uint64_t)(v >> 64), .low = (uint64_t)v };
    return true;
}
