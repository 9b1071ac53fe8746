/* A channel between two rooms: what arrives is what was sent, and a peer that lies loses its
 * channel and nothing else. */
#include "../check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "ipc/channel.h"

struct side {
    struct loop *loop;
    struct channel *channel;
    size_t messages;
    size_t closed;
    struct msg_job last;
    char header[64];
    int fd;
    bool free_in_handler;
};

static void on_job(void *owner, struct channel *c, const void *message, int fd)
{
    struct side *s = owner;
    const struct msg_job *job = message;

    (void)c;
    s->messages++;
    s->last = *job;
    snprintf(s->header, sizeof s->header, "%.*s",
        (int)(job->header.len < 60 ? job->header.len : 60), job->header.data);
    if (fd >= 0 && s->fd >= 0)
        close(s->fd);
    if (fd >= 0)
        s->fd = fd;
    if (s->free_in_handler)
        channel_free(&s->channel);
}

static void on_closed(void *owner, struct channel *c)
{
    struct side *s = owner;

    (void)c;
    s->closed++;
    channel_free(&s->channel);
}

static const struct channel_handler relay_side[] = { { MSG_JOB, on_job } };

/* A relay's end on one side of a socket pair; the other end is returned raw, for a peer that lies.
 */
static int open_raw(struct side *s)
{
    struct channel_spec spec = { .self = ROLE_RELAY,
        .peer = ROLE_QUEUE,
        .handlers = relay_side,
        .handler_count = 1,
        .closed = on_closed,
        .owner = s };
    int pair[2];

    *s = (struct side){ .fd = -1, .loop = loop_new() };
    assert_non_null(s->loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s->channel = channel_new(s->loop, pair[0], &spec);
    assert_non_null(s->channel);
    return pair[1];
}

static void close_side(struct side *s, int raw)
{
    if (raw >= 0)
        close(raw);
    if (s->fd >= 0)
        close(s->fd);
    channel_free(&s->channel);
    loop_free(&s->loop);
}

static void turn(struct side *s)
{
    for (int i = 0; i < 5; i++)
        loop_turn(s->loop, 0);
}

/* What a queue would send for this job, as octets. */
static size_t job_frame(char *out, size_t size)
{
    struct side sender = { .fd = -1 };
    struct channel_spec spec = {
        .self = ROLE_QUEUE, .peer = ROLE_RELAY, .closed = on_closed, .owner = &sender
    };
    struct msg_recipient recipient = { .index = 3, .address = SLICE_LITERAL("bob@example.org") };
    struct msg_job job = { .job = 7,
        .destination = SLICE_LITERAL("example.org"),
        .recipients = &recipient,
        .recipient_count = 1,
        .header = SLICE_LITERAL("Subject: x\r\n\r\n") };
    int pair[2];
    ssize_t got;

    sender.loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    sender.channel = channel_new(sender.loop, pair[0], &spec);
    assert_int_equal(channel_send(sender.channel, MSG_JOB, &job, -1), ERR_OK);
    loop_turn(sender.loop, 0);
    got = read(pair[1], out, size);
    assert_true(got > 8);
    close_side(&sender, pair[1]);
    return (size_t)got;
}

static void test_octet_by_octet(void **state)
{
    char frame[1000];
    size_t len = job_frame(frame, sizeof frame);
    struct side s;
    int raw = open_raw(&s);

    (void)state;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(write(raw, frame + i, 1), 1);
            loop_turn(s.loop, 0);
        }
    assert_int_equal(s.messages, 3);
    assert_true(s.last.job == 7 && s.last.recipient_count == 1);
    assert_string_equal(s.header, "Subject: x\r\n\r\n");
    assert_int_equal(s.closed, 0);
    close_side(&s, raw);
}

/* Every flipped octet of a frame either still unpacks within its bounds or costs the channel; the
 * receiver lives. */
static void test_every_flip(void **state)
{
    char frame[1000];
    size_t len = job_frame(frame, sizeof frame);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        char bad[1000];
        struct side s;
        int raw = open_raw(&s);

        memcpy(bad, frame, len);
        bad[i] ^= (char)0x81;
        assert_int_equal(write(raw, bad, len), (ssize_t)len);
        close(raw);
        turn(&s);
        assert_int_equal(s.closed, 1);
        assert_true(s.messages <= 1);
        close_side(&s, -1);
    }
}

static void send_with_fds(int raw, const char *frame, size_t len, int count)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)frame, .iov_len = len };
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * 4)] = { 0 };
    struct msghdr message = { .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = room,
        .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fds[4] = { 0, 0, 0, 0 };

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(head), fds, sizeof(int) * (size_t)count);
    assert_int_equal(sendmsg(raw, &message, 0), (ssize_t)len);
}

static void test_descriptors_missing_and_surplus(void **state)
{
    char frame[1000];
    size_t len = job_frame(frame, sizeof frame);
    struct side s;
    int raw = open_raw(&s);

    (void)state;
    frame[6] = 1; /* announces a descriptor that does not come */
    assert_int_equal(write(raw, frame, len), (ssize_t)len);
    turn(&s);
    assert_int_equal(s.closed, 1);
    assert_int_equal(s.messages, 0);
    close_side(&s, raw);

    raw = open_raw(&s);
    send_with_fds(raw, frame, len, 1);
    turn(&s);
    assert_int_equal(s.messages, 1);
    assert_true(s.fd >= 0);
    frame[6] = 0; /* brings one that it does not announce */
    send_with_fds(raw, frame, len, 1);
    turn(&s);
    assert_int_equal(s.closed, 1);
    close_side(&s, raw);

    raw = open_raw(&s);
    frame[6] = 2; /* more than the table allows */
    send_with_fds(raw, frame, len, 2);
    turn(&s);
    assert_int_equal(s.closed, 1);
    assert_int_equal(s.messages, 0);
    close_side(&s, raw);
}

static void test_wrong_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 80; type++) {
        char head[8] = { 0, 0, 0, 0, (char)type, 0, 0, 0 };
        struct side s;
        int raw = open_raw(&s);

        assert_int_equal(write(raw, head, sizeof head), sizeof head);
        turn(&s);
        assert_int_equal(s.closed, 1);
        assert_int_equal(s.messages, 0);
        close_side(&s, raw);
    }
}

static void test_freed_in_its_handler(void **state)
{
    char frame[1000];
    size_t len = job_frame(frame, sizeof frame);
    struct side s;
    int raw = open_raw(&s);

    (void)state;
    s.free_in_handler = true;
    assert_int_equal(write(raw, frame, len), (ssize_t)len);
    assert_int_equal(write(raw, frame, len), (ssize_t)len);
    turn(&s);
    assert_int_equal(s.messages, 1);
    assert_null(s.channel);
    close_side(&s, raw);
}

/* Many messages, large ones and descriptors, through a socket that takes little at a time. */
static void test_order_under_load(void **state)
{
    static char body[300000];
    struct side receiver, sender = { .fd = -1 };
    int raw = open_raw(&receiver);
    struct channel_spec spec = {
        .self = ROLE_QUEUE, .peer = ROLE_RELAY, .closed = on_closed, .owner = &sender
    };

    (void)state;
    sender.loop = receiver.loop;
    sender.channel = channel_new(sender.loop, raw, &spec);
    for (uint64_t i = 1; i <= 60; i++) {
        struct msg_job job = { .job = i, .body = { body, i % 3 == 0 ? sizeof body : 10 } };
        int fd = i % 4 == 0 ? open("/dev/null", O_RDONLY) : -1;

        assert_int_equal(channel_send(sender.channel, MSG_JOB, &job, fd), ERR_OK);
    }
    for (int i = 0; i < 2000 && receiver.messages < 60; i++)
        loop_turn(receiver.loop, 10);
    assert_int_equal(receiver.messages, 60);
    assert_true(receiver.last.job == 60 && receiver.fd >= 0);
    assert_int_equal(channel_backlog(sender.channel), 0);
    channel_free(&sender.channel);
    close_side(&receiver, -1);
}

static void test_a_peer_that_does_not_read(void **state)
{
    static char body[1 << 20];
    struct side s = { .fd = -1, .loop = loop_new() };
    struct channel_spec spec = {
        .self = ROLE_QUEUE, .peer = ROLE_RELAY, .closed = on_closed, .owner = &s
    };
    struct msg_job job = { .job = 1, .body = { body, sizeof body } };
    enum err rc = ERR_OK;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s.channel = channel_new(s.loop, pair[0], &spec);
    for (int i = 0; i < 100 && rc == ERR_OK; i++)
        rc = channel_send(s.channel, MSG_JOB, &job, -1);
    assert_int_equal(rc, ERR_CLOSED);
    turn(&s);
    assert_int_equal(s.closed, 1);
    close_side(&s, pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octet_by_octet),
        cmocka_unit_test(test_every_flip),
        cmocka_unit_test(test_descriptors_missing_and_surplus),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_freed_in_its_handler),
        cmocka_unit_test(test_order_under_load),
        cmocka_unit_test(test_a_peer_that_does_not_read),
    };

    return cmocka_run_group_tests_name("ipc/channel", tests, NULL, NULL);
}
