/* tests/unit/spool/recovery.h: a spool that falls and comes up again, and what recovery says of it
 * besides its messages. For programs that have one such spool: they say what on_message and
 * on_aside do, and forget what was said when the spool comes up. */
#ifndef TESTS_SPOOL_RECOVERY_H
#define TESTS_SPOOL_RECOVERY_H

#include "support.h"

#include "spool/recover.h"

static struct temp temp;
static struct faulty_disk faulty;
static struct store store;
static struct journal journal;
static struct recover *recover;
static struct journal_replayed sum;

/* A alive, O owned, M missing with its number, T trouble, D journal damage; a program may add. */
static char incidents[128];

static bool on_is_held(void *context, struct queue_id id);
static enum err on_message(void *context, const struct recover_message *message);
static void on_aside(void *context, const struct recover_aside *aside);
static void forget_said(void);

/* Appends to a text. */
PRINTF_LIKE(3, 4) static void add(char *word, size_t size, const char *format, ...)
{
    size_t at = strlen(word);
    va_list args;

    va_start(args, format);
    vsnprintf(word + at, size - at, format, args);
    va_end(args);
}

static void on_alive(void *context, uint64_t generation)
{
    (void)context, (void)generation;
    add(incidents, sizeof incidents, "A");
}

static void on_owned(void *context, uint64_t generation)
{
    (void)context, (void)generation;
    add(incidents, sizeof incidents, "O");
}

static void on_missing(void *context, struct queue_id id, uint64_t segment, uint64_t offset)
{
    (void)context, (void)segment, (void)offset;
    add(incidents, sizeof incidents, "M%u", (unsigned)(id.low - 0x1000));
}

static void on_trouble(void *context, uint64_t generation, enum err reason, const char *what)
{
    (void)context, (void)generation, (void)what;
    assert_int_not_equal(reason, ERR_OK);
    add(incidents, sizeof incidents, "T");
}

static void on_journal_damage(void *context, const struct journal_damage *damage)
{
    (void)context, (void)damage;
    add(incidents, sizeof incidents, "D");
}

static const struct recover_events events = {
    .is_held = on_is_held,
    .on_message = on_message,
    .on_aside = on_aside,
    .on_alive = on_alive,
    .on_missing = on_missing,
    .on_owned = on_owned,
    .on_trouble = on_trouble,
    .on_journal_damage = on_journal_damage,
};

/* The queue comes up. */
static void start(void)
{
    forget_said();
    incidents[0] = '\0';
    open_store(&store, &faulty.disk, &temp);
    recover = recover_new(&store, &events);
    assert_non_null(recover);
    assert_int_equal(recover_journal(recover, &sum), ERR_OK);
    journal_init(&journal, &store, &sum, 1 << 20);
}

/* The queue falls. */
static void crash(void)
{
    recover_free(&recover);
    journal_clear(&journal);
    store_close(&store);
}

static void restart(void)
{
    crash();
    start();
}

/* Comes up anew, and reads the segments too. */
static void restart_whole(void)
{
    restart();
    assert_int_equal(recover_segments(recover), ERR_OK);
    if (recover_waiting(recover) == 0)
        recover_finish(recover);
}

static void make_spool(bool is_lazy)
{
    temp_make(&temp);
    faulty_init(&faulty);
    faulty.is_lazy = is_lazy;
    start();
}

static void drop_spool(void)
{
    crash();
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
}

#endif
