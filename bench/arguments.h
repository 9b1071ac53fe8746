/* bench/arguments.h: the command lines of load and sink, from one table each: "--name" or "--name
 * VALUE", and the help. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

enum argument_kind {
    ARGUMENT_FLAG,   /* bool */
    ARGUMENT_WHOLE,  /* uint64_t, from least to most */
    ARGUMENT_NUMBER, /* double, from least to most */
    ARGUMENT_TEXT,   /* const char *, of the command line */
};

struct argument {
    const char *name;
    enum argument_kind kind;
    size_t offset; /* of the value in the options */
    double least;
    double most;
    const char *word; /* what the value is called in the help; NULL for a flag */
    const char *help;
};

/* Sets what the command line names in out_options, where the defaults are already. A mistake is
 * told on standard error and ends the program (EX_USAGE); so does --help, on standard output
 * (EX_OK). */
void arguments_read(
    const struct argument *table, size_t count, char **argv, const char *about, void *out_options);

#endif
