/* message/dsn_text.c: the part of a notice that people read: who did not get it, why, what to do.
 */
#include "message/dsn_part.h"

#include "message/date.h"
#include "message/text.h"

enum { COLUMNS = 72, WORD_OCTETS = 320 };

/* How each kind of news is told. */
static const struct {
    const char *one;  /* about one recipient */
    const char *many; /* about several */
} news[DSN_ACTIONS] = {
    [DSN_FAILED] = { "could not be delivered to the recipient below. The server has given up and "
                     "will not try again.",
        "could not be delivered to the recipients below. The server has given up and will not try "
        "again." },
    [DSN_DELAYED] = { "has not yet been delivered to the recipient below. The server keeps trying. "
                      "You need not send it again.",
        "has not yet been delivered to the recipients below. The server keeps trying. You need not "
        "send it again." },
    [DSN_RELAYED] = { "was handed to the next server on its way to the recipient below. That "
                      "server does not report deliveries, so this is the last news of it.",
        "was handed to the next server on its way to the recipients below. Those servers do not "
        "report deliveries, so this is the last news of it." },
    [DSN_DELIVERED] = { "was delivered to the recipient below.",
        "was delivered to the recipients below." },
    [DSN_EXPANDED] = { "was accepted for the address below and sent on to everybody it stands for.",
        "was accepted for the addresses below and sent on to everybody they stand for." },
};

/* What a status code (without its class) means and what the sender can do; the first that fits. A
 * code that ends with a dot stands for all that begin so. */
static const struct {
    const char *code;
    const char *reason;
    const char *advice; /* behind "What you can do: ", without the full stop */
} meanings[] = {
    { "1.2", "There is no such mail domain.", "check the part of the address behind the @" },
    { "1.10", "This domain accepts no mail at all.", "check the part of the address behind the @" },
    { "1.8", "Your sender address was not accepted.", "check the address that you send from" },
    { "1.7", "Your sender address was not accepted.", "check the address that you send from" },
    { "1.", "The address is not known there.", "check the address for typing errors" },
    { "2.2", "The mailbox is full.", "send again later, or reach the recipient in another way" },
    { "2.3", "The message is too large for this mailbox.", "send a smaller message" },
    { "2.", "The mailbox does not accept the message.", "reach the recipient in another way" },
    { "3.4", "The message is too large for the recipient's server.", "send a smaller message" },
    { "3.", "The recipient's server cannot take the message.", "send again later" },
    { "4.4", "The recipient's server could not be found.",
        "check the part of the address behind the @" },
    { "4.6", "The message went in a loop.", "tell the postmaster named below" },
    { "4.7", "The message could not be delivered in time.", "send again later" },
    { "4.", "The recipient's server could not be reached.",
        "send again later, or reach the recipient in another way" },
    { "6.7", "A server on the way does not know addresses beyond ASCII.",
        "use an ASCII address, if there is one" },
    { "6.9", "A server on the way does not know headers beyond ASCII.",
        "write names and subject without accents or other scripts" },
    { "6.", "A server on the way cannot carry content of this form.",
        "send the content in another form" },
    { "7.10", "The server there offers no encryption that the rules for this message ask for.",
        "tell the recipient's postmaster" },
    { "7.30", "The server there cannot promise the encryption that you asked for.",
        "send without that demand, or reach the recipient in another way" },
    { "7.", "The recipient's server refused the message by its policy.",
        "ask the recipient or their postmaster, in another way, why" },
    { "", "The message was not accepted.", "reach the recipient in another way" },
};

/* Appends the text wrapped at spaces; first before the first line, rest before the others. */
static void put_wrapped(struct buffer *out, const char *first, const char *rest, struct slice text)
{
    size_t column = strlen(first);

    buffer_put_text(out, first);
    for (bool begun = false; text.len > 0; begun = true) {
        size_t space = slice_find(text, ' ');
        struct slice word = slice_first(text, space);

        text = slice_from(text, space + 1);
        if (begun && column + 1 + word.len > COLUMNS) {
            buffer_put_text(out, "\r\n");
            buffer_put_text(out, rest);
            column = strlen(rest);
        } else if (begun) {
            buffer_put_char(out, ' ');
            column++;
        }
        buffer_put_slice(out, word);
        column += word.len;
    }
    buffer_put_text(out, "\r\n");
}

static void put_paragraph(struct buffer *out, const char *indent, struct buffer *text)
{
    put_wrapped(out, indent, indent, buffer_slice(text));
    if (text->error != ERR_OK && out->error == ERR_OK)
        out->error = text->error;
    buffer_clear(text);
}

/* Each line of the reply, quoted. */
static void put_quote(struct buffer *out, struct slice reply)
{
    struct slice rest = slice_first(reply, DSN_QUOTE_MAX);

    while (rest.len > 0) {
        size_t newline = slice_find(rest, '\n');
        struct slice line = slice_trim(slice_first(rest, newline));
        struct buffer text;

        rest = slice_from(rest, newline + 1);
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            continue;
        buffer_init(&text, DSN_QUOTE_MAX * 2);
        text_put_safe(&text, line, true);
        put_paragraph(out, "    > ", &text);
    }
    if (reply.len > DSN_QUOTE_MAX)
        buffer_put_text(out, "    > ...\r\n");
}

/* The row for a status text such as "5.1.1". */
static size_t meaning_of(const char *status)
{
    struct slice code = slice_from(slice_text(status), 2);
    size_t i = 0;

    for (; i + 1 < LENGTH_OF(meanings); i++) {
        size_t len = strlen(meanings[i].code);

        if (meanings[i].code[len - 1] == '.' ? slice_starts_nocase(code, meanings[i].code)
                                             : slice_is(code, meanings[i].code))
            break;
    }
    return i;
}

/* Why: our own sentence where we have one, and the remote host's words where it spoke. */
static void put_reason(
    struct buffer *out, const struct dsn_recipient *recipient, const char *meaning)
{
    struct buffer text;
    bool failed = recipient->action == DSN_FAILED || recipient->action == DSN_DELAYED;

    buffer_init(&text, 4096);
    if (recipient->reason.len > 0)
        text_put_safe(&text, slice_first(recipient->reason, 1024), true);
    else if (failed)
        buffer_put_text(&text, meaning);
    if (recipient->diagnostic.len > 0) {
        buffer_put_text(&text, text.len > 0 ? " " : "");
        if (recipient->remote_mta.len > 0)
            text_put_safe(&text, slice_first(recipient->remote_mta, WORD_OCTETS), true);
        else
            buffer_put_text(&text, "The other server");
        buffer_put_text(&text, " answered:");
    }
    if (text.len > 0)
        put_paragraph(out, "    ", &text);
    buffer_clear(&text);
    put_quote(out, recipient->diagnostic);
}

static void put_sentence(struct buffer *out, const char *before, const char *words)
{
    struct buffer text;

    buffer_init(&text, 1024);
    buffer_printf(&text, "%s%s.", before, words);
    put_paragraph(out, "    ", &text);
}

static void put_recipient(struct buffer *out, const struct dsn_recipient *recipient)
{
    char status[DSN_STATUS_TEXT + 1];
    char date[DATE_TEXT + 1];
    size_t meaning;

    dsn_status_text(recipient->action, recipient->status, status);
    meaning = meaning_of(status);
    buffer_put_text(out, "  <");
    text_put_safe(out, slice_first(recipient->final, WORD_OCTETS), true);
    buffer_put_text(out, ">\r\n");
    put_reason(out, recipient, meanings[meaning].reason);
    if (recipient->action == DSN_DELAYED && recipient->retry_until != 0) {
        date_format(recipient->retry_until, date);
        put_sentence(out, "The server keeps trying until ", date);
    }
    if (recipient->action == DSN_FAILED)
        put_sentence(out, "What you can do: ", meanings[meaning].advice);
    buffer_put_text(out, "\r\n");
}

static void put_news(struct buffer *out, const struct dsn_notice *notice, enum dsn_action action)
{
    struct buffer text;
    char date[DATE_TEXT + 1];
    size_t count = 0;

    for (size_t i = 0; i < notice->recipient_count; i++)
        count += notice->recipients[i].action == action;
    if (count == 0)
        return;
    buffer_init(&text, 1024);
    buffer_put_text(&text, "Your message ");
    if (notice->arrival != 0) {
        date_format(notice->arrival, date);
        buffer_printf(&text, "of %s ", date);
    }
    buffer_put_text(&text, count == 1 ? news[action].one : news[action].many);
    put_paragraph(out, "", &text);
    buffer_put_text(out, "\r\n");
    for (size_t i = 0; i < notice->recipient_count; i++)
        if (notice->recipients[i].action == action)
            put_recipient(out, &notice->recipients[i]);
}

static void put_closing(struct buffer *out, const struct dsn_notice *notice)
{
    struct buffer text;

    buffer_init(&text, 4096);
    buffer_put_text(&text, "This server knows the message as ");
    text_put_safe(&text, slice_first(notice->original_id, WORD_OCTETS), false);
    buffer_put_text(&text, ". Name this id if you ask <");
    text_put_safe(&text, slice_first(notice->postmaster, WORD_OCTETS), true);
    buffer_put_text(&text, "> about it.");
    put_paragraph(out, "", &text);
}

void dsn_put_text(struct buffer *out, const struct dsn_notice *notice)
{
    struct buffer text;

    buffer_init(&text, 4096);
    buffer_put_text(&text, "This is the mail server ");
    text_put_safe(&text, slice_first(notice->host, WORD_OCTETS), true);
    buffer_put_text(&text, ".");
    put_paragraph(out, "", &text);
    buffer_put_text(out, "\r\n");
    for (enum dsn_action action = DSN_FAILED; action < DSN_ACTIONS; action++)
        put_news(out, notice, action);
    put_closing(out, notice);
}
