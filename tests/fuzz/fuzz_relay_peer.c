/* tests/fuzz/fuzz_relay_peer.c: a next hop that says whatever it likes, in random cuts. The first
 * octet chooses the route and the message, the second what the hop offers in a decent beginning,
 * the third seeds the cuts; its high bit asks for all that can be asked for, and has the hop offer
 * that. Every job must get an outcome for each recipient that is fit to be
 * shown, and nothing of it may be left. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/stream_internal.h"
#include "scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WANTS_LARGE = 4,
    WANTS_TWO = 8,
    WANTS_REUSE = 16,
    WANTS_8BIT = 32,
    BY_LINES = 64, /* cuts at line ends, and time for an answer between them */
    IS_RUDE = 128, /* no decent beginning */
    STRANGERS_MAX = 6,
};

struct stranger {
    struct stream *stream;
    struct slice left; /* to be said */
    unsigned polite;   /* steps of the beginning that are done */
    bool has_heard;    /* since it last spoke */
    bool is_over;
};

static struct scene scene;
static struct slice words;
static uint8_t choice, offers;
static bool has_wishes;
static uint64_t random_state;
static struct stranger strangers[STRANGERS_MAX];
static size_t stranger_count;

static size_t random_below(size_t most)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % most;
}

/* ---- the hop ---- */

static void leave(struct stranger *it)
{
    stream_free(&it->stream);
    it->is_over = true;
}

static void on_input(void *owner)
{
    struct stranger *it = owner;

    stream_consume(it->stream, stream_input_pending(it->stream));
    it->has_heard = true;
}

static void on_closed(void *owner, enum stream_end end)
{
    (void)end;
    leave(owner);
}

static const struct stream_events stranger_events = { .on_input = on_input,
    .on_closed = on_closed };

static void take(struct scene *s, int host, int fd)
{
    static const struct stream_settings settings = { .input_cap = 65536,
        .output_cap = 1 << 20,
        .high_water = 1 << 19,
        .low_water = 1 << 18,
        .write_timeout_ms = 60000 };
    struct stranger *it = &strangers[stranger_count];

    (void)host;
    if (stranger_count == STRANGERS_MAX) {
        close(fd);
        return;
    }
    *it = (struct stranger){ .left = words, .polite = choice & IS_RUDE ? 2 : 0 };
    it->stream = stream_new(s->loop, fd, &settings, &stranger_events, it);
    REQUIRE(it->stream);
    stranger_count++;
}

static void begin_politely(struct stranger *it)
{
    static const char *const keywords[] = { "PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8",
        "SIZE 100000", "STARTTLS", "LIMITS RCPTMAX=1", "AUTH PLAIN" };

    static const char wished[] =
        "250-DSN\r\n250-DELIVERBY 60\r\n250-MT-PRIORITY MIXER\r\n250-MTRK\r\n"
        "250-RRVS\r\n250-CONPERM\r\n250-NO-SOLICITING\r\n250-REQUIRETLS\r\n";

    if (it->polite++ == 0) {
        stream_write(it->stream, slice_text("220 hop\r\n"));
        return;
    }
    for (size_t i = 0; i < LENGTH_OF(keywords); i++)
        if (offers & 1u << i)
            buffer_printf(stream_output(it->stream), "250-%s\r\n", keywords[i]);
    if (has_wishes)
        buffer_put_text(stream_output(it->stream), wished);
    stream_write(it->stream, slice_text("250 HELP\r\n"));
}

static void speak(struct stranger *it)
{
    size_t len = 1 + random_below(64);

    if (it->polite < 2 && it->polite > 0 && !it->has_heard)
        return;
    it->has_heard = false;
    if (it->polite < 2) {
        begin_politely(it);
        return;
    }
    if (it->left.len == 0) {
        leave(it);
        return;
    }
    if (choice & BY_LINES)
        len = slice_find(it->left, '\n') + 1;
    stream_write(it->stream, slice_first(it->left, len));
    stream_push(it->stream);
    it->left = slice_from(it->left, len);
}

static void turn(void)
{
    for (size_t i = 0; i < stranger_count; i++)
        if (!strangers[i].is_over)
            speak(&strangers[i]);
    for (int i = 0; i < (choice & BY_LINES ? 4 : 2); i++)
        loop_turn(scene.loop, 0);
    if (hands_busy(scene_carrier(&scene)->hands) > 0)
        loop_turn(scene.loop, 1);
}

/* ---- what must hold ---- */

static void check_told(const struct told *told, size_t count)
{
    REQUIRE(told->count == count);
    for (const char *c = told->text; *c; c++)
        REQUIRE(*c == '\n' || (*c >= 32 && *c < 127));
    for (size_t i = 0; i < count; i++)
        REQUIRE(told->results[i] <= DELIVERY_FAILED);
}

static void send_and_wait(const struct mail *mail)
{
    uint64_t job = scene_send(&scene, mail);
    const struct told *told = NULL;

    for (int i = 0; i < 20000 && !told; i++) {
        turn();
        told = scene_outcome(&scene, job, -1);
    }
    REQUIRE(told);
    check_told(told, choice & WANTS_TWO ? 2 : 1);
}

static void end_all(void)
{
    struct carrier *carrier = scene_carrier(&scene);

    pool_close(carrier->pool);
    for (int i = 0; i < 20000 && (carrier->connections || carrier->jobs); i++)
        turn();
    for (size_t i = 0; i < stranger_count; i++)
        if (!strangers[i].is_over)
            leave(&strangers[i]);
    for (int i = 0; i < 2000 && hands_busy(carrier->hands) > 0; i++)
        loop_turn(scene.loop, 1);
    loop_turn(scene.loop, 0);
    REQUIRE(!carrier->connections && !carrier->deliveries && !carrier->jobs);
    stranger_count = 0;
}

static struct mail mail_chosen(void)
{
    static const enum scene_route routes[] = { ROUTE_PLAIN, ROUTE_MAY, ROUTE_LMTP, ROUTE_DATA };
    struct mail mail = { .route = routes[choice & 3], .has_wishes = has_wishes };

    if (choice & WANTS_LARGE)
        mail.large = 300000 / 80 * 80;
    if (choice & WANTS_TWO) {
        mail.to[0] = "bob@example.org";
        mail.to[1] = "eve@example.org";
    }
    if (choice & WANTS_8BIT) {
        mail.eight_bit = true;
        mail.body = "\xc3\xa4\r\n";
    }
    return mail;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_open;
    struct mail mail;

    if (!is_open)
        scene_open(&scene, "", NULL, NULL);
    is_open = true;
    scene.take = take;
    if (size < 3)
        return 0;
    choice = data[0];
    offers = data[1];
    random_state = data[2] + 1;
    has_wishes = data[2] & 128;
    words = slice_of(data + 3, size - 3 < 20000 ? size - 3 : 20000);
    mail = mail_chosen();
    scene_forget(&scene);
    scene_conf(&scene)->timeouts.idle = choice & WANTS_REUSE ? 30 : 0;
    send_and_wait(&mail);
    if (choice & WANTS_REUSE)
        send_and_wait(&mail);
    end_all();
    return 0;
}
