/* bench/load_report.c: prints the figures of a load on standard output. */
#include "bench/load_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <jansson.h>

#include "bench/load_lane.h"

void tally_join(struct load_tally *tally, const struct load_tally *other)
{
    for (uint64_t i = 0; i < other->fault_count && i < FAULTS_SHOWN; i++)
        if (tally->fault_count + i < FAULTS_SHOWN)
            memcpy(tally->faults[tally->fault_count + i], other->faults[i], FAULT_TEXT);
    tally->fault_count += other->fault_count;
    tally->ended_us = other->ended_us > tally->ended_us ? other->ended_us : tally->ended_us;
    tally->last_us = other->last_us > tally->last_us ? other->last_us : tally->last_us;
    tally->sessions += other->sessions;
    tally->resumed += other->resumed;
    tally->begun += other->begun;
    tally->accepted += other->accepted;
    tally->counted += other->counted;
    meter_join(&tally->commit, &other->commit);
    meter_join(&tally->message, &other->message);
    meter_join(&tally->connect, &other->connect);
    meter_join(&tally->login, &other->login);
}

/* Of the window in which messages were counted. */
static double seconds_of(const struct lane *total)
{
    const struct load_tally *tally = &total->tally;
    int64_t until_us = tally->ended_us >= total->end_us ? total->end_us : tally->last_us;

    return until_us > total->begin_us ? (double)(until_us - total->begin_us) / 1e6 : 0;
}

static double per_second(const struct lane *total)
{
    double seconds = seconds_of(total);

    return seconds > 0 ? (double)total->tally.counted / seconds : 0;
}

/* Messages due within the window that no connection was free for; 0 in a closed loop. */
static uint64_t unbegun(const struct lane *total)
{
    double rate = total->plan->options->rate;
    double due;

    if (rate <= 0 || total->end_us == INT64_MAX)
        return 0;
    due = ceil((double)(total->end_us - total->start_us) * rate / 1e6);
    return due > (double)total->tally.begun ? (uint64_t)due - total->tally.begun : 0;
}

static double seconds_in(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double own_cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return seconds_in(usage.ru_utime) + seconds_in(usage.ru_stime);
}

static void put_meter(const char *name, const struct meter *meter)
{
    printf("  %s p50 %8.2f p90 %8.2f p99 %8.2f max %8.2f ms", name, meter_ms(meter, 0.5),
        meter_ms(meter, 0.9), meter_ms(meter, 0.99), meter_ms(meter, 1));
}

void report_line(const struct lane *total)
{
    const struct load_tally *tally = &total->tally;

    printf("%9" PRIu64 " messages %7.2f s %9.1f/s", tally->counted, seconds_of(total),
        per_second(total));
    put_meter("commit", &tally->commit);
    put_meter("message", &tally->message);
    printf("  accepted %9" PRIu64 " sessions %8" PRIu64 " cpu %7.2f s", tally->accepted,
        tally->sessions, own_cpu_seconds());
    if (total->plan->options->rate > 0)
        printf(" unbegun %6" PRIu64, unbegun(total));
    printf(" unexpected %4" PRIu64 "\n", tally->fault_count);
}

static json_t *meter_json(const struct meter *meter)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:I}", "p50_ms", meter_ms(meter, 0.5), "p90_ms",
        meter_ms(meter, 0.9), "p99_ms", meter_ms(meter, 0.99), "p999_ms", meter_ms(meter, 0.999),
        "max_ms", meter_ms(meter, 1), "count", (json_int_t)meter->count);
}

static json_t *faults_json(const struct load_tally *tally)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < tally->fault_count && i < FAULTS_SHOWN; i++)
        json_array_append_new(list, json_string(tally->faults[i]));
    return list;
}

static void add_counts(json_t *report, const struct lane *total)
{
    const struct load_tally *tally = &total->tally;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        { "messages", (int64_t)tally->counted },
        { "begun", (int64_t)tally->begun },
        { "accepted", (int64_t)tally->accepted },
        { "sessions", (int64_t)tally->sessions },
        { "resumed", (int64_t)tally->resumed },
        { "unbegun", (int64_t)unbegun(total) },
        { "unexpected", (int64_t)tally->fault_count },
        { "start_us", total->start_us },
        { "begin_us", total->begin_us },
        { "last_us", tally->last_us },
    };

    for (size_t i = 0; i < LENGTH_OF(counts); i++)
        json_object_set_new(report, counts[i].name, json_integer(counts[i].value));
}

void report_json(const struct lane *total)
{
    const struct load_tally *tally = &total->tally;
    json_t *report = json_pack("{s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "seconds",
        seconds_of(total), "per_second", per_second(total), "cpu_seconds", own_cpu_seconds(),
        "connect", meter_json(&tally->connect), "login", meter_json(&tally->login), "commit",
        meter_json(&tally->commit), "message", meter_json(&tally->message), "first_unexpected",
        faults_json(tally));

    if (!report)
        abort();
    add_counts(report, total);
    json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(report);
}
