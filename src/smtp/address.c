/* smtp/address.c: paths and mailboxes, read strictly and written with the least quoting. */
#include "smtp/address.h"

#include "smtp/domain.h"

/* What is being read, and where. */
struct reader {
    struct arena *arena;
    struct slice text;
    size_t at;
};

static const char *const fault_texts[ADDRESS_FAULT_COUNT] = {
    [ADDRESS_OK] = "no fault",
    [ADDRESS_NOMEM] = "out of memory",
    [ADDRESS_KEYWORD] = "FROM: or TO: is missing",
    [ADDRESS_NO_BRACKET] = "the address does not begin with <",
    [ADDRESS_UNCLOSED] = "the address does not end with >",
    [ADDRESS_TRAILING] = "no space after the address",
    [ADDRESS_EMPTY] = "the address is empty",
    [ADDRESS_PATH_LONG] = "the address is longer than 256 octets",
    [ADDRESS_ROUTE] = "bad source route",
    [ADDRESS_LOCAL_EMPTY] = "nothing before the @",
    [ADDRESS_LOCAL_DOT] = "a dot too many before the @",
    [ADDRESS_LOCAL_OCTET] = "a character that must be quoted, or is not allowed, before the @",
    [ADDRESS_LOCAL_QUOTE] = "bad quoted string before the @",
    [ADDRESS_LOCAL_LONG] = "more than 64 octets before the @",
    [ADDRESS_UTF8] = "not valid UTF-8",
    [ADDRESS_NO_DOMAIN] = "no @ and domain",
    [ADDRESS_DOMAIN_EMPTY] = "no domain after the @",
    [ADDRESS_DOMAIN_OCTET] = "a character that is not allowed in a domain",
    [ADDRESS_DOMAIN_LABEL] = "a domain label is empty or has a hyphen at its end",
    [ADDRESS_DOMAIN_LONG] = "the domain or one of its labels is too long",
    [ADDRESS_DOMAIN_IDN] = "not a valid internationalized domain name",
    [ADDRESS_LITERAL_SYNTAX] = "bad address literal",
};

const char *address_fault_text(enum address_fault fault)
{
    return (unsigned)fault < ADDRESS_FAULT_COUNT ? fault_texts[fault] : "unknown fault";
}

bool atext_is(char c)
{
    static const char others[] = "!#$%&'*+-/=?^_`{|}~";

    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c > 127 ||
           memchr(others, c, sizeof others - 1) != NULL;
}

static bool is_printable(char c)
{
    return c >= 32 && c <= 126;
}

/* The next octet, or NUL at the end: NUL itself is allowed nowhere, so the two need not be told
 * apart. */
static char peek(const struct reader *r)
{
    return r->at < r->text.len ? r->text.data[r->at] : '\0';
}

static bool take(struct reader *r, char c)
{
    if (r->at >= r->text.len || r->text.data[r->at] != c)
        return false;
    r->at++;
    return true;
}

static struct slice since(const struct reader *r, size_t start)
{
    return slice_of(r->text.data + start, r->at - start);
}

/* Dot-string: atoms with single dots between them. Stops at the first octet that is neither. */
static enum address_fault read_dot_string(struct reader *r, struct slice *out_local)
{
    size_t start = r->at;
    bool wants_atom = true;

    for (; atext_is(peek(r)) || peek(r) == '.'; r->at++) {
        bool is_dot = peek(r) == '.';

        if (is_dot && wants_atom)
            return ADDRESS_LOCAL_DOT;
        wants_atom = is_dot;
    }
    if (r->at == start)
        return r->at == r->text.len || peek(r) == '@' || peek(r) == '>' ? ADDRESS_LOCAL_EMPTY
                                                                        : ADDRESS_LOCAL_OCTET;
    if (wants_atom) {
        r->at--;
        return ADDRESS_LOCAL_DOT;
    }
    *out_local = since(r, start);
    return ADDRESS_OK;
}

/* Without the backslashes that quote. */
static enum address_fault unescape(struct reader *r, struct slice raw, struct slice *out_local)
{
    char *text = arena_alloc(r->arena, raw.len);
    size_t len = 0;

    if (!text)
        return ADDRESS_NOMEM;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\\')
            i++;
        text[len++] = raw.data[i];
    }
    *out_local = slice_of(text, len);
    return ADDRESS_OK;
}

static enum address_fault read_quoted_string(struct reader *r, struct slice *out_local)
{
    size_t start = ++r->at;
    bool has_pairs = false;
    struct slice raw;

    while (r->at < r->text.len && peek(r) != '"') {
        if (take(r, '\\')) {
            has_pairs = true;
            if (r->at == r->text.len)
                return ADDRESS_LOCAL_QUOTE;
            if (!is_printable(peek(r)))
                return ADDRESS_LOCAL_OCTET;
        } else if (!is_printable(peek(r)) && (unsigned char)peek(r) <= 127) {
            return ADDRESS_LOCAL_OCTET;
        }
        r->at++;
    }
    raw = since(r, start);
    if (!take(r, '"'))
        return ADDRESS_LOCAL_QUOTE;
    if (raw.len == 0) {
        r->at = start;
        return ADDRESS_LOCAL_EMPTY;
    }
    if (has_pairs)
        return unescape(r, raw, out_local);
    *out_local = raw;
    return ADDRESS_OK;
}

static bool is_dot_string(struct slice local)
{
    bool wants_atom = true;

    for (size_t i = 0; i < local.len; i++) {
        bool is_dot = local.data[i] == '.';

        if (is_dot ? wants_atom : !atext_is(local.data[i]))
            return false;
        wants_atom = is_dot;
    }
    return !wants_atom;
}

static bool is_quoted_specially(char c)
{
    return c == '"' || c == '\\';
}

/* Octets of the least quoted form. */
static size_t local_size(struct slice local)
{
    size_t size = local.len;

    if (is_dot_string(local))
        return size;
    for (size_t i = 0; i < local.len; i++)
        size += is_quoted_specially(local.data[i]);
    return size + 2;
}

static enum address_fault read_local(struct reader *r, struct address *address)
{
    size_t start = r->at;
    bool quoted = peek(r) == '"';
    enum address_fault fault =
        quoted ? read_quoted_string(r, &address->local) : read_dot_string(r, &address->local);

    if (fault != ADDRESS_OK)
        return fault;
    if (quoted && r->at < r->text.len && peek(r) != '@' && peek(r) != '>')
        return ADDRESS_LOCAL_QUOTE;
    address->local_non_ascii = !text_is_ascii(address->local);
    if (!text_is_utf8(address->local))
        fault = ADDRESS_UTF8;
    else if (local_size(address->local) > ADDRESS_LOCAL_MAX)
        fault = ADDRESS_LOCAL_LONG;
    if (fault != ADDRESS_OK)
        r->at = start;
    return fault;
}

static enum address_fault read_literal(struct reader *r, struct slice *out_domain)
{
    struct slice rest = slice_from(r->text, r->at);
    struct slice literal = slice_first(rest, slice_find(rest, ']') + 1);
    struct slice address;

    if (!literal_parse(literal, &address))
        return ADDRESS_LITERAL_SYNTAX;
    r->at += literal.len;
    *out_domain = literal;
    return ADDRESS_OK;
}

static enum address_fault read_name(struct reader *r, struct slice *out_domain)
{
    struct slice rest = slice_from(r->text, r->at);
    size_t len = domain_span(rest), at;
    enum address_fault fault;

    if (len == 0 && rest.len > 0 && rest.data[0] != '>')
        return ADDRESS_DOMAIN_OCTET;
    fault = domain_canonical(r->arena, slice_first(rest, len), out_domain, &at);
    r->at += fault == ADDRESS_OK ? len : at;
    return fault;
}

static enum address_fault read_domain(struct reader *r, struct slice *out_domain)
{
    return peek(r) == '[' ? read_literal(r, out_domain) : read_name(r, out_domain);
}

static enum address_kind kind_of(struct slice domain)
{
    if (domain.len == 0)
        return ADDRESS_BARE;
    if (domain.data[0] == '[')
        return ADDRESS_LITERAL;
    return domain_is_qualified(domain) ? ADDRESS_QUALIFIED : ADDRESS_SINGLE_LABEL;
}

/* Local-part and, after an @, domain; stops behind them. */
static enum address_fault read_mailbox(struct reader *r, struct address *address)
{
    enum address_fault fault = read_local(r, address);

    if (fault == ADDRESS_OK && take(r, '@'))
        fault = read_domain(r, &address->domain);
    if (fault != ADDRESS_OK)
        return fault;
    address->kind = kind_of(address->domain);
    address->non_ascii = address->local_non_ascii || !text_is_ascii(address->domain);
    return ADDRESS_OK;
}

/* "@a.example,@b.example:", read and forgotten (RFC 5321 appendix C). */
static enum address_fault skip_route(struct reader *r)
{
    do {
        struct slice domain;
        enum address_fault fault;

        if (!take(r, '@'))
            return ADDRESS_ROUTE;
        fault = read_domain(r, &domain);
        if (fault != ADDRESS_OK)
            return fault;
    } while (take(r, ','));
    if (take(r, ':'))
        return ADDRESS_OK;
    return peek(r) == '>' ? ADDRESS_LOCAL_EMPTY : ADDRESS_ROUTE;
}

/* Why the mailbox did not end where it should. */
static enum address_fault stray_octet(const struct reader *r, const struct address *address)
{
    if (r->at == r->text.len)
        return ADDRESS_UNCLOSED;
    return address->domain.len > 0 ? ADDRESS_DOMAIN_OCTET : ADDRESS_LOCAL_OCTET;
}

/* As it was written, and in its canonical form: lower case may take an octet more than upper case,
 * and what is kept must be readable again. */
static enum address_fault check_length(size_t written, const struct address *address)
{
    size_t canonical = local_size(address->local) + address->domain.len + (sizeof "<@>" - 1);

    return written > ADDRESS_PATH_MAX || canonical > ADDRESS_PATH_MAX ? ADDRESS_PATH_LONG
                                                                      : ADDRESS_OK;
}

static enum address_fault read_brackets(struct reader *r, bool allow_null, struct path *path)
{
    size_t start = r->at;
    enum address_fault fault = ADDRESS_OK;

    if (!take(r, '<'))
        return ADDRESS_NO_BRACKET;
    if (take(r, '>')) {
        path->address.kind = ADDRESS_NULL;
        return allow_null ? ADDRESS_OK : ADDRESS_EMPTY;
    }
    path->is_routed = peek(r) == '@';
    if (path->is_routed)
        fault = skip_route(r);
    if (fault == ADDRESS_OK)
        fault = read_mailbox(r, &path->address);
    if (fault != ADDRESS_OK)
        return fault;
    if (!take(r, '>'))
        return stray_octet(r, &path->address);
    return check_length(r->at - start, &path->address);
}

static enum address_fault read_path(
    struct reader *r, const char *keyword, bool allow_null, struct path *path)
{
    enum address_fault fault;
    size_t colon;

    if (!slice_starts_nocase(r->text, keyword))
        return ADDRESS_KEYWORD;
    colon = r->at = strlen(keyword);
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
    path->is_spaced = r->at > colon;
    fault = read_brackets(r, allow_null, path);
    if (fault != ADDRESS_OK)
        return fault;
    return r->at == r->text.len || peek(r) == ' ' || peek(r) == '\t' ? ADDRESS_OK
                                                                     : ADDRESS_TRAILING;
}

static enum address_fault path_parse(struct reader *r, const char *keyword, bool allow_null,
    struct path *out_path, struct slice *out_rest, size_t *out_at)
{
    struct path path = { 0 };
    enum address_fault fault = read_path(r, keyword, allow_null, &path);

    if (fault != ADDRESS_OK) {
        *out_at = r->at;
        return fault;
    }
    *out_path = path;
    *out_rest = slice_trim(slice_from(r->text, r->at));
    return ADDRESS_OK;
}

enum address_fault path_parse_from(struct arena *arena, struct slice argument,
    struct path *out_path, struct slice *out_rest, size_t *out_at)
{
    struct reader r = { .arena = arena, .text = argument };

    return path_parse(&r, "FROM:", true, out_path, out_rest, out_at);
}

enum address_fault path_parse_to(struct arena *arena, struct slice argument, struct path *out_path,
    struct slice *out_rest, size_t *out_at)
{
    struct reader r = { .arena = arena, .text = argument };

    return path_parse(&r, "TO:", false, out_path, out_rest, out_at);
}

static enum address_fault read_whole_mailbox(struct reader *r, struct address *address)
{
    enum address_fault fault = r->text.len > 0 ? read_mailbox(r, address) : ADDRESS_EMPTY;

    if (fault != ADDRESS_OK)
        return fault;
    if (r->at < r->text.len)
        return stray_octet(r, address);
    if (address->kind == ADDRESS_BARE)
        return ADDRESS_NO_DOMAIN;
    return check_length(r->text.len + (sizeof "<>" - 1), address);
}

enum address_fault mailbox_parse(
    struct arena *arena, struct slice text, struct address *out_address, size_t *out_at)
{
    struct reader r = { .arena = arena, .text = text };
    struct address address = { 0 };
    enum address_fault fault = read_whole_mailbox(&r, &address);

    if (fault == ADDRESS_OK)
        *out_address = address;
    else
        *out_at = r.at;
    return fault;
}

static void local_write(struct buffer *out, struct slice local)
{
    if (is_dot_string(local)) {
        buffer_put_slice(out, local);
        return;
    }
    buffer_put_char(out, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (is_quoted_specially(local.data[i]))
            buffer_put_char(out, '\\');
        buffer_put_char(out, local.data[i]);
    }
    buffer_put_char(out, '"');
}

void address_write(struct buffer *out, const struct address *address)
{
    if (address->kind == ADDRESS_NULL)
        return;
    local_write(out, address->local);
    if (address->kind == ADDRESS_BARE)
        return;
    buffer_put_char(out, '@');
    buffer_put_slice(out, address->domain);
}

void path_write(struct buffer *out, const struct address *address)
{
    buffer_put_char(out, '<');
    address_write(out, address);
    buffer_put_char(out, '>');
}

bool address_copy(struct arena *arena, const struct address *address, struct address *out_copy)
{
    struct address copy = *address;

    if (!arena_copy(arena, address->local, &copy.local) ||
        !arena_copy(arena, address->domain, &copy.domain))
        return false;
    *out_copy = copy;
    return true;
}

bool address_is_postmaster(const struct address *address)
{
    return slice_is_nocase(address->local, "postmaster");
}
