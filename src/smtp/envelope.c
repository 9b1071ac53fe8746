/* smtp/envelope.c: from an argument of MAIL or RCPT to a typed value or to the reply that says what
 * is wrong. */
#include "smtp/envelope.h"

/* The replies in which MAIL and RCPT differ. */
struct side {
    enum reply_id syntax;
    enum reply_id utf8;
};

static const struct side sender_side = { REPLY_SENDER_SYNTAX, REPLY_SENDER_UTF8 };
static const struct side recipient_side = { REPLY_RECIPIENT_SYNTAX, REPLY_RECIPIENT_UTF8 };

static enum reply_id path_reply(enum address_fault fault, const struct side *side)
{
    if (fault == ADDRESS_NOMEM)
        return REPLY_INTERNAL;
    if (fault == ADDRESS_KEYWORD || fault == ADDRESS_TRAILING)
        return REPLY_BAD_ARGUMENT;
    return side->syntax;
}

static enum reply_id parameter_reply(enum parameter_fault fault)
{
    static const enum reply_id replies[PARAMETER_FAULT_COUNT] = {
        [PARAMETER_NOMEM] = REPLY_INTERNAL,
        [PARAMETER_UNKNOWN] = REPLY_PARAMETER_UNKNOWN,
        [PARAMETER_PRIORITY] = REPLY_BAD_PRIORITY,
        [PARAMETER_BELOW] = REPLY_PARAMETER_BELOW,
        [PARAMETER_UNHONOURED] = REPLY_PARAMETER_UNHONOURED,
    };

    return replies[fault] ? replies[fault] : REPLY_BAD_PARAMETER;
}

static struct envelope_error path_error(
    enum address_fault fault, const struct side *side, struct slice argument, size_t at)
{
    return (struct envelope_error){
        .reply = path_reply(fault, side),
        .text = address_fault_text(fault),
        .culprit = slice_from(argument, at),
        .at = at,
    };
}

static struct envelope_error parameter_error(
    enum parameter_fault fault, struct slice argument, struct slice culprit)
{
    return (struct envelope_error){
        .reply = parameter_reply(fault),
        .text = parameter_fault_text(fault),
        .culprit = culprit,
        .at = (size_t)(culprit.data - argument.data),
    };
}

/* What is well formed and still may not be. */
static bool path_is_allowed(const struct path *path, const struct side *side, bool strict,
    bool smtputf8, struct envelope_error *out_error)
{
    if (strict && path->is_spaced) {
        *out_error = (struct envelope_error){
            .reply = REPLY_BAD_ARGUMENT,
            .text = "no space may follow the colon",
        };
        return false;
    }
    if (path->address.non_ascii && !smtputf8) {
        *out_error = (struct envelope_error){
            .reply = side->utf8,
            .text = reply_info(side->utf8)->text,
        };
        return false;
    }
    return true;
}

bool mail_command_parse(struct arena *arena, struct slice argument,
    const struct parameter_context *context, bool strict, struct mail_command *out_command,
    struct envelope_error *out_error)
{
    struct mail_command command;
    enum parameter_fault parameter;
    struct slice rest, culprit;
    size_t at;
    enum address_fault fault = path_parse_from(arena, argument, &command.path, &rest, &at);

    if (fault != ADDRESS_OK) {
        *out_error = path_error(fault, &sender_side, argument, at);
        return false;
    }
    parameter = mail_parameters_parse(arena, rest, context, &command.parameters, &culprit);
    if (parameter != PARAMETER_OK) {
        *out_error = parameter_error(parameter, argument, culprit);
        return false;
    }
    if (!path_is_allowed(
            &command.path, &sender_side, strict, command.parameters.smtputf8, out_error))
        return false;
    *out_command = command;
    return true;
}

bool rcpt_command_parse(struct arena *arena, struct slice argument,
    const struct parameter_context *context, bool strict, struct rcpt_command *out_command,
    struct envelope_error *out_error)
{
    struct rcpt_command command;
    enum parameter_fault parameter;
    struct slice rest, culprit;
    size_t at;
    enum address_fault fault = path_parse_to(arena, argument, &command.path, &rest, &at);

    if (fault != ADDRESS_OK) {
        *out_error = path_error(fault, &recipient_side, argument, at);
        return false;
    }
    parameter = rcpt_parameters_parse(arena, rest, context, &command.parameters, &culprit);
    if (parameter != PARAMETER_OK) {
        *out_error = parameter_error(parameter, argument, culprit);
        return false;
    }
    if (!path_is_allowed(&command.path, &recipient_side, strict, context->smtputf8, out_error))
        return false;
    *out_command = command;
    return true;
}

void envelope_error_write(struct buffer *out, const struct envelope_error *error)
{
    enum { SHOWN = 60 };
    struct slice shown = slice_first(error->culprit, SHOWN);

    if (shown.len > 0)
        reply_printf(out, error->reply, "%s: %.*s", error->text, SLICE_ARGS(shown));
    else
        reply_printf(out, error->reply, "%s", error->text);
}
