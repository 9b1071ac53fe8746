/* tests/fuzz/fuzz_sasl.c: a client's messages into the server's side of a conversation. The first
 * octet chooses the mechanism, the connection's channel bindings and whether there is an initial
 * response; messages end with LF; octet 1 stands for the server's nonce. Nobody gets in: the keys
 * fit no password. */
#include <stdint.h>
#include <stdlib.h>

#include "vault/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct Gsasl *library;
static struct slice nonce;

static void put_message(struct buffer *out, struct slice text)
{
    buffer_reset(out);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == 1)
            buffer_put_slice(out, nonce);
        else
            buffer_put_char(out, text.data[i]);
}

/* Out of "r=NONCE,s=…". */
static void keep_nonce(const struct sasl *sasl)
{
    struct slice challenge = buffer_slice(&sasl->challenge);

    if (challenge.len > 2)
        nonce = slice_from(slice_first(challenge, slice_find(challenge, ',')), 2);
}

static enum sasl_result converse(struct sasl *sasl, enum sasl_result result, struct slice rest)
{
    struct scram_verifier verifier = {
        .iterations = 4096, .salt_len = 4, .salt = "salt", .stored_key = "x", .server_key = "y"
    };
    struct buffer message;

    buffer_init(&message, 1 << 20);
    while (result == SASL_CHALLENGE || result == SASL_LOOKUP || result == SASL_TOKEN) {
        size_t len = slice_find(rest, '\n');

        if (result == SASL_TOKEN) {
            result = sasl_token(sasl, NULL);
            continue;
        }
        if (result == SASL_LOOKUP) {
            verifier.hash = sasl_hash(sasl);
            result = sasl_supply(sasl, &verifier, 1);
            keep_nonce(sasl);
            continue;
        }
        if (rest.len == 0)
            break;
        put_message(&message, slice_first(rest, len));
        rest = slice_from(rest, len + 1);
        result = sasl_step(sasl, buffer_slice(&message));
    }
    buffer_clear(&message);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "SCRAM-SHA-256", "PLAIN", "LOGIN", "FOO",
        "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "EXTERNAL" };
    unsigned how = size > 0 ? data[0] : 3;
    struct sasl_opening opening = { .has_initial = (how & 4) != 0 };
    struct slice rest = slice_from(slice_of(data, size), 1);
    struct sasl sasl;
    enum sasl_result result;
    size_t len = slice_find(rest, '\n');

    if (!library)
        library = sasl_library_new();
    nonce = slice_of(NULL, 0);
    opening.mechanism = slice_text(names[(how & 3) | (how & 64) >> 4]);
    if (slice_is(opening.mechanism, "EXTERNAL") && (how & 136))
        opening.mechanism = slice_text(how & 8 ? "OAUTHBEARER" : "XOAUTH2");
    opening.external = slice_text("alice@example.org");
    opening.initial = slice_first(rest, len);
    if (how & 8)
        opening.exporter = slice_text("exporter");
    if (how & 128)
        opening.unique = slice_text("unique");
    result = sasl_start(&sasl, library, &opening);
    result = converse(&sasl, result, opening.has_initial ? slice_from(rest, len + 1) : rest);
    if (result == SASL_KNOWN && !slice_is(opening.mechanism, "EXTERNAL"))
        abort();
    if (result == SASL_PROVED || result == SASL_DONE || result == SASL_FAILED)
        abort();
    if (result == SASL_CHECK && (sasl.password.len == 0 || sasl.password.len > PASSWORD_MAX))
        abort();
    sasl_clear(&sasl);
    return 0;
}
