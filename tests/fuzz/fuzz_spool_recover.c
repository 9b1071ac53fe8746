/* tests/fuzz/fuzz_spool_recover.c: a spool full of rubbish: the input is a number of files, each
 * with a kind, a number, a head that is sound or not, and frames that are sealed anew or not.
 * Recovery ends, hands over each message once, and a second recovery hands over the same. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/log.h"
#include "base/map.h"
#include "fuzz.h"
#include "lazy_disk.h"
#include "spool/recover.h"
#include "spool_memory.h"

enum { FILES_MOST = 8, MESSAGES_MOST = 4096, HAS_HEAD = 1, IS_SEALED = 2, IS_LONG = 4 };

static char folder[64];
static int root = -1;

/* What one recovery handed over. */
struct harvest {
    struct buffer trace;
    struct queue_id ids[MESSAGES_MOST];
    size_t count;
};

/* ---- the spool ---- */

static void open_folder(void)
{
    log_open("fuzz", LOG_ERROR - 1);
    lazy_disk_install();
    snprintf(folder, sizeof folder, "%s/submitd-fuzz-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(folder));
    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(root >= 0);
}

static void remove_file(void *context, const char *name)
{
    unlinkat(*(int *)context, name, 0);
}

static const char *const folders[] = { "segments", "bodies", "journal", "aside" };

static void empty_folders(void)
{
    for (size_t i = 0; i < LENGTH_OF(folders); i++) {
        int dir = openat(root, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (dir < 0)
            continue;
        (void)!disk_posix()->ops->list(disk_posix(), dir, remove_file, &dir);
        close(dir);
    }
}

static void close_folder(void)
{
    empty_folders();
    for (size_t i = 0; i < LENGTH_OF(folders); i++)
        unlinkat(root, folders[i], AT_REMOVEDIR);
    unlinkat(root, "lock", 0);
    rmdir(folder);
}

static uint64_t number_of(unsigned n)
{
    return (uint64_t)(n % 8) << 32 | (n % 8 ? 5 : 0);
}

static void write_file(int dir, enum store_kind kind, struct cursor *in)
{
    const struct frame_format *format = kind == STORE_JOURNAL ? &journal_format : &record_format;
    uint64_t number = number_of(1 + cursor_u8(in) % 7);
    unsigned flags = cursor_u8(in);
    struct file_head head = { .generation = number,
        .size = STORE_SEGMENT_MIN,
        .previous = number_of(cursor_u8(in)),
        .previous_end = FILE_HEAD + cursor_u16(in),
        .from = number_of(cursor_u8(in)) };
    size_t len = cursor_u16(in);
    struct slice text = cursor_take(in, len < in->rest.len ? len : in->rest.len);
    struct memory memory = { .len = text.len, .data = malloc(text.len + 1) };
    unsigned char block[FILE_HEAD] = { 0 };
    char name[STORE_NAME];
    int file;

    REQUIRE(memory.data);
    if (text.len > 0)
        memcpy(memory.data, text.data, text.len);
    if (flags & IS_SEALED)
        memory_reseal(&memory, format, number);
    if (flags & HAS_HEAD)
        file_head_write(format, &head, block);
    store_name(kind, number, name);
    file = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0 && write(file, block, sizeof block) == FILE_HEAD);
    REQUIRE(write(file, memory.data, text.len) == (ssize_t)text.len);
    if (flags & IS_LONG)
        REQUIRE(ftruncate(file, STORE_SEGMENT_MIN) == 0);
    close(file);
    free(memory.data);
}

static void make_spool(struct slice input)
{
    struct cursor in = cursor_of(input);

    empty_folders();
    for (int i = 0; i < FILES_MOST && in.rest.len > 0 && in.error == ERR_OK; i++) {
        enum store_kind kind = (enum store_kind)(cursor_u8(&in) % STORE_KINDS);
        int dir;

        mkdirat(root, folders[kind], 0700);
        dir = openat(root, folders[kind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        REQUIRE(dir >= 0);
        write_file(dir, kind, &in);
        close(dir);
    }
}

/* ---- recovery ---- */

static bool on_is_held(void *context, struct queue_id id)
{
    struct harvest *harvest = context;

    for (size_t i = 0; i < harvest->count; i++)
        if (queue_id_equals(harvest->ids[i], id))
            return true;
    return false;
}

static enum err on_message(void *context, const struct recover_message *message)
{
    struct harvest *harvest = context;

    REQUIRE(!on_is_held(harvest, message->id)); /* it was asked before */
    if (harvest->count == MESSAGES_MOST)
        return ERR_LIMIT;
    harvest->ids[harvest->count++] = message->id;
    buffer_printf(&harvest->trace, "%llx %zu %d %d:", (unsigned long long)message->id.low,
        (size_t)message->recipient_count, message->is_held, message->is_suspect);
    for (size_t i = 0; i < message->recipient_count; i++)
        buffer_printf(&harvest->trace, " %d %u", (int)message->recipients[i].state,
            message->recipients[i].attempts);
    buffer_put_char(&harvest->trace, '\n');
    return ERR_OK;
}

static void on_aside(void *context, const struct recover_aside *aside)
{
    (void)context;
    REQUIRE(aside->length > 0 && aside->copied == ERR_OK);
}

static void on_alive(void *context, uint64_t generation)
{
    (void)context, (void)generation;
    REQUIRE(!"nobody holds a lock");
}

static void on_missing(void *context, struct queue_id id, uint64_t segment, uint64_t offset)
{
    (void)context, (void)id, (void)segment, (void)offset;
}

static void on_owned(void *context, uint64_t generation)
{
    (void)context, (void)generation;
}

static void on_trouble(void *context, uint64_t generation, enum err reason, const char *what)
{
    (void)context, (void)generation;
    REQUIRE(reason != ERR_OK && what);
}

static void recover(struct harvest *harvest)
{
    struct recover_events events = { .context = harvest,
        .is_held = on_is_held,
        .on_message = on_message,
        .on_aside = on_aside,
        .on_alive = on_alive,
        .on_missing = on_missing,
        .on_owned = on_owned,
        .on_trouble = on_trouble };
    struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .lock = -1 };
    struct journal_replayed replayed;
    struct recover *recover;
    struct store store;
    enum err rc;

    buffer_init(&harvest->trace, 1 << 22);
    REQUIRE(store_open(&store, disk_posix(), dup(root), &settings) == ERR_OK);
    recover = recover_new(&store, &events);
    REQUIRE(recover);
    rc = recover_journal(recover, &replayed);
    if (rc == ERR_OK) {
        recover_now(recover, INT64_C(1772532000000000));
        rc = recover_segments(recover);
    }
    if (rc == ERR_OK) {
        REQUIRE(recover_waiting(recover) == 0);
        recover_finish(recover);
    }
    buffer_printf(&harvest->trace, "%s\n", err_text(rc));
    recover_free(&recover);
    store_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct harvest first, second;

    if (root < 0) {
        open_folder();
        atexit(close_folder);
    }
    make_spool(slice_first(slice_of(data, size), 1 << 18));
    first.count = second.count = 0;
    recover(&first);
    recover(&second);
    REQUIRE(slice_equals(buffer_slice(&first.trace), buffer_slice(&second.trace)));
    buffer_clear(&first.trace);
    buffer_clear(&second.trace);
    return 0;
}
