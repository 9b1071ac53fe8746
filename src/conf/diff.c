/* conf/diff.c: what has changed between two configurations, from the option table, and what of it
 * must wait for a restart. */
#include <string.h>

#include "conf/conf.h"
#include "conf/options.h"

/* One difference. option NULL: the whole section came (old NULL) or went (fresh NULL). */
struct change {
    enum section_id section;
    struct slice title;
    const struct option *option;
    const char *old;
    char *fresh;
};

struct comparison {
    void (*found)(void *owner, const struct change *change);
    void *owner;
};

static size_t list_count(const struct option *option, const char *object)
{
    return *(const size_t *)(const void *)(object + option->count_offset);
}

static const char *list_elements(const struct option *option, const char *object)
{
    return *(const char *const *)(const void *)(object + option->offset);
}

static bool is_same_element(const struct option *option, const void *a, const void *b)
{
    if (option->kind == OPTION_NUMBERS)
        return *(const uint64_t *)a == *(const uint64_t *)b;
    return slice_equals(*(const struct slice *)a, *(const struct slice *)b);
}

static bool is_same_list(const struct option *option, const char *a, const char *b)
{
    size_t count = list_count(option, a);

    if (count != list_count(option, b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_same_element(option, list_elements(option, a) + i * option->element_size,
                list_elements(option, b) + i * option->element_size))
            return false;
    return true;
}

static bool is_same(const struct option *option, const char *a, const char *b)
{
    const void *at = a + option->offset;
    const void *bt = b + option->offset;

    switch (option->kind) {
    case OPTION_NUMBER:
        return *(const uint64_t *)at == *(const uint64_t *)bt;
    case OPTION_PORT:
        return *(const uint16_t *)at == *(const uint16_t *)bt;
    case OPTION_BOOL:
        return *(const bool *)at == *(const bool *)bt;
    case OPTION_CHOICE:
        return *(const unsigned *)at == *(const unsigned *)bt;
    case OPTION_TEXT:
        return slice_equals(*(const struct slice *)at, *(const struct slice *)bt);
    case OPTION_NUMBERS:
    case OPTION_TEXTS:
        return is_same_list(option, a, b);
    default:
        return true;
    }
}

static void compare(const struct comparison *c, enum section_id id, struct slice title,
    const char *old, char *fresh);

static struct slice title_of(const struct section *row, const char *object)
{
    return row->title ? *(const struct slice *)(const void *)(object + row->title_offset)
                      : slice_of(NULL, 0);
}

/* The section of that title in the parent's list, or NULL. */
static char *find_titled(const struct section *row, const char *parent, struct slice title)
{
    size_t count = *(const size_t *)(const void *)(parent + row->count_offset);
    char *objects = *(char *const *)(const void *)(parent + row->offset);

    for (size_t i = 0; i < count; i++)
        if (slice_equals(title_of(row, objects + i * row->size), title))
            return objects + i * row->size;
    return NULL;
}

static void compare_many(
    const struct comparison *c, enum section_id id, const char *old, char *fresh)
{
    const struct section *row = &sections[id];
    size_t old_count = *(const size_t *)(const void *)(old + row->count_offset);
    size_t fresh_count = *(const size_t *)(const void *)(fresh + row->count_offset);
    const char *old_objects = *(const char *const *)(const void *)(old + row->offset);
    char *fresh_objects = *(char *const *)(void *)(fresh + row->offset);

    for (size_t i = 0; i < old_count; i++) {
        const char *object = old_objects + i * row->size;
        struct slice title = title_of(row, object);
        char *twin = find_titled(row, fresh, title);
        if (twin)
            compare(c, id, title, object, twin);
        else
            c->found(c->owner, &(struct change){ id, title, NULL, object, NULL });
    }
    for (size_t i = 0; i < fresh_count; i++) {
        char *object = fresh_objects + i * row->size;
        struct slice title = title_of(row, object);
        if (!find_titled(row, old, title))
            c->found(c->owner, &(struct change){ id, title, NULL, NULL, object });
    }
}

static void compare(const struct comparison *c, enum section_id id, struct slice title,
    const char *old, char *fresh)
{
    struct option_range range = option_range(id);

    for (size_t i = 0; i < range.count; i++) {
        const struct option *option = &options[range.first + i];
        if (!is_same(option, old, fresh))
            c->found(c->owner, &(struct change){ id, title, option, old, fresh });
    }
    for (size_t i = 1; i < SECTION_COUNT; i++) {
        const struct section *row = &sections[i];
        if (row->parent != id || row->size == 0)
            continue;
        if (row->count_offset > 0)
            compare_many(c, (enum section_id)i, old, fresh);
        else
            compare(c, (enum section_id)i, title_of(row, old + row->offset), old + row->offset,
                fresh + row->offset);
    }
}

static bool waits_for_restart(const struct change *change)
{
    return change->option ? change->option->restart : change->section == SECTION_LISTENER;
}

/* "state", "queue retry", "listener "submission" address", "route "*"". */
static void put_name(struct buffer *out, const struct change *change)
{
    const struct section *row = &sections[change->section];

    buffer_put_text(out, row->name);
    if (row->title)
        buffer_printf(out, " \"%.*s\"", SLICE_ARGS(change->title));
    if (change->option)
        buffer_printf(out, "%s%s", row->name[0] ? " " : "", change->option->name);
}

struct listing {
    struct buffer *out;
    size_t count;
};

static void list_change(void *owner, const struct change *change)
{
    struct listing *listing = owner;

    put_name(listing->out, change);
    if (!change->option)
        buffer_put_text(listing->out, change->old ? " removed" : " added");
    buffer_put_text(listing->out, waits_for_restart(change) ? " (restart)\n" : "\n");
    listing->count++;
}

size_t conf_diff(const struct conf *old, const struct conf *fresh, struct buffer *out_lines)
{
    struct listing listing = { out_lines, 0 };
    struct comparison c = { list_change, &listing };

    /* Nothing is written through the second object here; only conf_adopt's comparison does. */
    compare(&c, SECTION_TOP, slice_of(NULL, 0), (const char *)old, (char *)(uintptr_t)fresh);
    return listing.count;
}

enum { PENDING_SHOWN = 256 };

struct adoption {
    struct arena *arena;
    struct conf_text *pending;
    size_t count;
    bool failed;
};

static bool keep_texts(
    struct arena *arena, const struct option *option, const struct change *change)
{
    size_t count = list_count(option, change->old);
    char *elements = count ? arena_array(arena, count, option->element_size) : NULL;

    if (count > 0 && !elements)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *from = list_elements(option, change->old) + i * option->element_size;
        char *to = elements + i * option->element_size;
        memcpy(to, from, option->element_size);
        if (!arena_copy(
                arena, *(const struct slice *)(const void *)from, (struct slice *)(void *)to))
            return false;
    }
    *(char **)(void *)(change->fresh + option->offset) = elements;
    *(size_t *)(void *)(change->fresh + option->count_offset) = count;
    return true;
}

/* Of a value that is copied as it is. */
static size_t value_size(enum option_kind kind)
{
    switch (kind) {
    case OPTION_PORT:
        return sizeof(uint16_t);
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_CHOICE:
        return sizeof(unsigned);
    default:
        return sizeof(uint64_t);
    }
}

/* Puts the running value into the fresh configuration. Options that wait for a restart are no lists
 * of numbers. */
static bool keep_value(struct arena *arena, const struct change *change)
{
    const struct option *option = change->option;
    const void *from = change->old + option->offset;
    void *to = change->fresh + option->offset;

    if (option->kind == OPTION_TEXTS)
        return keep_texts(arena, option, change);
    if (option->kind == OPTION_TEXT)
        return arena_copy(arena, *(const struct slice *)from, to);
    memcpy(to, from, value_size(option->kind));
    return true;
}

static void adopt_change(void *owner, const struct change *change)
{
    struct adoption *adoption = owner;
    struct buffer name;

    if (!waits_for_restart(change) || adoption->failed)
        return;
    buffer_init(&name, 4096);
    put_name(&name, change);
    if (adoption->count < PENDING_SHOWN)
        adoption->failed = name.error != ERR_OK || !arena_copy(adoption->arena, buffer_slice(&name),
                                                       &adoption->pending[adoption->count++].text);
    buffer_clear(&name);
    /* A listener's address is kept with what was derived from it, see adopt_listeners. */
    if (!adoption->failed && change->option && change->section != SECTION_LISTENER)
        adoption->failed = !keep_value(adoption->arena, change);
}

/* The sockets are bound: the same listeners in the same order and at the same addresses, with what
 * else is said of them. */
static bool adopt_listeners(const struct conf *running, struct arena *arena, struct conf *fresh)
{
    struct conf_listener *list = arena_array(arena, running->listener_count, sizeof *list);

    if (!list)
        return false;
    for (size_t i = 0; i < running->listener_count; i++) {
        const struct conf_listener *old = &running->listeners[i];
        const void *twin = find_titled(&sections[SECTION_LISTENER], (const char *)fresh, old->name);

        list[i] = twin ? *(const struct conf_listener *)twin : *old;
        list[i].port = old->port;
        if (!arena_copy(arena, old->name, &list[i].name) ||
            !arena_copy(arena, old->address, &list[i].address) ||
            !arena_copy(arena, old->host, &list[i].host))
            return false;
    }
    fresh->listeners = list;
    fresh->listener_count = running->listener_count;
    return true;
}

enum err conf_adopt(const struct conf *running, struct arena *arena, struct conf *fresh)
{
    struct adoption adoption = { .arena = arena };
    struct comparison c = { adopt_change, &adoption };

    adoption.pending = arena_array(arena, PENDING_SHOWN, sizeof *adoption.pending);
    if (!adoption.pending)
        return ERR_NOMEM;
    compare(&c, SECTION_TOP, slice_of(NULL, 0), (const char *)running, (char *)fresh);
    if (adoption.failed || !adopt_listeners(running, arena, fresh))
        return ERR_NOMEM;
    fresh->pending = adoption.pending;
    fresh->pending_count = adoption.count;
    return ERR_OK;
}
