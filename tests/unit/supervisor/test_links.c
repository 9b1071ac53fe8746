/* Channels between two rooms of which one does not read what it is told: they cost the supervisor a
 * descriptor each, so there is an end to them. */
#include "../check.h"

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "supervisor/links.h"

enum { GATE, RELAY, ROOMS };

struct pair {
    struct loop *loop;
    struct links links;
    struct process rooms[ROOMS];
    int far[ROOMS]; /* where the rooms would read */
};

static size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void on_closed(void *owner, struct channel *c)
{
    (void)owner, (void)c;
    fail_msg("a control channel broke");
}

static const struct room_plan *plan_of(enum role role)
{
    for (size_t i = 0; i < room_plan_count; i++)
        if (room_plans[i].role == role)
            return &room_plans[i];
    return NULL;
}

/* The kernel takes as little as it can, so that the first introductions fill it. */
static void room_open(struct pair *pair, size_t at, enum role role)
{
    struct channel_spec spec = { .self = ROLE_SUPERVISOR, .peer = role, .closed = on_closed };
    int little = 1, ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    pair->rooms[at] = (struct process){ .plan = plan_of(role), .state = PROCESS_READY };
    pair->rooms[at].control = channel_new(pair->loop, ends[0], &spec);
    assert_non_null(pair->rooms[at].control);
    pair->far[at] = ends[1];
}

static void pair_open(struct pair *pair)
{
    *pair = (struct pair){ .loop = loop_new() };
    assert_non_null(pair->loop);
    room_open(pair, GATE, ROLE_GATE);
    room_open(pair, RELAY, ROLE_RELAY);
    links_init(&pair->links, pair->loop);
}

static void pair_close(struct pair *pair)
{
    links_clear(&pair->links);
    for (size_t i = 0; i < ROOMS; i++) {
        channel_free(&pair->rooms[i].control);
        close(pair->far[i]);
    }
    loop_free(&pair->loop);
}

/* Reads what a room was told and closes what came with it; how many descriptors. */
static size_t hear(int far)
{
    size_t count = 0;

    for (;;) {
        char octets[64];
        _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int) * 4)];
        struct iovec iov = { octets, sizeof octets };
        struct msghdr message = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
        };

        if (recvmsg(far, &message, MSG_DONTWAIT) <= 0)
            return count;
        for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head;
             head = CMSG_NXTHDR(&message, head)) {
            int fd;
            memcpy(&fd, CMSG_DATA(head), sizeof fd);
            close(fd);
            count++;
        }
    }
}

/* The relay says of each channel that it is lost. */
static void turn_and_lose(struct pair *pair, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    uint64_t lost = 0;

    while (clock_mono_ms() < end) {
        loop_turn(pair->loop, 10);
        hear(pair->far[RELAY]);
        if (pair->links.made == lost)
            continue;
        lost = pair->links.made;
        links_lost(&pair->links, &pair->rooms[RELAY], lost);
    }
}

static void test_losses_that_a_deaf_room_does_not_hear_of(void **state)
{
    struct pair pair;
    size_t before;
    uint64_t made;

    (void)state;
    pair_open(&pair);
    before = count_descriptors();
    for (int i = 0; i < 20; i++) { /* until the kernel takes no more */
        links_make(&pair.links, &pair.rooms[GATE], &pair.rooms[RELAY]);
        loop_turn(pair.loop, 0);
        hear(pair.far[RELAY]);
    }
    made = pair.links.made;
    turn_and_lose(&pair, 3500);
    assert_int_equal(pair.links.made, made);
    assert_true(count_descriptors() <= before + 1);

    /* It reads again: what it missed is one channel, and another is made. */
    assert_true(hear(pair.far[GATE]) > 0);
    turn_and_lose(&pair, 1500);
    assert_true(pair.links.made > made);
    assert_true(hear(pair.far[GATE]) > 0);
    pair_close(&pair);
}

/* A relay that dies again and again is introduced to a gate that does not read. */
static void test_lives_that_a_deaf_room_does_not_hear_of(void **state)
{
    struct pair pair;
    size_t before;
    uint64_t made;

    (void)state;
    pair_open(&pair);
    before = count_descriptors();
    for (int i = 0; i < 100; i++) {
        links_make(&pair.links, &pair.rooms[GATE], &pair.rooms[RELAY]);
        loop_turn(pair.loop, 0);
        hear(pair.far[RELAY]);
        links_forget(&pair.links, &pair.rooms[RELAY]);
    }
    assert_true(count_descriptors() <= before + 1);

    /* The gate's next life has heard nothing yet. */
    made = pair.links.made;
    links_forget(&pair.links, &pair.rooms[GATE]);
    channel_free(&pair.rooms[GATE].control);
    close(pair.far[GATE]);
    room_open(&pair, GATE, ROLE_GATE);
    links_make(&pair.links, &pair.rooms[GATE], &pair.rooms[RELAY]);
    assert_int_equal(pair.links.made, made + 1);
    loop_turn(pair.loop, 0);
    assert_int_equal(hear(pair.far[GATE]), 1);
    assert_int_equal(hear(pair.far[RELAY]), 1);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_that_a_deaf_room_does_not_hear_of),
        cmocka_unit_test(test_lives_that_a_deaf_room_does_not_hear_of),
    };

    return cmocka_run_group_tests_name("supervisor/links", tests, NULL, NULL);
}
