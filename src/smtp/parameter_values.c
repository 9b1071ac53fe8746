/* smtp/parameter_values.c: one parser for the value of each ESMTP parameter: strict, bounded, with
 * typed results. */
#include "smtp/parameter_values.h"

#include "smtp/orcpt.h"
#include "smtp/timestamp.h"
#include "smtp/xtext.h"

static bool is_offered(const struct target *target, enum extension extension)
{
    return (target->context->offered & EXTENSION_BIT(extension)) != 0;
}

static bool is_decimal(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.data[i]))
            return false;
    return text.len > 0;
}

/* One to nine digits. */
static bool read_seconds(struct slice text, uint32_t *out_seconds)
{
    enum { DIGITS_MAX = 9 };
    uint64_t seconds;

    if (text.len > DIGITS_MAX || !slice_number(text, PARAMETER_SECONDS_MAX, &seconds))
        return false;
    *out_seconds = (uint32_t)seconds;
    return true;
}

/* Cuts off *rest what lies before the octet, and the octet. */
static struct slice take_until(struct slice *rest, char end)
{
    struct slice word = slice_first(*rest, slice_find(*rest, end));

    *rest = slice_from(*rest, word.len + 1);
    return word;
}

/* RFC 1870 section 4: 1*20DIGIT, which is more than 64 bits hold (EXT-SIZE-2). */
enum parameter_fault parse_size(struct target *target, struct slice value)
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

enum parameter_fault parse_body(struct target *target, struct slice value)
{
    for (size_t i = 0; i < LENGTH_OF(body_types); i++)
        if (slice_is_nocase(value, body_types[i].name) &&
            is_offered(target, body_types[i].extension)) {
            target->mail->body = body_types[i].type;
            return PARAMETER_OK;
        }
    return PARAMETER_VALUE;
}

enum parameter_fault parse_smtputf8(struct target *target, struct slice value UNUSED)
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

enum parameter_fault parse_auth(struct target *target, struct slice value)
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

/* RFC 3461 section 4.3 (EXT-DSN-4). */
enum parameter_fault parse_ret(struct target *target, struct slice value)
{
    if (slice_is_nocase(value, "FULL"))
        target->mail->ret = RETURN_FULL;
    else if (slice_is_nocase(value, "HDRS"))
        target->mail->ret = RETURN_HEADERS;
    else
        return PARAMETER_VALUE;
    return PARAMETER_OK;
}

/* RFC 3461 section 4.4: printable ASCII in xtext; the bound is that of the encoded form
 * (EXT-DSN-4). */
enum parameter_fault parse_envid(struct target *target, struct slice value)
{
    enum parameter_fault fault = PARAMETER_VALUE;
    struct buffer decoded;

    if (value.len > ENVID_MAX)
        return PARAMETER_VALUE;
    buffer_init(&decoded, ENVID_MAX);
    if (xtext_decode(&decoded, value, false) && text_is_ascii(buffer_slice(&decoded)))
        fault = PARAMETER_OK;
    if (decoded.error == ERR_NOMEM)
        fault = PARAMETER_NOMEM;
    buffer_clear(&decoded);
    target->mail->envid = value;
    return fault;
}

enum parameter_fault parse_requiretls(struct target *target, struct slice value UNUSED)
{
    target->mail->require_tls = true;
    return PARAMETER_OK;
}

static bool read_by_time(struct slice text, int32_t *out_seconds)
{
    bool is_signed = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
    uint32_t seconds;

    if (!read_seconds(slice_from(text, is_signed), &seconds))
        return false;
    *out_seconds = is_signed && text.data[0] == '-' ? -(int32_t)seconds : (int32_t)seconds;
    return true;
}

/* RFC 2852 section 4: by-time ";" by-mode [by-trace] (EXT-DELIVERBY-1 to -3). */
enum parameter_fault parse_by(struct target *target, struct slice value)
{
    struct deliver_by by = { 0 };
    struct slice words = value;
    char mode;

    if (!read_by_time(take_until(&words, ';'), &by.seconds) || words.len < 1 || words.len > 2)
        return PARAMETER_VALUE;
    mode = ascii_lower(words.data[0]);
    by.trace = words.len == 2;
    if ((mode != 'n' && mode != 'r') || (by.trace && ascii_lower(words.data[1]) != 't'))
        return PARAMETER_VALUE;
    by.mode = mode == 'n' ? BY_NOTIFY : BY_RETURN;
    if (by.mode == BY_RETURN && by.seconds <= 0)
        return PARAMETER_VALUE;
    if (by.mode == BY_RETURN && (uint32_t)by.seconds < target->context->deliver_by_least)
        return PARAMETER_BELOW;
    target->mail->by = by;
    return PARAMETER_OK;
}

/* RFC 6710 section 9: ["-"] NZDIGIT, or "0" (EXT-MTPRI-1). */
enum parameter_fault parse_priority(struct target *target, struct slice value)
{
    bool is_negative = value.len > 0 && value.data[0] == '-';
    struct slice digit = slice_from(value, is_negative);

    if (!is_decimal(digit) || digit.len != 1 || (is_negative && digit.data[0] == '0'))
        return PARAMETER_PRIORITY;
    target->mail->has_priority = true;
    target->mail->priority = (int8_t)((is_negative ? -1 : 1) * (digit.data[0] - '0'));
    return PARAMETER_OK;
}

static bool is_base64(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alpha(text.data[i]) && !ascii_is_digit(text.data[i]) && text.data[i] != '+' &&
            text.data[i] != '/')
            return false;
    return true;
}

/* RFC 3885 section 3.1; the one "=" that base64 would end with is tolerated (D-10). */
enum parameter_fault parse_mtrk(struct target *target, struct slice value)
{
    struct tracking mtrk = { 0 };
    bool has_timeout = slice_find(value, ':') < value.len;

    mtrk.certifier = take_until(&value, ':');
    if (mtrk.certifier.len == MTRK_CERTIFIER + 1 && mtrk.certifier.data[MTRK_CERTIFIER] == '=')
        mtrk.certifier.len--;
    if (mtrk.certifier.len != MTRK_CERTIFIER || !is_base64(mtrk.certifier))
        return PARAMETER_VALUE;
    if (has_timeout && !read_seconds(value, &mtrk.timeout))
        return PARAMETER_VALUE;
    target->mail->mtrk = mtrk;
    return PARAMETER_OK;
}

/* envid-local "@" fqhn (EXT-MTRK-2). */
static bool is_unique_envid(struct slice text)
{
    size_t at = slice_find_last(text, '@'), bad;
    struct slice host = slice_from(text, at + 1);

    return at > 0 && at < text.len && slice_find(host, '.') < host.len &&
           domain_check(host, &bad) == ADDRESS_OK;
}

enum parameter_fault judge_mtrk(const struct target *target)
{
    struct buffer decoded;
    bool is_unique;

    if (target->mail->envid.len == 0)
        return PARAMETER_INCOMPLETE;
    buffer_init(&decoded, ENVID_MAX);
    is_unique = xtext_decode(&decoded, target->mail->envid, false) &&
                is_unique_envid(buffer_slice(&decoded));
    buffer_clear(&decoded);
    return is_unique ? PARAMETER_OK : PARAMETER_INCOMPLETE;
}

static bool is_solicit_word(struct slice word)
{
    static const char others[] = ".-_:";

    for (size_t i = 1; i < word.len; i++)
        if (!ascii_is_alpha(word.data[i]) && !ascii_is_digit(word.data[i]) &&
            !memchr(others, word.data[i], sizeof others - 1))
            return false;
    return word.len > 0 && ascii_is_alpha(word.data[0]);
}

bool solicit_is_valid(struct slice text)
{
    if (text.len > SOLICIT_MAX || text.len == 0 || text.data[text.len - 1] == ',')
        return false;
    while (text.len > 0)
        if (!is_solicit_word(take_until(&text, ',')))
            return false;
    return true;
}

enum parameter_fault parse_solicit(struct target *target, struct slice value)
{
    if (!solicit_is_valid(value))
        return PARAMETER_VALUE;
    target->mail->solicit = value;
    return PARAMETER_OK;
}

enum parameter_fault parse_conperm(struct target *target, struct slice value UNUSED)
{
    target->mail->conperm = true;
    return PARAMETER_OK;
}

/* transid-token of RFC 1845 section 2: atoms parted by dots, without tspecials. */
static bool is_transid_token(struct slice text)
{
    static const char specials[] = "()<>@,;:\\\"/[]?=";
    char before = '.';

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c <= 32 || c > 126 || memchr(specials, c, sizeof specials - 1) ||
            (c == '.' && before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

/* "<" token "@" token ">", TRANSID_MAX octets with the brackets (EXT-CKPT-1). */
enum parameter_fault parse_transid(struct target *target, struct slice value)
{
    struct slice inside = slice_first(slice_from(value, 1), value.len < 2 ? 0 : value.len - 2);
    size_t at = slice_find(inside, '@');

    if (value.len < 2 || value.len > TRANSID_MAX || value.data[0] != '<' ||
        value.data[value.len - 1] != '>' || at == inside.len ||
        !is_transid_token(slice_first(inside, at)) || !is_transid_token(slice_from(inside, at + 1)))
        return PARAMETER_VALUE;
    target->mail->transid = value;
    return PARAMETER_OK;
}

/* RFC 4865 section 4.2: NZDIGIT 0*8DIGIT (EXT-FUTURE-2). */
enum parameter_fault parse_holdfor(struct target *target, struct slice value)
{
    uint32_t seconds;

    if (!read_seconds(value, &seconds) || value.data[0] == '0' ||
        seconds > target->context->hold_most)
        return PARAMETER_VALUE;
    target->mail->hold = (struct hold){ HOLD_FOR, seconds };
    return PARAMETER_OK;
}

/* In UTC only; one that is past means at once. */
enum parameter_fault parse_holduntil(struct target *target, struct slice value)
{
    int64_t wall;

    if (!timestamp_parse(value, TIMESTAMP_FRACTIONS, &wall) ||
        wall - target->context->now > (int64_t)target->context->hold_most)
        return PARAMETER_VALUE;
    target->mail->hold = (struct hold){ HOLD_UNTIL, wall };
    return PARAMETER_OK;
}

/* A release behind the time of BY makes no sense (EXT-FUTURE-4). */
enum parameter_fault judge_hold(const struct target *target)
{
    const struct mail_parameters *mail = target->mail;
    int64_t wait =
        mail->hold.kind == HOLD_FOR ? mail->hold.value : mail->hold.value - target->context->now;

    return mail->by.mode != BY_UNSTATED && wait > mail->by.seconds ? PARAMETER_CONFLICT
                                                                   : PARAMETER_OK;
}

static const struct {
    const char *name;
    enum notify_flag flag;
} notifies[] = {
    { "NEVER", NOTIFY_NEVER },
    { "SUCCESS", NOTIFY_SUCCESS },
    { "FAILURE", NOTIFY_FAILURE },
    { "DELAY", NOTIFY_DELAY },
};

static uint8_t notify_find(struct slice word)
{
    for (size_t i = 0; i < LENGTH_OF(notifies); i++)
        if (slice_is_nocase(word, notifies[i].name))
            return (uint8_t)notifies[i].flag;
    return 0;
}

/* RFC 3461 section 4.1: NEVER, or a list of the others (EXT-DSN-2). */
enum parameter_fault parse_notify(struct target *target, struct slice value)
{
    uint8_t set = 0;

    if (value.len > 0 && value.data[value.len - 1] == ',')
        return PARAMETER_VALUE;
    while (value.len > 0) {
        uint8_t flag = notify_find(take_until(&value, ','));
        if (flag == 0)
            return PARAMETER_VALUE;
        set |= flag;
    }
    if ((set & NOTIFY_NEVER) && set != NOTIFY_NEVER)
        return PARAMETER_VALUE;
    target->rcpt->notify = set;
    return PARAMETER_OK;
}

enum parameter_fault parse_orcpt(struct target *target, struct slice value)
{
    enum parameter_fault fault;
    struct buffer decoded;

    buffer_init(&decoded, ORCPT_MAX);
    fault = orcpt_decode(&decoded, value) ? PARAMETER_OK : PARAMETER_VALUE;
    if (decoded.error == ERR_NOMEM)
        fault = PARAMETER_NOMEM;
    buffer_clear(&decoded);
    target->rcpt->orcpt = value;
    return fault;
}

/* RFC 7293 section 3.1: a date without fractions, then the action (EXT-RRVS-1). */
enum parameter_fault parse_rrvs(struct target *target, struct slice value)
{
    struct slice action = value, date = take_until(&action, ';');
    int64_t since;

    if (!timestamp_parse(date, TIMESTAMP_OFFSETS, &since))
        return PARAMETER_VALUE;
    if (date.len == value.len)
        target->rcpt->rrvs = RRVS_UNSTATED;
    else if (slice_is_nocase(action, "C"))
        target->rcpt->rrvs = RRVS_CONTINUE;
    else if (slice_is_nocase(action, "R"))
        target->rcpt->rrvs = RRVS_REJECT;
    else
        return PARAMETER_VALUE;
    target->rcpt->rrvs_since = since;
    return PARAMETER_OK;
}

/* No recipient's device is known here, so nothing can be said of it (EXT-CONNEG-1, D-28). */
enum parameter_fault parse_conneg(struct target *target UNUSED, struct slice value UNUSED)
{
    return PARAMETER_UNHONOURED;
}
