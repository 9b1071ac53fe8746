/* smtp/ehlo.c: the EHLO reply that we give: one table of what is listed when (requirements
 * sections 16.1 to 16.3). */
#include "smtp/ehlo.h"

#include <inttypes.h>

#include "smtp/reply.h"
#include "smtp/timestamp.h"

typedef bool condition(const struct ehlo_state *state);
typedef void parameter_writer(struct buffer *out, const struct ehlo_state *state);

static condition always, starttls_can_work, auth_is_usable, limits_are_set, is_under_tls,
    has_chunking;
static parameter_writer put_size, put_mechanisms, put_limits, put_deliver_by, put_release,
    put_priority, put_classes, put_url_kinds;

enum switching { FIXED, SWITCHED };

static const struct {
    enum extension extension;
    enum switching switching;
    condition *is_listed;
    parameter_writer *put; /* NULL: the keyword alone */
} rows[] = {
    { EXTENSION_PIPELINING, FIXED, always, NULL }, { EXTENSION_SIZE, FIXED, always, put_size },
    { EXTENSION_8BITMIME, FIXED, always, NULL },
    { EXTENSION_ENHANCEDSTATUSCODES, FIXED, always, NULL },
    { EXTENSION_STARTTLS, FIXED, starttls_can_work, NULL },
    { EXTENSION_AUTH, FIXED, auth_is_usable, put_mechanisms },
    { EXTENSION_DSN, SWITCHED, always, NULL }, { EXTENSION_CHUNKING, SWITCHED, always, NULL },
    { EXTENSION_BINARYMIME, SWITCHED, has_chunking, NULL }, /* EXT-BINARYMIME-1 */
    { EXTENSION_SMTPUTF8, SWITCHED, always, NULL },
    { EXTENSION_REQUIRETLS, SWITCHED, is_under_tls, NULL }, /* RTLS-1 */
    { EXTENSION_DELIVERBY, SWITCHED, always, put_deliver_by },
    { EXTENSION_FUTURERELEASE, SWITCHED, is_under_tls, put_release }, /* EXT-FUTURE-1 */
    { EXTENSION_MT_PRIORITY, SWITCHED, always, put_priority },
    { EXTENSION_MTRK, SWITCHED, always, NULL }, { EXTENSION_RRVS, SWITCHED, always, NULL },
    { EXTENSION_NO_SOLICITING, SWITCHED, always, put_classes },
    { EXTENSION_CONPERM, SWITCHED, always, NULL }, { EXTENSION_CONNEG, SWITCHED, always, NULL },
    { EXTENSION_CHECKPOINT, SWITCHED, always, NULL },
    { EXTENSION_BURL, SWITCHED, is_under_tls, put_url_kinds }, /* D-39 */
    { EXTENSION_LIMITS, SWITCHED, limits_are_set, put_limits },
    { EXTENSION_HELP, FIXED, always, NULL }, /* always the last line */
};

static bool always(const struct ehlo_state *state UNUSED)
{
    return true;
}

static bool starttls_can_work(const struct ehlo_state *state)
{
    return !state->is_tls && state->has_certificate;
}

static bool auth_is_usable(const struct ehlo_state *state)
{
    return state->mechanisms != 0;
}

static bool limits_are_set(const struct ehlo_state *state)
{
    return state->mails > 0 || state->recipients > 0;
}

static bool is_under_tls(const struct ehlo_state *state)
{
    return state->is_tls;
}

static bool has_chunking(const struct ehlo_state *state)
{
    return (state->switched_on & EXTENSION_BIT(EXTENSION_CHUNKING)) != 0;
}

static void put_size(struct buffer *out, const struct ehlo_state *state)
{
    buffer_printf(out, " %" PRIu64, state->message_size);
}

static void put_mechanisms(struct buffer *out, const struct ehlo_state *state)
{
    buffer_put_char(out, ' ');
    mechanism_list(out, state->mechanisms);
}

static void put_limits(struct buffer *out, const struct ehlo_state *state)
{
    if (state->mails > 0)
        buffer_printf(out, " MAILMAX=%" PRIu32, state->mails);
    if (state->recipients > 0)
        buffer_printf(out, " RCPTMAX=%" PRIu32, state->recipients);
}

static void put_deliver_by(struct buffer *out, const struct ehlo_state *state)
{
    if (state->deliver_by_least > 0)
        buffer_printf(out, " %" PRIu32, state->deliver_by_least);
}

/* RFC 4865 section 3: the longest time, and the same as a date. */
static void put_release(struct buffer *out, const struct ehlo_state *state)
{
    char date[TIMESTAMP_TEXT + 1];

    timestamp_format(state->now + state->hold_most, date);
    buffer_printf(out, " %" PRIu32 " %s", state->hold_most, date);
}

/* The levels that this server tells apart (RFC 6710 section 3). */
static void put_priority(struct buffer *out, const struct ehlo_state *state UNUSED)
{
    buffer_put_text(out, " MIXER");
}

static void put_classes(struct buffer *out, const struct ehlo_state *state)
{
    if (state->classes.len == 0)
        return;
    buffer_put_char(out, ' ');
    text_write_printable(out, state->classes);
}

/* RFC 4468 section 3.1: without an argument it says that a login is needed first. */
static void put_url_kinds(struct buffer *out, const struct ehlo_state *state)
{
    if (state->has_login)
        buffer_put_text(out, " imap");
}

static bool is_listed(const struct ehlo_state *state, size_t i)
{
    return (rows[i].switching == FIXED ||
               (state->switched_on & EXTENSION_BIT(rows[i].extension)) != 0) &&
           rows[i].is_listed(state);
}

uint32_t ehlo_offered(const struct ehlo_state *state)
{
    uint32_t set = 0;

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (is_listed(state, i))
            set |= EXTENSION_BIT(rows[i].extension);
    return set;
}

/* Two names of 255 octets would not fit on one line; then the client's is left out. */
static void put_first_line(struct buffer *out, const struct ehlo_state *state)
{
    static const char hello[] = " Hello ";

    buffer_put_text(out, "250-");
    text_write_printable(out, state->hostname);
    if (6 + state->hostname.len + sizeof hello - 1 + state->client.len <= REPLY_LINE_MAX) {
        buffer_put_text(out, hello);
        text_write_printable(out, state->client);
    }
    buffer_put_text(out, "\r\n");
}

void ehlo_write(struct buffer *out, const struct ehlo_state *state)
{
    put_first_line(out, state);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (!is_listed(state, i))
            continue;
        buffer_put_text(out, i + 1 < LENGTH_OF(rows) ? "250-" : "250 ");
        buffer_put_text(out, extension_keyword(rows[i].extension));
        if (rows[i].put)
            rows[i].put(out, state);
        buffer_put_text(out, "\r\n");
    }
}
