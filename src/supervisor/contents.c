/* supervisor/contents.c: looking into the operator's files, not into what strangers send. */
#include "supervisor/contents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/tls.h"

enum { LINE_MOST = 4096, PATH_SHOWN = 200 };

static const char *secret_fault(struct slice line, size_t most)
{
    if (line.len == 0)
        return "is empty";
    if (line.len > most)
        return "is too long";
    return slice_find(line, '\0') < line.len ? "has a NUL in it" : NULL;
}

enum err contents_check_secret(
    const char *option, struct slice path, int fd, size_t most, struct conf_error *out_why)
{
    char text[LINE_MOST];
    ssize_t got = pread(fd, text, sizeof text, 0);
    const char *fault =
        got < 0 ? strerror(errno) : secret_fault(slice_line(slice_of(text, (size_t)got)), most);

    explicit_bzero(text, sizeof text);
    if (!fault)
        return ERR_OK;
    snprintf(out_why->text, sizeof out_why->text,
        "%s \"%.*s\": line 1 %s; write the secret there, 1 to %zu octets", option,
        SLICE_ARGS(slice_first(path, PATH_SHOWN)), fault, most);
    return got < 0 ? ERR_IO : ERR_INVALID;
}

enum err contents_check_roots(
    const char *option, struct slice path, int fd, struct conf_error *out_why)
{
    char why[TLS_WHY];

    if (tls_roots_check(fd, why))
        return ERR_OK;
    snprintf(out_why->text, sizeof out_why->text,
        "%s \"%.*s\": %s; put the certificates of those who are trusted there, in PEM", option,
        SLICE_ARGS(slice_first(path, PATH_SHOWN)), why);
    return ERR_INVALID;
}
