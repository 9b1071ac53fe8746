/* maildrop/folder.h: one message into one Maildir folder, durable before it is called delivered.
 * Knows no channel. Everything blocks: for hands. */
#ifndef MAILDROP_FOLDER_H
#define MAILDROP_FOLDER_H

#include "base/error.h"
#include "base/macros.h"
#include "base/queue_id.h"
#include "base/slice.h"

/* The three parts of a Maildir, opened. */
struct folder {
    int tmp;
    int fresh; /* "new" */
    int cur;
};

/* Opens tmp, new and cur below the directory descriptor, which stays the caller's; makes those that
 * are missing (mode 0700). ERR_NOSPACE, ERR_DENIED, …; nothing is left open then. */
MUST_CHECK enum err folder_open(int directory, struct folder *out_folder);
void folder_close(struct folder *folder);

struct folder_copy {
    struct queue_id id;
    uint32_t recipient; /* index in the envelope */
    int64_t arrival_us;
    struct slice hostname;
    struct slice sender;  /* Return-Path; empty: the null sender */
    struct slice address; /* Delivered-To */
    struct slice header;  /* with its empty line; CRLF or LF */
    struct slice body;    /* inline; not used when body_file is not negative */
    int body_file;        /* read from its start, at any position */
    uint64_t body_size;
};

/* Writes the copy: Return-Path and Delivered-To on top, CRLF as LF; synced, then renamed into new/.
 * It is there for good only after folder_sync.
 *
 * The name is made of arrival time, queue id and recipient, so it is the same whenever the same
 * mail comes again: a second delivery replaces the first in new/, and nothing is done where a mail
 * program has moved the first to cur/ without flags or as seen. Only a copy that was moved
 * elsewhere or has been flagged otherwise is delivered again. ERR_CORRUPT: the body file is shorter
 * than body_size. */
MUST_CHECK enum err folder_put(const struct folder *folder, const struct folder_copy *copy);
/* The names in new/ to stable storage. */
MUST_CHECK enum err folder_sync(const struct folder *folder);

#endif
