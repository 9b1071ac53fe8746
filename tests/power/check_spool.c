/* tests/power/check_spool.c: see check_spool.h. */
#include "check_spool.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "spool/body.h"

struct checking {
    struct disk *disk;
    struct store store;
    struct harvest harvest;
    moment now;
    struct buffer bytes;
    struct arena arena;
};

static void fail(struct checking *checking, enum err reason, const char *what)
{
    oracle_fault(checking->harvest.oracle, "%s: %s", what, err_text(reason));
}

static bool is_held(void *context, struct queue_id id)
{
    struct checking *checking = context;
    const struct promise *promise = oracle_find(checking->harvest.oracle, id);

    return promise && checking->harvest.seen[promise->place] > 0;
}

static enum err read_body(
    struct checking *checking, const struct envelope *envelope, struct likeness *likeness)
{
    const struct disk_ops *ops = checking->disk->ops;
    char *octets = power_alloc((size_t)envelope->body_size);
    size_t got = 0;
    int file = -1;
    enum err rc = store_open_read(&checking->store, STORE_BODY, envelope->body_file, &file);

    if (rc == ERR_OK)
        rc = body_file_check(checking->disk, file, envelope->body_size, envelope->body_checksum);
    if (rc == ERR_OK)
        rc = ops->read_at(checking->disk, file, octets, (size_t)envelope->body_size, 0, &got);
    if (rc == ERR_OK)
        likeness_digest(octets, got, likeness->body);
    disk_close(checking->disk, &file);
    free(octets);
    return rc;
}

/* The record where recovery says it lies, and the body that it names. */
static enum err read_record(
    struct checking *checking, const struct recover_message *message, struct likeness *out_likeness)
{
    struct likeness likeness = { 0 };
    struct record record;
    int file = -1;
    enum err rc = store_open_read(&checking->store, STORE_SEGMENT, message->segment, &file);

    arena_clear(&checking->arena);
    if (rc == ERR_OK)
        rc = segment_load(checking->disk, file, message->segment, message->offset, message->id,
            &checking->bytes, &checking->arena, &record);
    disk_close(checking->disk, &file);
    if (rc != ERR_OK)
        return rc;
    likeness.body_size = record.envelope.body_size;
    likeness_of_envelope(&record.envelope, likeness.envelope);
    likeness_digest(record.header.data, record.header.len, likeness.header);
    if (record.envelope.body_file == 0)
        likeness_digest(record.body.data, record.body.len, likeness.body);
    else
        rc = read_body(checking, &record.envelope, &likeness);
    *out_likeness = likeness;
    return rc;
}

/* Where the sync of a gate that died has failed, and that of whoever read behind it too, a record
 * that nobody had a 250 for may be known and gone. */
static bool may_vanish(const struct oracle *oracle, struct queue_id id)
{
    const struct promise *promise = oracle_find(oracle, id);

    return oracle->is_rough && promise && promise->given == ORACLE_NEVER;
}

static enum err on_message(void *context, const struct recover_message *message)
{
    struct checking *checking = context;
    struct returned_fate fates[ORACLE_RECIPIENTS] = { 0 };
    struct likeness likeness;
    enum err rc = read_record(checking, message, &likeness);

    if (rc != ERR_OK && !may_vanish(checking->harvest.oracle, message->id))
        oracle_fault(checking->harvest.oracle,
            "a message that came back cannot be read: %s: segment %016" PRIx64 " at %" PRIu64
            ", body %016" PRIx64,
            err_text(rc), message->segment, message->offset, message->body_file);
    for (size_t i = 0; i < message->recipient_count && i < ORACLE_RECIPIENTS; i++)
        fates[i] =
            (struct returned_fate){ message->recipients[i].state, message->recipients[i].attempts };
    harvest_take(&checking->harvest, &(struct returned){
                                         .id = message->id,
                                         .is_held = message->is_held,
                                         .is_suspect = message->is_suspect,
                                         .recipient_count = message->recipient_count,
                                         .fates = fates,
                                         .likeness = rc == ERR_OK ? &likeness : NULL,
                                     });
    return ERR_OK;
}

/* Torn copies of a message that is whole elsewhere are no harm: whether it is, the harvest tells.
 */
static void on_aside(void *context, const struct recover_aside *aside)
{
    struct checking *checking = context;
    struct oracle *oracle = checking->harvest.oracle;

    if (aside->copied != ERR_OK)
        fail(checking, aside->copied, "setting aside");
    if (aside->why != RECOVER_TORN && !(aside->has_id && may_vanish(oracle, aside->id)))
        oracle_fault(oracle, "a record set aside as damaged: segment %016" PRIx64 " at %" PRIu64,
            aside->segment, aside->offset);
}

static void on_alive(void *context, uint64_t generation)
{
    (void)generation;
    fail(context, ERR_BUSY, "a segment that nobody writes is alive");
}

static void on_missing(void *context, struct queue_id id, uint64_t segment, uint64_t offset)
{
    struct checking *checking = context;
    struct oracle *oracle = checking->harvest.oracle;
    char text[QUEUE_ID_TEXT + 1];

    (void)segment, (void)offset;
    queue_id_format(id, text);
    if (!may_vanish(oracle, id))
        oracle_fault(oracle, "%s: known and nowhere", text);
}

static void on_owned(void *context, uint64_t generation)
{
    (void)context, (void)generation;
}

static void on_trouble(void *context, uint64_t generation, enum err reason, const char *what)
{
    (void)generation;
    fail(context, reason, what);
}

static void on_journal_damage(void *context, const struct journal_damage *damage)
{
    struct checking *checking = context;

    oracle_fault(checking->harvest.oracle, "journal %016" PRIx64 " at %" PRIu64 ": %s",
        damage->file, damage->offset, damage->why);
}

static void recover(struct checking *checking)
{
    const struct recover_events events = {
        .context = checking,
        .is_held = is_held,
        .on_message = on_message,
        .on_aside = on_aside,
        .on_alive = on_alive,
        .on_missing = on_missing,
        .on_owned = on_owned,
        .on_trouble = on_trouble,
        .on_journal_damage = on_journal_damage,
    };
    struct recover *recover = recover_new(&checking->store, &events);
    struct journal_replayed replayed;
    enum err rc = recover ? recover_journal(recover, &replayed) : ERR_NOMEM;

    if (rc == ERR_OK) {
        recover_now(recover, clock_wall_us());
        rc = recover_segments(recover);
    }
    if (rc != ERR_OK)
        fail(checking, rc, "recovery");
    if (rc == ERR_OK)
        recover_finish(recover);
    recover_free(&recover);
}

void check_spool(struct disk *disk, int root, struct oracle *oracle, moment now)
{
    const struct store_settings settings = { .segment_size = STORE_SEGMENT_MIN, .lock = -1 };
    struct checking checking = { .disk = disk, .now = now };
    enum err rc;

    harvest_begin(&checking.harvest, oracle, now);
    buffer_init(&checking.bytes, RECORD_MAX);
    arena_init(&checking.arena, 4 << 20);
    rc = store_open(&checking.store, disk, root, &settings);
    if (rc == ERR_OK) {
        recover(&checking);
        store_close(&checking.store);
    } else {
        fail(&checking, rc, "opening the spool");
    }
    harvest_end(&checking.harvest);
    buffer_clear(&checking.bytes);
    arena_clear(&checking.arena);
}
