/* smtp/reply.c: the table of replies and how they are written. */
#include "smtp/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct reply_info replies[REPLY_COUNT] = {
    [REPLY_GREETING] = { 220, { 0 }, "ESMTP" },
    [REPLY_STARTTLS_READY] = { 220, { 2, 0, 0 }, "Ready to start TLS" },
    [REPLY_HELP] = { 214, { 2, 0, 0 },
        "Commands:\n"
        "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT\n"
        "RSET NOOP VRFY HELP QUIT" },
    [REPLY_BYE] = { 221, { 2, 0, 0 }, "Closing connection" },
    [REPLY_AUTH_OK] = { 235, { 2, 7, 0 }, "Authentication succeeded" },
    [REPLY_HELO] = { 250, { 0 }, "" },
    [REPLY_OK] = { 250, { 2, 0, 0 }, "Ok" },
    [REPLY_CHUNK_OK] = { 250, { 2, 0, 0 }, "Chunk received" },
    [REPLY_QUEUED] = { 250, { 2, 0, 0 }, "Ok: queued" },
    [REPLY_SENDER_OK] = { 250, { 2, 1, 0 }, "Sender ok" },
    [REPLY_RECIPIENT_OK] = { 250, { 2, 1, 5 }, "Recipient ok" },
    [REPLY_PRIORITY_CHANGED] = { 250, { 2, 3, 6 }, "Priority lowered" },
    [REPLY_URL_OK] = { 250, { 2, 5, 0 }, "Waiting for the rest" },
    [REPLY_VRFY_LIMITED] = { 252, { 2, 5, 0 }, "Cannot verify, but will accept mail and try" },
    [REPLY_VRFY_UTF8] = { 252, { 2, 6, 8 }, "The answer would need SMTPUTF8" },
    [REPLY_CHALLENGE] = { 334, { 0 }, "" },
    [REPLY_DATA_READY] = { 354, { 0 }, "End data with <CR><LF>.<CR><LF>" },
    [REPLY_RESUMED] = { 355, { 0 }, "0 is the transaction offset" },

    [REPLY_SHUTDOWN] = { 421, { 4, 3, 2 }, "Server is shutting down, try again later" },
    [REPLY_CONNECTIONS_TOTAL] = { 421, { 4, 3, 2 }, "Too many connections, try again later" },
    [REPLY_IDLE] = { 421, { 4, 4, 2 }, "Timeout waiting for you" },
    [REPLY_CONNECTIONS_CLIENT] = { 421, { 4, 7, 0 }, "Too many connections from your address" },
    [REPLY_TOO_MANY_ERRORS] = { 421, { 4, 7, 0 }, "Too many errors" },
    [REPLY_PREAUTH_LIMIT] = { 421, { 4, 7, 0 }, "Too much before authentication" },
    [REPLY_AUTH_TOO_MANY] = { 421, { 4, 7, 0 }, "Too many failed authentications" },
    [REPLY_STARTTLS_INJECTED] = { 421, { 4, 7, 0 }, "Data before the TLS handshake" },
    [REPLY_PROTOCOL_ERROR] = { 421, { 4, 7, 0 }, "Protocol error" },
    [REPLY_BARE_LF] = { 421, { 4, 7, 0 }, "Protocol error, a line ends with CR LF" },
    [REPLY_CHUNK_LOST] = { 421, { 4, 7, 0 }, "Cannot find the end of the chunk" },
    [REPLY_TOO_MANY_MAILS] = { 421, { 4, 7, 0 }, "Too many messages in this session" },
    [REPLY_RATE_LIMITED] = { 450, { 4, 7, 1 }, "Too much mail at once, try again later" },
    [REPLY_PRIORITY_LATER] = { 450, { 4, 7, 15 }, "Priority too low for now, try again later" },
    [REPLY_INTERNAL] = { 451, { 4, 3, 0 }, "Internal failure, try again later" },
    [REPLY_STORAGE] = { 451, { 4, 3, 0 }, "Cannot store the message now, try again later" },
    [REPLY_OTHER_TRANSACTION] = { 451, { 4, 3, 0 },
        "Not the transaction that was cut off, which is forgotten now: send all of it" },
    [REPLY_URL_UNREACHABLE] = { 451, { 4, 4, 1 }, "IMAP server not available now" },
    [REPLY_SENDER_DNS] = { 451, { 4, 4, 3 }, "Cannot look up the sender's domain now" },
    [REPLY_NO_SPACE] = { 452, { 4, 3, 1 }, "No room for the message now, try again later" },
    [REPLY_TOO_MANY_RECIPIENTS] = { 452, { 4, 5, 3 }, "Too many recipients" },
    [REPLY_STARTTLS_UNAVAILABLE] = { 454, { 4, 7, 0 }, "TLS not available now" },
    [REPLY_AUTH_UNAVAILABLE] = { 454, { 4, 7, 0 }, "Authentication not available now" },

    [REPLY_UNKNOWN] = { 500, { 5, 5, 2 }, "Command not recognized" },
    [REPLY_LINE_TOO_LONG] = { 500, { 5, 5, 2 }, "Line too long" },
    [REPLY_BAD_OCTET] = { 500, { 5, 5, 2 }, "Character not allowed in a command" },
    [REPLY_AUTH_LINE_TOO_LONG] = { 500, { 5, 5, 6 }, "Authentication exchange line too long" },
    [REPLY_RECIPIENT_SYNTAX] = { 501, { 5, 1, 3 }, "Bad recipient address syntax" },
    [REPLY_SENDER_SYNTAX] = { 501, { 5, 1, 7 }, "Bad sender address syntax" },
    [REPLY_BASE64] = { 501, { 5, 5, 2 }, "Not base64" },
    [REPLY_BAD_PRIORITY] = { 501, { 5, 5, 2 }, "Bad priority" },
    [REPLY_BAD_ARGUMENT] = { 501, { 5, 5, 4 }, "Bad or missing argument" },
    [REPLY_NO_ARGUMENT] = { 501, { 5, 5, 4 }, "Command takes no argument" },
    [REPLY_BAD_PARAMETER] = { 501, { 5, 5, 4 }, "Bad parameter" },
    [REPLY_CHUNK_SIZE] = { 501, { 5, 5, 4 }, "Bad chunk size" },
    [REPLY_AUTH_CANCELLED] = { 501, { 5, 7, 0 }, "Authentication cancelled" },
    [REPLY_AUTH_INITIAL] = { 501, { 5, 7, 0 }, "Mechanism takes no initial response" },
    [REPLY_NOT_OFFERED] = { 502, { 5, 5, 1 }, "Command not offered" },
    [REPLY_URL_BEFORE_RCPT] = { 503, { 5, 5, 0 }, "Valid RCPT needed before BURL" },
    [REPLY_ORDER] = { 503, { 5, 5, 1 }, "Command out of order" },
    [REPLY_EHLO_FIRST] = { 503, { 5, 5, 1 }, "Send EHLO first" },
    [REPLY_MAIL_FIRST] = { 503, { 5, 5, 1 }, "Send MAIL first" },
    [REPLY_MAIL_NESTED] = { 503, { 5, 5, 1 }, "Sender already given" },
    [REPLY_RCPT_FIRST] = { 503, { 5, 5, 1 }, "Send RCPT first" },
    [REPLY_AUTH_TWICE] = { 503, { 5, 5, 1 }, "Already authenticated" },
    [REPLY_AUTH_IN_MAIL] = { 503, { 5, 5, 1 }, "Not during a mail transaction" },
    [REPLY_STARTTLS_TWICE] = { 503, { 5, 5, 1 }, "TLS is already active" },
    [REPLY_STARTTLS_IN_MAIL] = { 503, { 5, 5, 1 }, "Not during a mail transaction" },
    [REPLY_DATA_AFTER_BDAT] = { 503, { 5, 5, 1 }, "DATA cannot follow BDAT" },
    [REPLY_DATA_BINARY] = { 503, { 5, 5, 1 }, "BINARYMIME needs BDAT" },
    [REPLY_RSET_FIRST] = { 503, { 5, 5, 1 }, "Transaction failed, send RSET first" },
    [REPLY_REFUSED_BEFORE] = { 503, { 5, 5, 1 }, "Connection refused, send QUIT" },
    [REPLY_AUTH_MECHANISM] = { 504, { 5, 5, 4 }, "Mechanism not offered" },
    [REPLY_PARAMETER_UNHONOURED] = { 504, { 5, 5, 4 }, "Parameter cannot be honoured" },
    [REPLY_AUTH_DISABLED] = { 525, { 5, 7, 13 }, "Account disabled" },
    [REPLY_TLS_FIRST] = { 530, { 5, 7, 0 }, "Must issue a STARTTLS command first" },
    [REPLY_AUTH_FIRST] = { 530, { 5, 7, 0 }, "Authentication required" },
    [REPLY_AUTH_WEAK] = { 534, { 5, 7, 9 }, "Mechanism too weak for this account" },
    [REPLY_AUTH_FAILED] = { 535, { 5, 7, 8 }, "Authentication failed" },
    [REPLY_AUTH_NEEDS_TLS] = { 538, { 5, 7, 11 }, "Encryption required for authentication" },
    [REPLY_NO_SUCH_USER] = { 550, { 5, 1, 1 }, "No such user" },
    [REPLY_SENDER_DOMAIN] = { 550, { 5, 1, 8 }, "Sender domain does not exist" },
    [REPLY_RECIPIENT_COUNT] = { 550, { 5, 5, 3 }, "More recipients than allowed here" },
    [REPLY_EXPN_UTF8] = { 550, { 5, 6, 8 }, "The answer would need SMTPUTF8" },
    [REPLY_SENDER_UTF8] = { 550, { 5, 6, 7 }, "Non-ASCII sender needs SMTPUTF8" },
    [REPLY_CONTENT_POLICY] = { 550, { 5, 7, 0 }, "Content refused by policy" },
    [REPLY_SENDER_FORBIDDEN] = { 550, { 5, 7, 1 }, "You may not send as this address" },
    [REPLY_RECIPIENT_FORBIDDEN] = { 550, { 5, 7, 1 }, "You may not send to this address" },
    [REPLY_ACCOUNT_FORBIDDEN] = { 550, { 5, 7, 1 }, "This account may not send mail" },
    [REPLY_AUTHOR_FORBIDDEN] = { 550, { 5, 7, 1 }, "You may not use this address in From" },
    [REPLY_SOLICITED] = { 550, { 5, 7, 1 }, "Mail of this class is not taken" },
    [REPLY_PRIORITY_LOW] = { 550, { 5, 7, 15 }, "Priority too low" },
    [REPLY_SENDER_NULL_MX] = { 550, { 5, 7, 27 }, "Sender domain accepts no mail" },
    [REPLY_HELD_QUOTA] = { 552, { 5, 2, 2 }, "Too much mail is held for you already" },
    [REPLY_TOO_BIG] = { 552, { 5, 3, 4 }, "Message too big" },
    [REPLY_PRIORITY_SIZE] = { 552, { 5, 7, 16 }, "Message too big for its priority" },
    [REPLY_RECIPIENT_UTF8] = { 553, { 5, 6, 7 }, "Non-ASCII recipient needs SMTPUTF8" },
    [REPLY_RECIPIENT_UNQUALIFIED] = { 554, { 5, 1, 2 }, "Recipient domain is not fully qualified" },
    [REPLY_RECIPIENT_LITERAL] = { 554, { 5, 1, 2 }, "Address literals are not accepted" },
    [REPLY_RECIPIENT_DOMAIN] = { 554, { 5, 1, 2 }, "Recipient domain does not exist" },
    [REPLY_SENDER_UNQUALIFIED] = { 554, { 5, 1, 8 }, "Sender domain is not fully qualified" },
    [REPLY_SENDER_LITERAL] = { 554, { 5, 1, 8 }, "Address literals are not accepted" },
    [REPLY_URL_TOO_BIG] = { 554, { 5, 3, 4 }, "Message too big" },
    [REPLY_LOOP] = { 554, { 5, 4, 6 }, "Too many Received fields, the message loops" },
    [REPLY_IMPROPER] = { 554, { 5, 5, 0 }, "Not acceptable" },
    [REPLY_URL_NO_RECIPIENTS] = { 554, { 5, 5, 0 }, "No recipients" },
    [REPLY_NO_VALID_RECIPIENTS] = { 554, { 5, 5, 1 }, "No valid recipients" },
    [REPLY_MESSAGE_SYNTAX] = { 554, { 5, 6, 0 }, "Message is not well formed" },
    [REPLY_SOLICITATION] = { 554, { 5, 6, 0 }, "SOLICIT and Solicitation do not agree" },
    [REPLY_NO_FROM] = { 554, { 5, 6, 0 }, "Missing From" },
    [REPLY_HEADER_LIMIT] = { 554, { 5, 6, 0 }, "Header too large" },
    [REPLY_BARE_NEWLINE] = { 554, { 5, 6, 0 }, "Bare CR or LF not allowed" },
    [REPLY_NUL] = { 554, { 5, 6, 0 }, "NUL not allowed" },
    [REPLY_LONG_LINE] = { 554, { 5, 6, 0 }, "Line longer than 998 octets" },
    [REPLY_URL_CONVERSION] = { 554, { 5, 6, 3 }, "Content would need a conversion" },
    [REPLY_URL_NOT_FETCHED] = { 554, { 5, 6, 6 }, "URL resolution failed" },
    [REPLY_HEADER_UTF8] = { 554, { 5, 6, 7 }, "Non-ASCII header needs SMTPUTF8" },
    [REPLY_TLS_WEAK] = { 554, { 5, 7, 0 }, "TLS too weak" },
    [REPLY_URL_OF_ANOTHER] = { 554, { 5, 7, 0 }, "URL is not authorized for you" },
    [REPLY_REFUSED] = { 554, { 5, 7, 1 }, "Connection refused" },
    [REPLY_URL_UNTRUSTED] = { 554, { 5, 7, 14 }, "No trust relation with that server" },
    [REPLY_PARAMETER_UNKNOWN] = { 555, { 5, 5, 4 }, "Parameter not known or not offered" },
    [REPLY_PARAMETER_BELOW] = { 555, { 5, 5, 4 }, "Parameter asks for more than is promised" },
    [REPLY_RECIPIENT_NULL_MX] = { 556, { 5, 1, 10 }, "Recipient domain accepts no mail" },
};

const struct reply_info *reply_info(enum reply_id id)
{
    return &replies[(unsigned)id < REPLY_COUNT ? id : REPLY_INTERNAL];
}

static bool is_printable(char c)
{
    return c >= 32 && c <= 126;
}

void text_write_printable(struct buffer *out, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF";

    while (text.len > 0) {
        size_t clean = 0;

        while (clean < text.len && is_printable(text.data[clean]))
            clean++;
        buffer_put(out, text.data, clean);
        text = slice_from(text, clean);
        if (text.len > 0) {
            unsigned char c = (unsigned char)text.data[0];
            char shown[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

            buffer_put(out, shown, sizeof shown);
            text = slice_from(text, 1);
        }
    }
}

/* Cuts off *rest what fits on a line of room octets once it is made printable: up to a '\n', else
 * up to the last space that fits, else as much as fits. */
static struct slice take_line(struct slice *rest, size_t room)
{
    size_t len = 0, used = 0, space = 0;
    struct slice line;

    for (; len < rest->len && rest->data[len] != '\n'; len++) {
        used += is_printable(rest->data[len]) ? 1 : 4;
        if (used > room)
            break;
        if (rest->data[len] == ' ')
            space = len;
    }
    if (used > room && space > 0)
        len = space;
    line = slice_first(*rest, len);
    if (len < rest->len && (rest->data[len] == '\n' || rest->data[len] == ' '))
        len++;
    *rest = slice_from(*rest, len);
    return line;
}

/* "550 5.1.1 ", or "354 " where there is no enhanced code. */
static size_t format_prefix(const struct reply_info *info, char *out, size_t room)
{
    struct status s = info->status;
    int len = status_is_set(s)
                  ? snprintf(out, room, "%03u %u.%u.%u ", info->code, s.class, s.subject, s.detail)
                  : snprintf(out, room, "%03u ", info->code);

    assert(len > 0 && (size_t)len < room);
    return (size_t)len;
}

static void write_lines(struct buffer *out, const struct reply_info *info, struct slice text)
{
    enum { CODE = 3, CRLF = 2 };
    char prefix[32];
    size_t len = format_prefix(info, prefix, sizeof prefix);

    do {
        struct slice line = take_line(&text, REPLY_LINE_MAX - CRLF - len);

        prefix[CODE] = text.len > 0 ? '-' : ' ';
        buffer_put(out, prefix, len);
        text_write_printable(out, line);
        buffer_put_text(out, "\r\n");
    } while (text.len > 0);
}

void reply_write(struct buffer *out, enum reply_id id)
{
    const struct reply_info *info = reply_info(id);

    write_lines(out, info, slice_text(info->text));
}

void reply_vprintf(struct buffer *out, enum reply_id id, const char *format, va_list args)
{
    enum { ROOM = 8192 };
    char text[ROOM + 1];
    int len = vsnprintf(text, sizeof text, format, args);

    if (len < 0)
        len = 0;
    write_lines(out, reply_info(id), slice_of(text, len > ROOM ? ROOM : (size_t)len));
}

void reply_printf(struct buffer *out, enum reply_id id, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reply_vprintf(out, id, format, args);
    va_end(args);
}

void reply_greeting(struct buffer *out, struct slice hostname)
{
    reply_printf(out, REPLY_GREETING, "%.*s ESMTP", SLICE_ARGS(hostname));
}

void reply_helo(struct buffer *out, struct slice hostname)
{
    reply_printf(out, REPLY_HELO, "%.*s", SLICE_ARGS(hostname));
}

void reply_challenge(struct buffer *out, struct slice base64)
{
    buffer_put_text(out, "334 ");
    buffer_put_slice(out, base64);
    buffer_put_text(out, "\r\n");
}
