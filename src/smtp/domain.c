/* smtp/domain.c: host names, internationalised names, address literals. */
#include "smtp/domain.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

/* Lower case and NFC may lengthen UTF-8 threefold; A-labels are bounded by DNS. */
enum { UNICODE_ROOM = 3 * ADDRESS_DOMAIN_MAX + 1, ASCII_ROOM = ADDRESS_DOMAIN_MAX + 1 };

bool text_is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] > 127)
            return false;
    return true;
}

bool text_is_utf8(struct slice text)
{
    return text.len == 0 || u8_check((const uint8_t *)text.data, text.len) == NULL;
}

static bool is_label_octet(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || (unsigned char)c > 127;
}

size_t domain_span(struct slice text)
{
    size_t len = 0;

    while (len < text.len && (is_label_octet(text.data[len]) || text.data[len] == '.'))
        len++;
    return len;
}

/* One label: letters, digits, inner hyphens. The length of a U-label is judged in its A-label form.
 */
static enum address_fault label_check(struct slice label, size_t *out_offset)
{
    *out_offset = 0;
    if (label.len == 0 || label.data[0] == '-')
        return ADDRESS_DOMAIN_LABEL;
    for (size_t i = 0; i < label.len; i++)
        if (!is_label_octet(label.data[i])) {
            *out_offset = i;
            return ADDRESS_DOMAIN_OCTET;
        }
    if (label.len > ADDRESS_LABEL_MAX && text_is_ascii(label))
        return ADDRESS_DOMAIN_LONG;
    *out_offset = label.len - 1;
    return label.data[label.len - 1] == '-' ? ADDRESS_DOMAIN_LABEL : ADDRESS_OK;
}

static enum address_fault labels_check(struct slice domain, size_t *out_at)
{
    size_t start = 0;

    *out_at = 0;
    if (domain.len == 0)
        return ADDRESS_DOMAIN_EMPTY;
    if (domain.len > ADDRESS_DOMAIN_MAX)
        return ADDRESS_DOMAIN_LONG;
    while (start <= domain.len) {
        struct slice rest = slice_from(domain, start);
        struct slice label = slice_first(rest, slice_find(rest, '.'));
        size_t offset;
        enum address_fault fault = label_check(label, &offset);

        if (fault != ADDRESS_OK) {
            *out_at = start + offset;
            return fault;
        }
        start += label.len + 1;
    }
    *out_at = 0;
    return text_is_utf8(domain) ? ADDRESS_OK : ADDRESS_UTF8;
}

static struct slice take_label(struct slice *rest)
{
    struct slice label = slice_first(*rest, slice_find(*rest, '.'));

    *rest = slice_from(*rest, label.len + 1);
    return label;
}

/* Folding made no label ASCII (KELVIN SIGN becomes a k) and no new label: such a name looks like
 * another. */
static bool is_alike(struct slice domain, struct slice folded)
{
    while (domain.len > 0 && folded.len > 0)
        if (text_is_ascii(take_label(&domain)) != text_is_ascii(take_label(&folded)))
            return false;
    return domain.len == folded.len;
}

/* The canonical form of U-labels: lower case, NFC. out has UNICODE_ROOM octets; NUL-ended. */
static bool fold(struct slice domain, char *out, size_t *out_len)
{
    size_t len = 0, at;
    uint8_t *text =
        u8_tolower((const uint8_t *)domain.data, domain.len, NULL, UNINORM_NFC, NULL, &len);
    struct slice folded = slice_of(text, text ? len : 0);
    bool is_good = folded.len > 0 && folded.len < UNICODE_ROOM && is_alike(domain, folded) &&
                   labels_check(folded, &at) == ADDRESS_OK;

    if (is_good) {
        memcpy(out, folded.data, folded.len);
        out[folded.len] = '\0';
        *out_len = folded.len;
    }
    free(text);
    return is_good;
}

/* From the canonical form to A-labels, by IDNA2008 without the mappings of TR46: what is no U-label
 * is refused, not repaired. out has ASCII_ROOM octets. */
static enum address_fault encode(const char *folded, char *out, size_t *out_len)
{
    uint8_t *name = NULL;
    int code =
        idn2_lookup_u8((const uint8_t *)folded, &name, IDN2_NO_TR46 | IDN2_USE_STD3_ASCII_RULES);
    enum address_fault fault = ADDRESS_OK;

    if (code == IDN2_TOO_BIG_DOMAIN || code == IDN2_TOO_BIG_LABEL)
        fault = ADDRESS_DOMAIN_LONG;
    else if (code != IDN2_OK)
        fault = ADDRESS_DOMAIN_IDN;
    else if (strlen((const char *)name) >= ASCII_ROOM)
        fault = ADDRESS_DOMAIN_LONG;
    if (fault == ADDRESS_OK) {
        *out_len = strlen((const char *)name);
        memcpy(out, name, *out_len);
    }
    idn2_free(name);
    return fault;
}

/* A checked name in A-labels and lower case. */
static enum address_fault to_ascii(struct slice domain, char *out, size_t *out_len)
{
    char folded[UNICODE_ROOM];
    size_t len;

    if (!text_is_ascii(domain)) {
        if (!fold(domain, folded, &len))
            return ADDRESS_DOMAIN_IDN;
        return encode(folded, out, out_len);
    }
    for (size_t i = 0; i < domain.len; i++)
        out[i] = ascii_lower(domain.data[i]);
    *out_len = domain.len;
    return ADDRESS_OK;
}

enum address_fault domain_check(struct slice domain, size_t *out_at)
{
    char ascii[ASCII_ROOM];
    size_t len;
    enum address_fault fault = labels_check(domain, out_at);

    return fault == ADDRESS_OK ? to_ascii(domain, ascii, &len) : fault;
}

enum address_fault domain_canonical(
    struct arena *arena, struct slice domain, struct slice *out_domain, size_t *out_at)
{
    char folded[UNICODE_ROOM];
    size_t len = domain.len;
    enum address_fault fault;

    if (len > 1 && domain.data[len - 1] == '.')
        domain = slice_first(domain, len - 1);
    fault = domain_check(domain, out_at);
    if (fault != ADDRESS_OK)
        return fault;
    if (text_is_ascii(domain)) {
        *out_domain = domain;
        return ADDRESS_OK;
    }
    if (!fold(domain, folded, &len))
        return ADDRESS_DOMAIN_IDN;
    if (slice_equals(domain, slice_of(folded, len)))
        *out_domain = domain;
    else if (!arena_copy(arena, slice_of(folded, len), out_domain))
        return ADDRESS_NOMEM;
    return ADDRESS_OK;
}

bool domain_is_qualified(struct slice domain)
{
    return slice_find(domain, '.') < domain.len;
}

bool domain_equals(struct slice a, struct slice b)
{
    char left[ASCII_ROOM], right[ASCII_ROOM];
    size_t left_len, right_len, at;

    if (slice_equals_nocase(a, b))
        return true;
    if (text_is_ascii(a) && text_is_ascii(b))
        return false;
    return labels_check(a, &at) == ADDRESS_OK && labels_check(b, &at) == ADDRESS_OK &&
           to_ascii(a, left, &left_len) == ADDRESS_OK &&
           to_ascii(b, right, &right_len) == ADDRESS_OK &&
           slice_equals(slice_of(left, left_len), slice_of(right, right_len));
}

bool domain_to_ascii(struct buffer *out, struct slice domain)
{
    struct slice address;
    char ascii[ASCII_ROOM];
    size_t len, at;

    if (literal_parse(domain, &address)) {
        buffer_put_slice(out, domain);
        return true;
    }
    if (labels_check(domain, &at) != ADDRESS_OK || to_ascii(domain, ascii, &len) != ADDRESS_OK)
        return false;
    buffer_put(out, ascii, len);
    return true;
}

/* Digits and dots only, so that nothing of inet_pton's liberty shows. */
static bool is_ipv4(struct slice text)
{
    size_t parts = 0;

    while (text.len > 0) {
        struct slice part = slice_first(text, slice_find(text, '.'));
        uint64_t value;

        if (part.len > 3 || !slice_number(part, 255, &value))
            return false;
        parts++;
        if (part.len + 1 == text.len)
            return false;
        text = slice_from(text, part.len + 1);
    }
    return parts == 4;
}

static bool is_ipv6(struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (text.len >= sizeof copy || memchr(text.data, '\0', text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

bool literal_parse(struct slice text, struct slice *out_address)
{
    static const struct slice tag = SLICE_LITERAL("IPv6:");
    struct slice inner;

    if (text.len < 3 || text.data[0] != '[' || text.data[text.len - 1] != ']')
        return false;
    inner = slice_of(text.data + 1, text.len - 2);
    if (slice_starts_nocase(inner, tag.data)) {
        inner = slice_from(inner, tag.len);
        if (inner.len == 0 || !is_ipv6(inner))
            return false;
    } else if (!is_ipv4(inner)) {
        return false;
    }
    *out_address = inner;
    return true;
}
