/* tests/power/model.c: see model.h. */
#include "model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

/* An operation whose effect is uncertain. */
struct doubt {
    const struct event *event;
    size_t begun;
    size_t returned; /* 0: still under way */
    unsigned node;   /* the one named, for changes of names */
    bool is_doomed;  /* a sync that should have covered it has failed */
};

struct place {
    bool is_dir;
    struct content *content; /* certain; NULL: a folder, or gone for certain */
    struct folder folder;    /* certain */
    struct doubt *doubts;
    size_t count, room;
};

struct model {
    struct place *places; /* by node */
    size_t place_count, place_room;
    size_t uncertain;
};

static struct place *place_at(struct model *model, unsigned node)
{
    while (model->place_count <= node) {
        model->places = power_grow(
            model->places, &model->place_room, model->place_count, sizeof *model->places);
        model->places[model->place_count++] = (struct place){ 0 };
    }
    return &model->places[node];
}

struct model *model_new(const struct memory_disk *disk)
{
    struct model *model = power_alloc(sizeof *model);

    for (size_t i = 0; i < disk->node_count; i++) {
        const struct node *node = &disk->nodes[i];
        struct place *place = place_at(model, (unsigned)i);
        place->is_dir = node->is_dir;
        place->content = node->content ? content_share(node->content) : NULL;
        folder_copy(&place->folder, &node->folder);
    }
    return model;
}

void model_free(struct model **at)
{
    struct model *model = *at;

    *at = NULL;
    if (!model)
        return;
    for (size_t i = 0; i < model->place_count; i++) {
        content_drop(&model->places[i].content);
        folder_clear(&model->places[i].folder);
        free(model->places[i].doubts);
    }
    free(model->places);
    free(model);
}

size_t model_uncertain(const struct model *model)
{
    return model->uncertain;
}

/* ---- doubts ---- */

static void doubt_add(struct model *model, unsigned node, struct doubt doubt)
{
    struct place *place = place_at(model, node);

    place->doubts = power_grow(place->doubts, &place->room, place->count, sizeof *place->doubts);
    place->doubts[place->count++] = doubt;
    model->uncertain++;
}

static void doubt_remove(struct model *model, struct place *place, size_t index)
{
    memmove(place->doubts + index, place->doubts + index + 1,
        (place->count - index - 1) * sizeof *place->doubts);
    place->count--;
    model->uncertain--;
}

static void change_folder(struct folder *folder, const struct doubt *doubt)
{
    const struct event *event = doubt->event;

    if (event->kind == EVENT_UNLINK) {
        folder_remove(folder, event->name);
        return;
    }
    if (event->kind == EVENT_RENAME)
        folder_remove(folder, event->name);
    folder_set(folder, event->kind == EVENT_RENAME ? event->to : event->name, doubt->node);
}

static void change_content(struct content *content, const struct event *event)
{
    if (event->kind == EVENT_WRITE)
        content_write(content, event->offset, event->data, event->len);
    else if (event->kind == EVENT_TRUNCATE || event->offset > content->size)
        content_resize(content, event->offset);
}

/* The node that a name leads to as the running program sees it; 0: none. */
static unsigned node_named(const struct place *place, const char *text)
{
    struct folder folder;
    struct dir_entry *name;
    unsigned node;

    folder_copy(&folder, &place->folder);
    for (size_t i = 0; i < place->count; i++)
        change_folder(&folder, &place->doubts[i]);
    name = folder_find(&folder, text);
    node = name ? name->node : 0;
    folder_clear(&folder);
    return node;
}

static bool overlaps(const struct event *a, const struct event *b)
{
    if (a->kind != EVENT_WRITE || b->kind != EVENT_WRITE)
        return true;
    return a->offset < b->offset + b->len && b->offset < a->offset + a->len;
}

/* What a later certain write has covered can no longer come through. */
static size_t forget_covered(struct model *model, struct place *place, size_t index)
{
    for (size_t i = index; i-- > 0;) {
        if (!place->doubts[i].is_doomed ||
            !overlaps(place->doubts[i].event, place->doubts[index].event))
            continue;
        doubt_remove(model, place, i);
        index--;
    }
    return index;
}

static void forget_file(struct model *model, unsigned node)
{
    struct place *place = place_at(model, node);

    content_drop(&place->content);
    while (place->count > 0)
        doubt_remove(model, place, place->count - 1);
}

static void make_certain(struct model *model, struct place *place, size_t index)
{
    const struct doubt *doubt = &place->doubts[index];
    struct dir_entry *name;

    if (place->is_dir) {
        name = folder_find(&place->folder, doubt->event->name);
        if (doubt->event->kind == EVENT_UNLINK && name)
            forget_file(model, name->node);
        change_folder(&place->folder, doubt);
    } else if (place->content) {
        content_own(&place->content);
        change_content(place->content, doubt->event);
    }
    doubt_remove(model, place, index);
}

/* A sync has returned: what it covers is certain, or never will be. */
static void settle(struct model *model, const struct event *sync, size_t begun, enum err result)
{
    struct place *place = place_at(model, sync->node);

    for (size_t i = 0; i < place->count;) {
        struct doubt *doubt = &place->doubts[i];
        bool is_covered = doubt->returned != 0 && doubt->returned < begun && !doubt->is_doomed;
        if (is_covered && result != ERR_OK && !place->is_dir)
            doubt->is_doomed = true;
        if (!is_covered || result != ERR_OK) {
            i++;
            continue;
        }
        if (!place->is_dir)
            i = forget_covered(model, place, i);
        make_certain(model, place, i);
    }
}

/* ---- events ---- */

static bool take_return(struct model *model, const struct recorder *log, size_t index)
{
    const struct event *end = &log->events[index];
    const struct event *event = &log->events[end->begin];
    struct place *place;

    if (event->kind == EVENT_SYNC || event->kind == EVENT_SYNC_DIR) {
        settle(model, event, end->begin, end->result);
        return true;
    }
    place = place_at(model, event->node);
    for (size_t i = 0; i < place->count; i++) {
        if (place->doubts[i].begun != end->begin)
            continue;
        place->doubts[i].returned = index;
        if (end->result != ERR_OK && event->kind != EVENT_WRITE)
            doubt_remove(model, place, i);
        break;
    }
    return false;
}

static bool take_name(struct model *model, const struct event *event, size_t index)
{
    struct doubt doubt = { .event = event, .begun = index, .node = event->child };
    struct place *child;

    if (event->kind == EVENT_RENAME || event->kind == EVENT_UNLINK) {
        doubt.node = node_named(place_at(model, event->node), event->name);
    } else if (event->child != 0) {
        child = place_at(model, event->child);
        child->is_dir = event->kind == EVENT_MAKE_DIR;
        if (!child->is_dir)
            child->content = content_new();
    }
    if (doubt.node == 0) /* it failed */
        return false;
    doubt_add(model, event->node, doubt);
    return true;
}

bool model_step(struct model *model, const struct recorder *log, size_t index)
{
    const struct event *event = &log->events[index];

    switch (event->kind) {
    case EVENT_RETURN:
        return take_return(model, log, index);
    case EVENT_CREATE:
    case EVENT_MAKE_DIR:
    case EVENT_RENAME:
    case EVENT_UNLINK:
        return take_name(model, event, index);
    case EVENT_WRITE:
    case EVENT_ALLOCATE:
    case EVENT_TRUNCATE:
        if (place_at(model, event->node)->content)
            doubt_add(model, event->node, (struct doubt){ .event = event, .begun = index });
        return true;
    case EVENT_SYNC:
    case EVENT_SYNC_DIR:
        return false;
    case EVENT_NOTE:
        return true; /* no other disk, but another promise */
    }
    return false;
}

/* ---- states ---- */

enum choice { LOSE, KEEP, TEAR };

/* How one state is made. */
struct cut {
    const struct model *model;
    enum cut_mode mode;
    struct chance *chance;
    size_t victim;  /* ONE_LOST, ONE_KEPT: which */
    size_t passed;  /* doubts looked at */
    size_t horizon; /* ORDERED: names begun before that are there */
    unsigned keep;  /* CHANCE: in a thousand */
    unsigned tear;
    bool is_whole; /* files keep their preallocated length */
    struct memory_disk *disk;
};

static enum choice by_chance(struct cut *cut, bool is_name)
{
    if (!is_name && chance_of(cut->chance, cut->tear))
        return TEAR;
    return chance_of(cut->chance, cut->keep) ? KEEP : LOSE;
}

static enum choice choose(struct cut *cut, const struct doubt *doubt, bool is_name)
{
    bool is_victim = cut->passed++ == cut->victim;

    switch (cut->mode) {
    case CUT_NOTHING:
        return LOSE;
    case CUT_EVERYTHING:
        return KEEP;
    case CUT_NAMES:
        return is_name ? KEEP : LOSE;
    case CUT_OCTETS:
        return is_name ? LOSE : KEEP;
    case CUT_ORDERED:
        return is_name ? (doubt->begun < cut->horizon ? KEEP : LOSE) : by_chance(cut, false);
    case CUT_ONE_LOST:
        return is_victim ? (is_name || chance_of(cut->chance, 300) ? LOSE : TEAR) : KEEP;
    case CUT_ONE_KEPT:
        return is_victim ? (is_name || chance_of(cut->chance, 600) ? KEEP : TEAR) : LOSE;
    default:
        return by_chance(cut, is_name);
    }
}

/* Octets written over themselves are there whatever happens. */
static bool holds(
    const struct content *content, uint64_t offset, const unsigned char *data, size_t len)
{
    unsigned char there[SECTOR];

    return content_read(content, offset, there, len) == len && memcmp(there, data, len) == 0;
}

/* Some sectors of a write: all before or behind a point, all but one, one alone, or any. */
static void tear(struct cut *cut, struct content *content, const struct event *event)
{
    uint64_t first = event->offset / SECTOR, last = (event->offset + event->len - 1) / SECTOR;
    uint64_t point = first + chance_below(cut->chance, (size_t)(last - first + 1));
    size_t style = chance_below(cut->chance, 5);
    bool has_zeros = chance_of(cut->chance, 300);

    for (uint64_t sector = first; sector <= last; sector++) {
        const bool kept[] = { sector<point, sector> point, sector != point, sector == point,
            chance_of(cut->chance, 500) };
        uint64_t from = sector * SECTOR, to = from + SECTOR;
        const unsigned char *data;
        if (from < event->offset)
            from = event->offset;
        if (to > event->offset + event->len)
            to = event->offset + event->len;
        data = event->data + (from - event->offset);
        if (kept[style])
            content_write(content, from, data, (size_t)(to - from));
        else if (has_zeros && !holds(content, from, data, (size_t)(to - from)))
            content_zero(content, from, to - from);
    }
    if (chance_of(cut->chance, 500) && content->size < event->offset + event->len)
        content_resize(content, event->offset + event->len);
}

static struct content *content_after(struct cut *cut, const struct place *place)
{
    struct content *content = content_share(place->content);

    for (size_t i = 0; i < place->count; i++) {
        const struct event *event = place->doubts[i].event;
        enum choice choice = choose(cut, &place->doubts[i], false);
        if (choice == LOSE)
            continue;
        content_own(&content);
        if (choice == TEAR && event->kind == EVENT_WRITE && event->len > 0)
            tear(cut, content, event);
        else
            change_content(content, event);
    }
    return content;
}

/* Preallocated zeros behind everything written: recovery looks through them for something sound,
 * which finds nothing and takes most of its time. So most states have them cut short; octets behind
 * the end read as zeros all the same. */
static void trim(struct cut *cut, struct content **content)
{
    size_t last = (*content)->page_count;
    uint64_t size;

    while (last > 0 && !(*content)->pages[last - 1])
        last--;
    size = (last + 2) * (uint64_t)CONTENT_PAGE;
    if (cut->is_whole || size >= (*content)->size)
        return;
    content_own(content);
    content_resize(*content, size);
}

static void add_file(struct cut *cut, const struct place *place, const char *name, unsigned to)
{
    struct content *content = content_after(cut, place);

    trim(cut, &content);
    memory_disk_add_file(cut->disk, to, name, content);
}

static void build_folder(struct cut *cut, unsigned from, unsigned to)
{
    const struct place *place = &cut->model->places[from];
    struct folder folder;

    folder_copy(&folder, &place->folder);
    for (size_t i = 0; i < place->count; i++)
        if (choose(cut, &place->doubts[i], true) == KEEP)
            change_folder(&folder, &place->doubts[i]);
    for (size_t i = 0; i < folder.count; i++) {
        const struct dir_entry *name = &folder.names[i];
        const struct place *child = &cut->model->places[name->node];
        if (child->is_dir)
            build_folder(cut, name->node, memory_disk_add_dir(cut->disk, to, name->text));
        else if (child->content)
            add_file(cut, child, name->text, to);
    }
    folder_clear(&folder);
}

/* A moment between the first and the last uncertain change of a name. */
static size_t pick_horizon(const struct model *model, struct chance *chance)
{
    size_t seen = 0, horizon = 0;

    for (size_t i = 0; i < model->place_count; i++)
        for (size_t j = 0; model->places[i].is_dir && j < model->places[i].count; j++)
            if (chance_below(chance, ++seen) == 0)
                horizon = model->places[i].doubts[j].begun + chance_below(chance, 2);
    return horizon;
}

struct memory_disk *model_state(
    const struct model *model, enum cut_mode mode, struct chance *chance, bool is_portable)
{
    static const unsigned portions[] = { 100, 300, 500, 700, 900 };
    struct cut cut = {
        .model = model,
        .mode = mode,
        .chance = chance,
        .victim = chance_below(chance, model->uncertain),
        .horizon = mode == CUT_ORDERED ? pick_horizon(model, chance) : 0,
        .keep = portions[chance_below(chance, 5)],
        .tear = portions[chance_below(chance, 5)],
        .is_whole = chance_of(chance, 30),
        .disk = memory_disk_new(is_portable, chance_bits(chance)),
    };

    build_folder(&cut, DISK_ROOT, DISK_ROOT);
    return cut.disk;
}
