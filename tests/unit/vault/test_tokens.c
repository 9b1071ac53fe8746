/* tests/unit/vault/test_tokens.c: keys from an address and tokens that are asked about, with a
 * fetch room that does as the test says. */
#include "../check.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "net/loop.h"
#include "vault/jwt.h"
#include "vault/keyset.h"
#include "vault/tokens.h"

enum { ASKED_MAX = 64, WAIT_MS = 20000 };

/* {"alg":"RS256","kid":"x"} {} and a signature */
#define UNKNOWN_KEY "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30.AAAA"
#define NO_KEYS     "{\"keys\":[]}"
#define SOME_KEYS                                                                                  \
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"1\",\"x\":"                         \
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
#define ADDRESS "https://id.example/keys"

static struct loop *loop;
static struct fetcher *fetcher;
static struct tokens *tokens;

/* The fetch room's end. */
static struct channel *far;
static struct channel *near; /* the vault's end */
static struct asked {
    struct msg_fetch message;
    char token[256];
    bool is_cancelled;
} asked[ASKED_MAX];
static size_t asked_count;

static void on_fetch(void *owner, struct channel *channel, const void *message, int fd)
{
    struct asked *a = &asked[asked_count++];

    (void)owner, (void)channel, (void)fd;
    assert_true(asked_count <= ASKED_MAX);
    *a = (struct asked){ .message = *(const struct msg_fetch *)message };
    assert_true(a->message.token.len < sizeof a->token);
    if (a->message.token.len > 0)
        memcpy(a->token, a->message.token.data, a->message.token.len);
}

static void on_cancel(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_request *m = message;

    (void)owner, (void)channel, (void)fd;
    for (size_t i = 0; i < asked_count; i++)
        asked[i].is_cancelled |= asked[i].message.request == m->request;
}

static void on_closed(void *owner, struct channel *channel)
{
    (void)owner, (void)channel;
    channel_free(&far);
}

/* What vault.c does for it. */

static void on_fetched(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)owner, (void)channel, (void)fd;
    fetcher_take(fetcher, message);
}

static void on_near_closed(void *owner, struct channel *channel)
{
    (void)owner, (void)channel;
    fetcher_connect(fetcher, NULL);
    channel_free(&near);
}

static void connect_near(int fd)
{
    static const struct channel_handler handlers[] = { { MSG_FETCHED, on_fetched } };
    const struct channel_spec spec = { .self = ROLE_VAULT,
        .peer = ROLE_FETCH,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_near_closed };

    fetcher_connect(fetcher, NULL);
    channel_free(&near);
    near = channel_new(loop, fd, &spec);
    assert_non_null(near);
    fetcher_connect(fetcher, near);
}

static void connect_room(void)
{
    static const struct channel_handler handlers[] = { { MSG_FETCH, on_fetch },
        { MSG_FETCH_CANCEL, on_cancel } };
    const struct channel_spec spec = { .self = ROLE_FETCH,
        .peer = ROLE_VAULT,
        .handlers = handlers,
        .handler_count = LENGTH_OF(handlers),
        .closed = on_closed };
    int pair[2];

    channel_free(&far);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    far = channel_new(loop, pair[0], &spec);
    assert_non_null(far);
    connect_near(pair[1]);
}

/* The question of that place (from 0), waiting for it. */
static const struct asked *question(size_t place)
{
    int64_t end = clock_mono_ms() + WAIT_MS;

    while (asked_count <= place && clock_mono_ms() < end)
        loop_turn(loop, 10);
    assert_true(asked_count > place);
    return &asked[place];
}

/* document: NULL: it fails. */
static void answer(size_t place, const char *document)
{
    struct msg_fetched message = { .request = question(place)->message.request,
        .result = document ? FETCH_DONE : FETCH_FAILED,
        .document = slice_text(document) };

    assert_int_equal(channel_send(far, MSG_FETCHED, &message, -1), ERR_OK);
}

static void turn(int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        loop_turn(loop, end - clock_mono_ms());
}

static const struct conf_auth by_address = { .oauth_jwks_uri = SLICE_LITERAL(ADDRESS),
    .oauth_issuer = SLICE_LITERAL("i"),
    .oauth_audience = SLICE_LITERAL("a"),
    .oauth_claim = SLICE_LITERAL("email") };
static const struct conf_auth by_asking = { .oauth_introspection =
                                                SLICE_LITERAL("https://id.example/introspect"),
    .oauth_claim = SLICE_LITERAL("email") };

static void set_rules(const struct conf_auth *auth, uint64_t number)
{
    fetcher_set_snapshot(fetcher, number);
    assert_true(tokens_set_rules(tokens, auth, -1, slice_text("")));
}

struct trial {
    struct token_check check;
    bool is_done;
};

static void on_checked(struct token_check *check)
{
    struct trial *trial = CONTAINER_OF(check, struct trial, check);

    trial->is_done = true;
    secret_clear(&check->token);
}

static void give(struct trial *trial, const char *token)
{
    *trial = (struct trial){ .check = { .done = on_checked } };
    assert_true(secret_set(&trial->check.token, slice_text(token)));
    assert_true(tokens_give(tokens, &trial->check));
    assert_false(trial->is_done);
}

static void await(struct trial *trial)
{
    int64_t end = clock_mono_ms() + WAIT_MS;

    while (!trial->is_done && clock_mono_ms() < end)
        loop_turn(loop, 10);
    assert_true(trial->is_done);
}

static void require_unknown_key(struct trial *trial)
{
    await(trial);
    assert_null(trial->check.trouble);
    assert_ptr_equal(trial->check.why, jwt_unknown_key);
}

static void require_trouble(struct trial *trial, const char *words)
{
    await(trial);
    assert_non_null(trial->check.trouble);
    assert_string_equal(trial->check.trouble, words);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    fetcher = loop ? fetcher_new(loop) : NULL;
    tokens = fetcher ? tokens_new(loop, fetcher) : NULL;
    asked_count = 0;
    return tokens ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(tokens_busy(tokens), 0);
    channel_free(&far);
    tokens_free(&tokens);
    channel_free(&near);
    fetcher_free(&fetcher);
    loop_free(&loop);
    return 0;
}

/* SASL-11: the set is fetched before anybody needs it, and who comes meanwhile waits for it. */
static void test_first_fetch(void **state)
{
    struct trial first, second;

    (void)state;
    set_rules(&by_address, 7);
    give(&first, UNKNOWN_KEY); /* there is no fetch room yet */
    turn(20);
    connect_room();
    assert_int_equal(question(0)->message.target, FETCH_KEYS);
    assert_int_equal(question(0)->message.snapshot, 7);
    give(&second, "x");
    turn(20);
    assert_false(first.is_done || second.is_done);
    answer(0, SOME_KEYS);
    require_unknown_key(&first);
    await(&second);
    assert_string_equal(second.check.why, "malformed");
    assert_int_equal(asked_count, 1);
}

/* SASL-11, AUTH-15: without a set every token is a temporary failure, and asks again, but not with
 * every login. */
static void test_no_set(void **state)
{
    struct trial trial;

    (void)state;
    connect_room();
    set_rules(&by_address, 1);
    give(&trial, UNKNOWN_KEY);
    answer(0, NULL);
    require_trouble(&trial, "there is no key set");
    give(&trial, UNKNOWN_KEY);
    answer(1, "<html>");
    require_trouble(&trial, "there is no key set");
    give(&trial, UNKNOWN_KEY);
    require_trouble(&trial, "there is no key set");
    assert_int_equal(asked_count, 2);
    turn(KEYSET_HASTE_MS + 10);
    give(&trial, UNKNOWN_KEY);
    answer(2, NO_KEYS);
    require_trouble(&trial, "there is no key set");
    turn(KEYSET_HASTE_MS + 10);
    give(&trial, UNKNOWN_KEY);
    answer(3, SOME_KEYS);
    require_unknown_key(&trial);
}

/* SASL-11: a key that is not known is looked for once a minute, and the last good set stays, an
 * empty one in its place included. */
static void test_unknown_key(void **state)
{
    static const char *const bad[] = { "{\"keys\":", NO_KEYS, "{\"keys\":[{\"kty\":\"oct\"}]}" };
    struct trial trial;

    connect_room();
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        set_rules(&by_address, 1);
        answer(0, SOME_KEYS);
        turn(50);
        give(&trial, UNKNOWN_KEY);
        answer(1, bad[i]);
        require_unknown_key(&trial);
        give(&trial, UNKNOWN_KEY);
        require_unknown_key(&trial);
        assert_int_equal(asked_count, 2);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        connect_room();
    }
}

/* Another configuration with the same address: the set stays in force while it is fetched anew. */
static void test_reload(void **state)
{
    struct conf_auth other = by_address;
    struct trial trial;

    (void)state;
    connect_room();
    set_rules(&by_address, 1);
    answer(0, SOME_KEYS);
    turn(50);
    set_rules(&by_address, 2);
    give(&trial, "x");
    await(&trial);
    assert_string_equal(trial.check.why, "malformed");
    assert_int_equal(question(1)->message.snapshot, 2);
    other.oauth_jwks_uri = slice_text(ADDRESS "2");
    set_rules(&other, 3);
    give(&trial, "x");
    assert_int_equal(question(2)->message.snapshot, 3);
    assert_true(asked[1].is_cancelled);
    assert_false(trial.is_done);
    set_rules(&by_asking, 4); /* who waits for keys is asked about instead */
    assert_int_equal(question(3)->message.target, FETCH_TOKEN);
    assert_true(asked[2].is_cancelled);
    answer(3, "{\"active\":true,\"email\":\"u@x.y\"}");
    await(&trial);
    assert_true(!trial.check.why && !trial.check.trouble);
    assert_true(slice_is(login_slice(&trial.check.login), "u@x.y"));
}

/* SASL-11: each token is asked about, and a good one is remembered. */
static void test_asking(void **state)
{
    struct trial trial;

    (void)state;
    connect_room();
    set_rules(&by_asking, 1);
    give(&trial, "good");
    assert_string_equal(question(0)->token, "good");
    assert_int_equal(question(0)->message.target, FETCH_TOKEN);
    answer(0, "{\"active\":true,\"email\":\"u@x.y\"}");
    await(&trial);
    assert_null(trial.check.why);
    give(&trial, "good");
    await(&trial);
    assert_true(!trial.check.why && !trial.check.trouble);
    assert_true(slice_is(login_slice(&trial.check.login), "u@x.y"));
    assert_int_equal(asked_count, 1);
    for (size_t i = 1; i <= 2; i++) { /* a bad one is not */
        give(&trial, "bad");
        answer(i, "{\"active\":false}");
        await(&trial);
        assert_string_equal(trial.check.why, "not active");
    }
    set_rules(&by_asking, 2); /* what may hold for another audience */
    give(&trial, "good");
    answer(3, "{\"active\":false}");
    await(&trial);
    assert_string_equal(trial.check.why, "not active");
}

/* AUTH-15: whatever goes wrong with asking is temporary. */
static void test_asking_fails(void **state)
{
    struct trial trial;

    (void)state;
    connect_room();
    set_rules(&by_asking, 1);
    give(&trial, "x");
    answer(0, NULL);
    require_trouble(&trial, "the identity provider does not answer");
    give(&trial, "x");
    answer(1, "{\"error\":\"invalid_client\"}");
    require_trouble(&trial, "what the identity provider says of it makes no sense");
    give(&trial, "x");
    (void)question(2);
    connect_room(); /* the room was started anew: it is asked again */
    assert_string_equal(question(3)->token, "x");
    answer(3, "{\"active\":true,\"email\":\"u@x.y\"}");
    await(&trial);
    assert_null(trial.check.why);
    give(&trial, "y");
    (void)question(4);
    set_rules(&by_asking, 2); /* the room answers nothing in the name of what is gone */
    answer(4, NULL);
    assert_int_equal(question(5)->message.snapshot, 2);
    answer(5, "{\"active\":false}");
    await(&trial);
    assert_string_equal(trial.check.why, "not active");
}

/* AUTH-15: nobody waits for ever. */
static void test_silence(void **state)
{
    struct trial trial;
    int64_t began = clock_mono_ms();

    (void)state;
    connect_room();
    set_rules(&by_asking, 1);
    give(&trial, "x");
    (void)question(0);
    require_trouble(&trial, "the identity provider does not answer");
    assert_in_range(clock_mono_ms() - began, FETCHER_WAIT_MS, FETCHER_WAIT_MS + 2000);
    turn(20);
    assert_true(asked[0].is_cancelled);
}

static void test_none(void **state)
{
    const struct conf_auth none = { .oauth_claim = SLICE_LITERAL("email") };
    struct trial trial = { .check = { .done = on_checked } };

    (void)state;
    assert_false(tokens_give(tokens, &trial.check));
    set_rules(&none, 1);
    assert_false(tokens_give(tokens, &trial.check));
}

/* When to ask again. */
static void test_pauses(void **state)
{
    (void)state;
    assert_int_equal(keyset_pause(false, 0), KEYSET_PRESET_S);
    assert_int_equal(keyset_pause(false, 99999999), KEYSET_PRESET_S);
    assert_int_equal(keyset_pause(true, 0), KEYSET_LEAST_S);
    assert_int_equal(keyset_pause(true, KEYSET_LEAST_S - 1), KEYSET_LEAST_S);
    assert_int_equal(keyset_pause(true, KEYSET_LEAST_S + 1), KEYSET_LEAST_S + 1);
    assert_int_equal(keyset_pause(true, KEYSET_MOST_S - 1), KEYSET_MOST_S - 1);
    assert_int_equal(keyset_pause(true, KEYSET_MOST_S + 1), KEYSET_MOST_S);
    assert_int_equal(keyset_pause(true, UINT64_MAX), KEYSET_MOST_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_fetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asking_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
        cmocka_unit_test(test_pauses),
    };

    return cmocka_run_group_tests_name("vault/tokens", tests, NULL, NULL);
}
