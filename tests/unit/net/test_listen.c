/* tests/unit/net/test_listen.c: binding, accepting and dialling on loopback and unix sockets. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/peer.h"

/* One listener and one dial on one loop. */
struct rig {
    struct loop *loop;
    struct listener listener;
    struct dial dial;
    int accepted;
    int last_fd;
    struct peer last_peer;
    bool clears;
    int dialled;
    enum err result;
    int dial_fd;
    const char *why;
    char folder[32];
};

static void on_accept(void *owner, int fd, const struct peer *peer)
{
    struct rig *rig = owner;

    rig->accepted++;
    if (rig->last_fd >= 0)
        close(rig->last_fd);
    rig->last_fd = fd;
    rig->last_peer = *peer;
    if (rig->clears)
        listener_clear(&rig->listener);
}

static void on_dialled(void *owner, enum err result, int fd, const char *why)
{
    struct rig *rig = owner;

    rig->dialled++;
    rig->result = result;
    rig->dial_fd = fd;
    rig->why = why;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->loop = loop_new();
    rig->last_fd = -1;
    rig->dial_fd = -1;
    strcpy(rig->folder, "/tmp/submitd-net-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    listener_clear(&rig->listener);
    dial_stop(&rig->dial);
    if (rig->last_fd >= 0)
        close(rig->last_fd);
    if (rig->dial_fd >= 0)
        close(rig->dial_fd);
    loop_free(&rig->loop);
    rmdir(rig->folder);
    free(rig);
    return 0;
}

static void turn(struct rig *rig, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;

    do
        loop_turn(rig->loop, 5);
    while (clock_mono_ms() < until);
}

static int bind_ok(const char *address)
{
    char why[LISTEN_WHY] = "";
    int fd = -1;

    assert_int_equal(listen_bind(slice_text(address), &fd, why), ERR_OK);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return fd;
}

static enum err bind_fails(const char *address)
{
    char why[LISTEN_WHY] = "";
    int fd = -7;
    enum err err = listen_bind(slice_text(address), &fd, why);

    assert_int_not_equal(err, ERR_OK);
    assert_int_equal(fd, -7);
    assert_true(why[0] != '\0');
    return err;
}

/* Where the listener is, with its port. */
static struct peer address_of(int fd, const char *host)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    struct peer peer;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_true(
        peer_parse(slice_text(host), peer_of_sockaddr((struct sockaddr *)&address).port, &peer));
    return peer;
}

static void listen_on(struct rig *rig, int fd)
{
    assert_int_equal(listener_init(&rig->listener, rig->loop, fd, on_accept, rig), ERR_OK);
}

static void dial_to(struct rig *rig, struct peer to)
{
    struct dial_settings settings = { .to = to, .timeout_ms = 2000 };

    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    assert_int_equal(rig->dialled, 0); /* never from inside */
    for (int i = 0; i < 100 && rig->dialled == 0; i++)
        loop_turn(rig->loop, 20);
    assert_int_equal(rig->dialled, 1);
    rig->dialled = 0;
}

/* A connection that lies in the listener's backlog: the loop has not turned. */
static void knock(const struct peer *to)
{
    struct sockaddr_storage address;
    socklen_t len = peer_to_sockaddr(to, &address);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    close(fd);
}

static void ipv4_connects(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");

    listen_on(rig, fd);
    dial_to(rig, address_of(fd, "127.0.0.1"));
    assert_int_equal(rig->result, ERR_OK);
    assert_true(fcntl(rig->dial_fd, F_GETFL) & O_NONBLOCK);
    turn(rig, 10);
    assert_int_equal(rig->accepted, 1);
    assert_int_equal(rig->last_peer.family, PEER_IPV4);
    assert_true(fcntl(rig->last_fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(rig->last_fd, F_GETFD) & FD_CLOEXEC);
}

/* LSN-11: [::] answers both families; an IPv4 client is seen with its IPv4 address. */
static void any_address_answers_both_families(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("[::]:0");
    int probe = socket(AF_INET6, SOCK_STREAM, 0);

    listen_on(rig, fd);
    dial_to(rig, address_of(fd, "127.0.0.1"));
    turn(rig, 10);
    assert_int_equal(rig->accepted, 1);
    assert_int_equal(rig->last_peer.family, PEER_IPV4);
    if (probe < 0)
        skip();
    close(probe);
    close(rig->dial_fd);
    dial_to(rig, address_of(fd, "::1"));
    turn(rig, 10);
    if (rig->result != ERR_OK)
        skip();
    assert_int_equal(rig->accepted, 2);
    assert_int_equal(rig->last_peer.family, PEER_IPV6);
}

static void address_in_use_is_busy(void **state)
{
    int fd = bind_ok("127.0.0.1:0");
    struct peer peer = address_of(fd, "127.0.0.1");
    char text[PEER_TEXT];

    (void)state;
    peer_text_with_port(&peer, text);
    assert_int_equal(bind_fails(text), ERR_BUSY);
    close(fd);
    close(bind_ok(text));
}

static void bad_addresses_are_refused(void **state)
{
    static const char *const bad[] = { "", "587", ":587", "localhost:587", "127.0.0.1",
        "127.0.0.1:65536", "[::1]", "::1:587", "unix:", "unix:relative", "*:587" };
    char too_long[256] = "unix:/";

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        assert_int_equal(bind_fails(bad[i]), ERR_INVALID);
    memset(too_long + 6, 'x', sizeof too_long - 7);
    assert_int_equal(bind_fails(too_long), ERR_INVALID);
}

static void unix_socket_is_private(void **state)
{
    struct rig *rig = *state;
    struct dial_settings settings = { .to.family = PEER_UNIX, .timeout_ms = 1000 };
    struct stat file;
    char address[64];
    int fd;

    snprintf(address, sizeof address, "unix:%s/s", rig->folder);
    fd = bind_ok(address);
    assert_int_equal(stat(address + 5, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    listen_on(rig, fd);
    settings.path = slice_text(address + 5);
    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    turn(rig, 20);
    assert_int_equal(rig->result, ERR_OK);
    assert_int_equal(rig->accepted, 1);
    assert_int_equal(rig->last_peer.family, PEER_UNIX);
    /* Somebody answers: it is not taken away. */
    assert_int_equal(bind_fails(address), ERR_BUSY);
    /* Left behind: it is replaced. */
    listener_clear(&rig->listener);
    listen_on(rig, bind_ok(address));
    unlink(address + 5);
}

static void other_files_are_not_replaced(void **state)
{
    struct rig *rig = *state;
    char address[64];
    FILE *file;

    snprintf(address, sizeof address, "unix:%s/file", rig->folder);
    file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(bind_fails(address), ERR_BUSY);
    assert_int_equal(access(address + 5, F_OK), 0);
    unlink(address + 5);
    snprintf(address, sizeof address, "unix:%s/no/such", rig->folder);
    assert_int_equal(bind_fails(address), ERR_NOTFOUND);
}

/* SEC-3, design.md section 9 number 10: when descriptors run out the loop does not spin, and goes
 * on when some are back. */
static void no_descriptors_left_rests_and_recovers(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct peer to = address_of(fd, "127.0.0.1");
    struct rlimit before;
    struct rlimit none;
    struct timespec start;
    struct timespec end;
    int turns = 0;
    int64_t until;

    listen_on(rig, fd);
    knock(&to);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    until = clock_mono_ms() + 300;
    while (clock_mono_ms() < until) {
        loop_turn(rig->loop, 50);
        turns++;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rig->accepted, 0);
    assert_true(turns < 20);
    assert_true((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 < 100);
    turn(rig, 1100);
    assert_int_equal(rig->accepted, 1);
}

/* One for each turn, and none while it rests for the sake of others. */
static void listener_leaves_some_to_others(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct peer to = address_of(fd, "127.0.0.1");

    listen_on(rig, fd);
    for (int i = 0; i < 4; i++)
        knock(&to);
    loop_turn(rig->loop, 20);
    assert_int_equal(rig->accepted, 1);
    loop_turn(rig->loop, 20);
    assert_int_equal(rig->accepted, 2);
    listener_rest(&rig->listener, 60);
    turn(rig, 20);
    assert_int_equal(rig->accepted, 2);
    turn(rig, 100);
    assert_int_equal(rig->accepted, 4);
}

static void listener_may_be_cleared_in_its_callback(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct peer to = address_of(fd, "127.0.0.1");

    listen_on(rig, fd);
    knock(&to);
    knock(&to);
    rig->clears = true;
    turn(rig, 20);
    assert_int_equal(rig->accepted, 1);
}

static void refused_dial_says_why(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct peer to = address_of(fd, "127.0.0.1");

    close(fd);
    dial_to(rig, to);
    assert_int_equal(rig->result, ERR_IO);
    assert_int_equal(rig->dial_fd, -1);
    assert_string_equal(rig->why, "Connection refused");
}

static void dial_times_out(void **state)
{
    struct rig *rig = *state;
    struct dial_settings settings = { .timeout_ms = 60 };
    char why[LISTEN_WHY];
    int fd;
    int fillers[8];

    /* A backlog of one that nobody accepts from: further connects get no answer. */
    assert_int_equal(listen_bind(slice_text("127.0.0.1:0"), &fd, why), ERR_OK);
    assert_int_equal(listen(fd, 0), 0);
    settings.to = address_of(fd, "127.0.0.1");
    for (size_t i = 0; i < LENGTH_OF(fillers); i++) {
        struct sockaddr_storage address;
        socklen_t len = peer_to_sockaddr(&settings.to, &address);

        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, len);
    }
    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    turn(rig, 200);
    assert_int_equal(rig->dialled, 1);
    assert_int_equal(rig->result, ERR_TIMEOUT);
    for (size_t i = 0; i < LENGTH_OF(fillers); i++)
        close(fillers[i]);
    close(fd);
}

static void dial_from_a_local_address(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct dial_settings settings = { .to = address_of(fd, "127.0.0.1"), .timeout_ms = 1000 };
    char text[PEER_TEXT];

    listen_on(rig, fd);
    assert_true(peer_parse(slice_text("127.0.0.9"), 0, &settings.from));
    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    turn(rig, 20);
    assert_int_equal(rig->result, ERR_OK);
    peer_text(&rig->last_peer, text);
    assert_string_equal(text, "127.0.0.9");
}

static void stopped_dial_says_nothing(void **state)
{
    struct rig *rig = *state;
    int fd = bind_ok("127.0.0.1:0");
    struct dial_settings settings = { .to = address_of(fd, "127.0.0.1"), .timeout_ms = 1000 };

    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    dial_stop(&rig->dial);
    dial_stop(&rig->dial);
    turn(rig, 20);
    assert_int_equal(rig->dialled, 0);
    close(fd);
}

static void dial_without_a_socket_or_an_address(void **state)
{
    struct rig *rig = *state;
    struct dial_settings settings = {
        .to.family = PEER_UNIX, .path = SLICE_LITERAL("/no/such"), .timeout_ms = 1000
    };

    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    turn(rig, 5);
    assert_int_equal(rig->result, ERR_NOTFOUND);
    settings.to.family = PEER_NONE;
    dial_start(&rig->dial, rig->loop, &settings, on_dialled, rig);
    turn(rig, 5);
    assert_int_equal(rig->result, ERR_IO);
    assert_int_equal(rig->dialled, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ipv4_connects),
        CASE(any_address_answers_both_families),
        CASE(address_in_use_is_busy),
        CASE(bad_addresses_are_refused),
        CASE(unix_socket_is_private),
        CASE(other_files_are_not_replaced),
        CASE(no_descriptors_left_rests_and_recovers),
        CASE(listener_leaves_some_to_others),
        CASE(listener_may_be_cleared_in_its_callback),
        CASE(refused_dial_says_why),
        CASE(dial_times_out),
        CASE(dial_from_a_local_address),
        CASE(stopped_dial_says_nothing),
        CASE(dial_without_a_socket_or_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
