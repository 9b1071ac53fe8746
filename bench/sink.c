/* bench/sink.c: a next hop that takes everything at once and keeps nothing but counts. Ends on
 * SIGTERM, SIGINT or after a count; SIGUSR1 shows the totals so far. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench/address.h"
#include "bench/arguments.h"
#include "bench/meter.h"
#include "bench/taker.h"

#define AT(member) offsetof(struct sink_options, member)

enum { EXIT_LOST = 1 };

struct sink_options {
    const char *listen;
    uint64_t count;
    uint64_t expect;
    double every;
    double delay;
    const char *refuse;
    bool no_chunking;
    bool marker;
    bool json;
};

static const struct argument arguments[] = {
    { "listen", ARGUMENT_TEXT, AT(listen), 0, 0, "ADDRESS:PORT",
        "default 127.0.0.1:2526; port 0: a free one, told on standard error" },
    { "count", ARGUMENT_WHOLE, AT(count), 0, 1e15, "N", "end after N messages" },
    { "every", ARGUMENT_NUMBER, AT(every), 0, 3600, "S", "print totals each S seconds" },
    { "delay", ARGUMENT_NUMBER, AT(delay), 0, 3600000, "MS", "milliseconds before each 250" },
    { "refuse", ARGUMENT_TEXT, AT(refuse), 0, 0, "TEXT",
        "the reply to each RCPT, such as \"450 4.2.0 later\"" },
    { "no-chunking", ARGUMENT_FLAG, AT(no_chunking), 0, 0, NULL, "do not offer CHUNKING" },
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
    struct sink_options options;
    struct poller poller;
    struct taker taker;
    struct door door;
    struct watcher signals; /* a signalfd */
    struct watcher clock;   /* a timerfd, with --every */
};

static void show(const struct service *service)
{
    tally_print(&service->taker.tally, service->options.expect, service->options.json);
}

static void on_message(struct taker *taker)
{
    struct service *service = CONTAINER_OF(taker, struct service, taker);

    if (taker->tally.messages == service->options.count)
        poller_stop(&service->poller);
}

static void on_signal(struct watcher *watcher, uint32_t ready)
{
    struct service *service = CONTAINER_OF(watcher, struct service, signals);
    struct signalfd_siginfo signal;

    (void)ready;
    if (read(watcher->fd, &signal, sizeof signal) != sizeof signal)
        return;
    if (signal.ssi_signo == SIGUSR1)
        show(service);
    else
        poller_stop(&service->poller);
}

static void on_clock(struct watcher *watcher, uint32_t ready)
{
    uint64_t expired;

    (void)ready;
    if (read(watcher->fd, &expired, sizeof expired) > 0)
        show(CONTAINER_OF(watcher, struct service, clock));
}

static enum err watch_signals(struct service *service)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    service->signals = (struct watcher){
        .fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC),
        .on_ready = on_signal,
    };
    if (service->signals.fd < 0)
        return ERR_NOFILES;
    return poller_add(&service->poller, &service->signals, EPOLLIN);
}

static enum err watch_clock(struct service *service)
{
    double seconds = service->options.every;
    struct timespec step = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    struct itimerspec in = { step, step };

    service->clock = (struct watcher){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
        .on_ready = on_clock,
    };
    if (service->clock.fd < 0 || timerfd_settime(service->clock.fd, 0, &in, NULL) != 0)
        return ERR_NOFILES;
    return poller_add(&service->poller, &service->clock, EPOLLIN);
}

static enum err start(struct service *service)
{
    enum err err = poller_init(&service->poller);
    int fd;

    service->taker.poller = &service->poller;
    service->taker.on_message = on_message;
    if (err == ERR_OK)
        err = watch_signals(service);
    if (err == ERR_OK && service->options.every > 0)
        err = watch_clock(service);
    if (err == ERR_OK)
        err = taker_init(&service->taker);
    if (err != ERR_OK)
        return err;
    fd = address_listen(service->options.listen);
    return fd < 0 ? ERR_INVALID : door_open(&service->door, &service->taker, fd);
}

static char *refusal_line(const char *text)
{
    char *line = NULL;

    return text && asprintf(&line, "%s\r\n", text) > 0 ? line : NULL;
}

static int serve(struct service *service)
{
    const struct tally *tally = &service->taker.tally;
    enum err err = start(service);

    if (err != ERR_OK) {
        fprintf(stderr, "sink: %s\n", err_text(err));
        return EX_OSERR;
    }
    poller_run(&service->poller);
    show(service);
    return service->options.marker && service->options.expect > tally->distinct ? EXIT_LOST : EX_OK;
}

int main(int argc, char **argv)
{
    static struct service service = { .options = { .listen = "127.0.0.1:2526" } };
    char *refusal;
    int status;

    (void)argc;
    arguments_read(arguments, LENGTH_OF(arguments), argv, about, &service.options);
    signal(SIGPIPE, SIG_IGN);
    takers_raise_limits();
    refusal = refusal_line(service.options.refuse);
    service.taker.refusal = refusal;
    service.taker.has_no_chunking = service.options.no_chunking;
    service.taker.delay_us = (int64_t)(service.options.delay * 1000);
    service.taker.tally.is_marking = service.options.marker;
    status = serve(&service);
    taker_clear(&service.taker);
    poller_clear(&service.poller);
    free(refusal);
    return status;
}
