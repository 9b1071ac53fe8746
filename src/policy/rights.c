/* policy/rights.c: the decision on MAIL, RCPT and size: a chain of rules for each, the first that
 * has something to say decides. */
#include "policy/rights.h"

/* What a client that is nobody may send to the postmaster. */
enum { STRANGER_RECIPIENTS = 10, STRANGER_SIZE = 32 << 10 };

struct mailbox {
    struct slice local; /* without quotes and escapes */
    struct slice domain;
    char plain[256]; /* holds local where it was quoted */
};

/* "a\"b" to a"b. False for what is no quoted string. */
static bool unquote(struct mailbox *mailbox, struct slice quoted)
{
    size_t used = 0;

    if (quoted.len < 3 || quoted.len > sizeof mailbox->plain || quoted.data[quoted.len - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        if (quoted.data[i] == '"')
            return false;
        if (quoted.data[i] == '\\' && ++i + 1 == quoted.len)
            return false;
        mailbox->plain[used++] = quoted.data[i];
    }
    mailbox->local = slice_of(mailbox->plain, used);
    return true;
}

static bool split(struct slice address, struct mailbox *mailbox)
{
    size_t at = slice_find_last(address, '@');

    mailbox->local = slice_first(address, at);
    mailbox->domain = slice_from(address, at + 1);
    if (at == address.len || at == 0 || mailbox->domain.len == 0)
        return false;
    return mailbox->local.data[0] != '"' || unquote(mailbox, mailbox->local);
}

bool rights_pattern_matches(struct slice pattern, struct slice address)
{
    struct mailbox wanted, got;

    if (!split(address, &got))
        return false;
    if (slice_is(pattern, "*"))
        return true;
    if (pattern.len > 2 && memcmp(pattern.data, "*@", 2) == 0)
        return domain_equals(slice_from(pattern, 2), got.domain);
    return split(pattern, &wanted) && slice_equals_nocase(wanted.local, got.local) &&
           domain_equals(wanted.domain, got.domain);
}

/* user@domain or user+tag@domain; a user whose name holds a plus sign has tags behind it all the
 * same. */
static bool is_own(struct slice own, struct slice address)
{
    struct mailbox wanted, got;

    if (!split(own, &wanted) || !split(address, &got) || !domain_equals(wanted.domain, got.domain))
        return false;
    if (slice_equals_nocase(wanted.local, got.local))
        return true;
    return got.local.len > wanted.local.len && got.local.data[wanted.local.len] == '+' &&
           slice_equals_nocase(slice_first(got.local, wanted.local.len), wanted.local);
}

/* Where a pattern of the list covers the address; count: nowhere. */
static size_t find_pattern(const struct sender *patterns, size_t count, struct slice address)
{
    size_t at = 0;

    while (at < count && !rights_pattern_matches(patterns[at].pattern, address))
        at++;
    return at;
}

static struct rights_answer allow(enum rights_rule rule)
{
    return (struct rights_answer){ .verdict = RIGHTS_ALLOWED, .rule = rule };
}

static struct rights_answer refuse(enum rights_rule rule, enum reply_id reply)
{
    return (struct rights_answer){ .verdict = RIGHTS_REFUSED, .rule = rule, .reply = reply };
}

/* What a list says: a pattern, nothing, or nothing that is known here. */
static struct rights_answer look_up(const struct sender *patterns, size_t count, bool is_cut,
    struct slice address, enum rights_rule listed, struct rights_answer unlisted)
{
    struct rights_answer answer = allow(listed);

    answer.pattern = find_pattern(patterns, count, address);
    if (answer.pattern < count)
        return answer;
    return is_cut ? (struct rights_answer){ .verdict = RIGHTS_ASK } : unlisted;
}

static struct rights_answer judge_sender(const struct grant *grant, struct slice path)
{
    if (path.len == 0)
        return allow(RULE_NULL_SENDER);
    if (is_own(grant->user, path))
        return allow(RULE_OWN_ADDRESS);
    return look_up(grant->senders, grant->sender_count, grant->truncated, path, RULE_SENDER_LISTED,
        refuse(RULE_SENDER_UNLISTED, REPLY_SENDER_FORBIDDEN));
}

static struct rights_answer judge_recipient(const struct grant *grant, struct slice recipient)
{
    if (grant->recipient_count == 0 && !grant->recipients_truncated)
        return allow(RULE_ANY_RECIPIENT);
    return look_up(grant->recipients, grant->recipient_count, grant->recipients_truncated,
        recipient, RULE_RECIPIENT_LISTED,
        refuse(RULE_RECIPIENT_UNLISTED, REPLY_RECIPIENT_FORBIDDEN));
}

enum rights_verdict rights_sender(const struct grant *grant, struct slice reverse_path)
{
    return judge_sender(grant, reverse_path).verdict;
}

enum rights_verdict rights_recipient(const struct grant *grant, struct slice recipient)
{
    return judge_recipient(grant, recipient).verdict;
}

static struct rights_answer judge_size(const struct rights_case *asked, const struct grant *grant)
{
    uint64_t most = asked->conf->limits.message_size;

    if (most > 0 && asked->size > most)
        return refuse(RULE_SIZE, REPLY_TOO_BIG); /* EXT-SIZE-2 */
    if (grant->max_size > 0 && asked->size > grant->max_size)
        return refuse(RULE_OWN_SIZE, REPLY_TOO_BIG);
    return allow(RULE_SIZE_FITS);
}

static struct rights_answer judge_mail(const struct rights_case *asked, const struct grant *grant)
{
    enum address_kind kind = asked->address->kind;
    struct rights_answer size = judge_size(asked, grant);

    if (!grant->may_submit)
        return refuse(RULE_ACCOUNT, REPLY_ACCOUNT_FORBIDDEN); /* SUB-3.3-4 */
    if (size.verdict != RIGHTS_ALLOWED)
        return size;
    if (kind == ADDRESS_BARE || kind == ADDRESS_SINGLE_LABEL)
        return refuse(RULE_SENDER_UNQUALIFIED, REPLY_SENDER_UNQUALIFIED); /* SUB-4.2-1 */
    if (kind == ADDRESS_LITERAL && !asked->conf->allow_address_literals)
        return refuse(RULE_SENDER_LITERAL, REPLY_SENDER_LITERAL); /* SUB-4.2-7 */
    return judge_sender(grant, asked->text);
}

/* <postmaster>, the one bare name there is, and postmaster at a domain that is ours (SUB-6.4-2). */
static bool is_for_postmaster(const struct conf *conf, const struct address *address)
{
    if (!address_is_postmaster(address))
        return false;
    if (address->kind == ADDRESS_BARE || domain_equals(address->domain, conf->hostname))
        return true;
    for (size_t i = 0; i < conf->domain_count; i++)
        if (domain_equals(address->domain, conf->domains[i].name))
            return true;
    return false;
}

static bool is_over_count(const struct rights_case *asked, const struct grant *grant)
{
    return grant->max_recipients > 0 && asked->recipients >= grant->max_recipients;
}

static struct rights_answer judge_rcpt(const struct rights_case *asked, const struct grant *grant)
{
    enum address_kind kind = asked->address->kind;
    bool is_postmaster = is_for_postmaster(asked->conf, asked->address);

    if (grant->is_stranger && !is_postmaster)
        return refuse(RULE_STRANGER, REPLY_AUTH_FIRST); /* SUB-6.4-1 */
    /* One postmaster has a thousand spellings. */
    if (grant->is_stranger && is_over_count(asked, grant))
        return refuse(RULE_RECIPIENT_COUNT, REPLY_RECIPIENT_COUNT);
    if (is_postmaster)
        return allow(RULE_POSTMASTER);
    if (kind == ADDRESS_BARE || kind == ADDRESS_SINGLE_LABEL)
        return refuse(RULE_RECIPIENT_UNQUALIFIED, REPLY_RECIPIENT_UNQUALIFIED);
    if (kind == ADDRESS_LITERAL && !asked->conf->allow_address_literals)
        return refuse(RULE_RECIPIENT_LITERAL, REPLY_RECIPIENT_LITERAL);
    if (is_over_count(asked, grant))
        return refuse(RULE_RECIPIENT_COUNT, REPLY_RECIPIENT_COUNT); /* CMD-27, site policy */
    return judge_recipient(grant, asked->text);
}

struct rights_answer rights_decide(const struct rights_case *asked)
{
    static struct rights_answer (*const judges[])(
        const struct rights_case *, const struct grant *) = {
        [RIGHTS_MAIL] = judge_mail,
        [RIGHTS_RCPT] = judge_rcpt,
        [RIGHTS_CONTENT] = judge_size,
    };
    struct rights_answer answer = judges[asked->step](asked, asked->grant);
    struct rights_answer second;

    if (!asked->narrower || answer.verdict == RIGHTS_REFUSED)
        return answer;
    second = judges[asked->step](asked, asked->narrower);
    if (second.verdict == RIGHTS_ALLOWED)
        return answer;
    /* What the first grant has to be asked about may still be refused; the second does so now. */
    if (answer.verdict == RIGHTS_ASK && second.verdict == RIGHTS_ASK)
        return answer;
    second.by_narrower = true;
    return second;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
    return b > 0 && (a == 0 || b < a) ? b : a;
}

uint64_t rights_size(
    const struct conf *conf, const struct grant *grant, const struct grant *narrower)
{
    uint64_t most = smaller_limit(conf->limits.message_size, grant->max_size);

    return narrower ? smaller_limit(most, narrower->max_size) : most;
}

static const struct rule_words {
    const char *name;
    const char *text;
} rule_words[RULE_COUNT] = {
    [RULE_NULL_SENDER] = { "null-sender", "the null sender is always allowed" },
    [RULE_OWN_ADDRESS] = { "own-address", "it is the user's own address, with or without a tag" },
    [RULE_SENDER_LISTED] = { "sender-listed", "a sender pattern covers it" },
    [RULE_SENDER_UNLISTED] = { "sender-unlisted",
        "it is not the user's own address, and no sender pattern covers it" },
    [RULE_ACCOUNT] = { "account", "the user may log in but not submit" },
    [RULE_SENDER_UNQUALIFIED] = { "sender-unqualified",
        "the sender's domain is missing or has one label only" },
    [RULE_SENDER_LITERAL] = { "sender-literal",
        "address literals are not allowed (allow_address_literals)" },
    [RULE_SIZE] = { "size", "larger than limits message_size" },
    [RULE_OWN_SIZE] = { "own-size", "larger than this user's max_size" },
    [RULE_POSTMASTER] = { "postmaster", "the postmaster can always be written to" },
    [RULE_ANY_RECIPIENT] = { "any-recipient", "nothing restricts this user's recipients" },
    [RULE_RECIPIENT_LISTED] = { "recipient-listed", "a recipient pattern covers it" },
    [RULE_RECIPIENT_UNLISTED] = { "recipient-unlisted",
        "the user may write to listed recipients only, and no pattern covers this one" },
    [RULE_RECIPIENT_UNQUALIFIED] = { "recipient-unqualified",
        "the recipient's domain is missing or has one label only" },
    [RULE_RECIPIENT_LITERAL] = { "recipient-literal",
        "address literals are not allowed (allow_address_literals)" },
    [RULE_RECIPIENT_COUNT] = { "recipient-count",
        "more recipients than this user's max_recipients" },
    [RULE_STRANGER] = { "stranger", "without a login only the postmaster can be written to" },
    [RULE_SIZE_FITS] = { "size-fits", "within every limit" },
};

const char *rights_rule_text(enum rights_rule rule)
{
    return rule_words[rule].text;
}

const char *rights_rule_name(enum rights_rule rule)
{
    return rule_words[rule].name;
}

bool rights_trusted(const struct conf *conf, struct arena *arena, struct grant *out_grant)
{
    size_t count = conf->trusted_sender_count;
    struct sender *senders = arena_array(arena, count + 1, sizeof *senders);

    if (!senders)
        return false;
    for (size_t i = 0; i < count; i++)
        senders[i].pattern = conf->trusted_senders[i].text;
    *out_grant = (struct grant){ .may_submit = true, .senders = senders, .sender_count = count };
    return true;
}

struct grant rights_stranger(void)
{
    static struct sender anybody[] = { { SLICE_LITERAL("*") } };

    return (struct grant){ .may_submit = true,
        .is_stranger = true,
        .senders = anybody,
        .sender_count = LENGTH_OF(anybody),
        .max_recipients = STRANGER_RECIPIENTS,
        .max_size = STRANGER_SIZE };
}
