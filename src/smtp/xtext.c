/* smtp/xtext.c: xtext, strictly. */
#include "smtp/xtext.h"

#include "smtp/address.h"

static bool stands_for_itself(unsigned char c)
{
    return c >= 33 && c <= 126 && c != '+' && c != '=';
}

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The octet that "+XY" at the front of text stands for; -1 when it is none that may be decoded. */
static int decode_pair(struct slice text)
{
    int high, low, c;

    if (text.len < 3)
        return -1;
    high = hex_value(text.data[1]);
    low = hex_value(text.data[2]);
    c = high * 16 + low;
    return high < 0 || low < 0 || c < 32 || c == 127 ? -1 : c;
}

/* Appends as far as it goes. */
static bool decode(struct buffer *out, struct slice text, bool allow_utf8)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '+') {
            int octet = decode_pair(slice_from(text, i));
            if (octet < 0)
                return false;
            buffer_put_char(out, (char)octet);
            i += 2;
        } else if (stands_for_itself(c) || (allow_utf8 && c > 127)) {
            buffer_put_char(out, (char)c);
        } else {
            return false;
        }
    }
    return out->error == ERR_OK;
}

bool xtext_decode(struct buffer *out, struct slice text, bool allow_utf8)
{
    size_t before = out->len;

    if (decode(out, text, allow_utf8) && text_is_utf8(slice_from(buffer_slice(out), before)))
        return true;
    if (out->len > before)
        buffer_truncate(out, before);
    return false;
}
