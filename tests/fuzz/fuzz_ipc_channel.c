/* tests/fuzz/fuzz_ipc_channel.c: a peer room that lies on a channel. The first octet chooses who
 * talks to whom, the second how descriptors come: as the frames say, too many or none; the third
 * seeds the cuts. What the receiver is told must not depend on the cuts, must pack to what was
 * sent, and no descriptor may be left behind. */
#include "fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/channel.h"

enum { HEAD = 8, FDS_HONEST = 0, FDS_NONE = 1, FDS_MANY = 2, FREES_ITSELF = 4 };

struct listener {
    struct channel *channel;
    struct buffer trace;
    struct channel_handler handlers[MESSAGE_TYPE_COUNT];
    size_t messages;
    unsigned flags;
    bool is_closed;
};

static struct loop *loop;

static void note(struct listener *it, enum message_type type, const void *message, int fd)
{
    struct buffer packed;

    buffer_init(&packed, FRAME_MAX);
    pack(&packed, message_row(type)->shape, message);
    buffer_put_u32(&it->trace, (uint32_t)packed.len);
    buffer_put_u32(&it->trace, (uint32_t)type | (uint32_t)(fd >= 0) << 16);
    buffer_put_slice(&it->trace, buffer_slice(&packed));
    buffer_clear(&packed);
    if (fd >= 0)
        close(fd);
    it->messages++;
    if ((it->flags & FREES_ITSELF) && it->messages == 3)
        channel_free(&it->channel);
}

/* A handler is not told the type, so each has its own. */
#define EACH_MESSAGE(X)                                                                            \
    X(SNAPSHOT)                                                                                    \
    X(GIVE)                                                                                        \
    X(CERTIFICATE)                                                                                 \
    X(PEER)                                                                                        \
    X(APPLY)                                                                                       \
    X(DRAIN)                                                                                       \
    X(READY)                                                                                       \
    X(DRAINED)                                                                                     \
    X(NEED) X(BLANK) X(SPARE) X(DOORBELL) X(CUT) X(CUT_DONE) X(DISK) X(HELD_ASK) X(HELD_ANSWER)    \
        X(AUTH_START) X(AUTH_STEP) X(AUTH_CANCEL) X(AUTH_SAY) X(AUTH_DONE) X(RIGHTS)               \
            X(RIGHTS_DONE) X(SIGN) X(SIGNED) X(TICKET_KEYS) X(DOMAIN_ASK) X(DOMAIN_ANSWER)         \
                X(IN_HAND) X(JOB) X(OUTCOME) X(OUTCOME_DONE) X(FORGIVE) X(LOGIN_START)             \
                    X(LOGIN_STEP) X(LOGIN_SAY) X(LOGIN_END) X(LOST) X(FETCH) X(FETCHED)            \
                        X(FETCH_CANCEL) X(PARTIAL_ASK) X(PARTIAL_STATE) X(PARTIAL_YIELD)           \
                            X(PARTIAL_KEEP) X(PARTIAL_END) X(URL) X(URL_DONE) X(URL_CANCEL)
#define HANDLER(NAME)                                                                              \
    static void on_##NAME(void *owner, struct channel *channel, const void *message, int fd)       \
    {                                                                                              \
        (void)channel;                                                                             \
        note(owner, MSG_##NAME, message, fd);                                                      \
    }
#define ROW(NAME) { MSG_##NAME, on_##NAME },
EACH_MESSAGE(HANDLER)

static const struct channel_handler all_handlers[] = { EACH_MESSAGE(ROW) };
_Static_assert(LENGTH_OF(all_handlers) == MESSAGE_TYPE_COUNT, "a message without a handler");

static void on_closed(void *owner, struct channel *channel)
{
    struct listener *it = owner;

    (void)channel;
    it->is_closed = true;
    channel_free(&it->channel);
}

/* Ends of rooms that talk at all. */
static const struct {
    enum role from, to;
} pairs[] = { { ROLE_SUPERVISOR, ROLE_GATE }, { ROLE_SUPERVISOR, ROLE_QUEUE },
    { ROLE_GATE, ROLE_SUPERVISOR }, { ROLE_GATE, ROLE_QUEUE }, { ROLE_QUEUE, ROLE_GATE },
    { ROLE_GATE, ROLE_VAULT }, { ROLE_VAULT, ROLE_GATE }, { ROLE_GATE, ROLE_RELAY },
    { ROLE_RELAY, ROLE_GATE }, { ROLE_QUEUE, ROLE_RELAY }, { ROLE_RELAY, ROLE_QUEUE },
    { ROLE_RELAY, ROLE_VAULT }, { ROLE_VAULT, ROLE_RELAY }, { ROLE_QUEUE, ROLE_MAILDROP },
    { ROLE_MAILDROP, ROLE_QUEUE }, { ROLE_VAULT, ROLE_FETCH }, { ROLE_FETCH, ROLE_VAULT } };

static void send_part(int raw, struct slice part, const int *fds, size_t fd_count)
{
    struct iovec iov = { (void *)(uintptr_t)part.data, part.len };
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 3)];
    } control = { 0 };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd_count > 0) {
        struct cmsghdr *head;

        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
    }
    (void)!sendmsg(raw, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The octets from here to the next frame that brings a descriptor, which must begin a part. */
static size_t honest_part(struct slice *frames, bool *out_has_fd)
{
    size_t len = 0;

    *out_has_fd = frames->len >= HEAD && frames->data[6] != 0;
    while (frames->len > 0) {
        struct slice head = slice_first(*frames, HEAD);
        uint32_t length = 0;

        if (len > 0 && head.len == HEAD && head.data[6] != 0)
            break;
        if (head.len == HEAD)
            memcpy(&length, head.data, sizeof length);
        len += slice_first(*frames, (size_t)HEAD + length).len;
        *frames = slice_from(*frames, (size_t)HEAD + length);
    }
    return len;
}

static void send_cut(int raw, struct slice part, struct dice *dice, const int *fds, size_t count)
{
    while (part.len > 0) {
        size_t len = dice ? 1 + dice_roll(dice, part.len < 40 ? part.len : 40) : part.len;

        send_part(raw, slice_first(part, len), fds, count);
        part = slice_from(part, len);
        count = 0;
        if (dice)
            loop_turn(loop, 0);
    }
}

static void talk(struct listener *it, int raw, struct slice bytes, struct dice *dice)
{
    struct slice frames = bytes;
    size_t turns = 64 + bytes.len / HEAD; /* a frame with a descriptor is read alone */
    int pair[2];

    REQUIRE(pipe2(pair, O_CLOEXEC) == 0);
    while (bytes.len > 0) {
        int fds[3] = { pair[1], pair[1], pair[1] };
        bool has_fd;
        size_t len = honest_part(&frames, &has_fd);
        size_t count = it->flags & FDS_NONE ? 0 : it->flags & FDS_MANY ? 3 : has_fd;

        send_cut(raw, slice_first(bytes, len), dice, fds, count);
        bytes = slice_from(bytes, len);
    }
    shutdown(raw, SHUT_WR);
    for (size_t i = 0; i < turns && it->channel; i++)
        loop_turn(loop, 0);
    REQUIRE(!it->channel); /* the end is noticed */
    close(raw);
    close(pair[1]);
    REQUIRE(poll(&(struct pollfd){ .fd = pair[0], .events = POLLIN }, 1, 0) == 1);
    close(pair[0]);
}

static void listen_to(struct listener *it, unsigned who, struct slice bytes, struct dice *dice)
{
    struct channel_spec spec = { .self = pairs[who].to,
        .peer = pairs[who].from,
        .handlers = all_handlers,
        .handler_count = LENGTH_OF(all_handlers),
        .closed = on_closed,
        .owner = it };
    int pair[2], wide = 1 << 20;

    buffer_init(&it->trace, 1 << 26);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &wide, sizeof wide);
    it->channel = channel_new(loop, pair[0], &spec);
    REQUIRE(it->channel);
    talk(it, pair[1], bytes, dice);
    /* Written again as frames it is what was sent, up to where the rules were broken. */
    REQUIRE(slice_equals(buffer_slice(&it->trace), slice_first(bytes, it->trace.len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_first(slice_of(data, size), 60000);
    unsigned who = take_octet(&bytes) % LENGTH_OF(pairs);
    unsigned flags = take_octet(&bytes) & 7;
    struct dice dice = dice_of(take_octet(&bytes) + 1u);
    struct listener whole = { .flags = flags }, cuts = { .flags = flags };

    if (!loop) {
        log_open("fuzz", LOG_ERROR - 1);
        loop = loop_new();
        REQUIRE(loop);
    }
    listen_to(&whole, who, bytes, NULL);
    listen_to(&cuts, who, bytes, &dice);
    /* Where descriptors come as they should, cuts change nothing. */
    if (!(flags & (FDS_NONE | FDS_MANY)))
        REQUIRE(slice_equals(buffer_slice(&whole.trace), buffer_slice(&cuts.trace)));
    buffer_clear(&whole.trace);
    buffer_clear(&cuts.trace);
    return 0;
}
