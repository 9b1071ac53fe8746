/* users/login.c: the form and the preparation of login names and sender patterns. */
#include "users/login.h"

#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

#include "smtp/address.h" /* atext_is */

enum { LOCAL_MAX = 64, LABEL_MAX = 63, DOMAIN_MAX = 253 };

static bool local_is_valid(struct slice local)
{
    bool dot_before = true;

    if (local.len == 0 || local.len > LOCAL_MAX)
        return false;
    for (size_t i = 0; i < local.len; i++) {
        bool dot = local.data[i] == '.';

        if (dot ? dot_before : !atext_is(local.data[i]))
            return false;
        dot_before = dot;
    }
    return !dot_before;
}

static bool label_is_valid(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX)
        return false;
    if (label.data[0] == '-' || label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        bool lower = c >= 'a' && c <= 'z';

        if (!lower && !ascii_is_digit(c) && c != '-' && (unsigned char)c < 128)
            return false;
    }
    return true;
}

static bool domain_is_valid(struct slice domain)
{
    if (domain.len > DOMAIN_MAX)
        return false;
    for (;;) {
        struct slice label = slice_first(domain, slice_find(domain, '.'));

        if (!label_is_valid(label))
            return false;
        if (label.len == domain.len)
            return true;
        domain = slice_from(domain, label.len + 1);
    }
}

static bool address_is_valid(struct slice text)
{
    size_t at = slice_find_last(text, '@');

    return text.len <= LOGIN_MAX && at < text.len && local_is_valid(slice_first(text, at)) &&
           domain_is_valid(slice_from(text, at + 1)) && text_is_utf8(text);
}

/* A line of the user file that begins with # says nothing. */
bool login_is_valid(struct slice text)
{
    return address_is_valid(text) && text.data[0] != '#';
}

bool sender_is_valid(struct slice text)
{
    if (slice_is(text, "*"))
        return true;
    if (text.len > 2 && text.data[0] == '*' && text.data[1] == '@')
        return text.len <= LOGIN_MAX && domain_is_valid(slice_from(text, 2)) && text_is_utf8(text);
    return address_is_valid(text);
}

bool group_is_valid(struct slice name)
{
    if (name.len == 0 || name.len > GROUP_NAME_MAX || slice_is(name, "none"))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i], lower = ascii_lower(c);

        if ((lower < 'a' || lower > 'z') && !ascii_is_digit(c) && c != '.' && c != '-' && c != '_')
            return false;
    }
    return true;
}

char *saslprep(struct slice raw, bool stored)
{
    char text[SASL_TEXT_MAX + 1];
    char *prepared = NULL;
    int rc;

    if (raw.len == 0 || raw.len > SASL_TEXT_MAX || slice_find(raw, '\0') < raw.len)
        return NULL;
    memcpy(text, raw.data, raw.len);
    text[raw.len] = '\0';
    /* libidn itself: gsasl_saslprep of GNU SASL 2.2 has the sense of its one flag the wrong way
     * round. */
    rc = stringprep_profile(text, &prepared, "SASLprep", stored ? STRINGPREP_NO_UNASSIGNED : 0);
    explicit_bzero(text, sizeof text);
    if (rc != STRINGPREP_OK)
        return NULL;
    if (prepared[0] == '\0') {
        free(prepared);
        return NULL;
    }
    return prepared;
}

static bool prepare(
    struct slice raw, bool stored, bool (*is_valid)(struct slice), struct login *out)
{
    struct login login = { .len = 0 };
    char *prepared = saslprep(raw, stored);

    if (!prepared)
        return false;
    login.len = strlen(prepared);
    if (login.len <= LOGIN_MAX)
        memcpy(login.text, prepared, login.len + 1);
    free(prepared);
    if (login.len > LOGIN_MAX)
        return false;
    for (size_t i = slice_find_last(login_slice(&login), '@'); i < login.len; i++)
        login.text[i] = ascii_lower(login.text[i]);
    if (!is_valid(login_slice(&login)))
        return false;
    *out = login;
    return true;
}

bool login_prepare(struct slice raw, bool stored, struct login *out_login)
{
    return prepare(raw, stored, login_is_valid, out_login);
}

bool sender_prepare(struct slice raw, struct login *out_pattern)
{
    return prepare(raw, true, sender_is_valid, out_pattern);
}
