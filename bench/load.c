/* bench/load.c: a load of SMTP submissions on one server. Ends by itself; exit status 1 when
 * anything was not as expected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "bench/address.h"
#include "bench/arguments.h"
#include "bench/load_client.h"
#include "bench/load_report.h"
#include "bench/tls_context.h"

#define AT(member) offsetof(struct load_options, member)

enum { EXIT_UNEXPECTED = 1, LANES_MAX = 16 };

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
    { "threads", ARGUMENT_WHOLE, AT(threads), 1, LANES_MAX, "N", "that share them (default 1)" },
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
    { "resume", ARGUMENT_FLAG, AT(resume), 0, 0, NULL, "resume TLS sessions by their tickets" },
    { "idle", ARGUMENT_FLAG, AT(idle), 0, 0, NULL,
        "log in and hold; each line on standard input asks all for a NOOP" },
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
    "commit is the time from the last octet written to the 250; message that from when a\n"
    "connection took the message or, with --rate, from when it was due; connect and login\n"
    "begin with the connection.";

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

/* What is wrong with them; NULL: nothing. */
static const char *mistake_in(const struct load_options *options)
{
    static const char *const ways[] = { "implicit", "starttls", "none", NULL };

    if (!is_one_of(options->tls, ways))
        return "--tls is not implicit, starttls or none";
    if (options->user && !options->password)
        return "--user wants --password";
    if (options->rate > 0 && options->seconds <= 0 && options->count == 0)
        return "--rate wants --seconds or --count";
    if (options->threads > options->connections)
        return "--threads: more than --connections";
    if (options->idle && (options->threads > 1 || options->per_session > 0))
        return "--idle wants one thread, and no --per-session";
    return NULL;
}

/* One descriptor for each connection, and some. */
static void raise_limits(uint64_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= connections + 64)
        return;
    limit.rlim_cur = connections + 64;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err prepare(struct plan *plan)
{
    const struct load_options *options = plan->options;
    enum err err;

    if (!address_read(options->server, &plan->server)) {
        fprintf(stderr, "--server: %s is not an IPv4 address and a port\n", options->server);
        return ERR_INVALID;
    }
    err = content_init(&plan->content, options->size);
    if (err != ERR_OK || strcmp(options->tls, "none") == 0)
        return err;
    plan->tls = tls_client_context(options->resume ? client_keep_session : NULL);
    return plan->tls ? ERR_OK : ERR_NOMEM;
}

/* Lanes */

struct thread {
    struct lane lane;
    pthread_t id;
    enum err err;
};

/* The part of the index-th of `parts` in `whole`. */
static uint64_t share(uint64_t whole, uint64_t parts, uint64_t index)
{
    return whole / parts + (index < whole % parts);
}

static void *run_lane(void *owner)
{
    struct thread *thread = owner;

    thread->err = lane_run(&thread->lane);
    return NULL;
}

static void start_lane(struct thread *thread, struct plan *plan, uint64_t index)
{
    const struct load_options *options = plan->options;

    thread->lane.plan = plan;
    thread->lane.index = index;
    thread->lane.connections = share(options->connections, options->threads, index);
    thread->lane.count = share(options->count, options->threads, index);
    if (pthread_create(&thread->id, NULL, run_lane, thread) != 0)
        abort();
}

static int show(const struct lane *total)
{
    if (total->plan->options->json)
        report_json(total);
    else
        report_line(total);
    return total->tally.fault_count > 0 ? EXIT_UNEXPECTED : EX_OK;
}

/* The first lane becomes the sum of all. */
static int run_all(struct plan *plan)
{
    static struct thread threads[LANES_MAX];
    enum err err = ERR_OK;

    for (uint64_t i = 0; i < plan->options->threads; i++)
        start_lane(&threads[i], plan, i);
    for (uint64_t i = 0; i < plan->options->threads; i++) {
        pthread_join(threads[i].id, NULL);
        err = err == ERR_OK ? threads[i].err : err;
        if (i > 0)
            tally_join(&threads[0].lane.tally, &threads[i].lane.tally);
    }
    if (err == ERR_OK)
        return plan->options->idle ? EX_OK : show(&threads[0].lane);
    fprintf(stderr, "load: %s\n", err_text(err));
    return EX_OSERR;
}

int main(int argc, char **argv)
{
    static struct plan plan;
    struct load_options options = {
        .server = "127.0.0.1:465",
        .tls = "implicit",
        .host = "localhost",
        .users = 1,
        .connections = 1,
        .threads = 1,
        .sources = 1,
        .to = "bench@example.net",
        .recipients = 1,
        .size = 4096,
        .timeout = 60,
        .faults = 100,
    };
    const char *mistake;
    int status = EX_UNAVAILABLE;

    (void)argc;
    arguments_read(arguments, LENGTH_OF(arguments), argv, about, &options);
    if (options.count == 0 && options.seconds <= 0)
        options.seconds = 10;
    mistake = mistake_in(&options);
    if (mistake) {
        fprintf(stderr, "%s\n", mistake);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limits(options.connections);
    plan.options = &options;
    if (prepare(&plan) == ERR_OK)
        status = run_all(&plan);
    SSL_CTX_free(plan.tls);
    content_clear(&plan.content);
    return status;
}
