/* One transaction in all its shapes: with and without pipelining, by DATA and by BDAT, and whatever
 * the next hop answers. */
#include "../check.h"

#include "rows.h"

static const struct row rows[] = {
    { .name = "OUT-15, OUT-14, EXT-PIPELINING-5: one command at a time, DATA, QUIT",
        .script = BARE MAIL OK RCPT("bob") OK "< DATA\n> 354 go\n.\n> 250 2.0.0 queued\n< "
                                              "QUIT\n> 221 2.0.0 bye\n",
        .outcome = "done 250 2.0.0" },
};

static void test_rows(void **state)
{
    rows_play(*state, rows, LENGTH_OF(rows));
}

static struct scene scene;

static int open_scene(void **state)
{
    scene_open(&scene, "", NULL, NULL);
    *state = &scene;
    return 0;
}

static int close_scene(void **state)
{
    scene_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, open_scene, close_scene),
    };

    return cmocka_run_group_tests_name("relay/transaction", tests, NULL, NULL);
}
