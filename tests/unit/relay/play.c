/* tests/unit/relay/play.c: next hops that follow a script. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/stream_internal.h"
#include "scene.h"

enum { WAIT_MS = 8000, HEARD_MAX = 16 << 20 };

/* One connection. */
struct actor {
    struct play *play;
    struct stream *stream;
    const char *at;  /* the next line of the script */
    const char *end; /* of this connection's part */
    struct buffer heard;
    struct buffer wanted; /* what the present line waits for */
    size_t matched;       /* octets of it that were heard */
    struct buffer out;    /* what is to be said before the script goes on */
    struct timer pause;
    bool is_paused;
    bool is_shaking;
    bool has_quit;
    bool is_deaf;
    bool is_over; /* the other side is gone, or this one went */
};

static void go_on(struct actor *a);

/* ---- ends ---- */

static void end(struct actor *a, bool resets)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    if (a->is_over)
        return;
    if (resets)
        setsockopt(a->stream->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    stream_free(&a->stream);
    timer_stop(&a->pause);
    a->is_over = true;
    a->play->ended++;
}

static void bad(struct actor *a, const char *what, struct slice wanted)
{
    struct slice heard = buffer_slice(&a->heard);

    scene_fail("%s\nwanted: %.*s\nheard: %.*s", what, (int)(wanted.len < 300 ? wanted.len : 300),
        wanted.data, (int)(heard.len < 300 ? heard.len : 300), heard.data);
}

/* ---- the script ---- */

static struct slice next_line(const struct actor *a)
{
    struct slice rest = slice_of(a->at, (size_t)(a->end - a->at));

    return slice_first(rest, slice_find(rest, '\n'));
}

static void step(struct actor *a)
{
    a->at += next_line(a).len;
    if (a->at < a->end)
        a->at++;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;
}

static void put_escaped(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c != '\\') {
            buffer_put_char(out, c);
            continue;
        }
        c = text.data[++i];
        if (c == 'x') {
            buffer_put_char(out, (char)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2])));
            i += 2;
        } else {
            buffer_put_char(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c);
        }
    }
}

static void put_words(struct buffer *out, struct slice line)
{
    if (line.data[0] == '}') {
        put_escaped(out, slice_from(line, 2));
        return;
    }
    buffer_put_slice(out, slice_from(line, 2));
    buffer_put_text(out, "\r\n");
}

static bool is_speech(struct slice line)
{
    return line.len > 0 && (line.data[0] == '>' || line.data[0] == '}');
}

static void put_stuffed(struct buffer *out, struct slice content)
{
    bool at_start = true;

    for (size_t i = 0; i < content.len; i++) {
        if (at_start && content.data[i] == '.')
            buffer_put_char(out, '.');
        buffer_put_char(out, content.data[i]);
        at_start = content.data[i] == '\n';
    }
    buffer_put_text(out, ".\r\n");
}

/* The octets that a line waits for. */
static void put_wanted(struct actor *a, struct slice line)
{
    struct buffer content;

    buffer_init(&content, HEARD_MAX);
    if (line.data[0] == '<') {
        buffer_put_slice(&a->wanted, slice_from(line, 2));
        buffer_put_text(&a->wanted, "\r\n");
    } else {
        mail_content(a->play->mail, &content);
        if (line.data[0] == '*')
            buffer_put_slice(&a->wanted, buffer_slice(&content));
        else
            put_stuffed(&a->wanted, buffer_slice(&content));
    }
    REQUIRE(a->wanted.error == ERR_OK);
    buffer_clear(&content);
}

/* True when all of it was heard, and it is taken. */
static bool hears(struct actor *a, struct slice line)
{
    size_t len;

    if (a->wanted.len == 0)
        put_wanted(a, line);
    len = a->wanted.len < a->heard.len ? a->wanted.len : a->heard.len;
    if (len > a->matched && memcmp(buffer_slice(&a->wanted).data + a->matched,
                                buffer_slice(&a->heard).data + a->matched, len - a->matched) != 0)
        bad(a, "other octets than expected", buffer_slice(&a->wanted));
    a->matched = len;
    if (len < a->wanted.len)
        return false;
    buffer_consume(&a->heard, len);
    buffer_reset(&a->wanted);
    a->matched = 0;
    return true;
}

static bool hears_octets(struct actor *a, struct slice line)
{
    size_t len = strtoul(line.data + 1, NULL, 10);

    if (a->heard.len < len)
        return false;
    buffer_consume(&a->heard, len);
    return true;
}

/* ---- speaking ---- */

static void say(struct actor *a, size_t len)
{
    struct play *play = a->play;
    size_t left = play->cut - play->said;
    struct slice words = buffer_slice(&a->out);

    if (len > left)
        len = left;
    stream_write(a->stream, slice_first(words, len));
    stream_push(a->stream);
    play->said += len;
    buffer_consume(&a->out, len);
    if (play->said == play->cut)
        end(a, play->cut % 2 == 1);
}

static void wait_ms(struct actor *a, int64_t ms)
{
    a->is_paused = true;
    timer_set(&a->pause, ms);
}

static void on_pause(void *owner)
{
    struct actor *a = owner;

    a->is_paused = false;
    go_on(a);
}

/* False when it has to wait. */
static bool speak(struct actor *a)
{
    bool trickles = a->play->mode == PLAY_TRICKLE;

    if (a->out.len == 0)
        return true;
    say(a, trickles ? 1 : a->out.len);
    if (a->is_over)
        return false;
    if (trickles)
        wait_ms(a, 0);
    return !trickles;
}

static bool start_tls(struct actor *a)
{
    struct tls_server *server = a->play->scene->tls->server;

    if (stream_input_pending(a->stream) > 0 || a->heard.len > 0)
        bad(a, "clear text before TLS", slice_text(""));
    a->is_shaking = true;
    REQUIRE(stream_start_tls_server(a->stream, server) == ERR_OK);
    return false;
}

static bool stops_reading(struct actor *a)
{
    stream_pause(a->stream);
    return true;
}

/* One line of the script. True when the next may follow at once. */
static bool perform(struct actor *a, struct slice line)
{
    switch (line.len > 0 ? line.data[0] : '\0') {
    case '<':
    case '*':
    case '.':
        return hears(a, line) && (step(a), true);
    case '%':
        return hears_octets(a, line) && (step(a), true);
    case '@':
        step(a);
        return start_tls(a);
    case '~':
        step(a);
        wait_ms(a, strtol(line.data + 1, NULL, 10));
        return false;
    case '&':
        step(a);
        a->is_deaf = true;
        return true;
    case '^':
        step(a);
        stream_resume(a->stream);
        return true;
    case '$':
        step(a);
        return stops_reading(a);
    case '!':
        step(a);
        end(a, line.len > 1);
        return false;
    default:
        scene_fail("a line that is none: %.*s", SLICE_ARGS(line));
    }
}

/* Behind the script: goodbye, or silence. */
static void say_goodbye(struct actor *a)
{
    static const struct slice quit = SLICE_LITERAL("QUIT\r\n");
    struct slice heard = buffer_slice(&a->heard);

    if (heard.len == 0 || a->has_quit || a->is_deaf)
        return;
    if (!slice_equals(slice_first(quit, heard.len), heard))
        bad(a, "more than the script has", quit);
    if (heard.len < quit.len)
        return;
    buffer_reset(&a->heard);
    a->has_quit = true;
    stream_write(a->stream, slice_text("221 bye\r\n"));
}

static void go_on(struct actor *a)
{
    while (!a->is_over && !a->is_paused && !a->is_shaking) {
        if (!speak(a))
            return;
        if (a->at >= a->end) {
            say_goodbye(a);
            return;
        }
        if (is_speech(next_line(a))) {
            for (; is_speech(next_line(a)); step(a))
                put_words(&a->out, next_line(a));
            continue;
        }
        if (!perform(a, next_line(a)))
            return;
    }
}

/* ---- the connection ---- */

static void on_input(void *owner)
{
    struct actor *a = owner;
    struct slice input = stream_input(a->stream);

    if (a->play->mode != PLAY_BURST)
        buffer_put_slice(&a->heard, input);
    stream_consume(a->stream, input.len);
    if (a->play->mode != PLAY_BURST)
        go_on(a);
}

static void on_secured(void *owner)
{
    struct actor *a = owner;

    a->is_shaking = false;
    go_on(a);
}

static void on_closed(void *owner, enum stream_end how)
{
    struct actor *a = owner;
    const struct play *play = a->play;

    (void)how;
    if (a->at < a->end && a->at[0] != '&' && !play->may_be_left && play->mode != PLAY_BURST &&
        play->cut == SIZE_MAX)
        bad(a, "gone before the script is over", next_line(a));
    end(a, false);
}

static const struct stream_events actor_events = {
    .on_input = on_input, .on_secured = on_secured, .on_closed = on_closed
};

static const char *part(const struct play *play, size_t index, const char **out_end)
{
    const char *start = play->script;
    const char *stop;

    for (; index > 0 && start; index--) {
        start = strstr(start, "--\n");
        start = start ? start + 3 : NULL;
    }
    if (!start || play->script[0] == '\0')
        return NULL;
    stop = strstr(start, "--\n");
    *out_end = stop ? stop : start + strlen(start);
    return start;
}

static void check_host(struct actor *a, int host)
{
    struct slice line = next_line(a);

    if (!slice_starts_nocase(line, "on "))
        return;
    if (line.data[3] - '1' != host)
        bad(a, "came to the wrong host", line);
    step(a);
}

static void burst(struct actor *a)
{
    for (; a->at < a->end; step(a))
        if (is_speech(next_line(a)))
            put_words(&a->out, next_line(a));
    stream_write(a->stream, buffer_slice(&a->out));
    stream_close_after_flush(a->stream, 500);
}

void play_accept(struct play *play, int host, int fd)
{
    static const struct stream_settings settings = { .input_cap = 65536,
        .output_cap = 1 << 20,
        .high_water = 1 << 19,
        .low_water = 1 << 18,
        .write_timeout_ms = 60000 };
    const char *stop = NULL;
    const char *start = part(play, play->actor_count, &stop);
    struct actor *a;

    /* Hops that have gone away stay away. */
    if (play->said >= play->cut || (!start && (play->may_break || play->mode == PLAY_BURST))) {
        close(fd);
        return;
    }
    if (!start)
        scene_fail("a connection that the script does not have, to host %d", host + 1);
    REQUIRE(play->actor_count < ACTORS_MAX);
    a = calloc(1, sizeof *a);
    REQUIRE(a);
    *a = (struct actor){ .play = play, .at = start, .end = stop };
    buffer_init(&a->heard, HEARD_MAX);
    buffer_init(&a->wanted, HEARD_MAX);
    buffer_init(&a->out, HEARD_MAX);
    timer_init(&a->pause, play->scene->loop, on_pause, a);
    a->stream = stream_new(play->scene->loop, fd, &settings, &actor_events, a);
    REQUIRE(a->stream);
    play->actors[play->actor_count++] = a;
    check_host(a, host);
    if (play->mode == PLAY_BURST)
        burst(a);
    else
        go_on(a);
}

void play_open(struct play *play, struct scene *scene, const char *name, const char *script,
    const struct mail *mail, enum play_mode mode, size_t cut)
{
    *play = (struct play){
        .scene = scene, .name = name, .script = script, .mail = mail, .mode = mode, .cut = cut
    };
    scene->play = play;
}

void play_require_over(struct play *play)
{
    int64_t stop = clock_mono_ms() + WAIT_MS;
    const char *rest_end = NULL;

    while (play->ended < play->actor_count && clock_mono_ms() < stop)
        loop_turn(play->scene->loop, 5);
    if (play->ended < play->actor_count)
        scene_fail("a connection stays open");
    if (play->mode != PLAY_BURST && play->cut == SIZE_MAX &&
        part(play, play->actor_count, &rest_end))
        scene_fail("fewer connections than the script has: %zu", play->actor_count);
}

void play_close(struct play *play)
{
    for (size_t i = 0; i < play->actor_count; i++) {
        struct actor *a = play->actors[i];

        end(a, false);
        buffer_clear(&a->heard);
        buffer_clear(&a->wanted);
        buffer_clear(&a->out);
        free(a);
    }
    play->actor_count = 0;
    play->scene->play = NULL;
}
