/* relay/upload.c: content onto the wire. Only the hand blocks. */
#include "relay/upload.h"

#include <stdlib.h>
#include <unistd.h>

#include "relay/carrier.h"

enum {
    READ_CHUNK = 64 << 10,
    /* A next hop that takes less than this on the average is as good as dead, even where it takes
     * an octet now and then (OUT-7 bounds only the wait for progress). */
    SLOWEST_OCTETS_A_SECOND = 1024,
};

/* A piece of a large body, read on a hand. Outlives its connection when that goes first. */
struct body_read {
    struct hand_job job;
    struct connection *connection; /* NULL: nobody waits any more */
    int fd;                        /* own copy */
    uint64_t at;
    size_t wanted;
    ssize_t got;
    char data[READ_CHUNK];
};

static void read_more(struct connection *c);

static void fail(struct connection *c, struct verdict why)
{
    connection_lose(c, CONNECTION_END_LOST, &why);
}

/* Sending on would let the next hop see a line end that is none (DATA-6). */
static void has_bare_line_end(struct connection *c)
{
    fail(c,
        verdict_of(DELIVERY_FAILED, CAUSE_CONTENT, "5.6.0", "the message holds a bare CR or LF"));
}

static void cannot_be_read(struct connection *c)
{
    fail(c,
        verdict_of(DELIVERY_DEFERRED, CAUSE_LOCAL, "4.3.0", "the message's body cannot be read"));
}

/* False when the connection had to go. */
static bool put(struct connection *c, struct slice bytes)
{
    struct transaction *t = &c->transaction;

    if (t->uses_bdat) {
        stream_write(c->stream, bytes);
        return true;
    }
    if (data_encode(&t->encoder, bytes, stream_output(c->stream)))
        return true;
    has_bare_line_end(c);
    return false;
}

static void finish(struct connection *c)
{
    struct transaction *t = &c->transaction;

    t->content = CONTENT_SENT;
    connection_limit(c, c->settings->conf->timeouts.end);
    if (!t->uses_bdat && !data_encode_end(&t->encoder, stream_output(c->stream)))
        has_bare_line_end(c);
}

static void free_read(struct body_read *read)
{
    close(read->fd);
    free(read);
}

static void on_read(struct connection *c, const struct body_read *read)
{
    struct transaction *t = &c->transaction;

    t->read = NULL;
    if (read->got <= 0) {
        cannot_be_read(c);
        return;
    }
    t->body_at += (uint64_t)read->got;
    if (!put(c, slice_of(read->data, (size_t)read->got)))
        return;
    if (stream_is_full(c->stream))
        stream_ask_drained(c->stream);
    else
        read_more(c);
}

static void read_done(struct hand_job *job)
{
    struct body_read *read = CONTAINER_OF(job, struct body_read, job);

    if (read->connection)
        on_read(read->connection, read);
    free_read(read);
}

static void read_work(struct hand_job *job)
{
    struct body_read *read = CONTAINER_OF(job, struct body_read, job);

    read->got = pread(read->fd, read->data, read->wanted, (off_t)read->at);
}

/* The copy of the descriptor keeps it from being another file's when the job has ended meanwhile.
 */
static struct body_read *read_new(struct connection *c, uint64_t left)
{
    struct body_read *read = malloc(sizeof *read);

    if (!read)
        return NULL;
    read->fd = dup(c->transaction.job->body);
    if (read->fd < 0) {
        free(read);
        return NULL;
    }
    read->job = (struct hand_job){ .work = read_work, .done = read_done };
    read->connection = c;
    read->at = c->transaction.body_at;
    read->wanted = left < READ_CHUNK ? (size_t)left : READ_CHUNK;
    return read;
}

static void read_more(struct connection *c)
{
    struct transaction *t = &c->transaction;
    uint64_t left = t->job->message.body_size - t->body_at;

    if (left == 0) {
        finish(c);
        return;
    }
    t->read = read_new(c, left);
    if (t->read)
        hands_give(c->carrier->hands, &t->read->job);
    else
        cannot_be_read(c);
}

void upload_begin(struct connection *c)
{
    struct transaction *t = &c->transaction;
    const struct msg_job *m = &t->job->message;

    t->content = CONTENT_SENDING;
    connection_limit(
        c, c->settings->conf->timeouts.block + job_content_size(t->job) / SLOWEST_OCTETS_A_SECOND);
    if (!put(c, m->header))
        return;
    if (t->job->body >= 0)
        read_more(c);
    else if (put(c, m->body))
        finish(c);
}

void upload_drained(struct connection *c)
{
    struct transaction *t = &c->transaction;

    if (t->content == CONTENT_SENDING && !t->read && t->job->body >= 0)
        read_more(c);
}

void upload_stop(struct connection *c)
{
    struct transaction *t = &c->transaction;

    if (t->read)
        t->read->connection = NULL;
    t->read = NULL;
}
