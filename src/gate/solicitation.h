/* gate/solicitation.h: SOLICIT and the header field Solicitation: what is said of a message, and
 * whether such mail is taken (RFC 3865). */
#ifndef GATE_SOLICITATION_H
#define GATE_SOLICITATION_H

#include <stdbool.h>

#include "conf/conf.h"
#include "message/header.h"

/* Is one of the words (parted by commas; any case) among the classes that are not taken
 * (EXT-NOSOL-3)? */
bool solicitation_is_refused(const struct conf_extensions *extensions, struct slice words);

/* What the header says, without white space, in the arena; empty where it says nothing. False: it
 * says it twice, in no lawful form, or there is no memory. */
MUST_CHECK bool solicitation_read(
    const struct header_index *index, struct arena *arena, struct slice *out_words);

#endif
