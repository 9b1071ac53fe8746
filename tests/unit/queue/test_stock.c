/* tests/unit/queue/test_stock.c: files that are made and removed for the room while the disk is
 * full or fails. */
#include "story.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static struct disk_ops ops;
static struct disk disk = { &ops };
static uint64_t room_left;   /* octets that are free, as the disk says; 0: as it is */
static char undeletable[64]; /* the name of a journal file */

static enum err tight_space(struct disk *self, int dir, struct disk_space *out_space)
{
    enum err rc = disk_posix()->ops->space(self, dir, out_space);

    if (rc == ERR_OK && room_left != 0)
        out_space->free = room_left;
    return rc;
}

static enum err picky_unlink(struct disk *self, int dir, const char *name)
{
    return strcmp(name, undeletable) == 0 ? ERR_IO : disk_posix()->ops->unlink(self, dir, name);
}

static int make(void **state)
{
    ops = *disk_posix()->ops;
    ops.space = tight_space;
    ops.unlink = picky_unlink;
    room_left = 0;
    undeletable[0] = '\0';
    (void)story_make(state);
    story.rig.disk = &disk;
    story_restart();
    rig_gate_connect(&story.rig, 2, 0);
    return 0;
}

/* Thirty messages, of which ten are delivered, ten deferred and ten in hand; then a life that has
 * no room for mail from its start. */
static uint64_t start_low(void)
{
    uint64_t generation;

    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    story_submit(30);
    rig_until(&story.rig, rig_message(&story.rig, 30));
    story_settle();
    generation = rig_message(&story.rig, 1)->segment->generation;
    story.rig.conf->spool.reserve = UINT64_C(1) << 62;
    story_restart();
    rig_gate_connect(&story.rig, 2, 0);
    rig_until(&story.rig, story.rig.gate.is_full);
    rig_relay_connect(&story.rig, story.relay, NULL, 0);
    rig_until(&story.rig, story.relay->job_count > 0);
    rig_queue(&story.rig)->upkeep.compact_age_ms = 0;
    rig_answer(story.relay, &story.relay->jobs[0], &rig_refused);
    return generation;
}

/* DATA-16: below the reserve no gate gets a blank, but senders hear of failures, and compaction
 * makes room. */
static void test_low(void **state)
{
    uint64_t generation = start_low();

    (void)state;
    rig_until(&story.rig, rig_queue(&story.rig)->counters.notices == 1);
    rig_until(&story.rig, !rig_has(&story.rig, STORE_SEGMENT, generation));
    rig_run(&story.rig, 1200);
    assert_int_equal(story.rig.gate.writer_count, 0);
    assert_int_equal(rig_files(&story.rig, "segments"), 2); /* one for notices, one moved to */
    story.fates[1] = story.told[1] = DELIVERED;
}

/* A disk that has no room at all is left to the journal. */
static void test_full(void **state)
{
    uint64_t generation;

    (void)state;
    room_left = STORE_SEGMENT_MIN + (31 << 20);
    generation = start_low();
    rig_run(&story.rig, 1500);
    assert_int_equal(rig_files(&story.rig, "segments"), 1);
    assert_int_equal(rig_count(&story.rig, RECIPIENT_SETTLING), 1);
    assert_true(rig_has(&story.rig, STORE_SEGMENT, generation));
    room_left = 0;
    rig_until(&story.rig, rig_queue(&story.rig)->counters.notices == 1);
}

/* A look at the disk that came between ordering and making a blank saw less room than that takes.
 */
static void test_room_is_gone(void **state)
{
    struct stock *stock = &rig_queue(&story.rig)->stock;
    struct store_blank blank;

    (void)state;
    room_left = 1 << 20;
    stock->reserve = 2 << 20;
    rig_until(&story.rig, stock->is_low);
    while (stock_take_blank(stock, &blank))
        close(blank.write);
    stock->space.free = UINT64_C(1) << 40;
    assert_false(stock_take_own(stock, &blank));
    stock->space.free = 1000;
    rig_until(&story.rig, stock->own);
    assert_true(stock->space.free <= 1 << 20);
    room_left = 0;
}

/* What is left of the journal has no holes: the oldest goes first, and where one stays so do those
 * behind it. */
static void test_trim(void **state)
{
    struct queue *queue = rig_queue(&story.rig);
    struct store_file *files;
    size_t count, left;

    (void)state;
    queue->upkeep.history = UINT64_C(1) << 40;
    for (int i = 0; i < 3; i++)
        story_checkpoint();
    rig_until(&story.rig, stock_busy(&queue->stock) == 0);
    assert_int_equal(store_list(&queue->stock.store, STORE_JOURNAL, &files, &count), ERR_OK);
    assert_true(count > 4);
    store_name(STORE_JOURNAL, files[2].number, undeletable);
    queue->upkeep.history = 0;
    journal_trim(queue);
    rig_until(&story.rig, stock_busy(&queue->stock) == 0);
    assert_false(rig_has(&story.rig, STORE_JOURNAL, files[1].number));
    for (size_t i = 2; i < count; i++)
        assert_true(rig_has(&story.rig, STORE_JOURNAL, files[i].number));
    assert_true(queue->stock.is_trim_troubled);
    undeletable[0] = '\0';
    journal_trim(queue);
    rig_until(&story.rig, stock_busy(&queue->stock) == 0);
    left = rig_files(&story.rig, "journal");
    assert_true(left < count - 2);
    assert_false(queue->stock.is_trim_troubled);
    free(files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_low, make, story_end),
        cmocka_unit_test_setup_teardown(test_full, make, story_end),
        cmocka_unit_test_setup_teardown(test_room_is_gone, make, story_end),
        cmocka_unit_test_setup_teardown(test_trim, make, story_end),
    };

    return cmocka_run_group_tests_name("queue/stock", tests, NULL, NULL);
}
