/* message/canonical.c: walks along the MIME structure of a message, line by line, and remembers
 * nothing of it but the boundaries that are open. */
#include "message/canonical.h"

#include <stdlib.h>

#include "message/cfws.h"
#include "message/header.h"

enum {
    BOUNDARY_MAX = 70, /* RFC 2046 section 5.1.1 */
    DELIMITER_MAX = 2 + BOUNDARY_MAX + 2,
    LINE_HELD_MAX = 1024, /* of a header line */
    TYPE_MAX = 4096,      /* of a Content-Type field, folds included */
};

enum place {
    PLACE_HEADER,
    PLACE_TEXT,
    PLACE_OTHER, /* the body of another type, and what stands around the parts of a multipart */
};

enum part_kind { PART_TEXT, PART_MULTIPART, PART_MESSAGE, PART_OTHER };

struct level {
    char boundary[BOUNDARY_MAX];
    uint8_t len;
    bool is_digest; /* a part without a type is a message (RFC 2046 section 5.1.5) */
};

struct canonical {
    enum canonical_fault fault;
    uint64_t fault_line;
    uint64_t lines; /* ended by CRLF */

    enum place place;
    enum part_kind presumed; /* of a part that does not name its type */
    struct level levels[CANONICAL_DEPTH_MAX];
    size_t depth;

    char line[LINE_HELD_MAX]; /* how the open line begins: as much as is wanted here */
    size_t held;
    uint64_t line_octets;
    bool after_cr;

    enum { TYPE_ABSENT, TYPE_OPEN, TYPE_READ } type_state; /* of the field Content-Type */
    char type[TYPE_MAX];
    size_t type_len;
};

/* A Content-Type, read. */
struct content_type {
    enum part_kind kind;
    struct level level; /* PART_MULTIPART */
};

struct canonical *canonical_new(void)
{
    struct canonical *c = calloc(1, sizeof *c);

    if (c)
        c->presumed = PART_TEXT;
    return c;
}

void canonical_free(struct canonical **canonical)
{
    free(*canonical);
    *canonical = NULL;
}

enum canonical_fault canonical_fault(const struct canonical *c)
{
    return c->fault;
}

uint64_t canonical_fault_line(const struct canonical *c)
{
    return c->fault_line;
}

static void fail(struct canonical *c, enum canonical_fault fault)
{
    if (c->fault != CANONICAL_SOUND)
        return;
    c->fault = fault;
    c->fault_line = c->lines + 1;
}

/* The type of a part. */

static bool is_token_octet(char c)
{
    static const char others[] = "()<>@,;:\\\"/[]?=";

    return c > ' ' && c < 127 && !memchr(others, c, sizeof others - 1);
}

static struct slice take_token(struct slice text, size_t *at)
{
    size_t from = *at;

    while (*at < text.len && is_token_octet(text.data[*at]))
        ++*at;
    return slice_of(text.data + from, *at - from);
}

static bool take_char(struct slice text, size_t *at, char wanted)
{
    if (*at >= text.len || text.data[*at] != wanted)
        return false;
    ++*at;
    return true;
}

/* A quoted string behind its first quote. One too long for a boundary has length 0. */
static bool take_quoted(struct slice text, size_t *at, struct level *out_level)
{
    size_t len = 0;

    for (; *at < text.len && text.data[*at] != '"'; ++*at) {
        *at += text.data[*at] == '\\' && *at + 1 < text.len;
        if (len < BOUNDARY_MAX)
            out_level->boundary[len] = text.data[*at];
        len++;
    }
    out_level->len = len <= BOUNDARY_MAX ? (uint8_t)len : 0;
    return take_char(text, at, '"');
}

static bool take_value(struct slice text, size_t *at, struct level *out_level)
{
    struct slice token;

    if (take_char(text, at, '"'))
        return take_quoted(text, at, out_level);
    token = take_token(text, at);
    out_level->len = token.len <= BOUNDARY_MAX ? (uint8_t)token.len : 0;
    if (out_level->len > 0)
        memcpy(out_level->boundary, token.data, token.len);
    return token.len > 0;
}

/* Parameters up to the boundary, the first of that name. */
static bool find_boundary(struct slice text, size_t at, struct level *out_level)
{
    while (cfws_skip(text, &at) && take_char(text, &at, ';')) {
        struct slice name;

        if (!cfws_skip(text, &at))
            return false;
        name = take_token(text, &at);
        if (name.len == 0)
            continue;
        if (!cfws_skip(text, &at) || !take_char(text, &at, '=') || !cfws_skip(text, &at) ||
            !take_value(text, &at, out_level))
            return false;
        if (slice_is_nocase(name, "boundary"))
            return out_level->len > 0;
    }
    return false;
}

static struct content_type type_read(struct slice text)
{
    struct content_type read = { .kind = PART_TEXT };
    struct slice type, subtype;
    size_t at = 0;

    if (!cfws_skip(text, &at))
        return read;
    type = take_token(text, &at);
    if (type.len == 0 || !take_char(text, &at, '/'))
        return read;
    subtype = take_token(text, &at);
    if (subtype.len == 0 || slice_is_nocase(type, "text"))
        return read;
    if (slice_is_nocase(type, "multipart")) {
        if (!find_boundary(text, at, &read.level))
            return read;
        read.kind = PART_MULTIPART;
        read.level.is_digest = slice_is_nocase(subtype, "digest");
        return read;
    }
    read.kind = slice_is_nocase(type, "message") &&
                        (slice_is_nocase(subtype, "rfc822") || slice_is_nocase(subtype, "global"))
                    ? PART_MESSAGE
                    : PART_OTHER;
    return read;
}

/* Headers. */

static void begin_header(struct canonical *c, enum part_kind presumed)
{
    c->place = PLACE_HEADER;
    c->presumed = presumed;
    c->type_state = TYPE_ABSENT;
    c->type_len = 0;
}

/* One that does not fit is cut, and reads as what its beginning says. */
static void add_type(struct canonical *c, struct slice text)
{
    text = slice_first(text, TYPE_MAX - c->type_len);
    if (text.len > 0)
        memcpy(c->type + c->type_len, text.data, text.len);
    c->type_len += text.len;
}

static void open_multipart(struct canonical *c, const struct level *level)
{
    if (c->depth == CANONICAL_DEPTH_MAX) {
        fail(c, CANONICAL_DEEP);
        return;
    }
    c->levels[c->depth++] = *level;
    c->place = PLACE_OTHER;
}

static void end_header(struct canonical *c)
{
    struct content_type type = { .kind = c->presumed };

    if (c->type_state != TYPE_ABSENT)
        type = type_read(slice_of(c->type, c->type_len));
    if (type.kind == PART_MULTIPART)
        open_multipart(c, &type.level);
    else if (type.kind == PART_MESSAGE)
        begin_header(c, PART_TEXT);
    else
        c->place = type.kind == PART_TEXT ? PLACE_TEXT : PLACE_OTHER;
}

static void take_header_line(struct canonical *c, struct slice line)
{
    bool is_fold = line.data[0] == ' ' || line.data[0] == '\t';
    size_t name = header_name_length(line);

    if (c->type_state == TYPE_OPEN && is_fold) {
        add_type(c, line);
        return;
    }
    if (c->type_state == TYPE_OPEN)
        c->type_state = TYPE_READ;
    if (c->type_state != TYPE_ABSENT || !slice_is_nocase(slice_first(line, name), "Content-Type"))
        return;
    c->type_state = TYPE_OPEN;
    add_type(c, slice_from(line, name + 1));
}

/* Lines. */

/* It is enough that the boundary stands at the front (RFC 2046 section 5.1.1). Of several the
 * longest counts, then the innermost: "--ab" is none of the delimiters of "a" where "ab" is open.
 * Returns its level from 1 on; 0: it is no delimiter. */
static size_t find_delimiter(const struct canonical *c, struct slice line)
{
    size_t best = 0;

    if (line.len < 3 || line.data[0] != '-' || line.data[1] != '-')
        return 0;
    for (size_t i = c->depth; i > 0; i--) {
        const struct level *level = &c->levels[i - 1];

        if (line.len >= 2u + level->len &&
            memcmp(line.data + 2, level->boundary, level->len) == 0 &&
            (best == 0 || level->len > c->levels[best - 1].len))
            best = i;
    }
    return best;
}

static void cross_delimiter(struct canonical *c, size_t at, struct slice line)
{
    const struct level *level = &c->levels[at - 1];
    struct slice rest = slice_from(line, 2 + level->len);

    if (rest.len >= 2 && rest.data[0] == '-' && rest.data[1] == '-') {
        c->depth = at - 1;
        c->place = PLACE_OTHER;
        return;
    }
    c->depth = at;
    begin_header(c, level->is_digest ? PART_MESSAGE : PART_TEXT);
}

/* CRLF: the line ahead of it is judged. Its CR counts among its octets. */
static void end_line(struct canonical *c)
{
    uint64_t octets = c->line_octets - 1;
    struct slice line = slice_of(c->line, octets < c->held ? (size_t)octets : c->held);
    size_t delimiter = find_delimiter(c, line);

    if (delimiter > 0)
        cross_delimiter(c, delimiter, line);
    else if (c->place == PLACE_HEADER && octets == 0)
        end_header(c);
    else if (c->place == PLACE_HEADER)
        take_header_line(c, line);
    c->held = 0;
    c->line_octets = 0;
    c->lines++;
}

/* More of the open line. */
static void hold(struct canonical *c, struct slice bytes)
{
    size_t most = c->place == PLACE_HEADER ? LINE_HELD_MAX : DELIMITER_MAX;
    struct slice wanted = slice_first(bytes, most - c->held);

    if (wanted.len > 0)
        memcpy(c->line + c->held, wanted.data, wanted.len);
    c->held += wanted.len;
    c->line_octets += bytes.len;
}

static void find_bare(struct canonical *c, bool is_bare)
{
    if (is_bare && c->place != PLACE_OTHER)
        fail(c, CANONICAL_NEWLINE);
}

/* What lies before the next LF, and that LF; gives the number of octets. */
static size_t take(struct canonical *c, struct slice bytes)
{
    size_t len = slice_find(bytes, '\n');
    struct slice piece = slice_first(bytes, len);
    bool has_lf = len < bytes.len;
    bool cr_inside = len > 0 && piece.data[len - 1] == '\r';
    bool cr_before = len > 0 ? cr_inside : c->after_cr;

    find_bare(c, c->after_cr && len > 0);
    if (c->place != PLACE_OTHER)
        find_bare(c, slice_find(slice_first(piece, len - cr_inside), '\r') < len - cr_inside);
    hold(c, piece);
    c->after_cr = !has_lf && cr_before;
    if (!has_lf)
        return len;
    find_bare(c, !cr_before);
    if (cr_before)
        end_line(c);
    else
        hold(c, slice_of("\n", 1));
    return len + 1;
}

void canonical_feed(struct canonical *c, struct slice bytes)
{
    while (bytes.len > 0 && c->fault == CANONICAL_SOUND)
        bytes = slice_from(bytes, take(c, bytes));
}

void canonical_end(struct canonical *c)
{
    find_bare(c, c->after_cr);
}
