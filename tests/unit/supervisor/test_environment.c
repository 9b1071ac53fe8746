/* supervisor/environment: what a room gets of the operator's environment, and what not. */
#include "../check.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "supervisor/environment.h"

static const char *const shell[] = {
    "PATH=/usr/bin",
    "TZ=Europe/Vienna",
    "HOME=/root",
    "SSH_AUTH_SOCK=/run/agent",
    "AWS_SECRET_ACCESS_KEY=x",
    "NOTIFY_SOCKET=/run/notify",
    "LISTEN_FDS=2",
    "LD_PRELOAD=a.so b.so",
    "LD_AUDIT=spy.so",
    "LD_PRELOADED=x",
    "SUBMITD_TEST_FAULTS=/x",
    "SUBMITD_=",
    "SUBMITD=x",
    "ASAN_OPTIONS=",
    "EVENT_NOEPOLL=1",
    "GLIBC_TUNABLES=glibc.malloc.check=3",
    "JOURNAL_STREAM=8:1",
    "TZ",
    "=TZ",
    "",
    NULL,
};

static const char *const wanted[] = {
    "TZ=Europe/Vienna",
    "LD_PRELOAD=a.so b.so",
    "SUBMITD_TEST_FAULTS=/x",
    "SUBMITD_=",
    "ASAN_OPTIONS=",
    "JOURNAL_STREAM=8:1",
    "TZ",
};

static void a_room_gets_what_is_listed(void **state)
{
    char **room = environment_of_room((char *const *)(uintptr_t)shell);

    (void)state;
    assert_non_null(room);
    for (size_t i = 0; i < LENGTH_OF(wanted); i++) {
        assert_non_null(room[i]);
        assert_string_equal(room[i], wanted[i]);
    }
    assert_null(room[LENGTH_OF(wanted)]);
    free(room);
}

static void nothing_stays_nothing(void **state)
{
    char *const none[] = { NULL };
    char **room = environment_of_room(none);

    (void)state;
    assert_non_null(room);
    assert_null(room[0]);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_gets_what_is_listed),
        cmocka_unit_test(nothing_stays_nothing),
    };

    return cmocka_run_group_tests_name("supervisor/environment", tests, NULL, NULL);
}
