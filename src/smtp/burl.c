/* smtp/burl.c: taking an IMAP URL apart, from left to right. Whatever is not understood to its last
 * octet is refused: two readers of one URL must not see two messages. */
#include "smtp/burl.h"

enum { NZ_NUMBER_MAX = UINT32_MAX, DATE_MAX = 35, MECHANISM_MAX = 64, TOKEN_MIN = 32 };

/* Character classes of RFC 3986 and RFC 5092 section 11, as bits. */
enum {
    UNRESERVED = 1, /* and the sub-delims that IMAP URLs leave bare, & and = included: achar */
    PATH = 2,       /* what bchar has beyond achar */
    SEMICOLON = 4,
    HEX = 8,
    URI = 16, /* anything that a URI may hold at all, but % */
};

static unsigned class_of(char c)
{
    static const char achar_marks[] = "-._~!$'()*+,&=";
    static const char others[] = "?#[]";
    unsigned class = 0;

    if (ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr(achar_marks, c)))
        class |= UNRESERVED | URI;
    if (c == ':' || c == '@' || c == '/')
        class |= PATH | URI;
    if (c == ';')
        class |= SEMICOLON | URI;
    if (c && strchr(others, c))
        class |= URI;
    if (ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'))
        class |= HEX;
    return class;
}

static int hex_value(char c)
{
    return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

static bool is_escape(struct slice s)
{
    return s.len >= 3 && s.data[0] == '%' && (class_of(s.data[1]) & HEX) &&
           (class_of(s.data[2]) & HEX);
}

/* Cuts off the octets of these classes and whole %XX; %00 ends it, since nothing has a NUL. */
static struct slice take(struct slice *rest, unsigned classes)
{
    size_t len = 0;
    struct slice taken;

    while (len < rest->len) {
        struct slice here = slice_from(*rest, len);

        if (is_escape(here) && (here.data[1] != '0' || here.data[2] != '0'))
            len += 3;
        else if (class_of(here.data[0]) & classes)
            len++;
        else
            break;
    }
    taken = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return taken;
}

static bool skip(struct slice *rest, const char *word)
{
    if (!slice_starts_nocase(*rest, word))
        return false;
    *rest = slice_from(*rest, strlen(word));
    return true;
}

static bool take_number(struct slice *rest, uint64_t *out_number)
{
    size_t len = 0;
    uint64_t number;

    while (len < rest->len && ascii_is_digit(rest->data[len]))
        len++;
    if (!slice_number(slice_first(*rest, len), NZ_NUMBER_MAX, &number) || rest->data[0] == '0')
        return false;
    *out_number = number;
    *rest = slice_from(*rest, len);
    return true;
}

/* iserver, up to the slash: [enc-user] [;AUTH=type] @ host [:port]. */

static bool take_user(struct slice *rest, struct imap_url *url)
{
    struct slice ahead = *rest;
    struct slice user = take(&ahead, UNRESERVED);
    bool has_type = skip(&ahead, ";AUTH=") && take(&ahead, UNRESERVED).len > 0;

    if (!skip(&ahead, "@"))
        return true; /* what looked like a user is the host */
    if ((user.len == 0 && !has_type) || user.len > BURL_USER_MAX)
        return false;
    url->user = user;
    *rest = ahead;
    return true;
}

/* A name, or an IPv6 address in brackets (RFC 3986 section 3.2.2). */
static bool is_host_octet(char c, bool is_literal)
{
    if (is_literal)
        return (class_of(c) & HEX) || c == ':' || c == '.';
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.';
}

static bool take_host(struct slice *rest, struct imap_url *url)
{
    bool is_literal = rest->len > 0 && rest->data[0] == '[';
    size_t first = is_literal ? 1 : 0, len = first;

    while (len < rest->len && is_host_octet(rest->data[len], is_literal))
        len++;
    if (len == first || len > BURL_HOST_MAX)
        return false;
    if (is_literal && (len == rest->len || rest->data[len++] != ']'))
        return false;
    url->host = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return true;
}

static bool take_port(struct slice *rest, struct imap_url *url)
{
    uint64_t port;

    url->port = BURL_IMAP_PORT;
    if (!skip(rest, ":"))
        return true;
    if (!take_number(rest, &port) || port > UINT16_MAX)
        return false;
    url->port = (uint16_t)port;
    return true;
}

/* imessagepart: mailbox [;UIDVALIDITY=n] /;UID=n [/;SECTION=s] [/;PARTIAL=range]. RFC 2192 put the
 * same slash before each. */

static bool take_mailbox(struct slice *rest, struct imap_url *url)
{
    struct slice mailbox = take(rest, UNRESERVED | PATH);

    url->mailbox = mailbox;
    if (skip(rest, ";UIDVALIDITY=")) {
        if (!take_number(rest, &url->uid_validity))
            return false;
        return mailbox.len > 0 && skip(rest, "/;UID=");
    }
    /* The slash before ;UID is one that a mailbox may hold. */
    if (mailbox.len < 2 || mailbox.data[mailbox.len - 1] != '/')
        return false;
    url->mailbox.len--;
    return skip(rest, ";UID=");
}

static bool take_section(struct slice *rest, struct imap_url *url)
{
    if (!skip(rest, "/;SECTION="))
        return true;
    url->section = take(rest, UNRESERVED | PATH);
    /* A slash at its end belongs to what follows. */
    if (url->section.len > 1 && url->section.data[url->section.len - 1] == '/' &&
        slice_starts_nocase(*rest, ";PARTIAL=")) {
        url->section.len--;
        *rest = slice_of(rest->data - 1, rest->len + 1);
    }
    return url->section.len > 0 && url->section.len <= BURL_SECTION_MAX;
}

static bool take_partial(struct slice *rest, struct imap_url *url)
{
    uint64_t number;

    if (!skip(rest, "/;PARTIAL="))
        return true;
    url->is_partial = true;
    if (!skip(rest, "0") && !take_number(rest, &number))
        return false;
    return !skip(rest, ".") || take_number(rest, &number);
}

/* iurlauth: [;EXPIRE=date-time] ;URLAUTH=access:mechanism:token. The IMAP server judges the date
 * and the token. */

static bool take_expire(struct slice *rest)
{
    struct slice date;

    if (!skip(rest, ";EXPIRE="))
        return true;
    date = take(rest, UNRESERVED | PATH);
    return date.len > 0 && date.len <= DATE_MAX && slice_starts_nocase(*rest, ";URLAUTH=");
}

static bool take_access(struct slice *rest, struct imap_url *url)
{
    static const struct {
        const char *word;
        enum burl_access access;
        bool has_user;
    } rows[] = {
        { "submit+", BURL_ACCESS_SUBMIT, true },
        { "user+", BURL_ACCESS_USER, true },
        { "authuser", BURL_ACCESS_AUTHUSER, false },
        { "anonymous", BURL_ACCESS_ANONYMOUS, false },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (skip(rest, rows[i].word)) {
            url->access = rows[i].access;
            if (rows[i].has_user)
                url->access_user = take(rest, UNRESERVED);
            return !rows[i].has_user ||
                   (url->access_user.len > 0 && url->access_user.len <= BURL_USER_MAX);
        }
    return false;
}

static bool take_token(struct slice *rest)
{
    size_t len = 0;

    while (len < rest->len && (ascii_is_alpha(rest->data[len]) || ascii_is_digit(rest->data[len]) ||
                                  rest->data[len] == '-' || rest->data[len] == '.'))
        len++;
    if (len == 0 || len > MECHANISM_MAX)
        return false;
    *rest = slice_from(*rest, len);
    if (!skip(rest, ":"))
        return false;
    for (len = 0; len < rest->len && (class_of(rest->data[len]) & HEX);)
        len++;
    *rest = slice_from(*rest, len);
    return len >= TOKEN_MIN;
}

static bool take_auth(struct slice *rest, struct imap_url *url)
{
    if (!take_expire(rest))
        return false;
    if (!skip(rest, ";URLAUTH="))
        return true;
    return take_access(rest, url) && skip(rest, ":") && take_token(rest);
}

static bool imap_url_parse(struct slice text, struct imap_url *out_url)
{
    struct imap_url url = { 0 };

    if (!skip(&text, "imap://") || !take_user(&text, &url) || !take_host(&text, &url) ||
        !take_port(&text, &url) || !skip(&text, "/") || !take_mailbox(&text, &url) ||
        !take_number(&text, &url.uid) || !take_section(&text, &url) || !take_partial(&text, &url) ||
        !take_auth(&text, &url) || text.len > 0)
        return false;
    *out_url = url;
    return true;
}

/* scheme ":" something (RFC 3986 section 4.3), in characters of a URI. */
static bool is_absolute(struct slice uri)
{
    size_t colon = slice_find(uri, ':');
    struct slice rest = uri;

    if (colon == 0 || colon + 1 >= uri.len || !ascii_is_alpha(uri.data[0]))
        return false;
    for (size_t i = 1; i < colon; i++)
        if (!ascii_is_alpha(uri.data[i]) && !ascii_is_digit(uri.data[i]) &&
            (uri.data[i] == '\0' || !strchr("+-.", uri.data[i])))
            return false;
    return take(&rest, URI).len == uri.len;
}

enum burl_fault burl_parse(struct slice argument, struct burl *out_burl)
{
    struct slice text = slice_trim(argument);
    size_t len = slice_find(text, ' ');
    struct burl burl = { .url = slice_first(text, len) };
    struct slice end = slice_trim(slice_from(text, len));

    burl.last = slice_is_nocase(end, "LAST");
    if (!is_absolute(burl.url) || (end.len > 0 && !burl.last))
        return BURL_SYNTAX;
    if (!slice_starts_nocase(burl.url, "imap:")) {
        *out_burl = burl;
        return BURL_FOREIGN;
    }
    if (!imap_url_parse(burl.url, &burl.imap)) {
        burl.imap = (struct imap_url){ 0 };
        *out_burl = burl;
        return BURL_UNFIT;
    }
    *out_burl = burl;
    return BURL_OK;
}

/* The next octet that the text stands for; the text is not at its end. */
static char take_octet(struct slice *encoded)
{
    char octet = encoded->data[0];
    size_t len = 1;

    if (is_escape(*encoded)) {
        octet = (char)(hex_value(encoded->data[1]) << 4 | hex_value(encoded->data[2]));
        len = 3;
    }
    *encoded = slice_from(*encoded, len);
    return octet;
}

bool burl_equals(struct slice encoded, struct slice plain)
{
    size_t at = 0;

    while (encoded.len > 0) {
        char octet = take_octet(&encoded);

        if (at == plain.len || plain.data[at++] != octet)
            return false;
    }
    return at == plain.len;
}

bool burl_is_at(const struct imap_url *url, struct slice host, uint16_t port)
{
    struct slice own = url->host;

    if (own.len > 2 && own.data[0] == '[')
        own = slice_of(own.data + 1, own.len - 2);
    return url->port == port && slice_equals_nocase(own, host);
}
