/* maildrop/drop.c: a job from its message to its outcome. */
#include "maildrop/drop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "maildrop/folder.h"
#include "smtp/parameters.h"

enum { DROP_MEMORY = 2 * FRAME_MAX };

struct shared_place *place_new(int directory)
{
    struct shared_place *place = calloc(1, sizeof *place);

    if (!place) {
        close(directory);
        return NULL;
    }
    place->directory = directory;
    place->refs = 1;
    return place;
}

void place_drop(struct shared_place **place)
{
    struct shared_place *dropped = *place;

    *place = NULL;
    if (!dropped || --dropped->refs > 0)
        return;
    close(dropped->directory);
    free(dropped);
}

static bool copy_job(struct drop *drop, const struct msg_job *job)
{
    struct arena *arena = &drop->arena;

    drop->count = job->recipient_count;
    drop->results = arena_array(arena, drop->count, sizeof *drop->results);
    drop->rows = arena_array(arena, drop->count, sizeof *drop->rows);
    if (!drop->results || !drop->rows || !arena_copy(arena, job->sender, &drop->sender) ||
        !arena_copy(arena, job->header, &drop->header) ||
        !arena_copy(arena, job->body, &drop->body))
        return false;
    for (size_t i = 0; i < drop->count; i++) {
        uint8_t rrvs = job->recipients[i].rrvs;

        drop->results[i].index = job->recipients[i].index;
        drop->results[i].asks_owner = rrvs == RRVS_UNSTATED || rrvs == RRVS_REJECT;
        if (!arena_copy(arena, job->recipients[i].address, &drop->results[i].address))
            return false;
    }
    return true;
}

struct drop *drop_new(struct maildrop *owner, const struct msg_job *job, int fd)
{
    struct drop *drop = calloc(1, sizeof *drop);

    if (!drop) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    arena_init(&drop->arena, DROP_MEMORY);
    drop->owner = owner;
    drop->state = DROP_WAITING;
    drop->job = job->job;
    drop->snapshot = job->snapshot;
    drop->route = job->route;
    drop->id = (struct queue_id){ job->id_high, job->id_low };
    drop->arrival_us = job->arrival_us;
    drop->body_size = job->body_size;
    drop->is_binary = job->binary;
    drop->body_file = fd;
    if (!copy_job(drop, job))
        drop_free(&drop);
    return drop;
}

void drop_free(struct drop **out_drop)
{
    struct drop *drop = *out_drop;

    *out_drop = NULL;
    if (!drop)
        return;
    if (drop->body_file >= 0)
        close(drop->body_file);
    place_drop(&drop->place);
    arena_clear(&drop->arena);
    free(drop);
}

void drop_place(
    struct drop *drop, struct shared_place *place, struct slice path, struct slice hostname)
{
    drop->place = place;
    if (place)
        place->refs++;
    /* Without memory for them they are left out of the words, and of the name. */
    if (!arena_copy(&drop->arena, path, &drop->path))
        drop->path = slice_text("the folder");
    if (!arena_copy(&drop->arena, hostname, &drop->hostname))
        drop->hostname = slice_text("localhost");
}

static void note(struct drop *drop, struct drop_result *result, enum err rc)
{
    struct slice path = slice_first(drop->path, DROP_TEXT_MAX / 2);

    if (rc == ERR_OK) {
        result->result = DELIVERY_DONE;
        result->status = "2.0.0";
        snprintf(result->text, sizeof result->text, "delivered to %.*s", SLICE_ARGS(path));
        return;
    }
    result->result = rc == ERR_CORRUPT ? DELIVERY_FAILED : DELIVERY_DEFERRED;
    result->status = rc == ERR_CORRUPT ? "5.3.0" : rc == ERR_NOSPACE ? "4.3.1" : "4.3.0";
    snprintf(result->text, sizeof result->text, "%.*s: %s", SLICE_ARGS(path),
        rc == ERR_CORRUPT ? "the body file is not whole" : err_text(rc));
}

static void refuse(struct drop_result *result)
{
    result->result = DELIVERY_FAILED;
    result->status = "5.7.19";
    snprintf(result->text, sizeof result->text, "nobody here knows whose the mailbox was then");
}

static enum err put_recipient(
    struct drop *drop, const struct folder *folder, const struct drop_result *result)
{
    const struct folder_copy copy = {
        .id = drop->id,
        .recipient = result->index,
        .arrival_us = drop->arrival_us,
        .hostname = drop->hostname,
        .sender = drop->sender,
        .address = result->address,
        .header = drop->header,
        .body = drop->body,
        .body_file = drop->body_file,
        .body_size = drop->body_size,
    };

    return folder_put(folder, &copy);
}

/* In a folder lines end with LF: of binary content nobody could tell which (EXT-BINARYMIME-2). */
static void refuse_binary(struct drop *drop)
{
    for (size_t i = 0; i < drop->count; i++) {
        struct drop_result *result = &drop->results[i];

        result->result = DELIVERY_FAILED;
        result->status = "5.6.3";
        snprintf(result->text, sizeof result->text,
            "The message holds binary content, which a folder does not keep");
    }
    drop->finished_us = clock_wall_us();
}

void drop_work(struct hand_job *hand)
{
    struct drop *drop = CONTAINER_OF(hand, struct drop, hand);
    struct folder folder;
    enum err opened, synced;

    drop->started_us = clock_wall_us();
    if (drop->is_binary) {
        refuse_binary(drop);
        return;
    }
    opened = drop->place ? folder_open(drop->place->directory, &folder) : ERR_NOTFOUND;
    for (size_t i = 0; i < drop->count; i++) {
        struct drop_result *result = &drop->results[i];
        if (result->asks_owner)
            refuse(result);
        else
            note(drop, result, opened == ERR_OK ? put_recipient(drop, &folder, result) : opened);
    }
    synced = opened == ERR_OK ? folder_sync(&folder) : ERR_OK;
    for (size_t i = 0; i < drop->count && synced != ERR_OK; i++)
        if (drop->results[i].result == DELIVERY_DONE)
            note(drop, &drop->results[i], synced);
    if (opened == ERR_OK)
        folder_close(&folder);
    drop->finished_us = clock_wall_us();
}

void drop_give_back(struct drop *drop)
{
    drop->started_us = drop->finished_us = clock_wall_us();
    for (size_t i = 0; i < drop->count; i++) {
        drop->results[i].result = DELIVERY_RETURNED;
        drop->results[i].status = "";
    }
}

void drop_outcome(struct drop *drop, struct msg_outcome *out_outcome)
{
    for (size_t i = 0; i < drop->count; i++) {
        const struct drop_result *result = &drop->results[i];
        drop->rows[i] = (struct msg_result){
            .index = result->index,
            .result = result->result,
            .cause = CAUSE_LOCAL,
            .end = END_DELIVERED,
            .status = slice_text(result->status),
            .text = slice_text(result->text),
        };
    }
    *out_outcome = (struct msg_outcome){
        .job = drop->job,
        .id_high = drop->id.high,
        .id_low = drop->id.low,
        .started_us = drop->started_us,
        .finished_us = drop->finished_us,
        .remote_address = slice_first(drop->path, 1024),
        .results = drop->rows,
        .result_count = drop->count,
    };
}
