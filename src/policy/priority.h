/* policy/priority.h: is mail of this priority and size taken (RFC 6710, EXT-MTPRI-3)? Pure. */
#ifndef POLICY_PRIORITY_H
#define POLICY_PRIORITY_H

#include <stdint.h>

#include "conf/conf.h"

enum priority_verdict {
    PRIORITY_TAKEN,
    PRIORITY_LATER,   /* too low now: 450 4.7.15 */
    PRIORITY_TOO_LOW, /* 550 5.7.15 */
    PRIORITY_TOO_BIG, /* for its priority: 552 5.7.16 */
};

/* priority: -9 to 9, 0 where none was stated, after it was lowered (EXT-MTPRI-2). size: octets; 0:
 * not known. All is taken where MT-PRIORITY is off. */
enum priority_verdict priority_judge(
    const struct conf_extensions *extensions, int priority, uint64_t size);

#endif
