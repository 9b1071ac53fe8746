/* tests/power/memory_disk.c: see memory_disk.h. One mutex for all of a disk. */
#include "memory_disk.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct description {
    unsigned node;
    bool is_open;
    bool is_writing;
    int read_end; /* portable only: reports when the last copy of the handle is closed */
    ino_t inode;  /* portable only: of the pipe */
};

/* ---- folders ---- */

struct dir_entry *folder_find(const struct folder *folder, const char *text)
{
    for (size_t i = 0; i < folder->count; i++)
        if (strcmp(folder->names[i].text, text) == 0)
            return &folder->names[i];
    return NULL;
}

void folder_set(struct folder *folder, const char *text, unsigned node)
{
    struct dir_entry *name = folder_find(folder, text);

    if (!name) {
        folder->names =
            power_grow(folder->names, &folder->room, folder->count, sizeof *folder->names);
        name = &folder->names[folder->count++];
        snprintf(name->text, sizeof name->text, "%s", text);
    }
    name->node = node;
}

void folder_remove(struct folder *folder, const char *text)
{
    struct dir_entry *name = folder_find(folder, text);

    if (name)
        *name = folder->names[--folder->count];
}

void folder_copy(struct folder *to, const struct folder *from)
{
    *to = (struct folder){ .count = from->count, .room = from->count };
    if (from->count == 0)
        return;
    to->names = power_alloc(from->count * sizeof *to->names);
    memcpy(to->names, from->names, from->count * sizeof *to->names);
}

void folder_clear(struct folder *folder)
{
    free(folder->names);
    *folder = (struct folder){ 0 };
}

/* ---- nodes ---- */

static struct memory_disk *lock_disk(struct disk *disk)
{
    struct memory_disk *memory = (struct memory_disk *)disk;

    pthread_mutex_lock(&memory->mutex);
    return memory;
}

static enum err unlock_disk(struct memory_disk *disk, enum err rc)
{
    pthread_mutex_unlock(&disk->mutex);
    return rc;
}

static unsigned node_new(struct memory_disk *disk, bool is_dir)
{
    struct node *node;

    disk->nodes = power_grow(disk->nodes, &disk->node_room, disk->node_count, sizeof *disk->nodes);
    node = &disk->nodes[disk->node_count++];
    *node = (struct node){ .is_dir = is_dir };
    return (unsigned)(disk->node_count - 1);
}

static void node_settle(struct node *node)
{
    if (node->links == 0 && node->opens == 0)
        content_drop(&node->content);
}

unsigned memory_disk_add_dir(struct memory_disk *disk, unsigned dir, const char *name)
{
    unsigned node = node_new(disk, true);

    disk->nodes[node].links = 1;
    folder_set(&disk->nodes[dir].folder, name, node);
    return node;
}

unsigned memory_disk_add_file(
    struct memory_disk *disk, unsigned dir, const char *name, struct content *content)
{
    unsigned node = node_new(disk, false);

    disk->nodes[node].content = content;
    disk->nodes[node].links = 1;
    folder_set(&disk->nodes[dir].folder, name, node);
    return node;
}

/* ---- handles ---- */

static void description_close(struct memory_disk *disk, size_t index)
{
    struct description *d = &disk->descriptions[index];
    struct node *node = &disk->nodes[d->node];

    if (node->locked_by == index + 1)
        node->locked_by = 0;
    node->opens--;
    node_settle(node);
    if (disk->is_portable)
        close(d->read_end);
    d->is_open = false;
}

/* Descriptions whose last handle was closed without asking this disk. */
static void reap(struct memory_disk *disk)
{
    for (size_t i = 0; i < disk->description_count && disk->is_portable; i++) {
        struct pollfd end = { .fd = disk->descriptions[i].read_end };
        if (disk->descriptions[i].is_open && poll(&end, 1, 0) > 0 && (end.revents & POLLHUP))
            description_close(disk, i);
    }
}

static size_t description_new(struct memory_disk *disk)
{
    size_t i = 0;

    while (i < disk->description_count && disk->descriptions[i].is_open)
        i++;
    if (i == disk->description_count) {
        disk->descriptions = power_grow(disk->descriptions, &disk->description_room,
            disk->description_count, sizeof *disk->descriptions);
        disk->description_count++;
    }
    return i;
}

static enum err description_open(
    struct memory_disk *disk, unsigned node, bool is_writing, int *out_handle)
{
    struct description fresh = { .node = node, .is_open = true, .is_writing = is_writing };
    size_t index;
    int ends[2];
    struct stat st;

    reap(disk);
    index = description_new(disk);
    *out_handle = (int)index;
    if (disk->is_portable) {
        if (pipe2(ends, O_CLOEXEC) < 0)
            return ERR_NOFILES;
        if (fstat(ends[1], &st) < 0)
            abort();
        fresh.inode = st.st_ino;
        fresh.read_end = ends[0];
        *out_handle = ends[1];
    }
    disk->descriptions[index] = fresh;
    disk->nodes[node].opens++;
    return ERR_OK;
}

static struct description *description_of(struct memory_disk *disk, int handle)
{
    struct stat st;

    if (!disk->is_portable) {
        assert((size_t)handle < disk->description_count && disk->descriptions[handle].is_open);
        return &disk->descriptions[handle];
    }
    if (fstat(handle, &st) < 0)
        abort();
    for (size_t i = 0; i < disk->description_count; i++)
        if (disk->descriptions[i].is_open && disk->descriptions[i].inode == st.st_ino)
            return &disk->descriptions[i];
    fprintf(stderr, "handle %d is none of this disk\n", handle);
    abort();
}

static struct node *node_of(struct memory_disk *disk, int handle)
{
    return &disk->nodes[description_of(disk, handle)->node];
}

static struct content *content_to_write(struct memory_disk *disk, int file)
{
    struct node *node = node_of(disk, file);

    assert(description_of(disk, file)->is_writing);
    content_own(&node->content);
    return node->content;
}

/* ---- the operations ---- */

static enum err open_named(
    struct disk *seam, int dir, const char *name, bool is_dir, bool is_writing, int *out_handle)
{
    struct memory_disk *disk = lock_disk(seam);
    struct node *folder = node_of(disk, dir);
    struct dir_entry *found = folder_find(&folder->folder, name);
    unsigned node = found ? found->node : description_of(disk, dir)->node;

    if (!found && strcmp(name, ".") != 0)
        return unlock_disk(disk, ERR_NOTFOUND);
    if (disk->nodes[node].is_dir != is_dir)
        return unlock_disk(disk, ERR_INVALID);
    return unlock_disk(disk, description_open(disk, node, is_writing, out_handle));
}

static enum err memory_open_dir(struct disk *seam, int dir, const char *name, int *out_dir)
{
    return open_named(seam, dir, name, true, false, out_dir);
}

static enum err memory_open_read(struct disk *seam, int dir, const char *name, int *out_file)
{
    return open_named(seam, dir, name, false, false, out_file);
}

static enum err memory_open_write(struct disk *seam, int dir, const char *name, int *out_file)
{
    return open_named(seam, dir, name, false, true, out_file);
}

static enum err memory_make_dir(struct disk *seam, int dir, const char *name)
{
    struct memory_disk *disk = lock_disk(seam);
    unsigned parent = description_of(disk, dir)->node;

    if (folder_find(&disk->nodes[parent].folder, name))
        return unlock_disk(disk, ERR_EXISTS);
    memory_disk_add_dir(disk, parent, name);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_create(struct disk *seam, int dir, const char *name, int *out_file)
{
    struct memory_disk *disk = lock_disk(seam);
    unsigned parent = description_of(disk, dir)->node;
    unsigned node;

    if (folder_find(&disk->nodes[parent].folder, name))
        return unlock_disk(disk, ERR_EXISTS);
    node = memory_disk_add_file(disk, parent, name, content_new());
    return unlock_disk(disk, description_open(disk, node, true, out_file));
}

static enum err memory_read_at(
    struct disk *seam, int file, void *into, size_t len, uint64_t offset, size_t *out_len)
{
    struct memory_disk *disk = lock_disk(seam);

    *out_len = content_read(node_of(disk, file)->content, offset, into, len);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_write_at(struct disk *seam, int file, const struct iovec *parts, int count,
    uint64_t offset, size_t *out_len)
{
    struct memory_disk *disk = lock_disk(seam);
    struct content *content = content_to_write(disk, file);
    size_t done = 0;

    for (int i = 0; i < count; i++) {
        content_write(content, offset + done, parts[i].iov_base, parts[i].iov_len);
        done += parts[i].iov_len;
    }
    *out_len = done;
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_sync(UNUSED struct disk *seam, UNUSED int file)
{
    return ERR_OK;
}

static enum err memory_allocate(struct disk *seam, int file, uint64_t size)
{
    struct memory_disk *disk = lock_disk(seam);
    struct content *content = content_to_write(disk, file);

    if (content->size < size)
        content_resize(content, size);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_truncate(struct disk *seam, int file, uint64_t size)
{
    struct memory_disk *disk = lock_disk(seam);

    content_resize(content_to_write(disk, file), size);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_size(struct disk *seam, int file, uint64_t *out_size)
{
    struct memory_disk *disk = lock_disk(seam);

    *out_size = node_of(disk, file)->content->size;
    return unlock_disk(disk, ERR_OK);
}

static void unlink_node(struct memory_disk *disk, unsigned node)
{
    disk->nodes[node].links--;
    node_settle(&disk->nodes[node]);
}

static enum err memory_rename(
    struct disk *seam, int from_dir, const char *from, int to_dir, const char *to)
{
    struct memory_disk *disk = lock_disk(seam);
    struct folder *source = &node_of(disk, from_dir)->folder;
    struct folder *target = &node_of(disk, to_dir)->folder;
    struct dir_entry *found = folder_find(source, from), *old;
    unsigned node;

    if (!found)
        return unlock_disk(disk, ERR_NOTFOUND);
    node = found->node;
    old = folder_find(target, to);
    if (old)
        unlink_node(disk, old->node);
    folder_remove(source, from);
    folder_set(target, to, node);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_unlink(struct disk *seam, int dir, const char *name)
{
    struct memory_disk *disk = lock_disk(seam);
    struct folder *folder = &node_of(disk, dir)->folder;
    struct dir_entry *found = folder_find(folder, name);
    unsigned node;

    if (!found)
        return unlock_disk(disk, ERR_NOTFOUND);
    node = found->node;
    folder_remove(folder, name);
    unlink_node(disk, node);
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_list(struct disk *seam, int dir, disk_each *each, void *context)
{
    struct memory_disk *disk = lock_disk(seam);
    struct folder names;

    folder_copy(&names, &node_of(disk, dir)->folder);
    unlock_disk(disk, ERR_OK);
    for (size_t i = 0; i < names.count; i++)
        each(context, names.names[i].text);
    folder_clear(&names);
    return ERR_OK;
}

static enum err memory_lock(struct disk *seam, int file)
{
    struct memory_disk *disk = lock_disk(seam);
    size_t mine = (size_t)(description_of(disk, file) - disk->descriptions) + 1;
    struct node *node;

    reap(disk);
    node = node_of(disk, file);
    if (node->locked_by != 0 && node->locked_by != mine)
        return unlock_disk(disk, ERR_BUSY);
    node->locked_by = mine;
    return unlock_disk(disk, ERR_OK);
}

static enum err memory_space(struct disk *seam, UNUSED int dir, struct disk_space *out_space)
{
    struct memory_disk *disk = lock_disk(seam);

    *out_space = disk->space;
    return unlock_disk(disk, ERR_OK);
}

static uint64_t memory_random(struct disk *seam)
{
    struct memory_disk *disk = lock_disk(seam);
    uint64_t z = disk->random += UINT64_C(0x9e3779b97f4a7c15);

    unlock_disk(disk, ERR_OK);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void memory_close(struct disk *seam, int handle)
{
    struct memory_disk *disk = lock_disk(seam);

    if (disk->is_portable)
        close(handle); /* another copy may be open: reaped when the last is gone */
    else
        description_close(disk, (size_t)(description_of(disk, handle) - disk->descriptions));
    unlock_disk(disk, ERR_OK);
}

static const struct disk_ops memory_ops = {
    .open_dir = memory_open_dir,
    .make_dir = memory_make_dir,
    .create = memory_create,
    .open_read = memory_open_read,
    .open_write = memory_open_write,
    .read_at = memory_read_at,
    .write_at = memory_write_at,
    .sync = memory_sync,
    .sync_dir = memory_sync,
    .allocate = memory_allocate,
    .truncate = memory_truncate,
    .size = memory_size,
    .rename = memory_rename,
    .unlink = memory_unlink,
    .list = memory_list,
    .lock = memory_lock,
    .space = memory_space,
    .random = memory_random,
    .close = memory_close,
};

/* ---- life ---- */

struct memory_disk *memory_disk_new(bool is_portable, uint64_t seed)
{
    struct memory_disk *disk = power_alloc(sizeof *disk);

    disk->disk.ops = &memory_ops;
    pthread_mutex_init(&disk->mutex, NULL);
    disk->is_portable = is_portable;
    disk->space = (struct disk_space){ UINT64_C(1) << 40, UINT64_C(1) << 39 };
    disk->random = seed;
    node_new(disk, true);
    disk->nodes[DISK_ROOT].links = 1;
    return disk;
}

void memory_disk_free(struct memory_disk **at)
{
    struct memory_disk *disk = *at;

    *at = NULL;
    if (!disk)
        return;
    for (size_t i = 0; i < disk->description_count; i++)
        if (disk->descriptions[i].is_open)
            description_close(disk, i);
    for (size_t i = 0; i < disk->node_count; i++) {
        content_drop(&disk->nodes[i].content);
        folder_clear(&disk->nodes[i].folder);
    }
    free(disk->nodes);
    free(disk->descriptions);
    pthread_mutex_destroy(&disk->mutex);
    free(disk);
}

int memory_disk_root(struct memory_disk *disk)
{
    int root = -1;

    if (description_open(disk, DISK_ROOT, false, &root) != ERR_OK)
        abort();
    return root;
}

unsigned memory_disk_node(struct memory_disk *disk, int handle)
{
    unsigned node;

    pthread_mutex_lock(&disk->mutex);
    node = description_of(disk, handle)->node;
    pthread_mutex_unlock(&disk->mutex);
    return node;
}
