/* relay/delivery.h: one attempt to deliver a job: an idle connection if there is one, else the hops
 * of its target in order, until every recipient is decided. */
#ifndef RELAY_DELIVERY_H
#define RELAY_DELIVERY_H

#include "relay/job.h"

struct carrier;
struct delivery;

/* Takes charge of the job until carrier_job_finished. False without memory: the job is untouched.
 */
MUST_CHECK bool delivery_start(struct carrier *carrier, struct job *job);
/* Ends all at once; their jobs are left undecided. */
void deliveries_clear(struct carrier *carrier);

#endif
