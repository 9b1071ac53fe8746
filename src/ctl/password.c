/* ctl/password.c: reads a password so that it is neither shown nor left behind. */
#include "ctl/password.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 1024 };

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    interrupted = number;
}

/* One line of standard input without its end, octet by octet, so that nothing of a next line is
 * taken. -1: too long, interrupted, or nothing there. */
static ssize_t read_line(char *line, size_t size)
{
    size_t used = 0;

    for (;;) {
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);

        if (got < 0 && errno == EINTR && !interrupted)
            continue;
        if (got < 0 || (got == 0 && used == 0) || used == size)
            return -1;
        if (got == 0 || c == '\n')
            break;
        line[used++] = c;
    }
    return (ssize_t)(used > 0 && line[used - 1] == '\r' ? used - 1 : used);
}

static ssize_t prompt(struct invocation *call, const char *words, char *line, size_t size)
{
    ssize_t len;

    fputs(words, call->err);
    fflush(call->err);
    len = read_line(line, size);
    fputc('\n', call->err);
    return len;
}

static ssize_t prompt_twice(struct invocation *call, char *line, size_t size)
{
    char again[LINE_MAX_OCTETS];
    ssize_t len = prompt(call, "Password: ", line, size);
    ssize_t len_again = len > 0 ? prompt(call, "Again: ", again, sizeof again) : len;
    bool same = len > 0 && len == len_again && memcmp(line, again, (size_t)len) == 0;

    explicit_bzero(again, sizeof again);
    if (len > 0 && len_again >= 0 && !same)
        fputs("submitctl: the two passwords differ\n", call->err);
    return same ? len : -1;
}

/* The terminal is put back whatever happens, a signal included. */
static ssize_t ask_terminal(struct invocation *call, char *line, size_t size)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction note = { .sa_handler = note_signal };
    struct sigaction before[LENGTH_OF(signals)];
    struct termios shown, hidden;
    ssize_t len = -1;

    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return -1;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    interrupted = 0;
    for (size_t i = 0; i < LENGTH_OF(signals); i++)
        sigaction(signals[i], &note, &before[i]);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0)
        len = prompt_twice(call, line, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    for (size_t i = 0; i < LENGTH_OF(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    if (interrupted)
        raise(interrupted);
    return len;
}

int password_ask(struct invocation *call, struct secret *out_password)
{
    char line[LINE_MAX_OCTETS];
    ssize_t len =
        isatty(STDIN_FILENO) ? ask_terminal(call, line, sizeof line) : read_line(line, sizeof line);
    int status = 0;

    if (len < 0)
        status = call_fail(call, EX_DATAERR, "no password was given");
    else if (!secret_set(out_password, slice_of(line, (size_t)len)))
        status = call_fail(call, EX_OSERR, "out of memory");
    explicit_bzero(line, sizeof line);
    return status;
}
