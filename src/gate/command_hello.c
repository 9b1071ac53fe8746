/* gate/command_hello.c: EHLO, HELO and STARTTLS. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gate/command.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "policy/rights.h"
#include "smtp/ehlo.h"

/* A new greeting ends a transaction and keeps the login (CMD-5). False: 501, and nothing changed
 * (CMD-6). The name proves nothing and is not judged (CMD-7). */
static bool greet(struct session *s, struct slice argument, bool is_esmtp)
{
    char *name;

    if (!helo_is_valid(argument)) {
        session_say(s, REPLY_BAD_ARGUMENT);
        return false;
    }
    name = strndup(argument.data, argument.len);
    if (!name) {
        session_say(s, REPLY_INTERNAL);
        return false;
    }
    session_reset(s);
    free(s->ehlo);
    s->ehlo = name;
    s->is_esmtp = is_esmtp;
    s->offered = 0;
    session_move(s, PHASE_READY);
    return true;
}

static const struct {
    enum extension extension;
    size_t offset; /* of its switch */
} switches[] = {
    { EXTENSION_CHUNKING, offsetof(struct conf_extensions, chunking) },
    { EXTENSION_BINARYMIME, offsetof(struct conf_extensions, binarymime) },
    { EXTENSION_SMTPUTF8, offsetof(struct conf_extensions, smtputf8) },
    { EXTENSION_DSN, offsetof(struct conf_extensions, dsn) },
    { EXTENSION_LIMITS, offsetof(struct conf_extensions, limits) },
    { EXTENSION_DELIVERBY, offsetof(struct conf_extensions, deliverby) },
    { EXTENSION_FUTURERELEASE, offsetof(struct conf_extensions, futurerelease) },
    { EXTENSION_REQUIRETLS, offsetof(struct conf_extensions, requiretls) },
    { EXTENSION_MT_PRIORITY, offsetof(struct conf_extensions, mt_priority) },
    { EXTENSION_RRVS, offsetof(struct conf_extensions, rrvs) },
    { EXTENSION_MTRK, offsetof(struct conf_extensions, mtrk) },
    { EXTENSION_CONPERM, offsetof(struct conf_extensions, conperm) },
    { EXTENSION_BURL, offsetof(struct conf_extensions, burl) },
    { EXTENSION_CONNEG, offsetof(struct conf_extensions, conneg) },
    { EXTENSION_CHECKPOINT, offsetof(struct conf_extensions, checkpoint) },
};

static uint32_t switched_on(const struct conf_extensions *extensions)
{
    uint32_t set = extensions->no_soliciting_count > 0 ? EXTENSION_BIT(EXTENSION_NO_SOLICITING) : 0;

    for (size_t i = 0; i < LENGTH_OF(switches); i++)
        if (*(const bool *)((const char *)extensions + switches[i].offset))
            set |= EXTENSION_BIT(switches[i].extension);
    return set;
}

/* The classes as EHLO lists them, in the scratch arena; as many as its line holds. */
static struct slice solicit_classes(struct session *s)
{
    enum { ROOM = 400 };
    const struct conf_extensions *extensions = &s->snapshot->conf->extensions;
    struct slice list = { 0 };

    for (size_t i = 0; i < extensions->no_soliciting_count; i++) {
        struct slice word = extensions->no_soliciting[i].text;
        if (list.len + word.len + 1 > ROOM)
            break;
        list = arena_printf(&s->gate->scratch, "%.*s%s%.*s", SLICE_ARGS(list),
            list.len > 0 ? "," : "", SLICE_ARGS(word));
    }
    return list;
}

/* A user's own limit is shown once he has logged in (EXT-SIZE-1). */
static uint64_t message_size(const struct session *s)
{
    const struct conf *conf = s->snapshot->conf;
    const struct grant *grant = session_grant(s);

    return grant ? rights_size(conf, grant, session_narrower(s)) : conf->limits.message_size;
}

enum answer command_ehlo(struct session *s, struct slice argument)
{
    const struct conf *conf = s->snapshot->conf;
    struct ehlo_state state = {
        .hostname = conf->hostname,
        .client = argument,
        .is_tls = session_is_tls(s),
        .has_certificate = s->snapshot->tls != NULL,
        .mechanisms = session_mechanisms(s),
        .message_size = message_size(s),
        .recipients = (uint32_t)conf->limits.recipients,
        .mails = (uint32_t)conf->limits.mails_per_session,
        .switched_on = switched_on(&conf->extensions),
        .deliver_by_least = (uint32_t)conf->extensions.deliverby_least,
        .hold_most = (uint32_t)conf->extensions.futurerelease_most,
        .now = clock_wall(),
        .classes = solicit_classes(s),
        .has_login = s->login != NULL,
    };

    if (!greet(s, argument, true))
        return ANSWER_REPLY;
    s->offered = ehlo_offered(&state);
    ehlo_write(session_words(s, REPLY_HELO), &state);
    return ANSWER_REPLY;
}

enum answer command_helo(struct session *s, struct slice argument)
{
    if (greet(s, argument, false))
        reply_helo(session_words(s, REPLY_HELO), s->snapshot->conf->hostname);
    return ANSWER_REPLY;
}

enum answer command_starttls(struct session *s, struct slice argument)
{
    (void)argument;
    if (session_is_tls(s)) {
        session_say(s, REPLY_STARTTLS_TWICE);
        return ANSWER_REPLY;
    }
    if (!s->snapshot->tls) {
        session_say(s, REPLY_STARTTLS_UNAVAILABLE);
        return ANSWER_REPLY;
    }
    /* Whatever was sent behind the command was sent in clear, perhaps by somebody else. */
    if (stream_input_pending(s->stream) > 0) {
        session_say(s, REPLY_STARTTLS_INJECTED);
        return ANSWER_CLOSE;
    }
    session_say(s, REPLY_STARTTLS_READY);
    return ANSWER_SECURE;
}
