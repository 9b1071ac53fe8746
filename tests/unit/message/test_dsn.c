/* tests/unit/message/test_dsn.c: notices: their form, their words, and hostile text in them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "message/dsn.h"
#include "message/text.h"

enum { NOW = 1772532000, HOUR = 3600 };

static const struct dsn_recipient bob = {
    .final = SLICE_LITERAL("bob@example.org"),
    .action = DSN_FAILED,
    .status = SLICE_LITERAL("5.1.1"),
    .remote_mta = SLICE_LITERAL("mx.example.org"),
    .diagnostic = SLICE_LITERAL("550-5.1.1 No such user\r\n550 5.1.1 here"),
    .last_attempt = NOW - 60,
};

static struct dsn_notice notice_of(const struct dsn_recipient *recipients, size_t count)
{
    return (struct dsn_notice){
        .host = SLICE_LITERAL("msa.example.net"),
        .postmaster = SLICE_LITERAL("postmaster@msa.example.net"),
        .to = SLICE_LITERAL("alice@example.net"),
        .notice_id = SLICE_LITERAL("N1"),
        .original_id = SLICE_LITERAL("Q1"),
        .arrival = NOW - HOUR,
        .now = NOW,
        .random = 42,
        .recipients = recipients,
        .recipient_count = count,
        .header = SLICE_LITERAL("From: alice@example.net\r\nSubject: hello\r\n\r\n"),
    };
}

struct made {
    struct buffer header;
    struct buffer body;
    bool utf8;
};

static void check_lines(struct slice text, size_t most)
{
    while (text.len > 0) {
        size_t newline = slice_find(text, '\n');

        assert_true(newline < text.len && newline > 0 && newline - 1 <= most);
        assert_int_equal(slice_find(text, '\r'), newline - 1);
        text = slice_from(text, newline + 1);
    }
}

/* What holds for every notice: whole lines, 7-bit unless it says otherwise, sizes within the bound.
 */
static void check_frame(const struct dsn_notice *notice, const struct made *made)
{
    check_lines(buffer_slice(&made->header), 998);
    check_lines(buffer_slice(&made->body), 998);
    assert_true(made->header.len <= dsn_size_max(notice) && made->body.len <= dsn_size_max(notice));
    assert_true(made->utf8 || text_is_ascii(buffer_slice(&made->header)));
    assert_true(made->utf8 || text_is_ascii(buffer_slice(&made->body)));
    assert_true(text_is_utf8(buffer_slice(&made->header)));
}

static void make(const struct dsn_notice *notice, struct made *out_made)
{
    buffer_init(&out_made->header, dsn_size_max(notice));
    buffer_init(&out_made->body, dsn_size_max(notice));
    assert_int_equal(dsn_put(&out_made->header, &out_made->body, notice, &out_made->utf8), ERR_OK);
    check_frame(notice, out_made);
    buffer_put_char(&out_made->header, '\0');
    buffer_put_char(&out_made->body, '\0');
}

static void drop(struct made *made)
{
    buffer_clear(&made->header);
    buffer_clear(&made->body);
}

static void check_has(const struct buffer *text, const char *wanted)
{
    if (!strstr(text->data, wanted))
        fail_msg("no \"%s\" in:\n%s", wanted, text->data);
}

static void check_has_not(const struct buffer *text, const char *unwanted)
{
    if (strstr(text->data, unwanted))
        fail_msg("\"%s\" in:\n%s", unwanted, text->data);
}

/* DSN-1, DSN-3, DSN-4, DSN-5, DSN-6, DSN-7, DSN-8, DSN-15: the whole of a plain one. */
static void test_failure(void **state UNUSED)
{
    struct dsn_notice notice = notice_of(&bob, 1);
    struct made made;

    make(&notice, &made);
    assert_false(made.utf8);
    assert_string_equal(made.header.data,
        "From: Postmaster <postmaster@msa.example.net>\r\n"
        "To: <alice@example.net>\r\n"
        "Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
        "Message-ID: <N1.000000000000002a@msa.example.net>\r\n"
        "Subject: Your message could not be delivered\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        " boundary=\"=_report_000000000000002a\"\r\n"
        "\r\n");
    assert_string_equal(made.body.data,
        "This is a delivery report in MIME format.\r\n"
        "\r\n"
        "--=_report_000000000000002a\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "This is the mail server msa.example.net.\r\n"
        "\r\n"
        "Your message of Tue, 03 Mar 2026 09:00:00 +0000 could not be delivered\r\n"
        "to the recipient below. The server has given up and will not try again.\r\n"
        "\r\n"
        "  <bob@example.org>\r\n"
        "    The address is not known there. mx.example.org answered:\r\n"
        "    > 550-5.1.1 No such user\r\n"
        "    > 550 5.1.1 here\r\n"
        "    What you can do: check the address for typing errors.\r\n"
        "\r\n"
        "This server knows the message as Q1. Name this id if you ask\r\n"
        "<postmaster@msa.example.net> about it.\r\n"
        "\r\n"
        "--=_report_000000000000002a\r\n"
        "Content-Type: message/delivery-status\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Reporting-MTA: dns; msa.example.net\r\n"
        "Arrival-Date: Tue, 03 Mar 2026 09:00:00 +0000\r\n"
        "\r\n"
        "Final-Recipient: rfc822; bob@example.org\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        "Remote-MTA: dns; mx.example.org\r\n"
        "Diagnostic-Code: smtp; 550-5.1.1 No such user\r\n"
        " 550 5.1.1 here\r\n"
        "Last-Attempt-Date: Tue, 03 Mar 2026 09:59:00 +0000\r\n"
        "Final-Log-ID: Q1\r\n"
        "\r\n"
        "--=_report_000000000000002a\r\n"
        "Content-Type: text/rfc822-headers\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "From: alice@example.net\r\n"
        "Subject: hello\r\n"
        "\r\n"
        "--=_report_000000000000002a--\r\n");
    drop(&made);
}

/* DSN-5, DSN-6: the fields that need not be there. */
static void test_optional_fields(void **state UNUSED)
{
    struct dsn_recipient delayed = {
        .final = SLICE_LITERAL("bob@example.org"),
        .original = SLICE_LITERAL("rfc822;Bob+x@Example.org"),
        .action = DSN_DELAYED,
        .status = SLICE_LITERAL("4.4.1"),
        .last_attempt = NOW,
        .retry_until = NOW + HOUR,
        .reason = SLICE_LITERAL("The server mx.example.org does not answer."),
    };
    struct dsn_notice notice = notice_of(&delayed, 1);
    struct made made;

    notice.envelope_id = slice_text("QQ 314159");
    make(&notice, &made);
    check_has(&made.body,
        "\r\n\r\nOriginal-Envelope-Id: QQ 314159\r\nReporting-MTA: dns; msa.example.net\r\n");
    check_has(&made.body, "\r\n\r\nOriginal-Recipient: rfc822; Bob+x@Example.org\r\n"
                          "Final-Recipient: rfc822; bob@example.org\r\n"
                          "Action: delayed\r\n"
                          "Status: 4.4.1\r\n"
                          "Last-Attempt-Date: Tue, 03 Mar 2026 10:00:00 +0000\r\n"
                          "Will-Retry-Until: Tue, 03 Mar 2026 11:00:00 +0000\r\n"
                          "Final-Log-ID: Q1\r\n");
    check_has_not(&made.body, "Remote-MTA");
    check_has_not(&made.body, "Diagnostic-Code");
    check_has(&made.body, "    The server mx.example.org does not answer.\r\n");
    check_has(&made.body, "    The server keeps trying until Tue, 03 Mar 2026 11:00:00 +0000.\r\n");
    check_has(&made.header, "Subject: Your message is delayed\r\n");
    drop(&made);
}

/* DSN-8, DSN-11: every action in one notice; the worst names the subject. */
static void test_actions(void **state UNUSED)
{
    struct dsn_recipient all[DSN_ACTIONS];
    struct dsn_notice notice = notice_of(all, DSN_ACTIONS);
    struct made made;

    for (int i = 0; i < DSN_ACTIONS; i++) {
        all[i] = bob;
        all[i].action = (enum dsn_action)(DSN_ACTIONS - 1 - i);
        all[i].status = slice_text(all[i].action == DSN_DELAYED ? "4.2.2" : "2.1.5");
        all[i].retry_until = NOW + HOUR;
    }
    make(&notice, &made);
    check_has(&made.header, "Subject: Your message could not be delivered\r\n");
    check_has(&made.body, "Action: failed\r\nStatus: 5.0.0\r\n");
    check_has(&made.body, "Action: delayed\r\nStatus: 4.2.2\r\n");
    check_has(&made.body, "Action: relayed\r\nStatus: 2.1.5\r\n");
    check_has(&made.body, "Action: delivered\r\nStatus: 2.1.5\r\n");
    check_has(&made.body, "Action: expanded\r\nStatus: 2.1.5\r\n");
    assert_non_null(strstr(strstr(made.body.data, "given up"), "keeps trying"));
    drop(&made);
}

/* DSN-9 */
static void test_status(void **state UNUSED)
{
    static const struct {
        enum dsn_action action;
        const char *given;
        const char *want;
    } cases[] = {
        { DSN_FAILED, "5.1.1", "5.1.1" },
        { DSN_FAILED, "4.4.1", "4.4.1" }, /* expired, the cause kept */
        { DSN_FAILED, "5.123.456", "5.123.456" },
        { DSN_FAILED, "2.1.5", "5.0.0" },
        { DSN_FAILED, "", "5.0.0" },
        { DSN_FAILED, "5", "5.0.0" },
        { DSN_FAILED, "5.1", "5.0.0" },
        { DSN_FAILED, "5.1.", "5.0.0" },
        { DSN_FAILED, "5.1.1.1", "5.0.0" },
        { DSN_FAILED, "5.1.1234", "5.0.0" },
        { DSN_FAILED, "5.1.1\r\nX: y", "5.0.0" },
        { DSN_FAILED, "55.1.1", "5.0.0" },
        { DSN_DELAYED, "5.1.1", "4.0.0" },
        { DSN_DELAYED, "4.7.1", "4.7.1" },
        { DSN_RELAYED, "2.1.9", "2.1.9" },
        { DSN_DELIVERED, "5.0.0", "2.0.0" },
        { DSN_EXPANDED, "", "2.0.0" },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char text[DSN_STATUS_TEXT + 1];

        dsn_status_text(cases[i].action, slice_text(cases[i].given), text);
        assert_string_equal(text, cases[i].want);
    }
}

/* DSN-7, and nothing of it can become a field, a part or a control sequence. */
static void test_hostile_reply(void **state UNUSED)
{
    struct dsn_recipient rude = bob;
    struct dsn_notice notice = notice_of(&rude, 1);
    struct made made;

    rude.diagnostic = slice_text("550 a\nFinal-Recipient: rfc822; evil@example.org\r\n\r\n \r\n"
                                 "--=_report_000000000000002a--\r\n\033[2Jb\rc\177 \303\251 \377");
    rude.remote_mta = slice_text("evil\r\nX-Field: y");
    rude.final = slice_text("b\r\nob@example.org");
    rude.original = slice_text("rfc\r\n822; x\r\ny");
    make(&notice, &made);
    check_has(&made.body, "Diagnostic-Code: smtp; 550 a\r\n"
                          " Final-Recipient: rfc822; evil@example.org\r\n"
                          " --=_report_000000000000002a--\r\n"
                          " ?[2Jb?c? ? ?\r\n");
    check_has(&made.body, "Remote-MTA: dns; evil??X-Field: y\r\n");
    check_has(&made.body, "Final-Recipient: rfc822; b??ob@example.org\r\n");
    check_has(&made.body, "Original-Recipient: rfc??822; x??y\r\n");
    check_has(&made.body, "    > ?[2Jb?c? =C3=A9 ?\r\n");
    check_has(&made.header, "boundary=\"=_report_000000000000002b\"\r\n");
    drop(&made);
}

static void test_long_reply(void **state UNUSED)
{
    struct dsn_recipient rude = bob;
    struct dsn_notice notice = notice_of(&rude, 1);
    char *text = malloc(100000);
    struct made made;

    assert_non_null(text);
    for (size_t i = 0; i < 100000; i++)
        text[i] = i % 10 == 9 ? ' ' : 'x';
    rude.diagnostic = slice_of(text, 100000);
    make(&notice, &made);
    assert_in_range(made.body.len, DSN_DIAGNOSTIC_MAX, DSN_DIAGNOSTIC_MAX + DSN_QUOTE_MAX + 2500);
    check_has(&made.body, "\r\n    > ...\r\n");
    drop(&made);
    memset(text, 'x', 100000);
    rude.final = rude.remote_mta = rude.reason = rude.original = notice.to = notice.host =
        notice.postmaster = notice.notice_id = notice.original_id = notice.envelope_id =
            rude.diagnostic;
    make(&notice, &made);
    drop(&made);
    memset(text, '\n', 100000);
    make(&notice, &made);
    drop(&made);
    memset(text, ';', 100000);
    make(&notice, &made);
    drop(&made);
    free(text);
}

/* DSN-13, DSN-12: a notice that any hop can carry. */
static void test_utf8_recipient(void **state UNUSED)
{
    struct dsn_recipient delta = bob;
    struct dsn_notice notice = notice_of(&delta, 1);
    struct made made;

    delta.final = slice_text("\316\264+\\=@example.org");
    delta.original = slice_text("utf-8;\316\264\360\237\230\200@example.org");
    notice.header =
        slice_text("From: alice@example.net\r\nTo: \316\264@example.org\r\nSubject: a=b\r\n");
    make(&notice, &made);
    assert_false(made.utf8);
    check_has(&made.header, "report-type=delivery-status;");
    check_has(
        &made.body, "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n");
    check_has(&made.body, "Final-Recipient: utf-8; \\x{3B4}\\x{2B}\\x{5C}\\x{3D}@example.org\r\n");
    check_has(&made.body, "Original-Recipient: utf-8; \\x{3B4}\\x{1F600}@example.org\r\n");
    check_has(&made.body, "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n");
    check_has(&made.body, "  <=CE=B4+\\=3D@example.org>\r\n");
    check_has(&made.body,
        "Content-Type: message/global-headers\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
        "From: alice@example.net\r\nTo: =CE=B4@example.org\r\nSubject: a=3Db\r\n");
    check_has_not(&made.header, "Content-Transfer-Encoding");
    drop(&made);
}

/* DSN-6, DSN-13: the original recipient whole, at its longest; of the type utf-8 in its 7-bit form
 * though it is ASCII. */
static void test_original(void **state UNUSED)
{
    struct dsn_recipient one = bob;
    struct dsn_notice notice = notice_of(&one, 1);
    char original[501], wanted[600];
    struct made made;

    snprintf(original, sizeof original, "rfc822;%0*d@example.org", 500 - 7 - 12, 7);
    one.original = slice_text(original);
    assert_int_equal(one.original.len, 500);
    make(&notice, &made);
    snprintf(wanted, sizeof wanted, "\r\nOriginal-Recipient: rfc822; %s\r\n", original + 7);
    check_has(&made.body, wanted);
    drop(&made);

    snprintf(original, sizeof original, "%0*d;x", 498, 7);
    one.original = slice_text(original);
    make(&notice, &made);
    snprintf(wanted, sizeof wanted, "\r\nOriginal-Recipient: %.498s; x\r\n", original);
    check_has(&made.body, wanted);
    drop(&made);

    one.original = slice_text("UTF-8;bob+x\\@example.org");
    make(&notice, &made);
    check_has(&made.body, "\r\nOriginal-Recipient: UTF-8; bob\\x{2B}x\\x{5C}@example.org\r\n");
    drop(&made);
}

/* DSN-12: a sender beyond ASCII is only reached by SMTPUTF8. */
static void test_utf8_sender(void **state UNUSED)
{
    struct dsn_recipient delta = bob;
    struct dsn_notice notice = notice_of(&delta, 1);
    struct made made;

    delta.final = slice_text("\316\264@example.org");
    notice.to = slice_text("\303\251@example.net");
    notice.header = slice_text("From: \303\251@example.net\r\n");
    make(&notice, &made);
    assert_true(made.utf8);
    check_has(&made.header, "To: <\303\251@example.net>\r\n");
    check_has(&made.header, "report-type=global-delivery-status;");
    check_has(&made.header, "\r\nContent-Transfer-Encoding: 8bit\r\n");
    check_has(&made.body, "Content-Type: message/global-delivery-status\r\n"
                          "Content-Transfer-Encoding: 8bit\r\n");
    check_has(&made.body, "Final-Recipient: utf-8; \316\264@example.org\r\n");
    check_has(&made.body,
        "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n"
        "\r\nFrom: \303\251@example.net\r\n");
    drop(&made);
}

/* Part 3 whatever the header is. */
static void test_header_part(void **state UNUSED)
{
    struct dsn_notice notice = notice_of(&bob, 1);
    struct made made;

    notice.header = slice_of(NULL, 0);
    make(&notice, &made);
    check_has_not(&made.body, "headers");
    drop(&made);
    notice.header = slice_text("Subject: \351\r\n"); /* neither ASCII nor UTF-8 */
    make(&notice, &made);
    check_has(&made.body, "Content-Type: text/rfc822-headers\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =E9\r\n");
    drop(&made);
    notice.header = slice_text("a: b\nc: d");
    make(&notice, &made);
    check_has(&made.body, "quoted-printable\r\n\r\na: b=0A=\r\nc: d=\r\n");
    drop(&made);
    notice.header = slice_text("a: b");
    make(&notice, &made);
    check_has(&made.body, "7bit\r\n\r\na: b\r\n\r\n--");
    drop(&made);
}

/* DSN-3: the boundary is nowhere in the parts. */
static void test_boundary(void **state UNUSED)
{
    struct dsn_notice notice = notice_of(&bob, 1);
    struct made made;

    notice.header =
        slice_text("A: \r\n --=_report_000000000000002a\r\nB: =_report_000000000000002b\r\n");
    make(&notice, &made);
    check_has(&made.header, " boundary=\"=_report_000000000000002c\"\r\n");
    drop(&made);
}

static void test_no_room(void **state UNUSED)
{
    struct dsn_notice notice = notice_of(&bob, 1);

    for (size_t cap = 0; cap < 1000; cap += 50) {
        struct buffer header, body;
        bool utf8 = true;

        buffer_init(&header, 4096);
        buffer_init(&body, cap);
        assert_int_equal(dsn_put(&header, &body, &notice, &utf8), ERR_LIMIT);
        assert_true(utf8);
        buffer_clear(&header);
        buffer_clear(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_optional_fields),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_hostile_reply),
        cmocka_unit_test(test_long_reply),
        cmocka_unit_test(test_utf8_recipient),
        cmocka_unit_test(test_original),
        cmocka_unit_test(test_utf8_sender),
        cmocka_unit_test(test_header_part),
        cmocka_unit_test(test_boundary),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests_name("message/dsn", tests, NULL, NULL);
}
