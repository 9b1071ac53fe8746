/* tests/unit/message/test_completion.c: what is added, replaced and removed, and that all else
 * stays as it is. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "message/completion.h"

#define RECEIVED                                                                                   \
    "Received: from c.example ([192.0.2.9]) by msa.example.net with ESMTPSA id Q1;\r\n"            \
    " Tue, 03 Mar 2026 10:00:00 +0000\r\n"
#define DATE "Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
#define ID   "Message-ID: <Q1.000000000000002a@msa.example.net>\r\n"
#define OLD  "Date: Mon, 02 Mar 2026 09:00:00 +0100\r\nMessage-ID: <x@y.example>\r\n"
#define FROM "From: alice@example.net\r\n"

struct completion_case {
    const char *name;
    const char *header;
    const char *want; /* behind RECEIVED, before the empty line */
    unsigned fixups;
    const char *fixups_text;
};

static const struct completion_case cases[] = {
    { "MSG-9 complete header stays", OLD FROM "X: y\r\n", OLD FROM "X: y\r\n", 0, "" },
    { "MSG-9 odd forms stay byte for byte",
        "fRom:a@b.example\r\n" OLD "x:\r\n  \ty \t\r\nSubject:\r\n",
        "fRom:a@b.example\r\n" OLD "x:\r\n  \ty \t\r\nSubject:\r\n", 0, "" },
    { "MSG-9 earlier trace is not parted or reordered",
        "Received: one\r\nReceived: two\r\nResent-To: x\r\n" FROM,
        "Received: one\r\nReceived: two\r\nResent-To: x\r\n" FROM DATE ID,
        FIXUP_DATE | FIXUP_MESSAGE_ID, "date,msgid" },
    { "SUB-8.2-1 Date added", FROM "Message-ID: <x@y.example>\r\n",
        FROM "Message-ID: <x@y.example>\r\n" DATE, FIXUP_DATE, "date" },
    { "SUB-8.2-2 Date replaced where it stood", "Date: yesterday\r\n" FROM "Message-ID: <x@y>\r\n",
        DATE FROM "Message-ID: <x@y>\r\n", FIXUP_DATE, "date" },
    { "MSG-4 31 Feb is replaced",
        "Date: 31 Feb 2026 10:00:00 +0000\r\n" FROM "Message-ID: <x@y>\r\n",
        DATE FROM "Message-ID: <x@y>\r\n", FIXUP_DATE, "date" },
    { "SUB-8.3-1 Message-ID added", FROM "Date: Mon, 02 Mar 2026 09:00:00 GMT\r\n",
        FROM "Date: Mon, 02 Mar 2026 09:00:00 GMT\r\n" ID, FIXUP_MESSAGE_ID, "msgid" },
    { "SUB-8.3-1 Message-ID replaced", "Message-Id: abc\r\n" FROM "Date: 2 Mar 2026 09:00 GMT\r\n",
        ID FROM "Date: 2 Mar 2026 09:00 GMT\r\n", FIXUP_MESSAGE_ID, "msgid" },
    { "MSG-6 Bcc gone",
        OLD FROM "bcc: carol@example.org,\r\n dave@example.org\r\nTo: x@y.example\r\n",
        OLD FROM "To: x@y.example\r\n", FIXUP_BCC, "bcc" },
    { "MSG-6 Resent-Bcc gone", OLD FROM "Resent-Bcc: a@b\r\nResent-Bcc: c@d\r\n", OLD FROM,
        FIXUP_BCC, "bcc" },
    { "MSG-6 Return-Path, Content-Length and ours gone",
        "Return-Path: <x>\r\n" OLD "Content-Length: 7\r\nx-submitd-id: 1\r\n" FROM, OLD FROM,
        FIXUP_RETURN_PATH | FIXUP_CONTENT_LENGTH | FIXUP_PRIVATE,
        "return-path,content-length,private" },
    { "MSG-15 forged result gone, others stay",
        "Authentication-Results: (c) MSA.example.net; auth=pass\r\n"
        "Authentication-Results: \"msa.example.net\" 1; auth=pass\r\n"
        "Authentication-Results: other.example; auth=pass\r\n" OLD FROM,
        "Authentication-Results: other.example; auth=pass\r\n" OLD FROM, FIXUP_AUTH_RESULTS,
        "auth-results" },
    { "all at once",
        "Bcc: x\r\nReturn-Path: x\r\nContent-Length: 1\r\nX-Submitd-A: 1\r\nDate: x\r\n"
        "Message-ID: x\r\nAuthentication-Results: msa.example.net\r\n" FROM,
        DATE ID FROM, (1 << 7) - 1,
        "date,msgid,bcc,return-path,content-length,private,auth-results" },
};

static struct completion_facts facts_of_test(void)
{
    return (struct completion_facts){
        .received = {
            .ehlo = SLICE_LITERAL("c.example"),
            .client = SLICE_LITERAL("192.0.2.9"),
            .by = SLICE_LITERAL("msa.example.net"),
            .protocol = received_protocol(true, true, true, false),
            .queue_id = SLICE_LITERAL("Q1"),
            .wall = 1772532000,
        },
        .random = 42,
    };
}

static unsigned complete(
    const char *header, const struct completion_facts *facts, struct buffer *out)
{
    struct header_index index;
    struct arena arena;
    unsigned fixups;

    arena_init(&arena, 1 << 20);
    buffer_init(out, 1 << 20);
    assert_int_equal(header_index_build(slice_text(header), &arena, &index), ERR_OK);
    fixups = completion_put(out, &index, facts);
    assert_int_equal(out->error, ERR_OK);
    arena_clear(&arena);
    buffer_put_char(out, '\0');
    return fixups;
}

static void test_cases(void **state UNUSED)
{
    struct completion_facts facts = facts_of_test();

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct completion_case *c = &cases[i];
        char want[4096], text[FIXUPS_TEXT];
        struct buffer out;
        unsigned fixups = complete(c->header, &facts, &out);

        snprintf(want, sizeof want, "%s%s\r\n", RECEIVED, c->want);
        assert_string_equal(out.data, want);
        assert_int_equal(fixups, c->fixups);
        completion_fixups_text(fixups, text); /* MSG-20 */
        assert_string_equal(text, c->fixups_text);
        buffer_clear(&out);
    }
}

static void test_switches(void **state UNUSED)
{
    struct completion_facts facts = facts_of_test();
    struct buffer out;

    facts.keep_date = facts.keep_message_id = facts.keep_bcc = true;
    assert_int_equal(complete("Date: x\r\nMessage-ID: y\r\nBcc: z\r\n" FROM, &facts, &out), 0);
    assert_string_equal(out.data, RECEIVED "Date: x\r\nMessage-ID: y\r\nBcc: z\r\n" FROM "\r\n");
    buffer_clear(&out);
    assert_int_equal(complete(FROM, &facts, &out), 0);
    assert_string_equal(out.data, RECEIVED FROM "\r\n");
    buffer_clear(&out);
}

static void test_no_room(void **state UNUSED)
{
    struct completion_facts facts = facts_of_test();
    struct header_index index;
    struct arena arena;
    struct buffer out;

    arena_init(&arena, 1 << 20);
    assert_int_equal(header_index_build(slice_text(FROM), &arena, &index), ERR_OK);
    buffer_init(&out, 150);
    completion_put(&out, &index, &facts);
    assert_int_equal(out.error, ERR_LIMIT);
    buffer_clear(&out);
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_switches),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests_name("message/completion", tests, NULL, NULL);
}
