/* relay/secure.c: from STARTTLS to the handshake. What fails where TLS is only opportunistic may be
 * tried in clear, over a new connection; where the route asks for TLS, never. */
#include "relay/secure.h"

#include "relay/carrier.h"

static bool is_required(const struct connection *c)
{
    return c->route->tls == CONF_TLS_VERIFY;
}

void secure_failed(struct connection *c, const char *why)
{
    struct verdict v =
        verdict_of(DELIVERY_DEFERRED, CAUSE_TLS, "4.7.5", "the TLS handshake failed: %s", why);

    connection_lose(c, is_required(c) ? CONNECTION_END_HOP : CONNECTION_END_TLS, &v);
}

bool secure_begin(struct connection *c)
{
    if (!c->settings->clients[c->route_index] || stream_is_secured(c->stream) || c->clear_only ||
        !peer_has(&c->peer, EXTENSION_STARTTLS))
        return false;
    c->phase = CONNECTION_STARTTLS;
    connection_send(c, "STARTTLS");
    connection_limit(c, c->settings->conf->timeouts.ehlo);
    return true;
}

/* RFC 3207 section 4. 421 is no word about TLS. */
static void on_refused(struct connection *c, const struct peer_reply *reply)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_TLS, "4.7.4",
        "STARTTLS was refused: %u %.*s", reply->code, SLICE_ARGS(slice_first(reply->text, 900)));

    v.code = (uint16_t)reply->code;
    if (reply->code == 421)
        v = verdict_of_reply(reply);
    connection_refuse(c, &v);
    if (reply->code != 421 && !is_required(c))
        c->end = CONNECTION_END_TLS;
}

/* Whatever came in clear behind the 220 would be read as if it were secured. Somebody tries just
 * that: nothing goes to this hop now, in clear least of all (OTLS-6). */
static void on_injection(struct connection *c)
{
    struct verdict v = verdict_of(DELIVERY_DEFERRED, CAUSE_TLS, "4.7.5",
        "the next hop sent clear text after its reply to STARTTLS");

    connection_lose(c, CONNECTION_END_HOP, &v);
}

static void shake_hands(struct connection *c)
{
    enum tls_verify verify = is_required(c) ? TLS_VERIFY_PKIX : TLS_VERIFY_ANY;

    peer_reply_reader_clear(&c->reader);
    c->phase = CONNECTION_HANDSHAKE;
    connection_limit(c, c->settings->conf->timeouts.tls);
    if (stream_start_tls_client(c->stream, c->settings->clients[c->route_index],
            slice_text(c->hop.host), verify) != ERR_OK)
        secure_failed(c, "no memory, or no name to ask for");
}

void secure_reply(struct connection *c, const struct peer_reply *reply)
{
    if (peer_reply_class(reply) != 2)
        on_refused(c, reply);
    else if (stream_input_pending(c->stream) > 0)
        on_injection(c);
    else
        shake_hands(c);
}
