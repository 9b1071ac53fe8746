/* supervisor/contents.h: is in a file what its room will want of it? A room that finds otherwise
 * keeps its old configuration while the others have the new one, so it is asked before. */
#ifndef SUPERVISOR_CONTENTS_H
#define SUPERVISOR_CONTENTS_H

#include "conf/conf.h"

/* option: the word of the configuration that names the file. fd: of that file, which is read from
 * its start and left open. ERR_INVALID or ERR_IO: one sentence in out_why names word, file and line
 * and says what belongs there (OPS-1). Never what is there. */

/* A secret: the first line, of 1 to `most` octets without NUL. */
MUST_CHECK enum err contents_check_secret(
    const char *option, struct slice path, int fd, size_t most, struct conf_error *out_why);
/* Trusted roots: at least one certificate in PEM, and nothing broken. */
MUST_CHECK enum err contents_check_roots(
    const char *option, struct slice path, int fd, struct conf_error *out_why);

#endif
