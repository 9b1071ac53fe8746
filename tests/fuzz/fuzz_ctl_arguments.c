/* tests/fuzz/fuzz_ctl_arguments.c: the operator's command line, arguments ending with LF. It is
 * understood as one command with a fitting number of words, or refused with a message. */
#include "fuzz.h"

#include <sysexits.h>

#include "ctl/command.h"

enum { ARGUMENTS_MAX = 300 };

static bool has_fit(const struct invocation *call)
{
    return call->command && call->word_count >= call->command->least_words &&
           call->word_count <= call->command->most_words &&
           (call->given & ~call->command->options) == 0;
}

static void check(int argc, char **argv)
{
    char *said = NULL, *told = NULL;
    size_t said_len = 0, told_len = 0;
    struct invocation call = { .out = open_memstream(&said, &said_len),
        .err = open_memstream(&told, &told_len) };
    int status = arguments_read(&call, argc, argv);

    REQUIRE(status == 0 || status == EX_USAGE);
    if (status == 0 && (call.help || call.version))
        arguments_help(&call, call.out);
    else if (status == 0)
        REQUIRE(has_fit(&call) && call.senders.count <= CTL_LIST_MAX);
    fclose(call.out);
    fclose(call.err);
    REQUIRE(status == 0 || told_len > 0);
    free(said);
    free(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[ARGUMENTS_MAX + 1] = { (char *)(uintptr_t) "submitctl" };
    char *text = malloc(size + 1);
    int argc = 1;

    REQUIRE(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (char *at = text; at < text + size && argc < ARGUMENTS_MAX; at += strlen(at) + 1) {
        at[strcspn(at, "\n")] = '\0';
        argv[argc++] = at;
    }
    check(argc, argv);
    free(text);
    return 0;
}
