/* tests/unit/net/test_loop.c: order and life of watches, timers, signals and deferred work. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

/* What happened, as one character an event. */
static char story[64];

static void tell(char what)
{
    size_t len = strlen(story);

    assert_true(len + 1 < sizeof story);
    story[len] = what;
    story[len + 1] = '\0';
}

struct teller {
    struct timer timer;
    struct deferred deferred;
    struct loop *loop;
    char name;
    bool again;
    bool stops;
};

static void on_teller(void *owner)
{
    struct teller *teller = owner;

    tell(teller->name);
    if (teller->stops)
        loop_stop(teller->loop);
    if (teller->again) {
        teller->again = false;
        deferred_ask(&teller->deferred);
    }
}

static void init_teller(struct teller *teller, struct loop *loop, char name)
{
    *teller = (struct teller){ .loop = loop, .name = name };
    timer_init(&teller->timer, loop, on_teller, teller);
    deferred_init(&teller->deferred, loop, on_teller, teller);
}

static int set_up(void **state)
{
    story[0] = '\0';
    *state = loop_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct loop *loop = *state;

    loop_free(&loop);
    return 0;
}

static void timers_fire_in_order_of_time(void **state)
{
    struct teller tellers[4];

    for (int i = 0; i < 4; i++)
        init_teller(&tellers[i], *state, (char)('a' + i));
    timer_set(&tellers[0].timer, 30);
    timer_set(&tellers[1].timer, 10);
    timer_set(&tellers[2].timer, 20);
    timer_set(&tellers[3].timer, 1);
    timer_stop(&tellers[3].timer);
    timer_stop(&tellers[3].timer);
    tellers[0].stops = true;
    loop_run(*state);
    assert_string_equal(story, "bca");
    assert_false(tellers[1].timer.is_set);
}

static void timer_set_again_moves(void **state)
{
    struct teller a;
    struct teller b;

    init_teller(&a, *state, 'a');
    init_teller(&b, *state, 'b');
    timer_set(&a.timer, 1);
    timer_set(&b.timer, 15);
    timer_set(&a.timer, 30);
    a.stops = true;
    loop_run(*state);
    assert_string_equal(story, "ba");
}

static void timer_of_zero_or_less_fires_next(void **state)
{
    struct teller a;
    int64_t start = clock_mono_ms();

    init_teller(&a, *state, 'a');
    timer_set(&a.timer, -5);
    loop_turn(*state, 60000);
    assert_string_equal(story, "a");
    assert_true(clock_mono_ms() - start < 20000);
}

static void turn_waits_no_longer_than_told(void **state)
{
    int64_t start = clock_mono_ms();

    loop_turn(*state, 20);
    assert_true(clock_mono_ms() - start >= 15);
    loop_turn(*state, 0);
    assert_true(clock_mono_ms() - start < 20000);
}

static void deferred_runs_once_in_order_after_the_turn(void **state)
{
    struct teller a;
    struct teller b;
    struct teller c;

    init_teller(&a, *state, 'a');
    init_teller(&b, *state, 'b');
    init_teller(&c, *state, 'c');
    deferred_ask(&a.deferred);
    deferred_ask(&b.deferred);
    deferred_ask(&a.deferred);
    deferred_ask(&c.deferred);
    deferred_cancel(&c.deferred);
    a.again = true;
    loop_turn(*state, 0);
    assert_string_equal(story, "ab");
    loop_turn(*state, 60000); /* does not wait: the one asked for again is due */
    assert_string_equal(story, "aba");
}

struct canceller {
    struct deferred self;
    struct deferred *other;
};

static void on_canceller(void *owner)
{
    struct canceller *canceller = owner;

    tell('x');
    deferred_cancel(canceller->other);
}

static void deferred_may_cancel_the_next_one(void **state)
{
    struct canceller canceller;
    struct teller a;
    struct teller b;

    init_teller(&a, *state, 'a');
    init_teller(&b, *state, 'b');
    deferred_init(&canceller.self, *state, on_canceller, &canceller);
    canceller.other = &a.deferred;
    deferred_ask(&canceller.self);
    deferred_ask(&a.deferred);
    deferred_ask(&b.deferred);
    loop_turn(*state, 0);
    assert_string_equal(story, "xb");
}

static void loop_free_runs_what_is_deferred(void **state)
{
    struct loop *loop = loop_new();
    struct teller a;

    (void)state;
    assert_non_null(loop);
    init_teller(&a, loop, 'a');
    a.again = true;
    deferred_ask(&a.deferred);
    loop_free(&loop);
    assert_string_equal(story, "aa");
}

/* A watch in memory that its own callback frees while both directions are ready. */
struct suicidal {
    struct watch watch;
    int fd;
};

static void on_suicidal(void *owner, unsigned ready)
{
    struct suicidal *it = owner;

    tell(ready == WATCH_READ ? 'r' : 'w');
    watch_clear(&it->watch);
    close(it->fd);
    free(it);
}

static void watch_may_free_itself(void **state)
{
    struct suicidal *it = malloc(sizeof *it);
    int pair[2];

    assert_non_null(it);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    it->fd = pair[0];
    watch_init(&it->watch, *state, pair[0], on_suicidal, it);
    assert_int_equal(watch_enable(&it->watch, WATCH_READ | WATCH_WRITE), ERR_OK);
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_turn(*state, 100);
    loop_turn(*state, 0);
    assert_int_equal(strlen(story), 1);
    close(pair[1]);
}

static void on_watch(void *owner, unsigned ready)
{
    (void)owner;
    tell(ready == WATCH_READ ? 'r' : 'w');
}

static void watch_tells_only_what_is_enabled(void **state)
{
    struct watch watch;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    watch_init(&watch, *state, pair[0], on_watch, NULL);
    assert_int_equal(watch_enable(&watch, WATCH_READ), ERR_OK);
    loop_turn(*state, 0);
    assert_string_equal(story, "");
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_turn(*state, 100);
    assert_string_equal(story, "r");
    watch_disable(&watch, WATCH_READ);
    assert_int_equal(watch_enable(&watch, WATCH_WRITE), ERR_OK);
    loop_turn(*state, 100);
    assert_string_equal(story, "rw");
    watch_clear(&watch);
    watch_clear(&watch);
    loop_turn(*state, 0);
    assert_string_equal(story, "rw");
    close(pair[0]);
    close(pair[1]);
}

static void watch_of_a_regular_file_is_refused(void **state)
{
    struct watch watch;
    FILE *file = tmpfile();

    assert_non_null(file);
    watch_init(&watch, *state, fileno(file), on_watch, NULL);
    assert_int_equal(watch_enable(&watch, WATCH_READ), ERR_DENIED);
    watch_clear(&watch);
    fclose(file);
}

static void on_signal(void *owner, int number)
{
    (void)owner;
    tell(number == SIGUSR1 ? '1' : '?');
}

static void signal_arrives_in_the_loop(void **state)
{
    struct signal_watch watch;

    assert_int_equal(signal_watch_start(&watch, *state, SIGUSR1, on_signal, NULL), ERR_OK);
    raise(SIGUSR1);
    assert_string_equal(story, "");
    loop_turn(*state, 100);
    assert_string_equal(story, "1");
    signal_watch_stop(&watch);
    signal_watch_stop(&watch);
}

static void broken_pipe_is_no_signal(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    assert_int_equal(write(pair[0], "x", 1), -1);
    close(pair[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_fire_in_order_of_time),
        CASE(timer_set_again_moves),
        CASE(timer_of_zero_or_less_fires_next),
        CASE(turn_waits_no_longer_than_told),
        CASE(deferred_runs_once_in_order_after_the_turn),
        CASE(deferred_may_cancel_the_next_one),
        CASE(loop_free_runs_what_is_deferred),
        CASE(watch_may_free_itself),
        CASE(watch_tells_only_what_is_enabled),
        CASE(watch_of_a_regular_file_is_refused),
        CASE(signal_arrives_in_the_loop),
        CASE(broken_pipe_is_no_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
