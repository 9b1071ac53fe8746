/* conf/syntax.c: the forms of texts: names, addresses, paths. */
#include "conf/syntax.h"

#include <arpa/inet.h>
#include <string.h>

#include "smtp/address.h"
#include "smtp/parameters.h"
#include "users/login.h"

/* A host name or domain, U-labels allowed; a last label of digits alone would be an IPv4 address.
 */
static bool is_name(struct slice text)
{
    size_t dot = slice_find_last(text, '.');
    uint64_t number;
    size_t at;

    return domain_check(text, &at) == ADDRESS_OK &&
           !slice_number(slice_from(text, dot < text.len ? dot + 1 : 0), UINT64_MAX, &number);
}

static bool fits_hostname(struct slice text)
{
    return text_is_ascii(text) && is_name(text) && domain_is_qualified(text);
}

static bool fits_domain(struct slice text)
{
    return is_name(text) && domain_is_qualified(text);
}

static bool is_below(struct slice pattern)
{
    return pattern.len > 2 && memcmp(pattern.data, "*.", 2) == 0;
}

static bool fits_pattern(struct slice text)
{
    return slice_is(text, "*") || is_name(is_below(text) ? slice_from(text, 2) : text);
}

static bool fits_mailbox(struct slice text)
{
    struct arena arena;
    struct address address;
    size_t at;
    bool fits;

    arena_init(&arena, 16384);
    fits = mailbox_parse(&arena, text, &address, &at) == ADDRESS_OK &&
           (address.kind == ADDRESS_QUALIFIED || address.kind == ADDRESS_SINGLE_LABEL);
    arena_clear(&arena);
    return fits;
}

static bool fits_sender(struct slice text)
{
    if (slice_is(text, "*"))
        return true;
    if (text.len > 2 && memcmp(text.data, "*@", 2) == 0)
        return is_name(slice_from(text, 2));
    return fits_mailbox(text);
}

static bool fits_login(struct slice text)
{
    struct login login;

    return login_prepare(text, true, &login) && slice_equals(login_slice(&login), text);
}

static bool fits_sha256(struct slice text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.len; i++)
        if (memchr("0123456789abcdef", ascii_lower(text.data[i]), 16))
            digits++;
        else if (text.data[i] != ':' || digits == 0 || digits % 2 != 0)
            return false;
    return digits == 64 && text.data[text.len - 1] != ':';
}

static bool fits_class(struct slice text)
{
    return solicit_is_valid(text) && slice_find(text, ',') == text.len;
}

static bool fits_text(struct slice text)
{
    return text.len > 0;
}

static bool fits_file(struct slice text)
{
    return text.len > 0 && text.data[0] == '/';
}

static bool fits_anchor(struct slice text)
{
    return text.len == 0 || fits_file(text);
}

static bool fits_socket(struct slice text)
{
    return fits_file(text) && text.len <= SOCKET_PATH_MAX;
}

static int ip_family(struct slice host, unsigned char out_octets[16])
{
    char text[INET6_ADDRSTRLEN + 1];

    if (host.len == 0 || host.len >= sizeof text)
        return 0;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (strlen(text) != host.len)
        return 0;
    if (inet_pton(AF_INET, text, out_octets) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, text, out_octets) == 1 ? AF_INET6 : 0;
}

bool syntax_is_ip(struct slice host)
{
    unsigned char octets[16];

    return ip_family(host, octets) != 0;
}

static bool is_port(struct slice text, uint16_t *out_port)
{
    uint64_t port;

    if (!slice_number(text, UINT16_MAX, &port) || port == 0 || text.data[0] == '0')
        return false;
    *out_port = (uint16_t)port;
    return true;
}

bool syntax_endpoint(struct slice text, uint16_t preset, struct slice *out_host, uint16_t *out_port)
{
    bool bracketed = text.len > 0 && text.data[0] == '[';
    size_t end = slice_find(text, bracketed ? ']' : ':');
    struct slice host = bracketed ? slice_from(slice_first(text, end), 1) : slice_first(text, end);
    struct slice rest = slice_from(text, bracketed ? end + 1 : end);
    unsigned char octets[16];
    uint16_t port = preset;

    if (bracketed ? end == text.len || ip_family(host, octets) != AF_INET6
                  : ip_family(host, octets) != AF_INET && !is_name(host))
        return false;
    if (rest.len > 0 && (rest.data[0] != ':' || !is_port(slice_from(rest, 1), &port)))
        return false;
    *out_host = host;
    *out_port = port;
    return true;
}

static bool fits_listen(struct slice text)
{
    struct slice host;
    uint16_t port;

    return syntax_endpoint(text, 0, &host, &port) && port != 0 && syntax_is_ip(host);
}

bool syntax_https(struct slice text, struct slice *out_host, uint16_t *out_port)
{
    static const char scheme[] = "https://";
    struct slice rest = slice_from(text, sizeof scheme - 1);
    size_t end = 0;

    if (!slice_is(slice_first(text, sizeof scheme - 1), scheme))
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.data[i] <= ' ' || rest.data[i] > '~' || strchr("#\"<>\\^`{|}", rest.data[i]))
            return false;
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
        end++;
    return syntax_endpoint(slice_first(rest, end), 443, out_host, out_port);
}

static bool fits_https(struct slice text)
{
    struct slice host;
    uint16_t port;

    return syntax_https(text, &host, &port);
}

static bool fits_hop(struct slice text)
{
    struct slice host;
    uint16_t port;

    if (slice_starts_nocase(text, "unix:"))
        return fits_socket(slice_from(text, 5));
    return fits_file(text) || syntax_endpoint(text, 25, &host, &port);
}

static bool fits_server(struct slice text)
{
    struct slice host;
    uint16_t port;

    return syntax_endpoint(text, 1, &host, &port);
}

static bool fits_resolver(struct slice text)
{
    size_t at = slice_find(text, '@');
    uint16_t port = 53;

    return syntax_is_ip(slice_first(text, at)) &&
           (at == text.len || is_port(slice_from(text, at + 1), &port));
}

static bool all_of(struct slice s, const char *further)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.data[i]) && !ascii_is_digit(s.data[i]) && !strchr(further, s.data[i]))
            return false;
    return true;
}

/* Root, by name or number, is no account for a room. */
static bool fits_account(struct slice text)
{
    uint64_t number;

    if (text.len == 0 || text.len > 32 || slice_is(text, "root"))
        return false;
    if (ascii_is_digit(text.data[0]))
        return slice_number(text, UINT32_MAX - 1, &number) && number > 0;
    return text.data[0] != '-' && all_of(text, "_-");
}

static bool fits_word(struct slice text)
{
    return text.len > 0 && text.len <= 63 && all_of(text, "_.-");
}

static uint64_t get_u64(const unsigned char *octets)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | octets[i];
    return value;
}

/* The bits of one half of an address that a prefix of that many bits leaves open. */
static uint64_t open_bits(unsigned prefix)
{
    return prefix >= 64 ? 0 : UINT64_MAX >> prefix;
}

bool syntax_network(struct slice text, struct conf_network *out_network)
{
    size_t slash = slice_find(text, '/');
    unsigned char octets[16] = { [10] = 0xff, [11] = 0xff };
    unsigned char plain[16];
    int family = ip_family(slice_first(text, slash), plain);
    uint64_t most = family == AF_INET ? 32 : 128;
    uint64_t prefix = most;
    struct conf_network network = { .text = text };

    if (family == 0 ||
        (slash < text.len && !slice_number(slice_from(text, slash + 1), most, &prefix)))
        return false;
    if (family == AF_INET)
        memcpy(octets + 12, plain, 4);
    else
        memcpy(octets, plain, 16);
    network.prefix = (uint8_t)(prefix + 128 - most);
    network.high = get_u64(octets);
    network.low = get_u64(octets + 8);
    if ((network.high & open_bits(network.prefix)) != 0 ||
        (network.low & (network.prefix <= 64 ? UINT64_MAX : open_bits(network.prefix - 64u))) != 0)
        return false;
    *out_network = network;
    return true;
}

static bool fits_network(struct slice text)
{
    struct conf_network network;

    return syntax_network(text, &network);
}

static const struct {
    bool (*fits)(struct slice text);
    bool folds;
    const char *allowed;
} rows[SYNTAX_COUNT] = {
    [SYNTAX_HOSTNAME] = { fits_hostname, true, "a full host name such as \"mail.example.org\"" },
    [SYNTAX_DOMAIN] = { fits_domain, true, "a domain such as \"example.org\"" },
    [SYNTAX_PATTERN] = { fits_pattern, true,
        "a domain, \"*.example.org\" for what lies below it, or \"*\"" },
    [SYNTAX_MAILBOX] = { fits_mailbox, false, "an address such as \"admin@example.org\"" },
    [SYNTAX_SENDER] = { fits_sender, false, "\"user@example.org\", \"*@example.org\" or \"*\"" },
    [SYNTAX_NETWORK] = { fits_network, false,
        "an IP network such as \"192.0.2.0/24\" or \"2001:db8::/32\", with no bit set behind the "
        "prefix" },
    [SYNTAX_FILE] = { fits_file, false, "a path that begins with /" },
    [SYNTAX_ANCHOR] = { fits_anchor, false, "a path that begins with /, or \"\" for none" },
    [SYNTAX_SOCKET] = { fits_socket, false, "a path that begins with /, of at most 107 octets" },
    [SYNTAX_LISTEN] = { fits_listen, false,
        "an IP address and a port such as \"[::]:465\" or \"127.0.0.1:587\"" },
    [SYNTAX_HOP] = { fits_hop, false,
        "\"host\", \"host:port\", \"[IPv6 address]:port\", \"unix:/path\" or \"/folder\"" },
    [SYNTAX_SERVER] = { fits_server, false, "a host such as \"imap.example.org\", or host:port" },
    [SYNTAX_RESOLVER] = { fits_resolver, false,
        "an IP address such as \"192.0.2.1\" or \"127.0.0.1@5300\"" },
    [SYNTAX_HTTPS] = { fits_https, false,
        "an address such as \"https://id.example.org/keys\", without user and fragment" },
    [SYNTAX_ACCOUNT] = { fits_account, false, "the name or number of a user that is not root" },
    [SYNTAX_LOGIN] = { fits_login, false, "a user such as \"alice@example.org\"" },
    [SYNTAX_SHA256] = { fits_sha256, false,
        "64 hexadecimal digits, perhaps with colons between each two" },
    [SYNTAX_WORD] = { fits_word, false, "a word of at most 63 letters, digits, '_', '-' and '.'" },
    [SYNTAX_CLASS] = { fits_class, false,
        "a word of letters, digits, '.', '-', '_' and ':' that begins with a letter" },
    [SYNTAX_TEXT] = { fits_text, false, "text that is not empty" },
};

bool syntax_fits(enum syntax syntax, struct slice text)
{
    return text.len <= TEXT_MAX && rows[syntax].fits(text);
}

const char *syntax_allowed(enum syntax syntax)
{
    return rows[syntax].allowed;
}

bool syntax_canonical(enum syntax syntax, struct slice text, struct buffer *out)
{
    if (syntax == SYNTAX_SHA256) {
        for (size_t i = 0; i < text.len; i++)
            if (text.data[i] != ':')
                buffer_put_char(out, ascii_lower(text.data[i]));
        return true;
    }
    if (!rows[syntax].folds || slice_is(text, "*")) {
        buffer_put_slice(out, text);
        return true;
    }
    if (is_below(text)) {
        buffer_put_text(out, "*.");
        text = slice_from(text, 2);
    }
    return domain_to_ascii(out, text);
}
