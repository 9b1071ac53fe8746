/* smtp/ehlo.c: the EHLO reply that we give: one table of what is listed when (requirements
 * sections 16.1 to 16.3). */
#include "smtp/ehlo.h"

#include <inttypes.h>

#include "smtp/reply.h"

typedef bool condition(const struct ehlo_state *state);
typedef void parameter_writer(struct buffer *out, const struct ehlo_state *state);

static condition always, starttls_can_work, auth_is_usable, limits_are_set;
static parameter_writer put_size, put_mechanisms, put_limits;

static const struct {
    enum extension extension;
    condition *is_listed;
    parameter_writer *put; /* NULL: the keyword alone */
} rows[] = {
    { EXTENSION_PIPELINING, always, NULL }, { EXTENSION_SIZE, always, put_size },
    { EXTENSION_8BITMIME, always, NULL }, { EXTENSION_ENHANCEDSTATUSCODES, always, NULL },
    { EXTENSION_STARTTLS, starttls_can_work, NULL },
    { EXTENSION_AUTH, auth_is_usable, put_mechanisms }, { EXTENSION_CHUNKING, always, NULL },
    { EXTENSION_SMTPUTF8, always, NULL }, { EXTENSION_LIMITS, limits_are_set, put_limits },
    { EXTENSION_HELP, always, NULL }, /* always the last line */
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

uint32_t ehlo_offered(const struct ehlo_state *state)
{
    uint32_t set = 0;

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (rows[i].is_listed(state))
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
        if (!rows[i].is_listed(state))
            continue;
        buffer_put_text(out, i + 1 < LENGTH_OF(rows) ? "250-" : "250 ");
        buffer_put_text(out, extension_keyword(rows[i].extension));
        if (rows[i].put)
            rows[i].put(out, state);
        buffer_put_text(out, "\r\n");
    }
}
