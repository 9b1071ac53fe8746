/* queue/report.h: what is to be told about recipients of one message that have come to the same
 * kind of end, and what is put down in the journal once it was told, or need not be. */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "base/log.h"
#include "queue/notice.h"
#include "queue/state.h"

enum { REPORT_ROWS = 100 }; /* more recipients get more notices */

struct report {
    struct report *next;
    struct queue *queue;
    struct message *message;
    struct notice notice;
    struct place place; /* of the original, while it is being read */
    struct arena arena;
    struct ending *endings;
    size_t count;
    struct ack *ack;
    bool is_silent; /* the sender wants to hear of none of it (EXT-DSN-10) */
    bool is_told;   /* a notice about it is in the spool */
    bool is_owed;   /* a success that the journal has, but for the notice */
    enum err result;
    struct commit_wait wait;
};

/* Copies the endings, at most REPORT_ROWS; the id follows from them. */
struct report *report_new(struct queue *queue, struct message *message, enum envelope_notice kind,
    const struct ending *endings, size_t count);
/* Of a success, which needs no notice to be true: it becomes the journal's and the recipients' at
 * once, so that a delivery which a crash may repeat is never one that only waits for its notice.
 * is_journalled: it was, in an earlier life. */
void report_owe(struct report *report, bool is_journalled);
/* Into the journal (again): what is owed about a recipient of the message. */
void report_put_owed(const struct report *report, uint32_t recipient);
/* One line in the log. */
void report_log(const struct report *report, enum log_level level, const char *event);
/* The ends become the journal's and the recipients'; the report goes when that is synced. */
void report_settle(struct report *report);
/* The same where the original does not read back, so that nobody can be told: it is held and named.
 * What was delivered must not be sent again for that. */
void report_give_up(struct report *report);
/* Frees it, and releases its ack. */
void report_free(struct report *report);

#endif
