/* base/log_json.h: a line of the log as one JSON object, for programs. For base/log.c. */
#ifndef BASE_LOG_JSON_H
#define BASE_LOG_JSON_H

#include "base/log.h"

struct log_line {
    const char *time; /* NULL: the reader adds its own */
    const char *process;
    enum log_level level;
    const struct log_context *context;
    const char *event;
    const struct log_field *fields;
};

/* Writes it without a line end, at most size octets, all of them printable ASCII. Text that is
 * UTF-8 reads back as it was; any other octet as \xHH. Long values end with "..."; what does not
 * fit is left out, and "cut" is true then. Returns the length. */
size_t log_json(const struct log_line *line, char *out, size_t size);

#endif
