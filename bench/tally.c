/* bench/tally.c: counts and prints. */
#include "bench/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/macros.h"

/* The header alone, with the line end before its last, empty line. */
static struct slice header_of(struct slice head)
{
    const char *end = memmem(head.data, head.len, "\r\n\r\n", 4);

    return end ? slice_first(head, (size_t)(end - head.data) + 2) : head;
}

static bool find_marker(struct slice head, uint64_t *out_number)
{
    static const char name[] = "\r\nX-Bench: ";
    struct slice header = header_of(head);
    struct slice value;
    const char *at = memmem(header.data, header.len, name, sizeof name - 1);

    if (!at)
        return false;
    value = slice_from(header, (size_t)(at - header.data) + sizeof name - 1);
    return slice_number(
        slice_first(value, slice_find(value, '\r')), TALLY_NUMBERS_MAX - 1, out_number);
}

static bool make_room(struct tally *tally, uint64_t number)
{
    uint64_t need = number / 8 + 1;
    uint64_t len = tally->seen_len ? tally->seen_len : 4096;
    uint8_t *seen;

    if (need <= tally->seen_len)
        return true;
    while (len < need)
        len *= 2;
    seen = realloc(tally->seen, len);
    if (!seen)
        return false;
    memset(seen + tally->seen_len, 0, len - tally->seen_len);
    tally->seen = seen;
    tally->seen_len = len;
    return true;
}

static void mark(struct tally *tally, struct slice head)
{
    uint64_t number;
    uint8_t bit;

    if (!find_marker(head, &number) || !make_room(tally, number)) {
        tally->unmarked++;
        return;
    }
    bit = (uint8_t)(1U << number % 8);
    if (tally->seen[number / 8] & bit)
        tally->duplicates++;
    else
        tally->distinct++;
    tally->seen[number / 8] |= bit;
}

void tally_message(
    struct tally *tally, uint64_t octets, uint64_t recipients, struct slice head, int64_t now_us)
{
    tally->messages++;
    tally->octets += octets;
    tally->recipients += recipients;
    if (tally->first_us == 0)
        tally->first_us = now_us;
    tally->last_us = now_us;
    if (tally->is_marking)
        mark(tally, head);
}

static uint64_t lost(const struct tally *tally, uint64_t expected)
{
    return tally->is_marking && expected > tally->distinct ? expected - tally->distinct : 0;
}

/* From the first to the last; the first itself began the time. */
static double per_second(const struct tally *tally)
{
    double seconds = (double)(tally->last_us - tally->first_us) / 1e6;

    return seconds > 0 ? (double)(tally->messages - 1) / seconds : 0;
}

static void print_json(const struct tally *tally, uint64_t expected)
{
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        { "messages", (int64_t)tally->messages },
        { "octets", (int64_t)tally->octets },
        { "recipients", (int64_t)tally->recipients },
        { "connections", (int64_t)tally->connections },
        { "refused", (int64_t)tally->refused },
        { "broken", (int64_t)tally->broken },
        { "distinct", (int64_t)tally->distinct },
        { "duplicates", (int64_t)tally->duplicates },
        { "unmarked", (int64_t)tally->unmarked },
        { "lost", (int64_t)lost(tally, expected) },
        { "first_us", tally->first_us },
        { "last_us", tally->last_us },
    };
    json_t *report = json_pack("{s:f}", "per_second", per_second(tally));

    for (size_t i = 0; i < LENGTH_OF(figures); i++)
        json_object_set_new(report, figures[i].name, json_integer(figures[i].value));
    json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(report);
}

void tally_print(const struct tally *tally, uint64_t expected, bool is_json)
{
    if (is_json) {
        print_json(tally, expected);
        fflush(stdout);
        return;
    }
    printf("%9" PRIu64 " messages %12" PRIu64 " octets %6" PRIu64 " connections %9.1f/s",
        tally->messages, tally->octets, tally->connections, per_second(tally));
    if (tally->is_marking)
        printf("  distinct %9" PRIu64 " duplicates %6" PRIu64 " unmarked %6" PRIu64,
            tally->distinct, tally->duplicates, tally->unmarked);
    if (tally->is_marking && expected > 0)
        printf(" lost %6" PRIu64, lost(tally, expected));
    printf(" refused %4" PRIu64 " broken %4" PRIu64 "\n", tally->refused, tally->broken);
    fflush(stdout);
}

void tally_clear(struct tally *tally)
{
    free(tally->seen);
    *tally = (struct tally){ 0 };
}
