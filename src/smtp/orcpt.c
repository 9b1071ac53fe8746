/* smtp/orcpt.c: the forms of ORCPT: xtext, and for the type utf-8 \x{HEX} or UTF-8 as it is. */
#include "smtp/orcpt.h"

#include "smtp/address.h"
#include "smtp/xtext.h"

static bool is_atom(struct slice text)
{
    static const char others[] = "!#$%&'*+-/=?^_`{|}~";

    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alpha(text.data[i]) && !ascii_is_digit(text.data[i]) &&
            !memchr(others, text.data[i], sizeof others - 1))
            return false;
    return text.len > 0;
}

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_character(struct buffer *out, uint32_t c)
{
    unsigned char octets[4] = { (unsigned char)(0xf0 | c >> 18),
        (unsigned char)(0x80 | (c >> 12 & 0x3f)), (unsigned char)(0x80 | (c >> 6 & 0x3f)),
        (unsigned char)(0x80 | (c & 0x3f)) };
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (len == 1)
        octets[3] = (unsigned char)c;
    else if (len == 2)
        octets[2] = (unsigned char)(0xc0 | c >> 6);
    else if (len == 3)
        octets[1] = (unsigned char)(0xe0 | c >> 12);
    buffer_put(out, octets + sizeof octets - len, len);
}

/* "\x{3B4}" at the front: the octets that it takes, 0 when it is none that may be decoded. */
static size_t escape_length(struct slice text, uint32_t *out_character)
{
    enum { PREFIX = 3, DIGITS_MAX = 6 };
    size_t len = PREFIX;
    uint32_t c = 0;

    if (text.len < PREFIX || memcmp(text.data, "\\x{", PREFIX) != 0)
        return 0;
    for (; len < text.len && hex_value(text.data[len]) >= 0 && len < PREFIX + DIGITS_MAX; len++)
        c = c * 16 + (uint32_t)hex_value(text.data[len]);
    if (len < PREFIX + 2 || len == text.len || text.data[len] != '}')
        return 0;
    if (c < 32 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *out_character = c;
    return len + 1;
}

/* A backslash stands for nothing but the beginning of an escape. */
static bool put_unescaped(struct buffer *out, struct slice text)
{
    while (text.len > 0) {
        size_t clean = slice_find(text, '\\');
        uint32_t c;
        size_t len;

        buffer_put_slice(out, slice_first(text, clean));
        text = slice_from(text, clean);
        if (text.len == 0)
            break;
        len = escape_length(text, &c);
        if (len == 0)
            return false;
        put_character(out, c);
        text = slice_from(text, len);
    }
    return out->error == ERR_OK;
}

/* The controls above 127; those below are no xtext. */
static bool has_control(struct slice utf8)
{
    for (size_t i = 0; i + 1 < utf8.len; i++)
        if ((unsigned char)utf8.data[i] == 0xc2 && (unsigned char)utf8.data[i + 1] < 0xa0)
            return true;
    return false;
}

static bool decode_address(struct buffer *out, struct slice address, bool is_utf8)
{
    struct buffer octets;
    bool is_good;

    /* Half of a character as it is and half escaped would be another in the other form. */
    if (!text_is_utf8(address))
        return false;
    buffer_init(&octets, ORCPT_MAX);
    is_good = xtext_decode(&octets, address, is_utf8) && !has_control(buffer_slice(&octets));
    if (is_good && is_utf8)
        is_good = put_unescaped(out, buffer_slice(&octets));
    else if (is_good)
        buffer_put_slice(out, buffer_slice(&octets));
    is_good = is_good && (is_utf8 || text_is_ascii(buffer_slice(&octets)));
    buffer_clear(&octets);
    return is_good;
}

bool orcpt_decode(struct buffer *out, struct slice text)
{
    struct slice type = slice_first(text, slice_find(text, ';'));
    struct slice address = slice_from(text, type.len + 1);
    size_t before = out->len;

    if (text.len > ORCPT_MAX || !is_atom(type) || address.len == 0)
        return false;
    buffer_put_slice(out, type);
    buffer_put_char(out, ';');
    if (decode_address(out, address, slice_is_nocase(type, "utf-8")) && out->error == ERR_OK)
        return true;
    if (out->len > before)
        buffer_truncate(out, before);
    return false;
}

static uint32_t take_character(struct slice *rest)
{
    unsigned char first = (unsigned char)rest->data[0];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = len == 1 ? first : first & (0x7fU >> len);

    for (size_t i = 1; i < len && i < rest->len; i++)
        c = c << 6 | ((unsigned char)rest->data[i] & 0x3fU);
    *rest = slice_from(*rest, len);
    return c;
}

void orcpt_write(struct buffer *out, struct slice text, bool allow_utf8)
{
    if (allow_utf8 || text_is_ascii(text)) {
        buffer_put_slice(out, text);
        return;
    }
    while (text.len > 0) {
        uint32_t c = take_character(&text);

        if (c < 0x80)
            buffer_put_char(out, (char)c);
        else
            buffer_printf(out, "\\x{%X}", (unsigned)c);
    }
}
