/* gate/command_burl.c: BURL: who may have which URL fetched from where (RFC 4468). The fetching
 * itself is in fetching.c. */
#include "gate/command.h"
#include "gate/fetching.h"
#include "gate/gate.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "policy/rights.h"
#include "smtp/burl.h"
#include "smtp/extension.h"

enum answer burl_failed(struct session *s, enum reply_id reply)
{
    content_spoil(s);
    session_say(s, reply);
    return ANSWER_VERDICT;
}

/* Refused before anybody looked at the URL. Where content could have followed it is missed all the
 * same. */
static enum answer refuse(struct session *s, enum reply_id reply)
{
    if (s->transaction && s->transaction->recipient_count > 0)
        content_spoil(s);
    session_say(s, reply);
    return ANSWER_REPLY;
}

/* Where there is no BURL, it is an unknown command like any other. */
enum answer command_burl_refused(
    struct session *s, struct slice argument UNUSED, enum reply_id reply)
{
    if (s->snapshot->conf->extensions.burl)
        return refuse(s, reply);
    session_say(s, reply);
    return ANSWER_REPLY;
}

/* Why there can be no URL now. */
static enum reply_id order_objection(const struct session *s)
{
    const struct transaction *t = s->transaction;

    if (!s->is_esmtp)
        return REPLY_EHLO_FIRST; /* CMD-4 */
    if (!(s->offered & EXTENSION_BIT(EXTENSION_BURL)))
        return REPLY_NOT_OFFERED; /* CMD-19 */
    if (!s->login)
        return REPLY_AUTH_FIRST; /* a URL is somebody's */
    if (t->partial)
        return REPLY_ORDER; /* what was fetched could not be gone on with after a cut */
    if (t->recipient_count == 0)
        return t->tried > 0 ? REPLY_URL_NO_RECIPIENTS : REPLY_URL_BEFORE_RCPT;
    return NO_OBJECTION;
}

/* The section that names the URL's server, or NULL (EXT-BURL-6). */
static const struct conf_imap_server *find_server(
    const struct conf *conf, const struct imap_url *url)
{
    for (size_t i = 0; i < conf->imap_server_count; i++) {
        const struct conf_imap_server *server = &conf->imap_servers[i];

        if (burl_is_at(url, server->url_host, server->url_port))
            return server;
    }
    return NULL;
}

/* EXT-BURL-3. Without URLAUTH we would have to log in as the user. */
static enum reply_id url_objection(const struct session *s, const struct imap_url *url)
{
    if (!find_server(s->snapshot->conf, url) || url->access == BURL_ACCESS_NONE)
        return REPLY_URL_UNTRUSTED;
    if (url->access != BURL_ACCESS_SUBMIT || !burl_equals(url->access_user, session_user(s)))
        return REPLY_URL_OF_ANOTHER;
    return NO_OBJECTION;
}

static enum answer fetch(struct session *s, const struct burl *burl)
{
    const struct conf *conf = s->snapshot->conf;
    uint64_t limit = rights_size(conf, session_mail_grant(s), session_narrower(s));
    uint64_t so_far = body_content(&s->transaction->body);

    if (limit > 0 && so_far >= limit)
        return burl_failed(s, REPLY_URL_TOO_BIG);
    content_open(s);
    session_move(s, PHASE_FETCH);
    return fetching_start(
        s, burl, find_server(conf, &burl->imap)->name, limit > 0 ? limit - so_far : 0);
}

enum answer command_burl(struct session *s, struct slice argument)
{
    enum reply_id reply = order_objection(s);
    struct burl burl;

    if (reply)
        return refuse(s, reply);
    switch (burl_parse(argument, &burl)) {
    case BURL_SYNTAX:
        return refuse(s, REPLY_BAD_ARGUMENT);
    case BURL_FOREIGN:
    case BURL_UNFIT:
        return burl_failed(s, REPLY_URL_NOT_FETCHED);
    case BURL_OK:
        break;
    }
    reply = url_objection(s, &burl.imap);
    return reply ? burl_failed(s, reply) : fetch(s, &burl);
}
