/* tests/fuzz/fuzz_scram.c: the messages of SCRAM, OAUTHBEARER and XOAUTH2 before anybody acts on
 * them: what is read points into the message and holds no more than it may. */
#include "fuzz.h"
#include "vault/bearer.h"
#include "vault/scram.h"

static void require_inside(struct slice part, struct slice whole)
{
    REQUIRE(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_name(const struct scram_name *name)
{
    REQUIRE(
        name->len > 0 && name->len <= SCRAM_NAME_MAX && memchr(name->text, 0, name->len) == NULL);
    REQUIRE(name->text[name->len] == '\0');
}

/* A name that was read is read again from what it is written as. */
static void check_encoded(const struct scram_name *name)
{
    struct scram_name again;
    struct buffer text;

    buffer_init(&text, 4096);
    for (size_t i = 0; i < name->len; i++)
        if (name->text[i] == ',' || name->text[i] == '=')
            buffer_put_text(&text, name->text[i] == ',' ? "=2C" : "=3D");
        else
            buffer_put_char(&text, name->text[i]);
    REQUIRE(scram_decode_name(buffer_slice(&text), &again));
    REQUIRE(again.len == name->len && memcmp(again.text, name->text, name->len) == 0);
    buffer_clear(&text);
}

static void check_first(struct slice message)
{
    struct scram_first first;

    if (!scram_read_first(message, &first))
        return;
    REQUIRE(first.binding == 'n' || first.binding == 'y' || first.binding == 'p');
    REQUIRE((first.binding == 'p') == (first.binding_name.len > 0));
    if (first.binding == 'p')
        require_inside(first.binding_name, message);
    check_name(&first.user);
    check_encoded(&first.user);
    if (first.has_authzid)
        check_name(&first.authzid);
}

static void check_bearer(struct slice message, const struct bearer *bearer)
{
    REQUIRE(bearer->token.len > 0);
    require_inside(bearer->token, message);
    for (size_t i = 0; i < bearer->token.len; i++)
        REQUIRE(bearer->token.data[i] > 32 && bearer->token.data[i] < 127);
    if (bearer->has_user)
        check_name(&bearer->user);
}

/* A proof is the last thing and base64; nothing else stands behind a comma unnamed. */
static void check_final(struct slice message)
{
    size_t at = slice_find_last(message, ',');

    if (!scram_final_is_valid(message))
        return;
    REQUIRE(slice_is(slice_first(message, 2), "c=") && at < message.len);
    REQUIRE(slice_is(slice_first(slice_from(message, at + 1), 2), "p="));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message = slice_of(data, size);
    struct bearer bearer;
    struct scram_name name;

    check_first(message);
    check_final(message);
    if (scram_decode_name(message, &name))
        check_name(&name);
    if (bearer_read(message, &bearer))
        check_bearer(message, &bearer);
    if (bearer_read_x(message, &bearer))
        check_bearer(message, &bearer);
    return 0;
}
