/* gate/command_hello.c: EHLO, HELO and STARTTLS. */
#include <stdlib.h>
#include <string.h>

#include "gate/command.h"
#include "gate/gate.h"
#include "gate/session.h"
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

enum answer command_ehlo(struct session *s, struct slice argument)
{
    const struct conf *conf = s->snapshot->conf;
    struct ehlo_state state = {
        .hostname = conf->hostname,
        .client = argument,
        .is_tls = session_is_tls(s),
        .has_certificate = s->snapshot->tls != NULL,
        .mechanisms = session_mechanisms(s),
        .message_size = conf->limits.message_size,
        .recipients = (uint32_t)conf->limits.recipients,
        .mails = (uint32_t)conf->limits.mails_per_session,
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
