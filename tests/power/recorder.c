/* tests/power/recorder.c: the log. An operation is written down before it is begun and when it has
 * returned, so a cut may lie in between. */
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct recorder *recorder_of(struct disk *disk)
{
    return (struct recorder *)disk;
}

static size_t append(struct recorder *recorder, const struct event *event)
{
    recorder->events =
        power_grow(recorder->events, &recorder->room, recorder->count, sizeof *recorder->events);
    recorder->events[recorder->count] = *event;
    return recorder->count++;
}

/* Writes down the beginning; out_verdict: what is to become of it. */
static size_t begin(struct recorder *recorder, const struct event *event, enum err *out_verdict)
{
    size_t index;

    pthread_mutex_lock(&recorder->mutex);
    index = append(recorder, event);
    *out_verdict = recorder->judge ? recorder->judge(recorder->context, event->kind) : ERR_OK;
    pthread_mutex_unlock(&recorder->mutex);
    return index;
}

static enum err finish(struct recorder *recorder, size_t index, enum err rc)
{
    pthread_mutex_lock(&recorder->mutex);
    append(recorder, &(struct event){ .kind = EVENT_RETURN, .begin = index, .result = rc });
    pthread_mutex_unlock(&recorder->mutex);
    return rc;
}

size_t recorder_note(struct recorder *recorder)
{
    size_t index;

    pthread_mutex_lock(&recorder->mutex);
    index = append(recorder, &(struct event){ .kind = EVENT_NOTE });
    pthread_mutex_unlock(&recorder->mutex);
    return index;
}

size_t recorder_now(struct recorder *recorder)
{
    size_t now;

    pthread_mutex_lock(&recorder->mutex);
    now = recorder->count;
    pthread_mutex_unlock(&recorder->mutex);
    return now;
}

static struct event event_of(struct recorder *recorder, enum event_kind kind, int handle)
{
    return (struct event){ .kind = kind, .node = memory_disk_node(recorder->under, handle) };
}

static struct event named_event(
    struct recorder *recorder, enum event_kind kind, int dir, const char *name)
{
    struct event event = event_of(recorder, kind, dir);

    snprintf(event.name, sizeof event.name, "%s", name);
    return event;
}

/* ---- what changes something ---- */

/* The number of what was made is known only afterwards; nobody reads the log before that. */
static void set_child(struct recorder *recorder, size_t index, unsigned node)
{
    pthread_mutex_lock(&recorder->mutex);
    recorder->events[index].child = node;
    pthread_mutex_unlock(&recorder->mutex);
}

static enum err record_create(struct disk *disk, int dir, const char *name, int *out_file)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = named_event(recorder, EVENT_CREATE, dir, name);
    enum err rc;
    size_t index = begin(recorder, &event, &rc);

    if (rc == ERR_OK)
        rc = recorder->under->disk.ops->create(&recorder->under->disk, dir, name, out_file);
    if (rc == ERR_OK)
        set_child(recorder, index, memory_disk_node(recorder->under, *out_file));
    return finish(recorder, index, rc);
}

static enum err record_make_dir(struct disk *disk, int dir, const char *name)
{
    struct recorder *recorder = recorder_of(disk);
    const struct disk_ops *ops = recorder->under->disk.ops;
    struct event event = named_event(recorder, EVENT_MAKE_DIR, dir, name);
    int made = -1;
    enum err rc;
    size_t index = begin(recorder, &event, &rc);

    if (rc == ERR_OK)
        rc = ops->make_dir(&recorder->under->disk, dir, name);
    if (rc == ERR_OK && ops->open_dir(&recorder->under->disk, dir, name, &made) == ERR_OK) {
        set_child(recorder, index, memory_disk_node(recorder->under, made));
        ops->close(&recorder->under->disk, made);
    }
    return finish(recorder, index, rc);
}

static unsigned char *gather(const struct iovec *parts, int count, size_t *out_len)
{
    unsigned char *data;
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    data = power_alloc(len);
    len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(data + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    *out_len = len;
    return data;
}

/* As Linux has it: a write that fails has written nothing; one that meets its trouble on the way
 * has written fewer octets than it was given, and the next tells why. Every second failure is of
 * the latter kind. */
static enum err record_write_at(struct disk *disk, int file, const struct iovec *parts, int count,
    uint64_t offset, size_t *out_len)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = event_of(recorder, EVENT_WRITE, file);
    struct iovec whole;
    enum err rc;
    size_t index, done = 0;

    event.data = gather(parts, count, &event.len);
    event.offset = offset;
    index = begin(recorder, &event, &rc);
    whole = (struct iovec){ event.data, event.len };
    if (rc != ERR_OK && event.len > 1 && index % 2 == 0) {
        whole.iov_len /= 2;
        rc = ERR_OK;
    }
    if (rc == ERR_OK)
        rc = recorder->under->disk.ops->write_at(
            &recorder->under->disk, file, &whole, 1, offset, &done);
    pthread_mutex_lock(&recorder->mutex);
    recorder->events[index].len = done;
    recorder->octets += done;
    pthread_mutex_unlock(&recorder->mutex);
    if (rc == ERR_OK)
        *out_len = done;
    return finish(recorder, index, rc);
}

static enum err record_sync(struct disk *disk, int file)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = event_of(recorder, EVENT_SYNC, file);
    enum err rc;
    size_t index = begin(recorder, &event, &rc);

    return finish(recorder, index, rc);
}

static enum err record_sync_dir(struct disk *disk, int dir)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = event_of(recorder, EVENT_SYNC_DIR, dir);
    enum err rc;
    size_t index = begin(recorder, &event, &rc);

    return finish(recorder, index, rc);
}

typedef enum err resize_op(struct disk *disk, int file, uint64_t size);

static enum err record_resize(
    struct recorder *recorder, enum event_kind kind, resize_op *op, int file, uint64_t size)
{
    struct event event = event_of(recorder, kind, file);
    enum err rc;
    size_t index;

    event.offset = size;
    index = begin(recorder, &event, &rc);
    if (rc == ERR_OK)
        rc = op(&recorder->under->disk, file, size);
    return finish(recorder, index, rc);
}

static enum err record_allocate(struct disk *disk, int file, uint64_t size)
{
    struct recorder *recorder = recorder_of(disk);

    return record_resize(recorder, EVENT_ALLOCATE, recorder->under->disk.ops->allocate, file, size);
}

static enum err record_truncate(struct disk *disk, int file, uint64_t size)
{
    struct recorder *recorder = recorder_of(disk);

    return record_resize(recorder, EVENT_TRUNCATE, recorder->under->disk.ops->truncate, file, size);
}

static enum err record_rename(
    struct disk *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = named_event(recorder, EVENT_RENAME, from_dir, from);
    enum err rc;
    size_t index;

    event.child = memory_disk_node(recorder->under, to_dir);
    snprintf(event.to, sizeof event.to, "%s", to);
    index = begin(recorder, &event, &rc);
    if (rc == ERR_OK)
        rc = recorder->under->disk.ops->rename(&recorder->under->disk, from_dir, from, to_dir, to);
    return finish(recorder, index, rc);
}

static enum err record_unlink(struct disk *disk, int dir, const char *name)
{
    struct recorder *recorder = recorder_of(disk);
    struct event event = named_event(recorder, EVENT_UNLINK, dir, name);
    enum err rc;
    size_t index = begin(recorder, &event, &rc);

    if (rc == ERR_OK)
        rc = recorder->under->disk.ops->unlink(&recorder->under->disk, dir, name);
    return finish(recorder, index, rc);
}

/* ---- what changes nothing ---- */

static enum err pass_open_dir(struct disk *disk, int dir, const char *name, int *out_dir)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->open_dir(under, dir, name, out_dir);
}

static enum err pass_open_read(struct disk *disk, int dir, const char *name, int *out_file)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->open_read(under, dir, name, out_file);
}

static enum err pass_open_write(struct disk *disk, int dir, const char *name, int *out_file)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->open_write(under, dir, name, out_file);
}

static enum err pass_read_at(
    struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out_len)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->read_at(under, file, into, len, offset, out_len);
}

static enum err pass_size(struct disk *disk, int file, uint64_t *out_size)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->size(under, file, out_size);
}

static enum err pass_list(struct disk *disk, int dir, disk_each *each, void *context)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->list(under, dir, each, context);
}

static enum err pass_lock(struct disk *disk, int file)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->lock(under, file);
}

static enum err pass_space(struct disk *disk, int dir, struct disk_space *out_space)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->space(under, dir, out_space);
}

static uint64_t pass_random(struct disk *disk)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    return under->ops->random(under);
}

static void pass_close(struct disk *disk, int handle)
{
    struct disk *under = &recorder_of(disk)->under->disk;

    under->ops->close(under, handle);
}

static const struct disk_ops recorder_ops = {
    .open_dir = pass_open_dir,
    .make_dir = record_make_dir,
    .create = record_create,
    .open_read = pass_open_read,
    .open_write = pass_open_write,
    .read_at = pass_read_at,
    .write_at = record_write_at,
    .sync = record_sync,
    .sync_dir = record_sync_dir,
    .allocate = record_allocate,
    .truncate = record_truncate,
    .size = pass_size,
    .rename = record_rename,
    .unlink = record_unlink,
    .list = pass_list,
    .lock = pass_lock,
    .space = pass_space,
    .random = pass_random,
    .close = pass_close,
};

struct recorder *recorder_new(struct memory_disk *under)
{
    struct recorder *recorder = power_alloc(sizeof *recorder);

    recorder->disk.ops = &recorder_ops;
    recorder->under = under;
    pthread_mutex_init(&recorder->mutex, NULL);
    return recorder;
}

void recorder_free(struct recorder **at)
{
    struct recorder *recorder = *at;

    *at = NULL;
    if (!recorder)
        return;
    for (size_t i = 0; i < recorder->count; i++)
        free(recorder->events[i].data);
    free(recorder->events);
    pthread_mutex_destroy(&recorder->mutex);
    free(recorder);
}
