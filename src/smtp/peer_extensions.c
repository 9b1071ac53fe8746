/* smtp/peer_extensions.c: the EHLO reply of a next hop. What is malformed is not offered. */
#include "smtp/ehlo.h"
#include "smtp/peer_reply.h"

/* Reads what follows a keyword; false when it is malformed. */
typedef bool parameter_reader(struct slice parameters, struct peer_extensions *peer);

static parameter_reader read_size, read_auth, read_deliver_by, read_limits;

static parameter_reader *const readers[EXTENSION_COUNT] = {
    [EXTENSION_SIZE] = read_size,
    [EXTENSION_AUTH] = read_auth,
    [EXTENSION_DELIVERBY] = read_deliver_by,
    [EXTENSION_LIMITS] = read_limits,
};

static struct slice take_word(struct slice *rest)
{
    struct slice word = slice_first(*rest, slice_find(*rest, ' '));

    *rest = slice_trim(slice_from(*rest, word.len));
    return word;
}

static bool read_size(struct slice parameters, struct peer_extensions *peer)
{
    struct slice word = take_word(&parameters);

    for (size_t i = 0; i < word.len; i++)
        if (!ascii_is_digit(word.data[i]))
            return false;
    peer->size = 0;
    if (word.len > 0 && !slice_number(word, UINT64_MAX, &peer->size))
        peer->size = UINT64_MAX;
    return true;
}

static bool read_auth(struct slice parameters, struct peer_extensions *peer)
{
    while (parameters.len > 0) {
        enum mechanism mechanism;

        if (mechanism_find(take_word(&parameters), &mechanism))
            peer->mechanisms |= MECHANISM_BIT(mechanism);
    }
    return true;
}

static bool read_deliver_by(struct slice parameters, struct peer_extensions *peer)
{
    enum { SECONDS_MAX = 999999999 };
    struct slice word = take_word(&parameters);
    uint64_t seconds = 0;

    if (word.len > 0 && !slice_number(word, SECONDS_MAX, &seconds))
        return false;
    peer->deliver_by_min = (uint32_t)seconds;
    return true;
}

static const struct {
    const char *name;
    size_t offset;
} limits[] = {
    { "MAILMAX", offsetof(struct peer_extensions, mail_max) },
    { "RCPTMAX", offsetof(struct peer_extensions, rcpt_max) },
    { "RCPTDOMAINMAX", offsetof(struct peer_extensions, rcpt_domain_max) },
};

static bool is_limit_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return name.len > 0;
}

/* name "=" value, the value of printable octets but ";" (RFC 9422 section 3): the base syntax. */
static bool cut_limit(struct slice word, struct slice *out_name, struct slice *out_value)
{
    struct slice name = slice_first(word, slice_find(word, '='));
    struct slice value = slice_from(word, name.len + 1);

    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] <= 32 || value.data[i] >= 127 || value.data[i] == ';')
            return false;
    if (!is_limit_name(name) || value.len == 0)
        return false;
    *out_name = name;
    *out_value = value;
    return true;
}

/* Values are one to six digits without a leading zero; what is not is ignored alone. */
static void set_limit(struct slice name, struct slice value, struct peer_extensions *peer)
{
    enum { LARGEST = 999999 };
    uint64_t number;

    if (value.data[0] == '0' || !slice_number(value, LARGEST, &number))
        return;
    for (size_t i = 0; i < LENGTH_OF(limits); i++)
        if (slice_is_nocase(name, limits[i].name))
            *(uint32_t *)(void *)((char *)peer + limits[i].offset) = (uint32_t)number;
}

static bool read_limits(struct slice parameters, struct peer_extensions *peer)
{
    struct slice rest = parameters, name, value;

    while (rest.len > 0)
        if (!cut_limit(take_word(&rest), &name, &value))
            return false;
    while (parameters.len > 0)
        if (cut_limit(take_word(&parameters), &name, &value))
            set_limit(name, value, peer);
    return true;
}

/* "AUTH=PLAIN LOGIN" is how servers wrote it before RFC 2554, and some still do. */
static struct slice take_keyword(struct slice *rest)
{
    static const struct slice old_auth = SLICE_LITERAL("AUTH=");
    struct slice keyword;

    if (!slice_starts_nocase(*rest, old_auth.data))
        return take_word(rest);
    keyword = slice_first(*rest, old_auth.len - 1);
    *rest = slice_from(*rest, old_auth.len);
    return keyword;
}

static void read_line(struct slice line, struct peer_extensions *peer)
{
    struct slice rest = slice_trim(line);
    enum extension extension;

    if (!extension_find(take_keyword(&rest), &extension))
        return;
    if (!readers[extension] || readers[extension](rest, peer))
        peer->set |= EXTENSION_BIT(extension);
}

void peer_extensions_read(const struct peer_reply *reply, struct peer_extensions *out_peer)
{
    struct peer_extensions peer = { 0 };
    struct slice line;
    size_t position = 0;

    /* The first line is the peer's name and greeting. */
    for (bool first = true; peer_reply_line(reply, &position, &line); first = false)
        if (!first)
            read_line(line, &peer);
    *out_peer = peer;
}
