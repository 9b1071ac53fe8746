/* tests/unit/net/test_stream.c: a stream in clear against a raw peer: order of its life,
 * back-pressure, bounds. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ends.h"
#include "net/stream_internal.h"

struct rig {
    struct loop *loop;
    struct end end;
    int peer; /* the other end, raw, non-blocking */
};

static void open_pair(struct rig *rig, int type, const struct stream_settings *settings)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair), 0);
    rig->peer = pair[1];
    end_open(&rig->end, rig->loop, pair[0], settings);
}

/* TCP knows resets; socket pairs do not. */
static void open_tcp(struct rig *rig)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    int fd;

    assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    rig->peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(rig->peer, (struct sockaddr *)&address, len), 0);
    fcntl(rig->peer, F_SETFL, O_NONBLOCK);
    fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd >= 0);
    close(listening);
    end_open(&rig->end, rig->loop, fd, NULL);
}

static void reset_by_peer(struct rig *rig)
{
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(rig->peer);
    rig->peer = -1;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->loop = loop_new();
    rig->peer = -1;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    end_clear(&rig->end);
    if (rig->peer >= 0)
        close(rig->peer);
    loop_free(&rig->loop);
    free(rig);
    return 0;
}

static void say(struct rig *rig, const char *text)
{
    assert_int_equal(send(rig->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What the peer has got, as text. */
static const char *heard(struct rig *rig)
{
    static char text[65536];
    ssize_t got = recv(rig->peer, text, sizeof text - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static bool has_received(struct rig *rig, const char *text)
{
    return slice_is(buffer_slice(&rig->end.received), text);
}

static void input_is_shown_again_until_consumed(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.keep = 2;
    say(rig, "abcd");
    turn_until(rig->loop, &rig->end.inputs, 1);
    assert_true(has_received(rig, "ab"));
    assert_int_equal(stream_input_pending(rig->end.stream), 2);
    rig->end.keep = 0;
    say(rig, "ef");
    turn_until(rig->loop, &rig->end.inputs, 2);
    assert_true(has_received(rig, "abcdef"));
    assert_int_equal(stream_input_pending(rig->end.stream), 0);
}

static void many_replies_are_one_write(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_SEQPACKET, NULL); /* each write arrives as one packet */
    for (int i = 0; i < 10; i++)
        stream_write(rig->end.stream, slice_text("250 2.0.0 ok\r\n"));
    buffer_printf(stream_output(rig->end.stream), "221 %s\r\n", "bye");
    assert_int_equal(recv(rig->peer, (char[1]){ 0 }, 1, MSG_PEEK), -1);
    loop_turn(rig->loop, 0);
    assert_int_equal(strlen(heard(rig)), 10 * 14 + 9);
    assert_int_equal(stream_output_pending(rig->end.stream), 0);
}

/* Paused: the kernel holds the peer's pipeline. */
static void paused_stream_does_not_read(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_pause(rig->end.stream);
    say(rig, "abcd");
    turn_for(rig->loop, 20);
    assert_int_equal(rig->end.inputs, 0);
    assert_int_equal(stream_input_pending(rig->end.stream), 0);
    assert_int_equal(recv(rig->end.stream->fd, (char[8]){ 0 }, 8, MSG_PEEK), 4);
    stream_resume(rig->end.stream);
    assert_int_equal(rig->end.inputs, 0); /* never from inside */
    turn_until(rig->loop, &rig->end.inputs, 1);
    assert_true(has_received(rig, "abcd"));
}

static void resume_shows_what_was_left(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.pauses = true;
    rig->end.keep = 3;
    say(rig, "abcd");
    turn_until(rig->loop, &rig->end.inputs, 1);
    turn_for(rig->loop, 10);
    assert_int_equal(rig->end.inputs, 1);
    rig->end.keep = 0;
    rig->end.pauses = false;
    stream_resume(rig->end.stream);
    stream_resume(rig->end.stream);
    turn_until(rig->loop, &rig->end.inputs, 2);
    assert_true(has_received(rig, "abcd"));
    turn_for(rig->loop, 10);
    assert_int_equal(rig->end.inputs, 2);
}

/* SEC-3: what is not consumed stays in the kernel above the cap. */
static void input_stops_at_its_cap(void **state)
{
    struct rig *rig = *state;
    char block[6000];

    open_pair(rig, SOCK_STREAM, NULL);
    memset(block, 'x', sizeof block);
    rig->end.keep = sizeof block;
    assert_int_equal(send(rig->peer, block, sizeof block, 0), sizeof block);
    turn_for(rig->loop, 20);
    assert_int_equal(stream_input_pending(rig->end.stream), end_settings.input_cap);
    assert_true(rig->end.inputs <= 2);
    rig->end.keep = 0;
    stream_consume(rig->end.stream, 1000);
    turn_for(rig->loop, 20);
    assert_int_equal(rig->end.received.len + 1000, sizeof block);
}

static void drained_is_told_once_after_high_water(void **state)
{
    struct rig *rig = *state;
    static char block[300000];
    size_t got = 0;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_write(rig->end.stream, slice_text("little"));
    turn_for(rig->loop, 5);
    assert_int_equal(rig->end.drained, 0);
    assert_string_equal(heard(rig), "little");
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    stream_push(rig->end.stream);
    assert_true(stream_is_full(rig->end.stream));
    turn_for(rig->loop, 20);
    assert_int_equal(rig->end.drained, 0);
    for (int i = 0; i < 200 && got < sizeof block; i++) {
        ssize_t n = recv(rig->peer, block, sizeof block, 0);

        got += n > 0 ? (size_t)n : 0;
        loop_turn(rig->loop, 1);
    }
    assert_int_equal(got, sizeof block);
    turn_for(rig->loop, 5);
    assert_int_equal(rig->end.drained, 1);
    assert_false(stream_is_full(rig->end.stream));
}

static void drained_is_told_when_asked(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_ask_drained(rig->end.stream);
    assert_int_equal(rig->end.drained, 0);
    turn_until(rig->loop, &rig->end.drained, 1);
    stream_write(rig->end.stream, slice_text("x"));
    stream_ask_drained(rig->end.stream);
    turn_until(rig->loop, &rig->end.drained, 2);
    turn_for(rig->loop, 5);
    assert_int_equal(rig->end.drained, 2);
}

/* SEC-3: a peer that never reads costs a bounded amount of memory and time. */
static void peer_that_never_reads_is_given_up(void **state)
{
    struct rig *rig = *state;
    struct stream_settings settings = end_settings;
    static const char block[32768];
    int64_t start = clock_mono_ms();

    settings.write_timeout_ms = 100;
    open_pair(rig, SOCK_STREAM, &settings);
    while (!stream_is_full(rig->end.stream) && clock_mono_ms() - start < 1000) {
        stream_write(rig->end.stream, slice_of(block, sizeof block));
        loop_turn(rig->loop, 0);
    }
    assert_true(stream_output_pending(rig->end.stream) < settings.high_water + 2 * sizeof block);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_PEER_SLOW);
    assert_true(clock_mono_ms() - start >= 90);
}

/* As long as a little is taken the write time-out does not strike. */
static void slow_reader_is_not_given_up(void **state)
{
    struct rig *rig = *state;
    struct stream_settings settings = end_settings;
    static char block[900000];
    size_t got = 0;

    settings.write_timeout_ms = 100; /* a socket takes more only when three quarters are read */
    open_pair(rig, SOCK_STREAM, &settings);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    for (int i = 0; i < 12; i++) {
        ssize_t n = recv(rig->peer, block, 70000, 0);

        got += n > 0 ? (size_t)n : 0;
        turn_for(rig->loop, 15);
    }
    assert_int_equal(rig->end.closed, 0);
    assert_true(got > 0);
}

static void too_much_output_ends_the_stream(void **state)
{
    struct rig *rig = *state;
    static const char block[700000];

    open_pair(rig, SOCK_STREAM, NULL);
    buffer_put(stream_output(rig->end.stream), block, sizeof block);
    buffer_put(stream_output(rig->end.stream), block, sizeof block);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_OVERFLOW);
}

static void overflow_is_seen_while_blocked(void **state)
{
    struct rig *rig = *state;
    static const char block[700000];

    open_pair(rig, SOCK_STREAM, NULL);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    turn_for(rig->loop, 5);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    loop_turn(rig->loop, 0);
    loop_turn(rig->loop, 0);
    assert_int_equal(rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_OVERFLOW);
}

static void end_of_the_peer_comes_after_its_input(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    say(rig, "QUIT");
    close(rig->peer);
    rig->peer = -1;
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_true(has_received(rig, "QUIT"));
    assert_int_equal(rig->end.end, STREAM_PEER_CLOSED);
    assert_string_equal(rig->end.why, "");
}

static void half_closing_peer_gets_its_replies(void **state)
{
    struct rig *rig = *state;
    static char block[3000];
    size_t got = 0;

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.echoes = true;
    memset(block, 'e', sizeof block);
    assert_int_equal(send(rig->peer, block, sizeof block, 0), sizeof block);
    shutdown(rig->peer, SHUT_WR);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_PEER_CLOSED);
    got = strlen(heard(rig));
    assert_int_equal(got, sizeof block);
}

static void end_waits_while_paused(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.pauses = true;
    rig->end.keep = 1;
    say(rig, "ab");
    shutdown(rig->peer, SHUT_WR);
    turn_until(rig->loop, &rig->end.inputs, 1);
    turn_for(rig->loop, 20);
    assert_int_equal(rig->end.closed, 0);
    stream_write(rig->end.stream, slice_text("done"));
    rig->end.pauses = false;
    rig->end.keep = 0;
    stream_resume(rig->end.stream);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_true(has_received(rig, "ab"));
    assert_string_equal(heard(rig), "done");
}

static void reset_is_a_lost_peer(void **state)
{
    struct rig *rig = *state;

    open_tcp(rig);
    reset_by_peer(rig);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_PEER_LOST);
    assert_string_equal(rig->end.why, "Connection reset by peer");
}

/* A server that says 421 and hangs up while we are still sending: its words matter more than our
 * failed write. */
static void last_words_are_heard_when_writing_fails(void **state)
{
    struct rig *rig = *state;
    struct stream_settings settings = end_settings;
    static const char block[200000];

    settings.wants_last_words = true;
    open_pair(rig, SOCK_STREAM, &settings);
    say(rig, "421 bye");
    close(rig->peer);
    rig->peer = -1;
    stream_write(rig->end.stream,
        slice_of(block, sizeof block)); /* fails at once, before anything is read */
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_true(has_received(rig, "421 bye"));
}

static void write_failure_while_paused_is_told_after_resume(void **state)
{
    struct rig *rig = *state;
    struct stream_settings settings = end_settings;

    settings.wants_last_words = true;
    open_pair(rig, SOCK_STREAM, &settings);
    stream_pause(rig->end.stream);
    say(rig, "421 bye");
    close(rig->peer);
    rig->peer = -1;
    stream_write(rig->end.stream, slice_text("x"));
    turn_for(rig->loop, 20);
    assert_int_equal(rig->end.closed, 0);
    stream_resume(rig->end.stream);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_true(has_received(rig, "421 bye"));
}

/* LSN-9, SEC-3: who has gone keeps no place, however much it had sent before and whatever its
 * session waits for. */
static void write_failure_ends_a_stream_that_wants_no_last_words(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_pause(rig->end.stream);
    say(rig, "MAIL and megabytes more");
    close(rig->peer);
    rig->peer = -1;
    stream_write(rig->end.stream, slice_text("x"));
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_PEER_LOST);
    assert_int_equal(rig->end.inputs, 0);
}

static void close_after_flush_sends_all_and_waits_for_the_peer(void **state)
{
    struct rig *rig = *state;
    static char block[500000];
    size_t got = 0;
    ssize_t n = 1;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    stream_close_after_flush(rig->end.stream, 2000);
    say(rig, "ignored");
    for (int i = 0; i < 500 && n != 0; i++) {
        n = recv(rig->peer, block, sizeof block, 0);
        got += n > 0 ? (size_t)n : 0;
        loop_turn(rig->loop, 1);
    }
    assert_int_equal(n, 0); /* our FIN */
    assert_int_equal(got, sizeof block);
    assert_int_equal(rig->end.closed, 0);
    say(rig, "still here");
    turn_for(rig->loop, 10);
    assert_int_equal(rig->end.closed, 0);
    close(rig->peer);
    rig->peer = -1;
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_FLUSHED);
    assert_int_equal(rig->end.inputs, 0);
}

static void lingering_is_bounded(void **state)
{
    struct rig *rig = *state;
    int64_t start = clock_mono_ms();

    open_pair(rig, SOCK_STREAM, NULL);
    stream_close_after_flush(rig->end.stream, 60);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_FLUSHED);
    assert_true(clock_mono_ms() - start >= 50);
    assert_true(clock_mono_ms() - start < 20000);
}

static void close_of_a_peer_that_never_reads_is_bounded(void **state)
{
    struct rig *rig = *state;
    struct stream_settings settings = end_settings;
    static const char block[900000];

    settings.write_timeout_ms = 50;
    open_pair(rig, SOCK_STREAM, &settings);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    stream_close_after_flush(rig->end.stream, 10000);
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_PEER_SLOW);
}

static void abort_says_nothing(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    stream_write(rig->end.stream, slice_text("never"));
    stream_abort(rig->end.stream);
    stream_close_after_flush(rig->end.stream, 10);
    assert_int_equal(rig->end.closed, 0); /* never from inside */
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.end, STREAM_ABORTED);
    stream_write(rig->end.stream, slice_text("harmless"));
    stream_resume(rig->end.stream);
    turn_for(rig->loop, 5);
    end_clear(&rig->end);
    turn_for(rig->loop, 5);
    assert_string_equal(heard(rig), "");
    assert_int_equal(rig->end.closed, 1);
}

static void no_input_after_close(void **state)
{
    struct rig *rig = *state;

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.closes_on_input = true;
    rig->end.keep = 1;
    say(rig, "ab");
    turn_until(rig->loop, &rig->end.inputs, 1);
    say(rig, "cd");
    turn_until(rig->loop, &rig->end.closed, 1);
    assert_int_equal(rig->end.inputs, 1);
    assert_int_equal(rig->end.drained, 0);
}

static void stream_may_be_freed_in_any_callback(void **state)
{
    struct rig *rig = *state;
    static const char block[200000];

    open_pair(rig, SOCK_STREAM, NULL);
    rig->end.frees_on_input = true;
    say(rig, "ab");
    stream_write(rig->end.stream, slice_text("x"));
    turn_until(rig->loop, &rig->end.inputs, 1);
    assert_null(rig->end.stream);
    turn_for(rig->loop, 5);
    assert_int_equal(rig->end.closed, 0);
    close(rig->peer);
    end_clear(&rig->end);

    rig->end = (struct end){ .frees_on_drained = true };
    open_pair(rig, SOCK_STREAM, NULL);
    stream_ask_drained(rig->end.stream);
    say(rig, "ab");
    turn_until(rig->loop, &rig->end.drained, 1);
    turn_for(rig->loop, 5);
    close(rig->peer);
    end_clear(&rig->end);

    rig->end = (struct end){ .frees_on_closed = true };
    open_pair(rig, SOCK_STREAM, NULL);
    stream_write(rig->end.stream, slice_of(block, sizeof block));
    stream_abort(rig->end.stream);
    turn_until(rig->loop, &rig->end.closed, 1);
    turn_for(rig->loop, 5);
}

static void owner_may_change(void **state)
{
    struct rig *rig = *state;
    struct end other = { 0 };

    open_pair(rig, SOCK_STREAM, NULL);
    buffer_init(&other.received, 100);
    other.stream = rig->end.stream;
    stream_set_owner(rig->end.stream, &end_events, &other);
    say(rig, "ab");
    turn_until(rig->loop, &other.inputs, 1);
    assert_int_equal(rig->end.inputs, 0);
    buffer_clear(&other.received);
}

/* The whole text arrives whatever the sizes are, octet by octet too. */
static void trickled_input_is_the_same(void **state)
{
    struct rig *rig = *state;
    const char *text = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n";

    open_pair(rig, SOCK_STREAM, NULL);
    for (const char *at = text; *at; at++) {
        assert_int_equal(send(rig->peer, at, 1, 0), 1);
        loop_turn(rig->loop, 10);
    }
    turn_for(rig->loop, 5);
    assert_true(has_received(rig, text));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(input_is_shown_again_until_consumed),
        CASE(many_replies_are_one_write),
        CASE(paused_stream_does_not_read),
        CASE(resume_shows_what_was_left),
        CASE(input_stops_at_its_cap),
        CASE(drained_is_told_once_after_high_water),
        CASE(drained_is_told_when_asked),
        CASE(peer_that_never_reads_is_given_up),
        CASE(slow_reader_is_not_given_up),
        CASE(too_much_output_ends_the_stream),
        CASE(overflow_is_seen_while_blocked),
        CASE(end_of_the_peer_comes_after_its_input),
        CASE(half_closing_peer_gets_its_replies),
        CASE(end_waits_while_paused),
        CASE(reset_is_a_lost_peer),
        CASE(last_words_are_heard_when_writing_fails),
        CASE(write_failure_ends_a_stream_that_wants_no_last_words),
        CASE(write_failure_while_paused_is_told_after_resume),
        CASE(close_after_flush_sends_all_and_waits_for_the_peer),
        CASE(lingering_is_bounded),
        CASE(close_of_a_peer_that_never_reads_is_bounded),
        CASE(abort_says_nothing),
        CASE(no_input_after_close),
        CASE(stream_may_be_freed_in_any_callback),
        CASE(owner_may_change),
        CASE(trickled_input_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
