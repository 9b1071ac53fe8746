/* LOG-3: what an outsider sent cannot start a line, end a value or colour a terminal; LOG lines are
 * bounded. */
#include "../check.h"

#include <unistd.h>

#include "base/log.h"

static char output[262144];

/* Runs one log call with standard error going into a file, and gives what was written. */
static const char *logged(const struct log_context *context, const struct log_field *fields)
{
    char name[] = "/tmp/submitd-log-XXXXXX";
    int file = mkstemp(name);
    int saved = dup(STDERR_FILENO);
    ssize_t got;

    assert_true(file >= 0 && saved >= 0);
    unlink(name);
    dup2(file, STDERR_FILENO);
    log_write(LOG_INFO, context, "event", fields);
    dup2(saved, STDERR_FILENO);
    got = pread(file, output, sizeof output - 1, 0);
    assert_true(got >= 0);
    output[got] = '\0';
    close(file);
    close(saved);
    return output;
}

static void test_escapes(void **state)
{
    const struct log_field fields[] = {
        log_slice("name", slice_of("a\r\nb\"c\\\x1b[31m\0\xe9", 14)),
        log_text("plain", "x@example.org"),
        log_number("n", -5),
        { 0 },
    };
    const char *line = logged(NULL, fields);

    (void)state;
    assert_non_null(strstr(line, "name=\"a\\r\\nb\\\"c\\\\\\x1b[31m\\x00\\xe9\""));
    assert_non_null(strstr(line, " plain=x@example.org n=-5\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_context_and_bounds(void **state)
{
    static char huge[100000];
    struct log_context session = { NULL, "session", slice_text("s1") };
    struct log_context message = { &session, "id", slice_text("q1") };
    struct log_field fields[40] = { 0 };
    const char *line;

    (void)state;
    memset(huge, '\x01', sizeof huge);
    for (size_t i = 0; i < 39; i++)
        fields[i] = log_slice("huge", slice_of(huge, sizeof huge));
    line = logged(&message, fields);
    assert_non_null(strstr(line, " session=s1 id=q1 "));
    assert_true(strlen(line) <= 4096);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

/* LOG-1: standard error is no terminal here, so lines are objects where nothing else is said. */
static void test_json(void **state)
{
    struct log_context session = { NULL, "session", slice_text("s\"1") };
    const struct log_field fields[] = {
        log_slice(
            "name", slice_of("a\r\n\"\\\x1b\0\xe9 \xc3\xa9\xf0\x9f\x98\x80\xed\xa0\x80\x7f", 19)),
        log_number("n", -5),
        log_text("empty", ""),
        { 0 },
    };
    const char *line;

    (void)state;
    unsetenv(LOG_FORM);
    log_open("gate.0", LOG_INFO);
    line = logged(&session, fields);
    assert_memory_equal(line, "{\"time\":\"2", 10);
    assert_non_null(strstr(line,
        "Z\",\"level\":\"info\",\"process\":\"gate.0\",\"event\":\"event\",\"session\":\"s\\\"1\","
        "\"name\":\"a\\r\\n\\\"\\\\\\u001b\\u0000\\\\xe9 "
        "\\u00e9\\ud83d\\ude00\\\\xed\\\\xa0\\\\x80\\u007f\","
        "\"n\":-5,\"empty\":\"\"}\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* Whatever comes, a line is one object that ends, and says so when something is missing. */
static void test_json_bounds(void **state)
{
    static char huge[100000];
    struct log_field fields[40] = { 0 };
    const char *line;

    (void)state;
    log_open("gate.0", LOG_INFO);
    memset(huge, '\x01', sizeof huge);
    for (size_t i = 0; i < 39; i++)
        fields[i] = log_slice("huge", slice_of(huge, i == 0 ? 600 : i));
    line = logged(NULL, fields);
    assert_true(strlen(line) <= 4096 && strlen(line) > 4000);
    assert_non_null(strstr(line, "\\u0001...\",\"huge\":\"\\u0001\",\"huge\":\"\\u0001\\u0001\","));
    assert_string_equal(line + strlen(line) - 13, ",\"cut\":true}\n");
    setenv(LOG_FORM, "text", true);
    log_open("submitd", LOG_INFO);
}

static size_t lines_in(int file)
{
    ssize_t got = pread(file, output, sizeof output, 0);
    size_t lines = 0;

    assert_true(got >= 0);
    for (ssize_t i = 0; i < got; i++)
        lines += output[i] == '\n';
    return lines;
}

static void say(enum log_level level)
{
    log_write(level, NULL, "event", (const struct log_field[]){ { 0 } });
}

/* Lines of a turn are written together; what is serious takes them along. */
static void test_held_lines(void **state)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t held, flushed, serious, many, all;

    (void)state;
    assert_non_null(file);
    assert_true(saved >= 0);
    dup2(fileno(file), STDERR_FILENO);
    log_hold(true);
    say(LOG_NOTICE);
    say(LOG_INFO);
    held = lines_in(fileno(file));
    log_flush();
    flushed = lines_in(fileno(file));
    say(LOG_NOTICE);
    say(LOG_WARNING);
    serious = lines_in(fileno(file));
    for (int i = 0; i < 2000; i++)
        say(LOG_NOTICE);
    many = lines_in(fileno(file));
    log_hold(false);
    say(LOG_NOTICE);
    dup2(saved, STDERR_FILENO);
    all = lines_in(fileno(file));
    close(saved);
    fclose(file);
    assert_int_equal(held, 0);
    assert_int_equal(flushed, 2);
    assert_int_equal(serious, 4);
    assert_in_range(many, 5, 2003);
    assert_int_equal(all, 2005);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_context_and_bounds), cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_bounds), cmocka_unit_test(test_held_lines) };

    setenv(LOG_FORM, "text", true);
    log_open("test", LOG_INFO);
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
