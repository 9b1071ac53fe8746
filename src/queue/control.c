/* queue/control.c: the operator's socket (docs/control.md): a few clients, lines of bounded length,
 * one request after the other for each, never a wait of the loop. Owns struct client. */
#include "queue/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/memory.h"

enum {
    CLIENTS_MOST = 32,
    REQUEST_MOST = 65536,
    REPLY_MOST = 16 << 20,
    PATIENCE_MS = 10000,
    READ_CHUNK = 16 << 10,
};

struct client {
    struct client *next, *prev;
    struct control *control;
    int fd;
    struct watch watch;
    struct timer patience;
    struct deferred more; /* the next request, when it is there already */
    struct buffer in;
    struct buffer out;
    bool is_busy;   /* a request is being worked on; whoever does it answers once */
    bool is_ending; /* no further request; closed when the last reply is out */
    bool is_gone;   /* closed, but the answer is still to come */
};

struct control {
    struct queue *queue;
    int listener;
    struct watch watch;
    struct client *clients;
    size_t count;
};

struct command {
    const char *name;
    const char *fields; /* allowed besides "command", separated by spaces */
    void (*run)(struct client *client, const json_t *request);
};

static const struct command commands[] = {
    { "status", "", command_status },
    { "clients", "limit", command_clients },
    { "queue-list", "limit after user domain held", command_list },
    { "queue-show", "id", command_show },
    { "queue-hold", "id user domain all", command_hold },
    { "queue-release", "id user domain all", command_release },
    { "queue-retry", "id user domain all", command_retry },
    { "queue-delete", "id user domain all bounce", command_delete },
    { "trace", "id", command_trace },
};

struct queue *client_queue(struct client *client)
{
    return client->control->queue;
}

static void client_close(struct client *client)
{
    struct control *control = client->control;

    if (!client->is_gone) {
        watch_clear(&client->watch);
        timer_stop(&client->patience);
        deferred_cancel(&client->more);
        close(client->fd);
        DL_DELETE(control->clients, client);
        control->count--;
        client->is_gone = true;
    }
    if (client->is_busy)
        return;
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    free(client);
}

/* ---- answering ---- */

/* False when the client is gone. */
static bool client_write(struct client *client)
{
    while (client->out.len > 0) {
        struct slice rest = buffer_slice(&client->out);
        ssize_t sent = send(client->fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent <= 0 && errno != EINTR) {
            client_close(client);
            return false;
        }
        if (sent > 0) {
            buffer_consume(&client->out, (size_t)sent);
            timer_set(&client->patience, PATIENCE_MS);
        }
    }
    if (client->out.len > 0 && watch_enable(&client->watch, WATCH_WRITE) == ERR_OK)
        return true;
    if (client->out.len > 0 || client->is_ending) {
        client_close(client);
        return false;
    }
    watch_disable(&client->watch, WATCH_WRITE);
    buffer_shrink(&client->out);
    return true;
}

void client_answer_line(struct client *client, char *line)
{
    size_t len = line ? strlen(line) : 0;

    client->is_busy = false;
    if (client->is_gone || !line || len >= REPLY_MOST) {
        free(line);
        client_close(client);
        return;
    }
    buffer_put(&client->out, line, len);
    buffer_put_char(&client->out, '\n');
    free(line);
    if (client->out.error != ERR_OK) {
        client_close(client);
        return;
    }
    timer_set(&client->patience, PATIENCE_MS);
    if (client_write(client) && client->in.len > 0)
        deferred_ask(&client->more);
}

void client_answer(struct client *client, json_t *result)
{
    client_answer_line(client, show_line(result));
}

void client_fail(struct client *client, const char *code, const char *format, ...)
{
    char text[512];
    json_t *reply;
    va_list args;
    char *line;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply =
        json_pack("{s:b, s:s, s:o}", "ok", 0, "code", code, "error", show_text(slice_text(text)));
    line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    json_decref(reply);
    client_answer_line(client, line);
}

void client_fail_unknown(struct client *client, struct queue_id id)
{
    struct queue *queue = client_queue(client);
    char text[QUEUE_ID_TEXT + 1];

    queue_id_format(id, text);
    if (queue->is_recovered)
        client_fail(client, "not-found", "no message %s", text);
    else
        client_fail(client, "busy", "the spool is still being read");
}

/* ---- requests ---- */

static bool is_listed(const char *list, const char *name)
{
    struct slice rest = slice_text(list);

    while (rest.len > 0) {
        struct slice word = slice_first(rest, slice_find(rest, ' '));
        if (slice_is(word, name))
            return true;
        rest = slice_from(rest, word.len + 1);
    }
    return false;
}

static void run(struct client *client, json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    const struct command *command = NULL;
    struct queue *queue = client_queue(client);
    const char *field;
    json_t *value;

    for (size_t i = 0; i < LENGTH_OF(commands) && name; i++)
        if (strcmp(commands[i].name, name) == 0)
            command = &commands[i];
    if (!command) {
        client_fail(client, "bad-request", "no such command: %s", name ? name : "(none)");
        return;
    }
    json_object_foreach (request, field, value) {
        if (strcmp(field, "command") == 0 || is_listed(command->fields, field))
            continue;
        client_fail(client, "bad-request", "%s has no field %s", command->name, field);
        return;
    }
    if (queue->phase != QUEUE_RUNNING) {
        client_fail(client, "busy",
            queue->phase < QUEUE_RUNNING ? "the spool is being read" : "the queue is ending");
        return;
    }
    command->run(client, request);
}

/* What cannot be a request ends the conversation. */
static void refuse(struct client *client, const char *why)
{
    client->is_ending = true;
    watch_disable(&client->watch, WATCH_READ);
    client_fail(client, "bad-request", "%s", why);
}

static void client_go_on(void *owner)
{
    struct client *client = owner;
    struct slice in = buffer_slice(&client->in);
    size_t len = slice_find(in, '\n');
    json_t *request;

    if (client->is_ending || client->is_busy)
        return;
    if (len >= REQUEST_MOST) {
        client->is_busy = true;
        refuse(client, "the request is longer than 65536 octets");
        return;
    }
    if (len == in.len) {
        if (watch_enable(&client->watch, WATCH_READ) != ERR_OK)
            client_close(client);
        return;
    }
    client->is_busy = true;
    timer_stop(&client->patience);
    request = json_loadb(in.data, len, JSON_REJECT_DUPLICATES, NULL);
    buffer_consume(&client->in, len + 1);
    if (json_is_object(request))
        run(client, request);
    else
        refuse(client, "the request is no JSON object");
    json_decref(request);
}

static void client_read(struct client *client)
{
    char *room;
    ssize_t got;

    if (client->in.len > REQUEST_MOST) {
        watch_disable(&client->watch, WATCH_READ); /* until what is there has been answered */
        return;
    }
    room = buffer_reserve(&client->in, READ_CHUNK);
    if (!room) {
        client_close(client);
        return;
    }
    got = recv(client->fd, room, READ_CHUNK, MSG_DONTWAIT);
    if (got > 0) {
        buffer_commit(&client->in, (size_t)got);
        client_go_on(client);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        client_close(client);
    }
}

static void on_client(void *owner, unsigned ready)
{
    struct client *client = owner;

    if ((ready & WATCH_WRITE) && !client_write(client))
        return;
    if (ready & WATCH_READ)
        client_read(client);
}

static void out_of_patience(void *owner)
{
    client_close(owner);
}

static void client_new(struct control *control, int fd)
{
    struct client *client = control->count < CLIENTS_MOST ? calloc(1, sizeof *client) : NULL;

    if (!client) {
        close(fd);
        return;
    }
    client->control = control;
    client->fd = fd;
    buffer_init(&client->in, REQUEST_MOST + 4 * READ_CHUNK);
    buffer_init(&client->out, 2 * REPLY_MOST);
    watch_init(&client->watch, control->queue->loop, fd, on_client, client);
    timer_init(&client->patience, control->queue->loop, out_of_patience, client);
    timer_set(&client->patience, PATIENCE_MS);
    deferred_init(&client->more, control->queue->loop, client_go_on, client);
    DL_APPEND(control->clients, client);
    control->count++;
    if (watch_enable(&client->watch, WATCH_READ) != ERR_OK)
        client_close(client);
}

static void on_listener(void *owner, unsigned ready)
{
    struct control *control = owner;
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)ready;
    if (fd >= 0)
        client_new(control, fd);
}

enum err control_new(struct queue *queue, int listener, struct control **out_control)
{
    struct control *control = calloc(1, sizeof *control);
    enum err rc = control ? ERR_OK : ERR_NOMEM;
    size_t seed = 0;

    /* Else the library looks for /dev/urandom, which is behind the walls. 0 would ask for that. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
        json_object_seed(seed | 1);
    if (rc == ERR_OK) {
        control->queue = queue;
        control->listener = listener;
        watch_init(&control->watch, queue->loop, listener, on_listener, control);
        rc = watch_enable(&control->watch, WATCH_READ);
    }
    if (rc != ERR_OK) {
        close(listener);
        free(control);
        return rc;
    }
    *out_control = control;
    return ERR_OK;
}

void control_close(struct control *control)
{
    struct client *client, *next;

    if (!control)
        return;
    DL_FOREACH_SAFE (control->clients, client, next)
        client_close(client);
    watch_clear(&control->watch);
    if (control->listener >= 0)
        close(control->listener);
    control->listener = -1;
}

void control_free(struct control **control)
{
    control_close(*control);
    free(*control);
    *control = NULL;
}
