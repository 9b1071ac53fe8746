/* fetch/answer.h: what an HTTP answer is good for, from its status and its fields. Pure. */
#ifndef FETCH_ANSWER_H
#define FETCH_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"

enum { ANSWER_AGE_MAX = 10 * 365 * 86400 };

/* NULL: it is a JSON document; else why it is none, in words. content_type: RFC 9110 section 8.3.1;
 * application/json, or another type that ends in +json (RFC 6839 section 3.1). */
const char *answer_fault(unsigned status, struct slice content_type);

/* How long may the answer be kept, by Cache-Control (RFC 9111 section 5.2.2)? no-store and no-cache
 * are 0 seconds, whatever else is said; of several max-age the least counts. False: it does not
 * say, or cannot be read. */
MUST_CHECK bool answer_age(struct slice cache_control, uint64_t *out_seconds);

#endif
