/* tests/unit/vault/test_sasl.c: conversations message by message, SCRAM against the library's own
 * client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gsasl.h>

#include "base/base64.h"
#include "vault/sasl.h"

#define T SLICE_LITERAL

static Gsasl *library;
static struct scram_verifier pencil, pencil_sha1;

static int open_library(void **state)
{
    (void)state;
    library = sasl_library_new();
    return library &&
                   scram_derive(SCRAM_SHA_256, slice_text("pencil"), slice_text("0123456789abcdef"),
                       4096, &pencil) == ERR_OK &&
                   scram_derive(SCRAM_SHA_1, slice_text("pencil"), slice_text("fedcba"), 4096,
                       &pencil_sha1) == ERR_OK
               ? 0
               : -1;
}

static enum sasl_result start(
    struct sasl *sasl, const char *mechanism, bool has_initial, struct slice initial)
{
    const struct sasl_opening opening = {
        .mechanism = slice_text(mechanism), .has_initial = has_initial, .initial = initial
    };

    return sasl_start(sasl, library, &opening);
}

static int close_library(void **state)
{
    (void)state;
    sasl_library_free(&library);
    return 0;
}

#define LONG255                                                                                    \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                                                          \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* SASL-1, AUTH-4, AUTH-19, AUTH-20. */
static const struct {
    struct slice message;
    enum sasl_result result;
    const char *name, *password; /* for SASL_CHECK */
} plains[] = {
    { T("\0alice@example.org\0secret"), SASL_CHECK, "alice@example.org", "secret" },
    { T("\0alice@EXAMPLE.org\0secret"), SASL_CHECK, "alice@example.org", "secret" },
    { T("alice@example.org\0alice@example.org\0secret"), SASL_CHECK, "alice@example.org",
        "secret" },
    { T("alice@Example.org\0alice@example.org\0secret"), SASL_CHECK, "alice@example.org",
        "secret" },
    { T("\0al\xc2\xadice@example.org\0se\xc2\xad"
        "cret"),
        SASL_CHECK, "alice@example.org", "secret" },
    { T("\0alice@example.org\0" LONG255), SASL_CHECK, "alice@example.org",
        LONG255 }, /* 255 octets */
    { T("\0alice@example.org\0" LONG255 "x"), SASL_REFUSED, NULL, NULL },
    { T("\0nouser\0secret"), SASL_CHECK, "",
        "secret" }, /* no login name: the same road as an unknown one */
    { T("\0" LONG255 "\0secret"), SASL_CHECK, "", "secret" },
    { T("\0" LONG255 "x\0secret"), SASL_REFUSED, NULL, NULL },
    { T("bob@example.org\0alice@example.org\0secret"), SASL_REFUSED, NULL, NULL },
    { T("root\0alice@example.org\0secret"), SASL_REFUSED, NULL, NULL },
    { T("alice@example.org\0secret"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org\0"), SASL_REFUSED, NULL, NULL },
    { T("\0\0secret"), SASL_REFUSED, NULL, NULL },
    { T("\0\0"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org\0sec\0ret"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org\0secret\0"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org\0sec\x07ret"), SASL_REFUSED, NULL, NULL },
    { T("\0alice@example.org\0sec\xff"), SASL_REFUSED, NULL, NULL },
    { T(""), SASL_REFUSED, NULL, NULL },
};

static void check_plain(size_t row, enum sasl_result result, const struct sasl *sasl)
{
    if (result != plains[row].result)
        fail_msg("row %zu: %d", row, result);
    if (result != SASL_CHECK)
        return;
    assert_int_equal(sasl->has_login, plains[row].name[0] != '\0');
    if (sasl->has_login)
        assert_string_equal(sasl->login.text, plains[row].name);
    assert_true(slice_is(secret_slice(&sasl->password), plains[row].password));
}

/* Each with the initial response, and again as the answer to the empty challenge (AUTH-8). */
static void test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(plains); i++) {
        struct sasl sasl;

        check_plain(i, start(&sasl, "PLAIN", true, plains[i].message), &sasl);
        sasl_clear(&sasl);
        assert_int_equal(start(&sasl, "PLAIN", false, slice_text("")), SASL_CHALLENGE);
        assert_int_equal(sasl.challenge.len, 0);
        check_plain(i, sasl_step(&sasl, plains[i].message), &sasl);
        sasl_clear(&sasl);
    }
}

/* SASL-9, AUTH-12: the initial response is the user name. */
static void test_login(void **state)
{
    struct sasl sasl;

    (void)state;
    assert_int_equal(start(&sasl, "LOGIN", false, slice_text("")), SASL_CHALLENGE);
    assert_true(slice_is(buffer_slice(&sasl.challenge), "Username:"));
    assert_int_equal(sasl_step(&sasl, slice_text("alice@example.org")), SASL_CHALLENGE);
    assert_true(slice_is(buffer_slice(&sasl.challenge), "Password:"));
    assert_int_equal(sasl_step(&sasl, slice_text("secret")), SASL_CHECK);
    assert_true(slice_is(secret_slice(&sasl.password), "secret"));
    sasl_clear(&sasl);
    assert_int_equal(start(&sasl, "LOGIN", true, slice_text("alice@example.org")), SASL_CHALLENGE);
    assert_true(slice_is(buffer_slice(&sasl.challenge), "Password:"));
    assert_false(sasl_is_strong(&sasl));
    assert_int_equal(sasl_step(&sasl, slice_text("")), SASL_REFUSED);
    sasl_clear(&sasl);
    assert_int_equal(start(&sasl, "LOGIN", true, slice_text("")), SASL_REFUSED);
    sasl_clear(&sasl);
}

/* SASL-2: others than ours are not there, whatever the library could do. */
static void test_unknown(void **state)
{
    static const char *const names[] = { "", "FOO", "plain", "DIGEST-MD5", "CRAM-MD5", "ANONYMOUS",
        "EXTERNAL", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "OPENID20", "PLAIN " };
    struct sasl sasl;

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        assert_int_equal(start(&sasl, names[i], true, slice_text("x")), SASL_UNKNOWN);
        assert_string_equal(sasl_mechanism(&sasl), "");
        sasl_clear(&sasl);
    }
}

/* AUTH-13: the bound on a message, decoded; the gate has the one on the line. */
static void test_too_long(void **state)
{
    static char text[SASL_MESSAGE_MAX + 1];
    struct sasl sasl;

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t extra = 0; extra < 2; extra++) {
        assert_int_equal(
            start(&sasl, "PLAIN", true, slice_of(text, SASL_MESSAGE_MAX + extra)), SASL_REFUSED);
        sasl_clear(&sasl);
    }
}

/* The library's client, driven one step. */
struct client {
    Gsasl_session *session;
    char *output;
    size_t len;
};

static void client_open(struct client *client, const char *user, const char *password)
{
    *client = (struct client){ .output = NULL };
    assert_int_equal(gsasl_client_start(library, "SCRAM-SHA-256", &client->session), GSASL_OK);
    gsasl_property_set(client->session, GSASL_AUTHID, user);
    gsasl_property_set(client->session, GSASL_PASSWORD, password);
}

static int client_step(struct client *client, struct slice input)
{
    gsasl_free(client->output);
    client->output = NULL;
    return gsasl_step(client->session, input.data, input.len, &client->output, &client->len);
}

static struct slice client_said(const struct client *client)
{
    return slice_of(client->output, client->len);
}

static void client_close(struct client *client)
{
    gsasl_free(client->output);
    gsasl_finish(client->session);
}

/* Up to the client's last message, which is in client->output afterwards. */
static void begin_scram(struct sasl *sasl, struct client *client, const char *password)
{
    client_open(client, "alice@example.org", password);
    assert_int_equal(client_step(client, slice_text("")), GSASL_NEEDS_MORE);
    assert_int_equal(start(sasl, "SCRAM-SHA-256", false, slice_text("")), SASL_CHALLENGE);
    assert_int_equal(sasl->challenge.len, 0);
    assert_int_equal(sasl_step(sasl, client_said(client)), SASL_LOOKUP);
    assert_true(sasl->has_login);
    assert_string_equal(sasl->login.text, "alice@example.org");
    assert_int_equal(sasl_supply(sasl, &pencil, 1), SASL_CHALLENGE);
    assert_int_equal(client_step(client, buffer_slice(&sasl->challenge)), GSASL_NEEDS_MORE);
}

/* SASL-2, SASL-5: the server's signature goes out as a challenge of its own, and an empty line ends
 * it. */
static void test_scram(void **state)
{
    struct sasl sasl;
    struct client client;

    (void)state;
    begin_scram(&sasl, &client, "pencil");
    assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_PROVED);
    assert_memory_equal(buffer_slice(&sasl.challenge).data, "v=", 2);
    assert_int_equal(client_step(&client, buffer_slice(&sasl.challenge)), GSASL_OK);
    assert_int_equal(client.len, 0);
    assert_true(sasl_is_strong(&sasl));
    assert_int_equal(sasl_step(&sasl, slice_text("")), SASL_DONE);
    client_close(&client);
    sasl_clear(&sasl);
    begin_scram(&sasl, &client, "pencil");
    assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_PROVED);
    assert_int_equal(sasl_step(&sasl, slice_text("x")), SASL_REFUSED);
    client_close(&client);
    sasl_clear(&sasl);
}

static void test_scram_wrong_password(void **state)
{
    struct sasl sasl;
    struct client client;

    (void)state;
    begin_scram(&sasl, &client, "pencils");
    assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_REFUSED);
    client_close(&client);
    sasl_clear(&sasl);
}

/* SASL-4, SASL-6: first messages. */
static const struct {
    struct slice message;
    enum sasl_result result;
} scram_firsts[] = {
    { T("n,,n=alice@example.org,r=abcdef"), SASL_LOOKUP },
    { T("n,a=alice@example.org,n=alice@example.org,r=abcdef"), SASL_LOOKUP },
    { T("n,a=bob@example.org,n=alice@example.org,r=abcdef"), SASL_REFUSED }, /* AUTH-20 */
    { T("y,,n=alice@example.org,r=abcdef"), SASL_LOOKUP }, /* right: no -PLUS is offered */
    { T("p=tls-exporter,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { T("p=tls-unique,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { T("n,,m=x,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { T("n,,n=a=2calice@example.org,r=abcdef"), SASL_REFUSED },
    { T("n,,n=alice=2C@example.org,r=abcdef"), SASL_LOOKUP },
    { T(""), SASL_REFUSED },
};

static void test_scram_firsts(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(scram_firsts); i++) {
        struct sasl sasl;
        enum sasl_result result = start(&sasl, "SCRAM-SHA-256", true, scram_firsts[i].message);

        if (result != scram_firsts[i].result)
            fail_msg("row %zu: %d", i, result);
        if (result == SASL_LOOKUP)
            assert_int_equal(sasl_supply(&sasl, &pencil, 1), SASL_CHALLENGE);
        sasl_clear(&sasl);
    }
}

/* SASL-4: the client's good last message, spoilt. find is replaced by put. */
static const struct {
    const char *find, *put;
    enum sasl_result result;
} mutations[] = {
    { "c=biws", "c=biws", SASL_PROVED },
    { "c=biws", "c=eSws", SASL_REFUSED },     /* another gs2-header: y,, */
    { "c=biws", "c=biwsAA==", SASL_REFUSED }, /* binding data where there is none */
    { "c=biws", "c=bi", SASL_REFUSED },
    { "c=biws,", "", SASL_REFUSED },
    { ",r=", ",r=x", SASL_REFUSED }, /* another nonce */
    { ",r=", ",m=1,r=", SASL_REFUSED },
    { ",p=", ",m=1,p=", SASL_REFUSED },
    { ",p=", "x,p=", SASL_REFUSED },    /* a longer nonce */
    { ",p=", ",e=1,p=", SASL_REFUSED }, /* allowed, but signed over: the proof does not fit */
    { ",p=", ",q=", SASL_REFUSED },
    { ",p=", ",p=AAAA", SASL_REFUSED },
};

static void test_mutations(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(mutations); i++) {
        struct sasl sasl;
        struct client client;
        char text[1024];
        char *at;
        enum sasl_result result;

        begin_scram(&sasl, &client, "pencil");
        snprintf(text, sizeof text, "%.*s", (int)client.len, client.output);
        at = strstr(text, mutations[i].find);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - text), client.output, mutations[i].put,
            client.output + (at - text) + strlen(mutations[i].find));
        result = sasl_step(&sasl, slice_text(text));
        if (result != mutations[i].result)
            fail_msg("row %zu: %d for %s", i, result, text);
        client_close(&client);
        sasl_clear(&sasl);
    }
}

/* Every octet of the last message changed, cut or doubled: none is let in. */
static void test_every_octet(void **state)
{
    struct sasl sasl;
    struct client client;
    size_t len = 1;

    (void)state;
    for (size_t i = 0; i < len; i++) {
        char text[1024];

        begin_scram(&sasl, &client, "pencil");
        len = client.len;
        memcpy(text, client.output, len);
        text[i] ^= 1;
        assert_int_equal(sasl_step(&sasl, slice_of(text, len)), SASL_REFUSED);
        sasl_clear(&sasl);
        client_close(&client);
        begin_scram(&sasl, &client, "pencil");
        assert_int_equal(sasl_step(&sasl, slice_of(client.output, i)), SASL_REFUSED);
        sasl_clear(&sasl);
        client_close(&client);
    }
}

/* Which bindings a connection has. */
struct bound {
    const char *exporter, *unique;
};

static const struct bound unbound = { "", "" }, both = { "exporter octets", "unique octets" },
                          exporter_only = { "exporter octets", "" },
                          unique_only = { "", "unique octets" };

static enum sasl_result start_bound(
    struct sasl *sasl, const char *mechanism, const struct bound *bound, struct slice initial)
{
    const struct sasl_opening opening = { .mechanism = slice_text(mechanism),
        .has_initial = true,
        .initial = initial,
        .exporter = slice_text(bound->exporter),
        .unique = slice_text(bound->unique) };

    return sasl_start(sasl, library, &opening);
}

static void client_bind(struct client *client, Gsasl_property property, const char *octets)
{
    struct buffer text;

    buffer_init(&text, 256);
    base64_encode(&text, slice_text(octets));
    buffer_put_u8(&text, 0);
    if (octets[0] != '\0')
        gsasl_property_set(client->session, property, buffer_slice(&text).data);
    buffer_clear(&text);
}

/* SASL-2, SASL-6, SASL-7: every mechanism of the family with the library's client, which has the
 * bindings `client`, against a server that has the bindings `server`. */
static const struct {
    const char *mechanism;
    const struct bound *client, *server;
    const char *flag;        /* how the client's first message begins */
    enum sasl_result result; /* of the last message; SASL_LOOKUP where the first one is refused */
} families[] = {
    { "SCRAM-SHA-256-PLUS", &exporter_only, &exporter_only, "p=tls-exporter,", SASL_PROVED },
    { "SCRAM-SHA-256-PLUS", &exporter_only, &both, "p=tls-exporter,", SASL_PROVED },
    { "SCRAM-SHA-256-PLUS", &unique_only, &both, "p=tls-unique,", SASL_PROVED },
    { "SCRAM-SHA-256-PLUS", &unique_only, &unique_only, "p=tls-unique,", SASL_PROVED },
    { "SCRAM-SHA-1-PLUS", &exporter_only, &exporter_only, "p=tls-exporter,", SASL_PROVED },
    { "SCRAM-SHA-1-PLUS", &unique_only, &both, "p=tls-unique,", SASL_PROVED },
    { "SCRAM-SHA-256", &unbound, &unbound, "n,", SASL_PROVED },
    { "SCRAM-SHA-256", &unbound, &both, "n,", SASL_PROVED },
    { "SCRAM-SHA-1", &unbound, &unbound, "n,", SASL_PROVED },
    { "SCRAM-SHA-1", &unbound, &both, "n,", SASL_PROVED },
    /* A binding that this connection does not have. */
    { "SCRAM-SHA-256-PLUS", &unique_only, &exporter_only, "p=tls-unique,", SASL_LOOKUP },
    { "SCRAM-SHA-256-PLUS", &exporter_only, &unique_only, "p=tls-exporter,", SASL_LOOKUP },
};

static void run_family(size_t row)
{
    bool is_sha1 = strstr(families[row].mechanism, "SHA-1") != NULL;
    struct sasl sasl;
    struct client client = { .output = NULL };
    enum sasl_result result;

    assert_int_equal(
        gsasl_client_start(library, families[row].mechanism, &client.session), GSASL_OK);
    gsasl_property_set(client.session, GSASL_AUTHID, "alice@example.org");
    gsasl_property_set(client.session, GSASL_PASSWORD, "pencil");
    client_bind(&client, GSASL_CB_TLS_EXPORTER, families[row].client->exporter);
    client_bind(&client, GSASL_CB_TLS_UNIQUE, families[row].client->unique);
    assert_int_equal(client_step(&client, slice_text("")), GSASL_NEEDS_MORE);
    assert_memory_equal(client.output, families[row].flag, strlen(families[row].flag));
    result =
        start_bound(&sasl, families[row].mechanism, families[row].server, client_said(&client));
    if (families[row].result == SASL_LOOKUP) {
        assert_int_equal(result, SASL_REFUSED);
    } else {
        assert_int_equal(result, SASL_LOOKUP);
        assert_int_equal(sasl_hash(&sasl), is_sha1 ? SCRAM_SHA_1 : SCRAM_SHA_256);
        assert_int_equal(sasl_supply(&sasl, is_sha1 ? &pencil_sha1 : &pencil, 1), SASL_CHALLENGE);
        assert_int_equal(client_step(&client, buffer_slice(&sasl.challenge)), GSASL_NEEDS_MORE);
        assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_PROVED);
        assert_int_equal(client_step(&client, buffer_slice(&sasl.challenge)), GSASL_OK);
        assert_true(sasl_is_strong(&sasl));
    }
    client_close(&client);
    sasl_clear(&sasl);
}

static void test_families(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(families); i++)
        run_family(i);
}

/* SASL-6: flags that no library would send, or that need no second message. */
static const struct {
    const char *mechanism;
    const struct bound *bound;
    struct slice message;
    enum sasl_result result;
} flags[] = {
    { "SCRAM-SHA-256", &both, T("y,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256", &unique_only, T("y,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256", &unbound, T("y,,n=alice@example.org,r=abcdef"), SASL_LOOKUP },
    { "SCRAM-SHA-256", &both, T("p=tls-exporter,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("n,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("y,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("p=tls-exporter,,n=alice@example.org,r=abcdef"), SASL_LOOKUP },
    { "SCRAM-SHA-256-PLUS", &both, T("p=tls-unique,,n=alice@example.org,r=abcdef"), SASL_LOOKUP },
    { "SCRAM-SHA-256-PLUS", &both, T("p=tls-server-end-point,,n=alice@example.org,r=abcdef"),
        SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("p=TLS-EXPORTER,,n=alice@example.org,r=abcdef"),
        SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("p=tls-exporte,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("p=,,n=alice@example.org,r=abcdef"), SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &both, T("p=tls-exporter,a=bob@example.org,n=alice@example.org,r=abc"),
        SASL_REFUSED },
    { "SCRAM-SHA-256-PLUS", &unbound, T("p=tls-exporter,,n=alice@example.org,r=abcdef"),
        SASL_UNKNOWN },
    { "SCRAM-SHA-1-PLUS", &unbound, T("p=tls-unique,,n=alice@example.org,r=abcdef"), SASL_UNKNOWN },
};

static void test_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(flags); i++) {
        struct sasl sasl;
        enum sasl_result result =
            start_bound(&sasl, flags[i].mechanism, flags[i].bound, flags[i].message);

        if (result != flags[i].result)
            fail_msg("row %zu: %d", i, result);
        if (result == SASL_LOOKUP)
            assert_int_equal(sasl_supply(&sasl, &pencil, 1), SASL_CHALLENGE);
        sasl_clear(&sasl);
    }
}

/* SASL-6: whoever stands between two TLS connections has the client's octets of one and the
 * server's of the other. */
static void test_another_connection(void **state)
{
    static const struct bound other = { "exporter octetz", "unique octetz" };
    static const struct {
        Gsasl_property property;
        const struct bound *client;
    } kinds[] = { { GSASL_CB_TLS_EXPORTER, &exporter_only },
        { GSASL_CB_TLS_UNIQUE, &unique_only } };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        struct sasl sasl;
        struct client client = { .output = NULL };

        assert_int_equal(
            gsasl_client_start(library, "SCRAM-SHA-256-PLUS", &client.session), GSASL_OK);
        gsasl_property_set(client.session, GSASL_AUTHID, "alice@example.org");
        gsasl_property_set(client.session, GSASL_PASSWORD, "pencil");
        client_bind(&client, kinds[i].property,
            i == 0 ? kinds[i].client->exporter : kinds[i].client->unique);
        assert_int_equal(client_step(&client, slice_text("")), GSASL_NEEDS_MORE);
        assert_int_equal(
            start_bound(&sasl, "SCRAM-SHA-256-PLUS", &other, client_said(&client)), SASL_LOOKUP);
        assert_int_equal(sasl_supply(&sasl, &pencil, 1), SASL_CHALLENGE);
        assert_int_equal(client_step(&client, buffer_slice(&sasl.challenge)), GSASL_NEEDS_MORE);
        assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_REFUSED);
        client_close(&client);
        sasl_clear(&sasl);
    }
}

/* SASL-13, AUTH-9, AUTH-20: the response says who to act as; who it is was shown before. */
static const struct {
    const char *external;
    struct slice message;
    enum sasl_result result;
} externals[] = {
    { "alice@example.org", T(""), SASL_KNOWN },
    { "alice@example.org", T("alice@example.org"), SASL_KNOWN },
    { "alice@example.org", T("alice@EXAMPLE.org"), SASL_KNOWN },
    { "alice@example.org", T("bob@example.org"), SASL_REFUSED },
    { "alice@example.org", T("alice@example.org\0"), SASL_REFUSED },
    { "alice@example.org", T("\0"), SASL_REFUSED },
    { "alice@example.org", T(LONG255), SASL_REFUSED },
    { "alice@example.org", T(LONG255 "x"), SASL_REFUSED },
    { "alice", T(""), SASL_REFUSED },
    { "", T(""), SASL_UNKNOWN },
    { "", T("alice@example.org"), SASL_UNKNOWN },
};

static void test_external(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(externals); i++) {
        struct sasl_opening opening = { .mechanism = slice_text("EXTERNAL"),
            .has_initial = true,
            .initial = externals[i].message,
            .external = slice_text(externals[i].external) };
        struct sasl sasl;
        enum sasl_result result = sasl_start(&sasl, library, &opening);

        if (result != externals[i].result)
            fail_msg("row %zu: %d", i, result);
        sasl_clear(&sasl);
        opening.has_initial = false;
        result = sasl_start(&sasl, library, &opening);
        if (externals[i].result != SASL_UNKNOWN) {
            assert_int_equal(result, SASL_CHALLENGE);
            assert_int_equal(sasl.challenge.len, 0);
            assert_int_equal(sasl_step(&sasl, externals[i].message), externals[i].result);
            assert_true(sasl_is_strong(&sasl));
        }
        sasl_clear(&sasl);
    }
}

/* SASL-4: both messages of a conversation that was overheard, said again: the server's half of the
 * nonce is another. */
static void test_replay(void **state)
{
    struct sasl sasl, again;
    struct client client;
    char first[256];
    size_t len;

    (void)state;
    client_open(&client, "alice@example.org", "pencil");
    assert_int_equal(client_step(&client, slice_text("")), GSASL_NEEDS_MORE);
    len = client.len;
    memcpy(first, client.output, len);
    assert_int_equal(start(&sasl, "SCRAM-SHA-256", true, slice_of(first, len)), SASL_LOOKUP);
    assert_int_equal(sasl_supply(&sasl, &pencil, 1), SASL_CHALLENGE);
    assert_int_equal(client_step(&client, buffer_slice(&sasl.challenge)), GSASL_NEEDS_MORE);
    assert_int_equal(start(&again, "SCRAM-SHA-256", true, slice_of(first, len)), SASL_LOOKUP);
    assert_int_equal(sasl_supply(&again, &pencil, 1), SASL_CHALLENGE);
    assert_int_equal(sasl_step(&again, client_said(&client)), SASL_REFUSED);
    assert_int_equal(sasl_step(&sasl, client_said(&client)), SASL_PROVED);
    client_close(&client);
    sasl_clear(&sasl);
    sasl_clear(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_scram),
        cmocka_unit_test(test_scram_wrong_password),
        cmocka_unit_test(test_scram_firsts),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_another_connection),
        cmocka_unit_test(test_external),
        cmocka_unit_test(test_replay),
    };

    return cmocka_run_group_tests_name("vault/sasl", tests, open_library, close_library);
}
