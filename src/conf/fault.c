/* conf/fault.c: messages about the configuration. */
#include "conf/fault.h"

#include <stdarg.h>
#include <stdio.h>

enum err fault_set(struct fault *fault, unsigned line, const char *format, ...)
{
    char *text = fault->error->text;
    size_t size = sizeof fault->error->text;
    int used;
    va_list args;

    if (fault->is_set)
        return ERR_INVALID;
    fault->is_set = true;
    if (line > 0)
        used = snprintf(text, size, "%.200s:%u: ", fault->file, line);
    else
        used = snprintf(text, size, "%.200s: ", fault->file);
    va_start(args, format);
    vsnprintf(text + used, size - (size_t)used, format, args);
    va_end(args);
    return ERR_INVALID;
}

const char *fault_word(struct fault *fault, struct slice word)
{
    char *start = fault->words[fault->next_word++ % FAULT_WORDS];
    struct slice shown = slice_first(word, FAULT_WORD_MAX);
    char *at = start;

    *at++ = '"';
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.data[i];
        if (c >= 0x20 && c < 0x7f)
            *at++ = (char)c;
        else
            at += sprintf(at, "\\x%02x", c);
    }
    strcpy(at, shown.len < word.len ? "...\"" : "\"");
    return start;
}
