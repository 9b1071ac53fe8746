/* gate/transaction.h: one mail transaction, from MAIL until the message is kept, refused or given
 * up. Owned by its session; freed as a whole. */
#ifndef GATE_TRANSACTION_H
#define GATE_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/macros.h"
#include "gate/body.h"
#include "smtp/address.h"
#include "smtp/parameters.h"
#include "spool/envelope.h"

struct entry;
struct partial;
struct session;
struct transaction_mailbox;

struct transaction {
    struct arena arena;  /* all texts; capped by the number of recipients */
    struct slice sender; /* canonical mailbox text; empty: null reverse-path */
    bool sender_utf8;
    struct mail_parameters parameters;
    bool is_lowered; /* the priority asked for was not granted (EXT-MTPRI-2) */

    struct envelope_recipient *recipients;
    size_t recipient_count;
    size_t recipient_room;
    struct transaction_mailbox *mailboxes; /* the same as a map, to find duplicates (CMD-33) */
    size_t tried;                          /* RCPT commands, good or bad (EXT-LIMITS-2) */
    struct address candidate;              /* of the RCPT that waits for an answer */
    struct rcpt_parameters wishes;         /* of the same */

    struct slice mail;       /* MAIL's argument, where there is a TRANSID */
    struct partial *partial; /* the same by its TRANSID (EXT-CKPT-2); NULL: it is an ordinary one */
    bool is_resumed;         /* the recipients were kept … */
    size_t judged;           /* … of whom so many were found to be allowed still … */
    size_t restated;         /* … and so many were given again */

    struct body body;
    int64_t content_since_ms; /* monotonic: the first DATA or BDAT */
    struct entry *entry;      /* made at the end of data, while a large body is being synced */
};

/* recipients: how many it may have at most. NULL without memory. */
MUST_CHECK struct transaction *transaction_new(size_t recipients);
/* Nulls the pointer; NULL is harmless. What is on its way to the disk is not taken back. */
void transaction_free(struct transaction **transaction);

/* The parameters of MAIL are kept, but for AUTH, which is not believed (AUTH-22). ERR_NOMEM. */
MUST_CHECK enum err transaction_set_parameters(
    struct transaction *transaction, const struct mail_parameters *parameters);
/* The candidate and what was asked for him are kept. ERR_NOMEM. */
MUST_CHECK enum err transaction_set_candidate(struct transaction *transaction,
    const struct address *candidate, const struct rcpt_parameters *wishes);
/* The address is kept as text. ERR_NOMEM. */
MUST_CHECK enum err transaction_set_sender(
    struct transaction *transaction, const struct address *sender);
/* Is it the address of a recipient? (Without memory: no.) */
bool transaction_names(const struct transaction *transaction, const struct address *address);
/* The candidate was a recipient when the connection was cut (is_resumed). ERR_NOTFOUND: he was not;
 * ERR_NOMEM. */
MUST_CHECK enum err transaction_restate(struct transaction *transaction);
/* The candidate becomes a recipient. One that was given before counts once, with what was asked for
 * him first (CMD-33): ERR_OK too. ERR_NOMEM. */
MUST_CHECK enum err transaction_add_recipient(struct transaction *transaction);
/* As if none had been named, or kept. */
void transaction_forget_recipients(struct transaction *transaction);

#endif
