/* fetch/imap_content.c: URLFETCH and its response (RFC 4467 sections 7 and 8): the URL, then NIL or
 * a string. */
#include "fetch/imap_state.h"

void imap_content_start(struct imap *imap)
{
    imap->phase = IMAP_CONTENT;
    imap_command(imap, "URLFETCH", buffer_slice(&imap->url));
}

static bool is_too_big(const struct imap *imap, uint64_t size)
{
    return imap->most > 0 && size > imap->most - imap->octets;
}

static void break_off(struct imap *imap)
{
    imap_end(imap, URL_UNREACHABLE, "the server's answer cannot be understood");
}

static void refuse_big(struct imap *imap)
{
    imap_end(imap, URL_TOO_BIG, "it is larger than allowed");
}

void imap_content_octets(struct imap *imap, struct slice octets)
{
    imap->octets += octets.len;
    imap->events->octets(imap->owner, octets);
}

/* A string without line ends may come in quotes. False: it was the end. */
static bool take_quoted(struct imap *imap, struct slice quoted)
{
    bool *gone = imap->gone; /* the owner may end it */
    struct buffer plain;

    if (is_too_big(imap, quoted.len)) {
        refuse_big(imap);
        return false;
    }
    buffer_init(&plain, IMAP_LINE_MAX);
    imap_unquote(&plain, quoted);
    if (plain.len > 0)
        imap_content_octets(imap, buffer_slice(&plain));
    buffer_clear(&plain);
    if (*gone)
        return false;
    imap->content = CONTENT_COMPLETE;
    return true;
}

/* The next value of the response. False: it was the end. */
static bool take_value(struct imap *imap, enum imap_value_kind kind, struct slice value)
{
    switch (imap->content) {
    case CONTENT_URL:
        imap->content = CONTENT_VALUE;
        return true;
    case CONTENT_VALUE:
        if (kind == IMAP_VALUE_QUOTED)
            return take_quoted(imap, value);
        if (slice_is_nocase(value, "NIL")) {
            imap->content = CONTENT_NIL;
            return true;
        }
        break;
    default:
        break;
    }
    break_off(imap);
    return false;
}

/* A literal of that size follows. */
static void begin_literal(struct imap *imap, uint64_t size)
{
    if (imap->content == CONTENT_URL)
        imap->content = CONTENT_VALUE; /* the URL itself, of no interest */
    else if (imap->content != CONTENT_VALUE)
        break_off(imap);
    else if (is_too_big(imap, size))
        refuse_big(imap);
    else
        imap->content = CONTENT_COMING;
}

void imap_content_text(
    struct imap *imap, struct slice text, enum imap_answer answer, const struct imap_part *part)
{
    enum imap_value_kind kind;
    struct slice value;

    if (part->is_first && imap->content != CONTENT_NONE) {
        break_off(imap); /* one URL was asked for */
        return;
    }
    if (part->is_first)
        imap->content = CONTENT_URL;
    if (imap->content == CONTENT_COMING)
        imap->content = CONTENT_COMPLETE;
    while ((kind = imap_value_take(&text, &value)) != IMAP_VALUE_NONE) {
        if (kind == IMAP_VALUE_BAD) {
            break_off(imap);
            return;
        }
        if (!take_value(imap, kind, value))
            return;
    }
    if (answer == IMAP_LITERAL)
        begin_literal(imap, part->size);
    else if (imap->content != CONTENT_COMPLETE && imap->content != CONTENT_NIL)
        break_off(imap);
}

void imap_content_reply(struct imap *imap, const struct imap_response *response)
{
    if (response->kind == IMAP_UNTAGGED)
        return;
    if (response->kind != IMAP_TAGGED)
        break_off(imap);
    else if (response->condition != IMAP_OK)
        imap_end(imap, URL_REFUSED, "the server refuses URLFETCH");
    else if (imap->content != CONTENT_COMPLETE || imap->octets == 0)
        imap_end(imap, URL_REFUSED, "the server gives nothing for this URL");
    else
        imap_end(imap, URL_FETCHED, "");
}
