/* The replies that we give, and enhanced status codes. */
#include "cases.h"

#include "smtp/address.h"
#include "smtp/reply.h"
#include "smtp/reply_page.h"
#include "smtp/status.h"

/* Each line: "ccc-" or "ccc ", the enhanced code where one is due, printable ASCII, at most 512
 * octets. */
static void check_lines(const char *name, enum reply_id id, struct slice out)
{
    const struct reply_info *info = reply_info(id);
    char start[32];

    if (status_is_set(info->status))
        snprintf(start, sizeof start, "%03u?%u.%u.%u ", info->code, info->status.class,
            info->status.subject, info->status.detail);
    else
        snprintf(start, sizeof start, "%03u?", info->code);
    while (out.len > 0) {
        size_t len = slice_find(out, '\n') + 1;
        struct slice line = slice_first(out, len);

        out = slice_from(out, len);
        start[3] = out.len > 0 ? '-' : ' ';
        expect_text(name, slice_first(line, strlen(start)), start);
        assert_true(line.len <= REPLY_LINE_MAX);
        assert_int_equal(line.data[line.len - 2], '\r');
        for (size_t i = 0; i < line.len - 2; i++)
            assert_in_range(line.data[i], 32, 126);
    }
}

/* EXT-ESC-1, EXT-ESC-3, CMD-24, LSN-4: the whole table. */
static void test_table(void **state UNUSED)
{
    struct buffer out;

    buffer_init(&out, 4096);
    for (enum reply_id id = 0; id < REPLY_COUNT; id++) {
        const struct reply_info *info = reply_info(id);
        bool has_status = status_is_set(info->status);

        assert_non_null(info->text);
        assert_in_range(info->code, 200, 559);
        assert_int_not_equal(info->code, 521);
        if (has_status)
            assert_int_equal(info->status.class, info->code / 100);
        else
            assert_true(id == REPLY_GREETING || id == REPLY_HELO || info->code / 100 == 3);
        buffer_reset(&out);
        reply_write(&out, id);
        check_lines(info->text, id, buffer_slice(&out));
    }
    buffer_clear(&out);
}

static void expect_reply(const char *name, struct buffer *out, const char *want)
{
    expect_text(name, buffer_slice(out), want);
    buffer_reset(out);
}

static void test_forms(void **state UNUSED)
{
    struct buffer out;

    buffer_init(&out, 65536);
    reply_greeting(&out, slice_text("msa.example.net"));
    expect_reply("LSN-1", &out, "220 msa.example.net ESMTP\r\n");
    reply_helo(&out, slice_text("msa.example.net"));
    expect_reply("CMD-4", &out, "250 msa.example.net\r\n");
    reply_challenge(&out, slice_text(""));
    expect_reply("AUTH-8", &out, "334 \r\n");
    reply_challenge(&out, slice_text("VXNlcm5hbWU6"));
    expect_reply("SASL-9", &out, "334 VXNlcm5hbWU6\r\n");
    reply_write(&out, REPLY_DATA_READY);
    expect_reply("DATA-1", &out, "354 End data with <CR><LF>.<CR><LF>\r\n");
    reply_write(&out, REPLY_AUTH_FIRST);
    expect_reply("SUB-4.3-1", &out, "530 5.7.0 Authentication required\r\n");
    reply_printf(&out, REPLY_BYE, "%s closing", "msa.example.net");
    expect_reply("CMD-13", &out, "221 2.0.0 msa.example.net closing\r\n");
    reply_printf(&out, REPLY_RECIPIENT_OK, "<%s> Recipient ok", "bob@example.org");
    expect_reply("EXT-PIPELINING-4", &out, "250 2.1.5 <bob@example.org> Recipient ok\r\n");
    reply_printf(&out, REPLY_HELP, "one\ntwo");
    expect_reply("EXT-ESC-1", &out, "214-2.0.0 one\r\n214 2.0.0 two\r\n");
    reply_printf(&out, REPLY_OK, "%s", "");
    expect_reply("no text", &out, "250 2.0.0 \r\n");
    buffer_clear(&out);
}

/* EXT-SMTPUTF8-5 */
static void test_escapes(void **state UNUSED)
{
    struct buffer out;

    buffer_init(&out, 65536);
    reply_printf(&out, REPLY_BAD_ARGUMENT, "%s", "a\r250 2.0.0 b\xc3\xa9\x7f");
    expect_reply("CMD-24", &out, "501 5.5.4 a\\x0D250 2.0.0 b\\xC3\\xA9\\x7F\r\n");
    reply_printf(&out, REPLY_OK, "%s", "tab\there");
    expect_reply("control", &out, "250 2.0.0 tab\\x09here\r\n");
    buffer_clear(&out);
}

/* CMD-24: first, last, one past, and octets that take four when shown. */
static void test_split(void **state UNUSED)
{
    enum { ROOM = REPLY_LINE_MAX - 2 - 10 };
    static const char fills[] = { 'x', '\xff', ' ' };
    struct buffer out;

    buffer_init(&out, 65536);
    for (size_t f = 0; f < sizeof fills; f++)
        for (size_t len = 0; len < 3 * ROOM; len++) {
            char *text = repeated(fills[f], len);

            buffer_reset(&out);
            reply_printf(&out, REPLY_OK, "%s", text);
            check_lines("split", REPLY_OK, buffer_slice(&out));
            if (fills[f] == 'x')
                expect_number(
                    "octets", out.len, len + (len > 0 ? (len + ROOM - 1) / ROOM : 1) * 12);
            free(text);
        }
    buffer_reset(&out);
    reply_printf(&out, REPLY_OK, "%0496d word word", 7);
    check_lines("words", REPLY_OK, buffer_slice(&out));
    expect_text(
        "at a space", slice_from(buffer_slice(&out), out.len - 21), "250 2.0.0 word word\r\n");
    buffer_clear(&out);
}

static void test_status(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool is_valid;
        struct status status;
        size_t len;
    } cases[] = {
        { "2.1.5 ok", true, { 2, 1, 5 }, 5 },
        { "5.7.13", true, { 5, 7, 13 }, 6 },
        { "4.999.999 x", true, { 4, 999, 999 }, 9 },
        { "5.0.0\tx", true, { 5, 0, 0 }, 5 },
        { "3.1.5 x", false },
        { "5.01.1 x", false }, /* EXT-ESC-3 */
        { "5.1.1000 x", false },
        { "5.1", false },
        { "5.1.", false },
        { "5..1 x", false },
        { "5.1.1x", false },
        { "5.1.1.1 x", false },
        { " 5.1.1", false },
        { "", false },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct status status = { 0 };
        size_t len;

        expect_number(cases[i].text, status_parse(slice_text(cases[i].text), &status, &len),
            cases[i].is_valid);
        if (!cases[i].is_valid)
            continue;
        expect_number(cases[i].text, status.class, cases[i].status.class);
        expect_number(cases[i].text, status.subject, cases[i].status.subject);
        expect_number(cases[i].text, status.detail, cases[i].status.detail);
        expect_number(cases[i].text, len, cases[i].len);
    }
}

/* EXT-ESC-4 */
static void test_status_of_code(void **state UNUSED)
{
    static const struct {
        unsigned code;
        const char *status;
    } cases[] = {
        { 250, "2.0.0" },
        { 421, "4.3.2" },
        { 451, "4.0.0" },
        { 499, "4.0.0" },
        { 550, "5.0.0" },
        { 552, "5.2.2" },
        { 556, "5.1.10" },
        { 599, "5.0.0" },
        { 354, "" },
        { 600, "" },
        { 0, "" },
    };

    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect_status(cases[i].status, status_of_code(cases[i].code), cases[i].status);
}

/* Every reply has its words in submitd-replies(7): a capital letter or '-', and a full stop. */
static void test_when(void **state UNUSED)
{
    for (enum reply_id id = 0; id < REPLY_COUNT; id++) {
        const char *when = reply_when(id);

        if (!when || strlen(when) < 10 || when[strlen(when) - 1] != '.')
            fail_msg("smtp/reply_when.c says nothing of \"%u %s\"", reply_info(id)->code,
                reply_info(id)->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_of_code),
    };

    return cmocka_run_group_tests_name("smtp/reply", tests, NULL, NULL);
}
