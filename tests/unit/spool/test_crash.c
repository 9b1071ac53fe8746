/* tests/unit/spool/test_crash.c: a queue's life, made up of chance, is journalled twice: with
 * checkpoints and without. Wherever the journal is cut, both must come back as the same messages;
 * wherever it is damaged, nothing is lost and nothing is sent blindly (QUE-1, QUE-14). */
#include "support.h"

#include "spool/recover.h"

enum {
    MESSAGES = 14, /* six in each of two segments, two in a third that is cut behind the first */
    RECIPIENTS = 3,
    STEPS = 170,
    FILES_MOST = 80,
    MARKS_MOST = 2 * STEPS,
    FILE_SIZE = 8192, /* of a journal file */
    REFUSED = 13,
};

/* ---- chance ---- */

static uint64_t chance;
static unsigned lives;

static unsigned pick(unsigned below)
{
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(chance >> 33) % below;
}

/* ---- what the queue remembers ---- */

struct model_recipient {
    enum recover_state state;
    uint32_t attempts;
    int64_t next_us;
    bool has_delay_notice;
    uint16_t code;
    char text[24];
};

struct model_message {
    bool is_here; /* arrived and not closed */
    bool was_here;
    bool is_held;
    bool is_moving; /* copied, not yet journalled */
    bool is_stated; /* in the checkpoint that is being written, or arrived since its begin */
    unsigned next;  /* recipient to be stated */
    uint64_t segment, offset;
    uint64_t copy_offset;
    struct model_recipient recipients[RECIPIENTS];
};

struct model_segment {
    struct segment_writer writer;
    uint64_t upto;
    uint64_t cut;
    unsigned waiting; /* messages not arrived */
};

static struct {
    struct model_message messages[MESSAGES];
    struct model_segment segments[4]; /* the last is the mover's */
    bool is_checkpoint;
    int64_t now;
} model;

static size_t recipients_of(unsigned number)
{
    return 1 + number % RECIPIENTS;
}

/* ---- the two journals ---- */

/* Where an entry of the journal with checkpoints ends, and how much the other had then. */
struct mark {
    uint64_t file, start, end;
    unsigned plain;
    uint64_t floor;
};

struct written {
    struct temp temp;
    struct store store;
    struct journal journal;
    struct mark marks[MARKS_MOST];
    unsigned count;
    struct {
        uint64_t number;
        char *data;
        size_t len;
    } files[FILES_MOST];
    unsigned file_count;
};

static struct written full, plain;
static struct faulty_disk faulty;
static struct journal_batch batch;

static void put(struct written *to, const struct journal_entry *entry)
{
    struct mark *mark = &to->marks[to->count++];

    assert_true(to->count < MARKS_MOST);
    journal_batch_reset(&batch);
    journal_put(&batch, entry);
    assert_int_equal(journal_commit(&to->journal, &batch), ERR_OK);
    mark->file = to->journal.end == FILE_HEAD ? to->journal.previous : to->journal.number;
    mark->end = to->journal.end == FILE_HEAD ? to->journal.previous_end : to->journal.end;
    mark->start = mark->end - batch.bytes.len;
    mark->floor = to->journal.floor;
    mark->plain = plain.count;
}

static void tell(struct journal_entry entry)
{
    entry.at_us = model.now += 1000;
    if (entry.kind < JOURNAL_CHECKPOINT)
        put(&plain, &entry);
    put(&full, &entry);
}

static void keep_files(struct written *from)
{
    struct store_file *files;
    size_t count;

    assert_int_equal(store_list(&from->store, STORE_JOURNAL, &files, &count), ERR_OK);
    assert_true(count <= FILES_MOST);
    for (size_t i = 0; i < count; i++) {
        char path[80], name[STORE_NAME];
        store_name(STORE_JOURNAL, files[i].number, name);
        snprintf(path, sizeof path, "journal/%s", name);
        from->files[i].number = files[i].number;
        from->files[i].len = (size_t)temp_size(&from->temp, path);
        from->files[i].data = malloc(from->files[i].len);
        assert_non_null(from->files[i].data);
        temp_read(&from->temp, path, from->files[i].data, from->files[i].len, 0);
    }
    from->file_count = (unsigned)count;
    free(files);
}

/* ---- its life ---- */

static struct model_message *some_message(bool (*fits)(const struct model_message *))
{
    unsigned first = pick(MESSAGES);

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct model_message *m = &model.messages[(first + i) % MESSAGES];
        if (fits(m))
            return m;
    }
    return NULL;
}

static struct queue_id id_of(const struct model_message *m)
{
    return sample_id((unsigned)(m - model.messages));
}

static bool is_open(const struct model_message *m)
{
    return m->is_here;
}

static bool is_still(const struct model_message *m)
{
    return m->is_here && !m->is_moving;
}

static bool is_moving(const struct model_message *m)
{
    return m->is_moving;
}

static bool is_held(const struct model_message *m)
{
    return m->is_here && m->is_held;
}

/* The records of a segment arrive in their order. */
static void arrive(void)
{
    unsigned s = pick(3);
    unsigned first = s * 6, last = s == 2 ? REFUSED : first + 6;

    for (unsigned i = first; i < last; i++) {
        struct model_message *m = &model.messages[i];
        if (m->was_here)
            continue;
        tell((struct journal_entry){ JOURNAL_ARRIVED, id_of(m), 0,
            .arrived = { .segment = m->segment,
                .offset = m->offset,
                .recipient_count = (uint32_t)recipients_of(i) } });
        m->is_here = m->was_here = true;
        m->is_stated = true;
        model.segments[s].upto = m->offset + 1;
        model.segments[s].waiting--;
        return;
    }
}

static void attempt(void)
{
    static const enum journal_result results[] = { JOURNAL_DELIVERED, JOURNAL_DEFERRED,
        JOURNAL_FAILED, JOURNAL_EXPIRED };
    struct model_message *m = some_message(is_open);
    unsigned index, result = pick(4);
    struct model_recipient *r;

    if (!m)
        return;
    index = pick((unsigned)recipients_of((unsigned)(m - model.messages)));
    r = &m->recipients[index];
    if (r->state != RECOVER_PENDING)
        return;
    r->state = (enum recover_state[]){ RECOVER_DELIVERED, RECOVER_PENDING, RECOVER_FAILED,
        RECOVER_EXPIRED }[result];
    r->attempts++;
    r->next_us = result == 1 ? model.now + 5000 : 0;
    r->code = (uint16_t)(400 + pick(100));
    snprintf(r->text, sizeof r->text, "try %u of %u", r->attempts, pick(1000));
    tell((struct journal_entry){ JOURNAL_OUTCOME, id_of(m), 0,
        .outcome = { .recipient = index,
            .result = results[result],
            .attempt = r->attempts,
            .next_us = r->next_us,
            .code = r->code,
            .host = slice_text("mx.example.net"),
            .text = slice_text(r->text) } });
}

static void hold(void)
{
    struct model_message *m = some_message(is_open);

    if (!m)
        return;
    m->is_held = true;
    tell((struct journal_entry){ JOURNAL_HELD, id_of(m), 0, .held = { slice_text("") } });
}

static void set_free(void)
{
    struct model_message *m = some_message(is_held);

    if (!m)
        return;
    m->is_held = false;
    tell((struct journal_entry){ JOURNAL_RELEASED, id_of(m), 0, .released = { slice_text("") } });
}

static void notice(void)
{
    struct model_message *m = some_message(is_open);
    struct journal_noticed_recipient row = { 0 };
    bool is_delay = pick(2);

    if (!m)
        return;
    m->recipients[0].has_delay_notice |= is_delay;
    tell((struct journal_entry){ JOURNAL_NOTICED, id_of(m), 0,
        .noticed = { is_delay ? NOTICE_DELAY : NOTICE_FAILURE, sample_id(999), &row, 1 } });
}

static void finish(void)
{
    struct model_message *m = some_message(is_still);

    if (!m)
        return;
    m->is_here = false;
    tell((struct journal_entry){ JOURNAL_CLOSED, id_of(m), 0, .closed = { slice_text("") } });
}

static void copy_record(void)
{
    struct model_message *m = some_message(is_still);
    struct segment_writer *writer = &model.segments[3].writer;

    if (!m || m->segment == writer->generation)
        return;
    m->copy_offset = writer->end;
    m->is_moving = true;
    {
        struct sample sample;
        struct record_draft *draft = &sample.draft;
        unsigned number = (unsigned)(m - model.messages);
        sample_make(&sample, number, recipients_of(number), slice_text("A body.\r\n"));
        assert_int_equal(segment_append(writer, &draft, 1), ERR_OK);
        sample_clear(&sample);
    }
}

static void move(void)
{
    struct model_message *m = some_message(is_moving);

    if (!m)
        return;
    m->is_moving = false;
    m->segment = model.segments[3].writer.generation;
    m->offset = m->copy_offset;
    tell((struct journal_entry){ JOURNAL_MOVED, id_of(m), 0, .moved = { m->segment, m->offset } });
}

static void refuse(void)
{
    struct model_segment *s = &model.segments[2];

    if (s->cut != 0)
        return;
    s->cut = model.messages[REFUSED].offset;
    tell((struct journal_entry){ JOURNAL_CUT, { 0 }, 0, .cut = { s->writer.generation, s->cut } });
}

static void begin(void)
{
    tell(
        (struct journal_entry){ JOURNAL_CHECKPOINT, { 0 }, 0, .checkpoint = { JOURNAL_BEGIN, 0 } });
    for (unsigned i = 0; i < LENGTH_OF(model.segments); i++) {
        struct model_segment *s = &model.segments[i];
        struct journal_entry entry = { JOURNAL_SEGMENT, { 0 }, 0,
            .segment = { s->writer.generation, i == 3 ? s->writer.end : s->upto, s->cut,
                i < 3 && s->waiting == 0 && (i < 2 || s->cut != 0) } };
        tell(entry);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        model.messages[i].is_stated = !model.messages[i].is_here;
        model.messages[i].next = 0;
    }
    model.is_checkpoint = true;
}

/* The next entry about the message; a run of them may be of any lengths. */
static void state(struct model_message *m)
{
    unsigned number = (unsigned)(m - model.messages), total = (unsigned)recipients_of(number);
    struct journal_state_recipient list[RECIPIENTS] = { 0 };
    unsigned count = 1 + pick(total - m->next);
    struct journal_entry entry = { JOURNAL_STATE, id_of(m), 0,
        .state = { .segment = m->segment,
            .offset = m->offset,
            .arrival_us = 1000000 + number,
            .size = 9,
            .body_size = 9,
            .sender = slice_text("alice@example.org"),
            .user = slice_text("alice"),
            .is_held = m->is_held,
            .recipient_total = total,
            .first = m->next,
            .recipients = list,
            .recipient_count = count } };

    for (unsigned i = 0; i < count; i++) {
        const struct model_recipient *r = &m->recipients[m->next + i];
        list[i] = (struct journal_state_recipient){
            .domain = slice_text("example.net"),
            .state = r->state,
            .attempts = r->attempts,
            .next_us = r->next_us,
            .has_delay_notice = r->has_delay_notice,
            .code = r->code,
            .host = slice_text(r->code ? "mx.example.net" : ""),
            .text = slice_text(r->text),
        };
    }
    tell(entry);
    m->next += count;
    m->is_stated = m->next == total;
}

static bool is_due(const struct model_message *m)
{
    return m->is_here && !m->is_stated;
}

static void checkpoint(void)
{
    struct model_message *m = some_message(is_due);

    if (!model.is_checkpoint || pick(30) == 0) {
        begin();
    } else if (m) {
        state(m);
    } else {
        tell((struct journal_entry){
            JOURNAL_CHECKPOINT, { 0 }, 0, .checkpoint = { JOURNAL_END, 0 } });
        model.is_checkpoint = false;
    }
}

static void live(void)
{
    static void (*const acts[])(void) = { arrive, arrive, attempt, attempt, attempt, hold, set_free,
        notice, finish, copy_record, move, move, refuse, checkpoint, checkpoint, checkpoint,
        checkpoint, checkpoint, checkpoint, checkpoint };

    for (unsigned i = 0; i < STEPS && full.count < MARKS_MOST - 10; i++)
        acts[pick(LENGTH_OF(acts))]();
}

static void open_writer(struct model_segment *s)
{
    struct store_blank blank;

    assert_int_equal(store_blank(&full.store, &blank), ERR_OK);
    segment_writer_init(
        &s->writer, &faulty.disk, blank.write, blank.generation, blank.size, blank.start);
    s->upto = FILE_HEAD;
}

static void open_written(struct written *w)
{
    memset(w, 0, sizeof *w);
    temp_make(&w->temp);
    open_store(&w->store, &faulty.disk, &w->temp);
    journal_init(&w->journal, &w->store, NULL, FILE_SIZE);
}

static void begin_life(unsigned seed)
{
    chance = seed;
    lives++;
    memset(&model, 0, sizeof model);
    faulty_init(&faulty);
    faulty.is_lazy = true;
    open_written(&full);
    open_written(&plain);
    journal_batch_init(&batch, 1 << 20);
    model.now = 2000000;
    for (unsigned i = 0; i < LENGTH_OF(model.segments); i++)
        open_writer(&model.segments[i]);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct model_segment *s = &model.segments[i / 6];
        struct sample sample;
        struct record_draft *draft = &sample.draft;
        model.messages[i].segment = s->writer.generation;
        model.messages[i].offset = s->writer.end;
        sample_make(&sample, i, recipients_of(i), slice_text("A body.\r\n"));
        assert_int_equal(segment_append(&s->writer, &draft, 1), ERR_OK);
        sample_clear(&sample);
        s->waiting += i != REFUSED;
    }
}

/* Segments are cut short, since each is read to its end many times. */
static void end_life(void)
{
    for (unsigned i = 0; i < LENGTH_OF(model.segments); i++) {
        struct segment_writer *writer = &model.segments[i].writer;
        uint64_t end = writer->end, generation = writer->generation;
        segment_writer_clear(writer);
        assert_int_equal(store_truncate(&full.store, STORE_SEGMENT, generation, end + 64), ERR_OK);
        assert_true(temp_size(&full.temp, segment_path(generation)) > 0);
    }
    journal_clear(&full.journal);
    journal_clear(&plain.journal);
    keep_files(&full);
    keep_files(&plain);
    store_close(&full.store);
    store_close(&plain.store);
}

static void forget(struct written *w)
{
    for (unsigned i = 0; i < w->file_count; i++)
        free(w->files[i].data);
    temp_remove(&w->temp);
}

static void forget_life(void)
{
    forget(&full);
    forget(&plain);
    journal_batch_clear(&batch);
}

/* ---- what comes back ---- */

struct outcome {
    char messages[MESSAGES][400]; /* empty: not there */
    bool is_suspect[MESSAGES];
    unsigned troubles;
    unsigned unread; /* handed over without their records */
};

static bool on_is_held(void *context, struct queue_id id)
{
    const struct outcome *said = context;

    return said->messages[id.low - 0x1000][0] != '\0';
}

static enum err on_message(void *context, const struct recover_message *message)
{
    struct outcome *said = context;
    unsigned number = (unsigned)(message->id.low - 0x1000);
    char *word = said->messages[number];
    size_t size = sizeof said->messages[number], at;

    assert_true(number < MESSAGES);
    assert_string_equal(word, "");
    assert_true(slice_is(message->sender, "alice@example.org"));
    assert_int_equal(message->arrival_us, 1000000 + number);
    at = (size_t)snprintf(
        word, size, "%c%c", message->is_held ? 'h' : '-', message->is_journalled ? 'j' : '-');
    said->is_suspect[number] = message->is_suspect;
    said->unread += message->envelope == NULL;
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct recover_recipient *r = &message->recipients[i];
        at += (size_t)snprintf(word + at, size - at, " %d/%u/%lld/%d/%u/%.*s/%.*s@%.*s", r->state,
            r->attempts, (long long)r->next_us, r->has_delay_notice,
            r->has_outcome ? r->outcome.code : 0, SLICE_ARGS(r->outcome.host),
            SLICE_ARGS(r->outcome.text), SLICE_ARGS(r->domain));
    }
    assert_true(at < size);
    return ERR_OK;
}

static void on_aside(void *context, const struct recover_aside *aside)
{
    (void)aside;
    ((struct outcome *)context)->troubles++;
}

static void on_segment(void *context, uint64_t generation)
{
    (void)context, (void)generation;
}

static void on_missing(void *context, struct queue_id id, uint64_t segment, uint64_t offset)
{
    (void)id, (void)segment, (void)offset;
    ((struct outcome *)context)->troubles++;
}

static void on_trouble(void *context, uint64_t generation, enum err reason, const char *what)
{
    (void)generation, (void)reason, (void)what;
    ((struct outcome *)context)->troubles++;
}

static void lay_out(
    const struct written *from, const struct mark *cut, size_t octets, uint64_t floor)
{
    struct store store;

    open_store(&store, &faulty.disk, &full.temp);
    for (unsigned i = 0; i < FILES_MOST; i++) {
        if (i < full.file_count)
            (void)!store_remove(&store, STORE_JOURNAL, full.files[i].number);
        if (i < plain.file_count)
            (void)!store_remove(&store, STORE_JOURNAL, plain.files[i].number);
    }
    for (unsigned i = 0; i < from->file_count; i++) {
        uint64_t number = from->files[i].number;
        size_t len = from->files[i].len;
        char path[80], name[STORE_NAME];
        if (number < floor || (cut && number > cut->file))
            continue;
        if (cut && number == cut->file)
            len = octets;
        store_name(STORE_JOURNAL, number, name);
        snprintf(path, sizeof path, "journal/%s", name);
        temp_write(&full.temp, path, from->files[i].data, len, 0);
    }
    store_close(&store);
}

static void come_back(struct outcome *said)
{
    const struct recover_events events = {
        .context = said,
        .is_held = on_is_held,
        .on_message = on_message,
        .on_aside = on_aside,
        .on_alive = on_segment,
        .on_missing = on_missing,
        .on_owned = on_segment,
        .on_trouble = on_trouble,
    };
    struct journal_replayed sum;
    struct recover *recover;
    struct store store;

    memset(said, 0, sizeof *said);
    open_store(&store, &faulty.disk, &full.temp);
    recover = recover_new(&store, &events);
    assert_non_null(recover);
    assert_int_equal(recover_journal(recover, &sum), ERR_OK);
    assert_int_equal(recover_segments(recover), ERR_OK);
    recover_finish(recover);
    recover_free(&recover);
    store_close(&store);
}

/* What the journal without checkpoints says when it has so many entries. */
static const struct outcome *plainly(unsigned entries)
{
    static struct outcome known[MARKS_MOST];
    static bool is_known[MARKS_MOST];
    static unsigned of;

    if (of != lives)
        memset(is_known, 0, sizeof is_known);
    of = lives;
    if (!is_known[entries]) {
        const struct mark none = { .file = plain.files[0].number }, *mark = &none;
        size_t octets = FILE_HEAD;
        if (entries > 0)
            mark = &plain.marks[entries - 1], octets = (size_t)mark->end;
        lay_out(&plain, mark, octets, 0);
        come_back(&known[entries]);
        is_known[entries] = true;
    }
    return &known[entries];
}

static void compare(const struct outcome *said, const struct outcome *wanted)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_string_equal(said->messages[i], wanted->messages[i]);
        assert_false(said->is_suspect[i]);
    }
    assert_int_equal(said->troubles, 0);
}

static void cut_at(unsigned index, size_t octets, bool is_trimmed)
{
    const struct mark *mark = &full.marks[index];
    bool is_whole = octets >= mark->end;
    unsigned entries = is_whole ? mark->plain : index > 0 ? full.marks[index - 1].plain : 0;
    uint64_t floor = index > 0 && is_trimmed ? full.marks[index - 1].floor : 0;
    const struct outcome *wanted = plainly(entries);
    struct outcome said;

    lay_out(&full, mark, octets, floor);
    come_back(&said);
    compare(&said, wanted);
}

/* At the border of every entry, and inside it: in its head, behind that, at its last octet. */
static void test_cut_everywhere(void **state)
{
    unsigned unread = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct outcome said;
        begin_life(seed);
        live();
        end_life();
        for (unsigned i = 0; i < full.count; i++) {
            const struct mark *mark = &full.marks[i];
            cut_at(i, (size_t)mark->end, true);
            cut_at(
                i, (size_t)mark->start + 1 + pick((unsigned)(mark->end - mark->start - 1)), true);
            if (i % 4 == seed % 4)
                cut_at(i, (size_t)mark->end, false);
        }
        lay_out(&full, NULL, 0, full.marks[full.count - 1].floor);
        come_back(&said);
        compare(&said, plainly(plain.count));
        unread += said.unread;
        forget_life();
    }
    assert_true(unread > 6); /* checkpoints are used at all */
}

/* At every octet of a checkpoint. */
static void test_cut_at_every_octet(void **state)
{
    unsigned first = 0, last = 0;

    (void)state;
    begin_life(77);
    for (int i = 0; i < 12; i++)
        arrive();
    for (int i = 0; i < 8; i++)
        attempt();
    finish();
    first = full.count;
    do
        checkpoint();
    while (model.is_checkpoint);
    last = full.count;
    attempt();
    end_life();
    for (unsigned i = first; i < last; i++) {
        size_t step = i < first + 3 || i + 2 >= last ? 1 : 7;
        for (size_t at = (size_t)full.marks[i].start; at <= full.marks[i].end; at += step)
            cut_at(i, at, true);
    }
    forget_life();
}

/* Whatever is damaged: who was open comes back, as it was or as a suspect; who was not comes back
 * at most as a suspect. */
static void judge_damage(const struct outcome *said, const struct outcome *wanted)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (wanted->messages[i][0] != '\0')
            assert_string_not_equal(said->messages[i], "");
        if (strcmp(said->messages[i], wanted->messages[i]) != 0)
            assert_true(said->is_suspect[i]);
    }
}

static void spoil(const struct mark *mark, uint64_t at, uint64_t floor, unsigned *damaged)
{
    char path[80], name[STORE_NAME];
    struct outcome said;

    if (mark->file < floor)
        return;
    lay_out(&full, NULL, 0, floor);
    store_name(STORE_JOURNAL, mark->file, name);
    snprintf(path, sizeof path, "journal/%s", name);
    temp_spoil(&full.temp, path, (off_t)at);
    come_back(&said);
    judge_damage(&said, plainly(plain.count));
    ++*damaged;
}

static void test_damage_everywhere(void **state)
{
    unsigned damaged = 0;

    (void)state;
    for (unsigned seed = 21; seed <= 24; seed++) {
        uint64_t floor;
        begin_life(seed);
        live();
        tell((struct journal_entry){ JOURNAL_HELD, sample_id(500), 0, .held = { slice_text("") } });
        end_life();
        floor = full.marks[full.count - 1].floor;
        for (unsigned i = 0; i + 1 < full.count; i++) {
            const struct mark *mark = &full.marks[i];
            spoil(mark, mark->start + pick(56), floor, &damaged);
            spoil(mark, mark->start + 60, floor, &damaged);
            if (i % 3 == 0)
                spoil(mark, mark->start + pick(56), 0, &damaged);
            if (i == 0 || mark[-1].file != mark->file) /* a header block */
                spoil(mark, pick(64), floor, &damaged);
        }
        forget_life();
    }
    assert_true(damaged > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_cut_at_every_octet),
        cmocka_unit_test(test_damage_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
