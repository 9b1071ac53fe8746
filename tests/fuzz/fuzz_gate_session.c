/* tests/fuzz/fuzz_gate_session.c: whole dialogues over socket pairs, in random cuts, against a gate
 * between a queue, a vault and a relay, with every extension and mechanism that can be switched on.
 * The first octet chooses the listener, the client and what goes wrong, the next eight seed the
 * cuts (the last one's high bit: logins with a scope) and the rest is what is said. Answers may
 * come late and in any order, neighbours may go and come back, the disk may fail, and clients leave
 * anywhere, also within a handshake. What comes back must be replies, and when the clients are gone
 * nothing of them may be left. */
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"
#include "house_tls.h"

enum {
    IS_STARTTLS = 1,
    IS_STRANGER = 2,
    LEAVES_ABRUPTLY = 4,
    WAITS = 8,
    IS_SLOW = 16, /* answers wait until the dice release them */
    HAS_TLS = 32, /* a real handshake first; then AUTH is offered */
    IS_DISTURBED = 64,
    ARE_TWO = 128,
};

struct talker {
    struct client client;
    struct slice left;
    bool has_left;
};

static struct house house;
static struct house_tls *tls;
static struct dice dice;
static unsigned choice;

static const char settings[] =
    "spool { large_message = 4096 }\n"
    "postmaster_unauth = true\n"
    "allow_address_literals = true\n"
    "auth { scram_sha_1 = true oauth_jwks = \"/etc/submitd/keys.json\"\n"
    "  oauth_issuer = \"https://id.example.net/\" oauth_audience = \"submission\" }\n"
    "extensions { checkpoint = true binarymime = true deliverby = true deliverby_least = 60 "
    "futurerelease = true\n"
    "  requiretls = true mt_priority_least = \"normal\" mt_priority_urgent_size = 1000\n"
    "  mt_priority = true mt_priority_users = { \"alice@example.net\" } rrvs = true mtrk = true\n"
    "  no_soliciting = { \"net.example:ADV\", \"net.example:SPAM\" } conperm = true conneg = true "
    "burl = true }\n";

/* The operator's table of mistakes, with one column. */
static void open_blunders(void)
{
    int fd, read_fd;

    REQUIRE(mistakes_create(1, &fd, &read_fd) == ERR_OK);
    REQUIRE(blunders_open(&house.gate.blunders, fd, 0) == ERR_OK);
    close(fd);
    close(read_fd);
}

static void open_house(void)
{
    log_open("fuzz", LOG_ERROR - 1);
    if (!tls)
        tls = house_tls_new();
    house =
        (struct house){ .tls = tls, .forgets = true, .serves_urls = true, .segment_size = 1 << 20 };
    house_open(&house, settings);
    open_blunders();
    house.gate.snapshot->conf->limits.recipients = 5;
    house.gate.snapshot->conf->limits.message_size = 20000;
}

/* Nobody waits here for the sake of politeness; at the end, for nothing at all. */
static void hurry(bool is_over)
{
    struct session *s, *next;

    HASH_ITER (hh, house.gate.sessions, s, next)
        if (s->wait == WAIT_DELAY ||
            (is_over && s->wait != WAIT_COMMIT && s->phase != PHASE_CLOSING))
            timer_set(&s->timer, 0);
}

static void toggle(
    const struct channel *neighbour, void (*attach)(struct house *), void (*detach)(struct house *))
{
    if (neighbour)
        detach(&house);
    else
        attach(&house);
}

static void disturb(void)
{
    if (house.owed_count > 0 && dice_roll(&dice, 3) == 0)
        house_answer(&house, dice_roll(&dice, house.owed_count));
    if (!(choice & IS_DISTURBED) || dice_roll(&dice, 24) > 0)
        return;
    switch (dice_roll(&dice, 6)) {
    case 0:
        toggle(house.vault, house_attach_vault, house_detach_vault);
        break;
    case 1:
        toggle(house.queue, house_attach_queue, house_detach_queue);
        break;
    case 2:
        toggle(house.relay, house_attach_relay, house_detach_relay);
        break;
    case 3:
        toggle(house.fetch, house_attach_fetch, house_detach_fetch);
        break;
    case 4:
        house.disk.sync_fails = 1;
        break;
    default:
        house.disk.write_fails = 1;
        break;
    }
}

static void turn(void)
{
    disturb();
    hurry(false);
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

static void enter(struct talker *it, struct slice text)
{
    enum house_listener listener = choice & HAS_TLS       ? LISTENER_IMPLICIT
                                   : choice & IS_STARTTLS ? LISTENER_STARTTLS
                                                          : LISTENER_CLEAR;

    *it = (struct talker){ .left = text };
    client_open(&it->client, &house, listener, choice & IS_STRANGER ? "198.51.100.1" : "192.0.2.9");
    if (choice & HAS_TLS)
        client_start_tls(&it->client, tls);
}

static bool may_speak(const struct talker *it)
{
    return !(choice & HAS_TLS) || it->client.is_secured;
}

/* The next cut. False when there is nothing more to say. */
static bool speak(struct talker *it)
{
    size_t len = 1 + dice_roll(&dice, it->left.len < 200 ? it->left.len + 1 : 200);

    if (it->left.len == 0 || it->client.is_closed)
        return false;
    if (!may_speak(it))
        return dice_roll(&dice, 200) > 0;
    client_send(&it->client, it->left.data, slice_first(it->left, len).len);
    it->left = slice_from(it->left, len);
    return true;
}

static void talk(struct talker *talkers, size_t count)
{
    size_t speaking = count;

    while (speaking > 0) {
        speaking = 0;
        for (size_t i = 0; i < count; i++)
            speaking += speak(&talkers[i]);
        for (int i = 0; i < 3; i++)
            turn();
        if ((choice & WAITS) && house.gate.commit.busy > 0)
            loop_turn(house.loop, 1);
    }
}

/* Until the gate has said all it has to say. */
static void hear_out(void)
{
    for (int quiet = 0, i = 0; quiet < 4 && i < 2000; i++) {
        struct session *s, *next;
        bool waits = house.gate.commit.busy > 0;

        if (house.owed_count > 0)
            house_answer(&house, dice_roll(&dice, house.owed_count));
        HASH_ITER (hh, house.gate.sessions, s, next)
            waits |= s->wait != WAIT_NOTHING && s->wait != WAIT_HANDSHAKE;
        hurry(false);
        loop_turn(house.loop, waits ? 1 : 0);
        quiet = waits && i < 400 ? 0 : quiet + 1;
    }
}

static void leave(struct talker *it)
{
    check_replies(buffer_slice(&it->client.heard));
    stream_free(&it->client.stream);
    buffer_clear(&it->client.heard);
}

/* Whatever was under way ends with its client, or with its answer. */
static void clean_up(void)
{
    if (!house.vault)
        house_attach_vault(&house);
    if (!house.queue)
        house_attach_queue(&house);
    if (!house.relay)
        house_attach_relay(&house);
    if (!house.fetch)
        house_attach_fetch(&house);
    house.is_slow = false;
    for (int i = 0; i < 4000 && (house.gate.sessions || house.gate.commit.busy > 0); i++) {
        if (house.owed_count > 0)
            house_answer(&house, dice_roll(&dice, house.owed_count));
        hurry(i > 50);
        loop_turn(house.loop, i > 3 ? 1 : 0);
    }
    REQUIRE(!house.gate.sessions && house.gate.commit.busy == 0);
    while (house.owed_count > 0)
        house_answer(&house, 0);
    house.disk.sync_fails = house.disk.write_fails = 0;
    house_turn(&house, 0);
    if (house.segment_count > HOUSE_SEGMENTS / 2 || house.spare_count > HOUSE_SPARES / 2) {
        house_close(&house);
        house.loop = NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct talker talkers[2];
    size_t count = size > 0 && (data[0] & ARE_TWO) ? 2 : 1;
    uint64_t seed;

    if (!house.loop)
        open_house();
    if (size < 9)
        return 0;
    choice = data[0];
    memcpy(&seed, data + 1, sizeof seed);
    dice = (struct dice){ seed | 1 };
    house.is_slow = choice & IS_SLOW;
    house.narrows = data[8] & 128;
    for (size_t i = 0; i < count; i++)
        enter(&talkers[i], slice_first(slice_of(data + 9, size - 9), 60000));
    talk(talkers, count);
    if (!(choice & LEAVES_ABRUPTLY))
        hear_out();
    for (size_t i = 0; i < count; i++)
        leave(&talkers[i]);
    clean_up();
    return 0;
}
