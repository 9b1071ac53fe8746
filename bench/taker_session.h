/* bench/taker_session.h: private to taker: one connection, and what its two halves ask of each
 * other. */
#ifndef BENCH_TAKER_SESSION_H
#define BENCH_TAKER_SESSION_H

#include "bench/taker.h"
#include "bench/wire.h"

enum { HEAD_MAX = 8192 };

/* Where in the content of DATA the next octet stands (RFC 5321 section 4.1.1.4). */
enum place { PLACE_LINE_START, PLACE_DOT, PLACE_DOT_CR, PLACE_IN_LINE, PLACE_CR };

enum session_phase { SESSION_COMMANDS, SESSION_DATA, SESSION_CHUNK, SESSION_HELD };

struct session {
    struct session *next;
    struct session *previous;
    struct session *next_held;
    struct taker *taker;
    struct wire *wire;
    enum session_phase phase;
    enum place place;
    bool is_known; /* has logged in */
    bool has_sender;
    bool is_last;        /* the chunk being read is BDAT's last */
    uint64_t chunk_left; /* octets */
    uint64_t recipients;
    uint64_t octets; /* of this message */
    int64_t due_us;  /* of the 250, while held */
    size_t head_len;
    char head[HEAD_MAX]; /* the beginning of this message */
};

/* taker_dialogue.c */

/* Answers what has come in. */
void session_read(struct session *session);
void session_reply(struct session *session, const char *line);

/* taker.c */

/* A message has ended: counts it, and says 250 now or after the delay. */
void session_taken(struct session *session);

#endif
