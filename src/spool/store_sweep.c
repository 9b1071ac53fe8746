/* spool/store_sweep.c: lists what lies in the spool, copies damaged octets aside, and sweeps body
 * files that no record names. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/store.h"

enum { CHUNK = 64 << 10 };

struct listing {
    enum store_kind kind;
    struct store_file *files;
    size_t count;
    size_t size;
    enum err error;
};

static void list_name(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number;

    if (listing->error != ERR_OK || !store_parse_name(listing->kind, name, &number))
        return;
    if (listing->count == listing->size) {
        size_t size = listing->size ? listing->size * 2 : 64;
        struct store_file *files = reallocarray(listing->files, size, sizeof *files);
        if (!files) {
            listing->error = ERR_NOMEM;
            return;
        }
        listing->files = files;
        listing->size = size;
    }
    listing->files[listing->count++] = (struct store_file){ .number = number };
}

int store_compare_files(const void *a, const void *b)
{
    uint64_t left = ((const struct store_file *)a)->number;
    uint64_t right = ((const struct store_file *)b)->number;

    return left < right ? -1 : left > right;
}

enum err store_file_size(
    struct store *store, enum store_kind kind, uint64_t number, uint64_t *out_size)
{
    int file = -1;
    enum err rc = store_open_read(store, kind, number, &file);

    if (rc == ERR_OK)
        rc = store->disk->ops->size(store->disk, file, out_size);
    disk_close(store->disk, &file);
    return rc;
}

enum err store_list(
    struct store *store, enum store_kind kind, struct store_file **out_files, size_t *out_count)
{
    struct listing listing = { .kind = kind };
    enum err rc = ERR_OK;

    if (store->dirs[kind] >= 0) /* else there is no such folder yet */
        rc = store->disk->ops->list(store->disk, store->dirs[kind], list_name, &listing);
    if (rc == ERR_OK)
        rc = listing.error;
    if (rc != ERR_OK) {
        free(listing.files);
        return rc;
    }
    if (listing.count > 1)
        qsort(listing.files, listing.count, sizeof *listing.files, store_compare_files);
    *out_files = listing.files;
    *out_count = listing.count;
    return ERR_OK;
}

static enum err copy_octets(struct disk *disk, int from, uint64_t offset, uint64_t length, int to)
{
    char *chunk = malloc(CHUNK);
    enum err rc = chunk ? ERR_OK : ERR_NOMEM;

    for (uint64_t done = 0; rc == ERR_OK && done < length; done += CHUNK) {
        size_t len = length - done < CHUNK ? (size_t)(length - done) : CHUNK;
        struct iovec part = { chunk, len };

        rc = disk_read_span(disk, from, chunk, len, offset + done);
        if (rc == ERR_OK)
            rc = disk_write_all(disk, to, &part, 1, done);
    }
    free(chunk);
    return rc;
}

static bool has_name(struct store *store, const char *name)
{
    int file = -1;
    enum err rc = store->disk->ops->open_read(store->disk, store->aside, name, &file);

    disk_close(store->disk, &file);
    return rc == ERR_OK;
}

/* A copy must not take the room of mail that has begun, whatever a gate has put into its segment.
 */
static bool has_room_aside(struct store *store, uint64_t length)
{
    struct disk_space space;

    if (store_space(store, &space) != ERR_OK)
        return true; /* the copying will tell */
    return space.free >= store->reserve && space.free - store->reserve >= length &&
           !store_lacks_files(&space);
}

static enum err open_draft(struct store *store, const char *draft, int *out_copy)
{
    enum err rc = store->disk->ops->create(store->disk, store->aside, draft, out_copy);

    if (rc == ERR_EXISTS) /* a crash has ended an earlier copy */
        rc = store->disk->ops->open_write(store->disk, store->aside, draft, out_copy);
    return rc;
}

/* The operator may have removed the folder with what was in it. */
static enum err renew_folder(struct store *store)
{
    const struct disk_ops *ops = store->disk->ops;
    int folder = -1;
    enum err rc = ops->make_dir(store->disk, store->root, "aside");

    if (rc == ERR_OK || rc == ERR_EXISTS)
        rc = ops->sync_dir(store->disk, store->root);
    if (rc == ERR_OK)
        rc = ops->open_dir(store->disk, store->root, "aside", &folder);
    if (rc != ERR_OK)
        return rc;
    disk_close(store->disk, &store->aside);
    store->aside = folder;
    return ERR_OK;
}

static enum err make_draft(struct store *store, const char *draft, int *out_copy)
{
    enum err rc = open_draft(store, draft, out_copy);

    if (rc != ERR_NOTFOUND)
        return rc;
    rc = renew_folder(store);
    return rc == ERR_OK ? open_draft(store, draft, out_copy) : rc;
}

enum err store_copy_aside(
    struct store *store, int file, uint64_t generation, uint64_t offset, uint64_t length)
{
    struct disk *disk = store->disk;
    char name[STORE_NAME], draft[STORE_NAME];
    int copy = -1;
    enum err rc;

    snprintf(name, sizeof name, "%016" PRIx64 "-%016" PRIx64 ".rec", generation, offset);
    snprintf(draft, sizeof draft, "%016" PRIx64 "-%016" PRIx64 ".new", generation, offset);
    if (has_name(store, name)) { /* perhaps by a call whose last sync failed */
        rc = disk->ops->sync_dir(disk, store->aside);
        return rc == ERR_OK ? ERR_EXISTS : rc;
    }
    rc = has_room_aside(store, length) ? make_draft(store, draft, &copy) : ERR_NOSPACE;
    if (rc == ERR_OK)
        rc = disk->ops->truncate(disk, copy, 0);
    if (rc == ERR_OK)
        rc = copy_octets(disk, file, offset, length, copy);
    if (rc == ERR_OK)
        rc = disk->ops->sync(disk, copy);
    disk_close(disk, &copy);
    if (rc == ERR_OK)
        rc = disk->ops->rename(disk, store->aside, draft, store->aside, name);
    return rc == ERR_OK ? disk->ops->sync_dir(disk, store->aside) : rc;
}

enum err store_sweep_begin(struct store *store, struct store_sweep *out_sweep)
{
    struct store_sweep sweep = { 0 };
    struct store_file *files;
    size_t count;
    enum err rc = store_list(store, STORE_BODY, &files, &count);

    if (rc != ERR_OK)
        return rc;
    sweep.numbers = calloc(count ? count : 1, sizeof *sweep.numbers);
    if (!sweep.numbers)
        rc = ERR_NOMEM;
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        int file = -1;
        if (store_claim(store, STORE_BODY, files[i].number, &file) == ERR_OK)
            sweep.numbers[sweep.count++] = files[i].number;
        disk_close(store->disk, &file);
    }
    free(files);
    if (rc == ERR_OK)
        *out_sweep = sweep;
    return rc;
}

enum err store_sweep_finish(struct store *store, struct store_sweep *sweep,
    bool (*is_named)(void *context, uint64_t number), void *context, size_t *out_removed)
{
    struct disk *disk = store->disk;
    size_t removed = 0;
    enum err first = ERR_OK;

    for (size_t i = 0; i < sweep->count; i++) {
        enum err rc;
        if (is_named(context, sweep->numbers[i]))
            continue;
        rc = store_remove(store, STORE_BODY, sweep->numbers[i]);
        removed += rc == ERR_OK;
        if (first == ERR_OK && rc != ERR_OK && rc != ERR_NOTFOUND && rc != ERR_BUSY)
            first = rc;
    }
    store_sweep_clear(sweep);
    if (removed > 0 && first == ERR_OK)
        first = disk->ops->sync_dir(disk, store->dirs[STORE_BODY]);
    *out_removed = removed;
    return first;
}

void store_sweep_clear(struct store_sweep *sweep)
{
    free(sweep->numbers);
    *sweep = (struct store_sweep){ 0 };
}
