/* tests/unit/vault/test_store.c: the user file under a running vault: read again when it changed,
 * complained of when it cannot be read, imitated for users who are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "vault/store.h"

#define FIRST "submitd-users 1 key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define KEY44 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ALICE                                                                                      \
    "alice@example.org state=active scram=5000:AAAAAAAAAAAAAAAAAAAAAA==:" KEY44 ":" KEY44 "\n"

static struct loop *loop;
static struct store *store;
static char folder[64];
static char path[128];

struct asking {
    struct store_wait wait;
    bool is_ready;
    enum err rc;
};

static void on_ready(struct store_wait *wait, enum err rc)
{
    struct asking *asking = CONTAINER_OF(wait, struct asking, wait);

    asking->is_ready = true;
    asking->rc = rc;
}

static void begin(struct asking *asking)
{
    *asking = (struct asking){ .wait.ready = on_ready };
    store_ask(store, &asking->wait);
}

static enum err finish(struct asking *asking)
{
    int64_t end = clock_mono_ms() + 60000;

    while (!asking->is_ready && clock_mono_ms() < end)
        loop_turn(loop, 100);
    assert_true(asking->is_ready);
    return asking->rc;
}

static enum err ask(void)
{
    struct asking asking;

    begin(&asking);
    return finish(&asking);
}

/* As submitctl does: a new file takes the old one's place. */
static void put_file(const char *text)
{
    char fresh[160];
    int fd;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(rename(fresh, path), 0);
}

static int set_up(void **state)
{
    int dir;

    (void)state;
    strcpy(folder, "/tmp/submitd-store-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/users", folder);
    loop = loop_new();
    store = store_new(loop);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    return loop && store && store_set_place(store, dir, slice_text("users")) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    store_free(&store);
    loop_free(&loop);
    unlink(path);
    return rmdir(folder);
}

static bool has(const char *login)
{
    return store_find(store, slice_text(login)) != NULL;
}

static void test_changes_are_seen(void **state)
{
    const struct users *users;

    (void)state;
    put_file(FIRST ALICE);
    assert_int_equal(ask(), ERR_OK);
    assert_true(has("alice@example.org"));
    users = store_users(store);
    assert_int_equal(ask(), ERR_OK);
    assert_ptr_equal(store_users(store), users); /* not read again */
    put_file(FIRST);
    assert_int_equal(ask(), ERR_OK);
    assert_false(has("alice@example.org"));
}

/* AUTH-15: what cannot be read is nobody's wrong password. */
static void test_unreadable(void **state)
{
    (void)state;
    assert_int_equal(ask(), ERR_NOTFOUND);
    put_file("nonsense\n");
    assert_int_equal(ask(), ERR_INVALID);
    assert_int_equal(ask(), ERR_INVALID);
    put_file(FIRST ALICE);
    assert_int_equal(ask(), ERR_OK);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(ask(), ERR_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(ask(), ERR_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ask(), ERR_NOTFOUND);
    put_file(FIRST ALICE);
    assert_int_equal(ask(), ERR_OK);
    assert_true(has("alice@example.org"));
}

/* Who asks while a look is under way waits for the next one. */
static void test_no_stale_answer(void **state)
{
    struct asking before, after;

    (void)state;
    put_file(FIRST ALICE);
    begin(&before);
    put_file(FIRST);
    begin(&after);
    assert_int_equal(finish(&after), ERR_OK);
    assert_true(before.is_ready);
    assert_false(has("alice@example.org"));
}

static void test_forgetting(void **state)
{
    struct asking one, other;

    (void)state;
    put_file(FIRST ALICE);
    begin(&one);
    begin(&other);
    store_forget(&one.wait);
    store_forget(&one.wait);
    assert_int_equal(finish(&other), ERR_OK);
    assert_false(one.is_ready);
}

static void test_new_place(void **state)
{
    struct asking during;

    (void)state;
    put_file(FIRST ALICE);
    begin(&during);
    assert_true(store_set_place(store, -1, slice_text("")));
    finish(&during);
    assert_int_equal(ask(), ERR_NOTFOUND);
    assert_true(store_set_place(store, open(folder, O_RDONLY | O_DIRECTORY), slice_text("users")));
    assert_int_equal(ask(), ERR_OK);
    assert_false(store_set_place(store, open(folder, O_RDONLY | O_DIRECTORY), slice_text("")));
}

/* SASL-8: the same for the same name, another for another, and like the salts of those who exist.
 */
static void test_inventions(void **state)
{
    struct scram_verifier one, again, other;
    struct store *second;

    (void)state;
    put_file(FIRST ALICE);
    assert_int_equal(ask(), ERR_OK);
    store_invent(store, SCRAM_SHA_256, slice_text("nouser"), &one);
    store_invent(store, SCRAM_SHA_256, slice_text("nouser"), &again);
    store_invent(store, SCRAM_SHA_256, slice_text("nobody"), &other);
    assert_int_equal(one.iterations, 5000);
    assert_int_equal(one.salt_len, 16);
    assert_memory_equal(&one, &again, sizeof one);
    assert_memory_not_equal(one.salt, other.salt, 16);
    assert_memory_not_equal(one.stored_key, other.stored_key, SCRAM_KEY);
    assert_ptr_equal(store_model(store, slice_text("nouser")),
        store_find(store, slice_text("alice@example.org")));
    /* A restart changes nothing: the key is the file's. */
    second = store;
    store = store_new(loop);
    assert_true(store_set_place(store, open(folder, O_RDONLY | O_DIRECTORY), slice_text("users")));
    assert_int_equal(ask(), ERR_OK);
    store_invent(store, SCRAM_SHA_256, slice_text("nouser"), &again);
    assert_memory_equal(one.salt, again.salt, 16);
    store_free(&second);
}

/* EXT-CKPT-2: who has seen a user log in has the same proof after a restart, and none of another's. */
static void test_proof(void **state)
{
    struct digest one, other, again;
    struct store *second;

    (void)state;
    put_file(FIRST ALICE);
    assert_int_equal(ask(), ERR_OK);
    one = store_proof(store, slice_text("alice@example.org"));
    other = store_proof(store, slice_text("alice@example.net"));
    assert_memory_not_equal(one.octets, other.octets, DIGEST);
    second = store;
    store = store_new(loop);
    assert_true(store_set_place(store, open(folder, O_RDONLY | O_DIRECTORY), slice_text("users")));
    assert_int_equal(ask(), ERR_OK);
    again = store_proof(store, slice_text("alice@example.org"));
    assert_memory_equal(one.octets, again.octets, DIGEST);
    store_free(&second);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_changes_are_seen),
        WITH_STORE(test_unreadable),
        WITH_STORE(test_no_stale_answer),
        WITH_STORE(test_forgetting),
        WITH_STORE(test_new_place),
        WITH_STORE(test_inventions),
        WITH_STORE(test_proof),
    };

    return cmocka_run_group_tests_name("vault/store", tests, NULL, NULL);
}
