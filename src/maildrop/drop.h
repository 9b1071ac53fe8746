/* maildrop/drop.h: one job: recipients of one message for one folder, and what became of them. */
#ifndef MAILDROP_DROP_H
#define MAILDROP_DROP_H

#include "base/arena.h"
#include "base/queue_id.h"
#include "ipc/messages.h"
#include "net/hands.h"

struct maildrop;
struct room;

/* A folder's descriptor, shared by the snapshot that names it and the jobs that write to it. */
struct shared_place {
    int directory;
    unsigned refs;
};

struct place {
    uint32_t route;
    struct shared_place *shared;
};

/* Takes the descriptor (closed without memory, and then NULL). One reference. */
struct shared_place *place_new(int directory);
/* Gives the reference back; nothing for NULL. */
void place_drop(struct shared_place **place);

enum drop_state {
    DROP_WAITING, /* for its snapshot */
    DROP_WRITING, /* the hands have it */
    DROP_TOLD,    /* done; the queue has not acknowledged the outcome yet */
};

enum { DROP_TEXT_MAX = 512 };

struct drop_result {
    uint32_t index;
    struct slice address;
    bool asks_owner; /* not for a mailbox that may be somebody else's by now (EXT-RRVS-2) */
    enum delivery_result result;
    const char *status;
    char text[DROP_TEXT_MAX];
};

struct drop {
    struct drop *next, *prev;
    struct maildrop *owner;
    struct hand_job hand;
    struct arena arena;
    enum drop_state state;
    uint64_t job;
    uint64_t snapshot;
    uint32_t route;
    struct queue_id id;
    int64_t arrival_us;
    struct slice sender;
    struct slice header;
    struct slice body;
    uint64_t body_size;
    bool is_binary;
    int body_file;
    struct shared_place *place; /* NULL: the folder is not there */
    struct slice path;
    struct slice hostname;
    struct drop_result *results;
    struct msg_result *rows;
    size_t count;
    int64_t started_us;
    int64_t finished_us;
};

/* A copy of the job, WAITING. Takes the descriptor, also when it fails. NULL without memory. */
struct drop *drop_new(struct maildrop *owner, const struct msg_job *job, int fd);
void drop_free(struct drop **drop);
/* Where it is to go: takes a reference; path and hostname are copied. */
void drop_place(
    struct drop *drop, struct shared_place *place, struct slice path, struct slice hostname);
/* On a hand: writes one copy for each recipient, syncs, notes the results. */
void drop_work(struct hand_job *hand);
/* Nothing was tried: the queue schedules it again. */
void drop_give_back(struct drop *drop);
/* The results as a message; slices into the drop. */
void drop_outcome(struct drop *drop, struct msg_outcome *out_outcome);

/* For tests: ends the room's state whatever is under way. */
void maildrop_free(struct room *room);

#endif
