/* bench/load_report.c: prints the figures of a load on standard output. */
#include "bench/load_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "bench/load_run.h"

static double per_second(const struct run *run)
{
    double seconds = run_seconds(run);

    return seconds > 0 ? (double)run->counted / seconds : 0;
}

static void put_meter(const char *name, const struct meter *meter)
{
    printf("  %s p50 %8.2f p90 %8.2f p99 %8.2f max %8.2f ms", name, meter_ms(meter, 0.5),
        meter_ms(meter, 0.9), meter_ms(meter, 0.99), meter_ms(meter, 1));
}

void report_line(const struct run *run)
{
    printf(
        "%9" PRIu64 " messages %7.2f s %9.1f/s", run->counted, run_seconds(run), per_second(run));
    put_meter("commit", &run->commit);
    put_meter(run->options->rate > 0 ? "due" : "whole", &run->whole);
    printf("  accepted %9" PRIu64 " sessions %8" PRIu64, run->accepted, run->sessions);
    if (run->options->rate > 0)
        printf(" unbegun %6" PRIu64, run_unbegun(run));
    printf(" unexpected %4" PRIu64 "\n", run->fault_count);
}

static json_t *meter_json(const struct meter *meter)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:I}", "p50_ms", meter_ms(meter, 0.5), "p90_ms",
        meter_ms(meter, 0.9), "p99_ms", meter_ms(meter, 0.99), "max_ms", meter_ms(meter, 1),
        "count", (json_int_t)meter->count);
}

static json_t *faults_json(const struct run *run)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < run->fault_count && i < FAULTS_SHOWN; i++)
        json_array_append_new(list, json_string(run->faults[i]));
    return list;
}

void report_json(const struct run *run)
{
    json_t *report =
        json_pack("{s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
            "messages", (json_int_t)run->counted, "seconds", run_seconds(run), "per_second",
            per_second(run), "begun", (json_int_t)run->begun, "accepted", (json_int_t)run->accepted,
            "sessions", (json_int_t)run->sessions, "unbegun", (json_int_t)run_unbegun(run),
            "unexpected", (json_int_t)run->fault_count, "start_us", (json_int_t)run->start_us,
            "begin_us", (json_int_t)run->begin_us, "last_us", (json_int_t)run->last_us, "commit",
            meter_json(&run->commit), "whole", meter_json(&run->whole), "login",
            meter_json(&run->login), "first_unexpected", faults_json(run));

    if (!report)
        abort();
    json_dumpf(report, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(report);
}
