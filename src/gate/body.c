/* gate/body.c: turns the stream of content into a header block and a body. Owns struct body. */
#include "gate/body.h"

#include <assert.h>

enum { MESSAGE_LINE_MAX = 998, SMALL_SLACK = 64 << 10, FRONT_MAX = 2 << 20 };

static void drop_file(struct body *b)
{
    if (b->spares)
        spares_unwish(b->spares, &b->wish);
    body_file_drop(&b->file);
    replay_free(&b->replay);
    b->front = (struct slice){ 0 };
}

void body_clear(struct body *b)
{
    if (b->state == BODY_CLOSED)
        return;
    drop_file(b);
    header_scan_clear(&b->header);
    buffer_clear(&b->small);
    canonical_free(&b->canonical);
    *b = (struct body){ .state = BODY_CLOSED };
}

/* Nothing more of the content is wanted. */
static void drop(struct body *b)
{
    drop_file(b);
    buffer_clear(&b->small);
    b->state = BODY_DROPPING;
}

static void fail(struct body *b, enum err error)
{
    if (b->error == ERR_OK)
        b->error = error;
    drop(b);
}

void body_give_up(struct body *b)
{
    fail(b, ERR_TIMEOUT);
}

void body_open(struct body *b, struct spares *spares, const struct body_limits *limits,
    void (*moved)(void *owner), void *owner)
{
    assert(b->state == BODY_CLOSED);
    b->state = BODY_HEADER;
    b->spares = spares;
    b->limits = *limits;
    b->moved = moved;
    b->owner = owner;
    header_scan_init(&b->header);
    buffer_init(&b->small, limits->large + SMALL_SLACK);
    if (!limits->is_binary)
        return;
    b->canonical = canonical_new();
    if (!b->canonical)
        fail(b, ERR_NOMEM);
}

/* Kept content. */

enum { FRONT_PIECE = 16 << 10 };

/* No more octets now: the file is behind, or there is none yet. */
static bool is_full(const struct body *b)
{
    if (b->state == BODY_FILING)
        return b->file->state != BODY_FILE_TAKEN && b->file->filling.len >= BODY_FILE_FILL;
    return b->state == BODY_WANTING;
}

static bool is_replaying(const struct body *b)
{
    return b->front.len > 0 || b->replay;
}

/* Takes what can be taken of it now. */
static void replay_step(struct body *b)
{
    while (b->front.len > 0 && !is_full(b)) {
        struct slice piece = slice_first(b->front, FRONT_PIECE);
        b->front = slice_from(b->front, piece.len);
        body_take_chunk(b, piece); /* forgets the front when it is refused */
    }
    if (b->front.len == 0 && b->replay && !is_full(b))
        replay_read(b->replay);
}

/* Something has moved that somebody may wait for. */
static void tell(struct body *b)
{
    if (is_replaying(b))
        replay_step(b);
    if (!is_replaying(b))
        b->moved(b->owner);
}

static void on_replayed(void *owner, struct slice octets, enum err error)
{
    struct body *b = owner;

    if (error != ERR_OK)
        fail(b, error);
    else
        body_take_chunk(b, octets);
    if (b->replay && replay_is_over(b->replay))
        replay_free(&b->replay);
    tell(b);
}

void body_replay(struct body *b, struct slice front, int file, uint64_t octets)
{
    assert(b->state == BODY_HEADER && body_content(b) == 0);
    b->front = front;
    if (file >= 0) {
        b->replay = replay_new(b->spares->hands, b->spares->disk, file, octets, on_replayed, b);
        if (!b->replay)
            fail(b, ERR_NOMEM);
    }
    replay_step(b);
}

/* The content up to where the file begins, as it came: the empty line that ended the header block
 * is not in it. */
static void put_front(const struct body *b, struct buffer *out)
{
    struct slice block = header_scan_block(&b->header);

    buffer_put_slice(out, block);
    if (b->header.state == HEADER_COMPLETE && body_content(b) - b->size > block.len)
        buffer_put_text(out, "\r\n");
    if (!b->file)
        buffer_put_slice(out, buffer_slice(&b->small));
}

static bool can_be_kept(const struct body *b)
{
    return b->state != BODY_CLOSED && b->state != BODY_DROPPING && !is_replaying(b) &&
           b->fault == BODY_SOUND && b->error == ERR_OK;
}

/* Octets that a client can go on behind: the start of a line, but for what only BDAT can bring. */
static uint64_t upto(const struct body *b)
{
    if (b->limits.is_binary)
        return body_content(b);
    return b->given > 0 ? b->lined : b->decoder.content.line_start;
}

bool body_keep(struct body *b, struct body_kept *out_kept)
{
    struct body_kept kept = { 0 };

    if (!can_be_kept(b))
        return false;
    kept.octets = upto(b);
    buffer_init(&kept.front, FRONT_MAX);
    put_front(b, &kept.front);
    if (kept.octets == 0 || kept.front.error != ERR_OK) {
        buffer_clear(&kept.front);
        return false;
    }
    if (kept.octets <= kept.front.len)
        buffer_truncate(&kept.front, (size_t)kept.octets);
    else
        kept.file = b->file;
    if (kept.file)
        b->file = NULL;
    *out_kept = kept;
    return true;
}

/* Files. */

static void on_moved(void *owner)
{
    struct body *b = owner;

    if (b->file->error != ERR_OK)
        fail(b, b->file->error);
    else if (b->state == BODY_SYNCING)
        b->state = BODY_DONE;
    else if (b->file->filling.len >= BODY_FILE_CHUNK)
        body_file_write(b->file);
    tell(b);
}

/* What was in memory becomes the first write. */
static void begin_filing(struct body *b, struct body_file *file)
{
    buffer_put_slice(&file->filling, buffer_slice(&b->small));
    buffer_clear(&b->small);
    b->file = file;
    b->state = BODY_FILING;
    if (file->filling.error != ERR_OK)
        fail(b, file->filling.error);
    else
        body_file_write(file);
}

static void on_granted(struct spare_wish *wish, struct body_file *file)
{
    struct body *b = CONTAINER_OF(wish, struct body, wish);

    file->moved = on_moved;
    file->owner = b;
    begin_filing(b, file);
    tell(b);
}

static void want_file(struct body *b)
{
    struct body_file *file = spares_take(b->spares, on_moved, b);

    b->state = BODY_WANTING;
    if (file) {
        begin_filing(b, file);
    } else {
        b->wish.granted = on_granted;
        spares_wish(b->spares, &b->wish);
    }
}

bool body_is_stuck(const struct body *b)
{
    return is_replaying(b) || is_full(b);
}

/* Octets. */

static void put_small(struct body *b, struct slice bytes)
{
    buffer_put_slice(&b->small, bytes);
    if (b->small.error != ERR_OK)
        fail(b, b->small.error);
    else if (b->state == BODY_SMALL && b->size > b->limits.large)
        want_file(b);
}

static void put_file(struct body *b, struct slice bytes)
{
    struct buffer *filling = &b->file->filling;

    buffer_put_slice(filling, bytes);
    if (filling->error != ERR_OK)
        fail(b, filling->error);
    else if (b->file->state == BODY_FILE_TAKEN && filling->len >= BODY_FILE_CHUNK)
        body_file_write(b->file);
}

static bool is_8bit(struct slice bytes)
{
    struct content content = { 0 };

    content_inspect(&content, bytes);
    return content.has_8bit;
}

/* Octets behind the header block. */
static void put_body(struct body *b, struct slice bytes)
{
    b->size += bytes.len;
    if (!b->is_8bit && b->decoder.content.has_8bit)
        b->is_8bit = is_8bit(bytes);
    if (b->state == BODY_FILING)
        put_file(b, bytes);
    else
        put_small(b, bytes);
}

static void put(struct body *b, struct slice bytes)
{
    if (b->state == BODY_HEADER) {
        bytes = slice_from(bytes, header_scan_feed(&b->header, bytes));
        if (b->header.state == HEADER_FAILED)
            fail(b, ERR_NOMEM);
        else if (b->header.state == HEADER_REFUSED)
            drop(b);
        else if (b->header.state == HEADER_COMPLETE)
            b->state = BODY_SMALL;
    }
    if (bytes.len > 0 && b->state != BODY_HEADER && b->state != BODY_DROPPING)
        put_body(b, bytes);
}

/* Faults. */

static enum body_fault fault_of(const struct content *content)
{
    if (content->has_nul)
        return BODY_NUL;
    if (content->has_bare_lf)
        return BODY_BARE_LF;
    if (content->has_bare_cr)
        return BODY_BARE_CR;
    return content->longest_line > MESSAGE_LINE_MAX ? BODY_LONG_LINE : BODY_SOUND;
}

/* The run made sound content faulty: goes through it again, octet by octet, for the line. */
static void find_fault(struct body *b, struct content before, struct slice run)
{
    for (size_t i = 0; i < run.len && b->fault == BODY_SOUND; i++) {
        b->fault_line = before.lines + 1;
        content_inspect(&before, slice_of(run.data + i, 1));
        b->fault = fault_of(&before);
    }
}

static void judge_binary(struct body *b, struct slice run)
{
    static const enum body_fault faults[] = {
        [CANONICAL_SOUND] = BODY_SOUND,
        [CANONICAL_NEWLINE] = BODY_TEXT,
        [CANONICAL_DEEP] = BODY_DEEP,
    };

    if (!b->canonical)
        return; /* without memory it has failed */
    canonical_feed(b->canonical, run);
    b->fault = faults[canonical_fault(b->canonical)];
    b->fault_line = canonical_fault_line(b->canonical);
}

/* The run has been inspected; before: the content as it was ahead of it. */
static void judge(struct body *b, const struct content *before, struct slice run)
{
    if (b->fault != BODY_SOUND)
        return;
    if (b->limits.is_binary)
        judge_binary(b, run);
    else if (fault_of(&b->decoder.content) != BODY_SOUND)
        find_fault(b, *before, run);
    if (b->fault == BODY_SOUND && b->limits.size > 0 && body_content(b) > b->limits.size)
        b->fault = BODY_TOO_BIG;
    if (b->fault != BODY_SOUND)
        drop(b);
}

size_t body_take_data(struct body *b, struct slice input, bool *out_is_end)
{
    size_t taken = 0;
    enum data_answer answer;

    do {
        struct content before = b->decoder.content;
        struct slice run;
        size_t consumed;

        answer = data_decode(&b->decoder, slice_from(input, taken), &run, &consumed);
        taken += consumed;
        judge(b, &before, run);
        put(b, run);
    } while (answer == DATA_RUN);
    *out_is_end = answer == DATA_END;
    if (*out_is_end)
        body_end(b);
    return taken;
}

void body_take_chunk(struct body *b, struct slice bytes)
{
    struct content before = b->decoder.content;

    content_inspect(&b->decoder.content, bytes);
    judge(b, &before, bytes);
    put(b, bytes);
}

/* A last line without CRLF gets one (DATA-11); with DATA there is none. */
static void finish_content(struct body *b)
{
    static const struct slice crlf = SLICE_LITERAL("\r\n");
    uint64_t line = b->decoder.content.lines + 1;

    if (content_finish(&b->decoder.content))
        return;
    if (b->fault == BODY_SOUND && fault_of(&b->decoder.content) != BODY_SOUND) {
        b->fault = fault_of(&b->decoder.content);
        b->fault_line = line;
        drop(b);
    }
    if (b->state != BODY_HEADER)
        put(b, crlf);
}

/* Nothing is added to what is binary. */
static void finish_binary(struct body *b)
{
    if (b->fault != BODY_SOUND || !b->canonical)
        return;
    canonical_end(b->canonical);
    judge_binary(b, (struct slice){ 0 });
    if (b->fault != BODY_SOUND)
        drop(b);
}

void body_end(struct body *b)
{
    b->given = body_content(b);
    b->lined = b->decoder.content.line_start;
    if (b->limits.is_binary)
        finish_binary(b);
    else if (b->decoder.state != DATA_ENDED)
        finish_content(b);
    header_scan_end(&b->header);
    if (b->header.state == HEADER_FAILED)
        fail(b, ERR_NOMEM);
    else if (b->header.state == HEADER_REFUSED)
        drop(b);
    if (b->state == BODY_HEADER || b->state == BODY_SMALL)
        b->state = BODY_DONE;
}

void body_sync(struct body *b)
{
    assert(b->state == BODY_FILING && b->file->state == BODY_FILE_TAKEN);
    b->state = BODY_SYNCING;
    body_file_sync(b->file);
}
