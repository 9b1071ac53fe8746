/* smtp/status.c: enhanced status codes. */
#include "smtp/status.h"

/* One to three digits without a leading zero at *at; advances. */
static bool take_number(struct slice text, size_t *at, uint16_t *out_value)
{
    size_t start = *at;
    unsigned value = 0;

    while (*at < text.len && *at - start < 3 && ascii_is_digit(text.data[*at]))
        value = value * 10 + (unsigned)(text.data[(*at)++] - '0');
    if (*at == start || (*at - start > 1 && text.data[start] == '0'))
        return false;
    *out_value = (uint16_t)value;
    return true;
}

static bool take_dot(struct slice text, size_t *at)
{
    return *at < text.len && text.data[(*at)++] == '.';
}

bool status_parse(struct slice text, struct status *out_status, size_t *out_len)
{
    struct status status;
    size_t at = 1;

    if (text.len < 5 || (text.data[0] != '2' && text.data[0] != '4' && text.data[0] != '5'))
        return false;
    status.class = (uint8_t)(text.data[0] - '0');
    if (!take_dot(text, &at) || !take_number(text, &at, &status.subject) || !take_dot(text, &at) ||
        !take_number(text, &at, &status.detail))
        return false;
    if (at < text.len && text.data[at] != ' ' && text.data[at] != '\t')
        return false;
    *out_status = status;
    *out_len = at;
    return true;
}

/* Only codes whose meaning in RFC 5321 and its extensions is narrow enough; 550 and 554 are used
 * for everything. */
static const struct {
    unsigned code;
    struct status status;
} mapped[] = {
    { 421, { 4, 3, 2 } },
    { 450, { 4, 2, 0 } },
    { 452, { 4, 3, 1 } },
    { 500, { 5, 5, 2 } },
    { 501, { 5, 5, 4 } },
    { 502, { 5, 5, 1 } },
    { 503, { 5, 5, 1 } },
    { 504, { 5, 5, 4 } },
    { 521, { 5, 3, 2 } },
    { 530, { 5, 7, 0 } },
    { 535, { 5, 7, 8 } },
    { 551, { 5, 1, 6 } },
    { 552, { 5, 2, 2 } },
    { 553, { 5, 1, 3 } },
    { 555, { 5, 5, 4 } },
    { 556, { 5, 1, 10 } },
};

struct status status_of_code(unsigned code)
{
    unsigned class = code / 100;

    for (size_t i = 0; i < sizeof mapped / sizeof mapped[0]; i++)
        if (mapped[i].code == code)
            return mapped[i].status;
    if (class != 2 && class != 4 && class != 5)
        return (struct status){ 0 };
    return (struct status){ .class = (uint8_t) class };
}
