/* base/log.h: one line a fact on standard error, as a JSON object for programs or as key=value for
 * people, everything from outside escaped (LOG-1, LOG-3). Context (room, session, queue id) is
 * inherited through a chain, so a line always says whose fact it is. Secrets have no field type. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* journald's priorities. */
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

struct log_field {
    const char *key; /* NULL ends a list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
    struct slice text;
    int64_t number;
};

/* One link of the chain; lives in a session, transaction or job. */
struct log_context {
    const struct log_context *parent;
    const char *key;
    struct slice value;
};

/* The variable of the environment that says how lines look: "json" or "text". Without it they are
 * text where standard error is a terminal, and JSON elsewhere. */
#define LOG_FORM "SUBMITD_LOG"

/* room: name on every line ("gate.0"). Lines above `most` (say LOG_INFO) are not written. */
void log_open(const char *room, enum log_level most);
void log_write(enum log_level level, const struct log_context *context, const char *event,
    const struct log_field *fields);

/* While a thread holds its lines, those below LOG_WARNING wait for log_flush, which its loop calls
 * each turn: a write for each would cost as much as the rest of the line. A warning or an error
 * takes all before it along. */
void log_hold(bool holds);
void log_flush(void);

#define log_event(level, context, event, ...)                                                      \
    log_write(level, context, event, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/* Fields. */
static inline struct log_field log_slice(const char *key, struct slice value)
{
    return (struct log_field){ .key = key, .kind = LOG_FIELD_TEXT, .text = value };
}

static inline struct log_field log_text(const char *key, const char *value)
{
    return log_slice(key, slice_text(value));
}

static inline struct log_field log_number(const char *key, int64_t value)
{
    return (struct log_field){ .key = key, .kind = LOG_FIELD_NUMBER, .number = value };
}

static inline struct log_field log_reason(enum err code)
{
    return log_text("reason", err_text(code));
}

#endif
