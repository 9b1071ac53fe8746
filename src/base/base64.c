/* base/base64.c: strict base64. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buffer *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[i] << 16;
        char text[4];

        if (left > 1)
            group |= (uint32_t)(unsigned char)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= (uint32_t)(unsigned char)bytes.data[i + 2];
        text[0] = alphabet[group >> 18];
        text[1] = alphabet[group >> 12 & 63];
        text[2] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        text[3] = left > 2 ? alphabet[group & 63] : '=';
        buffer_put(out, text, sizeof text);
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decodes one group of four; gives the number of octets (1 to 3), or 0 when it is not base64. */
static size_t decode_group(const char *text, bool last, unsigned char out[3])
{
    size_t octets = 3;
    uint32_t group = 0;

    if (last && text[3] == '=')
        octets = text[2] == '=' ? 1 : 2;
    for (size_t i = 0; i < octets + 1; i++) {
        int v = value_of(text[i]);
        if (v < 0)
            return 0;
        group |= (uint32_t)v << (18 - 6 * i);
    }
    if ((octets == 1 && (group & 0xffff)) || (octets == 2 && (group & 0xff)))
        return 0;
    out[0] = (unsigned char)(group >> 16);
    out[1] = (unsigned char)(group >> 8);
    out[2] = (unsigned char)group;
    return octets;
}

bool base64_decode(struct buffer *out, struct slice text)
{
    size_t before = out->len;

    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        unsigned char bytes[3];
        size_t octets = decode_group(text.data + i, i + 4 == text.len, bytes);
        if (octets == 0) {
            buffer_truncate(out, before);
            return false;
        }
        buffer_put(out, bytes, octets);
    }
    return true;
}
