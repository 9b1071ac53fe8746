/* spool/partial.h: what came of a message before its connection was cut, kept so that the client
 * can go on (RFC 1845, EXT-CKPT-2): partials/<number>.part holds one frame with everything but the
 * octets that went into a body file. docs/decisions/0011-checkpoint.md. */
#ifndef SPOOL_PARTIAL_H
#define SPOOL_PARTIAL_H

#include "spool/envelope.h"
#include "spool/frame.h"
#include "spool/store.h"

/* Bounds in octets. Text above them does not pack. */
enum {
    PARTIAL_TRANSID_MAX = 80,
    PARTIAL_MAIL_MAX = 4096,
    PARTIAL_PROOF_MAX = 32,
    PARTIAL_FRONT_MAX = 2 << 20,
    PARTIAL_STATE_MAX = 5 << 20, /* all but the front, packed */
};

/* Texts and recipients are borrowed. */
struct partial_state {
    /* Whose it is, and what names it: all of it must be the same for going on. */
    struct slice user;
    struct slice ehlo;
    struct slice transid;
    struct slice proof; /* that the user logged in, as the gate had it from the vault */
    struct slice mail;  /* the argument of MAIL */

    int64_t kept_us; /* wall clock */
    /* The message was taken, and the client may not know: nothing is missing but the end of data.
     * Then there is neither front nor body. */
    bool is_complete;
    struct queue_id id; /* of the message, when it was taken */
    uint64_t octets;    /* of content: the offset at which it goes on */
    struct envelope_recipient *recipients;
    size_t recipient_count;
    uint64_t body_file;     /* the rest of the content, behind the front; 0: there is none */
    uint64_t body_octets;   /* of it, from its beginning on; never 0 where there is one */
    uint64_t body_size;     /* octets in the file: the last line may be there in part */
    uint64_t body_checksum; /* XXH3-64 of all of these, seed 0 */
    struct slice front;     /* the content's first octets */
};

extern const struct frame_format partial_format;
/* Part 0; the front is part 1. */
extern const struct shape partial_state_shape;

/* Does it say what can be? The bounds of texts are the shape's. */
bool partial_is_sound(const struct partial_state *state);

/* Writes it to a new file, syncs file and name. ERR_LIMIT when it breaks a bound; whatever fails
 * leaves no file but by a crash. */
MUST_CHECK enum err store_partial(
    struct store *store, const struct partial_state *state, uint64_t *out_number);
/* Reads one; the texts point into the buffer, the recipients lie in the arena. ERR_NOTFOUND,
 * ERR_CORRUPT, ERR_INVALID (of a later version). */
MUST_CHECK enum err partial_read(struct store *store, uint64_t number, struct buffer *bytes,
    struct arena *arena, struct partial_state *out_state);
/* The same from octets. */
MUST_CHECK enum err partial_parse(
    struct slice bytes, uint64_t number, struct arena *arena, struct partial_state *out_state);
/* Cuts the body file to its size, once nobody writes it any more. ERR_BUSY,
 * ERR_CORRUPT: it has fewer. */
MUST_CHECK enum err partial_settle_body(struct store *store, const struct partial_state *state);
/* Are all octets of its body there? Reads them all. ERR_CORRUPT. *out_file is a read-only handle of
 * the caller's; -1 when it has no body file. */
MUST_CHECK enum err partial_check_body(
    struct store *store, const struct partial_state *state, int *out_file);
/* Removes both files, and syncs. Numbers of 0 are skipped; what is gone already is no failure. */
MUST_CHECK enum err partial_remove(struct store *store, uint64_t number, uint64_t body_file);

#endif
