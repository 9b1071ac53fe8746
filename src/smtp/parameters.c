/* smtp/parameters.c: the table of ESMTP parameters. Each may be given once in a command (CMD-26).
 */
#include "smtp/parameters.h"

#include "smtp/xtext.h"

/* Where values go, and what decides about them. */
struct target {
    struct arena *arena;
    uint32_t offered;
    struct mail_parameters *mail;
    struct rcpt_parameters *rcpt;
};

enum value_rule { VALUE_NONE, VALUE_NEEDED };
enum command_kind { FOR_MAIL = 1, FOR_RCPT = 2 };

/* A value that has passed the grammar of esmtp-value. */
typedef enum parameter_fault value_parser(struct target *target, struct slice value);

static value_parser parse_size, parse_body, parse_smtputf8, parse_auth;

static const struct row {
    const char *keyword;
    enum command_kind command;
    enum extension extension; /* must be offered */
    enum value_rule value;
    value_parser *parse;
} rows[] = {
    { "SIZE", FOR_MAIL, EXTENSION_SIZE, VALUE_NEEDED, parse_size },
    { "BODY", FOR_MAIL, EXTENSION_8BITMIME, VALUE_NEEDED, parse_body },
    { "SMTPUTF8", FOR_MAIL, EXTENSION_SMTPUTF8, VALUE_NONE, parse_smtputf8 },
    { "AUTH", FOR_MAIL, EXTENSION_AUTH, VALUE_NEEDED, parse_auth },
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
};

const char *parameter_fault_text(enum parameter_fault fault)
{
    return (unsigned)fault < PARAMETER_FAULT_COUNT ? fault_texts[fault] : "unknown fault";
}

static bool is_decimal(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.data[i]))
            return false;
    return text.len > 0;
}

/* RFC 1870 section 4: 1*20DIGIT, which is more than 64 bits hold (EXT-SIZE-2). */
static enum parameter_fault parse_size(struct target *target, struct slice value)
{
    enum { DIGITS_MAX = 20 };

    if (!is_decimal(value) || value.len > DIGITS_MAX)
        return PARAMETER_VALUE;
    target->mail->has_size = true;
    if (!slice_number(value, UINT64_MAX, &target->mail->size))
        target->mail->size = UINT64_MAX;
    return PARAMETER_OK;
}

static const struct {
    const char *name;
    enum body_type type;
    enum extension extension;
} body_types[] = {
    { "7BIT", BODY_7BIT, EXTENSION_8BITMIME },
    { "8BITMIME", BODY_8BITMIME, EXTENSION_8BITMIME },
    { "BINARYMIME", BODY_BINARYMIME, EXTENSION_BINARYMIME },
};

static enum parameter_fault parse_body(struct target *target, struct slice value)
{
    for (size_t i = 0; i < LENGTH_OF(body_types); i++)
        if (slice_is_nocase(value, body_types[i].name) &&
            (target->offered & EXTENSION_BIT(body_types[i].extension))) {
            target->mail->body = body_types[i].type;
            return PARAMETER_OK;
        }
    return PARAMETER_VALUE;
}

static enum parameter_fault parse_smtputf8(struct target *target, struct slice value UNUSED)
{
    target->mail->smtputf8 = true;
    return PARAMETER_OK;
}

/* The xtext of a mailbox, or of <> (RFC 4954 section 5); decoded into the arena, where the address
 * stays. */
static enum parameter_fault parse_auth_text(struct target *target, struct slice decoded)
{
    enum address_fault fault;
    struct slice text;
    size_t at;

    if (slice_is(decoded, "<>")) {
        target->mail->auth = (struct address){ .kind = ADDRESS_NULL };
        return PARAMETER_OK;
    }
    if (!arena_copy(target->arena, decoded, &text))
        return PARAMETER_NOMEM;
    fault = mailbox_parse(target->arena, text, &target->mail->auth, &at);
    if (fault == ADDRESS_NOMEM)
        return PARAMETER_NOMEM;
    return fault == ADDRESS_OK ? PARAMETER_OK : PARAMETER_VALUE;
}

static enum parameter_fault parse_auth(struct target *target, struct slice value)
{
    enum { ROOM = 4096 };
    enum parameter_fault fault;
    struct buffer decoded;

    buffer_init(&decoded, ROOM);
    fault = xtext_decode(&decoded, value, true) ? parse_auth_text(target, buffer_slice(&decoded))
                                                : PARAMETER_VALUE;
    if (decoded.error == ERR_NOMEM)
        fault = PARAMETER_NOMEM;
    buffer_clear(&decoded);
    target->mail->has_auth = fault == PARAMETER_OK;
    return fault;
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

static bool is_value(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 32 || c == 127 || c == '=')
            return false;
    }
    return text.len > 0 && text_is_utf8(text);
}

/* esmtp-param of RFC 5321 section 4.1.2, values as RFC 6531 section 3.3 widens them (GRM-11). */
static bool cut_parameter(struct slice word, struct parameter *out_parameter)
{
    struct parameter p = { .keyword = slice_first(word, slice_find(word, '=')) };

    p.has_value = p.keyword.len < word.len;
    p.value = slice_from(word, p.keyword.len + 1);
    if (!is_keyword(p.keyword) || (p.has_value && !is_value(p.value)))
        return false;
    *out_parameter = p;
    return true;
}

static const struct row *row_find(struct slice keyword, enum command_kind command, uint32_t offered)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (rows[i].command == command && slice_is_nocase(keyword, rows[i].keyword) &&
            (offered & EXTENSION_BIT(rows[i].extension)))
            return &rows[i];
    return NULL;
}

static enum parameter_fault parse_one(
    struct target *target, enum command_kind command, struct slice word, uint32_t *seen)
{
    struct parameter p;
    const struct row *row;
    uint32_t bit;

    if (!cut_parameter(word, &p))
        return PARAMETER_SYNTAX;
    row = row_find(p.keyword, command, target->offered);
    if (!row)
        return PARAMETER_UNKNOWN;
    bit = UINT32_C(1) << (row - rows);
    if (*seen & bit)
        return PARAMETER_DUPLICATE;
    *seen |= bit;
    if (p.has_value != (row->value == VALUE_NEEDED))
        return p.has_value ? PARAMETER_TAKES_NO_VALUE : PARAMETER_NEEDS_VALUE;
    return row->parse(target, p.value);
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

enum parameter_fault mail_parameters_parse(struct arena *arena, struct slice text, uint32_t offered,
    struct mail_parameters *out_parameters, struct slice *out_culprit)
{
    struct mail_parameters mail = { 0 };
    struct target target = { .arena = arena, .offered = offered, .mail = &mail };
    uint32_t seen;
    enum parameter_fault fault = parse_all(&target, FOR_MAIL, text, &seen, out_culprit);

    if (fault != PARAMETER_OK)
        return fault;
    if (out_culprit->len > 0 && !mail.smtputf8)
        return PARAMETER_SYNTAX;
    *out_parameters = mail;
    return PARAMETER_OK;
}

enum parameter_fault rcpt_parameters_parse(struct arena *arena, struct slice text, uint32_t offered,
    bool smtputf8, struct rcpt_parameters *out_parameters, struct slice *out_culprit)
{
    struct rcpt_parameters rcpt = { 0 };
    struct target target = { .arena = arena, .offered = offered, .rcpt = &rcpt };
    enum parameter_fault fault = parse_all(&target, FOR_RCPT, text, &rcpt.seen, out_culprit);

    if (fault != PARAMETER_OK)
        return fault;
    if (out_culprit->len > 0 && !smtputf8)
        return PARAMETER_SYNTAX;
    *out_parameters = rcpt;
    return PARAMETER_OK;
}
