/* tests/unit/net/ends.c */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "ends.h"

const struct stream_settings end_settings = {
    .input_cap = 4096,
    .output_cap = 1 << 20,
    .high_water = 65536,
    .low_water = 16384,
    .write_timeout_ms = 2000,
};

static void on_input(void *owner)
{
    struct end *end = owner;
    struct slice input = stream_input(end->stream);
    size_t take = input.len > end->keep ? input.len - end->keep : 0;

    assert_int_equal(end->closed, 0);
    assert_true(input.len > 0);
    end->inputs++;
    buffer_put(&end->received, input.data, take);
    if (end->echoes)
        buffer_put(stream_output(end->stream), input.data, take);
    stream_consume(end->stream, take);
    if (end->pauses)
        stream_pause(end->stream);
    if (end->closes_on_input)
        stream_close_after_flush(end->stream, 200);
    if (end->frees_on_input)
        stream_free(&end->stream);
}

static void on_drained(void *owner)
{
    struct end *end = owner;

    assert_int_equal(end->closed, 0);
    end->drained++;
    if (end->frees_on_drained)
        stream_free(&end->stream);
}

static void on_secured(void *owner)
{
    struct end *end = owner;

    assert_int_equal(end->closed, 0);
    assert_int_equal(stream_input_pending(end->stream), 0);
    assert_true(stream_is_secured(end->stream));
    end->secured++;
    if (end->frees_on_secured)
        stream_free(&end->stream);
}

static void on_closed(void *owner, enum stream_end reason)
{
    struct end *end = owner;

    end->closed++;
    end->end = reason;
    assert_int_equal(end->closed, 1);
    snprintf(end->why, sizeof end->why, "%s", stream_why(end->stream));
    if (end->frees_on_closed)
        stream_free(&end->stream);
}

const struct stream_events end_events = { on_input, on_drained, on_secured, on_closed };

void end_open(struct end *end, struct loop *loop, int fd, const struct stream_settings *settings)
{
    buffer_init(&end->received, (size_t)64 << 20);
    end->stream = stream_new(loop, fd, settings ? settings : &end_settings, &end_events, end);
    assert_non_null(end->stream);
}

void end_clear(struct end *end)
{
    stream_free(&end->stream);
    buffer_clear(&end->received);
}

void turn_until(struct loop *loop, const int *what, int count)
{
    int64_t until = clock_mono_ms() + 20000;

    while (*what < count && clock_mono_ms() < until)
        loop_turn(loop, 20);
    assert_true(*what >= count);
}

void turn_for(struct loop *loop, int64_t ms)
{
    int64_t until = clock_mono_ms() + ms;

    do
        loop_turn(loop, 5);
    while (clock_mono_ms() < until);
}
