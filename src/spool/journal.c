/* spool/journal.c: the writing side of the journal. */
#include "spool/journal.h"

#include <assert.h>
#include <string.h>

void journal_init(struct journal *journal, struct store *store, uint64_t previous,
    uint64_t previous_end, uint64_t file_size)
{
    *journal = (struct journal){
        .store = store,
        .file = -1,
        .previous = previous,
        .previous_end = previous_end,
        .file_size = file_size ? file_size : JOURNAL_FILE_SIZE,
    };
}

void journal_clear(struct journal *journal)
{
    disk_close(journal->store->disk, &journal->file);
}

/* Lets go of the current file; the next one will name it and its good end, so whatever a failed
 * write left behind that end is not read again. */
static void leave_file(struct journal *journal)
{
    disk_close(journal->store->disk, &journal->file);
    journal->previous = journal->number;
    journal->previous_end = journal->end;
}

static enum err begin_file(struct journal *journal, uint64_t batch)
{
    uint64_t size = FILE_HEAD + batch;
    enum err rc;

    if (size < journal->file_size)
        size = journal->file_size;
    size = (size + FILE_HEAD - 1) / FILE_HEAD * FILE_HEAD;
    rc = store_new_journal(journal->store, size, journal->previous, journal->previous_end,
        &journal->number, &journal->file);
    if (rc != ERR_OK)
        return rc;
    journal->size = size;
    journal->end = FILE_HEAD;
    return ERR_OK;
}

static enum err write_batch(struct journal *journal, struct slice bytes)
{
    struct disk *disk = journal->store->disk;
    struct iovec part = { (void *)(uintptr_t)bytes.data, bytes.len };
    enum err rc;

    for (uint64_t at = 0; at < bytes.len;)
        at += frame_reseal(&journal_format, journal->number, (char *)part.iov_base + at);
    rc = disk_write_all(disk, journal->file, &part, 1, journal->end);
    if (rc == ERR_OK)
        rc = disk->ops->sync(disk, journal->file);
    if (rc == ERR_OK)
        journal->end += bytes.len;
    return rc;
}

enum err journal_commit(struct journal *journal, struct journal_batch *batch)
{
    struct slice bytes = buffer_slice(&batch->bytes);
    enum err rc = batch->bytes.error;

    if (rc != ERR_OK || bytes.len == 0)
        return rc;
    for (int tries = 0; tries < 2; tries++) {
        if (journal->file >= 0 && bytes.len > journal->size - journal->end)
            leave_file(journal);
        if (journal->file < 0)
            rc = begin_file(journal, bytes.len);
        if (rc != ERR_OK)
            break;
        rc = write_batch(journal, bytes);
        if (rc == ERR_OK)
            break;
        leave_file(journal);
        if (tries == 0)
            rc = ERR_OK;
    }
    return rc;
}
