/* gate/fetching.h: the content that a URL names, on its way from an IMAP server into a message. The
 * fetch room is asked for it and writes it into a pipe whose other end the gate reads, octet by
 * octet into the same body that BDAT fills. What the fetch room says last tells whether that was
 * all of it. */
#ifndef GATE_FETCHING_H
#define GATE_FETCHING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "gate/answer.h"
#include "ipc/messages.h"
#include "net/loop.h"

struct burl;
struct channel;
struct gate;
struct session;

/* Owned by a session in PHASE_FETCH. */
struct fetching {
    struct session *session;
    uint64_t number; /* of the question */
    int pipe;        /* our end; -1: read to its end */
    struct watch readable;
    int64_t deadline_ms; /* monotonic */
    uint64_t taken;      /* octets */
    bool last;           /* the message ends with them */
    bool is_told;        /* how it ended over there: */
    enum url_result result;
    uint64_t octets;
};

/* Embedded in the gate. */
struct fetchings {
    struct gate *gate;
    struct channel *channel; /* NULL while the fetch room is away */
    uint16_t count;          /* of questions */
};

void fetchings_init(struct fetchings *fetchings, struct gate *gate);
void fetchings_clear(struct fetchings *fetchings);
/* A (new) channel's socket. What was asked over the old one is lost. */
void fetchings_attach(struct fetchings *fetchings, int fd);

/* Has the content of the URL fetched from that server (conf_imap_server's name), at most `most`
 * octets (0: no limit), into the body of the session's transaction, which is open. The session is
 * in PHASE_FETCH; says the reply, now or later. */
enum answer fetching_start(
    struct session *session, const struct burl *burl, struct slice server, uint64_t most);
/* Something has moved: the pipe, the body's file, or what the fetch room says (PHASE_FETCH). */
enum answer fetching_go_on(struct session *session);
/* It took too long (WAIT_FETCH is over). */
enum answer fetching_is_late(struct session *session);
/* The session no longer wants it. Harmless without one. */
void fetching_forget(struct session *session);

#endif
