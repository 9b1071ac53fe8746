/* ctl/server.c: the commands about the server as a whole: status, check, reload. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/control.h"
#include "ctl/show.h"
#include "net/tls_pair.h"

enum { RELOAD_WAIT_MS = 10000, RELOAD_STEP_MS = 100 };

static json_t *status_request(void)
{
    return json_pack("{s:s}", "command", "status");
}

static void put_pending(FILE *to, const json_t *result)
{
    const json_t *pending = json_object_get(result, "pending");
    const json_t *name;
    size_t index;

    json_array_foreach (pending, index, name) {
        fputs("waits for a restart: ", to);
        show_text(to, slice_text(json_string_value(name)));
        fputc('\n', to);
    }
}

/* How many records, and where to look. */
static void put_damaged(FILE *to, const json_t *spool)
{
    const json_t *event;
    size_t index;

    fprintf(to, "%-18s %lld records since the start; what was set aside lies in ", "damaged",
        (long long)show_number(spool, "damaged"));
    show_text(to, slice_text(show_member(spool, "aside")));
    fprintf(to, "\n%-18s", "in the log");
    json_array_foreach (json_object_get(spool, "damaged_log"), index, event) {
        fputs(index > 0 ? "\", \"" : " \"", to);
        show_text(to, slice_text(json_string_value(event)));
    }
    fputs("\"\n", to);
}

static void put_spool(FILE *to, const json_t *spool)
{
    const json_t *partials = json_object_get(spool, "partials");
    char used[SHOW_TIME], left[SHOW_TIME];

    show_size(show_number(spool, "bytes"), used);
    show_size(show_number(spool, "free"), left);
    fprintf(to, "%-18s ", "spool");
    show_text(to, slice_text(show_member(spool, "path")));
    fprintf(to, ", %s in %lld segments and %lld bodies, %s free%s\n", used,
        (long long)show_number(spool, "segments"), (long long)show_number(spool, "bodies"), left,
        json_is_true(json_object_get(spool, "full")) ? ", FULL" : "");
    if (show_number(partials, "count") > 0)
        fprintf(to, "%-18s %lld, kept for clients that were cut off\n", "partial messages",
            (long long)show_number(partials, "count"));
    if (show_number(spool, "damaged") > 0)
        put_damaged(to, spool);
}

static void put_status(FILE *to, const json_t *result)
{
    static const char *const numbers[] = { "queued", "held", "recipients", "deferred", "active",
        "accepted", "delivered", "bounced" };
    char time[SHOW_TIME];

    show_line(to, result, "hostname", "server");
    show_line(to, result, "version", "version");
    show_time(show_member(result, "started"), false, time);
    fprintf(to, "%-18s %s\n", "started", time);
    show_line(to, result, "snapshot", "configuration");
    for (size_t i = 0; i < LENGTH_OF(numbers); i++)
        show_line(to, result, numbers[i], numbers[i]);
    if (show_member(result, "oldest")) {
        show_time(show_member(result, "oldest"), false, time);
        fprintf(to, "%-18s %s\n", "oldest", time);
    }
    put_spool(to, json_object_get(result, "spool"));
    put_pending(to, result);
}

int command_status(struct invocation *call)
{
    json_t *result = NULL;
    int status = control_ask(call, status_request(), &result);

    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    put_status(call->out, result);
    json_decref(result);
    return 0;
}

/* Each line of the report on the error stream, and all of them in JSON where that was asked for. */
static int tell_faults(struct invocation *call, struct slice report)
{
    json_t *errors = json_array();

    while (report.len > 0) {
        struct slice line = slice_first(report, slice_find(report, '\n'));

        fprintf(call->err, "submitctl: %s: ", call->conf_path);
        show_text(call->err, line);
        fputc('\n', call->err);
        json_array_append_new(errors, json_stringn(line.data, line.len));
        report = slice_from(report, line.len + 1);
    }
    if (!call->json) {
        json_decref(errors);
        return EX_CONFIG;
    }
    return call_json(call, json_pack("{s:b, s:o}", "ok", 0, "errors", errors)) == 0 ? EX_CONFIG
                                                                                    : EX_SOFTWARE;
}

static int check_pair(struct invocation *call, struct slice certificate, struct slice key)
{
    char why[256];

    if (certificate.len == 0 || tls_pair_check_files(certificate, key, why))
        return 0;
    return call_fail(call, EX_CONFIG, "certificate \"%.*s\" with key \"%.*s\": %s",
        SLICE_ARGS(certificate), SLICE_ARGS(key), why);
}

static int check_pairs(struct invocation *call)
{
    const struct conf_tls *tls = &call->conf->tls;
    int status = check_pair(call, tls->certificate, tls->key);

    for (size_t i = 0; i < tls->sni_count && status == 0; i++)
        status = check_pair(call, tls->snis[i].certificate, tls->snis[i].key);
    return status;
}

/* Loads the configuration and looks at its files. 0, or 78 after every fault has been told. */
static int check_all(struct invocation *call)
{
    struct conf_error error = { "" };
    struct buffer report;
    int status = 0;

    if (conf_load(call->conf_path, &call->arena, &call->conf, &error) != ERR_OK)
        return call_fail(call, EX_CONFIG, "%s", error.text);
    buffer_init(&report, 1 << 20);
    if (conf_check_files(call->conf, &report) > 0)
        status = tell_faults(call, buffer_slice(&report));
    else
        status = check_pairs(call);
    buffer_clear(&report);
    return status;
}

int command_check(struct invocation *call)
{
    int status = check_all(call);

    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, json_pack("{s:b, s:s}", "ok", 1, "file", call->conf_path));
    fprintf(call->out, "%s: good\n", call->conf_path);
    return 0;
}

/* The supervisor's process number from STATE/lock. The lock on the file says whether the number
 * still means anything. */
static int find_supervisor(struct invocation *call, pid_t *out_pid)
{
    char path[1100], text[32];
    uint64_t number;
    ssize_t got;
    bool idle;
    int fd;

    snprintf(path, sizeof path, "%.*s/lock", SLICE_ARGS(call->conf->state));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return call_fail(call, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "cannot read %s: %s",
            path, strerror(errno));
    got = read(fd, text, sizeof text);
    idle = flock(fd, LOCK_SH | LOCK_NB) == 0;
    close(fd);
    if (idle)
        return call_fail(
            call, EX_UNAVAILABLE, "no server runs on %.*s", SLICE_ARGS(call->conf->state));
    if (got <= 0 ||
        !slice_number(
            slice_first(slice_of(text, (size_t)got), slice_find(slice_of(text, (size_t)got), '\n')),
            INT32_MAX, &number) ||
        number < 2)
        return call_fail(call, EX_SOFTWARE, "%s holds no process number", path);
    *out_pid = (pid_t)number;
    return 0;
}

/* Waits until a later snapshot than that is in force. The queue room may be restarting meanwhile:
 * its silence is no answer. */
static int await_snapshot(struct invocation *call, json_int_t old, json_t **out_result)
{
    const struct timespec step = { .tv_nsec = RELOAD_STEP_MS * 1000000L };
    int64_t end = clock_mono_ms() + RELOAD_WAIT_MS;
    char error[1024];

    while (clock_mono_ms() < end) {
        json_t *result = NULL;
        int status = control_try(call->conf, status_request(), &result, error, sizeof error);

        if (status == 0 && show_number(result, "snapshot") > old) {
            *out_result = result;
            return 0;
        }
        json_decref(result);
        nanosleep(&step, NULL);
    }
    return call_fail(call, EX_TEMPFAIL,
        "the server has not taken the configuration within %d seconds; its log says why",
        RELOAD_WAIT_MS / 1000);
}

int command_reload(struct invocation *call)
{
    json_t *before = NULL, *after = NULL;
    json_int_t old;
    pid_t pid;
    int status = check_all(call);

    if (status == 0)
        status = find_supervisor(call, &pid);
    if (status == 0)
        status = control_ask(call, status_request(), &before);
    if (status != 0)
        return status;
    old = show_number(before, "snapshot");
    json_decref(before);
    if (kill(pid, SIGHUP) != 0)
        return call_fail(call, errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
            "cannot signal process %d: %s", (int)pid, strerror(errno));
    status = await_snapshot(call, old, &after);
    if (status != 0)
        return status;
    if (call->json)
        status = call_json(call, json_pack("{s:I, s:O}", "snapshot", show_number(after, "snapshot"),
                                     "pending", json_object_get(after, "pending")));
    else {
        fprintf(call->out, "configuration %lld is in force\n",
            (long long)show_number(after, "snapshot"));
        put_pending(call->out, after);
    }
    json_decref(after);
    return status;
}
