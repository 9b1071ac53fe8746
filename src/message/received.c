/* message/received.c: builds our Received field. */
#include "message/received.h"

#include "message/date.h"
#include "message/text.h"

enum {
    NAME_OCTETS = 255,
    TOKEN_OCTETS = 64,
    SOLICIT_OCTETS = 1000, /* the words of SOLICIT; twice that where each is one letter */
    LINE_OCTETS = 4096,    /* all of the bounded parts together stay below */
};

const char *received_protocol(bool esmtp, bool tls, bool auth, bool smtputf8)
{
    static const char *const plain[2][2] = { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } };
    static const char *const utf8[2][2] = { { "UTF8SMTP", "UTF8SMTPA" },
        { "UTF8SMTPS", "UTF8SMTPSA" } };

    if (!esmtp)
        return "SMTP";
    return smtputf8 ? utf8[tls][auth] : plain[tls][auth];
}

static bool is_name_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
}

/* Only characters of an atom: anything else would let a client write into our field. */
static void put_token(struct buffer *out, struct slice token)
{
    token = slice_first(token, TOKEN_OCTETS);
    for (size_t i = 0; i < token.len; i++)
        buffer_put_char(out, is_name_char(token.data[i]) ? token.data[i] : '?');
}

static bool is_literal(struct slice name)
{
    if (name.len < 3 || name.data[0] != '[' || name.data[name.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < name.len; i++)
        if (!is_name_char(name.data[i]) && name.data[i] != ':')
            return false;
    return true;
}

static bool is_dot_misplaced(struct slice name, size_t i)
{
    return name.data[i] == '.' &&
           (i == 0 || i + 1 == name.len || name.data[i - 1] == '.' || name.data[i + 1] == '.');
}

/* A name as a dot-atom, a literal as it is, nothing as "unknown". */
static void put_name(struct buffer *out, struct slice name)
{
    name = slice_first(name, NAME_OCTETS);
    if (name.len == 0) {
        buffer_put_text(out, "unknown");
        return;
    }
    if (is_literal(name)) {
        buffer_put_slice(out, name);
        return;
    }
    for (size_t i = 0; i < name.len; i++) {
        bool good = is_name_char(name.data[i]) && !is_dot_misplaced(name, i);

        buffer_put_char(out, good ? name.data[i] : '?');
    }
}

/* "[192.0.2.9]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). */
static void put_address(struct buffer *out, struct slice address)
{
    address = slice_first(address, TOKEN_OCTETS);
    buffer_put_text(out, slice_find(address, ':') < address.len ? "[IPv6:" : "[");
    for (size_t i = 0; i < address.len; i++) {
        bool good = is_name_char(address.data[i]) || address.data[i] == ':';

        buffer_put_char(out, good ? address.data[i] : '?');
    }
    buffer_put_char(out, ']');
}

static void put_from(struct buffer *line, const struct received_facts *facts)
{
    buffer_put_text(line, " from ");
    if (facts->hide_client) {
        buffer_put_text(line, "[127.0.0.1]");
        return;
    }
    put_name(line, facts->ehlo);
    buffer_put_text(line, " (");
    if (facts->client_name.len > 0) {
        put_name(line, facts->client_name);
        buffer_put_char(line, ' ');
    }
    put_address(line, facts->client);
    buffer_put_char(line, ')');
}

static void put_tls(struct buffer *line, const struct received_facts *facts)
{
    if (facts->tls_cipher.len == 0)
        return;
    buffer_put_text(line, " tls ");
    put_token(line, facts->tls_cipher);
    if (facts->tls_group.len == 0)
        return;
    buffer_put_text(line, " group ");
    put_token(line, facts->tls_group);
}

/* RFC 3865 section 2.6: a comment; its words may be folded between. */
static void put_solicit(struct buffer *line, struct slice words)
{
    const char *before = " (SOLICIT=";

    words = slice_first(words, SOLICIT_OCTETS);
    if (words.len == 0)
        return;
    while (words.len > 0) {
        struct slice word = slice_first(words, slice_find(words, ','));

        buffer_put_text(line, before);
        for (size_t i = 0; i < word.len; i++)
            buffer_put_char(
                line, is_name_char(word.data[i]) || word.data[i] == ':' ? word.data[i] : '?');
        words = slice_from(words, word.len + 1);
        before = ", ";
    }
    buffer_put_char(line, ')');
}

void received_put(struct buffer *out, const struct received_facts *facts)
{
    struct buffer line;
    char date[DATE_TEXT + 1];

    buffer_init(&line, LINE_OCTETS);
    buffer_put_text(&line, "Received:");
    put_from(&line, facts);
    buffer_put_text(&line, " by ");
    put_name(&line, facts->by);
    buffer_printf(&line, " with %s", facts->protocol);
    put_solicit(&line, facts->solicit);
    buffer_put_text(&line, " id ");
    put_token(&line, facts->queue_id);
    put_tls(&line, facts);
    if (facts->has_priority)
        buffer_printf(&line, " PRIORITY %d", facts->priority);
    date_format(facts->wall, date);
    buffer_printf(&line, "; %s", date);
    if (line.error == ERR_OK)
        text_put_folded(out, buffer_slice(&line), sizeof "Received: from" - 1);
    else if (out->error == ERR_OK)
        out->error = line.error;
    buffer_clear(&line);
}
