/* bench/load_send.c: the commands of the dialogue. A sender ahead of a receiver: what may be
 * pipelined goes in one flight. */
#include "bench/load_send.h"

#include <inttypes.h>

#include "base/base64.h"

enum { PIECE = 65536 }; /* of content at once */

static void send_line(struct client *client, const char *line)
{
    buffer_put_text(wire_output(client->wire), line);
    client->in_flight++;
}

static void send_hello(struct client *client)
{
    send_line(client, "EHLO bench.invalid\r\n");
}

static void send_starttls(struct client *client)
{
    send_line(client, "STARTTLS\r\n");
}

static void send_quit(struct client *client)
{
    send_line(client, "QUIT\r\n");
}

static void send_auth(struct client *client)
{
    const struct load_options *options = client->lane->plan->options;
    struct buffer *out = wire_output(client->wire);
    struct buffer plain;

    buffer_init(&plain, 4096);
    buffer_put_char(&plain, '\0');
    pattern_put(options->user, client->user, client->message.number, &plain);
    buffer_put_char(&plain, '\0');
    buffer_put_text(&plain, options->password);
    buffer_put_text(out, "AUTH PLAIN ");
    base64_encode(out, buffer_slice(&plain));
    buffer_put_text(out, "\r\n");
    buffer_clear(&plain);
    client->in_flight++;
}

static void put_from(const struct client *client, struct buffer *out)
{
    const struct load_options *options = client->lane->plan->options;
    const char *pattern = options->from ? options->from : options->user;

    pattern_put(pattern ? pattern : "bench@example.org", client->user, client->message.number, out);
}

static void put_to(const struct client *client, uint64_t recipient, struct buffer *out)
{
    const struct load_options *options = client->lane->plan->options;

    if (recipient > 0)
        buffer_printf(out, "%" PRIu64 "-", recipient);
    pattern_put(options->to, client->user, client->message.number, out);
}

static void put_rcpt(struct client *client, uint64_t recipient)
{
    struct buffer *out = wire_output(client->wire);

    buffer_put_text(out, "RCPT TO:<");
    put_to(client, recipient, out);
    buffer_put_text(out, ">\r\n");
    client->in_flight++;
}

static void send_rcpt(struct client *client)
{
    put_rcpt(client, client->lane->plan->options->recipients - client->recipients_left);
}

static void send_data(struct client *client)
{
    send_line(client, "DATA\r\n");
}

void client_feed(struct client *client)
{
    struct buffer *out = wire_output(client->wire);

    while (client->content.len > 0 && !wire_is_full(client->wire)) {
        struct slice piece = slice_first(client->content, PIECE);

        buffer_put_slice(out, piece);
        client->content = slice_from(client->content, piece.len);
    }
    client->heard_us = mono_us();
    if (client->content.len > 0)
        return;
    if (!client->lane->plan->options->bdat)
        buffer_put_text(out, ".\r\n");
    client->message.ended_us = client->heard_us;
}

static void put_content(struct client *client, bool is_bdat)
{
    struct buffer *out = wire_output(client->wire);
    struct buffer head;
    char address_room[2][512];
    struct buffer from = { .data = address_room[0], .size = 512, .cap = 512 };
    struct buffer to = { .data = address_room[1], .size = 512, .cap = 512 };

    buffer_init(&head, 8192);
    put_from(client, &from);
    put_to(client, 0, &to);
    content_put(&client->lane->plan->content, client->message.number, buffer_slice(&from),
        buffer_slice(&to), &head, &client->content);
    if (is_bdat)
        buffer_printf(out, "BDAT %zu LAST\r\n", head.len + client->content.len);
    buffer_put_slice(out, buffer_slice(&head));
    buffer_clear(&head);
    client->in_flight++;
    client_feed(client);
}

static void send_noop(struct client *client)
{
    send_line(client, "NOOP\r\n");
}

static void send_content(struct client *client)
{
    put_content(client, false);
}

static void send_bdat(struct client *client)
{
    put_content(client, true);
}

static void send_envelope(struct client *client)
{
    const struct load_options *options = client->lane->plan->options;
    struct buffer *out = wire_output(client->wire);

    buffer_put_text(out, "MAIL FROM:<");
    put_from(client, out);
    buffer_put_text(out, ">\r\n");
    client->in_flight++;
    if (options->no_pipelining)
        return;
    for (uint64_t i = 0; i < options->recipients; i++)
        put_rcpt(client, i);
    if (options->bdat)
        send_bdat(client);
    else
        send_data(client);
}

static void (*const senders[STEP_READY])(struct client *client) = {
    [STEP_HELLO] = send_hello,
    [STEP_STARTTLS] = send_starttls,
    [STEP_AUTH] = send_auth,
    [STEP_MAIL] = send_envelope,
    [STEP_RCPT] = send_rcpt,
    [STEP_DATA] = send_data,
    [STEP_CONTENT] = send_content,
    [STEP_BDAT] = send_bdat,
    [STEP_NOOP] = send_noop,
    [STEP_QUIT] = send_quit,
};

void client_send(struct client *client, enum step step)
{
    senders[step](client);
    client->heard_us = mono_us();
}
