/* message/header_scan.c: takes the header block in, line by line, from runs of any length. The
 * state between two runs is only where the unfinished line starts, so where the runs are cut cannot
 * matter. */
#include "message/header.h"

#include <stdio.h>

enum { LINE_OCTETS_MAX = HEADER_LINE_MAX + 2 }; /* with CRLF */

void header_scan_init(struct header_scan *scan)
{
    *scan = (struct header_scan){ .state = HEADER_OPEN };
    buffer_init(&scan->text, HEADER_SIZE_MAX + 2); /* the empty line passes through */
}

void header_scan_clear(struct header_scan *scan)
{
    buffer_clear(&scan->text);
    header_scan_init(scan);
}

/* Nothing of a refused header is needed any more: a rude client must not keep our memory. */
static void refuse(struct header_scan *scan, enum header_fault fault)
{
    char number[24];

    snprintf(number, sizeof number, "%zu", scan->lines);
    scan->verdict = header_verdict_of(fault, slice_text(number));
    scan->state = HEADER_REFUSED;
    buffer_clear(&scan->text);
}

/* What is wrong with the octets of a finished line, whatever it says. */
static enum header_fault check_octets(struct slice line)
{
    if (line.len > LINE_OCTETS_MAX)
        return HEADER_LINE_TOO_LONG;
    if (line.len < 2 || slice_find(line, '\r') != line.len - 2)
        return HEADER_BARE_NEWLINE;
    if (slice_find(line, '\0') < line.len)
        return HEADER_NUL;
    return HEADER_SOUND;
}

static enum header_fault take_fold(struct header_scan *scan)
{
    return scan->fields > 0 ? HEADER_SOUND : HEADER_BAD_LINE;
}

static enum header_fault take_field(struct header_scan *scan, struct slice line)
{
    size_t name = header_name_length(line);

    if (name == 0)
        return HEADER_BAD_LINE;
    if (scan->fields == HEADER_FIELDS_MAX)
        return HEADER_TOO_MANY_FIELDS;
    scan->fields++;
    scan->body_start = scan->line_start + name + 1;
    return HEADER_SOUND;
}

/* A line that is not empty has been appended to the block. */
static enum header_fault take_line(struct header_scan *scan, struct slice line)
{
    bool is_fold = line.data[0] == ' ' || line.data[0] == '\t';
    enum header_fault fault = is_fold ? take_fold(scan) : take_field(scan, line);

    if (fault != HEADER_SOUND)
        return fault;
    if (scan->text.len - 2 - scan->body_start > HEADER_BODY_MAX)
        return HEADER_FIELD_TOO_LARGE;
    return scan->text.len > HEADER_SIZE_MAX ? HEADER_TOO_LARGE : HEADER_SOUND;
}

static void end_line(struct header_scan *scan)
{
    struct slice line = slice_from(buffer_slice(&scan->text), scan->line_start);
    enum header_fault fault = check_octets(line);

    scan->lines++;
    if (fault == HEADER_SOUND && line.len == 2) {
        buffer_truncate(&scan->text, scan->line_start);
        scan->state = HEADER_COMPLETE;
        return;
    }
    if (fault == HEADER_SOUND)
        fault = take_line(scan, line);
    if (fault != HEADER_SOUND)
        refuse(scan, fault);
    else
        scan->line_start = scan->text.len;
}

/* Appends octets of one line. False when the scan is over by that. */
static bool append(struct header_scan *scan, struct slice piece)
{
    buffer_put_slice(&scan->text, piece);
    if (scan->text.error == ERR_OK)
        return true;
    if (scan->text.error == ERR_LIMIT) {
        refuse(scan, HEADER_TOO_LARGE);
    } else {
        scan->state = HEADER_FAILED;
        buffer_clear(&scan->text);
    }
    return false;
}

/* Takes octets up to the end of a line, of the run, or one beyond what a line may have. Returns how
 * many. */
static size_t take_piece(struct header_scan *scan, struct slice rest)
{
    size_t held = scan->text.len - scan->line_start;
    struct slice piece = slice_first(rest, LINE_OCTETS_MAX + 1 - held);
    size_t newline = slice_find(piece, '\n');
    bool ended = newline < piece.len;

    if (ended)
        piece.len = newline + 1;
    if (!append(scan, piece))
        return piece.len;
    if (ended)
        end_line(scan);
    else if (held + piece.len > LINE_OCTETS_MAX) {
        scan->lines++;
        refuse(scan, HEADER_LINE_TOO_LONG);
    }
    return piece.len;
}

size_t header_scan_feed(struct header_scan *scan, struct slice run)
{
    size_t used = 0;

    if (scan->state == HEADER_COMPLETE)
        return 0;
    while (used < run.len && scan->state == HEADER_OPEN)
        used += take_piece(scan, slice_from(run, used));
    return scan->state == HEADER_COMPLETE ? used : run.len;
}

void header_scan_end(struct header_scan *scan)
{
    if (scan->state != HEADER_OPEN)
        return;
    if (scan->text.len > scan->line_start) {
        if (!append(scan, (struct slice)SLICE_LITERAL("\r\n")))
            return;
        end_line(scan);
    }
    if (scan->state == HEADER_OPEN)
        scan->state = HEADER_COMPLETE;
}
