/* conf/scan.h: the walk over the file before libconfuse reads it. It refuses, with file and line,
 * what libconfuse would let through or misread: an unclosed section or string, a setting or title
 * given twice, "${…}" (the environment), "+=", NUL and control octets, single quotes and most
 * escapes, text outside quotes, a list for a single value and the reverse, and it names what is
 * misspelt. It remembers where everything stands, which libconfuse does not. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "base/arena.h"
#include "base/slice.h"
#include "conf/fault.h"
#include "conf/options.h"

/* One section as it stands in the file. */
struct scan_section {
    enum section_id id;
    struct scan_section *parent;
    struct scan_section *next; /* in the order of the file; the file as a whole comes first */
    struct slice title;        /* between its quotes */
    unsigned line;
    unsigned *lines; /* of each setting, by its place in option_range; 0: not set */
};

struct scan {
    struct scan_section *top;
    char *clean; /* the text with its comments blanked (libconfuse miscounts lines behind them),
                    NUL-ended */
    unsigned last_line;
};

/* Everything comes from the arena. ERR_INVALID with the fault set, ERR_NOMEM. */
MUST_CHECK enum err scan_text(
    struct slice text, struct arena *arena, struct fault *fault, struct scan *out_scan);

/* The index-th section of its kind, in the order of the file; NULL: there are fewer. */
const struct scan_section *scan_section(const struct scan *scan, enum section_id id, size_t index);
/* The line of a setting, 0 when it is not set or the section is NULL. */
unsigned scan_line(const struct scan_section *section, const char *option);

#endif
