/* conf/fault.h: how a message about the configuration is made: one line, printable, with file and
 * line. */
#ifndef CONF_FAULT_H
#define CONF_FAULT_H

#include "conf/conf.h"

enum { FAULT_WORDS = 3, FAULT_WORD_MAX = 80 };

/* Lives for one load. */
struct fault {
    const char *file;         /* as the operator named it */
    struct conf_error *error; /* filled by the first fault; later ones are dropped */
    bool is_set;
    unsigned next_word;
    char words[FAULT_WORDS][FAULT_WORD_MAX * 4 + 8];
};

/* "FILE:LINE: …"; line 0 leaves the number out. Returns ERR_INVALID for the caller to return. */
PRINTF_LIKE(3, 4) enum err fault_set(struct fault *fault, unsigned line, const char *format, ...);

/* A word of the file in double quotes, what is not printable escaped, cut at FAULT_WORD_MAX octets.
 * Good until FAULT_WORDS more words have been asked for. */
const char *fault_word(struct fault *fault, struct slice word);

#endif
