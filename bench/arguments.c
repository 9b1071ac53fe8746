/* bench/arguments.c: reads a command line by its table. */
#include "bench/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct argument *find_argument(
    const struct argument *table, size_t count, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, word + 2) == 0)
            return &table[i];
    return NULL;
}

static bool read_number(const struct argument *argument, const char *text, double *out_number)
{
    char *end = NULL;
    double number;

    errno = 0;
    number = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(number))
        return false;
    if (number < argument->least || number > argument->most)
        return false;
    if (argument->kind == ARGUMENT_WHOLE && number != floor(number))
        return false;
    *out_number = number;
    return true;
}

static bool set_value(const struct argument *argument, const char *text, void *options)
{
    char *at = (char *)options + argument->offset;
    double number;

    if (argument->kind == ARGUMENT_TEXT) {
        *(const char **)(void *)at = text;
        return true;
    }
    if (!read_number(argument, text, &number)) {
        fprintf(stderr, "--%s: %s is not %s from %.15g to %.15g\n", argument->name, text,
            argument->kind == ARGUMENT_WHOLE ? "a whole number" : "a number", argument->least,
            argument->most);
        return false;
    }
    if (argument->kind == ARGUMENT_WHOLE)
        *(uint64_t *)(void *)at = (uint64_t)number;
    else
        *(double *)(void *)at = number;
    return true;
}

static void show_help(const struct argument *table, size_t count, const char *about)
{
    printf("%s\n\n", about);
    for (size_t i = 0; i < count; i++) {
        char left[40];

        snprintf(left, sizeof left, "--%s %s", table[i].name, table[i].word ? table[i].word : "");
        printf("  %-24s %s\n", left, table[i].help);
    }
}

void arguments_read(
    const struct argument *table, size_t count, char **argv, const char *about, void *out_options)
{
    for (char **word = argv + 1; *word; word++) {
        const struct argument *argument = find_argument(table, count, *word);

        if (strcmp(*word, "--help") == 0) {
            show_help(table, count, about);
            exit(EX_OK);
        }
        if (!argument) {
            fprintf(stderr, "%s: no such option; --help shows them\n", *word);
            exit(EX_USAGE);
        }
        if (argument->kind == ARGUMENT_FLAG) {
            *(bool *)(void *)((char *)out_options + argument->offset) = true;
            continue;
        }
        if (!word[1]) {
            fprintf(stderr, "%s: wants %s\n", *word, argument->word);
            exit(EX_USAGE);
        }
        word++;
        if (!set_value(argument, *word, out_options))
            exit(EX_USAGE);
    }
}
