/* fetch/imap_login.c: AUTHENTICATE (RFC 9051 section 6.2.2) as the server's carrier: each word of
 * the vault is sent on, each challenge is handed back, nothing is understood. */
#include "base/base64.h"
#include "base/map.h"
#include "fetch/imap_state.h"
#include "fetch/state.h"
#include "ipc/channel.h"

enum { DATA_MAX = IMAP_LINE_MAX - 16 };

static const char no_vault[] = "the room that keeps the password is not there";

static void wipe(struct buffer *words)
{
    if (words->data)
        explicit_bzero(words->data, words->size);
    buffer_clear(words);
}

void imap_login_end(struct imap *imap)
{
    struct msg_login end = { .login = imap->login };
    struct channel *vault = fetch_vault(imap->fetch);

    if (imap->login != 0 && vault)
        (void)channel_send(vault, MSG_LOGIN_END, &end, -1);
    imap->login = 0;
    wipe(&imap->first_words);
}

void imap_login_start(struct imap *imap)
{
    const struct tls_info *tls = stream_tls_info(imap->stream);
    struct channel *vault = fetch_vault(imap->fetch);
    struct msg_login_start start = { .login = ++imap->fetch->last_login,
        .snapshot = imap->settings->number,
        .route = (uint32_t)(imap->settings->conf->route_count + imap->server_index),
        .verified = tls && tls->is_verified,
        .host = imap->server->url_host,
        .mechanisms = buffer_slice(&imap->mechanisms) };

    imap->phase = IMAP_LOGIN_VAULT;
    if (imap->mechanisms.error != ERR_OK) {
        imap_end(imap, URL_UNREACHABLE, "the server lists mechanisms without end");
        return;
    }
    if (!vault || channel_send(vault, MSG_LOGIN_START, &start, -1) != ERR_OK) {
        imap_end(imap, URL_UNREACHABLE, no_vault);
        return;
    }
    imap->login = start.login;
}

/* From the vault. */

/* An initial response waits for the server's empty challenge: not every server takes one at once.
 */
static void say_auth(struct imap *imap, const struct msg_login_say *say)
{
    imap->has_said_auth = true;
    imap->has_first_words = say->has_data;
    if (say->has_data)
        base64_encode(&imap->first_words, say->data);
    imap->phase = IMAP_LOGIN_PEER;
    imap_command(imap, "AUTHENTICATE", say->mechanism);
}

static void say_data(struct imap *imap, struct slice data)
{
    struct buffer line;

    buffer_init(&line, IMAP_LINE_MAX * 2);
    base64_encode(&line, data);
    imap->phase = IMAP_LOGIN_PEER;
    imap_send(imap, buffer_slice(&line));
    wipe(&line);
}

/* Where the vault cannot begin although the server offers what it knows, the fault is ours, and may
 * be over soon: a configuration that has not come to it yet. */
static enum url_result result_of_failure(const struct imap *imap)
{
    static const char *const known[] = { "SCRAM-SHA-256", "PLAIN", "LOGIN" };
    struct slice rest = buffer_slice(&imap->mechanisms), word;

    while (!imap->has_said_auth && imap_value_take(&rest, &word) == IMAP_VALUE_ATOM)
        for (size_t i = 0; i < LENGTH_OF(known); i++)
            if (slice_is_nocase(word, known[i]))
                return URL_UNREACHABLE;
    return URL_UNTRUSTED;
}

static struct imap *find(struct fetch *fetch, uint64_t login)
{
    struct imap *imap;

    DL_FOREACH (fetch->imaps, imap)
        if (imap->phase == IMAP_LOGIN_VAULT && imap->login == login)
            return imap;
    return NULL;
}

void imap_login_say(struct fetch *fetch, const struct msg_login_say *say)
{
    struct imap *imap = find(fetch, say->login);

    if (!imap)
        return; /* it has ended meanwhile */
    if (say->failed) {
        imap->login = 0;
        imap_end(imap, result_of_failure(imap), "our own login is not possible");
    } else if (imap->has_said_auth) {
        say_data(imap, say->data);
    } else if (say->mechanism.len > 0) {
        say_auth(imap, say);
    } else {
        imap_end(imap, URL_UNREACHABLE, "the room that keeps the password does not say how");
    }
}

void imap_vault_lost(struct fetch *fetch)
{
    struct imap *imap, *next;

    DL_FOREACH_SAFE (fetch->imaps, imap, next) {
        imap->login = 0;
        if (imap->phase == IMAP_LOGIN_VAULT || imap->phase == IMAP_LOGIN_PEER)
            imap_end(imap, URL_UNREACHABLE, no_vault);
    }
}

/* From the server. */

static void pass_challenge(struct imap *imap, struct slice text)
{
    struct channel *vault = fetch_vault(imap->fetch);
    struct msg_login_step step = { .login = imap->login };
    struct buffer data;
    const char *why = NULL;

    buffer_init(&data, DATA_MAX);
    if (!base64_decode(&data, slice_trim(text)))
        why = "the server's challenge is not base64";
    step.data = buffer_slice(&data);
    imap->phase = IMAP_LOGIN_VAULT;
    if (!why && (!vault || channel_send(vault, MSG_LOGIN_STEP, &step, -1) != ERR_OK))
        why = no_vault;
    buffer_clear(&data);
    if (why)
        imap_end(imap, URL_UNREACHABLE, why);
}

void imap_login_reply(struct imap *imap, const struct imap_response *response)
{
    if (response->kind == IMAP_UNTAGGED)
        return;
    if (response->kind == IMAP_CONTINUE && imap->has_first_words) {
        imap->has_first_words = false;
        imap_send(imap, buffer_slice(&imap->first_words));
        wipe(&imap->first_words);
    } else if (response->kind == IMAP_CONTINUE) {
        pass_challenge(imap, response->rest);
    } else if (response->kind == IMAP_TAGGED && response->condition == IMAP_OK) {
        imap_login_end(imap);
        imap_content_start(imap);
    } else if (response->kind == IMAP_TAGGED && !imap_has_code(response->rest, "UNAVAILABLE")) {
        imap_end(imap, URL_UNTRUSTED, "the server does not let us log in");
    } else {
        imap_end(imap, URL_UNREACHABLE, "the server cannot let us log in now");
    }
}
