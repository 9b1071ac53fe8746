/* conf/options.h: the one table of sections and settings. libconfuse's option arrays, the defaults,
 * the range checks, the help for misspelt names, the comparison of two configurations and the
 * manual's settings section are all made from it. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/syntax.h"

enum section_id {
    SECTION_TOP,
    SECTION_LISTENER,
    SECTION_TLS,
    SECTION_SNI,
    SECTION_USERS,
    SECTION_AUTH,
    SECTION_CERTIFICATE,
    SECTION_DOMAIN,
    SECTION_ROUTE,
    SECTION_IMAP_SERVER,
    SECTION_QUEUE,
    SECTION_LIMITS,
    SECTION_SPOOL,
    SECTION_TIMEOUTS,
    SECTION_DNS,
    SECTION_ACCOUNTS,
    SECTION_EXTENSIONS,
    SECTION_COUNT
};

/* Offsets count from the struct of the parent. */
struct section {
    const char *name; /* "" for the file as a whole */
    enum section_id parent;
    size_t offset; /* the embedded struct, or the pointer to the array where there may be many */
    size_t count_offset; /* 0: at most one */
    size_t size;
    size_t most;              /* of these sections in the file */
    const char *title;        /* what the title says, for the manual; NULL: no title */
    enum syntax title_syntax; /* where there is a title */
    size_t title_offset;      /* in the section's own struct */
    const char *doc;
};

enum option_kind {
    OPTION_NUMBER,  /* uint64_t */
    OPTION_PORT,    /* uint16_t */
    OPTION_BOOL,    /* bool */
    OPTION_CHOICE,  /* an enum: the place in choices */
    OPTION_TEXT,    /* struct slice */
    OPTION_NUMBERS, /* list of struct conf_number */
    OPTION_TEXTS,   /* list of structs of element_size that begin with a struct slice */
    OPTION_LATER,   /* a bool that this version knows by name only: false is accepted, nothing is
                       stored */
    OPTION_LATERS,  /* the same for a list: the empty one is accepted */
};

struct option {
    enum section_id section;
    const char *name;
    enum option_kind kind;
    bool restart;       /* a change waits for a restart (conf_adopt) */
    bool required;      /* in each section of its kind */
    const char *preset; /* as it would be written, a list without its braces; NULL: empty, 0, false,
                           the first choice */
    const char *preset_doc; /* what to say of the default where preset does not; NULL: say preset */
    int64_t least, most;    /* of a number, or of each number of a list */
    const char *unit;       /* of a number, NULL: a plain count */
    const char *const *choices;   /* ends with NULL */
    enum syntax syntax;           /* of a text */
    size_t offset;                /* in the section's struct */
    size_t count_offset;          /* of a list */
    size_t element_size;          /* of a list */
    size_t list_least, list_most; /* values; list_most 0: any number */
    const char *doc;
};

enum { OPTION_LIST_MAX = 1024 };

extern const struct section sections[SECTION_COUNT];
/* Sorted by section. */
extern const struct option options[];
extern const size_t option_count;

/* The settings of a section: options[first .. first + count). */
struct option_range {
    size_t first, count;
};
struct option_range option_range(enum section_id section);

/* By name in a section; NULL: there is none. */
const struct option *option_find(enum section_id section, struct slice name);
/* A section that may stand in this one, SECTION_TOP: there is none of that name. */
enum section_id section_find(enum section_id parent, struct slice name);
/* The name in this section, setting or section, that is nearest to a misspelt one; NULL when none
 * is near. */
const char *option_nearest(enum section_id section, struct slice name);
bool option_is_list(const struct option *option);

#endif
