/* ctl/show.h: how facts are shown to people: times with their zone, sizes, aligned lines, and text
 * from outside that can do nothing to a terminal. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "base/slice.h"

enum { SHOW_TIME = 40 };

/* Control characters, C1 ones and what is no UTF-8 included, are written as \xHH. */
void show_text(FILE *to, struct slice text);
/* "2026-03-03T10:00:00.123Z" as local time with its zone: "2026-03-03 11:00:00 +0100"; with
 * fractions where wanted. Text that is no such time, or NULL, gives "-". */
void show_time(const char *utc, bool fractions, char out_text[SHOW_TIME]);
/* "812 B", "4.1 KiB", "50 MiB". */
void show_size(json_int_t octets, char out_text[SHOW_TIME]);

/* Members of a JSON object from the server; absent ones and such of another type give NULL or 0. */
const char *show_member(const json_t *object, const char *name);
json_int_t show_number(const json_t *object, const char *name);

/* "  name            value" for one member: text, number or boolean; nothing where it is absent. */
void show_line(FILE *to, const json_t *object, const char *name, const char *label);

#endif
