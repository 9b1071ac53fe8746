/* smtp/parameters.c: the table of ESMTP parameters. Each may be given once in a command (CMD-26).
 */
#include "smtp/parameters.h"

#include "smtp/parameter_values.h"

enum value_rule {
    VALUE_NONE,
    VALUE_NEEDED,
    VALUE_PADDED, /* needed, and may hold "=", which esmtp-value does not allow (D-10) */
};
enum command_kind { FOR_MAIL = 1, FOR_RCPT = 2 };

static const struct row {
    const char *keyword;
    enum command_kind command;
    enum extension extension; /* must be offered */
    enum value_rule value;
    value_parser *parse;
    value_judge *judge;        /* NULL: nothing depends on other parameters */
    const char *excludes;      /* a parameter that must not stand beside it */
    enum parameter_fault says; /* for whatever is wrong with it; 0: the fault itself */
} rows[] = {
    { "SIZE", FOR_MAIL, EXTENSION_SIZE, VALUE_NEEDED, parse_size },
    { "BODY", FOR_MAIL, EXTENSION_8BITMIME, VALUE_NEEDED, parse_body },
    { "SMTPUTF8", FOR_MAIL, EXTENSION_SMTPUTF8, VALUE_NONE, parse_smtputf8 },
    { "AUTH", FOR_MAIL, EXTENSION_AUTH, VALUE_NEEDED, parse_auth },
    { "RET", FOR_MAIL, EXTENSION_DSN, VALUE_NEEDED, parse_ret },
    { "ENVID", FOR_MAIL, EXTENSION_DSN, VALUE_NEEDED, parse_envid },
    { "REQUIRETLS", FOR_MAIL, EXTENSION_REQUIRETLS, VALUE_NONE, parse_requiretls },
    { "BY", FOR_MAIL, EXTENSION_DELIVERBY, VALUE_NEEDED, parse_by },
    { "MT-PRIORITY", FOR_MAIL, EXTENSION_MT_PRIORITY, VALUE_NEEDED, parse_priority,
        .says = PARAMETER_PRIORITY },
    { "MTRK", FOR_MAIL, EXTENSION_MTRK, VALUE_PADDED, parse_mtrk, judge_mtrk },
    { "SOLICIT", FOR_MAIL, EXTENSION_NO_SOLICITING, VALUE_NEEDED, parse_solicit },
    { "CONPERM", FOR_MAIL, EXTENSION_CONPERM, VALUE_NONE, parse_conperm },
    { "TRANSID", FOR_MAIL, EXTENSION_CHECKPOINT, VALUE_NEEDED, parse_transid },
    { "HOLDFOR", FOR_MAIL, EXTENSION_FUTURERELEASE, VALUE_NEEDED, parse_holdfor, judge_hold,
        .excludes = "HOLDUNTIL" },
    { "HOLDUNTIL", FOR_MAIL, EXTENSION_FUTURERELEASE, VALUE_NEEDED, parse_holduntil, judge_hold,
        .excludes = "HOLDFOR" },
    { "NOTIFY", FOR_RCPT, EXTENSION_DSN, VALUE_NEEDED, parse_notify },
    { "ORCPT", FOR_RCPT, EXTENSION_DSN, VALUE_NEEDED, parse_orcpt },
    { "RRVS", FOR_RCPT, EXTENSION_RRVS, VALUE_NEEDED, parse_rrvs },
    { "CONNEG", FOR_RCPT, EXTENSION_CONNEG, VALUE_NONE, parse_conneg },
};

static const char *const fault_texts[PARAMETER_FAULT_COUNT] = {
    [PARAMETER_OK] = "no fault",
    [PARAMETER_NOMEM] = "out of memory",
    [PARAMETER_UNKNOWN] = "parameter not known or not offered",
    [PARAMETER_SYNTAX] = "malformed parameter",
    [PARAMETER_DUPLICATE] = "parameter given twice",
    [PARAMETER_NEEDS_VALUE] = "parameter needs a value",
    [PARAMETER_TAKES_NO_VALUE] = "parameter takes no value",
    [PARAMETER_VALUE] = "parameter has a bad value",
    [PARAMETER_CONFLICT] = "parameter contradicts another",
    [PARAMETER_INCOMPLETE] = "parameter needs another that fits it",
    [PARAMETER_PRIORITY] = "bad priority",
    [PARAMETER_BELOW] = "parameter asks for more than is promised here",
    [PARAMETER_UNHONOURED] = "parameter cannot be honoured",
};

const char *parameter_fault_text(enum parameter_fault fault)
{
    return (unsigned)fault < PARAMETER_FAULT_COUNT ? fault_texts[fault] : "unknown fault";
}

/* One parameter, cut at its "=". */
struct parameter {
    struct slice keyword;
    struct slice value;
    bool has_value;
};

static bool is_keyword(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alpha(text.data[i]) && !ascii_is_digit(text.data[i]) &&
            (text.data[i] != '-' || i == 0))
            return false;
    return text.len > 0;
}

static bool is_value(struct slice text, bool is_padded)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 32 || c == 127 || (c == '=' && !is_padded))
            return false;
    }
    return text.len > 0 && text_is_utf8(text);
}

static const struct row *row_find(struct slice keyword, enum command_kind command, uint32_t offered)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (rows[i].command == command && slice_is_nocase(keyword, rows[i].keyword) &&
            (offered & EXTENSION_BIT(rows[i].extension)))
            return &rows[i];
    return NULL;
}

/* esmtp-param of RFC 5321 section 4.1.2, values as RFC 6531 section 3.3 widens them (GRM-11). row:
 * NULL when it is none that is offered. */
static bool is_parameter(const struct parameter *p, const struct row *row)
{
    return is_keyword(p->keyword) &&
           (!p->has_value || is_value(p->value, row && row->value == VALUE_PADDED));
}

static uint32_t row_bit(const struct row *row)
{
    return UINT32_C(1) << (row - rows);
}

static enum parameter_fault said(const struct row *row, enum parameter_fault fault)
{
    return row->says && fault != PARAMETER_OK && fault != PARAMETER_NOMEM ? row->says : fault;
}

static bool has_excluded(const struct row *row, uint32_t seen)
{
    const struct row *other =
        row->excludes ? row_find(slice_text(row->excludes), row->command, UINT32_MAX) : NULL;

    return other && (seen & row_bit(other));
}

static enum parameter_fault take_parameter(
    struct target *target, const struct row *row, const struct parameter *p, uint32_t *seen)
{
    if (*seen & row_bit(row))
        return PARAMETER_DUPLICATE;
    *seen |= row_bit(row);
    if (p->has_value != (row->value != VALUE_NONE))
        return p->has_value ? PARAMETER_TAKES_NO_VALUE : PARAMETER_NEEDS_VALUE;
    if (has_excluded(row, *seen))
        return PARAMETER_CONFLICT;
    return row->parse(target, p->value);
}

static enum parameter_fault parse_one(
    struct target *target, enum command_kind command, struct slice word, uint32_t *seen)
{
    struct parameter p = { .keyword = slice_first(word, slice_find(word, '=')) };
    const struct row *row = row_find(p.keyword, command, target->context->offered);
    enum parameter_fault fault = PARAMETER_SYNTAX;

    p.has_value = p.keyword.len < word.len;
    p.value = slice_from(word, p.keyword.len + 1);
    if (is_parameter(&p, row))
        fault = row ? take_parameter(target, row, &p, seen) : PARAMETER_UNKNOWN;
    return row ? said(row, fault) : fault;
}

/* *out_culprit: the faulty word, or when all is well the first that holds UTF-8, or nothing. */
static enum parameter_fault parse_all(struct target *target, enum command_kind command,
    struct slice text, uint32_t *out_seen, struct slice *out_culprit)
{
    struct slice utf8 = { 0 };
    uint32_t seen = 0;

    _Static_assert(LENGTH_OF(rows) <= 32, "one bit for each row");
    while (text.len > 0) {
        struct slice word = slice_first(text, slice_find(text, ' '));
        enum parameter_fault fault =
            word.len > 0 ? parse_one(target, command, word, &seen) : PARAMETER_OK;

        if (fault != PARAMETER_OK) {
            *out_culprit = word;
            return fault;
        }
        if (utf8.len == 0 && !text_is_ascii(word))
            utf8 = word;
        text = slice_from(text, word.len + 1);
    }
    *out_seen = seen;
    *out_culprit = utf8;
    return PARAMETER_OK;
}

/* The word of text that gave the row's parameter. */
static struct slice word_of(struct slice text, const struct row *row)
{
    struct slice word = { 0 };

    while (text.len > 0) {
        word = slice_first(text, slice_find(text, ' '));
        if (slice_is_nocase(slice_first(word, slice_find(word, '=')), row->keyword))
            break;
        text = slice_from(text, word.len + 1);
    }
    return word;
}

/* What depends on several parameters, now that all are known. */
static enum parameter_fault judge_all(
    const struct target *target, uint32_t seen, struct slice text, struct slice *out_culprit)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        enum parameter_fault fault =
            (seen & row_bit(&rows[i])) && rows[i].judge ? rows[i].judge(target) : PARAMETER_OK;

        if (fault == PARAMETER_OK)
            continue;
        *out_culprit = word_of(text, &rows[i]);
        return fault;
    }
    return PARAMETER_OK;
}

enum parameter_fault mail_parameters_parse(struct arena *arena, struct slice text,
    const struct parameter_context *context, struct mail_parameters *out_parameters,
    struct slice *out_culprit)
{
    struct mail_parameters mail = { 0 };
    struct target target = { .arena = arena, .context = context, .mail = &mail };
    enum parameter_fault fault = parse_all(&target, FOR_MAIL, text, &mail.seen, out_culprit);

    if (fault != PARAMETER_OK)
        return fault;
    if (out_culprit->len > 0 && !mail.smtputf8)
        return PARAMETER_SYNTAX;
    fault = judge_all(&target, mail.seen, text, out_culprit);
    if (fault == PARAMETER_OK)
        *out_parameters = mail;
    return fault;
}

enum parameter_fault rcpt_parameters_parse(struct arena *arena, struct slice text,
    const struct parameter_context *context, struct rcpt_parameters *out_parameters,
    struct slice *out_culprit)
{
    struct rcpt_parameters rcpt = { 0 };
    struct target target = { .arena = arena, .context = context, .rcpt = &rcpt };
    enum parameter_fault fault = parse_all(&target, FOR_RCPT, text, &rcpt.seen, out_culprit);

    if (fault != PARAMETER_OK)
        return fault;
    if (out_culprit->len > 0 && !context->smtputf8)
        return PARAMETER_SYNTAX;
    *out_parameters = rcpt;
    return PARAMETER_OK;
}
