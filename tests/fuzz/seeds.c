/* tests/fuzz/seeds.c: seeds of the packed formats, for seeds.py: every message of the table, filled
 * in two ways, alone and as frames on each channel; configurations as snapshots; envelopes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "fuzz.h"
#include "ipc/messages.h"
#include "spool/envelope.h"
#include "spool/partial.h"
#include "unit/conf/full.h"

static const char *out_folder;

static void save(const char *target, const char *name, struct slice seed)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", out_folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", out_folder, target, name);
    file = fopen(path, "wb");
    REQUIRE(file && fwrite(seed.data, 1, seed.len, file) == seed.len && fclose(file) == 0);
}

/* Gives every field something, lists two elements. */
static void fill(const struct shape *shape, struct arena *arena, unsigned how, char *to)
{
    static const struct slice texts[] = { SLICE_LITERAL("text"), SLICE_LITERAL("") };

    for (size_t i = 0; i < shape->field_count; i++) {
        const struct field *field = &shape->fields[i];
        char *at = to + field->offset;

        if (field->kind == FIELD_BYTES) {
            *(struct slice *)(void *)at = texts[how];
        } else if (field->kind == FIELD_SHAPE) {
            fill(field->of, arena, how, at);
        } else if (field->kind == FIELD_LIST && how == 0) {
            char *elements = arena_array(arena, 2, field->of->size);

            fill(field->of, arena, how, elements);
            fill(field->of, arena, how, elements + field->of->size);
            *(char **)(void *)at = elements;
            *(size_t *)(void *)(to + field->count_offset) = 2;
        } else if (field->kind != FIELD_LIST) {
            *at = 1; /* little-endian, of whatever width */
        }
    }
}

static void put_frame(struct buffer *out, const struct message_row *row, struct slice packed)
{
    buffer_put_u32(out, (uint32_t)packed.len);
    buffer_put_u32(out, (uint32_t)row->type | (uint32_t)row->fds_min << 16);
    buffer_put_slice(out, packed);
}

/* The pairs of fuzz_ipc_channel.c are tried one after the other: wrong ones are seeds, too. */
static void save_frames(const struct message_row *row, struct slice packed, unsigned how)
{
    for (unsigned who = 0; who < 15; who++) {
        struct buffer seed;
        char name[64];

        buffer_init(&seed, 1 << 16);
        buffer_put_u8(&seed, (uint8_t)who);
        buffer_put_u8(&seed, 0);
        buffer_put_u8(&seed, 7);
        put_frame(&seed, row, packed);
        put_frame(&seed, row, packed);
        snprintf(name, sizeof name, "%s-%u-%u", row->name, who, how);
        save("ipc_channel", name, buffer_slice(&seed));
        buffer_clear(&seed);
    }
}

static void save_messages(unsigned how)
{
    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const struct message_row *row = message_row(type);
        struct buffer seed;
        struct arena arena;
        char name[64];
        char *message;

        arena_init(&arena, 1 << 20);
        buffer_init(&seed, 1 << 16);
        message = arena_alloc(&arena, row->shape->size);
        memset(message, 0, row->shape->size);
        fill(row->shape, &arena, how, message);
        buffer_put_u8(&seed, (uint8_t)type);
        pack(&seed, row->shape, message);
        REQUIRE(seed.error == ERR_OK);
        snprintf(name, sizeof name, "%s-%u", row->name, how);
        save("ipc_message", name, buffer_slice(&seed));
        save_frames(row, slice_from(buffer_slice(&seed), 1), how);
        buffer_clear(&seed);
        arena_clear(&arena);
    }
}

static void save_snapshot(const char *name, const char *text)
{
    struct conf_error error = { "" };
    struct conf *conf = NULL;
    struct buffer seed;
    struct arena arena;

    arena_init(&arena, 4 << 20);
    buffer_init(&seed, 1 << 20);
    if (conf_parse("seed", slice_text(text), &arena, &conf, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    conf_pack(conf, &seed);
    save("conf_snapshot", name, buffer_slice(&seed));
    buffer_clear(&seed);
    arena_clear(&arena);
}

static void save_envelopes(void)
{
    struct envelope_recipient recipients[2] = { { SLICE_LITERAL("bob@example.org"), 0 },
        { SLICE_LITERAL("eve@example.net"), MAILBOX_UTF8 } };
    struct envelope envelope = { .sender = SLICE_LITERAL("alice@example.net"),
        .recipients = recipients,
        .user = SLICE_LITERAL("alice"),
        .arrival_us = 1,
        .body_file = 1,
        .ret = ENVELOPE_RETURN_HEADERS,
        .envid = SLICE_LITERAL("QQ+2B314159"),
        .require_tls = true,
        .by = ENVELOPE_BY_NOTIFY,
        .by_trace = true,
        .by_seconds = 900,
        .priority = ENVELOPE_PRIORITY_ZERO + 4,
        .mtrk_certifier = SLICE_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        .mtrk_timeout = 86400,
        .solicit = SLICE_LITERAL("net.example:ADV"),
        .conperm = true,
        .hold = ENVELOPE_HOLD_FOR,
        .hold_value = 60 };

    recipients[1].notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY;
    recipients[1].orcpt = slice_text("rfc822;eve+2Bx@example.net");
    recipients[1].rrvs = ENVELOPE_RRVS_REJECT;
    recipients[1].rrvs_since = 1714521600;
    for (envelope.recipient_count = 1; envelope.recipient_count <= 2; envelope.recipient_count++) {
        struct buffer seed;

        buffer_init(&seed, 1 << 16);
        REQUIRE(envelope_pack(&seed, &envelope) == ERR_OK);
        save("spool_envelope", envelope.recipient_count == 1 ? "one" : "two", buffer_slice(&seed));
        buffer_clear(&seed);
    }
}

/* Part 0 alone, behind a number: the target seals it. */
static void save_partials(void)
{
    struct envelope_recipient bob = { .address = SLICE_LITERAL("bob@example.org") };
    struct partial_state state = { .user = SLICE_LITERAL("alice"),
        .ehlo = SLICE_LITERAL("client.example"),
        .transid = SLICE_LITERAL("<1@c.example>"),
        .mail = SLICE_LITERAL("FROM:<a@b.example> TRANSID=<1@c.example>"),
        .recipients = &bob,
        .recipient_count = 1 };

    for (int i = 0; i < 2; i++) {
        struct buffer seed;

        buffer_init(&seed, 1 << 16);
        buffer_put_u64(&seed, 42);
        state.is_complete = i == 1;
        state.octets = i == 1 ? 6135 : 1000 + 49; /* the front: a quarter of what is packed */
        state.body_file = state.body_octets = state.body_size = i == 1 ? 0 : 1000;
        pack(&seed, &partial_state_shape, &state);
        REQUIRE(seed.error == ERR_OK);
        save("spool_partial", i == 1 ? "complete" : "cut", buffer_slice(&seed));
        buffer_clear(&seed);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 64;
    out_folder = argv[1];
    save_messages(0);
    save_messages(1);
    save_snapshot("full", FULL_TOP FULL_LISTENERS FULL_REST);
    save_envelopes();
    save_partials();
    return 0;
}
