/* ctl/control.c: one request, one reply on the operator's socket. */
#include "ctl/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

enum { REPLY_MAX = 16 << 20, WAIT_MS = 60000 };

static int open_socket(const struct conf *conf)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || conf->control.len >= sizeof address.sun_path)
        return fd;
    memcpy(address.sun_path, conf->control.data, conf->control.len);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

static bool send_line(int fd, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0;
    size_t sent = 0;

    if (!text)
        return false;
    text[len++] = '\n';
    while (sent < len) {
        ssize_t put = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
        if (put < 0 && errno != EINTR)
            break;
        sent += put > 0 ? (size_t)put : 0;
    }
    free(text);
    return sent == len;
}

/* Reads up to the first LF. */
static bool read_line(int fd, struct buffer *line)
{
    int64_t end = clock_mono_ms() + WAIT_MS;

    for (;;) {
        struct pollfd poller = { .fd = fd, .events = POLLIN };
        int64_t left = end - clock_mono_ms();
        size_t before = line->len;
        char *room;
        ssize_t got;

        if (left <= 0 || poll(&poller, 1, (int)left) == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        room = buffer_reserve(line, 65536);
        got = room ? recv(fd, room, 65536, 0) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? ECONNRESET : errno;
            return false;
        }
        buffer_commit(line, (size_t)got);
        before = slice_find(slice_from(buffer_slice(line), before), '\n') + before;
        if (before < line->len) {
            buffer_truncate(line, before);
            return true;
        }
    }
}

static const struct {
    const char *code;
    int status;
} statuses[] = {
    { "bad-request", EX_USAGE },
    { "not-found", EX_NOINPUT },
    { "busy", EX_TEMPFAIL },
    { "failed", EX_IOERR },
};

static int judge(const json_t *reply, json_t **out_result, char *out_error, size_t size)
{
    const char *code = json_string_value(json_object_get(reply, "code"));
    const char *text = json_string_value(json_object_get(reply, "error"));
    json_t *result = json_object_get(reply, "result");

    if (json_is_true(json_object_get(reply, "ok")) && json_is_object(result)) {
        *out_result = json_incref(result);
        return 0;
    }
    snprintf(out_error, size, "%s", text ? text : "the server's answer is not understood");
    for (size_t i = 0; code && i < LENGTH_OF(statuses); i++)
        if (strcmp(statuses[i].code, code) == 0)
            return statuses[i].status;
    return EX_PROTOCOL;
}

static int exchange(int fd, json_t *request, json_t **out_result, char *out_error, size_t size)
{
    struct buffer line;
    json_t *reply = NULL;
    int status = EX_UNAVAILABLE;

    buffer_init(&line, REPLY_MAX + 65536);
    if (!send_line(fd, request) || !read_line(fd, &line)) {
        snprintf(out_error, size, "the server does not answer: %s", strerror(errno));
    } else {
        struct slice text = buffer_slice(&line);
        reply = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
        status = judge(reply, out_result, out_error, size);
    }
    json_decref(reply);
    buffer_clear(&line);
    return status;
}

int control_try(
    const struct conf *conf, json_t *request, json_t **out_result, char *out_error, size_t size)
{
    int fd = request ? open_socket(conf) : -1;
    int status;

    if (!request) {
        snprintf(out_error, size, "out of memory");
        return EX_OSERR;
    }
    if (fd < 0) {
        status = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
        snprintf(out_error, size, "cannot reach the server at %.*s: %s%s",
            SLICE_ARGS(conf->control), strerror(errno),
            errno == ENOENT || errno == ECONNREFUSED ? " (is it running?)" : "");
    } else {
        status = exchange(fd, request, out_result, out_error, size);
        close(fd);
    }
    json_decref(request);
    return status;
}

int control_ask(struct invocation *call, json_t *request, json_t **out_result)
{
    char error[1024];
    int status = control_try(call->conf, request, out_result, error, sizeof error);

    return status == 0 ? 0 : call_fail(call, status, "%s", error);
}
