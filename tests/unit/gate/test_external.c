/* tests/unit/gate/test_external.c: whose certificate it is (TLS-16, SASL-13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gate/external.h"

#define DAVE "00000000000000000000000000000000000000000000000000000000000000ff"

static struct conf_text daves[] = { { SLICE_LITERAL("11") }, { SLICE_LITERAL(DAVE) } };
static struct conf_certificate rows[] = { { SLICE_LITERAL("dave@example.org"), daves, 2 } };

static const struct {
    const char *name;
    uint8_t last; /* octet of the fingerprint, the others are 0 */
    bool is_verified, has_ca, has_rows;
    const char *mails[2];
    const char *login; /* NULL: nobody's */
} cases[] = {
    { "fingerprint", 255, false, false, true, { 0 }, "dave@example.org" },
    { "fingerprint first", 255, true, true, true, { "alice@example.org" }, "dave@example.org" },
    { "other fingerprint", 254, false, false, true, { 0 }, NULL },
    { "no rows", 255, false, false, false, { 0 }, NULL },
    { "address", 0, true, true, true, { "alice@Example.ORG" }, "alice@example.org" },
    { "address, not verified", 0, false, true, true, { "alice@example.org" }, NULL },
    { "address, no authority", 0, true, false, true, { "alice@example.org" }, NULL },
    { "no address", 0, true, true, true, { 0 }, NULL },
    { "the first that is one", 0, true, true, false, { "alice", "bob@example.org" },
        "bob@example.org" },
    { "none that is one", 0, true, true, false, { "a b@example.org", "@example.org" }, NULL },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct conf conf = { .certificates = rows, .certificate_count = cases[i].has_rows };
        struct tls_peer_certificate certificate = { .is_verified = cases[i].is_verified };
        struct login login = { .len = 0 };
        bool is_found;

        if (cases[i].has_ca)
            conf.tls.client_ca = slice_text("/ca");
        certificate.sha256[TLS_FINGERPRINT - 1] = cases[i].last;
        for (size_t k = 0; k < 2 && cases[i].mails[k]; k++)
            strcpy(certificate.mails[certificate.mail_count++], cases[i].mails[k]);
        is_found = external_find(&conf, &certificate, &login);
        if (is_found != (cases[i].login != NULL) ||
            (is_found && strcmp(login.text, cases[i].login) != 0))
            fail_msg("%s: %s", cases[i].name, login.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests_name("gate/external", tests, NULL, NULL);
}
