/* tests/unit/gate/client.c: clients of the house, on the same loop. */
#include "house.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { WAIT_MS = 20000 };

static void on_input(void *owner)
{
    struct client *c = owner;
    struct slice input = stream_input(c->stream);

    buffer_put_slice(&c->heard, input);
    stream_consume(c->stream, input.len);
}

static void on_secured(void *owner)
{
    ((struct client *)owner)->is_secured = true;
}

static void on_closed(void *owner, enum stream_end end)
{
    struct client *c = owner;

    c->is_closed = true;
    c->end = end;
}

static const struct stream_events client_events = {
    .on_input = on_input, .on_secured = on_secured, .on_closed = on_closed
};

static const struct stream_settings client_settings = { .input_cap = 1 << 20,
    .output_cap = 64 << 20,
    .high_water = 32 << 20,
    .low_water = 1 << 10,
    .write_timeout_ms = 60000 };

void client_open(
    struct client *c, struct house *h, enum house_listener listener, const char *address)
{
    const struct conf *conf = h->gate.snapshot->conf;
    struct peer peer;
    int fd;

    *c = (struct client){ .house = h };
    buffer_init(&c->heard, 4 << 20);
    REQUIRE(peer_parse(slice_text(address), 40000, &peer));
    REQUIRE(limits_enter(&h->gate.limits, &conf->limits, &peer) == ADMISSION_GRANTED);
    c->stream = stream_new(h->loop, house_pair(&fd), &client_settings, &client_events, c);
    REQUIRE(c->stream);
    session_open(&h->gate, &conf->listeners[listener], fd, &peer);
}

void client_close(struct client *c)
{
    stream_free(&c->stream);
    buffer_clear(&c->heard);
    house_turn(c->house, 10);
}

void client_send(struct client *c, const void *data, size_t len)
{
    stream_write(c->stream, slice_of(data, len));
}

void client_say(struct client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* The length of the whole reply at the front, 0 when there is none yet. */
static size_t reply_length(struct slice heard)
{
    size_t at = 0;

    for (;;) {
        struct slice line = slice_from(heard, at);
        size_t end = slice_find(line, '\n');

        if (end == line.len)
            return 0;
        at += end + 1;
        if (end < 4 || line.data[3] != '-')
            return at;
    }
}

const char *client_expect(struct client *c, const char *start)
{
    static char reply[65536];
    int64_t end = clock_mono_ms() + WAIT_MS;
    size_t len;

    while ((len = reply_length(buffer_slice(&c->heard))) == 0) {
        if (c->is_closed || clock_mono_ms() > end) {
            fprintf(stderr, "no reply, expected \"%s\"%s\n", start, c->is_closed ? " (end)" : "");
            abort();
        }
        loop_turn(c->house->loop, 20);
    }
    REQUIRE(len < sizeof reply);
    memcpy(reply, buffer_slice(&c->heard).data, len);
    reply[len] = '\0';
    buffer_consume(&c->heard, len);
    if (strncmp(reply, start, strlen(start)) != 0) {
        fprintf(stderr, "expected \"%s\", got \"%s\"\n", start, reply);
        abort();
    }
    return reply;
}

const char *client_ask(struct client *c, const char *line, const char *start)
{
    client_say(c, line);
    client_say(c, "\r\n");
    return client_expect(c, start);
}

void client_expect_end(struct client *c)
{
    int64_t end = clock_mono_ms() + WAIT_MS;

    while (!c->is_closed && clock_mono_ms() < end)
        loop_turn(c->house->loop, 20);
    REQUIRE(c->is_closed);
    if (c->heard.len > 0)
        fprintf(stderr, "left over: %.*s\n", SLICE_ARGS(buffer_slice(&c->heard)));
    REQUIRE(c->heard.len == 0);
}

void client_begin(struct client *c, struct house *h)
{
    client_open(c, h, LISTENER_CLEAR, "192.0.2.9");
    client_expect(c, "220 msa.example.net ESMTP\r\n");
    client_ask(c, "EHLO c.example", "250-msa.example.net");
    client_ask(c, "MAIL FROM:<alice@example.net>", "250 2.1.0");
    client_ask(c, "RCPT TO:<bob@local.example>", "250 2.1.5");
}
