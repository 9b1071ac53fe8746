/* ipc/channel.c: frames on a stream socket. A frame is 8 octets (length of the payload u32, type
 * u16, descriptors u8, zero u8), then the packed struct. Descriptors travel with the first octet of
 * their frame and wait in a queue until the frame that announces them is complete. */
#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    HEAD = 8,
    READ_CHUNK = 64 << 10,
    READS_A_TURN = 8, /* then the other channels get their turn */
    FDS_WAITING_MAX = 64,
    BACKLOG_MAX = 64 << 20,
    ARENA_MAX = 2 * FRAME_MAX,
    KEEP_MEMORY = 256 << 10, /* an idle channel gives back what it holds above this */
};

/* A descriptor that must leave with the octet at this position of the output. */
struct outgoing_fd {
    uint64_t position;
    int fd;
};

struct channel {
    struct channel_spec spec;
    struct loop *loop;
    int fd;
    bool broken;
    struct watch watch;
    struct deferred flush;
    struct deferred report; /* tells the owner that the channel is broken */
    struct buffer in;
    struct buffer out;
    bool holds_secret; /* credentials are or were among the output since it was last empty */
    uint64_t written;  /* octets taken by the kernel since the beginning */
    struct outgoing_fd *fds_out;
    size_t fds_out_count;
    size_t fds_out_size;
    int fds_in[FDS_WAITING_MAX];
    size_t fds_in_count;
    struct arena arena; /* of the message being handled */
    bool *gone;         /* set when the channel is freed while its handler runs */
};

/* A room has one supervisor to tell, whoever in it owns the channel. */
static struct {
    void (*lost)(void *owner, enum role peer, uint32_t peer_index);
    void *owner;
} watcher;

void channel_watch_losses(
    void (*lost)(void *owner, enum role peer, uint32_t peer_index), void *owner)
{
    watcher.lost = lost;
    watcher.owner = owner;
}

/* level: the end of a room is told by the supervisor; a breach of the rules is told here. */
static void channel_end(struct channel *c, enum log_level level, const char *why)
{
    if (c->broken)
        return;
    c->broken = true;
    log_event(level, NULL, "channel closed", log_text("peer", role_name(c->spec.peer)),
        log_number("index", c->spec.peer_index), log_text("because", why));
    watch_disable(&c->watch, WATCH_READ | WATCH_WRITE);
    deferred_ask(&c->report);
}

static void channel_break(struct channel *c, const char *why)
{
    channel_end(c, LOG_WARNING, why);
}

static void channel_gone(struct channel *c)
{
    channel_end(c, LOG_DEBUG, "the peer is gone");
}

static ssize_t send_with_fd(struct channel *c, struct slice bytes, int fd)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *head;
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    return sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drop_first_fd(struct channel *c)
{
    close(c->fds_out[0].fd);
    c->fds_out_count--;
    memmove(c->fds_out, c->fds_out + 1, c->fds_out_count * sizeof *c->fds_out);
}

/* Writes up to the next descriptor's octet, or from it. ERR_BUSY when the kernel takes no more. */
static enum err write_some(struct channel *c)
{
    struct slice bytes = buffer_slice(&c->out);
    int fd = -1;
    ssize_t sent;

    if (c->fds_out_count > 0) {
        uint64_t before = c->fds_out[0].position - c->written;
        if (before > 0) {
            bytes = slice_first(bytes, (size_t)before);
        } else {
            fd = c->fds_out[0].fd;
            if (c->fds_out_count > 1)
                bytes = slice_first(bytes, (size_t)(c->fds_out[1].position - c->written));
        }
    }
    do
        sent = send_with_fd(c, bytes, fd);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return err_from_errno(errno);
    if (fd >= 0)
        drop_first_fd(c);
    c->written += (uint64_t)sent;
    buffer_consume(&c->out, (size_t)sent);
    return ERR_OK;
}

static void flush(void *owner)
{
    struct channel *c = owner;
    enum err rc = ERR_OK;

    while (!c->broken && c->out.len > 0 && rc == ERR_OK)
        rc = write_some(c);
    if (c->broken)
        return;
    if (c->out.len == 0) {
        watch_disable(&c->watch, WATCH_WRITE);
        if (c->holds_secret)
            explicit_bzero(c->out.data, c->out.size);
        c->holds_secret = false;
        if (c->out.size > KEEP_MEMORY)
            buffer_shrink(&c->out);
    } else if (rc != ERR_BUSY || watch_enable(&c->watch, WATCH_WRITE) != ERR_OK) {
        if (rc == ERR_CLOSED)
            channel_gone(c);
        else
            channel_break(c, "it could not be written");
    }
}

static bool note_fd(struct channel *c, int fd)
{
    if (c->fds_out_count == c->fds_out_size) {
        size_t size = c->fds_out_size ? c->fds_out_size * 2 : 8;
        struct outgoing_fd *fds = reallocarray(c->fds_out, size, sizeof *fds);
        if (!fds)
            return false;
        c->fds_out = fds;
        c->fds_out_size = size;
    }
    c->fds_out[c->fds_out_count++] =
        (struct outgoing_fd){ .position = c->written + c->out.len, .fd = fd };
    return true;
}

static void write_head(char *head, size_t length, enum message_type type, bool has_fd)
{
    for (size_t i = 0; i < 4; i++)
        head[i] = (char)(length >> (8 * i));
    head[4] = (char)type;
    head[5] = (char)((unsigned)type >> 8);
    head[6] = has_fd;
    head[7] = 0;
}

static void append_frame(
    struct channel *c, const struct message_row *row, const void *message, bool has_fd)
{
    static const char blank[HEAD];
    size_t before = c->out.len;
    size_t length;

    buffer_put(&c->out, blank, HEAD);
    pack(&c->out, row->shape, message);
    if (c->out.error != ERR_OK)
        return;
    length = c->out.len - before - HEAD;
    if (length > FRAME_MAX)
        c->out.error = ERR_LIMIT;
    write_head(c->out.data + c->out.start + before, length, row->type, has_fd);
}

enum err channel_send(struct channel *c, enum message_type type, const void *message, int fd)
{
    const struct message_row *row = message_row(type);
    enum err rc = ERR_CLOSED;
    size_t before = c->out.len;

    assert(row && (row->from & 1u << c->spec.self) && (row->to & 1u << c->spec.peer));
    assert(fd >= 0 ? row->fds_max > 0 : row->fds_min == 0);
    if (c->broken || c->out.len > BACKLOG_MAX)
        goto out;
    rc = ERR_NOMEM;
    if (fd >= 0 && !note_fd(c, fd))
        goto out;
    append_frame(c, row, message, fd >= 0);
    rc = c->out.error;
    if (rc != ERR_OK) {
        buffer_truncate(&c->out, before < c->out.len ? before : c->out.len);
        c->out.error = ERR_OK;
        if (fd >= 0)
            c->fds_out_count--;
        goto out;
    }
    c->holds_secret = c->holds_secret || row->is_secret;
    deferred_ask(&c->flush);
    return ERR_OK;
out:
    if (fd >= 0)
        close(fd);
    if (!c->broken && c->out.len > BACKLOG_MAX)
        channel_break(c, "the peer does not read");
    return rc;
}

static void take_fds(struct channel *c, struct msghdr *message)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (c->fds_in_count < FDS_WAITING_MAX)
                c->fds_in[c->fds_in_count++] = fd;
            else
                close(fd);
        }
    }
}

/* Octets read, 0 at the end, or an error. ERR_BUSY: nothing there now. */
static enum err read_some(struct channel *c, size_t *out_octets)
{
    struct iovec iov = { .iov_base = buffer_reserve(&c->in, READ_CHUNK), .iov_len = READ_CHUNK };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 8)];
    } control;
    struct msghdr message = { .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof control.room };
    ssize_t got;

    if (!iov.iov_base)
        return ERR_NOMEM;
    do
        got = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_from_errno(errno);
    take_fds(c, &message);
    if (message.msg_flags & MSG_CTRUNC)
        return ERR_PROTOCOL;
    buffer_commit(&c->in, (size_t)got);
    *out_octets = (size_t)got;
    return ERR_OK;
}

static const struct channel_handler *find_handler(const struct channel *c, unsigned type)
{
    for (size_t i = 0; i < c->spec.handler_count; i++)
        if (c->spec.handlers[i].type == type)
            return &c->spec.handlers[i];
    return NULL;
}

struct frame {
    size_t length;
    unsigned type;
    unsigned fds;
};

static struct frame read_head(struct slice bytes)
{
    struct cursor in = cursor_of(slice_first(bytes, HEAD));
    struct frame frame;

    frame.length = cursor_u32(&in);
    frame.type = cursor_u16(&in);
    frame.fds = cursor_u16(&in); /* the zero octet is its upper half */
    return frame;
}

static int next_fd(struct channel *c)
{
    int fd = c->fds_in[0];

    c->fds_in_count--;
    memmove(c->fds_in, c->fds_in + 1, c->fds_in_count * sizeof *c->fds_in);
    return fd;
}

/* What is wrong with a frame's head, or NULL. */
static const char *head_fault(const struct channel *c, const struct frame *frame)
{
    const struct message_row *row = message_row(frame->type);

    if (!row || !(row->from & 1u << c->spec.peer) || !(row->to & 1u << c->spec.self))
        return "a message it may not send";
    if (!find_handler(c, frame->type))
        return "a message that is not expected here";
    if (frame->length > FRAME_MAX)
        return "a message that is too long";
    if (frame->fds < row->fds_min || frame->fds > row->fds_max)
        return "the wrong number of descriptors";
    return NULL;
}

/* Handles one complete frame. False when the channel is broken or freed. */
static bool handle_frame(struct channel *c, const struct frame *frame)
{
    const struct channel_handler *handler = find_handler(c, frame->type);
    const struct message_row *row = message_row(frame->type);
    struct cursor in =
        cursor_of(slice_first(slice_from(buffer_slice(&c->in), HEAD), frame->length));
    void *message = arena_alloc(&c->arena, row->shape->size);
    bool gone = false;
    int fd = -1;

    if (!message || unpack(&in, row->shape, &c->arena, message) != ERR_OK ||
        cursor_finish(&in) != ERR_OK) {
        channel_break(
            c, c->arena.is_starved ? "no memory for a message" : "a message that does not unpack");
        return false;
    }
    if (frame->fds > c->fds_in_count) {
        channel_break(c, "a descriptor is missing");
        return false;
    }
    if (frame->fds > 0)
        fd = next_fd(c);
    c->gone = &gone;
    handler->handle(c->spec.owner, c, message, fd);
    if (gone)
        return false;
    c->gone = NULL;
    arena_clear(&c->arena);
    if (row->is_secret)
        explicit_bzero(c->in.data + c->in.start, HEAD + frame->length);
    buffer_consume(&c->in, HEAD + frame->length);
    return !c->broken;
}

/* Handles every complete frame. False when the channel is broken or freed. */
static bool handle_frames(struct channel *c)
{
    while (c->in.len >= HEAD) {
        struct frame frame = read_head(buffer_slice(&c->in));
        const char *fault = head_fault(c, &frame);

        if (fault) {
            channel_break(c, fault);
            return false;
        }
        if (c->in.len - HEAD < frame.length)
            return true;
        if (!handle_frame(c, &frame))
            return false;
    }
    /* Descriptors come with the first octet of their frame, so between frames none may be waiting.
     */
    if (c->in.len == 0 && c->fds_in_count > 0) {
        channel_break(c, "a descriptor too many");
        return false;
    }
    return true;
}

static void on_ready(void *owner, unsigned ready)
{
    struct channel *c = owner;

    if (ready & WATCH_WRITE) {
        flush(c);
        return;
    }
    for (int i = 0; i < READS_A_TURN; i++) {
        size_t octets = 0;
        enum err rc = read_some(c, &octets);

        if (rc == ERR_BUSY)
            break;
        if (rc != ERR_OK || octets == 0) {
            if (rc == ERR_OK || rc == ERR_CLOSED)
                channel_gone(c);
            else
                channel_break(c, err_text(rc));
            return;
        }
        if (!handle_frames(c))
            return;
        if (octets < READ_CHUNK)
            break;
    }
    if (c->in.len == 0 && c->in.size > KEEP_MEMORY)
        buffer_shrink(&c->in);
}

static void report(void *owner)
{
    struct channel *c = owner;

    if (watcher.lost && c->spec.peer != ROLE_SUPERVISOR)
        watcher.lost(watcher.owner, c->spec.peer, c->spec.peer_index);
    c->spec.closed(c->spec.owner, c);
}

struct channel *channel_new(struct loop *loop, int fd, const struct channel_spec *spec)
{
    struct channel *c = calloc(1, sizeof *c);
    int flags = fcntl(fd, F_GETFL);

    if (!c || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        free(c);
        close(fd);
        return NULL;
    }
    c->spec = *spec;
    c->loop = loop;
    c->fd = fd;
    buffer_init(&c->in, FRAME_MAX + HEAD + READ_CHUNK);
    buffer_init(&c->out, BACKLOG_MAX + FRAME_MAX + HEAD);
    arena_init(&c->arena, ARENA_MAX);
    deferred_init(&c->flush, loop, flush, c);
    deferred_init(&c->report, loop, report, c);
    watch_init(&c->watch, loop, fd, on_ready, c);
    if (watch_enable(&c->watch, WATCH_READ) != ERR_OK)
        channel_free(&c);
    return c;
}

void channel_free(struct channel **channel)
{
    struct channel *c = *channel;

    *channel = NULL;
    if (!c)
        return;
    if (c->gone)
        *c->gone = true;
    watch_clear(&c->watch);
    deferred_cancel(&c->flush);
    deferred_cancel(&c->report);
    close(c->fd);
    for (size_t i = 0; i < c->fds_out_count; i++)
        close(c->fds_out[i].fd);
    for (size_t i = 0; i < c->fds_in_count; i++)
        close(c->fds_in[i]);
    free(c->fds_out);
    if (c->in.data)
        explicit_bzero(c->in.data, c->in.size);
    if (c->out.data)
        explicit_bzero(c->out.data, c->out.size);
    buffer_clear(&c->in);
    buffer_clear(&c->out);
    arena_clear(&c->arena);
    free(c);
}

size_t channel_backlog(const struct channel *c)
{
    return c->out.len;
}

uint64_t channel_queued(const struct channel *c)
{
    return c->written + c->out.len;
}

bool channel_has_written(const struct channel *c, uint64_t place)
{
    return c->written >= place;
}

void channel_flush(struct channel *c, int ms)
{
    int64_t end = clock_mono_ms() + ms;

    flush(c);
    while (!c->broken && c->out.len > 0) {
        struct pollfd waiting = { .fd = c->fd, .events = POLLOUT };
        int64_t left = end - clock_mono_ms();

        if (left <= 0 || poll(&waiting, 1, (int)left) <= 0)
            break;
        flush(c);
    }
}

enum role channel_peer(const struct channel *c)
{
    return c->spec.peer;
}

uint32_t channel_peer_index(const struct channel *c)
{
    return c->spec.peer_index;
}
