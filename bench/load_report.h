/* bench/load_report.h: what a load has shown, as a line for people or as JSON. */
#ifndef BENCH_LOAD_REPORT_H
#define BENCH_LOAD_REPORT_H

struct lane;
struct load_tally;

/* Adds what another lane has seen. */
void tally_join(struct load_tally *tally, const struct load_tally *other);
/* total: a lane whose tally is that of all. One line with columns that stay where they are from run
 * to run. */
void report_line(const struct lane *total);
void report_json(const struct lane *total);

#endif
