/* vault/login.c: GNU SASL's client side. Each step runs on a hand, because SCRAM derives a key in
 * it. */
#include "vault/login.h"

#include <gsasl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/channel.h"
#include "net/hands.h"
#include "net/loop.h"
#include "vault/sasl.h"

enum { HOST_TEXT = 255 };

struct login_key {
    uint64_t asker;
    uint64_t login;
};

struct outgoing {
    struct login_key key;
    struct outgoing *prev, *next; /* by age */
    struct logins *logins;
    struct asker *asker; /* NULL: gone, to be freed when the hand gives it back */
    int64_t began;
    char host[HOST_TEXT];
    size_t host_len;
    const struct client_mechanism *mechanism;
    bool has_spoken; /* the first answer names the mechanism */
    bool is_over;    /* the library has nothing more to say */
    Gsasl_session *session;
    struct hand_job job;
    bool is_working;
    struct buffer input;
    char *output; /* the library's */
    size_t output_len;
    int result; /* of the library */
    UT_hash_handle hh;
};

struct logins {
    struct hands *hands;
    struct secrets *secrets;
    Gsasl *library;
    struct outgoing *by_key;
    struct outgoing *oldest;
    struct timer expiry;
};

static const struct client_mechanism {
    const char *name;
    bool server_first;
    bool derives_key; /* challenges may ask for work */
} mechanisms[] = {
    { "SCRAM-SHA-256", false, true },
    { "PLAIN", false, false },
    { "LOGIN", true, false },
};

static void on_expiry(void *owner);

struct logins *logins_new(struct loop *loop, struct secrets *secrets)
{
    struct logins *logins = calloc(1, sizeof *logins);

    if (!logins)
        return NULL;
    logins->secrets = secrets;
    timer_init(&logins->expiry, loop, on_expiry, logins);
    logins->library = sasl_library_new();
    logins->hands = logins->library ? hands_new(loop, "login", 1) : NULL;
    if (!logins->hands)
        logins_free(&logins);
    return logins;
}

void logins_free(struct logins **logins)
{
    if (!*logins)
        return;
    timer_stop(&(*logins)->expiry);
    hands_free(&(*logins)->hands);
    sasl_library_free(&(*logins)->library);
    free(*logins);
    *logins = NULL;
}

static void release(struct outgoing *o)
{
    if (o->session)
        gsasl_finish(o->session);
    if (o->output) {
        explicit_bzero(o->output, o->output_len);
        gsasl_free(o->output);
    }
    buffer_clear(&o->input);
    free(o);
}

/* Takes it out of the tables; the memory stays while a hand works on it. */
static void forget(struct outgoing *o)
{
    HASH_DELETE(hh, o->logins->by_key, o);
    DL_DELETE(o->logins->oldest, o);
    o->asker->conversations--;
    o->asker = NULL;
    if (!o->is_working)
        release(o);
}

static void say_failed(struct asker *asker, uint64_t login, const char *text)
{
    struct msg_login_say say = { .login = login, .failed = true, .text = slice_text(text) };

    channel_send(asker->channel, MSG_LOGIN_SAY, &say, -1);
}

static void fail(struct outgoing *o, const char *text)
{
    log_event(LOG_WARNING, NULL, "login at next hop failed",
        log_slice("host", slice_of(o->host, o->host_len)),
        log_text("mechanism", o->mechanism->name), log_text("why", text));
    say_failed(o->asker, o->key.login, text);
    forget(o);
}

static void say(struct outgoing *o, bool has_data)
{
    struct msg_login_say message = { .login = o->key.login, .has_data = has_data };

    if (!o->has_spoken)
        message.mechanism = slice_text(o->mechanism->name);
    if (has_data)
        message.data = slice_of(o->output, o->output_len);
    o->has_spoken = true;
    channel_send(o->asker->channel, MSG_LOGIN_SAY, &message, -1);
}

static void work(struct hand_job *job)
{
    struct outgoing *o = CONTAINER_OF(job, struct outgoing, job);
    struct slice input = buffer_slice(&o->input);

    o->result = gsasl_step(o->session, input.data, input.len, &o->output, &o->output_len);
}

static void drop_output(struct outgoing *o)
{
    if (o->output)
        explicit_bzero(o->output, o->output_len);
    gsasl_free(o->output);
    o->output = NULL;
    o->output_len = 0;
}

static void done(struct hand_job *job)
{
    struct outgoing *o = CONTAINER_OF(job, struct outgoing, job);

    o->is_working = false;
    if (!o->asker) {
        release(o);
        return;
    }
    if (o->result != GSASL_OK && o->result != GSASL_NEEDS_MORE) {
        fail(o, gsasl_strerror(o->result));
        return;
    }
    o->is_over = o->result == GSASL_OK;
    say(o, true);
    drop_output(o);
}

static void start_work(struct outgoing *o)
{
    o->is_working = true;
    o->job = (struct hand_job){ .work = work, .done = done };
    hands_give(o->logins->hands, &o->job);
}

/* Is the name in the list of words, any case? */
static bool is_offered(struct slice list, const char *name)
{
    while (list.len > 0) {
        size_t len = slice_find(list, ' ');

        if (slice_is_nocase(slice_first(list, len), name))
            return true;
        list = slice_from(list, len + 1);
    }
    return false;
}

static const struct client_mechanism *choose(struct slice offered)
{
    for (size_t i = 0; i < LENGTH_OF(mechanisms); i++)
        if (is_offered(offered, mechanisms[i].name))
            return &mechanisms[i];
    return NULL;
}

static bool open_session(struct outgoing *o, const struct smarthost *smarthost)
{
    return gsasl_client_start(o->logins->library, o->mechanism->name, &o->session) == GSASL_OK &&
           gsasl_property_set(o->session, GSASL_AUTHID, smarthost->username.data) == GSASL_OK &&
           gsasl_property_set(o->session, GSASL_PASSWORD, smarthost->password.data) == GSASL_OK;
}

static struct outgoing *begin(
    struct logins *logins, struct asker *asker, const struct msg_login_start *message)
{
    struct outgoing *o =
        asker->conversations < ASKER_CONVERSATIONS_MAX ? calloc(1, sizeof *o) : NULL;

    if (!o)
        return NULL;
    o->key = (struct login_key){ .asker = asker->id, .login = message->login };
    o->logins = logins;
    o->asker = asker;
    o->began = clock_mono_ms();
    o->host_len = message->host.len < HOST_TEXT ? message->host.len : HOST_TEXT;
    if (o->host_len > 0)
        memcpy(o->host, message->host.data, o->host_len);
    buffer_init(&o->input, SASL_MESSAGE_MAX);
    HASH_ADD(hh, logins->by_key, key, sizeof o->key, o);
    DL_APPEND(logins->oldest, o);
    asker->conversations++;
    if (!logins->expiry.is_set)
        timer_set(&logins->expiry, LOGIN_LIFE_MS);
    return o;
}

static struct outgoing *find(struct logins *logins, const struct asker *asker, uint64_t login)
{
    struct login_key key = { .asker = asker->id, .login = login };
    struct outgoing *o;

    HASH_FIND(hh, logins->by_key, &key, sizeof key, o);
    return o;
}

/* What keeps a login from even beginning, or NULL. */
static const char *start_fault(const struct asker *asker, const struct msg_login_start *message,
    const struct smarthost *smarthost)
{
    if (!message->verified)
        return "the next hop's certificate was not verified, so it gets no password";
    if (!smarthost || smarthost->asker != channel_peer(asker->channel))
        return "no password for this route or server, or its configuration is no longer in force";
    return choose(message->mechanisms) ? NULL
                                       : "the next hop offers none of SCRAM-SHA-256, PLAIN, LOGIN";
}

void logins_start(struct logins *logins, struct asker *asker, const struct msg_login_start *message)
{
    const struct smarthost *smarthost =
        secrets_smarthost(logins->secrets, message->snapshot, message->route);
    const char *fault = start_fault(asker, message, smarthost);
    struct outgoing *o = find(logins, asker, message->login);

    if (o)
        forget(o); /* the relay has begun anew under the same number */
    o = fault ? NULL : begin(logins, asker, message);
    if (!o) {
        fault = fault ? fault : "no memory";
        log_event(LOG_WARNING, NULL, "login at next hop not begun",
            log_slice("host", message->host), log_text("why", fault));
        say_failed(asker, message->login, fault);
        return;
    }
    o->mechanism = choose(message->mechanisms);
    if (!open_session(o, smarthost))
        fail(o, "no memory");
    else if (o->mechanism->server_first)
        say(o, false);
    else
        start_work(o);
}

/* RFC 5802 section 7, server-first-message: r=…,s=…,i=N with perhaps extensions behind. True for
 * other messages. */
static bool is_bearable(struct slice challenge)
{
    uint64_t iterations;

    while (challenge.len > 0) {
        size_t len = slice_find(challenge, ',');
        struct slice attribute = slice_first(challenge, len);

        if (attribute.len > 1 && attribute.data[0] == 'i' && attribute.data[1] == '=')
            return slice_number(slice_from(attribute, 2), LOGIN_ITERATIONS_MAX, &iterations) &&
                   iterations >= LOGIN_ITERATIONS_MIN;
        challenge = slice_from(challenge, len + 1);
    }
    return true;
}

void logins_step(struct logins *logins, struct asker *asker, const struct msg_login_step *message)
{
    struct outgoing *o = find(logins, asker, message->login);

    if (!o) {
        say_failed(asker, message->login, "the login took too long");
        return;
    }
    if (o->is_working) {
        fail(o, "the relay spoke out of turn");
        return;
    }
    if (o->is_over) {
        fail(o, "the next hop goes on asking");
        return;
    }
    if (o->mechanism->derives_key && !is_bearable(message->data)) {
        fail(o, "the next hop asks for an iteration count outside 4096 to 1000000");
        return;
    }
    buffer_reset(&o->input);
    buffer_put_slice(&o->input, message->data);
    if (o->input.error != ERR_OK)
        fail(o, "the next hop's challenge is too long");
    else
        start_work(o);
}

void logins_end(struct logins *logins, struct asker *asker, const struct msg_login *message)
{
    struct outgoing *o = find(logins, asker, message->login);

    if (o)
        forget(o);
}

static void on_expiry(void *owner)
{
    struct logins *logins = owner;
    int64_t now = clock_mono_ms();

    while (logins->oldest && now - logins->oldest->began >= LOGIN_LIFE_MS)
        forget(logins->oldest);
    if (logins->oldest)
        timer_set(&logins->expiry, logins->oldest->began + LOGIN_LIFE_MS - now);
}

void logins_forget_asker(struct logins *logins, struct asker *asker)
{
    struct outgoing *o, *next;

    DL_FOREACH_SAFE (logins->oldest, o, next)
        if (o->asker == asker)
            forget(o);
}

size_t logins_busy(const struct logins *logins)
{
    return hands_busy(logins->hands);
}
