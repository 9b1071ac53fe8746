/* spool/journal.c: the writing side of the journal. */
#include "spool/journal.h"

#include <assert.h>
#include <string.h>

void journal_init(struct journal *journal, struct store *store,
    const struct journal_replayed *replayed, uint64_t file_size)
{
    *journal = (struct journal){
        .store = store,
        .file = -1,
        .file_size = file_size ? file_size : JOURNAL_FILE_SIZE,
    };
    if (!replayed)
        return;
    journal->previous = replayed->last;
    journal->previous_end = replayed->last ? replayed->last_end : 0;
    journal->tally = replayed->tally;
    journal->tally.begun = 0;
}

void journal_clear(struct journal *journal)
{
    disk_close(journal->store->disk, &journal->file);
}

void journal_tally_add(struct journal_tally *tally, uint16_t kind,
    const struct journal_checkpoint *checkpoint, uint64_t octets)
{
    if (kind < JOURNAL_CHECKPOINT) {
        tally->since += octets;
        tally->begun_since += octets;
        return;
    }
    tally->begun_size += octets;
    if (kind != JOURNAL_CHECKPOINT)
        return;
    if (checkpoint->stage == JOURNAL_BEGIN) {
        tally->begun = checkpoint->number;
        tally->begun_size = octets;
        tally->begun_since = 0;
    } else if (tally->begun != 0 && checkpoint->number == tally->begun) {
        tally->from = tally->begun;
        tally->size = tally->begun_size;
        tally->since = tally->begun_since;
        tally->begun = 0;
    }
}

/* Lets go of the current file; the next one will name it and its good end, so whatever a failed
 * write left behind that end is not read again. */
static void leave_file(struct journal *journal)
{
    disk_close(journal->store->disk, &journal->file);
    journal->previous = journal->number;
    journal->previous_end = journal->end;
}

static enum err begin_file(struct journal *journal, uint64_t octets)
{
    struct file_head head = {
        .size = FILE_HEAD + octets,
        .previous = journal->previous,
        .previous_end = journal->previous_end,
        .from = journal->tally.from,
    };
    enum err rc;

    if (head.size < journal->file_size)
        head.size = journal->file_size;
    head.size = (head.size + FILE_HEAD - 1) / FILE_HEAD * FILE_HEAD;
    rc = store_new_journal(journal->store, &head, &journal->number, &journal->file);
    if (rc != ERR_OK)
        return rc;
    journal->size = head.size;
    journal->end = journal->zeroed = FILE_HEAD;
    journal->floor = head.from;
    return ERR_OK;
}

/* For the file that the entries go to. */
static void seal_entries(struct journal *journal, struct slice bytes, struct journal_tally *tally)
{
    for (uint64_t at = 0; at < bytes.len;) {
        char *frame = (char *)(uintptr_t)bytes.data + at;
        uint16_t kind = frame_kind(frame);
        struct journal_checkpoint checkpoint = { 0 };
        uint64_t octets;

        if (kind == JOURNAL_CHECKPOINT)
            checkpoint = journal_stamp(frame, journal->number, tally->begun);
        frame_mark(frame, at == 0);
        octets = frame_reseal(&journal_format, journal->number, frame);
        journal_tally_add(tally, kind, &checkpoint, octets);
        at += octets;
    }
}

static enum err write_entries(struct journal *journal, struct slice bytes)
{
    struct disk *disk = journal->store->disk;
    uint64_t end = journal->end + bytes.len;
    struct iovec ahead = disk_zeros_ahead(journal->zeroed, end, journal->size);
    struct iovec parts[] = { { (void *)(uintptr_t)bytes.data, bytes.len }, ahead };
    struct journal_tally tally = journal->tally;
    enum err rc;

    seal_entries(journal, bytes, &tally);
    rc = disk_write_all(disk, journal->file, parts, LENGTH_OF(parts), journal->end);
    if (rc == ERR_OK)
        rc = disk->ops->sync(disk, journal->file);
    if (rc != ERR_OK)
        return rc;
    journal->end = end;
    if (ahead.iov_len > 0)
        journal->zeroed = end + ahead.iov_len;
    journal->tally = tally;
    return ERR_OK;
}

/* Into the current file if there is one with room, else into a new one. */
static enum err commit_entries(struct journal *journal, struct slice bytes)
{
    enum err rc = ERR_OK;

    for (int tries = 0; tries < 2; tries++) {
        if (journal->file >= 0 && bytes.len > journal->size - journal->end)
            leave_file(journal);
        if (journal->file < 0)
            rc = begin_file(journal, bytes.len);
        if (rc != ERR_OK)
            break;
        rc = write_entries(journal, bytes);
        if (rc == ERR_OK)
            break;
        leave_file(journal);
        if (tries == 0)
            rc = ERR_OK;
    }
    return rc;
}

/* The batch up to there, but for what an earlier try has synced. */
static enum err commit_upto(struct journal *journal, struct journal_batch *batch, size_t upto)
{
    struct slice bytes = slice_first(buffer_slice(&batch->bytes), upto);
    enum err rc = ERR_OK;

    if (batch->written < upto)
        rc = commit_entries(journal, slice_from(bytes, batch->written));
    if (rc == ERR_OK && batch->written < upto)
        batch->written = upto;
    return rc;
}

enum err journal_commit(struct journal *journal, struct journal_batch *batch)
{
    enum err rc = batch->bytes.error;

    if (rc == ERR_OK && batch->has_begin)
        rc = commit_upto(journal, batch, batch->begin);
    if (rc == ERR_OK && batch->has_begin && batch->written == batch->begin && journal->file >= 0)
        leave_file(journal);
    if (rc == ERR_OK)
        rc = commit_upto(journal, batch, batch->bytes.len);
    /* A checkpoint has ended: from now on a start reads from there, if a file says so. */
    if (rc == ERR_OK && journal->file >= 0 && journal->floor != journal->tally.from) {
        leave_file(journal);
        (void)!begin_file(journal, 0);
    }
    return rc;
}
