/* message/completion.c: the final header block. */
#include "message/completion.h"

#include <stdio.h>

#include "message/cfws.h"
#include "message/date.h"
#include "message/message_id.h"

/* The rules ask with field NULL whether an absent field must be added. */
static bool is_date_wrong(const struct header_field *field, const struct completion_facts *facts)
{
    int64_t wall;

    return !facts->keep_date && (!field || !date_parse(field->body, &wall));
}

static bool is_id_wrong(const struct header_field *field, const struct completion_facts *facts)
{
    return !facts->keep_message_id && (!field || !message_id_is_valid(field->body));
}

static bool is_bcc_unwanted(
    const struct header_field *field UNUSED, const struct completion_facts *facts)
{
    return !facts->keep_bcc;
}

static bool is_never_wanted(
    const struct header_field *field UNUSED, const struct completion_facts *facts UNUSED)
{
    return true;
}

/* Does the field claim that we authenticated something (RFC 8601 section 5)? */
static bool is_forged_result(const struct header_field *field, const struct completion_facts *facts)
{
    size_t start = 0, end;

    if (!cfws_skip(field->body, &start))
        return true;
    start += start < field->body.len && field->body.data[start] == '"';
    for (end = start; end < field->body.len && !strchr(" \t\r\n;(\"", field->body.data[end]);)
        end++;
    return slice_equals_nocase(
        slice_first(slice_from(field->body, start), end - start), facts->received.by);
}

static void put_date(struct buffer *out, const struct completion_facts *facts)
{
    char date[DATE_TEXT + 1];

    date_format(facts->received.wall, date);
    buffer_printf(out, "Date: %s\r\n", date);
}

static void put_id(struct buffer *out, const struct completion_facts *facts)
{
    buffer_put_text(out, "Message-ID: ");
    message_id_put(out, facts->received.queue_id, facts->random, facts->received.by);
    buffer_put_text(out, "\r\n");
}

/* put writes the right field in place of a wrong one and of none; a rule without it removes. */
static const struct rule {
    enum header_id id;
    enum completion_fixup fixup;
    bool (*is_wrong)(const struct header_field *field, const struct completion_facts *facts);
    void (*put)(struct buffer *out, const struct completion_facts *facts);
} rules[] = {
    { HEADER_DATE, FIXUP_DATE, is_date_wrong, put_date },
    { HEADER_MESSAGE_ID, FIXUP_MESSAGE_ID, is_id_wrong, put_id },
    { HEADER_BCC, FIXUP_BCC, is_bcc_unwanted, NULL },
    { HEADER_RESENT_BCC, FIXUP_BCC, is_bcc_unwanted, NULL },
    { HEADER_RETURN_PATH, FIXUP_RETURN_PATH, is_never_wanted, NULL },
    { HEADER_CONTENT_LENGTH, FIXUP_CONTENT_LENGTH, is_never_wanted, NULL },
    { HEADER_PRIVATE, FIXUP_PRIVATE, is_never_wanted, NULL },
    { HEADER_AUTHENTICATION_RESULTS, FIXUP_AUTH_RESULTS, is_forged_result, NULL },
};

static const struct rule *rule_of(enum header_id id)
{
    for (size_t i = 0; i < LENGTH_OF(rules); i++)
        if (rules[i].id == id)
            return &rules[i];
    return NULL;
}

static unsigned put_field(
    struct buffer *out, const struct header_field *field, const struct completion_facts *facts)
{
    const struct rule *rule = rule_of(field->id);

    if (!rule || !rule->is_wrong(field, facts)) {
        buffer_put_slice(out, field->whole);
        return 0;
    }
    if (rule->put)
        rule->put(out, facts);
    return rule->fixup;
}

static unsigned put_absent(
    struct buffer *out, const struct header_index *header, const struct completion_facts *facts)
{
    unsigned fixups = 0;

    for (size_t i = 0; i < LENGTH_OF(rules); i++) {
        const struct rule *rule = &rules[i];

        if (rule->put && header->seen[rule->id] == 0 && rule->is_wrong(NULL, facts)) {
            rule->put(out, facts);
            fixups |= rule->fixup;
        }
    }
    return fixups;
}

unsigned completion_put(
    struct buffer *out, const struct header_index *header, const struct completion_facts *facts)
{
    unsigned fixups = 0;

    received_put(out, &facts->received);
    for (size_t i = 0; i < header->count; i++)
        fixups |= put_field(out, &header->fields[i], facts);
    fixups |= put_absent(out, header, facts);
    buffer_put_text(out, "\r\n");
    return fixups;
}

void completion_fixups_text(unsigned fixups, char out_text[FIXUPS_TEXT])
{
    static const char *const names[] = { "date", "msgid", "bcc", "return-path", "content-length",
        "private", "auth-results" };
    int used = 0;

    out_text[0] = '\0';
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        if (fixups & 1u << i)
            used += snprintf(
                out_text + used, FIXUPS_TEXT - (size_t)used, "%s%s", used > 0 ? "," : "", names[i]);
}
