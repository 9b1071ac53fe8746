/* net/hands.c: one queue of waiting jobs, one list of finished ones, an eventfd that wakes the loop
 * when the latter stops being empty. Owns the threads. The loop's side never blocks but in
 * hands_free. */
#include "net/hands.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "net/loop.h"

enum {
    BATCH_FIRST = 64,
    GATHER_MOST =
        8, /* jobs for whose company is waited: while a batch is in work more come anyway */
};

/* First in, first out, linked through hand_job.next. */
struct job_list {
    struct hand_job *first;
    struct hand_job **end;
    size_t count;
};

struct hands {
    struct hands *next_held;
    const char *name;
    struct watch watch;
    int event_fd;
    size_t busy; /* the loop's own: given and not yet done */
    hands_batch_fn *batch_fn;
    void *batch_owner;
    struct hand_job **batch; /* the batch thread's own */
    size_t batch_size;
    struct job_list gathered; /* the loop's own: of batch hands, given and not yet handed over */
    struct deferred turn_end;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t given;
    pthread_cond_t returned;
    struct job_list waiting;
    struct job_list finished;
    bool is_ending;

    unsigned threads;
    unsigned started; /* the loop's own */
    unsigned begun;   /* guarded too */
    pthread_t thread[];
};

/* The loop's own: hands without threads yet. */
static struct {
    bool holds;
    struct hands *first;
} held;

static void list_init(struct job_list *list)
{
    *list = (struct job_list){ .end = &list->first };
}

static void list_put(struct job_list *list, struct hand_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
    list->count++;
}

/* All of `more`, which is empty then. */
static void list_join(struct job_list *list, struct job_list *more)
{
    if (more->count == 0)
        return;
    *list->end = more->first;
    list->end = more->end;
    list->count += more->count;
    list_init(more);
}

static struct hand_job *list_take(struct job_list *list)
{
    struct hand_job *job = list->first;

    list->first = job->next;
    if (--list->count == 0)
        list->end = &list->first;
    return job;
}

/* With the mutex held, which is released before the loop is woken: it would only wait for it. */
static void give_back(struct hands *hands, struct hand_job *const *jobs, size_t count)
{
    bool was_empty = hands->finished.count == 0;

    for (size_t i = 0; i < count; i++)
        list_put(&hands->finished, jobs[i]);
    if (!was_empty)
        return;
    pthread_cond_signal(&hands->returned);
    pthread_mutex_unlock(&hands->mutex);
    if (eventfd_write(hands->event_fd, 1) != 0)
        abort();
    pthread_mutex_lock(&hands->mutex);
}

/* With the mutex held, which is released around the work. */
static void work_one(struct hands *hands)
{
    struct hand_job *job = list_take(&hands->waiting);

    pthread_mutex_unlock(&hands->mutex);
    job->work(job);
    pthread_mutex_lock(&hands->mutex);
    give_back(hands, &job, 1);
}

/* Room for count jobs; what fits in without memory. */
static size_t fit_batch(struct hands *hands, size_t count)
{
    struct hand_job **batch;
    size_t size = hands->batch_size;

    while (size < count)
        size *= 2;
    if (size == hands->batch_size)
        return count;
    batch = reallocarray(hands->batch, size, sizeof *batch);
    if (!batch)
        return hands->batch_size;
    hands->batch = batch;
    hands->batch_size = size;
    return count;
}

static void work_batch(struct hands *hands)
{
    size_t count = fit_batch(hands, hands->waiting.count);

    for (size_t i = 0; i < count; i++)
        hands->batch[i] = list_take(&hands->waiting);
    pthread_mutex_unlock(&hands->mutex);
    hands->batch_fn(hands->batch_owner, hands->batch, count);
    pthread_mutex_lock(&hands->mutex);
    give_back(hands, hands->batch, count);
}

static void *run_thread(void *arg)
{
    struct hands *hands = arg;

    (void)prctl(PR_SET_NAME, hands->name);
    pthread_mutex_lock(&hands->mutex);
    hands->begun++;
    pthread_cond_signal(&hands->returned);
    for (;;) {
        while (hands->waiting.count == 0 && !hands->is_ending)
            pthread_cond_wait(&hands->given, &hands->mutex);
        if (hands->waiting.count == 0)
            break;
        if (hands->batch_fn)
            work_batch(hands);
        else
            work_one(hands);
    }
    pthread_mutex_unlock(&hands->mutex);
    return NULL;
}

static void hand_over(struct hands *hands)
{
    pthread_mutex_lock(&hands->mutex);
    list_join(&hands->waiting, &hands->gathered);
    pthread_mutex_unlock(&hands->mutex);
    pthread_cond_signal(&hands->given); /* the thread would only wait for the mutex */
}

static void on_turn_end(void *owner)
{
    hand_over(owner);
}

static void call_done(struct hands *hands, struct hand_job *job)
{
    while (job) {
        struct hand_job *next = job->next;

        hands->busy--;
        job->done(job);
        job = next;
    }
}

static struct hand_job *take_finished(struct hands *hands)
{
    struct hand_job *job = hands->finished.first;

    list_init(&hands->finished);
    return job;
}

static void on_finished(void *owner, unsigned ready)
{
    struct hands *hands = owner;
    struct hand_job *job;
    eventfd_t count;

    (void)ready;
    if (eventfd_read(hands->event_fd, &count) != 0)
        return;
    pthread_mutex_lock(&hands->mutex);
    job = take_finished(hands);
    pthread_mutex_unlock(&hands->mutex);
    call_done(hands, job);
}

/* Until every thread runs our code: what the C library does at the start of one is then done. */
static void await_threads(struct hands *hands)
{
    pthread_mutex_lock(&hands->mutex);
    while (hands->begun < hands->started)
        pthread_cond_wait(&hands->returned, &hands->mutex);
    pthread_mutex_unlock(&hands->mutex);
}

/* Every signal is for the loop's thread. */
static enum err start_threads(struct hands *hands)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (hands->started < hands->threads &&
           pthread_create(&hands->thread[hands->started], NULL, run_thread, hands) == 0)
        hands->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    await_threads(hands);
    return hands->started == hands->threads ? ERR_OK : ERR_NOMEM;
}

static void hold(struct hands *hands)
{
    hands->next_held = held.first;
    held.first = hands;
}

/* Nothing happens to hands that are not held. */
static void let_go(struct hands *hands)
{
    struct hands **at = &held.first;

    while (*at && *at != hands)
        at = &(*at)->next_held;
    if (*at)
        *at = hands->next_held;
}

void hands_hold(void)
{
    held.holds = true;
}

enum err hands_release(void)
{
    enum err rc = ERR_OK;

    held.holds = false;
    while (held.first && rc == ERR_OK) {
        rc = start_threads(held.first);
        let_go(held.first);
    }
    return rc;
}

static void end_threads(struct hands *hands)
{
    pthread_mutex_lock(&hands->mutex);
    hands->is_ending = true;
    pthread_cond_broadcast(&hands->given);
    pthread_mutex_unlock(&hands->mutex);
    for (unsigned i = 0; i < hands->started; i++)
        pthread_join(hands->thread[i], NULL);
}

static void destroy(struct hands *hands)
{
    let_go(hands);
    deferred_cancel(&hands->turn_end);
    watch_clear(&hands->watch);
    if (hands->event_fd >= 0)
        close(hands->event_fd);
    pthread_cond_destroy(&hands->given);
    pthread_cond_destroy(&hands->returned);
    pthread_mutex_destroy(&hands->mutex);
    free(hands->batch);
    free(hands);
}

static struct hands *create(
    struct loop *loop, const char *name, unsigned threads, hands_batch_fn *fn, void *owner)
{
    struct hands *hands = calloc(1, sizeof *hands + threads * sizeof hands->thread[0]);

    if (!hands)
        return NULL;
    pthread_mutex_init(&hands->mutex, NULL);
    pthread_cond_init(&hands->given, NULL);
    pthread_cond_init(&hands->returned, NULL);
    list_init(&hands->waiting);
    list_init(&hands->finished);
    list_init(&hands->gathered);
    deferred_init(&hands->turn_end, loop, on_turn_end, hands);
    hands->name = name;
    hands->threads = threads;
    hands->batch_fn = fn;
    hands->batch_owner = owner;
    hands->batch_size = BATCH_FIRST;
    hands->batch = fn ? calloc(BATCH_FIRST, sizeof hands->batch[0]) : NULL;
    hands->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    watch_init(&hands->watch, loop, hands->event_fd, on_finished, hands);
    if (hands->event_fd < 0 || (fn && !hands->batch) ||
        watch_enable(&hands->watch, WATCH_READ) != ERR_OK) {
        destroy(hands);
        return NULL;
    }
    if (held.holds) {
        hold(hands);
    } else if (start_threads(hands) != ERR_OK) {
        end_threads(hands);
        destroy(hands);
        return NULL;
    }
    return hands;
}

struct hands *hands_new(struct loop *loop, const char *name, unsigned threads)
{
    assert(threads > 0);
    return create(loop, name, threads, NULL, NULL);
}

struct hands *hands_new_batch(struct loop *loop, const char *name, hands_batch_fn *fn, void *owner)
{
    assert(fn);
    return create(loop, name, 1, fn, owner);
}

void hands_give(struct hands *hands, struct hand_job *job)
{
    assert(job->done && (job->work || hands->batch_fn));
    hands->busy++;
    list_put(&hands->gathered, job);
    if (hands->batch_fn)
        deferred_ask(&hands->turn_end);
    else
        hand_over(hands);
}

size_t hands_busy(const struct hands *hands)
{
    return hands->busy;
}

void hands_free(struct hands **hands)
{
    struct hand_job *job;

    if (!*hands)
        return;
    assert((*hands)->started > 0 || (*hands)->busy == 0);
    while ((*hands)->busy > 0) {
        hand_over(*hands);
        pthread_mutex_lock(&(*hands)->mutex);
        while ((*hands)->finished.count == 0)
            pthread_cond_wait(&(*hands)->returned, &(*hands)->mutex);
        job = take_finished(*hands);
        pthread_mutex_unlock(&(*hands)->mutex);
        call_done(*hands, job);
    }
    end_threads(*hands);
    destroy(*hands);
    *hands = NULL;
}
