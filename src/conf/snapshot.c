/* conf/snapshot.c: the configuration as bytes for the rooms. The shapes name every member; a new
 * one is added here as well. */
#include <string.h>

#include "base/pack.h"
#include "conf/conf.h"
#include "conf/options.h"

/* Changes with the shapes, so that rooms of another build refuse the snapshot instead of misreading
 * it. */
enum { SNAPSHOT_FORMAT = 2, PENDING_MAX = 4096 };

static const struct field text_fields[] = { PACK_BYTES(struct conf_text, text, TEXT_MAX) };
static const struct shape text_shape = SHAPE(struct conf_text, text_fields);

static const struct field number_fields[] = { PACK_NUMBER(U64, struct conf_number, value) };
static const struct shape number_shape = SHAPE(struct conf_number, number_fields);

static const struct field listener_fields[] = {
    PACK_BYTES(struct conf_listener, name, TEXT_MAX),
    PACK_BYTES(struct conf_listener, address, TEXT_MAX),
    PACK_BYTES(struct conf_listener, host, TEXT_MAX),
    PACK_NUMBER(U16, struct conf_listener, port),
    PACK_ENUM(struct conf_listener, tls, CONF_LISTENER_STARTTLS),
    PACK_NUMBER(BOOL, struct conf_listener, require_tls),
    PACK_NUMBER(U64, struct conf_listener, command_timeout),
    PACK_NUMBER(U64, struct conf_listener, data_timeout),
};
static const struct shape listener_shape = SHAPE(struct conf_listener, listener_fields);

static const struct field sni_fields[] = {
    PACK_BYTES(struct conf_sni, name, TEXT_MAX),
    PACK_BYTES(struct conf_sni, certificate, TEXT_MAX),
    PACK_BYTES(struct conf_sni, key, TEXT_MAX),
};
static const struct shape sni_shape = SHAPE(struct conf_sni, sni_fields);

static const struct field tls_fields[] = {
    PACK_BYTES(struct conf_tls, certificate, TEXT_MAX),
    PACK_BYTES(struct conf_tls, key, TEXT_MAX),
    PACK_BYTES(struct conf_tls, client_ca, TEXT_MAX),
    PACK_LIST(struct conf_tls, snis, sni_count, &sni_shape, 1024),
};
static const struct shape tls_shape = SHAPE(struct conf_tls, tls_fields);

static const struct field users_fields[] = {
    PACK_BYTES(struct conf_users, kind, TEXT_MAX),
    PACK_BYTES(struct conf_users, path, TEXT_MAX),
};
static const struct shape users_shape = SHAPE(struct conf_users, users_fields);

static const struct field auth_fields[] = {
    PACK_NUMBER(BOOL, struct conf_auth, scram_sha_1),
    PACK_BYTES(struct conf_auth, oauth_jwks, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_jwks_uri, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_introspection, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_client_id, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_client_secret_file, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_ca_file, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_issuer, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_audience, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_scope, TEXT_MAX),
    PACK_BYTES(struct conf_auth, oauth_claim, TEXT_MAX),
    PACK_NUMBER(U64, struct conf_auth, oauth_leeway),
};
static const struct shape auth_shape = SHAPE(struct conf_auth, auth_fields);

static const struct field certificate_fields[] = {
    PACK_BYTES(struct conf_certificate, login, TEXT_MAX),
    PACK_LIST(struct conf_certificate, sha256, sha256_count, &text_shape, OPTION_LIST_MAX),
};
static const struct shape certificate_shape = SHAPE(struct conf_certificate, certificate_fields);

static const struct field domain_fields[] = {
    PACK_BYTES(struct conf_domain, name, TEXT_MAX),
    PACK_LIST(struct conf_domain, dkim, dkim_count, &text_shape, OPTION_LIST_MAX),
    PACK_NUMBER(BOOL, struct conf_domain, dkim_check),
};
static const struct shape domain_shape = SHAPE(struct conf_domain, domain_fields);

static const struct field route_fields[] = {
    PACK_BYTES(struct conf_route, pattern, TEXT_MAX),
    PACK_ENUM(struct conf_route, via, CONF_VIA_MAILDIR),
    PACK_BYTES(struct conf_route, to, TEXT_MAX),
    PACK_BYTES(struct conf_route, host, TEXT_MAX),
    PACK_NUMBER(U16, struct conf_route, port),
    PACK_BYTES(struct conf_route, path, TEXT_MAX),
    PACK_ENUM(struct conf_route, tls, CONF_TLS_VERIFY),
    PACK_BYTES(struct conf_route, ca_file, TEXT_MAX),
    PACK_BYTES(struct conf_route, username, TEXT_MAX),
    PACK_BYTES(struct conf_route, password_file, TEXT_MAX),
    PACK_NUMBER(BOOL, struct conf_route, chunking),
    PACK_NUMBER(BOOL, struct conf_route, mx),
};
static const struct shape route_shape = SHAPE(struct conf_route, route_fields);

static const struct field imap_server_fields[] = {
    PACK_BYTES(struct conf_imap_server, name, TEXT_MAX),
    PACK_BYTES(struct conf_imap_server, url_host, TEXT_MAX),
    PACK_NUMBER(U16, struct conf_imap_server, url_port),
    PACK_BYTES(struct conf_imap_server, to, TEXT_MAX),
    PACK_BYTES(struct conf_imap_server, host, TEXT_MAX),
    PACK_NUMBER(U16, struct conf_imap_server, port),
    PACK_ENUM(struct conf_imap_server, tls, CONF_IMAP_STARTTLS),
    PACK_BYTES(struct conf_imap_server, ca_file, TEXT_MAX),
    PACK_BYTES(struct conf_imap_server, username, TEXT_MAX),
    PACK_BYTES(struct conf_imap_server, password_file, TEXT_MAX),
};
static const struct shape imap_server_shape = SHAPE(struct conf_imap_server, imap_server_fields);

static const struct field queue_fields[] = {
    PACK_LIST(struct conf_queue, retry, retry_count, &number_shape, OPTION_LIST_MAX),
    PACK_LIST(
        struct conf_queue, retry_connect, retry_connect_count, &number_shape, OPTION_LIST_MAX),
    PACK_NUMBER(U64, struct conf_queue, lifetime),
    PACK_NUMBER(U64, struct conf_queue, bounce_lifetime),
    PACK_NUMBER(U64, struct conf_queue, delay_notice),
    PACK_NUMBER(U64, struct conf_queue, dead_host),
    PACK_NUMBER(U64, struct conf_queue, concurrency),
    PACK_NUMBER(U64, struct conf_queue, destination_concurrency),
};
static const struct shape queue_shape = SHAPE(struct conf_queue, queue_fields);

static const struct field limits_fields[] = {
    PACK_NUMBER(U64, struct conf_limits, connections),
    PACK_NUMBER(U64, struct conf_limits, connections_per_client),
    PACK_NUMBER(U64, struct conf_limits, auth_failures_per_client),
    PACK_NUMBER(U64, struct conf_limits, auth_failures_per_account),
    PACK_NUMBER(U64, struct conf_limits, message_size),
    PACK_NUMBER(U64, struct conf_limits, recipients),
    PACK_NUMBER(U64, struct conf_limits, mails_per_session),
};
static const struct shape limits_shape = SHAPE(struct conf_limits, limits_fields);

static const struct field spool_fields[] = {
    PACK_NUMBER(U64, struct conf_spool, segment_size),
    PACK_NUMBER(U64, struct conf_spool, large_message),
    PACK_NUMBER(U64, struct conf_spool, reserve),
    PACK_NUMBER(U64, struct conf_spool, checkpoint),
};
static const struct shape spool_shape = SHAPE(struct conf_spool, spool_fields);

static const struct field timeouts_fields[] = {
    PACK_NUMBER(U64, struct conf_timeouts, connect),
    PACK_NUMBER(U64, struct conf_timeouts, greeting),
    PACK_NUMBER(U64, struct conf_timeouts, ehlo),
    PACK_NUMBER(U64, struct conf_timeouts, tls),
    PACK_NUMBER(U64, struct conf_timeouts, auth),
    PACK_NUMBER(U64, struct conf_timeouts, mail),
    PACK_NUMBER(U64, struct conf_timeouts, rcpt),
    PACK_NUMBER(U64, struct conf_timeouts, data),
    PACK_NUMBER(U64, struct conf_timeouts, block),
    PACK_NUMBER(U64, struct conf_timeouts, end),
    PACK_NUMBER(U64, struct conf_timeouts, quit),
    PACK_NUMBER(U64, struct conf_timeouts, idle),
};
static const struct shape timeouts_shape = SHAPE(struct conf_timeouts, timeouts_fields);

static const struct field dns_fields[] = {
    PACK_BYTES(struct conf_dns, trust_anchor, TEXT_MAX),
    PACK_BYTES(struct conf_dns, root_hints, TEXT_MAX),
    PACK_LIST(struct conf_dns, forward, forward_count, &text_shape, OPTION_LIST_MAX),
};
static const struct shape dns_shape = SHAPE(struct conf_dns, dns_fields);

static const struct field accounts_fields[] = {
    PACK_BYTES(struct conf_accounts, gate, TEXT_MAX),
    PACK_BYTES(struct conf_accounts, vault, TEXT_MAX),
    PACK_BYTES(struct conf_accounts, queue, TEXT_MAX),
    PACK_BYTES(struct conf_accounts, relay, TEXT_MAX),
    PACK_BYTES(struct conf_accounts, maildrop, TEXT_MAX),
    PACK_BYTES(struct conf_accounts, fetch, TEXT_MAX),
};
static const struct shape accounts_shape = SHAPE(struct conf_accounts, accounts_fields);

static const struct field extensions_fields[] = {
    PACK_NUMBER(BOOL, struct conf_extensions, chunking),
    PACK_NUMBER(BOOL, struct conf_extensions, binarymime),
    PACK_NUMBER(BOOL, struct conf_extensions, smtputf8),
    PACK_NUMBER(BOOL, struct conf_extensions, dsn),
    PACK_NUMBER(BOOL, struct conf_extensions, limits),
    PACK_NUMBER(BOOL, struct conf_extensions, deliverby),
    PACK_NUMBER(U64, struct conf_extensions, deliverby_least),
    PACK_NUMBER(BOOL, struct conf_extensions, futurerelease),
    PACK_NUMBER(U64, struct conf_extensions, futurerelease_most),
    PACK_NUMBER(U64, struct conf_extensions, futurerelease_messages),
    PACK_NUMBER(U64, struct conf_extensions, futurerelease_octets),
    PACK_NUMBER(BOOL, struct conf_extensions, requiretls),
    PACK_NUMBER(BOOL, struct conf_extensions, mt_priority),
    PACK_LIST(struct conf_extensions, mt_priority_users, mt_priority_user_count, &text_shape,
        OPTION_LIST_MAX),
    PACK_ENUM(struct conf_extensions, mt_priority_least, CONF_PRIORITY_URGENT),
    PACK_NUMBER(BOOL, struct conf_extensions, mt_priority_later),
    PACK_NUMBER(U64, struct conf_extensions, mt_priority_urgent_size),
    PACK_NUMBER(BOOL, struct conf_extensions, rrvs),
    PACK_NUMBER(BOOL, struct conf_extensions, mtrk),
    PACK_LIST(struct conf_extensions, no_soliciting, no_soliciting_count, &text_shape, 16),
    PACK_NUMBER(BOOL, struct conf_extensions, conperm),
    PACK_NUMBER(BOOL, struct conf_extensions, conneg),
    PACK_NUMBER(BOOL, struct conf_extensions, checkpoint),
    PACK_NUMBER(BOOL, struct conf_extensions, burl),
    PACK_NUMBER(U64, struct conf_extensions, burl_timeout),
};
static const struct shape extensions_shape = SHAPE(struct conf_extensions, extensions_fields);

static const struct field network_fields[] = {
    PACK_BYTES(struct conf_network, text, TEXT_MAX),
    PACK_NUMBER(U64, struct conf_network, high),
    PACK_NUMBER(U64, struct conf_network, low),
    PACK_NUMBER(U8, struct conf_network, prefix),
};
static const struct shape network_shape = SHAPE(struct conf_network, network_fields);

static const struct field conf_fields[] = {
    PACK_NUMBER(U64, struct conf, number),
    PACK_LIST(struct conf, pending, pending_count, &text_shape, PENDING_MAX),
    PACK_BYTES(struct conf, hostname, TEXT_MAX),
    PACK_BYTES(struct conf, state, TEXT_MAX),
    PACK_BYTES(struct conf, control, TEXT_MAX + 32),
    PACK_BYTES(struct conf, postmaster, TEXT_MAX),
    PACK_NUMBER(U64, struct conf, gates),
    PACK_NUMBER(U64, struct conf, relays),
    PACK_NUMBER(BOOL, struct conf, allow_address_literals),
    PACK_NUMBER(BOOL, struct conf, strict_envelope),
    PACK_NUMBER(BOOL, struct conf, postmaster_unauth),
    PACK_NUMBER(BOOL, struct conf, hide_client),
    PACK_ENUM(struct conf, log, CONF_LOG_JSON),
    PACK_LIST(
        struct conf, trusted_networks, trusted_network_count, &network_shape, OPTION_LIST_MAX),
    PACK_LIST(struct conf, trusted_senders, trusted_sender_count, &text_shape, OPTION_LIST_MAX),
    PACK_LIST(struct conf, listeners, listener_count, &listener_shape, 64),
    PACK_SHAPE(struct conf, tls, &tls_shape),
    PACK_SHAPE(struct conf, users, &users_shape),
    PACK_SHAPE(struct conf, auth, &auth_shape),
    PACK_LIST(struct conf, certificates, certificate_count, &certificate_shape, 4096),
    PACK_LIST(struct conf, domains, domain_count, &domain_shape, 4096),
    PACK_LIST(struct conf, routes, route_count, &route_shape, 4096),
    PACK_LIST(struct conf, imap_servers, imap_server_count, &imap_server_shape, 64),
    PACK_SHAPE(struct conf, queue, &queue_shape),
    PACK_SHAPE(struct conf, limits, &limits_shape),
    PACK_SHAPE(struct conf, spool, &spool_shape),
    PACK_SHAPE(struct conf, timeouts, &timeouts_shape),
    PACK_SHAPE(struct conf, dns, &dns_shape),
    PACK_SHAPE(struct conf, accounts, &accounts_shape),
    PACK_SHAPE(struct conf, extensions, &extensions_shape),
};
static const struct shape conf_shape = SHAPE(struct conf, conf_fields);

void conf_pack(const struct conf *conf, struct buffer *out)
{
    buffer_put_u32(out, SNAPSHOT_FORMAT);
    pack(out, &conf_shape, conf);
}

enum err conf_unpack(struct slice bytes, struct arena *arena, struct conf **out_conf)
{
    struct conf *conf = arena_alloc(arena, sizeof *conf);
    struct cursor cursor;
    struct slice copy;
    enum err rc;

    if (!conf || !arena_copy(arena, bytes, &copy))
        return ERR_NOMEM;
    cursor = cursor_of(copy);
    if (cursor_u32(&cursor) != SNAPSHOT_FORMAT)
        return ERR_CORRUPT;
    rc = unpack(&cursor, &conf_shape, arena, conf);
    if (rc == ERR_OK)
        rc = cursor_finish(&cursor);
    if (rc == ERR_OK)
        *out_conf = conf;
    return rc;
}
