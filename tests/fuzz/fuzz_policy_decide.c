/* tests/fuzz/fuzz_policy_decide.c: any MAIL and RCPT with grants made of any patterns: the decision
 * is one of the catalogue's replies, and a second grant never allows what the first refuses. */
#include "fuzz.h"

#include "policy/rights.h"

enum { PATTERNS = 4 };

struct input {
    struct slice bytes;
    struct sender senders[PATTERNS], recipients[PATTERNS];
};

/* Up to the next LF. */
static struct slice take_text(struct slice *bytes)
{
    struct slice text = slice_first(*bytes, slice_find(*bytes, '\n'));

    *bytes = slice_from(*bytes, text.len + 1);
    return text;
}

static struct grant take_grant(struct input *input)
{
    unsigned bits = take_octet(&input->bytes);
    struct grant grant = { .user = take_text(&input->bytes),
        .may_submit = bits & 1,
        .is_stranger = bits & 2,
        .truncated = bits & 4,
        .senders = input->senders,
        .sender_count = bits >> 3 & 3,
        .recipients_truncated = bits & 32,
        .recipients = input->recipients,
        .recipient_count = bits >> 6,
        .max_recipients = take_octet(&input->bytes),
        .max_size = (uint64_t)take_octet(&input->bytes) << 8 };

    for (size_t i = 0; i < grant.sender_count; i++)
        input->senders[i].pattern = take_text(&input->bytes);
    for (size_t i = 0; i < grant.recipient_count; i++)
        input->recipients[i].pattern = take_text(&input->bytes);
    return grant;
}

static void check(const struct rights_case *asked, struct rights_answer answer)
{
    if (answer.verdict == RIGHTS_REFUSED)
        REQUIRE(reply_info(answer.reply)->code >= 500 && answer.rule < RULE_COUNT);
    if (answer.verdict == RIGHTS_ALLOWED)
        REQUIRE(answer.rule < RULE_COUNT && !answer.by_narrower);
    if (asked->narrower) {
        struct rights_case first = *asked;

        first.narrower = NULL;
        if (answer.verdict == RIGHTS_ALLOWED)
            REQUIRE(rights_decide(&first).verdict == RIGHTS_ALLOWED);
        if (rights_decide(&first).verdict == RIGHTS_REFUSED)
            REQUIRE(answer.verdict == RIGHTS_REFUSED && !answer.by_narrower);
        first.grant = asked->narrower;
        if (rights_decide(&first).verdict == RIGHTS_REFUSED)
            REQUIRE(answer.verdict == RIGHTS_REFUSED);
    }
}

static void decide(struct rights_case asked, struct slice argument)
{
    struct arena arena;
    struct path path;
    struct slice rest;
    struct buffer text;
    size_t at;

    arena_init(&arena, 1 << 16);
    buffer_init(&text, 4096);
    if (path_parse_from(&arena, argument, &path, &rest, &at) == ADDRESS_OK) {
        address_write(&text, &path.address);
        asked.address = &path.address;
        asked.text = buffer_slice(&text);
        for (int step = RIGHTS_MAIL; step <= RIGHTS_CONTENT; step++) {
            asked.step = (enum rights_step)step;
            check(&asked, rights_decide(&asked));
        }
    }
    buffer_clear(&text);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_domain domain = { .name = SLICE_LITERAL("example.net") };
    struct conf conf = { .hostname = SLICE_LITERAL("mail.example.net"),
        .domains = &domain,
        .domain_count = 1,
        .limits = { .message_size = 65536 } };
    struct input first = { .bytes = slice_of(data, size) }, second;
    struct grant grant = take_grant(&first), narrower;
    struct rights_case asked = { .conf = &conf, .grant = &grant };

    second = (struct input){ .bytes = first.bytes };
    narrower = take_grant(&second);
    asked.recipients = take_octet(&second.bytes);
    asked.size = (uint64_t)take_octet(&second.bytes) << 9;
    decide(asked, second.bytes);
    asked.narrower = &narrower;
    decide(asked, second.bytes);
    return 0;
}
