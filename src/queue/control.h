/* queue/control.h: the operator's socket from the inside: clients, their one request at a time, and
 * how it is answered (docs/control.md). */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include <jansson.h>

#include "queue/state.h"

struct client;

/* What is selected, checked. Exactly one is set for the commands that need a selection. */
struct selection {
    bool has_id;
    struct queue_id id;
    const char *user; /* of the request; NULL: not asked for */
    const char *domain;
    bool is_all;
    bool is_held;
};

/* ---- control.c ---- */

/* Answers the request under way; result is taken over. Without memory for it the client is closed.
 */
void client_answer(struct client *client, json_t *result);
/* The same with an answer that is a line already ("{…}", malloc'ed, taken over; NULL: no memory).
 */
void client_answer_line(struct client *client, char *line);
/* code: of docs/control.md. */
PRINTF_LIKE(3, 4)
void client_fail(struct client *client, const char *code, const char *format, ...);
struct queue *client_queue(struct client *client);
/* A message that the request names is not there: not-found, or busy while the spool is being read.
 */
void client_fail_unknown(struct client *client, struct queue_id id);

/* ---- show.c ---- */

/* NULL without memory, as all of jansson; its setters take NULL for an error. */
json_t *show_text(struct slice text);         /* octets that are no text as \xHH */
json_t *show_text_or_null(struct slice text); /* null for the empty one */
json_t *show_time(int64_t wall_us);
json_t *show_id(struct queue_id id);
/* {"ok":true,"result":…} as a line without its LF; takes the result. NULL without memory. */
char *show_line(json_t *result);

/* ---- the commands: each answers at once or later ---- */

void command_status(struct client *client, const json_t *request); /* status.c */
void command_clients(struct client *client, const json_t *request); /* clients.c */
void command_list(struct client *client, const json_t *request);   /* list.c */
void command_show(struct client *client, const json_t *request);
void command_hold(struct client *client, const json_t *request); /* operate.c */
void command_release(struct client *client, const json_t *request);
void command_retry(struct client *client, const json_t *request);
void command_delete(struct client *client, const json_t *request);
void command_trace(struct client *client, const json_t *request); /* trace.c */

/* Reads the selecting fields. False when it was answered with a failure. needs_one: exactly one
 * must be there; otherwise none and several are good. */
MUST_CHECK bool selection_read(
    struct client *client, const json_t *request, bool needs_one, struct selection *out_selection);
bool selection_fits(const struct selection *selection, const struct message *message);

#endif
