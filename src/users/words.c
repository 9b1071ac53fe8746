/* users/words.c: the words of the user file's lines, by one table. */
#include <stdio.h>

#include "base/base64.h"
#include "users/login.h"
#include "users/reader.h"

void reader_report(struct reader *reader, struct slice word, const char *complaint)
{
    struct users_report *list = reader->report;
    char shown[65];
    size_t len = word.len < sizeof shown - 1 ? word.len : sizeof shown - 1;

    list->count++;
    if (list->count > USERS_PROBLEMS_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        shown[i] = word.data[i] > ' ' && word.data[i] < 127 ? word.data[i] : '?';
    shown[len] = '\0';
    list->problems[list->count - 1].line = reader->line;
    snprintf(list->problems[list->count - 1].text, USERS_PROBLEM_TEXT, "%s%s%s", shown,
        len > 0 ? ": " : "", complaint);
}

bool reader_decode(struct slice text, size_t min, size_t max, unsigned char *out, size_t *out_len)
{
    char space[SCRAM_SALT_MAX * 2];
    struct buffer octets = { .data = space, .size = sizeof space, .cap = sizeof space };
    bool good;

    if (text.len > sizeof space)
        return false;
    good = base64_decode(&octets, text) && octets.error == ERR_OK && octets.len >= min &&
           octets.len <= max;
    if (good) {
        memcpy(out, space, octets.len);
        *out_len = octets.len;
    }
    explicit_bzero(space, sizeof space);
    return good;
}

struct slice reader_take(struct slice *rest, char separator)
{
    size_t len = slice_find(*rest, separator);
    struct slice part = slice_first(*rest, len);

    *rest = slice_from(*rest, len + 1);
    return part;
}

static bool read_state(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->state = slice_is(value, "disabled") ? USER_DISABLED : USER_ACTIVE;
    return user->state == USER_DISABLED || slice_is(value, "active");
}

static bool read_submit(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->rights.may_submit = slice_is(value, "yes");
    return user->rights.may_submit || slice_is(value, "no");
}

static bool read_min_mech(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->min_mech = slice_is(value, "scram") ? USER_MECH_SCRAM : USER_MECH_ANY;
    return user->min_mech == USER_MECH_SCRAM || slice_is(value, "any");
}

static bool read_hash(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    user->hash = value;
    return password_hash_is_valid(value);
}

static bool read_verifier(enum scram_hash hash, struct slice value, struct scram_verifier *scram)
{
    size_t size = scram_key_size(hash);
    uint64_t iterations;
    size_t len;

    if (!slice_number(reader_take(&value, ':'), SCRAM_ITERATIONS_MAX, &iterations) ||
        iterations < SCRAM_ITERATIONS_MIN)
        return false;
    if (!reader_decode(reader_take(&value, ':'), 1, SCRAM_SALT_MAX, scram->salt, &scram->salt_len))
        return false;
    if (!reader_decode(reader_take(&value, ':'), size, size, scram->stored_key, &len))
        return false;
    if (!reader_decode(value, size, size, scram->server_key, &len))
        return false;
    scram->hash = hash;
    scram->iterations = (uint32_t)iterations;
    return true;
}

static bool read_scram(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return read_verifier(SCRAM_SHA_256, value, &user->scram);
}

static bool read_scram_sha1(struct reader *reader, struct user *user, struct slice value)
{
    user->scram_sha1 = arena_alloc(&reader->users->arena, sizeof *user->scram_sha1);
    if (!user->scram_sha1)
        reader->error = ERR_NOMEM;
    return user->scram_sha1 && read_verifier(SCRAM_SHA_1, value, user->scram_sha1);
}

static bool read_sender(struct reader *reader, struct user *user, struct slice value)
{
    if (user->rights.sender_count == USER_SENDERS_MAX || !sender_is_valid(value))
        return false;
    reader->senders[user->rights.sender_count++].pattern = value;
    return true;
}

static bool read_recipient(struct reader *reader, struct user *user, struct slice value)
{
    if (user->rights.recipient_count == USER_RECIPIENTS_MAX || !sender_is_valid(value))
        return false;
    reader->recipients[user->rights.recipient_count++].pattern = value;
    return true;
}

static bool read_max_recipients(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return slice_number(value, USER_MOST_RECIPIENTS, &user->rights.max_recipients) &&
           user->rights.max_recipients > 0;
}

static bool read_max_size(struct reader *reader UNUSED, struct user *user, struct slice value)
{
    return slice_number(value, INT64_MAX, &user->rights.max_size) && user->rights.max_size > 0;
}

static bool read_group(struct reader *reader, struct user *user, struct slice value)
{
    if (user->group_count == USER_GROUPS_MAX || !group_is_valid(value))
        return false;
    reader->groups[user->group_count++].name = value;
    return true;
}

static bool read_until(struct reader *reader, struct user *user UNUSED, struct slice value)
{
    uint64_t seconds;

    if (!slice_number(value, INT64_MAX, &seconds) || seconds == 0)
        return false;
    reader->until = (int64_t)seconds;
    return true;
}

/* The words of a line behind its first. */
static const struct word {
    const char *name; /* with its equals sign */
    bool (*read)(struct reader *reader, struct user *user, struct slice value);
    const char *allowed;
    bool is_public; /* the value may be shown in a message */
    bool may_repeat;
    unsigned subjects; /* bits: which lines have it */
} words[] = {
    { "state=", read_state, "allowed is state=active or state=disabled", true, false, OF_USER },
    { "submit=", read_submit, "allowed is submit=yes or submit=no", true, false, OF_ALL },
    { "min_mech=", read_min_mech, "allowed is min_mech=any or min_mech=scram", true, false,
        OF_USER },
    { "hash=", read_hash, "not a password hash that crypt(3) knows here", false, false, OF_USER },
    { "scram=", read_scram,
        "allowed is ITERATIONS:SALT:STORED:SERVER, at least 4096 iterations, the rest base64",
        false, false, OF_USER | OF_APP },
    { "scram_sha1=", read_scram_sha1,
        "allowed is ITERATIONS:SALT:STORED:SERVER, at least 4096 iterations, the rest base64",
        false, false, OF_USER },
    { "sender=", read_sender, "allowed are 256 of sender=user@domain, sender=*@domain or sender=*",
        true, true, OF_ALL },
    { "recipient=", read_recipient,
        "allowed are 256 of recipient=user@domain, recipient=*@domain or recipient=*", true, true,
        OF_ALL },
    { "max_recipients=", read_max_recipients, "allowed is a number from 1 to 1000000", true, false,
        OF_ALL },
    { "max_size=", read_max_size, "allowed is a number of octets above 0", true, false, OF_ALL },
    { "group=", read_group,
        "allowed are 16 names of letters, digits, dots, hyphens and underscores", true, true,
        OF_USER },
    { "until=", read_until, "allowed is a number of seconds since 1970", true, false, OF_APP },
};

enum subject subject_of(struct slice first)
{
    if (first.len > 0 && first.data[0] == '@')
        return OF_GROUP;
    return slice_find(first, ':') < first.len ? OF_APP : OF_USER;
}

static void report_unknown(struct reader *reader, struct slice name, enum subject subject)
{
    static const char *const allowed[] = {
        [OF_USER] = "unknown word; allowed are state= min_mech= hash= scram= scram_sha1= group= "
                    "submit= sender= recipient= max_recipients= max_size=",
        [OF_GROUP] =
            "unknown word; allowed are submit= sender= recipient= max_recipients= max_size=",
        [OF_APP] = "unknown word; allowed are scram= until= submit= sender= recipient= "
                   "max_recipients= max_size=",
    };

    reader_report(reader, name, allowed[subject]);
}

bool reader_word(struct reader *reader, struct user *user, struct slice text, unsigned *seen)
{
    enum subject subject = subject_of(user->login);
    size_t name_len = slice_find(text, '=') + 1;

    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        const struct word *word = &words[i];

        if (name_len > text.len || !slice_is(slice_first(text, name_len), word->name) ||
            !(word->subjects & subject))
            continue;
        if ((*seen & 1u << i) && !word->may_repeat) {
            reader_report(reader, slice_text(word->name), "given twice");
            return false;
        }
        *seen |= 1u << i;
        if (word->read(reader, user, slice_from(text, name_len)))
            return true;
        reader_report(reader, word->is_public ? text : slice_text(word->name), word->allowed);
        return false;
    }
    report_unknown(reader, slice_first(text, name_len), subject);
    return false;
}
