/* spool/tail.c: the window over a file, the scan for the next frame behind damage, and the
 * judgement of what was found. */
#include "spool/tail.h"

enum {
    WINDOW = 64 << 10,     /* read ahead */
    WINDOW_KEEP = 1 << 20, /* above this the memory is given back */
};

#define NOWHERE UINT64_MAX

void tail_init(struct tail *tail, struct disk *disk, const struct frame_format *format)
{
    size_t most = FRAME_HEAD + FRAME_ALIGN + WINDOW;

    for (int i = 0; i < FRAME_PARTS; i++)
        most += format->part_max[i];
    *tail = (struct tail){ .disk = disk, .format = format, .file = -1 };
    buffer_init(&tail->window, most);
}

void tail_clear(struct tail *tail)
{
    buffer_clear(&tail->window);
}

static void trim_window(struct tail *tail)
{
    if (tail->window.size > WINDOW_KEEP)
        buffer_clear(&tail->window);
    else
        buffer_reset(&tail->window);
}

void tail_aim(struct tail *tail, int file, uint64_t generation, uint64_t offset)
{
    trim_window(tail);
    tail->file = file;
    tail->generation = generation;
    tail->offset = offset;
    tail->window_offset = offset;
    tail->scanned_to = 0;
}

/* The octets from offset to the bound, as many as are in the window, but at least len of them if
 * there are so many. Octets behind the bound are never read: a living writer may still change them.
 */
static enum err look(
    struct tail *tail, uint64_t offset, uint64_t len, uint64_t bound, struct slice *out_bytes)
{
    struct buffer *window = &tail->window;
    uint64_t left = bound - offset;
    char *at;

    if (offset < tail->window_offset || offset - tail->window_offset > window->len)
        buffer_reset(window);
    else
        buffer_consume(window, offset - tail->window_offset);
    tail->window_offset = offset;
    if (window->len < len && window->len < left) {
        size_t more =
            (size_t)((len < WINDOW ? WINDOW : len) < left ? (len < WINDOW ? WINDOW : len) : left);
        more -= window->len;
        at = buffer_reserve(window, more);
        if (!at)
            return window->error;
        enum err rc = disk_read_span(tail->disk, tail->file, at, more, offset + window->len);
        if (rc != ERR_OK)
            return rc;
        buffer_commit(window, more);
    }
    *out_bytes = slice_first(buffer_slice(window), left < SIZE_MAX ? (size_t)left : SIZE_MAX);
    return ERR_OK;
}

static bool is_zero(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.data[i] != 0)
            return false;
    return true;
}

/* FRAME_SHORT does not come out of here: what reaches over the bound is damaged. */
static enum err parse_at(struct tail *tail, uint64_t offset, uint64_t bound,
    struct frame *out_frame, enum frame_result *out_result)
{
    struct slice bytes;
    enum frame_result result;
    enum err rc = look(tail, offset, FRAME_HEAD, bound, &bytes);

    if (rc != ERR_OK)
        return rc;
    if (bytes.len < FRAME_HEAD) {
        *out_result = is_zero(bytes) ? FRAME_END : FRAME_NO_HEAD;
        return ERR_OK;
    }
    result = frame_parse(tail->format, tail->generation, bytes, out_frame);
    if (result == FRAME_SHORT && out_frame->total > bound - offset)
        result = FRAME_NO_BODY;
    if (result == FRAME_SHORT) {
        rc = look(tail, offset, out_frame->total, bound, &bytes);
        if (rc != ERR_OK)
            return rc;
        result = frame_parse(tail->format, tail->generation, bytes, out_frame);
    }
    *out_result = result;
    return ERR_OK;
}

/* Moves *at along the grid to the next magic, or to the bound; *filled: behind the last octets that
 * were not zero. */
static enum err find_magic(struct tail *tail, uint64_t bound, uint64_t *at, uint64_t *filled)
{
    while (bound - *at >= FRAME_HEAD) {
        struct slice bytes;
        uint64_t word, magic;
        size_t i = 0;
        enum err rc = look(tail, *at, FRAME_HEAD, bound, &bytes);

        if (rc != ERR_OK)
            return rc;
        memcpy(&magic, tail->format->magic, sizeof magic);
        for (; i + sizeof word <= bytes.len; i += FRAME_ALIGN) {
            memcpy(&word, bytes.data + i, sizeof word);
            if (word == magic)
                break;
            if (word != 0)
                *filled = *at + i + FRAME_ALIGN;
        }
        *at += i;
        if (i + sizeof word <= bytes.len)
            return ERR_OK;
    }
    *at = bound;
    return ERR_OK;
}

struct scan {
    uint64_t head;   /* the first sound head, its frame sound or not; NOWHERE */
    uint64_t filled; /* behind the last octets before it that are not zero nor an older frame */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Looks from `at` on for the next sound head and for the next sound frame that begins a batch
 * (tail->next_sound): it proves that what lies before it was synced once. A sound head is believed:
 * what it claims is stepped over, so nothing inside a damaged body is ever taken for a frame, and
 * no octet is summed twice. */
static enum err scan(struct tail *tail, uint64_t at, uint64_t bound, struct scan *out_scan)
{
    bool is_known = tail->scanned_to == bound && tail->next_sound >= at;
    bool is_older = false;
    struct scan found = { NOWHERE, at };
    struct frame frame;
    enum frame_result result;
    enum err rc;

    if (!is_known)
        tail->next_sound = NOWHERE;
    while (at < bound && !(is_known && found.head != NOWHERE)) {
        uint64_t filled = found.filled;
        rc = find_magic(tail, bound, &at, &filled);
        if (rc != ERR_OK)
            return rc;
        if (found.head == NOWHERE && !is_older)
            found.filled = filled;
        if (at >= bound)
            break;
        rc = parse_at(tail, at, bound, &frame, &result);
        if (rc != ERR_OK)
            return rc;
        is_older |= result == FRAME_FOREIGN;
        if ((result == FRAME_GOOD || result == FRAME_NO_BODY) && found.head == NOWHERE)
            found.head = at;
        if (result == FRAME_GOOD && frame.is_first) {
            tail->next_sound = at;
            break;
        }
        at += result == FRAME_NO_BODY || result == FRAME_GOOD ? least(frame.total, bound - at)
                                                              : FRAME_ALIGN;
    }
    tail->scanned_to = bound;
    *out_scan = found;
    return ERR_OK;
}

static void deliver(struct tail *tail, const struct frame *frame, struct tail_item *out_item)
{
    *out_item = (struct tail_item){
        .kind = TAIL_FRAME,
        .offset = tail->offset,
        .length = frame->total,
        .frame = *frame,
        .has_id = true,
        .id = frame->id,
    };
    tail->offset += frame->total;
}

/* Something unsound at tail->offset; what lies behind it says what it is. */
static enum err judge(struct tail *tail, uint64_t bound, bool is_stated, enum frame_result result,
    const struct frame *frame, struct tail_item *out_item)
{
    uint64_t offset = tail->offset;
    bool has_head = result == FRAME_NO_BODY;
    uint64_t claimed = offset + least(has_head ? frame->total : FRAME_ALIGN, bound - offset);
    struct tail_item item = { .offset = offset, .has_id = has_head };
    struct scan found;
    enum err rc = scan(tail, claimed, bound, &found);

    if (rc != ERR_OK)
        return rc;
    if (has_head)
        item.id = frame->id;
    /* A damaged frame with a sound head ends where that says; without one, where the next begins.
     */
    tail->offset = has_head ? claimed : least(found.head, bound);
    if (is_stated || tail->next_sound != NOWHERE) {
        item.kind = TAIL_CORRUPT;
        item.length = tail->offset - offset;
    } else if (has_head || result == FRAME_NO_HEAD) {
        item.kind = TAIL_TORN;
        item.length = (has_head || found.filled < claimed ? claimed : found.filled) - offset;
    } else if (found.head !=
               NOWHERE) { /* a write that never ended, its first frames not even begun */
        return tail_next(tail, bound, is_stated, out_item);
    } else {
        tail->offset = offset;
        item.kind = TAIL_END;
    }
    *out_item = item;
    return ERR_OK;
}

enum err tail_next(struct tail *tail, uint64_t bound, bool is_stated, struct tail_item *out_item)
{
    struct frame frame = { 0 };
    enum frame_result result;
    enum err rc;

    if (tail->offset >= bound) {
        trim_window(tail);
        tail->window_offset = tail->offset;
        *out_item = (struct tail_item){ .kind = TAIL_END, .offset = tail->offset };
        return ERR_OK;
    }
    rc = parse_at(tail, tail->offset, bound, &frame, &result);
    if (rc != ERR_OK)
        return rc;
    if (result != FRAME_GOOD)
        return judge(tail, bound, is_stated, result, &frame, out_item);
    deliver(tail, &frame, out_item);
    return ERR_OK;
}
