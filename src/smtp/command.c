/* smtp/command.c: the table of verbs, and the arguments that are no paths. */
#include "smtp/command.h"

#include "smtp/address.h"
#include "smtp/line.h"

static const struct {
    const char *name;
    size_t line_max;
    bool carries_utf8; /* its own parser judges octets above 127 */
} verbs[VERB_COUNT] = {
    [VERB_UNKNOWN] = { "?", COMMAND_LINE_MAX },
    [VERB_FOREIGN] = { "?", COMMAND_LINE_MAX },
    [VERB_EHLO] = { "EHLO", COMMAND_LINE_MAX },
    [VERB_HELO] = { "HELO", COMMAND_LINE_MAX },
    [VERB_STARTTLS] = { "STARTTLS", COMMAND_LINE_MAX },
    [VERB_AUTH] = { "AUTH", COMMAND_LINE_MAX_AUTH },
    [VERB_MAIL] = { "MAIL", COMMAND_LINE_MAX_ENVELOPE, true },
    [VERB_RCPT] = { "RCPT", COMMAND_LINE_MAX_ENVELOPE, true },
    [VERB_DATA] = { "DATA", COMMAND_LINE_MAX },
    [VERB_BDAT] = { "BDAT", COMMAND_LINE_MAX },
    [VERB_RSET] = { "RSET", COMMAND_LINE_MAX },
    [VERB_NOOP] = { "NOOP", COMMAND_LINE_MAX },
    [VERB_VRFY] = { "VRFY", COMMAND_LINE_MAX, true },
    [VERB_EXPN] = { "EXPN", COMMAND_LINE_MAX, true },
    [VERB_HELP] = { "HELP", COMMAND_LINE_MAX },
    [VERB_QUIT] = { "QUIT", COMMAND_LINE_MAX },
    [VERB_BURL] = { "BURL", COMMAND_LINE_MAX_ENVELOPE },
    [VERB_ETRN] = { "ETRN", COMMAND_LINE_MAX },
    [VERB_ATRN] = { "ATRN", COMMAND_LINE_MAX },
    [VERB_TURN] = { "TURN", COMMAND_LINE_MAX },
    [VERB_SEND] = { "SEND", COMMAND_LINE_MAX },
    [VERB_SOML] = { "SOML", COMMAND_LINE_MAX },
    [VERB_SAML] = { "SAML", COMMAND_LINE_MAX },
};

static const char *const http_methods[] = {
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
};

static bool is_white(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts the first word off *rest, and the white space after it. */
static struct slice take_word(struct slice *rest)
{
    size_t len = 0;
    struct slice word;

    while (len < rest->len && !is_white(rest->data[len]))
        len++;
    word = slice_first(*rest, len);
    *rest = slice_trim(slice_from(*rest, len));
    return word;
}

static enum verb verb_find(struct slice name)
{
    for (enum verb verb = VERB_EHLO; verb < VERB_COUNT; verb++)
        if (slice_is_nocase(name, verbs[verb].name))
            return verb;
    return VERB_UNKNOWN;
}

static bool is_foreign(struct slice name)
{
    if (name.len > 0 && name.data[name.len - 1] == ':')
        return true;
    for (size_t i = 0; i < LENGTH_OF(http_methods); i++)
        if (slice_is_nocase(name, http_methods[i]))
            return true;
    return false;
}

size_t command_line_max(struct slice start)
{
    enum { LONGEST_NAME = 8 };
    struct slice front = slice_first(start, LONGEST_NAME + 1);

    return verbs[verb_find(take_word(&front))].line_max;
}

struct command command_parse(struct slice text)
{
    struct command command = { .argument = text };

    command.name = take_word(&command.argument);
    command.verb = verb_find(command.name);
    if (command.verb == VERB_UNKNOWN && is_foreign(command.name))
        command.verb = VERB_FOREIGN;
    return command;
}

const char *verb_name(enum verb verb)
{
    return (unsigned)verb < VERB_COUNT ? verbs[verb].name : "?";
}

bool command_is_clean(const struct line *line, enum verb verb)
{
    return !line->has_control && (!line->has_8bit || verbs[verb].carries_utf8);
}

bool helo_is_valid(struct slice argument)
{
    struct slice address;

    if (argument.len < 1 || argument.len > ADDRESS_DOMAIN_MAX)
        return false;
    for (size_t i = 0; i < argument.len; i++)
        if (argument.data[i] <= 32 || argument.data[i] >= 127)
            return false;
    return argument.data[0] != '[' || literal_parse(argument, &address);
}

static bool has_digit(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (ascii_is_digit(word.data[i]))
            return true;
    return false;
}

/* A size that was meant as one and cannot be read leaves octets behind that must never run as
 * commands. */
enum bdat_fault bdat_parse(struct slice argument, struct bdat *out_bdat)
{
    struct slice rest = slice_trim(argument);
    struct slice size = take_word(&rest);
    struct bdat bdat = { 0 };

    if (!slice_number(size, INT64_MAX, &bdat.size))
        return has_digit(size) ? BDAT_LOST : BDAT_SYNTAX;
    bdat.last = slice_is_nocase(rest, "LAST");
    *out_bdat = bdat;
    return bdat.last || rest.len == 0 ? BDAT_OK : BDAT_OPTION;
}

static bool is_mechanism_name(struct slice name)
{
    enum { LONGEST = 20 };

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return name.len >= 1 && name.len <= LONGEST;
}

bool auth_parse(struct slice argument, struct auth_command *out_auth)
{
    struct slice rest = slice_trim(argument);
    struct auth_command auth = { .mechanism = take_word(&rest) };

    auth.initial = take_word(&rest);
    if (!is_mechanism_name(auth.mechanism) || rest.len > 0)
        return false;
    auth.has_initial = auth.initial.len > 0;
    if (slice_is(auth.initial, "="))
        auth.initial.len = 0;
    *out_auth = auth;
    return true;
}

bool vrfy_parse(struct slice argument, struct slice *out_string, bool *out_smtputf8)
{
    struct slice string = slice_trim(argument);
    size_t end = string.len;
    bool smtputf8;

    while (end > 0 && !is_white(string.data[end - 1]))
        end--;
    smtputf8 = end > 0 && slice_is_nocase(slice_from(string, end), "SMTPUTF8");
    if (smtputf8)
        string = slice_trim(slice_first(string, end));
    if (string.len == 0 || !text_is_utf8(string))
        return false;
    *out_string = string;
    *out_smtputf8 = smtputf8;
    return true;
}
