/* bench/load_content.h: messages of an exact size, each with its number in a header line. */
#ifndef BENCH_LOAD_CONTENT_H
#define BENCH_LOAD_CONTENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"

/* What all messages share. Lines of 76 characters that need no dot-stuffing. */
struct content {
    char *lines;
    size_t lines_len;
    size_t size;   /* of a message */
    char date[40]; /* as in the header */
};

/* ERR_NOMEM. */
MUST_CHECK enum err content_init(struct content *content, size_t size);
void content_clear(struct content *content);
/* Appends the header and the first, shorter line of the body; gives the rest of the body, which
 * lives as long as content. Together as long as size, or as the header where that is longer. */
void content_put(const struct content *content, uint64_t number, struct slice from, struct slice to,
    struct buffer *out, struct slice *out_rest);
/* Appends the pattern (load_options.h). */
void pattern_put(const char *pattern, uint64_t user, uint64_t number, struct buffer *out);

#endif
