/* tests/rooms/forge.c: the pen of a gate that lies: appends a sound record to the segment that is
 * its standard input, whatever that record claims.
 *
 *   rooms_forge GENERATION SIZE END BODY_FILE NUMBER     prints where the record ends */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "spool/envelope.h"
#include "spool/segment.h"

static enum err forge(struct segment_writer *writer, uint64_t body_file, uint64_t number)
{
    struct slice header = slice_text("From: mallory@example.net\r\nSubject: forged\r\n\r\n");
    struct slice body = slice_text("Forged.\r\n");
    struct envelope_recipient bob = { .address = slice_text("bob@example.org") };
    struct envelope envelope = {
        .id = { .high = (uint64_t)(clock_wall_us() / 1000) << 16, .low = number },
        .sender = slice_text("mallory@example.net"),
        .user = slice_text("mallory@example.net"),
        .arrival_us = clock_wall_us(),
        .header_size = header.len,
        .body_size = body_file ? 20000 : body.len,
        .body_file = body_file,
        .recipients = &bob,
        .recipient_count = 1,
    };
    struct record_draft draft, *drafts[] = { &draft };
    struct buffer packed;
    enum err rc;

    buffer_init(&packed, ENVELOPE_MAX);
    rc = envelope_pack(&packed, &envelope);
    if (rc == ERR_OK)
        rc = record_draft_init(
            &draft, envelope.id, buffer_slice(&packed), &header, 1, &body, body_file ? 0 : 1);
    if (rc == ERR_OK)
        rc = segment_append(writer, drafts, 1);
    buffer_clear(&packed);
    return rc;
}

int main(int argc, char **argv)
{
    struct segment_writer writer;
    uint64_t n[5];
    enum err rc;

    for (size_t i = 0; i < LENGTH_OF(n); i++)
        n[i] = (int)i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;
    segment_writer_init(&writer, disk_posix(), STDIN_FILENO, n[0], n[1], n[2]);
    rc = forge(&writer, n[3], n[4]);
    if (rc != ERR_OK) {
        fprintf(stderr, "%s\n", err_text(rc));
        return 1;
    }
    printf("%llu\n", (unsigned long long)writer.end);
    return 0;
}
