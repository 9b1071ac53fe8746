/* tests/power/workload.h: one run of a site, by seed: mail comes in, goes out, waits, bounces, is
 * held and deleted; rooms die and come back; syncs fail. */
#ifndef TESTS_POWER_WORKLOAD_H
#define TESTS_POWER_WORKLOAD_H

#include "site.h"

enum workload_kind {
    WORKLOAD_CALM,
    WORKLOAD_ROUGH,
    WORKLOAD_BULKY,
    WORKLOAD_RESTLESS, /* the queue dies often, and carriers are slow: jobs of many lives */
    WORKLOAD_STORMY,   /* what fails stays behind, and the queue dies right after it */
    WORKLOADS
};

/* The log and the promises of a run with so many messages. */
void workload_run(struct recorder *recorder, struct oracle *oracle, enum workload_kind kind,
    uint64_t seed, size_t messages);

#endif
