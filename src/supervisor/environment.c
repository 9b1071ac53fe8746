/* supervisor/environment.c: a list of names, since what an operator's shell holds (paths, tokens,
 * agents) is nothing for a room, and libraries read more variables than anybody knows. */
#include "supervisor/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* submitd(8), ENVIRONMENT, says the same. A name that ends with an asterisk stands for all that
 * begin so. */
static const char *const passed[] = {
    "TZ",             /* log lines without a journal have local time */
    "JOURNAL_STREAM", /* and with one they have none: base/log.c */
    "OPENSSL_CONF",   /* where the operator's OpenSSL has its things */
    "OPENSSL_MODULES",
    "LD_LIBRARY_PATH", /* whatever it took to start the supervisor, a room needs too */
    "LD_PRELOAD",      /* the proofs put a disk, a clock or a malloc of theirs in between */
    "ASAN_OPTIONS",    /* sanitized builds */
    "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
    "SUBMITD_*", /* the proofs' own: faults, clocks, probes */
};

static bool is_passed(const char *variable)
{
    size_t len = strcspn(variable, "=");

    for (size_t i = 0; i < LENGTH_OF(passed); i++) {
        size_t start = strcspn(passed[i], "*");
        bool has_more = passed[i][start] == '*';

        if ((has_more ? len >= start : len == start) && strncmp(variable, passed[i], start) == 0)
            return true;
    }
    return false;
}

char **environment_of_room(char *const *all)
{
    size_t count = 0;
    char **room;

    while (all[count])
        count++;
    room = calloc(count + 1, sizeof *room);
    count = 0;
    for (size_t i = 0; room && all[i]; i++)
        if (is_passed(all[i]))
            room[count++] = all[i];
    return room;
}
