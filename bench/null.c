/* bench/null.c: the ceiling: a submission server that speaks the same dialogue over TLS with AUTH
 * PLAIN, in as many threads as it is told, and stores nothing. Connections go to the threads in
 * turn, so that all have the same work. Ends on SIGTERM or SIGINT. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base64.h"
#include "bench/address.h"
#include "bench/arguments.h"
#include "bench/taker.h"
#include "bench/tls_context.h"

#define AT(member) offsetof(struct null_options, member)

enum { WORKERS_MAX = 64 };

struct null_options {
    const char *submissions;
    const char *submission;
    const char *certificate;
    const char *key;
    const char *user;
    const char *password;
    bool anybody;
    uint64_t workers;
    uint64_t tickets;
};

static const struct argument arguments[] = {
    { "submissions", ARGUMENT_TEXT, AT(submissions), 0, 0, "ADDRESS:PORT", "implicit TLS" },
    { "submission", ARGUMENT_TEXT, AT(submission), 0, 0, "ADDRESS:PORT", "STARTTLS" },
    { "certificate", ARGUMENT_TEXT, AT(certificate), 0, 0, "FILE", "PEM" },
    { "key", ARGUMENT_TEXT, AT(key), 0, 0, "FILE", "PEM" },
    { "user", ARGUMENT_TEXT, AT(user), 0, 0, "NAME", "the only one" },
    { "password", ARGUMENT_TEXT, AT(password), 0, 0, "TEXT", "of the user" },
    { "anybody", ARGUMENT_FLAG, AT(anybody), 0, 0, NULL, "let everybody in" },
    { "workers", ARGUMENT_WHOLE, AT(workers), 1, WORKERS_MAX, "N",
        "threads that serve (default 2)" },
    { "tickets", ARGUMENT_WHOLE, AT(tickets), 0, 16, "N", "TLS tickets a session (default 1)" },
};

static const char about[] =
    "null: a submission server over TLS with AUTH PLAIN that takes every message and keeps none.";

/* What the main thread hands to a worker. */
struct arrival {
    int fd;
    bool is_implicit;
};

struct worker {
    pthread_t id;
    struct poller poller;
    struct taker taker;
    struct watcher inbox; /* the reading end of a pipe of arrivals */
    int outbox;
};

/* Doors: implicit TLS, then STARTTLS; -1: none. */
struct service {
    struct null_options options;
    SSL_CTX *tls;
    char *plain;
    int doors[2];
    struct worker workers[WORKERS_MAX];
};

/* AUTH PLAIN's response (RFC 4616), so that a login is one comparison. */
static char *plain_response(const char *user, const char *password)
{
    struct buffer plain;
    struct buffer text;

    buffer_init(&plain, 4096);
    buffer_init(&text, 8192);
    buffer_put_char(&plain, '\0');
    buffer_put_text(&plain, user);
    buffer_put_char(&plain, '\0');
    buffer_put_text(&plain, password);
    base64_encode(&text, buffer_slice(&plain));
    buffer_put_char(&text, '\0');
    buffer_clear(&plain);
    return text.data;
}

static void on_arrival(struct watcher *watcher, uint32_t ready)
{
    struct worker *worker = CONTAINER_OF(watcher, struct worker, inbox);
    struct arrival arrival;

    (void)ready;
    if (read(watcher->fd, &arrival, sizeof arrival) == sizeof arrival)
        taker_serve(&worker->taker, arrival.fd, arrival.is_implicit);
}

static void *work(void *owner)
{
    struct worker *worker = owner;

    poller_run(&worker->poller);
    return NULL;
}

static enum err start_worker(const struct service *service, struct worker *worker)
{
    enum err err = poller_init(&worker->poller);
    int ends[2];

    if (err != ERR_OK || pipe2(ends, O_CLOEXEC) != 0)
        return ERR_NOFILES;
    worker->inbox = (struct watcher){ .fd = ends[0], .on_ready = on_arrival };
    worker->outbox = ends[1];
    worker->taker = (struct taker){
        .poller = &worker->poller,
        .tls = service->tls,
        .plain = service->plain,
        .takes_anybody = service->options.anybody,
    };
    err = taker_init(&worker->taker);
    if (err == ERR_OK)
        err = poller_add(&worker->poller, &worker->inbox, EPOLLIN);
    if (err == ERR_OK && pthread_create(&worker->id, NULL, work, worker) != 0)
        err = ERR_NOMEM;
    return err;
}

static bool start_workers(struct service *service)
{
    for (uint64_t i = 0; i < service->options.workers; i++) {
        enum err err = start_worker(service, &service->workers[i]);

        if (err == ERR_OK)
            continue;
        fprintf(stderr, "null: %s\n", err_text(err));
        return false;
    }
    return true;
}

static bool open_doors(struct service *service)
{
    const char *addresses[] = { service->options.submissions, service->options.submission };

    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        service->doors[i] = addresses[i] ? address_listen(addresses[i]) : -1;
        if (addresses[i] && service->doors[i] < 0)
            return false;
    }
    return true;
}

static bool prepare(struct service *service)
{
    const struct null_options *options = &service->options;

    if (!options->certificate || !options->key || !options->user || !options->password) {
        fprintf(stderr, "--certificate, --key, --user and --password are needed\n");
        return false;
    }
    service->plain = plain_response(options->user, options->password);
    service->tls = tls_server_context(options->certificate, options->key, options->tickets);
    return service->tls && service->plain && start_workers(service) && open_doors(service);
}

/* Until a signal ends the process. */
NORETURN static void hand_out(const struct service *service)
{
    struct pollfd doors[] = { { .fd = service->doors[0], .events = POLLIN },
        { .fd = service->doors[1], .events = POLLIN } };
    uint64_t next = 0;

    for (;;) {
        if (poll(doors, LENGTH_OF(doors), -1) < 0)
            continue;
        for (size_t i = 0; i < LENGTH_OF(doors); i++) {
            struct arrival arrival = { .is_implicit = i == 0 };

            if (!(doors[i].revents & POLLIN))
                continue;
            arrival.fd = accept4(doors[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (arrival.fd < 0)
                continue;
            if (write(service->workers[next].outbox, &arrival, sizeof arrival) < 0)
                close(arrival.fd);
            next = (next + 1) % service->options.workers;
        }
    }
}

int main(int argc, char **argv)
{
    static struct service service = { .options = { .workers = 2, .tickets = 1 } };

    (void)argc;
    arguments_read(arguments, LENGTH_OF(arguments), argv, about, &service.options);
    signal(SIGPIPE, SIG_IGN);
    takers_raise_limits();
    if (!prepare(&service))
        return EX_USAGE;
    hand_out(&service);
}
