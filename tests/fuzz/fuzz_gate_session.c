/* tests/fuzz/fuzz_gate_session.c: whole dialogues with random cuts against a gate whose neighbours
 * answer at once. The first octet chooses client and ends, the next eight seed the cuts. What comes
 * back must be replies, and when the client is gone nothing of it may be left. */
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "house.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct house house;
static uint64_t random_state;

static size_t random_below(size_t most)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % most;
}

static void open_house(void)
{
    log_open("fuzz", LOG_ERROR);
    house.forgets = true;
    house.segment_size = 1 << 20;
    house_open(&house, "spool { large_message = 4096 }\n");
    house.gate.snapshot->conf->limits.recipients = 5;
    house.gate.snapshot->conf->limits.message_size = 20000;
}

/* Nobody waits here for the sake of politeness. */
static void hurry(void)
{
    struct session *s, *next;

    HASH_ITER(hh, house.gate.sessions, s, next)
    if (s->wait == WAIT_DELAY)
        timer_set(&s->timer, 0);
}

static void turn(void)
{
    hurry();
    loop_turn(house.loop, 0);
}

/* CMD-24, EXT-ESC-1: lines of three digits, a blank or a dash, printable text, at most 512 octets.
 */
static void check_replies(struct slice heard)
{
    while (heard.len > 0) {
        size_t len = slice_find(heard, '\n');

        if (len == heard.len)
            return; /* cut by the end */
        REQUIRE(len >= 4 && len < 512 && heard.data[len - 1] == '\r');
        REQUIRE(heard.data[0] >= '2' && heard.data[0] <= '5');
        REQUIRE(ascii_is_digit(heard.data[1]) && ascii_is_digit(heard.data[2]));
        REQUIRE(heard.data[3] == ' ' || heard.data[3] == '-');
        for (size_t i = 0; i + 1 < len; i++)
            REQUIRE(heard.data[i] >= 32 && heard.data[i] < 127);
        heard = slice_from(heard, len + 1);
    }
}

static void talk(struct client *c, struct slice text, bool waits)
{
    while (text.len > 0 && !c->is_closed) {
        size_t len = 1 + random_below(text.len < 200 ? text.len : 200);

        client_send(c, text.data, len);
        text = slice_from(text, len);
        for (int i = 0; i < 3; i++)
            turn();
        if (waits && house.gate.commit.busy > 0)
            loop_turn(house.loop, 1);
    }
}

static void leave(struct client *c, bool abruptly)
{
    for (int i = 0; i < 2000 && !abruptly && !c->is_closed; i++) {
        struct session *s = house.gate.sessions;

        hurry();
        loop_turn(house.loop, s && s->wait != WAIT_NOTHING ? 1 : 0);
        if (!s || (s->wait == WAIT_NOTHING && i > 3))
            break;
    }
    check_replies(buffer_slice(&c->heard));
    stream_free(&c->stream);
    buffer_clear(&c->heard);
    for (int i = 0; i < 2000 && (house.gate.sessions || house.gate.commit.busy > 0); i++) {
        hurry();
        loop_turn(house.loop, 1);
    }
    REQUIRE(!house.gate.sessions && house.gate.commit.busy == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client client;
    struct slice text;

    if (!house.loop)
        open_house();
    if (size < 9)
        return 0;
    memcpy(&random_state, data + 1, sizeof random_state);
    random_state |= 1;
    text = slice_of(data + 9, size - 9);
    client_open(&client, &house, data[0] & 1 ? LISTENER_STARTTLS : LISTENER_CLEAR,
        data[0] & 2 ? "198.51.100.1" : "192.0.2.9");
    talk(&client, text, data[0] & 8);
    leave(&client, data[0] & 4);
    return 0;
}
