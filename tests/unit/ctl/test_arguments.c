/* The command line: what is refused and with which words, and help for everything. */
#include "capture.h"

struct line_case {
    const char *line;
    int status;
    const char *said; /* on the error stream */
};

static const struct line_case cases[] = {
    { "", 64, "submitctl: a command is missing; see submitctl --help\n" },
    { "queue", 64, "submitctl: a command is missing; see submitctl --help\n" },
    { "foo", 64, "submitctl: there is no command foo; see submitctl --help\n" },
    { "queue foo", 64, "submitctl: there is no command queue foo; see submitctl --help\n" },
    { "list", 64, "submitctl: there is no command list; see submitctl --help\n" },
    { "user", 64, "submitctl: a command is missing; see submitctl --help\n" },
    { "status --foo", 64, "submitctl: unknown option --foo; see submitctl --help\n" },
    { "status -x", 64, "submitctl: unknown option -x; see submitctl --help\n" },
    { "status -json", 64, "submitctl: unknown option -json; see submitctl --help\n" },
    { "status --c x", 64, "submitctl: unknown option --c; see submitctl --help\n" },
    { "status --json=1", 64, "submitctl: --json takes no value\n" },
    { "status -c", 64, "submitctl: -c needs a value: FILE\n" },
    { "status --config", 64, "submitctl: --config needs a value: FILE\n" },
    { "status x", 64, "submitctl: status takes no argument\n" },
    { "trace", 64, "submitctl: trace takes ID\n" },
    { "trace a b", 64, "submitctl: trace takes ID\n" },
    { "a b c d e", 64, "submitctl: too many arguments; see submitctl --help\n" },
    { "status --all", 64, "submitctl: status takes no --all\n" },
    { "queue list --bounce", 64, "submitctl: queue list takes no --bounce\n" },
    { "queue list --user a --user b", 64, "submitctl: --user is given twice\n" },
    { "queue list --user \xff@example.org", 64, "submitctl: argument 4 is not UTF-8\n" },
    { "queue delete --domain=\xc3", 64, "submitctl: argument 3 is not UTF-8\n" },
    { "user add", 64, "submitctl: user add takes ADDRESS [--sender PATTERN]...\n" },
    { "user add -- --sender x", 64, "submitctl: user add takes ADDRESS [--sender PATTERN]...\n" },
    { "-c /nonexistent/conf status", 78,
        "submitctl: /nonexistent/conf: cannot read the file: not found\n" },
    { "--config=/nonexistent/conf user list", 78,
        "submitctl: /nonexistent/conf: cannot read the file: not found\n" },
    { "check -c /nonexistent/conf", 78,
        "submitctl: /nonexistent/conf: cannot read the file: not found\n" },
    { "reload -c /nonexistent/conf", 78,
        "submitctl: /nonexistent/conf: cannot read the file: not found\n" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct capture capture = capture_run(cases[i].line);

        if (capture.status != cases[i].status || strcmp(capture.err, cases[i].said) != 0 ||
            capture.out[0] != '\0')
            fail_msg("%s: %d %s%s", cases[i].line, capture.status, capture.err, capture.out);
        capture_clear(&capture);
    }
}

/* An error in JSON is one on standard output too. */
static void test_json_error(void **state)
{
    struct capture capture = capture_run("--json -c /nonexistent/conf status");
    json_t *document = json_loads(capture.out, 0, NULL);

    (void)state;
    assert_int_equal(capture.status, 78);
    assert_true(json_is_false(json_object_get(document, "ok")));
    assert_string_equal(json_string_value(json_object_get(document, "error")),
        "/nonexistent/conf: cannot read the file: not found");
    json_decref(document);
    capture_clear(&capture);
}

/* A message that is cut within a character is still JSON. */
static void test_long_error(void **state)
{
    struct buffer line;

    (void)state;
    for (size_t pad = 0; pad < 4; pad++) {
        struct capture capture;
        json_t *document;

        buffer_init(&line, 65536);
        buffer_put_text(&line, "--json queue x");
        buffer_put(&line, "abcd", pad);
        for (size_t i = 0; i < 600; i++)
            buffer_put_text(&line, "\xc3\xa4");
        buffer_put_char(&line, '\0');
        capture = capture_run(line.data);
        document = json_loads(capture.out, 0, NULL);
        assert_int_equal(capture.status, 64);
        assert_non_null(document);
        json_decref(document);
        capture_clear(&capture);
        buffer_clear(&line);
    }
}

static void test_help(void **state)
{
    struct capture all = capture_run("--help");
    char line[64];

    (void)state;
    assert_int_equal(all.status, 0);
    for (size_t i = 0; i < command_count; i++) {
        struct capture one;

        assert_non_null(strstr(all.out, commands[i].words));
        snprintf(line, sizeof line, "%s -h", commands[i].words);
        one = capture_run(line);
        assert_int_equal(one.status, 0);
        assert_non_null(strstr(one.out, commands[i].words));
        assert_non_null(strstr(one.out, commands[i].help));
        capture_clear(&one);
    }
    capture_clear(&all);
    all = capture_run("queue --help");
    assert_int_equal(all.status, 0);
    assert_non_null(strstr(all.out, "user add"));
    capture_clear(&all);
    all = capture_run("status --version");
    assert_string_equal(all.out, "submitctl " SUBMITD_VERSION "\n");
    capture_clear(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_json_error),
        cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests_name("ctl/arguments", tests, NULL, NULL);
}
