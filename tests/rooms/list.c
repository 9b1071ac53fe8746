/* tests/rooms/list.c: what the tests of the rooms want to know of the program's own tables, so that
 * they repeat none of them: the messages, the plan of the rooms, a configuration as a snapshot.
 *
 *   rooms_list messages | plan | attempts        JSON on standard output
 *   rooms_list snapshot FILE NUMBER              conf_pack's octets on standard output */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempts.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "conf/conf.h"
#include "ipc/messages.h"
#include "supervisor/plan.h"

enum { CONF_MEMORY = 64 << 20 };

static const char *const kinds[] = {
    [FIELD_U8] = "u8",
    [FIELD_U16] = "u16",
    [FIELD_U32] = "u32",
    [FIELD_U64] = "u64",
    [FIELD_I64] = "i64",
    [FIELD_BOOL] = "bool",
    [FIELD_ENUM] = "enum",
    [FIELD_BYTES] = "bytes",
    [FIELD_LIST] = "list",
    [FIELD_SHAPE] = "shape",
};

static json_t *fields_of(const struct shape *shape)
{
    json_t *fields = json_array();

    for (size_t i = 0; i < shape->field_count; i++) {
        const struct field *f = &shape->fields[i];
        json_t *row = json_pack(
            "{s:s, s:s, s:I}", "name", f->name, "kind", kinds[f->kind], "max", (json_int_t)f->max);

        if (f->of)
            json_object_set_new(row, "of", fields_of(f->of));
        json_array_append_new(fields, row);
    }
    return fields;
}

static json_t *roles_of(unsigned bits)
{
    json_t *roles = json_array();

    for (int role = 0; role < ROLE_COUNT; role++)
        if (bits & 1u << role)
            json_array_append_new(roles, json_string(role_name((enum role)role)));
    return roles;
}

static json_t *messages(void)
{
    json_t *rows = json_array();

    for (unsigned type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        const struct message_row *m = message_row(type);

        json_array_append_new(
            rows, json_pack("{s:i, s:s, s:o, s:o, s:i, s:i, s:o}", "type", (int)type, "name",
                      m->name, "from", roles_of(m->from), "to", roles_of(m->to), "fds_min",
                      (int)m->fds_min, "fds_max", (int)m->fds_max, "fields", fields_of(m->shape)));
    }
    return rows;
}

/* In the order of enum gift. */
static const char *const gifts[] = { "listener", "control", "spool", "lock", "counters", "key",
    "users", "password", "maildir", "roots", "mistakes", "fetch_roots", "fetch_secret",
    "imap_roots" };
_Static_assert(LENGTH_OF(gifts) == GIFT_IMAP_ROOTS + 1, "a name for each gift");

static json_t *plan(void)
{
    json_t *rooms = json_object(), *pairs = json_array(), *names = json_array();

    for (size_t i = 0; i < room_plan_count; i++) {
        json_t *given = json_array();

        for (size_t g = 0; g < LENGTH_OF(gifts); g++)
            if (room_plans[i].gifts & 1u << g)
                json_array_append_new(given, json_string(gifts[g]));
        json_object_set_new(rooms, role_name(room_plans[i].role), given);
    }
    for (size_t i = 0; i < pair_plan_count; i++)
        json_array_append_new(pairs,
            json_pack("[s, s]", role_name(pair_plans[i].one), role_name(pair_plans[i].other)));
    for (size_t g = 0; g < LENGTH_OF(gifts); g++)
        json_array_append_new(names, json_string(gifts[g]));
    return json_pack("{s:o, s:o, s:o}", "gifts", rooms, "pairs", pairs, "names", names);
}

static json_t *attempts(void)
{
    const struct attempt_table *const tables[] = { &attempts_files, &attempts_network,
        &attempts_processes, &attempts_kernel };
    json_t *rows = json_array();

    for (size_t i = 0; i < LENGTH_OF(tables); i++)
        for (size_t n = 0; n < tables[i]->count; n++)
            json_array_append_new(rows, json_pack("{s:s, s:o}", "name", tables[i]->rows[n].name,
                                            "lawful", roles_of(tables[i]->rows[n].lawful)));
    return rows;
}

static int snapshot(const char *path, const char *number)
{
    struct conf_error why = { 0 };
    struct arena arena;
    struct buffer packed;
    struct conf *conf;
    size_t written = 0;

    arena_init(&arena, CONF_MEMORY);
    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    if (conf_load(path, &arena, &conf, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    conf->number = strtoull(number, NULL, 10);
    conf_pack(conf, &packed);
    if (packed.error == ERR_OK)
        written = fwrite(buffer_slice(&packed).data, 1, packed.len, stdout);
    arena_clear(&arena);
    buffer_clear(&packed);
    return written > 0 ? 0 : 1;
}

const char *target_text(enum target target UNUSED)
{
    return "";
}

long target_number(enum target target UNUSED)
{
    return 0;
}

pid_t target_supervisor(void)
{
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        json_t *(*list)(void);
    } lists[] = { { "messages", messages }, { "plan", plan }, { "attempts", attempts } };

    if (argc == 4 && strcmp(argv[1], "snapshot") == 0)
        return snapshot(argv[2], argv[3]);
    for (size_t i = 0; argc == 2 && i < LENGTH_OF(lists); i++)
        if (strcmp(argv[1], lists[i].name) == 0) {
            json_t *list = lists[i].list();

            json_dumpf(list, stdout, JSON_INDENT(1));
            json_decref(list);
            return 0;
        }
    fprintf(stderr, "usage: rooms_list messages | plan | attempts | snapshot FILE NUMBER\n");
    return 64;
}
