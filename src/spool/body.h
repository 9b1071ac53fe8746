/* spool/body.h: a large body in a file of its own. The gate streams into one that the queue made;
 * the record names it by number, size and checksum; the relay reads it. */
#ifndef SPOOL_BODY_H
#define SPOOL_BODY_H

#include "base/slice.h"
#include "spool/disk.h"

struct body_sum; /* the running checksum */

/* The gate's side. One thread at a time. */
struct body_writer {
    struct disk *disk;
    int file; /* write-only, locked; owned */
    uint64_t number;
    uint64_t size; /* octets written */
    struct body_sum *sum;
    enum err error; /* sticky; a writer that failed is only good for body_writer_clear */
};

/* Takes the handle of a spare. Cannot fail: trouble is in writer->error. */
void body_writer_init(struct body_writer *writer, struct disk *disk, int file, uint64_t number);
/* Closes the handle. To be called only after the record that names the file is synced, or never
 * will be: the lock is what keeps the file from being swept. */
void body_writer_clear(struct body_writer *writer);

/* Appends. Blocks. */
MUST_CHECK enum err body_writer_append(
    struct body_writer *writer, const struct slice *pieces, size_t count);
/* Empties the file for another message (the transaction was reset). Not after a failure, and not
 * once a record that names the file was given to segment_append, whatever came of it: a refused
 * record may still lie in its segment, and would then claim the body of the next message. */
MUST_CHECK enum err body_writer_reset(struct body_writer *writer);
/* Syncs; once, at the end. out_checksum is what the envelope carries. ERR_OK: the record may be
 * written. */
MUST_CHECK enum err body_writer_commit(struct body_writer *writer, uint64_t *out_checksum);

/* Checks size and checksum of a whole body through a read handle; ERR_CORRUPT. Reads all of it, so
 * never on a room's loop: before an attempt, and for tools. */
MUST_CHECK enum err body_file_check(struct disk *disk, int file, uint64_t size, uint64_t checksum);

#endif
