/* base/clock.c: reading and showing the clocks. */
#include "base/clock.h"

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

/* `number` in so many digits, and what follows it. */
static char *put_number(char *at, int number, int digits, char after)
{
    unsigned rest = (unsigned)number;

    for (int i = digits; i > 0; i--, rest /= 10)
        at[i - 1] = (char)('0' + rest % 10);
    at[digits] = after;
    return at + digits + 1;
}

void clock_format(int64_t wall_us, char out_text[25])
{
    int64_t ms = wall_us / 1000 - (wall_us % 1000 < 0);
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm = { 0 };
    char *at = out_text;

    gmtime_r(&seconds, &tm);
    at = put_number(at, tm.tm_year + 1900, 4, '-');
    at = put_number(at, tm.tm_mon + 1, 2, '-');
    at = put_number(at, tm.tm_mday, 2, 'T');
    at = put_number(at, tm.tm_hour, 2, ':');
    at = put_number(at, tm.tm_min, 2, ':');
    at = put_number(at, tm.tm_sec, 2, '.');
    at = put_number(at, (int)(ms - seconds * 1000), 3, 'Z');
    *at = '\0';
}
