/* The pages against the program: every command, option and setting stands in its page, and no
 * other. */
#include "capture.h"

#include "conf/options.h"

static char *read_all(FILE *from)
{
    char *text = calloc(1, 1 << 20);

    assert_true(from && text);
    text[fread(text, 1, (1 << 20) - 1, from)] = '\0';
    return text;
}

static char *read_page(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = read_all(file);

    fclose(file);
    return text;
}

/* Does a line begin with these words, followed by a blank or its end? */
static bool has_line(const char *page, const char *words)
{
    size_t len = strlen(words);

    for (const char *line = page; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, words, len) == 0 && (line[len] == ' ' || line[len] == '\n'))
            return true;
    }
    return false;
}

static void test_commands(void **state)
{
    char *page = read_page(CTL_PAGE);
    char words[64];
    size_t items = 0;

    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        snprintf(words, sizeof words, ".It Ic %s", commands[i].words);
        if (!has_line(page, words))
            fail_msg("submitctl(1) lacks \"%s\"", commands[i].words);
    }
    for (const char *at = page; (at = strstr(at, "\n.It Ic ")); at++)
        items++;
    assert_int_equal(items, command_count);
    free(page);
}

/* Calls check for each word of the text that is a long option. */
static void each_option(const char *text, const char *prefix,
    void (*check)(const char *name, const char *other), const char *other)
{
    char name[32];

    for (const char *at = text; (at = strstr(at, prefix)); at++) {
        size_t len = strspn(at + strlen(prefix), "abcdefghijklmnopqrstuvwxyz");

        if (len == 0 || len >= sizeof name || (at > text && at[-1] == '-'))
            continue;
        memcpy(name, at + strlen(prefix), len);
        name[len] = '\0';
        check(name, other);
    }
}

static void is_in_page(const char *name, const char *page)
{
    char words[64];
    const char *at;

    snprintf(words, sizeof words, "Fl -%s", name);
    at = strstr(page, words);
    if (!at)
        fail_msg("submitctl(1) lacks --%s", name);
}

static void is_in_help(const char *name, const char *help)
{
    char words[64];

    snprintf(words, sizeof words, "--%s", name);
    if (!strstr(help, words))
        fail_msg("submitctl(1) tells of --%s, which no command takes", name);
}

static void test_options(void **state)
{
    char *page = read_page(CTL_PAGE);
    char *help = calloc(1, 1 << 20);

    (void)state;
    assert_non_null(help);
    for (size_t i = 0; i < command_count; i++) {
        char line[64];
        struct capture capture;

        snprintf(line, sizeof line, "%s --help", commands[i].words);
        capture = capture_run(line);
        strcat(help, capture.out);
        capture_clear(&capture);
    }
    each_option(help, "--", is_in_page, page);
    each_option(page, "Fl -", is_in_help, help);
    free(help);
    free(page);
}

/* submitd.conf(5) as the build makes it. */
static void test_settings(void **state)
{
    FILE *made = popen(CONF_MANUAL " " CONF_PAGE, "r");
    char *page = read_all(made);
    char words[64];
    size_t items = 0;

    (void)state;
    assert_int_equal(pclose(made), 0);
    for (size_t i = 0; i < option_count; i++) {
        snprintf(words, sizeof words, ".It Ic %s", options[i].name);
        if (!has_line(page, words))
            fail_msg("submitd.conf(5) lacks %s", options[i].name);
    }
    for (size_t i = 1; i < SECTION_COUNT; i++) {
        snprintf(words, sizeof words, ".Ss %s", sections[i].name);
        if (!has_line(page, words))
            fail_msg("submitd.conf(5) lacks the section %s", sections[i].name);
    }
    for (const char *at = page; (at = strstr(at, "\n.It Ic ")); at++)
        items++;
    assert_int_equal(items, option_count);
    assert_null(strstr(page, "@SETTINGS@"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests_name("ctl/manual", tests, NULL, NULL);
}
