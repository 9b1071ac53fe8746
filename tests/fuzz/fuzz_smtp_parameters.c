/* tests/fuzz/fuzz_smtp_parameters.c: what follows the path of MAIL and RCPT. Five octets choose the
 * extensions that are not listed and the rest of the context. What is accepted is accepted in any
 * order, means the same, and was offered; what is not names its culprit. */
#include "fuzz.h"
#include "smtp/orcpt.h"
#include "smtp/parameters.h"
#include "smtp/timestamp.h"

enum { NOW = 1772532000 };

static struct parameter_context context;

/* The words in reverse order. */
static struct slice reversed(struct slice text, struct buffer *out)
{
    while (text.len > 0) {
        size_t at = slice_find_last(text, ' ');
        bool is_first = at == text.len;

        buffer_put_slice(out, is_first ? text : slice_from(text, at + 1));
        if (is_first)
            break;
        buffer_put_char(out, ' ');
        text = slice_first(text, at);
    }
    return buffer_slice(out);
}

static void require_inside(struct slice part, struct slice whole)
{
    REQUIRE(part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
                                 part.data + part.len <= whole.data + whole.len));
}

static void check_mail(const struct mail_parameters *p, struct slice text)
{
    bool offers_binary = context.offered & EXTENSION_BIT(EXTENSION_BINARYMIME);

    require_inside(p->envid, text);
    require_inside(p->mtrk.certifier, text);
    require_inside(p->solicit, text);
    REQUIRE(p->envid.len <= ENVID_MAX && p->solicit.len <= SOLICIT_MAX);
    REQUIRE(p->solicit.len == 0 || solicit_is_valid(p->solicit));
    REQUIRE(p->mtrk.certifier.len == 0 ||
            (p->mtrk.certifier.len == MTRK_CERTIFIER && p->envid.len > 0));
    REQUIRE(p->mtrk.timeout <= PARAMETER_SECONDS_MAX);
    REQUIRE(p->priority >= PRIORITY_LEAST && p->priority <= PRIORITY_MOST);
    REQUIRE(p->has_priority || p->priority == 0);
    REQUIRE(p->body != BODY_BINARYMIME || offers_binary);
    REQUIRE(p->by.mode != BY_RETURN || p->by.seconds >= (int32_t)context.deliver_by_least);
    REQUIRE(p->by.mode != BY_RETURN || p->by.seconds > 0);
    REQUIRE(p->by.seconds <= PARAMETER_SECONDS_MAX && p->by.seconds >= -PARAMETER_SECONDS_MAX);
    if (p->hold.kind == HOLD_FOR)
        REQUIRE(p->hold.value >= 0 && p->hold.value <= context.hold_most);
    if (p->hold.kind == HOLD_UNTIL)
        REQUIRE(p->hold.value <= NOW + (int64_t)context.hold_most);
    REQUIRE(context.offered != 0 || p->seen == 0);
}

static void check_same_mail(const struct mail_parameters *a, const struct mail_parameters *b)
{
    REQUIRE(a->seen == b->seen && a->has_size == b->has_size && a->size == b->size);
    REQUIRE(a->body == b->body && a->smtputf8 == b->smtputf8 && a->has_auth == b->has_auth);
    REQUIRE(a->ret == b->ret && slice_equals(a->envid, b->envid));
    REQUIRE(a->require_tls == b->require_tls && a->conperm == b->conperm);
    REQUIRE(
        a->by.mode == b->by.mode && a->by.seconds == b->by.seconds && a->by.trace == b->by.trace);
    REQUIRE(a->has_priority == b->has_priority && a->priority == b->priority);
    REQUIRE(
        slice_equals(a->mtrk.certifier, b->mtrk.certifier) && a->mtrk.timeout == b->mtrk.timeout);
    REQUIRE(slice_equals(a->solicit, b->solicit));
    REQUIRE(a->hold.kind == b->hold.kind && a->hold.value == b->hold.value);
}

static void check_fault(enum parameter_fault fault, struct slice text, struct slice culprit)
{
    REQUIRE(fault > PARAMETER_OK && fault < PARAMETER_FAULT_COUNT && fault != PARAMETER_NOMEM);
    require_inside(culprit, text);
    REQUIRE(culprit.len > 0 && slice_find(culprit, ' ') == culprit.len);
}

static void try_mail(struct arena *arena, struct slice text, struct slice backwards)
{
    struct mail_parameters mail, again;
    struct slice culprit = { 0 }, other = { 0 };
    enum parameter_fault fault = mail_parameters_parse(arena, text, &context, &mail, &culprit);

    if (fault != PARAMETER_OK) {
        check_fault(fault, text, culprit);
        REQUIRE(mail_parameters_parse(arena, backwards, &context, &again, &other) != PARAMETER_OK);
        return;
    }
    check_mail(&mail, text);
    REQUIRE(mail_parameters_parse(arena, backwards, &context, &again, &other) == PARAMETER_OK);
    check_same_mail(&mail, &again);
}

static void try_rcpt(struct arena *arena, struct slice text, struct slice backwards)
{
    struct rcpt_parameters rcpt, again;
    struct slice culprit = { 0 }, other = { 0 };
    enum parameter_fault fault = rcpt_parameters_parse(arena, text, &context, &rcpt, &culprit);
    struct buffer decoded;

    if (fault != PARAMETER_OK) {
        check_fault(fault, text, culprit);
        REQUIRE(rcpt_parameters_parse(arena, backwards, &context, &again, &other) != PARAMETER_OK);
        return;
    }
    REQUIRE(rcpt_parameters_parse(arena, backwards, &context, &again, &other) == PARAMETER_OK);
    REQUIRE(rcpt.seen == again.seen && rcpt.notify == again.notify && rcpt.rrvs == again.rrvs);
    REQUIRE(rcpt.rrvs_since == again.rrvs_since && slice_equals(rcpt.orcpt, again.orcpt));
    REQUIRE(!(rcpt.notify & NOTIFY_NEVER) || rcpt.notify == NOTIFY_NEVER);
    require_inside(rcpt.orcpt, text);
    buffer_init(&decoded, 4096);
    REQUIRE(rcpt.orcpt.len == 0 || orcpt_decode(&decoded, rcpt.orcpt));
    buffer_clear(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    uint32_t withheld = 0;
    struct buffer backwards;
    struct arena arena;
    unsigned more;

    for (int i = 0; i < 4; i++)
        withheld = withheld << 8 | take_octet(&text);
    more = take_octet(&text);
    context = (struct parameter_context){ .offered = ~withheld,
        .smtputf8 = more & 1,
        .now = NOW,
        .deliver_by_least = more & 2 ? 60 : 0,
        .hold_most = more & 4 ? 3600 : 2592000 };
    if (text.len > 12288) /* no command is longer */
        return 0;
    arena_init(&arena, 1 << 20);
    buffer_init(&backwards, 1 << 15);
    reversed(text, &backwards);
    try_mail(&arena, text, buffer_slice(&backwards));
    try_rcpt(&arena, text, buffer_slice(&backwards));
    buffer_clear(&backwards);
    arena_clear(&arena);
    return 0;
}
