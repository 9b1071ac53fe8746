/* tests/unit/gate/house.h: a gate without a supervisor, and around it, in the same loop, a queue, a
 * vault and a relay that answer as each case wants, and clients. For unit tests and for the fuzz
 * target; a case that does not come true ends the process. */
#ifndef TESTS_GATE_HOUSE_H
#define TESTS_GATE_HOUSE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "ipc/channel.h"
#include "net/stream.h"
#include "spool/disk.h"
#include "spool/segment.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { HOUSE_SEGMENTS = 64, HOUSE_SPARES = 128, HOUSE_SEGMENT_SIZE = 8 << 20, HOUSE_OWED = 256 };

/* The places of the listeners in the configuration. */
enum house_listener { LISTENER_CLEAR, LISTENER_STARTTLS, LISTENER_IMPLICIT };

/* Passes everything on, and fails where it is told to. */
struct house_disk {
    struct disk disk;
    struct disk_ops ops;
    int sync_fails;    /* the next so many syncs fail; negative: all */
    int sync_fails_at; /* the so-manieth from now on fails; 0: none */
    int write_fails;
    int syncs;
    int writes;
    int sync_delay_ms;
};

struct house_segment {
    uint64_t generation;
    int file; /* our own copy */
    uint64_t upto;
    int doorbells;
    bool is_final;
    bool is_cut;
    uint64_t cut;
};

struct house_spare {
    uint64_t number;
    int file;
};

/* What a neighbour has to say, kept for later. */
struct house_owed {
    struct channel **to;
    enum message_type type;
    struct buffer packed;
    int fd;
};

struct house;

/* The certificate, and the vault's way to sign for it; house_tls.c has one. */
struct house_tls {
    struct slice chain;
    /* Answers with house_say. */
    void (*sign)(struct house_tls *tls, struct house *house, const struct msg_sign *request);
};

struct house {
    struct loop *loop;
    struct gate gate;
    struct house_disk disk;
    struct channel *queue;
    struct channel *vault;
    struct channel *relay;
    struct channel *fetch;
    struct house_tls *tls; /* NULL: no certificate */

    bool holds_blanks; /* the queue gives nothing */
    bool holds_spares;
    bool holds_cuts;
    bool forgets; /* segments that are finished, and spares: for runs without end */
    uint64_t segment_size;
    uint64_t generation; /* the latest */
    struct house_segment segments[HOUSE_SEGMENTS];
    size_t segment_count;
    struct house_spare spares[HOUSE_SPARES];
    size_t spare_count;
    struct msg_need need; /* not served yet */
    int auth_starts;
    int domain_asks;
    int held_asks;
    uint64_t held_size; /* that the last of them was about */
    bool is_held_full;  /* nobody may have more held */
    bool is_held_silent;
    int url_asks, url_cancels;
    uint64_t url_request; /* the last, and the pipe that came with it */
    int url_pipe;
    bool has_url_pipe;
    bool serves_urls; /* at once: as many octets as the UID says, and a result to fit it */
    bool is_vault_silent;
    bool narrows; /* logins come with a scope, and with limits of their own */
    bool is_slow; /* the neighbours keep what they have to say for house_answer */
    struct house_owed owed[HOUSE_OWED];
    size_t owed_count;
};

struct client {
    struct house *house;
    struct stream *stream;
    struct buffer heard;
    bool is_closed;
    bool is_secured;
    enum stream_end end;
};

/* text: more settings for the top of the configuration; may be "". */
void house_open(struct house *house, const char *text);
void house_close(struct house *house);
/* conf text for house_open and reloads. */
void house_apply(struct house *house, const char *text);
void house_turn(struct house *house, int64_t ms);
void house_attach_queue(struct house *house);
void house_detach_queue(struct house *house);
void house_attach_vault(struct house *house);
void house_detach_vault(struct house *house);
void house_attach_relay(struct house *house);
void house_detach_relay(struct house *house);
void house_attach_fetch(struct house *house);
void house_detach_fetch(struct house *house);
/* Content for the last URL that was asked for. */
void house_url_write(struct house *house, const void *octets, size_t len);
/* The end of it: closes the pipe and says so. */
void house_url_done(struct house *house, enum url_result result, uint64_t octets);
/* Two ends of a connection, non-blocking. */
int house_pair(int *out_other);
/* A neighbour (&house->queue, vault or relay) says this, now or, where the house is slow, later. */
void house_say(struct house *house, struct channel **neighbour, enum message_type type,
    const void *message, int fd);
/* Says what is owed at that place; what came after it stays owed. A neighbour that has gone
 * meanwhile says nothing; one that has come back says it out of turn. */
void house_answer(struct house *house, size_t place);
/* Hands out what is asked for, as far as nothing is held back. */
void house_serve(struct house *house);
/* The records that the gate stated, in the order of their segments. Calls each; returns their
 * number. */
size_t house_records(
    struct house *house, void (*each)(void *owner, const struct record *record), void *owner);

/* address: "192.0.2.9". Trusted are 192.0.2.0/24. */
void client_open(
    struct client *client, struct house *house, enum house_listener listener, const char *address);
/* Resets or ends the connection from the client's side. */
void client_close(struct client *client);
void client_say(struct client *client, const char *text);
void client_send(struct client *client, const void *data, size_t len);
/* Turns until a whole reply is there, takes it and requires that it begins so. The reply, all lines
 * of it, stays readable until the next call. */
const char *client_expect(struct client *client, const char *start);
/* Says a line and expects. */
const char *client_ask(struct client *client, const char *line, const char *start);
/* Turns until the connection has ended. */
void client_expect_end(struct client *client);
/* The greeting, EHLO, and MAIL and RCPT of a trusted client. */
void client_begin(struct client *client, struct house *house);

#endif
