/* message/header_check.c: which headers may be submitted, and the words for those that may not. */
#include "message/header.h"

#include <stdio.h>

/* The text is before, the subject, after; a fault with no `after` names no subject. */
static const struct {
    const char *status;
    const char *before;
    const char *after;
} phrases[HEADER_FAULTS] = {
    [HEADER_SOUND] = { NULL, "", NULL },
    [HEADER_TOO_LARGE] = { "5.6.0", "Header is larger than 256 KiB", NULL },
    [HEADER_TOO_MANY_FIELDS] = { "5.6.0", "Header has more than 2000 fields", NULL },
    [HEADER_FIELD_TOO_LARGE] = { "5.6.0", "Header field ending in line ",
        " is larger than 100 KiB" },
    [HEADER_LINE_TOO_LONG] = { "5.6.0", "Header line ", " is longer than 998 octets" },
    [HEADER_BARE_NEWLINE] = { "5.6.0", "Bare CR or LF not allowed, seen in header line ", "" },
    [HEADER_NUL] = { "5.6.0", "NUL not allowed, seen in header line ", "" },
    [HEADER_BAD_LINE] = { "5.6.0", "Header line ", " is neither a field nor a continuation" },
    [HEADER_NO_FROM] = { "5.6.0", "Missing From", NULL },
    [HEADER_REPEATED_FIELD] = { "5.6.0", "More than one ", " field" },
    [HEADER_LOOP] = { "5.4.6", "More than 100 Received fields: mail loop", NULL },
    [HEADER_NOT_UTF8] = { "5.6.0", "Octets in the ", " field are neither ASCII nor UTF-8" },
    [HEADER_8BIT_ADDRESS] = { "5.6.7", "Non-ASCII ", " field needs SMTPUTF8" },
};

_Static_assert(HEADER_SIZE_MAX == 256 * 1024 && HEADER_FIELDS_MAX == 2000 &&
                   HEADER_BODY_MAX == 100 * 1024 && HEADER_LINE_MAX == 998 &&
                   HEADER_RECEIVED_MAX == 100,
    "the phrases name these limits");

struct header_verdict header_verdict_of(enum header_fault fault, struct slice subject)
{
    struct header_verdict verdict = { .fault = fault, .status = phrases[fault].status };
    const char *after = phrases[fault].after;

    if (fault == HEADER_SOUND)
        return verdict;
    verdict.code = 554;
    subject = slice_first(subject, 32);
    snprintf(verdict.text, sizeof verdict.text, "%s%.*s%s", phrases[fault].before,
        after ? (int)subject.len : 0, subject.data ? subject.data : "", after ? after : "");
    return verdict;
}

/* At most one of each (RFC 5322 section 3.6, MSG-1), and whether TLS is needed is said once
 * (RTLS-6). */
static bool is_unique(enum header_id id)
{
    return (id >= HEADER_FROM && id <= HEADER_SUBJECT) || id == HEADER_TLS_REQUIRED;
}

/* What counts as the same field. */
static enum header_id counted_as(enum header_id id)
{
    return id == HEADER_REQUIRETLS ? HEADER_TLS_REQUIRED : id;
}

static enum header_fault check_charset(const struct header_field *field, bool smtputf8)
{
    if (field->charset == HEADER_ASCII || field->id == HEADER_RECEIVED)
        return HEADER_SOUND;
    if (field->charset == HEADER_MIXED)
        return HEADER_NOT_UTF8;
    return !smtputf8 && header_id_is_address(field->id) ? HEADER_8BIT_ADDRESS : HEADER_SOUND;
}

/* seen: how many fields with this id there are up to this one. */
static enum header_fault check_field(const struct header_field *field, size_t seen, bool smtputf8)
{
    if (field->id == HEADER_RECEIVED && seen > HEADER_RECEIVED_MAX)
        return HEADER_LOOP;
    if (is_unique(counted_as(field->id)) && seen > 1)
        return HEADER_REPEATED_FIELD;
    if (field->id == HEADER_FROM && header_value(field).len == 0)
        return HEADER_NO_FROM;
    return check_charset(field, smtputf8);
}

/* For the text: the usual spelling of a known name, else the name as it stands (printable: the scan
 * saw to it). */
static struct slice subject_of(const struct header_field *field)
{
    const char *name = header_id_name(field->id);

    return name[0] ? slice_text(name) : field->name;
}

bool header_check(
    const struct header_index *index, bool smtputf8, struct header_verdict *out_verdict)
{
    size_t seen[HEADER_IDS] = { 0 };

    for (size_t i = 0; i < index->count; i++) {
        const struct header_field *field = &index->fields[i];
        enum header_fault fault = check_field(field, ++seen[counted_as(field->id)], smtputf8);

        if (fault != HEADER_SOUND) {
            *out_verdict = header_verdict_of(fault, subject_of(field));
            return false;
        }
    }
    *out_verdict = header_verdict_of(
        seen[HEADER_FROM] == 1 ? HEADER_SOUND : HEADER_NO_FROM, slice_of(NULL, 0));
    return out_verdict->fault == HEADER_SOUND;
}
