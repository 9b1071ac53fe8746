/* tests/fuzz/fuzz_vault_login.c: a next hop that answers a login by the vault as it likes. The
 * first octet chooses what it offers, its challenges end with LF, octet 1 stands for the client's
 * nonce. Every step has an answer, the password never leaves but as PLAIN or LOGIN say, and a
 * number is free after a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "counter.h"
#include "fuzz.h"

enum { STEPS_MOST = 8 };

static void open_vault(void)
{
    struct conf_route route = { .pattern = SLICE_LITERAL("*"),
        .username = SLICE_LITERAL("relay@example.org"),
        .password_file = SLICE_LITERAL("/etc/pw") };
    struct conf conf = { .number = 1, .routes = &route, .route_count = 1 };
    int file = memfd_create("password", MFD_CLOEXEC);

    log_open("fuzz", LOG_ERROR - 1);
    REQUIRE(counter_open() && write(file, "hush-hush\n", 10) == 10);
    REQUIRE(lseek(file, 0, SEEK_SET) == 0);
    secrets_give_password(secrets, 0, file);
    REQUIRE(secrets_apply(secrets, &conf) == ERR_OK);
}

/* Half a second's work for nothing. */
static bool is_tedious(struct slice challenge)
{
    while (challenge.len > 0) {
        struct slice part = take_until(&challenge, ',');
        uint64_t iterations;

        if (slice_starts_nocase(part, "i=") &&
            slice_number(slice_from(part, 2), LOGIN_ITERATIONS_MAX, &iterations) &&
            iterations > 5000)
            return true;
    }
    return false;
}

static void put_challenge(struct buffer *out, struct slice text, struct slice nonce)
{
    buffer_reset(out);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == 1)
            buffer_put_slice(out, nonce);
        else
            buffer_put_char(out, text.data[i]);
}

static bool has_password(struct slice text)
{
    for (size_t i = 0; i + 9 <= text.len; i++)
        if (memcmp(text.data + i, "hush-hush", 9) == 0)
            return true;
    return false;
}

static void check_answer(const struct answer *answer, bool is_clear)
{
    struct slice data = answer_data(answer);

    REQUIRE(answer->type == MSG_LOGIN_SAY && answer->number == 9);
    REQUIRE(!answer->yes || answer->text[0] == '\0');
    REQUIRE(is_clear || !has_password(data));
    for (const char *c = answer->text; *c; c++)
        REQUIRE(*c >= 32 && *c < 127);
}

static void converse(struct slice rest, bool is_clear)
{
    char nonce_text[ANSWER_DATA];
    struct slice nonce = { nonce_text, 0 };
    struct buffer challenge;
    const struct answer *answer = desk_answer(&desk, 0);
    struct slice first = answer_data(answer);
    size_t at = slice_find_last(first, '=');

    if (at < first.len) {
        nonce.len = first.len - at - 1;
        memcpy(nonce_text, first.data + at + 1, nonce.len);
    }
    buffer_init(&challenge, 1 << 20);
    check_answer(answer, is_clear);
    for (size_t step = 1; answer->yes && rest.len > 0 && step <= STEPS_MOST; step++) {
        struct msg_login_step message = { .login = 9 };

        put_challenge(&challenge, take_until(&rest, '\n'), nonce);
        if (is_tedious(buffer_slice(&challenge)))
            break;
        message.data = slice_first(buffer_slice(&challenge), 16384);
        desk_send(&desk, MSG_LOGIN_STEP, &message);
        answer = desk_answer(&desk, step);
        check_answer(answer, is_clear);
    }
    buffer_clear(&challenge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const offers[] = { "SCRAM-SHA-256", "PLAIN", "LOGIN",
        "X-SCRAM PLAIN SCRAM-SHA-256" };
    struct slice rest = slice_of(data, size);
    unsigned which = take_octet(&rest) % LENGTH_OF(offers);
    struct msg_login_start start = { .login = 9,
        .snapshot = 1,
        .verified = true,
        .host = SLICE_LITERAL("smtp.example.com"),
        .mechanisms = slice_text(offers[which]) };
    struct msg_login end = { .login = 9 };

    if (!loop)
        open_vault();
    desk.count = 0;
    desk_send(&desk, MSG_LOGIN_START, &start);
    /* What the hop says itself may come back in a nonce. */
    converse(rest, which == 1 || which == 2 || has_password(rest));
    desk_send(&desk, MSG_LOGIN_END, &end);
    for (int i = 0; i < 1000 && (desk.asker.conversations > 0 || logins_busy(logins) > 0); i++)
        loop_turn(loop, 1);
    REQUIRE(desk.asker.conversations == 0 && logins_busy(logins) == 0);
    return 0;
}
