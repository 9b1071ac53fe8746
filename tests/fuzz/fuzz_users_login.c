/* tests/fuzz/fuzz_users_login.c: names and passwords as clients and operators type them. What is
 * prepared is prepared already, and has the form that the user file can hold. */
#include "fuzz.h"

#include "users/file.h"
#include "users/login.h"

static void check_login(struct slice text)
{
    struct login login, again;

    for (int stored = 0; stored < 2; stored++) {
        if (!login_prepare(text, stored, &login))
            continue;
        REQUIRE(login.len > 0 && login.len <= LOGIN_MAX && login.text[login.len] == '\0');
        REQUIRE(login_is_valid(login_slice(&login)));
        REQUIRE(sender_is_valid(login_slice(&login)));
        REQUIRE(login_prepare(login_slice(&login), stored, &again));
        REQUIRE(slice_equals(login_slice(&login), login_slice(&again)));
    }
    if (sender_prepare(text, &login)) {
        REQUIRE(sender_is_valid(login_slice(&login)));
        REQUIRE(sender_prepare(login_slice(&login), &again));
        REQUIRE(slice_equals(login_slice(&login), login_slice(&again)));
    }
    if (login_is_valid(text) || sender_is_valid(text))
        for (size_t i = 0; i < text.len; i++)
            REQUIRE(
                (unsigned char)text.data[i] > ' ' && text.data[i] != ',' && text.data[i] != 127);
}

static void check_password(struct slice text)
{
    struct secret password = { 0 }, again = { 0 };

    for (int stored = 0; stored < 2; stored++) {
        if (!password_prepare(text, stored, &password))
            continue;
        REQUIRE(secret_slice(&password).len > 0 && secret_slice(&password).len <= PASSWORD_MAX);
        REQUIRE(text.len <= PASSWORD_MAX);
        if (password_prepare(secret_slice(&password), stored, &again))
            REQUIRE(slice_equals(secret_slice(&password), secret_slice(&again)));
        secret_clear(&password);
        secret_clear(&again);
    }
    if (password_hash_is_valid(text)) {
        REQUIRE(text.len <= PASSWORD_HASH_MAX && text.data[0] == '$');
        for (size_t i = 0; i < text.len; i++)
            REQUIRE(text.data[i] > ' ' && text.data[i] < 127 && text.data[i] != ':');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);

    check_login(text);
    check_password(text);
    return 0;
}
