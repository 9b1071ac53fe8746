/* vault/sasl.c: PLAIN and LOGIN, which are splitting a line, and the SCRAM family on GNU SASL,
 * which gets everything it might ask for in advance and so never calls back. */
#include "vault/sasl.h"

#include <assert.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "vault/bearer.h"
#include "vault/scram.h"

struct mechanism {
    const char *name;
    bool is_strong;
    bool needs_binding;   /* -PLUS */
    enum scram_hash hash; /* of SCRAM */
    const char *prompt;   /* the first challenge, where the client sent no initial response */
    enum sasl_result (*first)(struct sasl *sasl, struct slice data);
};

Gsasl *sasl_library_new(void)
{
    Gsasl *library = NULL;

    return gsasl_init(&library) == GSASL_OK ? library : NULL;
}

void sasl_library_free(Gsasl **library)
{
    if (*library)
        gsasl_done(*library);
    *library = NULL;
}

static enum sasl_result challenge(struct sasl *sasl, struct slice text)
{
    buffer_reset(&sasl->challenge);
    buffer_put_slice(&sasl->challenge, text);
    return sasl->challenge.error == ERR_OK ? SASL_CHALLENGE : SASL_FAILED;
}

/* Keeps the name as it came, for limits and the log, and prepared, for the lookup (AUTH-19). False:
 * too long or empty. */
static bool take_name(struct sasl *sasl, struct slice name)
{
    if (name.len == 0 || name.len > SASL_TEXT_MAX)
        return false;
    memcpy(sasl->name, name.data, name.len);
    sasl->name_len = name.len;
    sasl->has_login = login_prepare(name, false, &sasl->login);
    return true;
}

/* Nobody may act for somebody else: an authorization identity must be the name itself (AUTH-20). */
static bool is_own_identity(const struct sasl *sasl, struct slice authzid)
{
    struct login other;

    return sasl->has_login && login_prepare(authzid, false, &other) &&
           slice_equals(login_slice(&other), login_slice(&sasl->login));
}

static enum sasl_result take_password(struct sasl *sasl, struct slice password)
{
    return password_prepare(password, false, &sasl->password) ? SASL_CHECK : SASL_REFUSED;
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. */
static enum sasl_result plain_first(struct sasl *sasl, struct slice data)
{
    struct slice authzid = slice_first(data, slice_find(data, '\0'));
    struct slice rest = slice_from(data, authzid.len + 1);
    struct slice authcid = slice_first(rest, slice_find(rest, '\0'));
    struct slice password = slice_from(rest, authcid.len + 1);

    if (!take_name(sasl, authcid) || authcid.len == rest.len || authzid.len > SASL_TEXT_MAX)
        return SASL_REFUSED;
    if (authzid.len > 0 && !is_own_identity(sasl, authzid))
        return SASL_REFUSED;
    return take_password(sasl, password);
}

static enum sasl_result login_first(struct sasl *sasl, struct slice data)
{
    if (!take_name(sasl, data))
        return SASL_REFUSED;
    sasl->next = take_password;
    return challenge(sasl, slice_text("Password:"));
}

/* RFC 4422 appendix A: the response is who the client wants to act as, empty for itself. Who it is,
 * the handshake has shown. */
static enum sasl_result external_first(struct sasl *sasl, struct slice data)
{
    if (!sasl->has_login || data.len > SASL_TEXT_MAX)
        return SASL_REFUSED;
    return data.len == 0 || is_own_identity(sasl, data) ? SASL_KNOWN : SASL_REFUSED;
}

/* Whatever the client answers to the reason, it is refused. */
static enum sasl_result token_end(struct sasl *sasl UNUSED, struct slice data UNUSED)
{
    return SASL_REFUSED;
}

static enum sasl_result refuse_token(struct sasl *sasl, const char *reason)
{
    sasl->next = token_end;
    return challenge(sasl, slice_text(reason));
}

static enum sasl_result take_bearer(struct sasl *sasl, const struct bearer *bearer)
{
    if (bearer->has_user && !take_name(sasl, slice_of(bearer->user.text, bearer->user.len)))
        return SASL_REFUSED;
    return secret_set(&sasl->password, bearer->token) ? SASL_TOKEN : SASL_FAILED;
}

static enum sasl_result oauthbearer_first(struct sasl *sasl, struct slice data)
{
    struct bearer bearer;

    return bearer_read(data, &bearer) ? take_bearer(sasl, &bearer)
                                      : refuse_token(sasl, "{\"status\":\"invalid_request\"}");
}

static enum sasl_result xoauth2_first(struct sasl *sasl, struct slice data)
{
    struct bearer bearer;

    return bearer_read_x(data, &bearer) ? take_bearer(sasl, &bearer)
                                        : refuse_token(sasl, "{\"status\":\"400\"}");
}

/* Who is asked for must be who the token is for (AUTH-20). */
enum sasl_result sasl_token(struct sasl *sasl, const struct login *login)
{
    bool is_plain = sasl->mechanism->first == oauthbearer_first;

    if (!login || (sasl->name_len > 0 && (!sasl->has_login || !slice_equals(login_slice(login),
                                                                  login_slice(&sasl->login)))))
        return refuse_token(sasl, is_plain ? "{\"status\":\"invalid_token\"}"
                                           : "{\"status\":\"401\",\"schemes\":\"bearer\"}");
    return take_name(sasl, login_slice(login)) ? SASL_KNOWN : SASL_REFUSED;
}

static enum sasl_result of_library(int rc)
{
    return rc == GSASL_MALLOC_ERROR ? SASL_FAILED : SASL_REFUSED;
}

/* One step of GNU SASL; what it says goes into the challenge. */
static int step_library(struct sasl *sasl, struct slice data)
{
    char *output = NULL;
    size_t len = 0;
    int rc = gsasl_step(sasl->session, data.data, data.len, &output, &len);

    if ((rc == GSASL_OK || rc == GSASL_NEEDS_MORE) &&
        challenge(sasl, slice_of(output, len)) != SASL_CHALLENGE)
        rc = GSASL_MALLOC_ERROR;
    gsasl_free(output);
    return rc;
}

/* SMTP has no place for octets with the success, so the server's signature goes out as a challenge
 * of its own and an empty line comes back (RFC 4954 section 4, SASL-5). */
static enum sasl_result scram_end(struct sasl *sasl UNUSED, struct slice data)
{
    return data.len == 0 ? SASL_DONE : SASL_REFUSED;
}

static bool set_base64(struct sasl *sasl, Gsasl_property property, const void *octets, size_t len)
{
    struct buffer text;
    bool good;

    buffer_init(&text, 256);
    base64_encode(&text, slice_of(octets, len));
    buffer_put_u8(&text, 0);
    good = text.error == ERR_OK &&
           gsasl_property_set(sasl->session, property, buffer_slice(&text).data) == GSASL_OK;
    if (text.data)
        explicit_bzero(text.data, text.size);
    buffer_clear(&text);
    return good;
}

static bool set_keys(struct sasl *sasl, const struct scram_verifier *verifier)
{
    size_t size = scram_key_size(verifier->hash);

    return set_base64(sasl, GSASL_SCRAM_STOREDKEY, verifier->stored_key, size) &&
           set_base64(sasl, GSASL_SCRAM_SERVERKEY, verifier->server_key, size);
}

/* Behind the gs2-header, which has two commas. */
static struct slice bare(struct slice first)
{
    first = slice_from(first, slice_find(first, ',') + 1);
    return slice_from(first, slice_find(first, ',') + 1);
}

/* The proof is for one of several verifiers with one salt; the library knows of one only, so it is
 * told which (RFC 5802 section 3 says what AuthMessage is). False without memory. */
static bool choose_verifier(struct sasl *sasl, struct slice final)
{
    size_t at = slice_find_last(final, ',');
    struct buffer message, proof;
    bool good;

    buffer_init(&message, 4 * SASL_MESSAGE_MAX);
    buffer_init(&proof, SASL_MESSAGE_MAX);
    buffer_put_slice(&message, bare(buffer_slice(&sasl->first)));
    buffer_put_char(&message, ',');
    buffer_put_slice(&message, buffer_slice(&sasl->challenge));
    buffer_put_char(&message, ',');
    buffer_put_slice(&message, slice_first(final, at));
    good = base64_decode(&proof, slice_from(final, at + 3)) && message.error == ERR_OK &&
           proof.error == ERR_OK;
    for (size_t i = 0; i < sasl->verifier_count && good; i++)
        if (scram_proves(&sasl->verifiers[i], buffer_slice(&message), buffer_slice(&proof)))
            sasl->proved = i;
    buffer_clear(&message);
    buffer_clear(&proof);
    return good && set_keys(sasl, &sasl->verifiers[sasl->proved]);
}

static enum sasl_result scram_final(struct sasl *sasl, struct slice data)
{
    int rc;

    if (!scram_final_is_valid(data))
        return SASL_REFUSED;
    if (!choose_verifier(sasl, data))
        return SASL_FAILED;
    rc = step_library(sasl, data);
    if (rc != GSASL_OK)
        return of_library(rc);
    sasl->next = scram_end;
    return SASL_PROVED;
}

static bool has_binding(const struct sasl *sasl)
{
    return sasl->exporter.len > 0 || sasl->unique.len > 0;
}

/* RFC 5802 section 6: where there is a channel binding -PLUS is offered, so a client that says "y"
 * was shown another list than ours and must be refused; where there is none it is right. "p"
 * demands a binding: one that this connection has, and the mechanism that is for it (SASL-6). */
static bool binding_is_acceptable(const struct sasl *sasl, const struct scram_first *first)
{
    if (!sasl->mechanism->needs_binding)
        return first->binding == 'n' || (first->binding == 'y' && !has_binding(sasl));
    return first->binding == 'p' &&
           ((sasl->exporter.len > 0 && slice_is(first->binding_name, "tls-exporter")) ||
               (sasl->unique.len > 0 && slice_is(first->binding_name, "tls-unique")));
}

static enum sasl_result scram_first(struct sasl *sasl, struct slice data)
{
    struct scram_first first;

    if (!scram_read_first(data, &first) || !binding_is_acceptable(sasl, &first))
        return SASL_REFUSED;
    if (!take_name(sasl, slice_of(first.user.text, first.user.len)))
        return SASL_REFUSED;
    if (first.has_authzid &&
        !is_own_identity(sasl, slice_of(first.authzid.text, first.authzid.len)))
        return SASL_REFUSED;
    buffer_put_slice(&sasl->first, data);
    return sasl->first.error == ERR_OK ? SASL_LOOKUP : SASL_FAILED;
}

/* All four, always: what is missing the library would replace by a random salt and 4096 rounds,
 * which tells a stranger that there is no such user. */
static bool set_verifier(struct sasl *sasl, const struct scram_verifier *verifier)
{
    char iterations[16];

    snprintf(iterations, sizeof iterations, "%u", (unsigned)verifier->iterations);
    return gsasl_property_set(sasl->session, GSASL_SCRAM_ITER, iterations) == GSASL_OK &&
           set_base64(sasl, GSASL_SCRAM_SALT, verifier->salt, verifier->salt_len) &&
           set_keys(sasl, verifier);
}

/* For a mechanism without -PLUS as well: then the library, too, refuses "y". */
static bool set_bindings(struct sasl *sasl)
{
    return (sasl->exporter.len == 0 || set_base64(sasl, GSASL_CB_TLS_EXPORTER,
                                           sasl->exporter.octets, sasl->exporter.len)) &&
           (sasl->unique.len == 0 ||
               set_base64(sasl, GSASL_CB_TLS_UNIQUE, sasl->unique.octets, sasl->unique.len));
}

enum sasl_result sasl_supply(
    struct sasl *sasl, const struct scram_verifier *verifiers, size_t count)
{
    int rc;

    assert(!sasl->session && count > 0 && verifiers->iterations > 0 &&
           verifiers->hash == sasl->mechanism->hash);
    sasl->verifiers = calloc(count, sizeof *verifiers);
    if (!sasl->verifiers)
        return SASL_FAILED;
    memcpy(sasl->verifiers, verifiers, count * sizeof *verifiers);
    sasl->verifier_count = count;
    if (gsasl_server_start(sasl->library, sasl->mechanism->name, &sasl->session) != GSASL_OK ||
        !set_verifier(sasl, verifiers) || !set_bindings(sasl))
        return SASL_FAILED;
    rc = step_library(sasl, buffer_slice(&sasl->first));
    if (rc != GSASL_NEEDS_MORE)
        return of_library(rc);
    sasl->next = scram_final;
    return SASL_CHALLENGE;
}

/* What we have; the gate offers these by name. Of LOGIN the initial response is the user name
 * (SASL-9); no mechanism here is one that could not take an initial response (AUTH-12). */
static const struct mechanism mechanisms[] = {
    /* name, strong, needs a binding, hash, prompt, first step */
    { "SCRAM-SHA-256-PLUS", true, true, SCRAM_SHA_256, "", scram_first },
    { "SCRAM-SHA-256", true, false, SCRAM_SHA_256, "", scram_first },
    { "SCRAM-SHA-1-PLUS", true, true, SCRAM_SHA_1, "", scram_first },
    { "SCRAM-SHA-1", true, false, SCRAM_SHA_1, "", scram_first },
    { "PLAIN", false, false, 0, "", plain_first },
    { "LOGIN", false, false, 0, "Username:", login_first },
    { "EXTERNAL", true, false, 0, "", external_first },
    { "OAUTHBEARER", true, false, 0, "", oauthbearer_first },
    { "XOAUTH2", true, false, 0, "", xoauth2_first },
};

static void keep_binding(struct slice octets, struct sasl_binding *out)
{
    if (octets.len == 0 || octets.len > SASL_BINDING_MAX)
        return;
    memcpy(out->octets, octets.data, octets.len);
    out->len = octets.len;
}

enum sasl_result sasl_start(struct sasl *sasl, Gsasl *library, const struct sasl_opening *opening)
{
    const struct mechanism *mechanism = NULL;

    *sasl = (struct sasl){ .library = library };
    buffer_init(&sasl->challenge, SASL_MESSAGE_MAX);
    buffer_init(&sasl->first, SASL_MESSAGE_MAX);
    keep_binding(opening->exporter, &sasl->exporter);
    keep_binding(opening->unique, &sasl->unique);
    for (size_t i = 0; i < LENGTH_OF(mechanisms); i++)
        if (slice_is(opening->mechanism, mechanisms[i].name))
            mechanism = &mechanisms[i];
    if (!mechanism || (mechanism->needs_binding && !has_binding(sasl)) ||
        (mechanism->first == external_first && !take_name(sasl, opening->external)))
        return SASL_UNKNOWN;
    sasl->mechanism = mechanism;
    sasl->next = mechanism->first;
    return opening->has_initial ? sasl_step(sasl, opening->initial)
                                : challenge(sasl, slice_text(mechanism->prompt));
}

struct slice sasl_proved(const struct sasl *sasl)
{
    const struct scram_verifier *verifier = &sasl->verifiers[sasl->proved];

    return slice_of(verifier->stored_key, scram_key_size(verifier->hash));
}

enum scram_hash sasl_hash(const struct sasl *sasl)
{
    return sasl->mechanism->hash;
}

enum sasl_result sasl_step(struct sasl *sasl, struct slice data)
{
    assert(sasl->next);
    return data.len <= SASL_MESSAGE_MAX ? sasl->next(sasl, data) : SASL_REFUSED;
}

void sasl_clear(struct sasl *sasl)
{
    if (sasl->session)
        gsasl_finish(sasl->session);
    secret_clear(&sasl->password);
    if (sasl->verifiers)
        explicit_bzero(sasl->verifiers, sasl->verifier_count * sizeof *sasl->verifiers);
    free(sasl->verifiers);
    buffer_clear(&sasl->first);
    buffer_clear(&sasl->challenge);
    explicit_bzero(sasl, sizeof *sasl);
}

bool sasl_is_strong(const struct sasl *sasl)
{
    return sasl->mechanism && sasl->mechanism->is_strong;
}

const char *sasl_mechanism(const struct sasl *sasl)
{
    return sasl->mechanism ? sasl->mechanism->name : "";
}
