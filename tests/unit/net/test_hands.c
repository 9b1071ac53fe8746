/* tests/unit/net/test_hands.c: jobs go to threads and come back once each, one by one or as a
 * batch. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/hands.h"
#include "net/loop.h"

enum { MANY = 3000 };

struct task {
    struct hand_job job;
    int number;
    int worked; /* in the thread */
    int done;   /* in the loop */
    bool had_signals;
    struct hands *again; /* give once more to these when done */
};

static struct task tasks[MANY];
static int order[MANY];
static int done_count;
static pthread_t loop_thread;

static void on_work(struct hand_job *job)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    sigset_t mask;

    if (pthread_equal(pthread_self(), loop_thread))
        abort();
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    task->had_signals = !sigismember(&mask, SIGTERM);
    task->worked++;
}

static void on_done(struct hand_job *job)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    struct hands *again = task->again;

    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_int_equal(task->worked, task->done + 1);
    task->done++;
    task->again = NULL;
    if (done_count < MANY)
        order[done_count] = task->number;
    done_count++;
    if (again)
        hands_give(again, job);
}

static int set_up(void **state)
{
    for (int i = 0; i < MANY; i++)
        tasks[i] = (struct task){ .number = i, .job = { .work = on_work, .done = on_done } };
    done_count = 0;
    loop_thread = pthread_self();
    *state = loop_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct loop *loop = *state;

    loop_free(&loop);
    return 0;
}

static void turn_until_idle(struct loop *loop, const struct hands *hands)
{
    for (int i = 0; i < 20000 && hands_busy(hands) > 0; i++)
        loop_turn(loop, 50);
    assert_int_equal(hands_busy(hands), 0);
}

static void every_job_is_worked_and_done_once(void **state)
{
    struct hands *hands = hands_new(*state, "test", 4);

    assert_non_null(hands);
    for (int i = 0; i < MANY; i++)
        hands_give(hands, &tasks[i].job);
    turn_until_idle(*state, hands);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tasks[i].worked, 1);
        assert_int_equal(tasks[i].done, 1);
        assert_false(tasks[i].had_signals);
    }
    hands_free(&hands);
    assert_null(hands);
}

static void one_thread_keeps_the_order(void **state)
{
    struct hands *hands = hands_new(*state, "test", 1);

    assert_non_null(hands);
    for (int i = 0; i < MANY; i++)
        hands_give(hands, &tasks[i].job);
    turn_until_idle(*state, hands);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[i], i);
    hands_free(&hands);
}

static void done_may_give_the_job_again(void **state)
{
    struct hands *hands = hands_new(*state, "test", 2);

    assert_non_null(hands);
    tasks[0].again = hands;
    hands_give(hands, &tasks[0].job);
    turn_until_idle(*state, hands);
    assert_int_equal(tasks[0].done, 2);
    hands_free(&hands);
}

static void free_drains_what_was_given_and_given_again(void **state)
{
    struct hands *hands = hands_new(*state, "test", 2);

    assert_non_null(hands);
    for (int i = 0; i < 100; i++) {
        tasks[i].again = i % 2 ? hands : NULL;
        hands_give(hands, &tasks[i].job);
    }
    hands_free(&hands);
    for (int i = 0; i < 100; i++)
        assert_int_equal(tasks[i].done, i % 2 ? 2 : 1);
}

static void idle_hands_end(void **state)
{
    struct hands *hands = hands_new(*state, "test", 3);

    assert_non_null(hands);
    loop_turn(*state, 0);
    hands_free(&hands);
    hands_free(&hands);
}

/* Batches: the first is held until the test lets it go, so what follows must come as one. */
static struct {
    atomic_bool is_open;
    atomic_int batches;
    size_t sizes[8];
} gate;

static void on_batch(void *owner, struct hand_job **jobs, size_t count)
{
    int batch = atomic_fetch_add(&gate.batches, 1);

    if (owner != &gate)
        abort();
    if (batch < 8)
        gate.sizes[batch] = count;
    while (!atomic_load(&gate.is_open))
        usleep(500);
    for (size_t i = 0; i < count; i++)
        on_work(jobs[i]);
}

static void batch_takes_all_that_waits(void **state)
{
    struct hands *hands;

    atomic_store(&gate.is_open, false);
    atomic_store(&gate.batches, 0);
    hands = hands_new_batch(*state, "test", on_batch, &gate);
    assert_non_null(hands);
    hands_give(hands, &tasks[0].job);
    while (atomic_load(&gate.batches) == 0) {
        loop_turn(*state, 0);
        usleep(500);
    }
    for (int i = 1; i < MANY; i++)
        hands_give(hands, &tasks[i].job);
    atomic_store(&gate.is_open, true);
    turn_until_idle(*state, hands);
    assert_int_equal(atomic_load(&gate.batches), 2);
    assert_int_equal(gate.sizes[0], 1);
    assert_int_equal(gate.sizes[1], MANY - 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[i], i);
    hands_free(&hands);
}

static void batch_is_what_a_turn_brings(void **state)
{
    struct hands *hands;

    atomic_store(&gate.is_open, true);
    atomic_store(&gate.batches, 0);
    hands = hands_new_batch(*state, "test", on_batch, &gate);
    assert_non_null(hands);
    for (int i = 0; i < 10; i++) {
        hands_give(hands, &tasks[i].job);
        usleep(1000);
    }
    assert_int_equal(atomic_load(&gate.batches), 0);
    turn_until_idle(*state, hands);
    assert_int_equal(atomic_load(&gate.batches), 1);
    assert_int_equal(gate.sizes[0], 10);
    hands_free(&hands);
}

static void batch_of_one_is_taken_at_once(void **state)
{
    struct hands *hands;

    atomic_store(&gate.is_open, true);
    atomic_store(&gate.batches, 0);
    hands = hands_new_batch(*state, "test", on_batch, &gate);
    assert_non_null(hands);
    for (int i = 0; i < 3; i++) {
        hands_give(hands, &tasks[i].job);
        turn_until_idle(*state, hands);
    }
    assert_int_equal(atomic_load(&gate.batches), 3);
    hands_free(&hands);
}

static void batch_free_drains(void **state)
{
    struct hands *hands;

    atomic_store(&gate.is_open, true);
    atomic_store(&gate.batches, 0);
    hands = hands_new_batch(*state, "test", on_batch, &gate);
    assert_non_null(hands);
    for (int i = 0; i < 500; i++) {
        tasks[i].again = i == 499 ? hands : NULL;
        hands_give(hands, &tasks[i].job);
    }
    hands_free(&hands);
    assert_int_equal(done_count, 501);
}

/* Held hands have no thread: what is given waits. */
static void held_hands_wait_for_their_release(void **state)
{
    struct hands *hands, *batch;

    hands_hold();
    hands = hands_new(*state, "test", 2);
    batch = hands_new(*state, "unused", 1);
    assert_non_null(hands);
    assert_non_null(batch);
    for (int i = 0; i < 10; i++)
        hands_give(hands, &tasks[i].job);
    hands_free(&batch);
    usleep(20000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(tasks[i].worked, 0);
    assert_int_equal(hands_release(), ERR_OK);
    turn_until_idle(*state, hands);
    assert_int_equal(done_count, 10);
    hands_free(&hands);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_job_is_worked_and_done_once),
        CASE(one_thread_keeps_the_order),
        CASE(done_may_give_the_job_again),
        CASE(free_drains_what_was_given_and_given_again),
        CASE(idle_hands_end),
        CASE(batch_takes_all_that_waits),
        CASE(batch_is_what_a_turn_brings),
        CASE(batch_of_one_is_taken_at_once),
        CASE(batch_free_drains),
        CASE(held_hands_wait_for_their_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
