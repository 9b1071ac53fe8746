/* The table itself: sorted, documented, each default within its own limits, names found and
 * misspelt ones guessed. */
#include "full.h"

#include "conf/options.h"

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];

        assert_true(i == 0 || option->section >= options[i - 1].section);
        assert_ptr_equal(option_find(option->section, slice_text(option->name)), option);
        assert_true(option->doc && option->doc[strlen(option->doc) - 1] == '.');
        assert_false(option->required && (option->preset || option->preset_doc));
        assert_true(option->kind != OPTION_CHOICE || option->choices);
        assert_true(option->least <= option->most);
    }
    for (size_t i = 1; i < SECTION_COUNT; i++) {
        assert_int_equal(section_find(sections[i].parent, slice_text(sections[i].name)), i);
        assert_true(sections[i].doc && sections[i].most > 0);
        assert_true(option_range((enum section_id)i).count > 0);
    }
}

/* Writing each default out changes nothing, so each lies within its limits and means what it says.
 */
static void test_presets(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        bool is_text = option->kind == OPTION_TEXT || option->kind == OPTION_CHOICE;
        struct arena arena;
        struct buffer text;

        if (!option->preset || option->section == SECTION_ROUTE ||
            option->section == SECTION_IMAP_SERVER || option->section == SECTION_LISTENER ||
            option->section == SECTION_DOMAIN || strcmp(option->name, "trusted_senders") == 0)
            continue;
        arena_init(&arena, 1 << 20);
        buffer_init(&text, 65536);
        buffer_put_text(&text, SAMPLE);
        if (option->section != SECTION_TOP)
            buffer_printf(&text, "%s { ", sections[option->section].name);
        buffer_printf(&text,
            option_is_list(option) ? "%s = { %s }"
            : is_text              ? "%s = \"%s\""
                                   : "%s = %s",
            option->name, option->preset);
        buffer_put_text(&text, option->section != SECTION_TOP ? " }" : "");
        buffer_put_char(&text, '\0');
        {
            struct conf *conf = sample_load(&arena, buffer_slice(&text).data);
            struct buffer lines;
            buffer_init(&lines, 65536);
            assert_int_equal(conf_diff(sample_load(&arena, SAMPLE), conf, &lines), 0);
            buffer_clear(&lines);
        }
        buffer_clear(&text);
        arena_clear(&arena);
    }
}

/* FULL, with FULL_FILE and FULL_ADDRESS, sets every setting to something else than its default, so
 * the tests that use them miss none. */
static void test_full(void **state)
{
    static const char all[] = FULL FULL_FILE FULL_ADDRESS;

    (void)state;
    for (size_t i = 0; i < option_count; i++)
        if (options[i].kind != OPTION_LATER && options[i].kind != OPTION_LATERS &&
            !memmem(all, strlen(all), options[i].name, strlen(options[i].name)))
            fail_msg("%s is not in FULL", options[i].name);
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(option_nearest(SECTION_TOP, slice_text("hostnam")), "hostname");
    assert_string_equal(option_nearest(SECTION_TOP, slice_text("HOSTNAME")), "hostname");
    assert_string_equal(
        option_nearest(SECTION_TOP, slice_text("trustednetworks")), "trusted_networks");
    assert_string_equal(option_nearest(SECTION_TOP, slice_text("rout")), "route");
    assert_string_equal(option_nearest(SECTION_TLS, slice_text("snl")), "sni");
    assert_string_equal(option_nearest(SECTION_QUEUE, slice_text("retry_conect")), "retry_connect");
    assert_null(option_nearest(SECTION_TOP, slice_text("")));
    assert_null(option_nearest(SECTION_TOP, slice_text("xyzzy")));
    assert_null(option_nearest(
        SECTION_TOP, slice_text("a_name_that_is_longer_than_any_name_in_the_table")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_nearest),
    };

    return cmocka_run_group_tests_name("conf/options", tests, NULL, NULL);
}
