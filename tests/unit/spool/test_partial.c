/* tests/unit/spool/test_partial.c: what is kept of a message that was cut off (EXT-CKPT-2): written
 * and read back, damaged at every octet, out of bounds, and with a disk that fails at each act. */
#include <unistd.h>

#include "spool/body.h"
#include "spool/partial.h"
#include "support.h"

static struct temp temp;
static struct faulty_disk faulty;
static struct store store;

static int setup(void **state)
{
    (void)state;
    temp_make(&temp);
    faulty_init(&faulty);
    open_store(&store, &faulty.disk, &temp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(&store);
    temp_remove(&temp);
    assert_int_equal(faulty.synced_again, 0);
    return 0;
}

static struct envelope_recipient recipients[2];

static struct partial_state sample(void)
{
    recipients[0] = (struct envelope_recipient){ .address = SLICE_LITERAL("bob@example.org"),
        .notify = ENVELOPE_NOTIFY_DELAY,
        .orcpt = SLICE_LITERAL("rfc822;b@c"),
        .rrvs = ENVELOPE_RRVS_REJECT,
        .rrvs_since = 5 };
    recipients[1] = (struct envelope_recipient){ .address = SLICE_LITERAL("x") };
    return (struct partial_state){ .user = SLICE_LITERAL("alice"),
        .ehlo = SLICE_LITERAL("client.example"),
        .transid = SLICE_LITERAL("<1@c.example>"),
        .proof = SLICE_LITERAL("0123456789abcdef0123456789abcdef"),
        .mail = SLICE_LITERAL("FROM:<a@b.example> TRANSID=<1@c.example>"),
        .kept_us = 123456789,
        .octets = 23,
        .recipients = recipients,
        .recipient_count = 2,
        .front = SLICE_LITERAL("From: <a@b.example>\r\n\r\n") };
}

#define assert_text(got, wanted) assert_true(slice_equals((got), (wanted)))

static void assert_same(const struct partial_state *got, const struct partial_state *wanted)
{
    assert_text(got->user, wanted->user);
    assert_text(got->ehlo, wanted->ehlo);
    assert_text(got->transid, wanted->transid);
    assert_text(got->proof, wanted->proof);
    assert_text(got->mail, wanted->mail);
    assert_text(got->front, wanted->front);
    assert_true(got->kept_us == wanted->kept_us && got->octets == wanted->octets);
    assert_true(got->is_complete == wanted->is_complete);
    assert_true(queue_id_equals(got->id, wanted->id));
    assert_true(got->body_file == wanted->body_file && got->body_size == wanted->body_size);
    assert_true(got->body_octets == wanted->body_octets);
    assert_int_equal(got->recipient_count, wanted->recipient_count);
    for (size_t i = 0; i < got->recipient_count; i++) {
        assert_text(got->recipients[i].address, wanted->recipients[i].address);
        assert_text(got->recipients[i].orcpt, wanted->recipients[i].orcpt);
        assert_int_equal(got->recipients[i].notify, wanted->recipients[i].notify);
    }
}

static enum err read_back(uint64_t number, const struct partial_state *wanted)
{
    struct partial_state got;
    struct buffer bytes;
    struct arena arena;
    enum err rc;

    buffer_init(&bytes, 8 << 20);
    arena_init(&arena, 1 << 20);
    rc = partial_read(&store, number, &bytes, &arena, &got);
    if (rc == ERR_OK && wanted)
        assert_same(&got, wanted);
    buffer_clear(&bytes);
    arena_clear(&arena);
    return rc;
}

static const char *path_of(uint64_t number)
{
    static char path[STORE_NAME + 16];
    char name[STORE_NAME];

    store_name(STORE_PARTIAL, number, name);
    snprintf(path, sizeof path, "partials/%s", name);
    return path;
}

/* All that is said comes back, and whatever octet is not as it was is noticed. */
static void test_round(void **unused UNUSED)
{
    struct partial_state state = sample();
    uint64_t number, other;

    assert_int_equal(store_partial(&store, &state, &number), ERR_OK);
    assert_int_equal(read_back(number, &state), ERR_OK);
    state.is_complete = true;
    state.id = (struct queue_id){ 7, 8 };
    state.front = (struct slice){ 0 };
    assert_int_equal(store_partial(&store, &state, &other), ERR_OK);
    assert_true(other > number);
    assert_int_equal(read_back(other, &state), ERR_OK);
    assert_int_equal(read_back(other + 1, NULL), ERR_NOTFOUND);
    for (long at = 0; at < temp_size(&temp, path_of(number)); at++) {
        temp_spoil(&temp, path_of(number), at);
        assert_int_equal(read_back(number, NULL), ERR_CORRUPT);
        temp_spoil(&temp, path_of(number), at);
        if (read_back(number, NULL) != ERR_OK) { /* spoiling is not its own reverse */
            assert_int_equal(partial_remove(&store, number, 0), ERR_OK);
            state = sample();
            assert_int_equal(store_partial(&store, &state, &number), ERR_OK);
        }
    }
}

/* A file that a crash has left short. */
static void test_short(void **unused UNUSED)
{
    struct partial_state state = sample();
    uint64_t number;

    assert_int_equal(store_partial(&store, &state, &number), ERR_OK);
    for (long size = temp_size(&temp, path_of(number)) - 1; size >= 0; size -= 7) {
        assert_int_equal(store_truncate(&store, STORE_PARTIAL, number, (uint64_t)size), ERR_OK);
        assert_int_equal(read_back(number, NULL), ERR_CORRUPT);
    }
}

/* What does not fit together is neither written nor believed. */
static void test_unsound(void **unused UNUSED)
{
    struct partial_state state = sample();
    uint64_t number = 42;

    assert_true(partial_is_sound(&state));
#define REFUSES(change)                                                                            \
    do {                                                                                           \
        state = sample();                                                                          \
        change;                                                                                    \
        assert_false(partial_is_sound(&state));                                                    \
        assert_int_equal(store_partial(&store, &state, &number), ERR_LIMIT);                       \
    } while (0)
    REFUSES(state.octets = 22);
    REFUSES(state.octets = 24);
    REFUSES(state.octets = 0; state.front.len = 0);
    REFUSES(state.recipient_count = 0);
    REFUSES(recipients[1].address.len = 0);
    REFUSES(recipients[0].notify = 16);
    REFUSES(state.transid.len = 0);
    REFUSES(state.body_file = 1);
    REFUSES(state.body_octets = 1; state.octets = 24);
    REFUSES(state.body_file = 1; state.body_octets = 2; state.octets = 25; state.body_size = 1);
    REFUSES(state.body_file = 1; state.body_octets = state.body_size = UINT64_MAX - 10;
            state.octets = 12);
    REFUSES(state.is_complete = true);
    state = sample();
    state.user.len = ENVELOPE_USER_MAX + 1;
    assert_int_equal(store_partial(&store, &state, &number), ERR_LIMIT);
    assert_int_equal(number, 42);
    assert_int_equal(temp_count(&temp, "partials"), 0);
}

/* Whatever fails, no file stays that says something else than it should, and nothing is promised.
 */
static void test_failing_disk(void **unused UNUSED)
{
    struct partial_state state = sample();

    for (int in = 1; in < 20; in++) {
        uint64_t number = 0;
        enum err rc;

        faulty_plan(&faulty, ACTS, in, ERR_IO);
        rc = store_partial(&store, &state, &number);
        faulty_plan(&faulty, -1, 0, ERR_OK);
        assert_true((rc == ERR_OK) == (number != 0));
        if (rc == ERR_OK) {
            assert_true(in > 4);
            assert_int_equal(read_back(number, &state), ERR_OK);
            assert_int_equal(partial_remove(&store, number, 0), ERR_OK);
        }
        assert_int_equal(temp_count(&temp, "partials"), 0);
    }
}

/* The body: not while somebody writes it, cut to its size, and read back whole before it is
 * promised. */
static void test_body(void **unused UNUSED)
{
    struct slice text = SLICE_LITERAL("one\r\ntwo\r\nthr");
    struct partial_state state = sample();
    struct body_writer writer;
    struct store_spare spare;
    char name[STORE_NAME], path[STORE_NAME + 16];
    int file = -1;

    assert_int_equal(store_spare(&store, &spare), ERR_OK);
    body_writer_init(&writer, &faulty.disk, spare.write, spare.number);
    assert_int_equal(body_writer_append(&writer, &text, 1), ERR_OK);
    assert_int_equal(body_writer_commit(&writer, &state.body_checksum), ERR_OK);
    state.body_file = spare.number;
    state.body_octets = 10;
    state.body_size = text.len;
    state.octets += 10;
    assert_int_equal(partial_settle_body(&store, &state), ERR_BUSY);
    assert_int_equal(body_writer_append(&writer, &text, 1), ERR_OK);
    body_writer_clear(&writer);
    assert_int_equal(partial_check_body(&store, &state, &file), ERR_CORRUPT);
    assert_int_equal(partial_settle_body(&store, &state), ERR_OK);
    assert_int_equal(partial_check_body(&store, &state, &file), ERR_OK);
    assert_true(file >= 0);
    disk_close(&faulty.disk, &file);
    store_name(STORE_BODY, spare.number, name);
    snprintf(path, sizeof path, "bodies/%s", name);
    temp_spoil(&temp, path, 12);
    assert_int_equal(partial_check_body(&store, &state, &file), ERR_CORRUPT);
    assert_int_equal(file, -1);
    state.body_size++;
    assert_int_equal(partial_settle_body(&store, &state), ERR_CORRUPT);
    assert_int_equal(partial_remove(&store, 0, spare.number), ERR_OK);
    assert_int_equal(partial_remove(&store, 0, spare.number), ERR_OK);
    assert_int_equal(partial_check_body(&store, &state, &file), ERR_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_body, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
