/* base/clock.c: reading and showing the clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { JUMP_US = 2000000 };

int64_t clock_mono_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall(void)
{
    return clock_wall_us() / 1000000;
}

int64_t clock_offset_us(void)
{
    return clock_wall_us() - clock_mono_ms() * 1000;
}

int64_t clock_jump_us(int64_t *offset_us)
{
    int64_t offset = clock_offset_us();
    int64_t jump_us = offset - *offset_us;

    if (jump_us > -JUMP_US && jump_us < JUMP_US)
        return 0;
    *offset_us = offset;
    return jump_us;
}

void clock_format(int64_t wall_us, char out_text[25])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char text[64];

    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_us / 1000 % 1000));
    snprintf(out_text, 25, "%.24s", text);
}
