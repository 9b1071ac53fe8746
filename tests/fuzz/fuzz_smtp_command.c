/* tests/fuzz/fuzz_smtp_command.c: line, command, path, parameters, reply: what is accepted reads
 * back as the same. */
#include <stdlib.h>

#include "smtp/command.h"
#include "smtp/envelope.h"
#include "smtp/line.h"
#include "smtp/orcpt.h"
#include "smtp/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct parameter_context context = {
    .offered = UINT32_MAX,
    .smtputf8 = true,
    .now = 1772532000,
    .deliver_by_least = 60,
    .hold_most = 2592000,
};

static void check_address(struct arena *arena, const struct address *address)
{
    struct buffer text;
    struct path again;
    struct slice rest;
    size_t at;

    buffer_init(&text, 4096);
    buffer_put_text(&text, "FROM:");
    path_write(&text, address);
    if (path_parse_from(arena, buffer_slice(&text), &again, &rest, &at) != ADDRESS_OK)
        abort();
    if (!slice_equals(address->local, again.address.local) ||
        !domain_equals(address->domain, again.address.domain) ||
        address->kind != again.address.kind || rest.len > 0)
        abort();
    buffer_clear(&text);
}

static void check_mail(struct arena *arena, const struct mail_command *mail)
{
    const struct mail_parameters *p = &mail->parameters;

    check_address(arena, &mail->path.address);
    if (p->envid.len > ENVID_MAX || p->solicit.len > SOLICIT_MAX ||
        (p->mtrk.certifier.len > 0 && (p->mtrk.certifier.len != MTRK_CERTIFIER || !p->envid.len)))
        abort();
    if (p->priority < PRIORITY_LEAST || p->priority > PRIORITY_MOST ||
        (p->by.mode == BY_RETURN && p->by.seconds < (int32_t)context.deliver_by_least) ||
        (p->hold.kind == HOLD_UNTIL && p->hold.value > context.now + context.hold_most))
        abort();
}

/* What is kept of ORCPT reads back in either form that it leaves in. */
static void check_orcpt(struct slice orcpt)
{
    struct buffer decoded, ascii, again;

    buffer_init(&decoded, 4096);
    buffer_init(&ascii, 4096);
    buffer_init(&again, 4096);
    orcpt_write(&ascii, orcpt, false);
    if (!orcpt_decode(&decoded, orcpt) || !text_is_utf8(buffer_slice(&decoded)) ||
        !text_is_ascii(buffer_slice(&ascii)))
        abort();
    if (ascii.len <= ORCPT_MAX && (!orcpt_decode(&again, buffer_slice(&ascii)) ||
                                      !slice_equals(buffer_slice(&decoded), buffer_slice(&again))))
        abort();
    buffer_clear(&decoded);
    buffer_clear(&ascii);
    buffer_clear(&again);
}

static void check_rcpt(struct arena *arena, const struct rcpt_command *rcpt)
{
    const struct rcpt_parameters *p = &rcpt->parameters;
    char date[TIMESTAMP_TEXT + 1];
    int64_t since;

    check_address(arena, &rcpt->path.address);
    if ((p->notify & NOTIFY_NEVER) && p->notify != NOTIFY_NEVER)
        abort();
    if (p->orcpt.len > 0)
        check_orcpt(p->orcpt);
    timestamp_format(p->rrvs_since, date);
    if (!timestamp_parse(slice_text(date), 0, &since))
        abort();
}

static void check_error(struct slice argument, const struct envelope_error *error)
{
    struct buffer out;

    if (error->at > argument.len)
        abort();
    buffer_init(&out, 4096);
    envelope_error_write(&out, error);
    if (out.len > REPLY_LINE_MAX || out.len < 12 || !text_is_ascii(buffer_slice(&out)))
        abort();
    buffer_clear(&out);
}

static void parse_envelope(struct arena *arena, const struct command *command)
{
    struct envelope_error error;
    struct mail_command mail;
    struct rcpt_command rcpt;

    if (mail_command_parse(arena, command->argument, &context, false, &mail, &error))
        check_mail(arena, &mail);
    else
        check_error(command->argument, &error);
    if (rcpt_command_parse(arena, command->argument, &context, false, &rcpt, &error))
        check_rcpt(arena, &rcpt);
    else
        check_error(command->argument, &error);
}

static void parse_others(const struct command *command)
{
    struct auth_command auth;
    struct slice string;
    struct bdat bdat = { 0 };
    bool smtputf8;

    if (bdat_parse(command->argument, &bdat) == BDAT_OK && bdat.size > INT64_MAX)
        abort();
    if (auth_parse(command->argument, &auth) && auth.mechanism.len > 20)
        abort();
    if (vrfy_parse(command->argument, &string, &smtputf8) && string.len == 0)
        abort();
    if (helo_is_valid(command->argument) && command->argument.len > 255)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct line_reader reader = { 0 };
    struct arena arena;
    struct line line;

    while (line_read(&reader, input, command_line_max(input), &line) == LINE_READY) {
        struct command command = command_parse(line.text);

        arena_init(&arena, 1 << 20);
        parse_envelope(&arena, &command);
        parse_others(&command);
        arena_clear(&arena);
        input = slice_from(input, line.consumed);
    }
    return 0;
}
