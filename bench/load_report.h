/* bench/load_report.h: what a load has shown, as a line for people or as JSON. */
#ifndef BENCH_LOAD_REPORT_H
#define BENCH_LOAD_REPORT_H

struct run;

/* One line with columns that stay where they are from run to run. */
void report_line(const struct run *run);
void report_json(const struct run *run);

#endif
