/* vault/scram.c: attributes separated by commas, each a letter, an equals sign and a value. */
#include "vault/scram.h"

#include "base/base64.h"

/* Reads off the front; the first fault sticks. */
struct reader {
    struct slice rest;
    bool bad;
};

/* The value of the next attribute, up to the comma or the end; the comma is taken too. */
static struct slice take_attribute(struct reader *reader, char name)
{
    struct slice value = slice_first(reader->rest, slice_find(reader->rest, ','));

    if (value.len < 3 || value.data[0] != name || value.data[1] != '=') {
        reader->bad = true;
        return slice_first(value, 0);
    }
    /* A comma with nothing behind it is not the end of a message. */
    if (value.len + 1 == reader->rest.len)
        reader->bad = true;
    reader->rest = slice_from(reader->rest, value.len + 1);
    return slice_from(value, 2);
}

bool scram_decode_name(struct slice value, struct scram_name *out)
{
    size_t at = 0;

    out->len = 0;
    while (at < value.len) {
        char c = value.data[at];
        struct slice escape = slice_first(slice_from(value, at), 3);

        if (out->len == SCRAM_NAME_MAX || c == '\0')
            return false;
        if (c == '=') {
            if (!slice_is(escape, "=2C") && !slice_is(escape, "=3D"))
                return false;
            c = escape.data[1] == '2' ? ',' : '=';
            at += 2;
        }
        at++;
        out->text[out->len++] = c;
    }
    out->text[out->len] = '\0';
    return out->len > 0;
}

/* RFC 5802 section 7: printable is %x21-2B / %x2D-7E. */
static bool nonce_is_valid(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e || nonce.data[i] == ',')
            return false;
    return nonce.len > 0 && nonce.len <= SCRAM_NONCE_MAX;
}

/* Extensions up to an attribute of that name, or to the end for '\0'. Mandatory ones are not known
 * to us. */
static void skip_extensions(struct reader *reader, char until)
{
    while (!reader->bad && reader->rest.len > 0 && reader->rest.data[0] != until) {
        char name = reader->rest.data[0];

        if (name == 'm' || !ascii_is_alpha(name))
            reader->bad = true;
        else
            (void)take_attribute(reader, name);
    }
}

/* gs2-header: the binding flag, perhaps an authorization identity, each with its comma. */
static void read_header(struct reader *reader, struct scram_first *first)
{
    struct slice flag = slice_first(reader->rest, slice_find(reader->rest, ','));

    first->binding = flag.len > 0 ? flag.data[0] : '\0';
    if (first->binding == 'p' ? flag.len < 3 || flag.data[1] != '='
                              : flag.len != 1 || (first->binding != 'n' && first->binding != 'y'))
        reader->bad = true;
    first->binding_name = slice_from(flag, 2);
    reader->rest = slice_from(reader->rest, flag.len + 1);
    first->has_authzid = reader->rest.len > 0 && reader->rest.data[0] == 'a';
    if (!first->has_authzid) {
        if (reader->rest.len == 0 || reader->rest.data[0] != ',')
            reader->bad = true;
        reader->rest = slice_from(reader->rest, 1);
    } else if (!scram_decode_name(take_attribute(reader, 'a'), &first->authzid)) {
        reader->bad = true;
    }
}

bool scram_read_first(struct slice message, struct scram_first *out_first)
{
    struct reader reader = { .rest = message, .bad = slice_find(message, '\0') < message.len };
    struct scram_first first = { .binding = '\0' };

    read_header(&reader, &first);
    if (reader.bad || !scram_decode_name(take_attribute(&reader, 'n'), &first.user))
        return false;
    if (!nonce_is_valid(take_attribute(&reader, 'r')))
        return false;
    skip_extensions(&reader, '\0');
    if (reader.bad)
        return false;
    *out_first = first;
    return true;
}

static bool is_base64(struct slice text)
{
    struct buffer octets;
    bool good;

    buffer_init(&octets, text.len + 3);
    good = text.len > 0 && base64_decode(&octets, text) && octets.error == ERR_OK;
    buffer_clear(&octets);
    return good;
}

bool scram_final_is_valid(struct slice message)
{
    struct reader reader = { .rest = message, .bad = slice_find(message, '\0') < message.len };

    if (!is_base64(take_attribute(&reader, 'c')))
        return false;
    if (take_attribute(&reader, 'r').len == 0)
        return false;
    skip_extensions(&reader, 'p');
    if (!is_base64(take_attribute(&reader, 'p')))
        return false;
    return !reader.bad && reader.rest.len == 0;
}
