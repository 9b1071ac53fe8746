/* tests/unit/spool/support.c */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <endian.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct faulty_disk *faulty_of(struct disk *disk)
{
    return CONTAINER_OF(disk, struct faulty_disk, disk);
}

static enum err trip(struct disk *disk, int act)
{
    struct faulty_disk *f = faulty_of(disk);

    f->done[act]++;
    f->all++;
    if (f->fail_act != act && f->fail_act != ACTS)
        return ERR_OK;
    if (--f->fail_in > 0)
        return ERR_OK;
    if (f->fail_times-- <= 0)
        f->fail_act = -1;
    return f->fail_with;
}

/* Does the act unless it is due to fail. */
#define PASS(act, call)                                                                            \
    do {                                                                                           \
        enum err rc_ = trip(disk, act);                                                            \
        if (rc_ != ERR_OK)                                                                         \
            return rc_;                                                                            \
        return disk_posix()->ops->call;                                                            \
    } while (0)

static enum err f_open_dir(struct disk *disk, int dir, const char *name, int *out)
{
    PASS(ACT_OPEN_DIR, open_dir(disk, dir, name, out));
}

static enum err f_make_dir(struct disk *disk, int dir, const char *name)
{
    PASS(ACT_MAKE_DIR, make_dir(disk, dir, name));
}

static enum err f_create(struct disk *disk, int dir, const char *name, int *out)
{
    PASS(ACT_CREATE, create(disk, dir, name, out));
}

static enum err f_open_read(struct disk *disk, int dir, const char *name, int *out)
{
    PASS(ACT_OPEN_READ, open_read(disk, dir, name, out));
}

static enum err f_open_write(struct disk *disk, int dir, const char *name, int *out)
{
    PASS(ACT_OPEN_WRITE, open_write(disk, dir, name, out));
}

static enum err f_read_at(
    struct disk *disk, int file, void *into, size_t len, uint64_t offset, size_t *out)
{
    struct faulty_disk *f = faulty_of(disk);

    if (offset < f->bad_to && offset + len > f->bad_from)
        return ERR_IO;
    PASS(ACT_READ, read_at(disk, file, into, len, offset, out));
}

static enum err f_write_at(
    struct disk *disk, int file, const struct iovec *parts, int count, uint64_t offset, size_t *out)
{
    struct faulty_disk *f = faulty_of(disk);
    struct iovec first;

    if (f->write_most == 0)
        PASS(ACT_WRITE, write_at(disk, file, parts, count, offset, out));
    first = parts[0];
    if (first.iov_len > f->write_most)
        first.iov_len = f->write_most;
    PASS(ACT_WRITE, write_at(disk, file, &first, 1, offset, out));
}

static enum err f_sync(struct disk *disk, int file)
{
    struct faulty_disk *f = faulty_of(disk);
    enum err rc = trip(disk, ACT_SYNC);

    if (f->spoiled[file])
        f->synced_again++;
    if (rc != ERR_OK) {
        f->spoiled[file] = true;
        return rc;
    }
    return f->is_lazy ? ERR_OK : disk_posix()->ops->sync(disk, file);
}

static enum err f_sync_dir(struct disk *disk, int dir)
{
    if (faulty_of(disk)->is_lazy)
        return trip(disk, ACT_SYNC_DIR);
    PASS(ACT_SYNC_DIR, sync_dir(disk, dir));
}

static enum err f_allocate(struct disk *disk, int file, uint64_t size)
{
    PASS(ACT_ALLOCATE, allocate(disk, file, size));
}

static enum err f_truncate(struct disk *disk, int file, uint64_t size)
{
    PASS(ACT_TRUNCATE, truncate(disk, file, size));
}

static enum err f_size(struct disk *disk, int file, uint64_t *out)
{
    PASS(ACT_SIZE, size(disk, file, out));
}

static enum err f_rename(
    struct disk *disk, int from_dir, const char *from, int to_dir, const char *to)
{
    PASS(ACT_RENAME, rename(disk, from_dir, from, to_dir, to));
}

static enum err f_unlink(struct disk *disk, int dir, const char *name)
{
    PASS(ACT_UNLINK, unlink(disk, dir, name));
}

static enum err f_list(struct disk *disk, int dir, disk_each *each, void *context)
{
    PASS(ACT_LIST, list(disk, dir, each, context));
}

static enum err f_lock(struct disk *disk, int file)
{
    PASS(ACT_LOCK, lock(disk, file));
}

static enum err f_space(struct disk *disk, int dir, struct disk_space *out)
{
    (void)dir;
    *out = faulty_of(disk)->space;
    return trip(disk, ACT_SPACE);
}

static uint64_t f_random(struct disk *disk)
{
    return disk_posix()->ops->random(disk);
}

static void f_close(struct disk *disk, int handle)
{
    faulty_of(disk)->spoiled[handle] = false;
    close(handle);
}

static const struct disk_ops faulty_ops = {
    f_open_dir,
    f_make_dir,
    f_create,
    f_open_read,
    f_open_write,
    f_read_at,
    f_write_at,
    f_sync,
    f_sync_dir,
    f_allocate,
    f_truncate,
    f_size,
    f_rename,
    f_unlink,
    f_list,
    f_lock,
    f_space,
    f_random,
    f_close,
};

void faulty_init(struct faulty_disk *faulty)
{
    memset(faulty, 0, sizeof *faulty);
    faulty->disk.ops = &faulty_ops;
    faulty->space = (struct disk_space){ UINT64_C(1) << 40, UINT64_C(1) << 39 };
    faulty->fail_act = -1;
}

void faulty_plan(struct faulty_disk *faulty, int act, int in, enum err with)
{
    faulty->fail_act = act;
    faulty->fail_in = in;
    faulty->fail_times = 0;
    faulty->fail_with = with;
}

void temp_make(struct temp *temp)
{
    const char *base = getenv("TMPDIR");

    snprintf(temp->path, sizeof temp->path, "%s/spool-XXXXXX",
        base && strlen(base) < 40 ? base : "/tmp");
    if (!mkdtemp(temp->path))
        abort();
    temp->root = open(temp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(temp->root >= 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void temp_remove(struct temp *temp)
{
    close(temp->root);
    nftw(temp->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int temp_root(const struct temp *temp)
{
    return fcntl(temp->root, F_DUPFD_CLOEXEC, 0);
}

size_t temp_read(const struct temp *temp, const char *path, char *into, size_t most, off_t offset)
{
    int fd = openat(temp->root, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, into, most, offset);

    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

void temp_write(
    const struct temp *temp, const char *path, const void *data, size_t len, off_t offset)
{
    int fd = openat(temp->root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(pwrite(fd, data, len, offset), len);
    close(fd);
}

void temp_spoil(const struct temp *temp, const char *path, off_t at)
{
    char octet;

    assert_int_equal(temp_read(temp, path, &octet, 1, at), 1);
    octet ^= 0x55;
    temp_write(temp, path, &octet, 1, at);
}

long temp_size(const struct temp *temp, const char *path)
{
    struct stat st;

    return fstatat(temp->root, path, &st, 0) == 0 ? (long)st.st_size : -1;
}

size_t temp_count(const struct temp *temp, const char *folder)
{
    int fd = openat(temp->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fdopendir(fd);
    size_t count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

void open_store(struct store *store, struct disk *disk, const struct temp *temp)
{
    const struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .lock = -1 };

    assert_int_equal(store_open(store, disk, temp_root(temp), &settings), ERR_OK);
}

void newer_head(
    const struct frame_format *format, uint64_t generation, unsigned char out_block[FILE_HEAD])
{
    uint64_t check;

    file_head_write(format, &(struct file_head){ .generation = generation }, out_block);
    out_block[8] = FILE_VERSION + 1;
    check = htole64(XXH3_64bits_withSeed(out_block, 56, generation));
    memcpy(out_block + 56, &check, sizeof check);
}

struct queue_id sample_id(unsigned number)
{
    return (struct queue_id){ UINT64_C(0x0198000000000000) + number, 0x1000 + number };
}

static void describe(
    struct sample *sample, unsigned number, size_t recipients, struct envelope *envelope)
{
    struct envelope_recipient *list = calloc(recipients, sizeof *list);
    char *names = calloc(recipients, 40);

    assert_non_null(list);
    assert_non_null(names);
    for (size_t i = 0; i < recipients; i++) {
        snprintf(names + 40 * i, 40, "user%zu@example.net", i);
        list[i].address = slice_text(names + 40 * i);
    }
    envelope->id = sample->id;
    envelope->arrival_us = 1000000 + number;
    envelope->sender = slice_text("alice@example.org");
    envelope->user = slice_text("alice");
    envelope->mechanism = slice_text("PLAIN");
    envelope->listener = slice_text("submission");
    envelope->client = slice_text("192.0.2.7");
    envelope->client_port = 40001;
    envelope->ehlo = slice_text("laptop.example.org");
    envelope->tls_version = slice_text("TLSv1.3");
    envelope->tls_cipher = slice_text("TLS_AES_256_GCM_SHA384");
    envelope->longest_line = 70;
    envelope->recipients = list;
    envelope->recipient_count = recipients;
    buffer_init(&sample->envelope, ENVELOPE_MAX + 1024);
    assert_int_equal(envelope_pack(&sample->envelope, envelope), ERR_OK);
    free(list);
    free(names);
}

static void make(struct sample *sample, unsigned number, size_t recipients, struct slice body,
    struct envelope *envelope)
{
    sample->id = sample_id(number);
    sample->body = body;
    snprintf(sample->text, sizeof sample->text, "Subject: message %u\r\n", number);
    sample->header[0] =
        slice_text("Received: by mail.example.org; Tue, 3 Mar 2026 10:00:00 +0000\r\n");
    sample->header[1] = slice_text(sample->text);
    envelope->header_size = sample->header[0].len + sample->header[1].len;
    describe(sample, number, recipients, envelope);
    assert_int_equal(record_draft_init(&sample->draft, sample->id, buffer_slice(&sample->envelope),
                         sample->header, 2, &sample->body, envelope->body_file ? 0 : 1),
        ERR_OK);
}

void sample_make(struct sample *sample, unsigned number, size_t recipients, struct slice body)
{
    struct envelope envelope = { .body_size = body.len };

    make(sample, number, recipients, body, &envelope);
}

void sample_make_with_file(
    struct sample *sample, unsigned number, uint64_t file, uint64_t size, uint64_t sum)
{
    struct envelope envelope = { .body_size = size, .body_file = file, .body_checksum = sum };

    make(sample, number, 1, slice_of(NULL, 0), &envelope);
}

void sample_clear(struct sample *sample)
{
    buffer_clear(&sample->envelope);
}

void append_samples(struct segment_writer *writer, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sample sample;
        struct record_draft *draft = &sample.draft;

        sample_make(&sample, first + i, 1, slice_text("A body.\r\n"));
        assert_int_equal(segment_append(writer, &draft, 1), ERR_OK);
        sample_clear(&sample);
    }
}

const char *segment_path(uint64_t generation)
{
    static char path[80];
    char name[STORE_NAME];

    store_name(STORE_SEGMENT, generation, name);
    snprintf(path, sizeof path, "segments/%s", name);
    return path;
}
