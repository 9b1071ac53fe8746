/* spool/frame.c: heads, checksums and header blocks. All numbers are little-endian.
 *
 * head:  0 magic, 8 generation, 16 id (high, low), 32 kind, 34 version, 36 three part lengths,
 *        48 XXH3-64 of octets 0 to 47 seeded with the generation,
 *        56 XXH3-64 of everything behind the head, padding included, seeded with the octets 48
 * to 55. block: 0 magic, 8 version, 12 zero, 16 generation, 24 size, 32 previous, 40 previous end,
 *        48 from, 56 XXH3-64 of octets 0 to 55 seeded with the generation; zeros to the end. */
#include "spool/frame.h"

#include <assert.h>
#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    CHECKED = 48,       /* octets of a head under its first checksum */
    BLOCK_CHECKED = 56, /* of a header block */
};

static void put_u64(unsigned char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof v);
}

static void put_u32(unsigned char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

static void put_u16(unsigned char *at, uint16_t v)
{
    v = htole16(v);
    memcpy(at, &v, sizeof v);
}

static uint64_t get_u64(const void *bytes, size_t at)
{
    uint64_t v;

    memcpy(&v, (const char *)bytes + at, sizeof v);
    return le64toh(v);
}

static uint32_t get_u32(const void *bytes, size_t at)
{
    uint32_t v;

    memcpy(&v, (const char *)bytes + at, sizeof v);
    return le32toh(v);
}

static uint16_t get_u16(const void *bytes, size_t at)
{
    uint16_t v;

    memcpy(&v, (const char *)bytes + at, sizeof v);
    return le16toh(v);
}

static const unsigned char zeros[FRAME_HEAD];

/* The lengths are below 2^32 each, so nothing here can overflow. */
static uint64_t total_of(const uint32_t part_len[FRAME_PARTS])
{
    uint64_t total = FRAME_HEAD;

    for (int i = 0; i < FRAME_PARTS; i++)
        total += part_len[i];
    return (total + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
}

static bool measure_part(const struct frame_part *part, uint32_t max, uint32_t *out_len)
{
    uint64_t len = 0;

    for (size_t i = 0; i < part->count; i++)
        if (part->pieces[i].len > max || (len += part->pieces[i].len) > max)
            return false;
    *out_len = (uint32_t)len;
    return true;
}

enum err frame_measure(const struct frame_format *format,
    const struct frame_part parts[FRAME_PARTS], uint64_t *out_total)
{
    uint32_t len[FRAME_PARTS];

    for (int i = 0; i < FRAME_PARTS; i++)
        if (!measure_part(&parts[i], format->part_max[i], &len[i]))
            return ERR_LIMIT;
    *out_total = total_of(len);
    return ERR_OK;
}

/* The parts and the padding; the seed is the head's checksum, so one covers the other. */
static uint64_t seal_parts(const struct frame_part parts[FRAME_PARTS], uint64_t seed)
{
    XXH3_state_t state;
    uint64_t len = 0;

    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    for (int i = 0; i < FRAME_PARTS; i++)
        for (size_t p = 0; p < parts[i].count; p++)
            if (parts[i].pieces[p].len > 0) {
                XXH3_64bits_update(&state, parts[i].pieces[p].data, parts[i].pieces[p].len);
                len += parts[i].pieces[p].len;
            }
    XXH3_64bits_update(&state, zeros, -len & (FRAME_ALIGN - 1));
    return XXH3_64bits_digest(&state);
}

void frame_seal(const struct frame_format *format, uint64_t generation, struct queue_id id,
    uint16_t kind, uint16_t version, const struct frame_part parts[FRAME_PARTS],
    unsigned char out_head[FRAME_HEAD])
{
    uint64_t check;

    memcpy(out_head, format->magic, sizeof format->magic);
    put_u64(out_head + 8, generation);
    put_u64(out_head + 16, id.high);
    put_u64(out_head + 24, id.low);
    put_u16(out_head + 32, kind);
    put_u16(out_head + 34, version);
    for (int i = 0; i < FRAME_PARTS; i++) {
        uint32_t len = 0;
        bool fits = measure_part(&parts[i], format->part_max[i], &len);
        assert(fits);
        (void)fits;
        put_u32(out_head + 36 + 4 * i, len);
    }
    check = XXH3_64bits_withSeed(out_head, CHECKED, generation);
    put_u64(out_head + 48, check);
    put_u64(out_head + 56, seal_parts(parts, check));
}

uint64_t frame_reseal(const struct frame_format *format, uint64_t generation, char *frame)
{
    unsigned char *head = (unsigned char *)frame;
    uint32_t len[FRAME_PARTS];
    uint64_t check, total;

    for (int i = 0; i < FRAME_PARTS; i++)
        len[i] = get_u32(head, 36 + 4 * (size_t)i);
    total = total_of(len);
    memcpy(head, format->magic, sizeof format->magic);
    put_u64(head + 8, generation);
    check = XXH3_64bits_withSeed(head, CHECKED, generation);
    put_u64(head + 48, check);
    put_u64(head + 56, XXH3_64bits_withSeed(head + FRAME_HEAD, total - FRAME_HEAD, check));
    return total;
}

void frame_mark(char *frame, bool is_first)
{
    uint16_t version = get_u16(frame, 34);

    put_u16((unsigned char *)frame + 34,
        (uint16_t)(is_first ? version | FRAME_FIRST : version & ~FRAME_FIRST));
}

uint16_t frame_kind(const char *frame)
{
    return get_u16(frame, 32);
}

/* What a head that is not ours is: untouched, somebody else's, or broken. */
static enum frame_result stranger(const struct frame_format *format, const char *head)
{
    uint64_t generation = get_u64(head, 8);

    if (memcmp(head, zeros, FRAME_HEAD) == 0)
        return FRAME_END;
    if (memcmp(head, format->magic, sizeof format->magic) == 0 &&
        get_u64(head, 48) == XXH3_64bits_withSeed(head, CHECKED, generation))
        return FRAME_FOREIGN;
    return FRAME_NO_HEAD;
}

static bool is_head(const struct frame_format *format, uint64_t generation, const char *head)
{
    return memcmp(head, format->magic, sizeof format->magic) == 0 &&
           get_u64(head, 8) == generation &&
           get_u64(head, 48) == XXH3_64bits_withSeed(head, CHECKED, generation);
}

enum frame_result frame_parse(const struct frame_format *format, uint64_t generation,
    struct slice bytes, struct frame *out_frame)
{
    struct frame frame = { .total = FRAME_HEAD };
    uint32_t len[FRAME_PARTS];
    size_t at = FRAME_HEAD;

    if (bytes.len < FRAME_HEAD) {
        *out_frame = frame;
        return FRAME_SHORT;
    }
    if (!is_head(format, generation, bytes.data))
        return stranger(format, bytes.data);
    frame.id = (struct queue_id){ get_u64(bytes.data, 16), get_u64(bytes.data, 24) };
    frame.kind = get_u16(bytes.data, 32);
    frame.version = get_u16(bytes.data, 34) & (FRAME_FIRST - 1);
    frame.is_first = (get_u16(bytes.data, 34) & FRAME_FIRST) != 0;
    for (int i = 0; i < FRAME_PARTS; i++) {
        len[i] = get_u32(bytes.data, 36 + 4 * (size_t)i);
        if (len[i] > format->part_max[i])
            return FRAME_NO_HEAD;
    }
    frame.total = total_of(len);
    *out_frame = frame;
    if (bytes.len < frame.total)
        return FRAME_SHORT;
    if (get_u64(bytes.data, 56) != XXH3_64bits_withSeed(bytes.data + FRAME_HEAD,
                                       frame.total - FRAME_HEAD, get_u64(bytes.data, 48)))
        return FRAME_NO_BODY;
    for (int i = 0; i < FRAME_PARTS; i++) {
        frame.parts[i] = slice_of(bytes.data + at, len[i]);
        at += len[i];
    }
    *out_frame = frame;
    return FRAME_GOOD;
}

void file_head_write(const struct frame_format *format, const struct file_head *head,
    unsigned char out_block[FILE_HEAD])
{
    memset(out_block, 0, FILE_HEAD);
    memcpy(out_block, format->file_magic, sizeof format->file_magic);
    put_u32(out_block + 8, FILE_VERSION);
    put_u64(out_block + 16, head->generation);
    put_u64(out_block + 24, head->size);
    put_u64(out_block + 32, head->previous);
    put_u64(out_block + 40, head->previous_end);
    put_u64(out_block + 48, head->from);
    put_u64(out_block + BLOCK_CHECKED,
        XXH3_64bits_withSeed(out_block, BLOCK_CHECKED, head->generation));
}

enum err file_head_read(const struct frame_format *format, const unsigned char block[FILE_HEAD],
    struct file_head *out_head)
{
    uint64_t generation = get_u64(block, 16);

    if (memcmp(block, format->file_magic, sizeof format->file_magic) != 0 ||
        get_u64(block, BLOCK_CHECKED) != XXH3_64bits_withSeed(block, BLOCK_CHECKED, generation))
        return ERR_CORRUPT;
    if (get_u32(block, 8) != FILE_VERSION)
        return ERR_INVALID;
    *out_head = (struct file_head){
        .generation = generation,
        .size = get_u64(block, 24),
        .previous = get_u64(block, 32),
        .previous_end = get_u64(block, 40),
        .from = get_u64(block, 48),
    };
    return ERR_OK;
}
