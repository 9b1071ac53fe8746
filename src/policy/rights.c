/* policy/rights.c: sender patterns against reverse-paths. */
#include "policy/rights.h"

#include "smtp/address.h"

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

enum rights_verdict rights_check(const struct grant *grant, struct slice reverse_path)
{
    if (reverse_path.len == 0 || is_own(grant->user, reverse_path))
        return RIGHTS_ALLOWED;
    for (size_t i = 0; i < grant->sender_count; i++)
        if (rights_pattern_matches(grant->senders[i].pattern, reverse_path))
            return RIGHTS_ALLOWED;
    return grant->truncated ? RIGHTS_ASK : RIGHTS_REFUSED;
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
