/* LOG-3: what an outsider sent cannot start a line, end a value or colour a terminal; LOG lines are
 * bounded. */
#include "../check.h"

#include <unistd.h>

#include "base/log.h"

static char output[65536];

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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_context_and_bounds) };

    log_open("test", LOG_INFO);
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
