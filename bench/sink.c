/* bench/sink.c: a next hop that takes everything at once and keeps nothing but counts. Ends on
 * SIGTERM, SIGINT or after a count; SIGUSR1 shows the totals so far. */
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/log.h"
#include "bench/arguments.h"
#include "bench/meter.h"
#include "bench/sink_session.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/peer.h"

#define AT(member) offsetof(struct sink_options, member)

enum { EXIT_LOST = 1 };

struct sink_options {
    const char *listen;
    uint64_t count;
    uint64_t expect;
    bool marker;
    bool json;
};

static const struct argument arguments[] = {
    { "listen", ARGUMENT_TEXT, AT(listen), 0, 0, "ADDRESS:PORT",
        "default 127.0.0.1:2526; port 0: a free one, told on standard error" },
    { "count", ARGUMENT_WHOLE, AT(count), 0, 1e15, "N", "end after N messages" },
    { "marker", ARGUMENT_FLAG, AT(marker), 0, 0, NULL,
        "remember the number in X-Bench: counts duplicates" },
    { "expect", ARGUMENT_WHOLE, AT(expect), 0, 1e15, "N",
        "with --marker: so many numbers should come; counts losses" },
    { "json", ARGUMENT_FLAG, AT(json), 0, 0, NULL, "print JSON" },
};

static const char about[] =
    "sink: an SMTP server in clear text that takes every message and keeps none. Prints totals\n"
    "on SIGTERM, SIGINT or after --count, and goes on after printing them on SIGUSR1.";

struct service {
    struct sink sink;
    struct sink_options options;
    struct listener listener;
    struct signal_watch signals[3];
};

static void on_connection(void *owner, int fd, const struct peer *peer)
{
    struct service *service = owner;

    (void)peer;
    session_open(&service->sink, fd);
}

static void on_message(struct sink *sink)
{
    const struct service *service = CONTAINER_OF(sink, struct service, sink);

    if (sink->tally.messages == service->options.count)
        loop_stop(sink->loop);
}

static void on_signal(void *owner, int signal)
{
    struct service *service = owner;

    if (signal == SIGUSR1)
        tally_print(&service->sink.tally, service->options.expect, service->options.json);
    else
        loop_stop(service->sink.loop);
}

static enum err watch_signals(struct service *service)
{
    static const int wanted[] = { SIGTERM, SIGINT, SIGUSR1 };
    enum err err = ERR_OK;

    for (size_t i = 0; i < LENGTH_OF(wanted) && err == ERR_OK; i++)
        err = signal_watch_start(
            &service->signals[i], service->sink.loop, wanted[i], on_signal, service);
    return err;
}

static void tell_address(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    struct peer peer;
    char text[PEER_TEXT];

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return;
    peer = peer_of_sockaddr((struct sockaddr *)&address);
    peer_text_with_port(&peer, text);
    fprintf(stderr, "listening %s\n", text);
}

static enum err start(struct service *service)
{
    char why[LISTEN_WHY];
    enum err err;
    int fd;

    service->sink.loop = loop_new();
    if (!service->sink.loop)
        return ERR_NOMEM;
    err = listen_bind(slice_text(service->options.listen), &fd, why);
    if (err != ERR_OK) {
        fprintf(stderr, "%s: %s\n", service->options.listen, why);
        return err;
    }
    tell_address(fd);
    err = listener_init(&service->listener, service->sink.loop, fd, on_connection, service);
    return err == ERR_OK ? watch_signals(service) : err;
}

static void stop(struct service *service)
{
    for (size_t i = 0; i < LENGTH_OF(service->signals); i++)
        signal_watch_stop(&service->signals[i]);
    listener_clear(&service->listener);
    sessions_close(&service->sink);
    if (service->sink.loop)
        loop_free(&service->sink.loop);
}

static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static struct service service = {
        .sink = { .on_message = on_message },
        .options = { .listen = "127.0.0.1:2526" },
    };
    const struct tally *tally = &service.sink.tally;
    bool has_lost;
    enum err err;

    (void)argc;
    log_open("sink", LOG_WARNING);
    switch (arguments_read(arguments, LENGTH_OF(arguments), argv, about, &service.options)) {
    case ARGUMENTS_HELP:
        return EX_OK;
    case ARGUMENTS_BAD:
        return EX_USAGE;
    case ARGUMENTS_GOOD:
        break;
    }
    raise_limits();
    service.sink.tally.is_marking = service.options.marker;
    err = start(&service);
    if (err == ERR_OK) {
        loop_run(service.sink.loop);
        tally_print(tally, service.options.expect, service.options.json);
    } else {
        fprintf(stderr, "sink: %s\n", err_text(err));
    }
    has_lost = service.options.marker && service.options.expect > tally->distinct;
    stop(&service);
    tally_clear(&service.sink.tally);
    if (err != ERR_OK)
        return EX_OSERR;
    return has_lost ? EXIT_LOST : EX_OK;
}
