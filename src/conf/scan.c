/* conf/scan.c: tokens, sections and names of the configuration file. */
#include "conf/scan.h"

#include <stdio.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_MARK };

struct token {
    enum token_kind kind;
    struct slice text; /* of a string, between its quotes */
    char mark;         /* one of { } = , */
    unsigned line;
};

struct scanner {
    char *at; /* into the copy, which ends with NUL */
    char *end;
    unsigned line;
    struct token token; /* the one to look at */
    struct arena *arena;
    struct fault *fault;
    struct scan_section *last;
    size_t counts[SECTION_COUNT];
};

static enum err refuse_octet(struct scanner *s, unsigned char c)
{
    static const struct {
        char octet;
        const char *text;
    } known[] = {
        { '\'', "found a single quote; text stands in double quotes" },
        { '+', "found \"+\"; a list is written whole, as NAME = { VALUE, VALUE }" },
        { ';', "found \";\"; nothing stands between two settings but blanks or a new line" },
        { '(',
            "found \"(\"; functions such as include() are not part of this file: it is one file" },
        { '$', "found \"$\"; the environment is not read" },
    };

    for (size_t i = 0; i < LENGTH_OF(known); i++)
        if (known[i].octet == (char)c)
            return fault_set(s->fault, s->line, "%s", known[i].text);
    if (c < 0x20 || c >= 0x7f)
        return fault_set(s->fault, s->line,
            "found the octet 0x%02x; outside quotes only printable ASCII is allowed", c);
    return fault_set(s->fault, s->line,
        "found \"%c\"; text with other characters than letters, digits, '_', '.', ':' and '-' "
        "stands in double quotes",
        c);
}

static void blank(char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != '\n')
            *from = ' ';
}

static enum err skip_block_comment(struct scanner *s)
{
    char *start = s->at;
    unsigned line = s->line;
    char *close = memmem(s->at + 2, (size_t)(s->end - s->at) - 2, "*/", 2);

    if (!close)
        return fault_set(s->fault, line, "the comment opened here is never closed; allowed is */");
    for (s->at = start; s->at < close; s->at++)
        s->line += *s->at == '\n';
    s->at = close + 2;
    blank(start, s->at);
    return ERR_OK;
}

static void skip_line_comment(struct scanner *s)
{
    char *start = s->at;
    char *end = memchr(s->at, '\n', (size_t)(s->end - s->at));

    s->at = end ? end : s->end;
    blank(start, s->at);
}

/* Blanks, line ends and comments. */
static enum err skip(struct scanner *s)
{
    enum err rc = ERR_OK;

    while (rc == ERR_OK && s->at < s->end) {
        char next = s->at + 1 < s->end ? s->at[1] : '\0';

        if (*s->at == ' ' || *s->at == '\t')
            s->at++;
        else if (*s->at == '\n' || (*s->at == '\r' && next == '\n')) {
            s->line += *s->at == '\n';
            s->at++;
        } else if (*s->at == '#' || (*s->at == '/' && next == '/'))
            skip_line_comment(s);
        else if (*s->at == '/' && next == '*')
            rc = skip_block_comment(s);
        else
            break;
    }
    return rc;
}

static enum err take_string(struct scanner *s)
{
    char *start = ++s->at;

    for (; s->at < s->end && *s->at != '"'; s->at++) {
        unsigned char c = (unsigned char)*s->at;
        char next = s->at + 1 < s->end ? s->at[1] : '\0';

        if (c == '\n')
            break;
        if (c < 0x20 || c == 0x7f)
            return fault_set(s->fault, s->line,
                "found the octet 0x%02x in a text; control characters are not allowed", c);
        if (c == '$' && next == '{')
            return fault_set(s->fault, s->line,
                "found \"${\" in a text; the environment is not read, write the value itself");
        if (c == '\\' && next != '\\' && next != '"')
            return fault_set(
                s->fault, s->line, "found a backslash in a text; allowed are \\\\ and \\\" only");
        s->at += c == '\\';
    }
    if (s->at >= s->end || *s->at != '"')
        return fault_set(s->fault, s->line,
            "the text opened here is not closed in its line; allowed is a closing double quote");
    s->token.kind = TOKEN_STRING;
    s->token.text = slice_of(start, (size_t)(s->at - start));
    s->at++;
    return ERR_OK;
}

static bool is_word_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
}

static enum err advance(struct scanner *s)
{
    enum err rc = skip(s);
    char *start = s->at;

    if (rc != ERR_OK)
        return rc;
    s->token = (struct token){ .kind = TOKEN_END, .line = s->line };
    if (s->at >= s->end)
        return ERR_OK;
    if (*s->at == '"')
        return take_string(s);
    if (*s->at != '\0' && strchr("{}=,", *s->at)) {
        s->token.kind = TOKEN_MARK;
        s->token.mark = *s->at++;
        s->token.text = slice_of(start, 1);
        return ERR_OK;
    }
    while (s->at < s->end && is_word_char(*s->at))
        s->at++;
    if (s->at == start)
        return refuse_octet(s, (unsigned char)*s->at);
    s->token.kind = TOKEN_WORD;
    s->token.text = slice_of(start, (size_t)(s->at - start));
    return ERR_OK;
}

static bool is_mark(const struct scanner *s, char mark)
{
    return s->token.kind == TOKEN_MARK && s->token.mark == mark;
}

static bool is_value(const struct scanner *s)
{
    return s->token.kind == TOKEN_WORD || s->token.kind == TOKEN_STRING;
}

/* "found X; allowed is …" for the token at hand. */
static enum err unexpected(struct scanner *s, const char *after, const char *allowed)
{
    if (s->token.kind == TOKEN_END)
        return fault_set(
            s->fault, s->token.line, "the file ends after %s; allowed is %s", after, allowed);
    return fault_set(s->fault, s->token.line, "found %s after %s; allowed is %s",
        fault_word(s->fault, s->token.text), after, allowed);
}

static const char *section_words(
    const struct scan_section *section, struct fault *fault, char *out, size_t size)
{
    const struct section *row = &sections[section->id];

    if (section->id == SECTION_TOP)
        snprintf(out, size, "the file");
    else if (row->title)
        snprintf(out, size, "%s %s", row->name, fault_word(fault, section->title));
    else
        snprintf(out, size, "%s", row->name);
    return out;
}

/* Appends ", name" for each thing that may stand in the section, as far as there is room. */
static void list_names(enum section_id id, char *out, size_t size)
{
    struct option_range range = option_range(id);
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < range.count && used < size; i++)
        used += (size_t)snprintf(
            out + used, size - used, "%s%s", i ? ", " : "", options[range.first + i].name);
    for (size_t i = 1; i < SECTION_COUNT && used < size; i++)
        if (sections[i].parent == id)
            used += (size_t)snprintf(out + used, size - used, ", %s", sections[i].name);
}

/* Where else a name stands in the table: SECTION_COUNT for nowhere. */
static enum section_id home_of(struct slice name)
{
    for (size_t i = 0; i < option_count; i++)
        if (slice_is(name, options[i].name))
            return options[i].section;
    return SECTION_COUNT;
}

static enum err unknown_name(struct scanner *s, const struct scan_section *section)
{
    struct slice name = s->token.text;
    const char *near = option_nearest(section->id, name);
    enum section_id home = home_of(name);
    char words[400], place[160];

    section_words(section, s->fault, place, sizeof place);
    if (slice_is(name, "include"))
        return fault_set(s->fault, s->token.line,
            "found \"include\"; the configuration is one file, nothing is included");
    if (near && !slice_is(name, near))
        return fault_set(s->fault, s->token.line, "unknown name %s in %s; did you mean \"%s\"?",
            fault_word(s->fault, name), place, near);
    if (home != SECTION_COUNT)
        return fault_set(s->fault, s->token.line, "unknown name %s in %s; it belongs %s%s",
            fault_word(s->fault, name), place,
            home == SECTION_TOP ? "outside every section" : "into the section ",
            sections[home].name);
    list_names(section->id, words, sizeof words);
    return fault_set(s->fault, s->token.line, "unknown name %s in %s; allowed are %s",
        fault_word(s->fault, name), place, words);
}

static enum err take_list(struct scanner *s, const struct option *option)
{
    unsigned line = s->token.line;
    size_t count = 0;
    enum err rc;

    if (!is_mark(s, '{')) {
        char after[80];
        snprintf(after, sizeof after, "%s =", option->name);
        return unexpected(s, after, "a list such as { VALUE, VALUE }");
    }
    rc = advance(s);
    while (rc == ERR_OK && !is_mark(s, '}')) {
        if (!is_value(s))
            return unexpected(s, option->name, "a value or the } that closes the list");
        count++;
        rc = advance(s);
        if (rc != ERR_OK || is_mark(s, '}'))
            break;
        if (!is_mark(s, ','))
            return unexpected(s, option->name, "a comma or the } that closes the list");
        rc = advance(s);
        if (rc == ERR_OK && is_mark(s, '}'))
            return unexpected(s, "a comma", "a further value");
    }
    if (rc != ERR_OK)
        return rc;
    if (count < option->list_least || (count > option->list_most && option->list_most > 0))
        return fault_set(s->fault, line, "%s has %zu values; allowed are %zu to %zu", option->name,
            count, option->list_least, option->list_most);
    return advance(s);
}

static enum err take_setting(
    struct scanner *s, struct scan_section *section, const struct option *option)
{
    unsigned *line = &section->lines[(size_t)(option - options) - option_range(section->id).first];
    enum err rc;

    if (*line > 0)
        return fault_set(s->fault, s->token.line,
            "%s is set a second time, the first is in line %u; allowed is one", option->name,
            *line);
    *line = s->token.line;
    rc = advance(s);
    if (rc != ERR_OK)
        return rc;
    if (!is_mark(s, '='))
        return unexpected(s, option->name, "= and a value");
    rc = advance(s);
    if (rc != ERR_OK)
        return rc;
    if (option_is_list(option))
        return take_list(s, option);
    if (!is_value(s)) {
        char after[80];
        snprintf(after, sizeof after, "%s =", option->name);
        return unexpected(s, after, "one value");
    }
    return advance(s);
}

static struct scan_section *new_section(
    struct scanner *s, enum section_id id, struct scan_section *parent)
{
    struct scan_section *section = arena_alloc(s->arena, sizeof *section);

    if (!section)
        return NULL;
    section->id = id;
    section->parent = parent;
    section->line = s->token.line;
    section->lines = arena_array(s->arena, option_range(id).count + 1, sizeof *section->lines);
    return section->lines ? section : NULL;
}

/* The one before of the same kind, the same parent and the same title. */
static const struct scan_section *find_twin(
    const struct scan_section *from, const struct scan_section *section)
{
    for (; from; from = from->next)
        if (from != section && from->id == section->id && from->parent == section->parent &&
            slice_equals_nocase(from->title, section->title))
            return from;
    return NULL;
}

static enum err check_section(struct scanner *s, struct scan *scan, struct scan_section *section)
{
    const struct section *row = &sections[section->id];
    const struct scan_section *twin = find_twin(scan->top, section);
    char words[160];

    if (row->title && !syntax_fits(row->title_syntax, section->title))
        return fault_set(s->fault, section->line, "the %s of a %s is %s; allowed is %s", row->title,
            row->name, fault_word(s->fault, section->title), syntax_allowed(row->title_syntax));
    if (twin)
        return fault_set(s->fault, section->line,
            "%s stands here a second time, the first is in line %u; allowed is one",
            section_words(section, s->fault, words, sizeof words), twin->line);
    if (++s->counts[section->id] > row->most)
        return fault_set(s->fault, section->line,
            "this is one section %s more than the %zu that are allowed", row->name, row->most);
    return ERR_OK;
}

static enum err take_title(struct scanner *s, struct scan_section *section)
{
    const struct section *row = &sections[section->id];
    char allowed[80];

    if (!row->title)
        return is_mark(s, '{') ? ERR_OK : unexpected(s, row->name, "{");
    if (!is_value(s)) {
        snprintf(allowed, sizeof allowed, "a %s in double quotes", row->title);
        return unexpected(s, row->name, allowed);
    }
    section->title = s->token.text;
    return advance(s);
}

/* Reads NAME [TITLE] {, up to and with the brace. */
static enum err open_section(struct scanner *s, struct scan *scan, struct scan_section *parent,
    enum section_id id, struct scan_section **out_section)
{
    struct scan_section *section = new_section(s, id, parent);
    char words[160];
    enum err rc;

    if (!section)
        return ERR_NOMEM;
    rc = advance(s);
    if (rc == ERR_OK)
        rc = take_title(s, section);
    if (rc == ERR_OK && !is_mark(s, '{'))
        rc = unexpected(s, section_words(section, s->fault, words, sizeof words), "{");
    if (rc == ERR_OK)
        rc = check_section(s, scan, section);
    if (rc != ERR_OK)
        return rc;
    s->last->next = section;
    s->last = section;
    *out_section = section;
    return advance(s);
}

/* The file's end or a closing brace. */
static enum err close_section(struct scanner *s, struct scan_section **section)
{
    struct scan_section *closed = *section;
    char words[160];

    if (s->token.kind == TOKEN_END && closed->parent)
        return fault_set(s->fault, closed->line,
            "the section %s opened here is never closed; allowed is }",
            section_words(closed, s->fault, words, sizeof words));
    if (is_mark(s, '}') && !closed->parent)
        return fault_set(s->fault, s->token.line, "found \"}\", but no section is open");
    *section = closed->parent;
    return s->token.kind == TOKEN_END ? ERR_OK : advance(s);
}

static enum err take_entry(struct scanner *s, struct scan *scan, struct scan_section **section)
{
    const struct option *option;
    enum section_id id;

    if (s->token.kind != TOKEN_WORD)
        return unexpected(s, "the last setting", "a setting's name, without quotes");
    option = option_find((*section)->id, s->token.text);
    if (option)
        return take_setting(s, *section, option);
    id = section_find((*section)->id, s->token.text);
    if (id != SECTION_TOP)
        return open_section(s, scan, *section, id, section);
    return unknown_name(s, *section);
}

enum err scan_text(
    struct slice text, struct arena *arena, struct fault *fault, struct scan *out_scan)
{
    struct scanner s = { .line = 1, .arena = arena, .fault = fault };
    struct scan scan = { .clean = arena_text(arena, text) };
    struct scan_section *section;
    enum err rc;

    if (!scan.clean)
        return ERR_NOMEM;
    s.at = scan.clean;
    s.end = scan.clean + text.len;
    scan.top = section = s.last = new_section(&s, SECTION_TOP, NULL);
    if (!section)
        return ERR_NOMEM;
    rc = advance(&s);
    while (rc == ERR_OK && section) {
        if (s.token.kind == TOKEN_END || is_mark(&s, '}'))
            rc = close_section(&s, &section);
        else
            rc = take_entry(&s, &scan, &section);
    }
    scan.last_line = s.line;
    if (rc == ERR_OK)
        *out_scan = scan;
    return rc;
}

const struct scan_section *scan_section(const struct scan *scan, enum section_id id, size_t index)
{
    for (const struct scan_section *section = scan->top; section; section = section->next)
        if (section->id == id && index-- == 0)
            return section;
    return NULL;
}

unsigned scan_line(const struct scan_section *section, const char *name)
{
    const struct option *option = section ? option_find(section->id, slice_text(name)) : NULL;

    return option ? section->lines[(size_t)(option - options) - option_range(section->id).first]
                  : 0;
}
