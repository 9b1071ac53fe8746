/* bench/load_reply.c: judges replies. */
#include "bench/load_reply.h"

/* status: the class of the enhanced code; 0: none belongs here. */
static const struct rule {
    const char *name;
    const char *code;
    char status;
} rules[STEP_COUNT] = {
    [STEP_GREETING] = { "greeting", "220", 0 },
    [STEP_HELLO] = { "EHLO", "250", 0 },
    [STEP_STARTTLS] = { "STARTTLS", "220", '2' },
    [STEP_AUTH] = { "AUTH", "235", '2' },
    [STEP_MAIL] = { "MAIL", "250", '2' },
    [STEP_RCPT] = { "RCPT", "250", '2' },
    [STEP_DATA] = { "DATA", "354", 0 },
    [STEP_CONTENT] = { "end of data", "250", '2' },
    [STEP_BDAT] = { "BDAT", "250", '2' },
    [STEP_NOOP] = { "NOOP", "250", '2' },
    [STEP_QUIT] = { "QUIT", "221", '2' },
    [STEP_READY] = { "nothing", NULL, 0 },
};

const char *step_name(enum step step)
{
    return rules[step].name;
}

size_t reply_length(struct slice input)
{
    size_t at = 0;

    while (at < input.len) {
        struct slice rest = slice_from(input, at);
        size_t end = slice_find(rest, '\n');

        if (end == rest.len)
            return 0;
        at += end + 1;
        if (end < 4 || rest.data[3] != '-')
            return at;
    }
    return 0;
}

bool reply_says(struct slice reply, const char *keyword)
{
    return memmem(reply.data, reply.len, keyword, strlen(keyword)) != NULL;
}

bool reply_is_expected(struct slice reply, enum step step, bool has_codes)
{
    const struct rule *rule = &rules[step];

    if (!rule->code || reply.len < 5 || memcmp(reply.data, rule->code, 3) != 0)
        return false;
    if (!has_codes || rule->status == 0)
        return true;
    return reply.len > 6 && reply.data[4] == rule->status && reply.data[5] == '.';
}
