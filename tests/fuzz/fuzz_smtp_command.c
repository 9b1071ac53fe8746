/* tests/fuzz/fuzz_smtp_command.c: line, command, path, parameters, reply: what is accepted reads
 * back as the same. */
#include <stdlib.h>

#include "smtp/command.h"
#include "smtp/envelope.h"
#include "smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t offered = UINT32_MAX;

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

    if (mail_command_parse(arena, command->argument, offered, false, &mail, &error))
        check_address(arena, &mail.path.address);
    else
        check_error(command->argument, &error);
    if (rcpt_command_parse(arena, command->argument, offered, false, true, &rcpt, &error))
        check_address(arena, &rcpt.path.address);
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
