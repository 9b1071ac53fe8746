/* spool/store.c: the spool directory: its folders, its lock, and the acts that make and remove
 * files. */
#include "spool/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/entry.h"
#include "spool/record.h"

enum { RENEW_PIECE = 64 << 10 };

static const struct {
    const char *name;
    size_t offset; /* of the handle in struct store */
    bool can_wait; /* made when it is needed, when there is no room for it at the start: older
                      spools have none, and a full disk must not keep their mail */
} folders[] = {
    { "segments", offsetof(struct store, dirs[STORE_SEGMENT]), false },
    { "bodies", offsetof(struct store, dirs[STORE_BODY]), false },
    { "journal", offsetof(struct store, dirs[STORE_JOURNAL]), false },
    { "partials", offsetof(struct store, dirs[STORE_PARTIAL]), true },
    { "aside", offsetof(struct store, aside), false },
};

static int *folder_handle(struct store *store, size_t index)
{
    return (int *)(void *)((char *)store + folders[index].offset);
}

enum err store_lock(struct disk *disk, int root, int *out_lock)
{
    int file = -1;
    enum err rc = disk->ops->create(disk, root, "lock", &file);

    if (rc == ERR_EXISTS)
        rc = disk->ops->open_write(disk, root, "lock", &file);
    if (rc == ERR_OK)
        rc = disk->ops->lock(disk, file);
    if (rc != ERR_OK)
        disk_close(disk, &file);
    else
        *out_lock = file;
    return rc;
}

static enum err open_folder(struct store *store, size_t index, bool *is_new)
{
    struct disk *disk = store->disk;
    enum err rc = disk->ops->make_dir(disk, store->root, folders[index].name);

    *is_new |= rc == ERR_OK;
    if (rc != ERR_OK && rc != ERR_EXISTS)
        return rc;
    return disk->ops->open_dir(disk, store->root, folders[index].name, folder_handle(store, index));
}

static enum err open_folders(struct store *store)
{
    bool is_new = false;

    for (size_t i = 0; i < LENGTH_OF(folders); i++) {
        enum err rc = open_folder(store, i, &is_new);
        if (rc != ERR_OK && !(rc == ERR_NOSPACE && folders[i].can_wait))
            return rc;
    }
    return is_new ? store->disk->ops->sync_dir(store->disk, store->root) : ERR_OK;
}

/* There was no room for the folder at the start. */
static enum err add_folder(struct store *store, enum store_kind kind)
{
    bool is_new = false;
    enum err rc = open_folder(store, kind, &is_new);

    return rc == ERR_OK ? store->disk->ops->sync_dir(store->disk, store->root) : rc;
}

void store_note_number(struct store *store, uint64_t number)
{
    uint64_t highest = atomic_load(&store->numbers->highest);

    while (number > highest &&
           !atomic_compare_exchange_weak(&store->numbers->highest, &highest, number))
        ;
}

static enum err note_all(struct store *store)
{
    enum err rc = ERR_OK;

    for (int kind = 0; kind < STORE_KINDS && rc == ERR_OK; kind++) {
        struct store_file *files;
        size_t count;

        rc = store_list(store, (enum store_kind)kind, &files, &count);
        if (rc != ERR_OK)
            break;
        if (count > 0)
            store_note_number(store, files[count - 1].number);
        free(files);
    }
    return rc;
}

static bool is_possible(uint64_t segment_size)
{
    return segment_size % FILE_HEAD == 0 && segment_size >= STORE_SEGMENT_MIN &&
           segment_size <= STORE_SEGMENT_MAX;
}

enum err store_open(
    struct store *store, struct disk *disk, int root, const struct store_settings *settings)
{
    enum err rc = ERR_OK;

    *store = (struct store){ .disk = disk, .root = root, .lock = -1, .aside = -1 };
    store->numbers = settings->numbers ? settings->numbers : &store->own;
    for (int kind = 0; kind < STORE_KINDS; kind++)
        store->dirs[kind] = -1;
    store->reserve = settings->reserve;
    store->segment_size = settings->segment_size ? settings->segment_size : STORE_SEGMENT_SIZE;
    if (!is_possible(store->segment_size))
        rc = ERR_INVALID;
    if (rc == ERR_OK && settings->lock < 0)
        rc = store_lock(disk, root, &store->lock);
    if (rc == ERR_OK)
        rc = open_folders(store);
    if (rc == ERR_OK)
        rc = note_all(store);
    if (rc != ERR_OK)
        store_close(store);
    return rc;
}

void store_close(struct store *store)
{
    for (size_t i = 0; i < LENGTH_OF(folders); i++)
        disk_close(store->disk, folder_handle(store, i));
    disk_close(store->disk, &store->lock);
    disk_close(store->disk, &store->root);
}

/* A count above every other, then bits that a stranger cannot foretell: the number seeds checksums,
 * and no body from outside may hold a frame that passes for ours. */
static enum err next_number(struct store *store, uint64_t *out_number)
{
    uint64_t random = (uint32_t)store->disk->ops->random(store->disk);
    uint64_t highest = atomic_load(&store->numbers->highest), number;

    do {
        uint64_t count = (highest >> 32) + 1;
        if (count > UINT32_MAX)
            return ERR_LIMIT;
        number = count << 32 | random;
    } while (!atomic_compare_exchange_weak(&store->numbers->highest, &highest, number));
    *out_number = number;
    return ERR_OK;
}

/* A name that must not stay: its maker failed. What cannot be removed now is an empty file that
 * recovery finds. */
static void undo(struct store *store, enum store_kind kind, const char *name, int *file)
{
    struct disk *disk = store->disk;

    disk_close(disk, file);
    if (disk->ops->unlink(disk, store->dirs[kind], name) == ERR_OK)
        (void)disk->ops->sync_dir(disk, store->dirs[kind]);
}

static enum err write_head(
    struct store *store, int file, const struct frame_format *format, const struct file_head *head)
{
    unsigned char block[FILE_HEAD];
    struct iovec part = { block, sizeof block };
    enum err rc;

    file_head_write(format, head, block);
    rc = disk_write_all(store->disk, file, &part, 1, 0);
    return rc == ERR_OK ? store->disk->ops->sync(store->disk, file) : rc;
}

/* Space, header block, name: in this order, so that a name is never on disk for good without what
 * it promises. */
static enum err furnish(struct store *store, enum store_kind kind, int file,
    const struct frame_format *format, const struct file_head *head)
{
    struct disk *disk = store->disk;
    enum err rc = disk->ops->allocate(disk, file, head->size);

    if (rc == ERR_OK)
        rc = write_head(store, file, format, head);
    return rc == ERR_OK ? disk->ops->sync_dir(disk, store->dirs[kind]) : rc;
}

enum err store_blank(struct store *store, struct store_blank *out_blank)
{
    struct store_blank blank = { .size = store->segment_size, .start = FILE_HEAD, .write = -1 };
    struct file_head head = { .size = store->segment_size };
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    enum err rc = next_number(store, &blank.generation);

    if (rc != ERR_OK)
        return rc;
    head.generation = blank.generation;
    store_name(STORE_SEGMENT, blank.generation, name);
    rc = disk->ops->create(disk, store->dirs[STORE_SEGMENT], name, &blank.write);
    if (rc != ERR_OK)
        return rc;
    rc = disk->ops->lock(disk, blank.write);
    if (rc == ERR_OK)
        rc = furnish(store, STORE_SEGMENT, blank.write, &record_format, &head);
    if (rc != ERR_OK)
        undo(store, STORE_SEGMENT, name, &blank.write);
    else
        *out_blank = blank;
    return rc;
}

enum err store_spare(struct store *store, struct store_spare *out_spare)
{
    struct store_spare spare = { .write = -1 };
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    enum err rc = next_number(store, &spare.number);

    if (rc != ERR_OK)
        return rc;
    store_name(STORE_BODY, spare.number, name);
    rc = disk->ops->create(disk, store->dirs[STORE_BODY], name, &spare.write);
    if (rc != ERR_OK)
        return rc;
    rc = disk->ops->lock(disk, spare.write);
    if (rc == ERR_OK)
        rc = disk->ops->sync_dir(disk, store->dirs[STORE_BODY]);
    if (rc != ERR_OK)
        undo(store, STORE_BODY, name, &spare.write);
    else
        *out_spare = spare;
    return rc;
}

enum err store_new_journal(
    struct store *store, const struct file_head *head, uint64_t *out_number, int *out_file)
{
    struct file_head named = *head;
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    int file = -1;
    enum err rc = next_number(store, &named.generation);

    if (rc != ERR_OK)
        return rc;
    store_name(STORE_JOURNAL, named.generation, name);
    rc = disk->ops->create(disk, store->dirs[STORE_JOURNAL], name, &file);
    if (rc != ERR_OK)
        return rc;
    rc = disk->ops->lock(disk, file);
    if (rc == ERR_OK)
        rc = furnish(store, STORE_JOURNAL, file, &journal_format, &named);
    if (rc != ERR_OK) {
        undo(store, STORE_JOURNAL, name, &file);
        return rc;
    }
    *out_number = named.generation;
    *out_file = file;
    return ERR_OK;
}

enum err store_new_file(
    struct store *store, enum store_kind kind, uint64_t *out_number, int *out_file)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    uint64_t number;
    enum err rc = store->dirs[kind] < 0 ? add_folder(store, kind) : ERR_OK;

    if (rc == ERR_OK)
        rc = next_number(store, &number);
    if (rc != ERR_OK)
        return rc;
    store_name(kind, number, name);
    rc = disk->ops->create(disk, store->dirs[kind], name, out_file);
    if (rc == ERR_OK)
        *out_number = number;
    return rc;
}

enum err store_open_read(struct store *store, enum store_kind kind, uint64_t number, int *out_file)
{
    char name[STORE_NAME];

    store_name(kind, number, name);
    return store->disk->ops->open_read(store->disk, store->dirs[kind], name, out_file);
}

enum err store_claim(struct store *store, enum store_kind kind, uint64_t number, int *out_file)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    int file = -1;
    enum err rc;

    store_name(kind, number, name);
    rc = disk->ops->open_write(disk, store->dirs[kind], name, &file);
    if (rc == ERR_OK)
        rc = disk->ops->lock(disk, file);
    if (rc != ERR_OK)
        disk_close(disk, &file);
    else
        *out_file = file;
    return rc;
}

enum err store_remove(struct store *store, enum store_kind kind, uint64_t number)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    int file = -1;
    enum err rc = store_claim(store, kind, number, &file);

    disk_close(disk, &file);
    if (rc != ERR_OK)
        return rc;
    store_name(kind, number, name);
    return disk->ops->unlink(disk, store->dirs[kind], name);
}

enum err store_unlink(struct store *store, enum store_kind kind, uint64_t number)
{
    enum err rc = store_remove(store, kind, number);
    enum err synced;

    if (rc != ERR_OK && rc != ERR_NOTFOUND)
        return rc;
    /* It may be gone since an earlier call whose sync failed. */
    synced = store->disk->ops->sync_dir(store->disk, store->dirs[kind]);
    return synced != ERR_OK ? synced : rc;
}

/* Over itself, a piece at a time. */
static enum err copy_over(struct disk *disk, int read, int write, uint64_t from, uint64_t to)
{
    char *piece = malloc(RENEW_PIECE);
    enum err rc = piece ? ERR_OK : ERR_NOMEM;

    while (rc == ERR_OK && from < to) {
        size_t len = to - from < RENEW_PIECE ? (size_t)(to - from) : RENEW_PIECE, got = 0;
        struct iovec part = { piece, len };

        rc = disk->ops->read_at(disk, read, piece, len, from, &got);
        if (rc == ERR_OK && got < len)
            rc = ERR_CORRUPT;
        if (rc == ERR_OK)
            rc = disk_write_all(disk, write, &part, 1, from);
        from += len;
    }
    free(piece);
    return rc;
}

enum err store_renew(
    struct store *store, enum store_kind kind, uint64_t number, uint64_t from, uint64_t to)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    int read = -1, write = -1;
    enum err rc;

    store_name(kind, number, name);
    rc = disk->ops->open_read(disk, store->dirs[kind], name, &read);
    if (rc == ERR_OK)
        rc = disk->ops->open_write(disk, store->dirs[kind], name, &write);
    if (rc == ERR_OK)
        rc = copy_over(disk, read, write, from, to);
    if (rc == ERR_OK)
        rc = disk->ops->sync(disk, write);
    disk_close(disk, &read);
    disk_close(disk, &write);
    return rc;
}

enum err store_truncate(struct store *store, enum store_kind kind, uint64_t number, uint64_t size)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME];
    int file = -1;
    enum err rc;

    store_name(kind, number, name);
    rc = disk->ops->open_write(disk, store->dirs[kind], name, &file);
    if (rc == ERR_OK)
        rc = disk->ops->truncate(disk, file, size);
    if (rc == ERR_OK)
        rc = disk->ops->sync(disk, file);
    disk_close(disk, &file);
    return rc;
}

enum err store_space(struct store *store, struct disk_space *out_space)
{
    return store->disk->ops->space(store->disk, store->root, out_space);
}

bool store_is_low(const struct disk_space *space)
{
    return space->free < (UINT64_C(256) << 20) || space->free < space->total / 20;
}

bool store_lacks_files(const struct disk_space *space)
{
    return space->files != 0 && space->files_free < STORE_FILES_LEAST;
}
