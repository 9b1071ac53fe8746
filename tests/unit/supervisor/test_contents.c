/* supervisor/contents: what is in secrets and in files of roots, first, last and one past. */
#include "../check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "supervisor/contents.h"

enum { MOST = 8 };

static int file_with(const char *text, size_t len)
{
    int fd = memfd_create("contents", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    return fd;
}

#define TEXT(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t len;
    const char *why; /* NULL: it is good */
} secrets[] = {
    { TEXT("a"), NULL },
    { TEXT("12345678"), NULL },
    { TEXT("12345678\n"), NULL },
    { TEXT("12345678\r\nanother line\n"), NULL },
    { TEXT("123456789"), "line 1 is too long" },
    { TEXT("123456789\n"), "line 1 is too long" },
    { TEXT(""), "line 1 is empty" },
    { TEXT("\n"), "line 1 is empty" },
    { TEXT("\r\n"), "line 1 is empty" },
    { TEXT("\nlate\n"), "line 1 is empty" },
    { TEXT("a\0b\n"), "line 1 has a NUL in it" },
    { TEXT("a\n\0"), NULL },
};

/* OPS-1: word, file, line and the way out; never the secret. */
static void test_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(secrets); i++) {
        struct conf_error why = { "" };
        int fd = file_with(secrets[i].text, secrets[i].len);
        enum err rc = contents_check_secret("word", slice_text("/the/file"), fd, MOST, &why);

        assert_int_equal(rc, secrets[i].why ? ERR_INVALID : ERR_OK);
        if (secrets[i].why) {
            assert_non_null(strstr(why.text, "word \"/the/file\": "));
            assert_non_null(strstr(why.text, secrets[i].why));
            assert_non_null(strstr(why.text, "1 to 8 octets"));
            assert_null(strstr(why.text, "123"));
        }
        close(fd);
    }
}

/* Ed25519, self-signed, of 2026. */
#define ROOT                                                                                       \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBNDCB56ADAgECAhRCckdXPGd8hymtfU2MioWVxCYC4zAFBgMrZXAwDzENMAsG\n"                           \
    "A1UEAwwEcm9vdDAgFw0yNjExMjMwNzE2MDRaGA8yMTI2MTAzMDA3MTYwNFowDzEN\n"                           \
    "MAsGA1UEAwwEcm9vdDAqMAUGAytlcAMhABlmAZxIhxSn9J3ABPK14p1FmQGCRNNl\n"                           \
    "S3+sKQhJvnLio1MwUTAdBgNVHQ4EFgQUYZaDP8FGGoquU6SCrowkqSULfSYwHwYD\n"                           \
    "VR0jBBgwFoAUYZaDP8FGGoquU6SCrowkqSULfSYwDwYDVR0TAQH/BAUwAwEB/zAF\n"                           \
    "BgMrZXADQQCPuQd3KHKuYSnTAaM5FQvhulpbZANo4Spqdxmqe1YUuoEN+saToTg7\n"                           \
    "TFsZOWt5GDMCLRflNytVqMiw2MtT/r4E\n"                                                           \
    "-----END CERTIFICATE-----\n"

static const struct {
    const char *text;
    const char *why;
} roots[] = {
    { ROOT, NULL },
    { ROOT ROOT, NULL },
    { "Some words\n\n" ROOT "and others\n", NULL },
    { "", "line 0: here it ends, and no PEM certificate" },
    { "one\ntwo\nthree", "line 3: here it ends, and no PEM certificate" },
    { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "line 3: " },
    { "\n" ROOT "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" ROOT,
        "line 13: " },
};

static void test_roots(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(roots); i++) {
        struct conf_error why = { "" };
        int fd = file_with(roots[i].text, strlen(roots[i].text));
        enum err rc = contents_check_roots("word", slice_text("/the/file"), fd, &why);

        if ((rc == ERR_OK) != !roots[i].why || (roots[i].why && !strstr(why.text, roots[i].why)))
            fail_msg("%zu: %s", i, why.text);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_roots) };

    return cmocka_run_group_tests_name("supervisor/contents", tests, NULL, NULL);
}
