/* message/cfws.h: comments and folding white space between the tokens of structured fields (RFC
 * 5322 section 3.2.2). */
#ifndef MESSAGE_CFWS_H
#define MESSAGE_CFWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

/* Moves *at behind any white space, folds and (nested) comments that start there. False for a
 * comment without an end, a CR or LF that is no fold, or a control character in a comment; *at is
 * then where that was. */
MUST_CHECK bool cfws_skip(struct slice text, size_t *at);

/* Moves *at behind the dot-atom that starts there. False when there is none. */
MUST_CHECK bool dot_atom_skip(struct slice text, size_t *at);

#endif
