/* bench/load.c: a load of SMTP submissions on one server. Ends by itself; exit status 1 when
 * anything was not as expected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/log.h"
#include "bench/arguments.h"
#include "bench/load_report.h"
#include "bench/load_run.h"
#include "net/tls.h"

#define AT(member) offsetof(struct load_options, member)

enum { EXIT_UNEXPECTED = 1 };

static const struct argument arguments[] = {
    { "server", ARGUMENT_TEXT, AT(server), 0, 0, "ADDRESS:PORT", "default 127.0.0.1:465" },
    { "tls", ARGUMENT_TEXT, AT(tls), 0, 0, "HOW", "implicit (default), starttls or none" },
    { "host", ARGUMENT_TEXT, AT(host), 0, 0, "NAME", "the server's name in TLS" },
    { "user", ARGUMENT_TEXT, AT(user), 0, 0, "PATTERN",
        "AUTH PLAIN as this user; %u is the user's number. Default: no AUTH" },
    { "password", ARGUMENT_TEXT, AT(password), 0, 0, "TEXT", "of all users" },
    { "users", ARGUMENT_WHOLE, AT(users), 1, 1e9, "N",
        "each session logs in as the next of N users (default 1)" },
    { "connections", ARGUMENT_WHOLE, AT(connections), 1, 60000, "N", "default 1" },
    { "sources", ARGUMENT_WHOLE, AT(sources), 1, 65000, "N",
        "connect from N addresses of 127.0.0.0/16 (default 1)" },
    { "per-session", ARGUMENT_WHOLE, AT(per_session), 0, 1e9, "N",
        "messages for each session; 0 (default): all in one" },
    { "from", ARGUMENT_TEXT, AT(from), 0, 0, "PATTERN", "sender (default: the user)" },
    { "to", ARGUMENT_TEXT, AT(to), 0, 0, "PATTERN",
        "recipient; %n is the message's number (default bench@example.net)" },
    { "recipients", ARGUMENT_WHOLE, AT(recipients), 1, 1000, "N", "for each message (default 1)" },
    { "size", ARGUMENT_WHOLE, AT(size), 1, 1e9, "OCTETS", "of a message (default 4096)" },
    { "bdat", ARGUMENT_FLAG, AT(bdat), 0, 0, NULL, "BDAT instead of DATA" },
    { "no-pipelining", ARGUMENT_FLAG, AT(no_pipelining), 0, 0, NULL,
        "wait for each reply; else the envelope goes in one flight" },
    { "count", ARGUMENT_WHOLE, AT(count), 0, 1e9, "N", "end after N messages" },
    { "seconds", ARGUMENT_NUMBER, AT(seconds), 0, 86400, "S",
        "end after S seconds of counting (default 10, without --count)" },
    { "warmup", ARGUMENT_NUMBER, AT(warmup), 0, 3600, "S", "seconds of load before that" },
    { "rate", ARGUMENT_NUMBER, AT(rate), 0, 1e6, "N",
        "offer N messages a second, whatever the server does; 0 (default): closed loop" },
    { "timeout", ARGUMENT_NUMBER, AT(timeout), 0.1, 3600, "S", "for one reply (default 60)" },
    { "faults", ARGUMENT_WHOLE, AT(faults), 1, 1e9, "N",
        "end after N unexpected replies (default 100)" },
    { "first", ARGUMENT_WHOLE, AT(first), 0, 1e15, "N", "X-Bench number of the first message" },
    { "json", ARGUMENT_FLAG, AT(json), 0, 0, NULL, "print JSON" },
    { "marks", ARGUMENT_FLAG, AT(marks), 0, 0, NULL,
        "say begin and end of the counting on standard error" },
};

static const char about[] =
    "load: submits messages over SMTP, checks every reply, and prints rate and latencies.\n"
    "commit is the time from the last octet written to the 250; whole that from when a\n"
    "connection took the message; with --rate, due that from when the message was due.";

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static bool check_options(const struct load_options *options)
{
    static const char *const ways[] = { "implicit", "starttls", "none", NULL };

    if (!is_one_of(options->tls, ways)) {
        fprintf(stderr, "--tls: %s is not implicit, starttls or none\n", options->tls);
        return false;
    }
    if (options->user && !options->password) {
        fprintf(stderr, "--user wants --password\n");
        return false;
    }
    if (options->rate > 0 && options->seconds <= 0 && options->count == 0) {
        fprintf(stderr, "--rate wants --seconds or --count\n");
        return false;
    }
    return true;
}

/* One descriptor for each connection, and some. */
static void raise_limits(uint64_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= connections + 32)
        return;
    limit.rlim_cur = connections + 32 < limit.rlim_max ? connections + 32 : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err prepare(struct run *run)
{
    const struct load_options *options = run->options;
    char why[TLS_WHY];
    enum err err;

    if (!peer_parse_with_port(slice_text(options->server), &run->server)) {
        fprintf(stderr, "--server: %s is not a numeric address and a port\n", options->server);
        return ERR_INVALID;
    }
    run->loop = loop_new();
    if (!run->loop)
        return ERR_NOMEM;
    err = content_init(&run->content, options->size);
    if (err != ERR_OK || strcmp(options->tls, "none") == 0)
        return err;
    err = tls_client_new(-1, &run->tls, why);
    if (err != ERR_OK)
        fprintf(stderr, "TLS: %s\n", why);
    return err;
}

static int show(const struct run *run)
{
    if (run->options->json)
        report_json(run);
    else
        report_line(run);
    return run->fault_count > 0 ? EXIT_UNEXPECTED : EX_OK;
}

int main(int argc, char **argv)
{
    static struct run run;
    struct load_options options = {
        .server = "127.0.0.1:465",
        .tls = "implicit",
        .host = "localhost",
        .users = 1,
        .connections = 1,
        .sources = 1,
        .to = "bench@example.net",
        .recipients = 1,
        .size = 4096,
        .timeout = 60,
        .faults = 100,
    };
    enum err err;

    (void)argc;
    log_open("load", LOG_WARNING);
    switch (arguments_read(arguments, LENGTH_OF(arguments), argv, about, &options)) {
    case ARGUMENTS_HELP:
        return EX_OK;
    case ARGUMENTS_BAD:
        return EX_USAGE;
    case ARGUMENTS_GOOD:
        break;
    }
    if (options.count == 0 && options.seconds <= 0)
        options.seconds = 10;
    if (!check_options(&options))
        return EX_USAGE;
    raise_limits(options.connections);
    run.options = &options;
    err = prepare(&run);
    if (err == ERR_OK)
        err = run_all(&run);
    if (err != ERR_OK)
        fprintf(stderr, "load: %s\n", err_text(err));
    tls_client_free(&run.tls);
    content_clear(&run.content);
    loop_free(&run.loop);
    return err == ERR_OK ? show(&run) : EX_OSERR;
}
