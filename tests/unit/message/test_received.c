/* tests/unit/message/test_received.c: the trace field, with clients that would like to write into
 * it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "message/header.h"
#include "message/received.h"

static struct received_facts facts_of(const char *ehlo, const char *client)
{
    return (struct received_facts){
        .ehlo = slice_text(ehlo),
        .client = slice_text(client),
        .by = slice_text("msa.example.net"),
        .protocol = received_protocol(true, true, true, false),
        .queue_id = slice_text("Q1"),
        .wall = 1772532000,
    };
}

/* The field without its folds. */
static void check(const struct received_facts *facts, const char *want)
{
    struct buffer out, flat;

    buffer_init(&out, 1 << 16);
    buffer_init(&flat, 1 << 16);
    received_put(&out, facts);
    assert_int_equal(out.error, ERR_OK);
    for (size_t i = 0; i < out.len; i++) {
        if (out.data[i] == '\r') {
            assert_int_equal(out.data[i + 1], '\n');
            assert_true(i + 2 == out.len || out.data[i + 2] == ' ');
            i++;
        } else {
            buffer_put_char(&flat, out.data[i]);
        }
    }
    buffer_put_char(&flat, '\0');
    assert_string_equal(flat.data, want);
    buffer_clear(&out);
    buffer_clear(&flat);
}

/* AUTH-23, EXT-SMTPUTF8-11 */
static void test_protocol(void **state UNUSED)
{
    assert_string_equal(received_protocol(false, true, true, true), "SMTP");
    assert_string_equal(received_protocol(true, false, false, false), "ESMTP");
    assert_string_equal(received_protocol(true, false, true, false), "ESMTPA");
    assert_string_equal(received_protocol(true, true, false, false), "ESMTPS");
    assert_string_equal(received_protocol(true, true, true, false), "ESMTPSA");
    assert_string_equal(received_protocol(true, false, false, true), "UTF8SMTP");
    assert_string_equal(received_protocol(true, false, true, true), "UTF8SMTPA");
    assert_string_equal(received_protocol(true, true, false, true), "UTF8SMTPS");
    assert_string_equal(received_protocol(true, true, true, true), "UTF8SMTPSA");
}

/* MSG-10, TLS-12, MSG-11, MSG-7 */
static void test_forms(void **state UNUSED)
{
    struct received_facts facts = facts_of("c.example", "192.0.2.9");

    check(&facts, "Received: from c.example ([192.0.2.9]) by msa.example.net with ESMTPSA id Q1;"
                  " Tue, 03 Mar 2026 10:00:00 +0000");
    facts.tls_cipher = slice_text("TLS_AES_256_GCM_SHA384");
    check(&facts, "Received: from c.example ([192.0.2.9]) by msa.example.net with ESMTPSA id Q1"
                  " tls TLS_AES_256_GCM_SHA384; Tue, 03 Mar 2026 10:00:00 +0000");
    facts.solicit = slice_text("net.example:ADV,a\r)b"); /* EXT-NOSOL-4 */
    facts.has_priority = true;                           /* EXT-MTPRI-4 */
    facts.priority = -4;
    check(&facts, "Received: from c.example ([192.0.2.9]) by msa.example.net with ESMTPSA"
                  " (SOLICIT=net.example:ADV, a??b) id Q1 tls TLS_AES_256_GCM_SHA384 PRIORITY -4;"
                  " Tue, 03 Mar 2026 10:00:00 +0000");
    facts.solicit = slice_text("");
    facts.has_priority = false;
    facts.tls_group = slice_text("x25519");
    facts.client_name = slice_text("host.example.org");
    facts.client = slice_text("2001:db8::1");
    check(&facts,
        "Received: from c.example (host.example.org [IPv6:2001:db8::1]) by msa.example.net"
        " with ESMTPSA id Q1 tls TLS_AES_256_GCM_SHA384 group x25519;"
        " Tue, 03 Mar 2026 10:00:00 +0000");
    facts.hide_client = true; /* MSG-12 */
    check(&facts, "Received: from [127.0.0.1] by msa.example.net"
                  " with ESMTPSA id Q1 tls TLS_AES_256_GCM_SHA384 group x25519;"
                  " Tue, 03 Mar 2026 10:00:00 +0000");
}

static void test_names(void **state UNUSED)
{
    static const struct {
        const char *ehlo;
        const char *shown;
    } cases[] = {
        { "my_pc", "my_pc" },
        { "[192.0.2.9]", "[192.0.2.9]" },
        { "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
        { "", "unknown" },
        { "x\r\nBcc: y", "x??Bcc??y" },
        { "a) by evil (b", "a??by?evil??b" },
        { "a;b", "a?b" },
        { "[a]b]", "?a?b?" },
        { "[]", "??" },
        { "[a b]", "?a?b?" },
        { ".a..b.", "?a??b?" },
        { "b\303\274cher", "b??cher" },
        { "\"q\"", "?q?" },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct received_facts facts = facts_of(cases[i].ehlo, "192.0.2.9");
        char want[256];

        snprintf(want, sizeof want,
            "Received: from %s ([192.0.2.9]) by msa.example.net with ESMTPSA id Q1;"
            " Tue, 03 Mar 2026 10:00:00 +0000",
            cases[i].shown);
        check(&facts, want);
    }
}

static size_t longest_line(struct slice text)
{
    size_t longest = 0;

    while (text.len > 0) {
        size_t newline = slice_find(text, '\n');

        longest = newline - 1 > longest ? newline - 1 : longest;
        text = slice_from(text, newline + 1);
    }
    return longest;
}

/* GRM-13: 78 columns where words allow, 998 always. */
static void test_folds(void **state UNUSED)
{
    struct received_facts facts =
        facts_of("client.with-a-long-name.example.com", "2001:db8::1:2:3");
    struct buffer out;
    char *rude = malloc(100000);

    assert_non_null(rude);
    memset(rude, '(', 100000);
    buffer_init(&out, 1 << 16);
    facts.tls_cipher = slice_text("TLS_AES_256_GCM_SHA384");
    facts.client_name = slice_text("another-long-name.dynamic.provider.example.org");
    received_put(&out, &facts);
    assert_in_range(longest_line(buffer_slice(&out)), 40, 78);
    facts.ehlo = facts.client = facts.client_name = facts.tls_cipher = slice_of(rude, 100000);
    facts.tls_group = facts.ehlo;
    buffer_reset(&out);
    received_put(&out, &facts);
    assert_int_equal(out.error, ERR_OK);
    assert_in_range(longest_line(buffer_slice(&out)), 255, 998);
    assert_in_range(out.len, 600, 2048);
    buffer_clear(&out);
    free(rude);
}

/* However small the room, nothing but the sticky error. */
static void test_no_room(void **state UNUSED)
{
    struct received_facts facts = facts_of("c.example", "192.0.2.9");
    struct buffer out;

    for (size_t cap = 0; cap < 100; cap++) {
        buffer_init(&out, cap);
        received_put(&out, &facts);
        assert_int_equal(out.error, ERR_LIMIT);
        buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests_name("message/received", tests, NULL, NULL);
}
