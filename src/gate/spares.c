/* gate/spares.c: body files and the hand that writes them. */
#include "gate/spares.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"

enum { DISK_HANDS = 2, FILL_MAX = 2 << 20 /* above the largest body that memory holds */ };

/* In the hand's thread. */

static enum err write_out(struct body_file *file)
{
    struct slice piece = buffer_slice(&file->writing);

    return piece.len > 0 ? body_writer_append(&file->writer, &piece, 1) : ERR_OK;
}

static enum err work_at(struct body_file *file)
{
    enum err code;

    if (file->state == BODY_FILE_EMPTYING)
        return body_writer_reset(&file->writer);
    code = write_out(file);
    if (code == ERR_OK && file->state == BODY_FILE_SYNCING)
        code = body_writer_commit(&file->writer, &file->checksum);
    return code;
}

static void work(struct hand_job *job)
{
    struct body_file *file = CONTAINER_OF(job, struct body_file, job);

    file->error = work_at(file);
}

/* In the loop. */

static void file_free(struct body_file *file)
{
    body_writer_clear(&file->writer);
    buffer_clear(&file->writing);
    buffer_clear(&file->filling);
    free(file);
}

static void give(struct body_file *file, enum body_file_state state)
{
    file->state = state;
    file->spares->busy++;
    hands_give(file->spares->hands, &file->job);
}

/* To who waits longest, else into the pool, which does not grow with every rush. */
static void offer(struct body_file *file)
{
    struct spares *spares = file->spares;
    struct spare_wish *wish = spares->wishes;

    buffer_clear(&file->writing);
    buffer_clear(&file->filling);
    if (wish) {
        spares_unwish(spares, wish);
        file->state = BODY_FILE_TAKEN;
        wish->granted(wish, file);
    } else if (spares->count < SPARES_MAX) {
        file->state = BODY_FILE_SPARE;
        DL_APPEND(spares->pool, file);
        spares->count++;
    } else {
        file_free(file);
    }
}

/* The hand is done with a file that is nobody's. */
static void recycle(struct body_file *file)
{
    struct spares *spares = file->spares;

    buffer_reset(&file->writing);
    if (file->error != ERR_OK) {
        file_free(file);
        spares->wanted(spares->owner);
    } else if (file->state == BODY_FILE_EMPTYING) {
        offer(file);
    } else {
        give(file, BODY_FILE_EMPTYING);
    }
}

static void done(struct hand_job *job)
{
    struct body_file *file = CONTAINER_OF(job, struct body_file, job);

    file->spares->busy--;
    if (file->error != ERR_OK)
        log_event(LOG_ERROR, NULL, "a body file failed", log_reason(file->error));
    if (!file->owner) {
        recycle(file);
        return;
    }
    buffer_reset(&file->writing);
    file->state = BODY_FILE_TAKEN;
    file->moved(file->owner);
}

enum err spares_init(struct spares *spares, struct loop *loop, struct disk *disk,
    void (*wanted)(void *owner), void *owner)
{
    *spares = (struct spares){ .disk = disk, .wanted = wanted, .owner = owner };
    spares->hands = hands_new(loop, "bodies", DISK_HANDS);
    return spares->hands ? ERR_OK : ERR_NOMEM;
}

void spares_clear(struct spares *spares)
{
    struct body_file *file, *next;

    hands_free(&spares->hands);
    DL_FOREACH_SAFE (spares->pool, file, next) {
        DL_DELETE(spares->pool, file);
        file_free(file);
    }
    spares->count = 0;
}

void spares_add(struct spares *spares, int handle, uint64_t number)
{
    struct body_file *file = calloc(1, sizeof *file);

    if (!file) {
        disk_close(spares->disk, &handle);
        return;
    }
    file->spares = spares;
    file->number = number;
    file->job = (struct hand_job){ .work = work, .done = done };
    buffer_init(&file->writing, FILL_MAX);
    buffer_init(&file->filling, FILL_MAX);
    body_writer_init(&file->writer, spares->disk, handle, number);
    if (file->writer.error != ERR_OK)
        file_free(file);
    else
        offer(file);
}

size_t spares_shortage(const struct spares *spares)
{
    size_t want = spares->wish_count + SPARES_MIN;

    if (want > SPARES_MAX)
        want = SPARES_MAX;
    return want > spares->count ? want - spares->count : 0;
}

struct body_file *spares_take(struct spares *spares, body_file_fn *moved, void *owner)
{
    struct body_file *file = spares->pool;

    if (!file)
        return NULL;
    DL_DELETE(spares->pool, file);
    spares->count--;
    file->state = BODY_FILE_TAKEN;
    file->moved = moved;
    file->owner = owner;
    spares->wanted(spares->owner);
    return file;
}

void spares_wish(struct spares *spares, struct spare_wish *wish)
{
    assert(!wish->is_waiting);
    wish->is_waiting = true;
    DL_APPEND(spares->wishes, wish);
    spares->wish_count++;
    spares->wanted(spares->owner);
}

void spares_unwish(struct spares *spares, struct spare_wish *wish)
{
    if (!wish->is_waiting)
        return;
    wish->is_waiting = false;
    DL_DELETE(spares->wishes, wish);
    spares->wish_count--;
}

static void swap(struct body_file *file)
{
    struct buffer filled = file->filling;

    file->filling = file->writing;
    file->writing = filled;
}

void body_file_write(struct body_file *file)
{
    assert(file->state == BODY_FILE_TAKEN);
    swap(file);
    give(file, BODY_FILE_WRITING);
}

void body_file_sync(struct body_file *file)
{
    assert(file->state == BODY_FILE_TAKEN);
    swap(file);
    give(file, BODY_FILE_SYNCING);
}

void body_file_drop(struct body_file **at)
{
    struct body_file *file = *at;

    *at = NULL;
    if (!file)
        return;
    file->owner = NULL;
    file->moved = NULL;
    buffer_reset(&file->filling);
    if (file->state == BODY_FILE_TAKEN)
        recycle(file);
}

void body_file_keep(struct body_file **at)
{
    assert((*at)->state == BODY_FILE_TAKEN);
    file_free(*at);
    *at = NULL;
}
