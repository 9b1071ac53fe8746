/* tests/unit/smtp/cases.h: what the tables of this folder share. */
#ifndef CASES_H
#define CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/slice.h"
#include "smtp/status.h"

/* A string literal as octets; NUL may be among them. */
#define OCTETS(text)                                                                               \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/* Fails with the case's name and both texts unless they are equal. */
static inline void expect_octets(const char *name, struct slice got, struct slice want)
{
    if (!slice_equals(got, want))
        fail_msg("%s: got \"%.*s\", want \"%.*s\"", name, SLICE_ARGS(got), SLICE_ARGS(want));
}

static inline void expect_text(const char *name, struct slice got, const char *want)
{
    expect_octets(name, got, slice_text(want));
}

/* want: "c.s.d", or "" for one that is not set. */
static inline void expect_status(const char *name, struct status got, const char *want)
{
    char text[16] = "";

    if (status_is_set(got))
        snprintf(text, sizeof text, "%u.%u.%u", got.class, got.subject, got.detail);
    expect_text(name, slice_text(text), want);
}

static inline void expect_number(const char *name, uint64_t got, uint64_t want)
{
    if (got != want)
        fail_msg(
            "%s: got %llu, want %llu", name, (unsigned long long)got, (unsigned long long)want);
}

/* count times the octet c; the caller frees it. */
static inline char *repeated(char c, size_t count)
{
    char *text = malloc(count + 1);

    if (!text)
        abort();
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

#endif
