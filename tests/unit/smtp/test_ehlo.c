/* What we list: the samples of requirements section 16.3, for what is implemented now. */
#include "cases.h"

#include "smtp/ehlo.h"
#include "smtp/reply.h"

static const uint32_t usual = EXTENSION_BIT(EXTENSION_DSN) | EXTENSION_BIT(EXTENSION_CHUNKING) |
                              EXTENSION_BIT(EXTENSION_SMTPUTF8) | EXTENSION_BIT(EXTENSION_LIMITS);

static struct ehlo_state sample(void)
{
    return (struct ehlo_state){
        .hostname = slice_text("msa.example.net"),
        .client = slice_text("c.example"),
        .has_certificate = true,
        .message_size = 52428800,
        .recipients = 1000,
        .switched_on = usual,
    };
}

static void expect_ehlo(const char *name, const struct ehlo_state *state, const char *want)
{
    struct buffer out;

    buffer_init(&out, 65536);
    ehlo_write(&out, state);
    expect_text(name, buffer_slice(&out), want);
    buffer_clear(&out);
}

/* CMD-2, CMD-3, TLS-1, AUTH-2, EXT-SIZE-1, EXT-8BITMIME-1, EXT-CHUNKING-1, EXT-SMTPUTF8-1,
 * EXT-LIMITS-1 */
static void test_clear(void **state UNUSED)
{
    struct ehlo_state clear = sample();

    expect_ehlo("clear", &clear,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 52428800\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-STARTTLS\r\n"
        "250-DSN\r\n"
        "250-CHUNKING\r\n"
        "250-SMTPUTF8\r\n"
        "250-LIMITS RCPTMAX=1000\r\n"
        "250 HELP\r\n");
    assert_false(ehlo_offered(&clear) & EXTENSION_BIT(EXTENSION_AUTH));
    assert_true(ehlo_offered(&clear) & EXTENSION_BIT(EXTENSION_SMTPUTF8));
    assert_false(ehlo_offered(&clear) & EXTENSION_BIT(EXTENSION_BINARYMIME));
}

/* AUTH-1, TLS-4, SUB-7-6 */
static void test_tls(void **state UNUSED)
{
    struct ehlo_state tls = sample();

    tls.is_tls = true;
    tls.mechanisms = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN) |
                     MECHANISM_BIT(MECHANISM_SCRAM_SHA_256);
    expect_ehlo("TLS", &tls,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 52428800\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"
        "250-DSN\r\n"
        "250-CHUNKING\r\n"
        "250-SMTPUTF8\r\n"
        "250-LIMITS RCPTMAX=1000\r\n"
        "250 HELP\r\n");
}

/* TLS-3, EXT-LIMITS-1 */
static void test_options(void **state UNUSED)
{
    struct ehlo_state state_ = sample();

    state_.has_certificate = false;
    state_.mails = 1000;
    state_.recipients = 0;
    state_.message_size = 0;
    expect_ehlo("options", &state_,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 0\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-DSN\r\n"
        "250-CHUNKING\r\n"
        "250-SMTPUTF8\r\n"
        "250-LIMITS MAILMAX=1000\r\n"
        "250 HELP\r\n");
    state_.mails = 0;
    assert_false(ehlo_offered(&state_) & EXTENSION_BIT(EXTENSION_LIMITS));
}

/* Everything that can be switched on: EXT-DELIVERBY-1, EXT-FUTURE-1, RTLS-1, EXT-MTPRI-1,
 * EXT-MTRK-1, EXT-RRVS-1, EXT-NOSOL-1, EXT-CONPERM-1, EXT-CONNEG-1, EXT-CKPT-1, EXT-BURL-1; and
 * off: EXT-DSN-1
 */
static void test_switches(void **state UNUSED)
{
    struct ehlo_state all = sample();

    all.is_tls = true;
    all.switched_on = UINT32_MAX;
    all.deliver_by_least = 60;
    all.hold_most = 2592000;
    all.now = 1772532000;
    all.classes = slice_text("net.example:ADV");
    expect_ehlo("all", &all,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 52428800\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-DSN\r\n"
        "250-CHUNKING\r\n"
        "250-BINARYMIME\r\n"
        "250-SMTPUTF8\r\n"
        "250-REQUIRETLS\r\n"
        "250-DELIVERBY 60\r\n"
        "250-FUTURERELEASE 2592000 2026-04-02T10:00:00Z\r\n"
        "250-MT-PRIORITY MIXER\r\n"
        "250-MTRK\r\n"
        "250-RRVS\r\n"
        "250-NO-SOLICITING net.example:ADV\r\n"
        "250-CONPERM\r\n"
        "250-CONNEG\r\n"
        "250-CHECKPOINT\r\n"
        "250-BURL\r\n"
        "250-LIMITS RCPTMAX=1000\r\n"
        "250 HELP\r\n");
    all.switched_on &= ~EXTENSION_BIT(EXTENSION_CHUNKING); /* EXT-BINARYMIME-1 */
    assert_false(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_BINARYMIME));
    all.is_tls = false;
    assert_false(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_BURL)); /* D-39 */
    assert_false(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_REQUIRETLS));
    assert_false(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_FUTURERELEASE));
    assert_true(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_DELIVERBY));
    all.switched_on = 0;
    expect_ehlo("none", &all,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 52428800\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-STARTTLS\r\n"
        "250 HELP\r\n");
    assert_false(ehlo_offered(&all) & EXTENSION_BIT(EXTENSION_DSN));
}

/* EXT-BURL-1: what it takes is said after the login. */
static void test_burl(void **state UNUSED)
{
    struct ehlo_state logged_in = sample();

    logged_in.is_tls = true;
    logged_in.has_login = true;
    logged_in.switched_on = EXTENSION_BIT(EXTENSION_BURL);
    expect_ehlo("logged in", &logged_in,
        "250-msa.example.net Hello c.example\r\n"
        "250-PIPELINING\r\n"
        "250-SIZE 52428800\r\n"
        "250-8BITMIME\r\n"
        "250-ENHANCEDSTATUSCODES\r\n"
        "250-BURL imap\r\n"
        "250 HELP\r\n");
}

/* CMD-24: also with the longest names. */
static void test_long_names(void **state UNUSED)
{
    struct ehlo_state long_names = sample();
    char *name = repeated('a', 255);
    struct buffer out;

    buffer_init(&out, 65536);
    long_names.hostname = slice_of(name, 255);
    for (size_t len = 0; len <= 255; len++) {
        buffer_reset(&out);
        long_names.client = slice_of(name, len);
        ehlo_write(&out, &long_names);
        assert_true(slice_find(buffer_slice(&out), '\n') < REPLY_LINE_MAX);
    }
    buffer_clear(&out);
    free(name);
}

static void test_names(void **state UNUSED)
{
    for (enum extension e = 0; e < EXTENSION_COUNT; e++) {
        enum extension found;

        assert_true(extension_find(slice_text(extension_keyword(e)), &found));
        assert_int_equal(found, e);
    }
    for (enum mechanism m = 0; m < MECHANISM_COUNT; m++) {
        struct buffer name;
        enum mechanism found;

        buffer_init(&name, 64);
        mechanism_list(&name, MECHANISM_BIT(m));
        assert_true(mechanism_find(buffer_slice(&name), &found));
        assert_int_equal(found, m);
        buffer_clear(&name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_burl),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("smtp/ehlo", tests, NULL, NULL);
}
