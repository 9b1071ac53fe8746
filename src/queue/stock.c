/* queue/stock.c: the chores of the maker's thread. */
#include "queue/stock.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "queue/memory.h"

/* What a blank for the queue itself leaves on a disk that is too full for mail: the journal goes
 * on.
 */
enum { OWN_LEAVES = 32 << 20, OWN_LEAVES_FILES = 8 };

enum chore_kind {
    CHORE_BLANK,
    CHORE_OWN_BLANK,
    CHORE_SPARE,
    CHORE_REMOVE,
    CHORE_SPACE,
    CHORE_TRIM,
    CHORE_SWEEP_BEGIN,
    CHORE_SWEEP_FINISH,
};

struct chore {
    struct hand_job job;
    struct stock *stock;
    enum chore_kind kind;
    enum err result;
    struct stock_blank *blank;
    struct stock_spare *spare;
    enum store_kind file_kind;
    uint64_t number;
    uint64_t keep;
    void (*done)(void *owner, enum store_kind kind, uint64_t number, enum err result);
    void *owner;
    struct disk_space space;
    uint64_t *named;
    size_t count; /* of named; then of the bodies that were removed */
};

/* Which of the files may go: so many, from the oldest on. */
static size_t count_old(struct store *store, const struct store_file *files, size_t count,
    uint64_t floor, uint64_t keep)
{
    uint64_t kept = 0;

    for (size_t i = count; i-- > 0;) {
        uint64_t size = 0;
        if (store_file_size(store, STORE_JOURNAL, files[i].number, &size) == ERR_OK)
            kept += size;
        if (files[i].number < floor && kept > keep)
            return i + 1;
    }
    return 0;
}

static enum err trim_journal(struct store *store, uint64_t floor, uint64_t keep)
{
    struct store_file *files;
    size_t count, old;
    enum err rc = store_list(store, STORE_JOURNAL, &files, &count);

    if (rc != ERR_OK)
        return rc;
    old = count_old(store, files, count, floor, keep);
    for (size_t i = 0; i < old && rc == ERR_OK; i++) {
        rc = store_unlink(store, STORE_JOURNAL, files[i].number);
        if (rc == ERR_NOTFOUND)
            rc = ERR_OK;
    }
    free(files);
    return rc;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static bool is_named(void *context, uint64_t number)
{
    struct chore *chore = context;

    return chore->count > 0 &&
           bsearch(&number, chore->named, chore->count, sizeof number, compare_numbers) != NULL;
}

static enum err act(struct chore *chore)
{
    struct store *store = &chore->stock->store;

    switch (chore->kind) {
    case CHORE_BLANK:
    case CHORE_OWN_BLANK:
        return store_blank(store, &chore->blank->blank);
    case CHORE_SPARE:
        return store_spare(store, &chore->spare->spare);
    case CHORE_REMOVE:
        return store_unlink(store, chore->file_kind, chore->number);
    case CHORE_SPACE:
        return store_space(store, &chore->space);
    case CHORE_TRIM:
        return trim_journal(store, chore->number, chore->keep);
    case CHORE_SWEEP_BEGIN:
        return store_sweep_begin(store, &chore->stock->sweep);
    case CHORE_SWEEP_FINISH:
        return store_sweep_finish(store, &chore->stock->sweep, is_named, chore, &chore->count);
    }
    return ERR_OK;
}

static void work(struct hand_job *job)
{
    struct chore *chore = CONTAINER_OF(job, struct chore, job);

    chore->result = act(chore);
}

static void took_space(struct stock *stock, const struct chore *chore)
{
    bool was_low = stock->is_low;

    stock->is_looking = false;
    stock->has_looked = true;
    if (chore->result != ERR_OK)
        return;
    stock->space = chore->space;
    /* The share of the disk counts only where a share is kept at all: a small disk for tests sets
     * the reserve to what it can spare (DATA-16). */
    stock->is_low = stock->space.free < stock->reserve || store_lacks_files(&stock->space) ||
                    (stock->reserve >= (256U << 20) && store_is_low(&stock->space));
    if (stock->is_low == was_low)
        return;
    log_event(stock->is_low ? LOG_WARNING : LOG_NOTICE, NULL,
        stock->is_low ? "the disk is full: no new mail" : "the disk has room again",
        log_number("free", (int64_t)stock->space.free),
        log_number("files_free", (int64_t)stock->space.files_free));
    stock->changed(stock->owner);
}

static void took_blank(struct stock *stock, struct chore *chore)
{
    bool is_own = chore->kind == CHORE_OWN_BLANK;

    if (is_own)
        stock->is_own_asked = false;
    else
        stock->blanks_asked--;
    if (chore->result != ERR_OK || stock->is_closing) {
        if (chore->result == ERR_OK)
            stock->store.disk->ops->close(stock->store.disk, chore->blank->blank.write);
        free(chore->blank);
        return;
    }
    if (is_own) {
        LL_APPEND(stock->own, chore->blank);
        /* Until the next look. The last one may have been behind the making. */
        stock->space.free -= stock->space.free < stock->store.segment_size
                                 ? stock->space.free
                                 : stock->store.segment_size;
    } else {
        LL_APPEND(stock->blanks, chore->blank);
        stock->blank_count++;
    }
    stock->changed(stock->owner);
}

static void took_spare(struct stock *stock, struct chore *chore)
{
    stock->spares_asked--;
    if (chore->result != ERR_OK || stock->is_closing) {
        if (chore->result == ERR_OK)
            stock->store.disk->ops->close(stock->store.disk, chore->spare->spare.write);
        free(chore->spare);
        return;
    }
    LL_APPEND(stock->spares, chore->spare);
    stock->spare_count++;
    stock->changed(stock->owner);
}

static void tell_trouble(struct stock *stock, const struct chore *chore)
{
    bool is_making =
        chore->kind == CHORE_BLANK || chore->kind == CHORE_OWN_BLANK || chore->kind == CHORE_SPARE;
    bool is_trim = chore->kind == CHORE_TRIM;

    if (chore->result == ERR_OK) {
        stock->is_troubled &= !is_making;
        stock->is_trim_troubled &= !is_trim;
        return;
    }
    if (is_trim && !stock->is_trim_troubled)
        log_event(LOG_WARNING, NULL, "old journal files cannot be removed; trying on",
            log_reason(chore->result));
    stock->is_trim_troubled |= is_trim;
    if (!is_making && !is_trim && chore->kind != CHORE_REMOVE)
        log_event(LOG_WARNING, NULL, "the spool was not tidied up", log_reason(chore->result));
    if (is_making && !stock->is_troubled)
        log_event(
            LOG_ERROR, NULL, "no blank file could be made; trying on", log_reason(chore->result));
    stock->is_troubled |= is_making;
}

static void finish(struct hand_job *job)
{
    struct chore *chore = CONTAINER_OF(job, struct chore, job);
    struct stock *stock = chore->stock;

    tell_trouble(stock, chore);
    if (chore->kind == CHORE_BLANK || chore->kind == CHORE_OWN_BLANK)
        took_blank(stock, chore);
    if (chore->kind == CHORE_SPARE)
        took_spare(stock, chore);
    if (chore->kind == CHORE_SPACE) {
        took_space(stock, chore);
        stock_fill(stock);
    }
    if (chore->kind == CHORE_SWEEP_FINISH && chore->result == ERR_OK && chore->count > 0)
        log_event(LOG_NOTICE, NULL, "body files without a record removed",
            log_number("count", (int64_t)chore->count));
    if (chore->done)
        chore->done(chore->owner, chore->file_kind, chore->number, chore->result);
    free(chore->named);
    free(chore);
}

static struct chore *chore_new(struct stock *stock, enum chore_kind kind)
{
    struct chore *chore = need_memory(sizeof *chore);

    chore->job = (struct hand_job){ .work = work, .done = finish };
    chore->stock = stock;
    chore->kind = kind;
    return chore;
}

enum err stock_init(struct stock *stock, struct loop *loop, struct disk *disk, int root,
    const struct store_settings *settings, uint64_t reserve, void (*changed)(void *owner),
    void *owner)
{
    enum err rc;

    *stock = (struct stock){ .reserve = reserve, .changed = changed, .owner = owner };
    rc = store_open(&stock->store, disk, root, settings);
    if (rc != ERR_OK)
        return rc;
    stock->hands = hands_new(loop, "maker", 1);
    if (!stock->hands) {
        store_close(&stock->store);
        return ERR_NOMEM;
    }
    /* Nothing waits for this loop yet, and status tells it from the start. Whether the disk is full
     * is decided by the first tick, which tells the owner and the log. */
    (void)!store_space(&stock->store, &stock->space);
    return ERR_OK;
}

/* Files in stock are unlocked by closing them; the next start removes them. */
void stock_clear(struct stock *stock)
{
    struct store_blank blank;
    struct store_spare spare;

    if (!stock->hands)
        return;
    stock->is_closing = true;
    hands_free(&stock->hands);
    while (stock_take_own(stock, &blank))
        stock->store.disk->ops->close(stock->store.disk, blank.write);
    while (stock_take_spare(stock, &spare))
        stock->store.disk->ops->close(stock->store.disk, spare.write);
    store_sweep_clear(&stock->sweep);
    store_close(&stock->store);
}

static void order_blank(struct stock *stock, enum chore_kind kind)
{
    struct chore *chore = chore_new(stock, kind);

    chore->blank = need_memory(sizeof *chore->blank);
    hands_give(stock->hands, &chore->job);
}

static bool has_room_for_own(const struct stock *stock)
{
    const struct disk_space *space = &stock->space;

    return space->free >= stock->store.segment_size + OWN_LEAVES &&
           (space->files == 0 || space->files_free >= OWN_LEAVES_FILES);
}

static void order_own(struct stock *stock)
{
    if (!stock->is_low || !stock->is_own_wanted || stock->is_own_asked || stock->own ||
        !has_room_for_own(stock))
        return;
    stock->is_own_asked = true;
    order_blank(stock, CHORE_OWN_BLANK);
}

void stock_fill(struct stock *stock)
{
    if (!stock->has_looked || stock->is_closing)
        return;
    order_own(stock);
    /* What room is left is for mail that has begun. */
    while (!stock->is_low &&
           stock->blank_count + stock->blanks_asked < STOCK_BLANKS + stock->blanks_wanted) {
        stock->blanks_asked++;
        order_blank(stock, CHORE_BLANK);
    }
    while (stock->spare_count + stock->spares_asked < STOCK_SPARES + stock->spares_wanted) {
        struct chore *chore = chore_new(stock, CHORE_SPARE);
        chore->spare = need_memory(sizeof *chore->spare);
        stock->spares_asked++;
        hands_give(stock->hands, &chore->job);
    }
}

void stock_tick(struct stock *stock)
{
    if (!stock->is_looking && !stock->is_closing) {
        struct chore *chore = chore_new(stock, CHORE_SPACE);
        stock->is_looking = true;
        hands_give(stock->hands, &chore->job);
    }
    /* A disk that refused is asked again once a second, not at once. */
    stock_fill(stock);
}

static struct store_blank take_first(struct stock_blank **blanks)
{
    struct stock_blank *first = *blanks;
    struct store_blank blank = first->blank;

    LL_DELETE(*blanks, first);
    free(first);
    return blank;
}

bool stock_take_blank(struct stock *stock, struct store_blank *out_blank)
{
    if (!stock->blanks)
        return false;
    *out_blank = take_first(&stock->blanks);
    stock->blank_count--;
    return true;
}

bool stock_take_own(struct stock *stock, struct store_blank *out_blank)
{
    stock->is_own_wanted = !stock->own && !stock->blanks;
    if (stock->own)
        *out_blank = take_first(&stock->own);
    else if (!stock_take_blank(stock, out_blank)) {
        stock_fill(stock);
        return false;
    }
    return true;
}

bool stock_take_spare(struct stock *stock, struct store_spare *out_spare)
{
    struct stock_spare *first = stock->spares;

    if (!first)
        return false;
    LL_DELETE(stock->spares, first);
    stock->spare_count--;
    *out_spare = first->spare;
    free(first);
    return true;
}

bool stock_has_spare(const struct stock *stock, uint64_t number)
{
    const struct stock_spare *spare;

    LL_FOREACH (stock->spares, spare)
        if (spare->spare.number == number)
            return true;
    return false;
}

void stock_remove(struct stock *stock, enum store_kind kind, uint64_t number,
    void (*done)(void *owner, enum store_kind kind, uint64_t number, enum err result), void *owner)
{
    struct chore *chore = chore_new(stock, CHORE_REMOVE);

    chore->file_kind = kind;
    chore->number = number;
    chore->done = done;
    chore->owner = owner;
    hands_give(stock->hands, &chore->job);
}

void stock_trim_journal(struct stock *stock, uint64_t floor, uint64_t keep)
{
    struct chore *chore = chore_new(stock, CHORE_TRIM);

    chore->number = floor;
    chore->keep = keep;
    hands_give(stock->hands, &chore->job);
}

void stock_sweep_begin(struct stock *stock)
{
    hands_give(stock->hands, &chore_new(stock, CHORE_SWEEP_BEGIN)->job);
}

void stock_sweep_finish(struct stock *stock, uint64_t *named, size_t count)
{
    struct chore *chore = chore_new(stock, CHORE_SWEEP_FINISH);

    if (count > 0)
        qsort(named, count, sizeof *named, compare_numbers);
    chore->named = named;
    chore->count = count;
    hands_give(stock->hands, &chore->job);
}

size_t stock_busy(const struct stock *stock)
{
    return hands_busy(stock->hands);
}
