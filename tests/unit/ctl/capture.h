/* tests/unit/ctl/capture.h: runs the tool as a function and keeps what it says. */
#ifndef TESTS_CTL_CAPTURE_H
#define TESTS_CTL_CAPTURE_H

#include "../check.h"

#include "ctl/command.h"

struct capture {
    int status;
    char *out;
    char *err;
};

enum { CAPTURE_WORDS = 32 };

/* line: the arguments, separated by single blanks. */
static inline struct capture capture_run(const char *line)
{
    struct capture capture = { 0 };
    size_t out_size, err_size;
    FILE *out = open_memstream(&capture.out, &out_size);
    FILE *err = open_memstream(&capture.err, &err_size);
    char *copy = strdup(line);
    char name[] = "submitctl";
    char *argv[CAPTURE_WORDS] = { name };
    char *rest = copy;
    int argc = 1;

    assert_true(out && err && copy);
    while (rest && *rest && argc < CAPTURE_WORDS - 1)
        argv[argc++] = strsep(&rest, " ");
    capture.status = ctl_main(argc, argv, out, err);
    fclose(out);
    fclose(err);
    free(copy);
    return capture;
}

static inline void capture_clear(struct capture *capture)
{
    free(capture->out);
    free(capture->err);
}

#endif
