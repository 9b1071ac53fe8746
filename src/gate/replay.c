/* gate/replay.c: one piece at a time between the loop and a hand. */
#include "gate/replay.h"

#include <stdlib.h>

#include "net/hands.h"
#include "spool/disk.h"

enum { PIECE = 64 << 10 };

struct replay {
    struct hand_job job;
    struct hands *hands;
    struct disk *disk;
    int file;
    uint64_t at;
    uint64_t left;
    size_t got;
    enum err error;
    bool is_reading; /* a hand has it */
    bool is_telling; /* the owner is looking at the piece … */
    bool is_wanted;  /* … and has asked for the next one */
    replay_fn *fn;
    void *owner; /* NULL: nobody's, goes when the hand is done */
    char piece[PIECE];
};

static void work(struct hand_job *job)
{
    struct replay *r = CONTAINER_OF(job, struct replay, job);
    size_t want = r->left < PIECE ? (size_t)r->left : PIECE;

    r->error = r->disk->ops->read_at(r->disk, r->file, r->piece, want, r->at, &r->got);
    if (r->error == ERR_OK && r->got < want)
        r->error = ERR_CORRUPT; /* it was all there when the queue looked */
}

static void end(struct replay *r)
{
    disk_close(r->disk, &r->file);
    free(r);
}

static void give(struct replay *r)
{
    r->is_wanted = false;
    r->is_reading = true;
    hands_give(r->hands, &r->job);
}

static void done(struct hand_job *job)
{
    struct replay *r = CONTAINER_OF(job, struct replay, job);

    r->is_reading = false;
    if (r->error == ERR_OK) {
        r->at += r->got;
        r->left -= r->got;
    }
    r->is_telling = true;
    if (r->owner)
        r->fn(r->owner, slice_of(r->piece, r->error == ERR_OK ? r->got : 0), r->error);
    r->is_telling = false;
    if (r->is_wanted && r->owner)
        give(r);
    else if (!r->owner)
        end(r);
}

struct replay *replay_new(
    struct hands *hands, struct disk *disk, int file, uint64_t octets, replay_fn *fn, void *owner)
{
    struct replay *r = calloc(1, sizeof *r);

    if (!r) {
        disk_close(disk, &file);
        return NULL;
    }
    r->job = (struct hand_job){ .work = work, .done = done };
    r->hands = hands;
    r->disk = disk;
    r->file = file;
    r->left = octets;
    r->fn = fn;
    r->owner = owner;
    return r;
}

void replay_read(struct replay *r)
{
    if (r->is_reading || r->left == 0)
        return;
    if (r->is_telling)
        r->is_wanted = true;
    else
        give(r);
}

bool replay_is_over(const struct replay *r)
{
    return r->left == 0 && !r->is_reading;
}

void replay_free(struct replay **at)
{
    struct replay *r = *at;

    *at = NULL;
    if (!r)
        return;
    r->owner = NULL;
    if (!r->is_reading && !r->is_telling)
        end(r);
}
