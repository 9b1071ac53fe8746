/* tests/power/operators.c: an operator at the room's socket: asks, and notes each answer. Owns
 * struct operator. */
#include "site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKED_MOST = 64, LINE_MOST = 65536 };

struct operator
{
    struct site *site;
    struct sockaddr_un address;
    socklen_t address_len;
    int fd;
    moment *asked[ASKED_MOST]; /* where each answer is noted; NULL: nowhere */
    size_t count;
    char line[LINE_MOST];
    size_t len;
};

struct operator* operator_new(struct site *site)
{
    struct operator* operator= power_alloc(sizeof *operator);

    operator->site = site;
    operator->fd = - 1;
    /* A name that the kernel picks, in no file system. */
    operator->address.sun_family = AF_UNIX;
    site->doorstep = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    operator->address_len = sizeof operator->address;
    if (site->doorstep < 0 ||
        bind(site->doorstep, (struct sockaddr *)&operator->address, sizeof(sa_family_t)) != 0 ||
        listen(site->doorstep, 16) != 0 ||
        getsockname(
            site->doorstep, (struct sockaddr *)&operator->address, &operator->address_len) != 0)
        abort();
    return operator;
}

void operator_lose(struct operator* operator)
{
    if (operator->fd >= 0)
        close(operator->fd);
    operator->fd = - 1;
    operator->count = operator->len = 0;
}

void operator_free(struct operator** at)
{
    operator_lose(*at);
    free(*at);
    *at = NULL;
}

static bool reach(struct operator* operator)
{
    if (operator->fd >= 0)
        return operator->count<ASKED_MOST;
    operator->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (operator->fd >= 0 &&
        connect(operator->fd, (struct sockaddr *)&operator->address, operator->address_len) == 0)
        return true;
    operator_lose(operator);
    return false;
}

static void ask(
    struct operator* operator, const char * command, const struct promise *promise, moment *answer)
{
    char line[256], id[QUEUE_ID_TEXT + 1] = "";
    int len;

    if (!reach(operator))
        return;
    if (promise) {
        queue_id_format(promise->id, id);
        len =
            snprintf(line, sizeof line, "{\"command\":\"queue-%s\",\"id\":\"%s\"}\n", command, id);
    } else {
        len = snprintf(line, sizeof line, "{\"command\":\"queue-%s\",\"all\":true}\n", command);
    }
    if (send(operator->fd, line, (size_t)len, MSG_NOSIGNAL) == len)
        operator->asked[operator->count++] = answer;
    else
        operator_lose(operator);
}

void operator_hold(struct operator* operator, struct promise * promise)
{
    promise->hold_asked = (moment)recorder_note(operator->site->recorder);
    ask(operator, "hold", promise, &promise->hold_answered);
}

void operator_release(struct operator* operator, struct promise * promise)
{
    promise->release_asked = (moment)recorder_note(operator->site->recorder);
    ask(operator, "release", promise, &promise->release_answered);
}

void operator_delete(struct operator* operator, struct promise * promise)
{
    promise->delete_asked = (moment)recorder_note(operator->site->recorder);
    ask(operator, "delete", promise, &promise->delete_answered);
}

void operator_retry_all(struct operator* operator)
{
    ask(operator, "retry", NULL, NULL);
}

static void take_line(struct operator* operator, const char * line)
{
    moment *answer = operator->asked[0];

    if (operator->count == 0)
        return;
    memmove(operator->asked, operator->asked + 1, --operator->count * sizeof * operator->asked);
    if (answer && strncmp(line, "{\"ok\":true", 10) == 0)
        *answer = (moment)recorder_note(operator->site->recorder);
}

void operator_turn(struct operator* operator)
{
    ssize_t got;
    char *end;

    if (operator->fd<0)
        return;
    got = recv(operator->fd, operator->line + operator->len, LINE_MOST - 1 - operator->len,
        MSG_DONTWAIT);
    if (got == 0) {
        operator_lose(operator);
        return;
    }
    if (got > 0)
        operator->len +=(size_t) got;
    operator->line[operator->len] = '\0';
    while ((end = memchr(operator->line, '\n', operator->len))) {
        size_t used = (size_t)(end - operator->line) + 1;
        *end = '\0';
        take_line(operator, operator->line);
        operator->len -= used;
        memmove(operator->line, operator->line + used, operator->len);
    }
}
