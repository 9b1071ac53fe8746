/* gate/snapshot.c: a configuration in force, shared by the sessions that began under it. */
#include "gate/snapshot.h"

#include <stdlib.h>

#include "base/log.h"
#include "ipc/messages.h"
#include "policy/rights.h"
#include "smtp/extension.h"
#include "spool/record.h"

enum { CERTIFICATES_OCTETS = 64 << 20, SNAPSHOT_OCTETS = 16 << 20 };

void certificates_init(struct certificates *certificates)
{
    arena_init(&certificates->arena, CERTIFICATES_OCTETS);
    certificates->count = 0;
    certificates->client_ca = slice_of(NULL, 0);
}

void certificates_clear(struct certificates *certificates)
{
    arena_clear(&certificates->arena);
    certificates->count = 0;
    certificates->client_ca = slice_of(NULL, 0);
}

enum err certificates_add(struct certificates *certificates, uint32_t index, struct slice chain)
{
    struct tls_identity *identity = &certificates->identities[certificates->count];

    if (index == CERTIFICATE_CLIENT_CA)
        return arena_copy(&certificates->arena, chain, &certificates->client_ca) ? ERR_OK
                                                                                 : ERR_NOMEM;
    if (certificates->count == CERTIFICATES_MAX)
        return ERR_LIMIT;
    if (!arena_copy(&certificates->arena, chain, &identity->chain_pem))
        return ERR_NOMEM;
    identity->key = index;
    certificates->count++;
    return ERR_OK;
}

/* TLS-16: who could map no certificate asks for none. */
static bool maps_certificates(const struct conf *conf)
{
    return conf->users.kind.len > 0 && (conf->certificate_count > 0 || conf->tls.client_ca.len > 0);
}

static enum err start_tls(
    struct snapshot *snapshot, struct certificates *certificates, struct tls_signer *signer)
{
    char why[TLS_WHY];
    enum err code;

    if (certificates->count == 0)
        return ERR_OK;
    /* The vault holds the keys of two snapshots while one takes over from the other. */
    for (size_t i = 0; i < certificates->count; i++)
        certificates->identities[i].key =
            key_number(snapshot->conf->number, certificates->identities[i].key);
    code =
        tls_server_new(signer, certificates->identities, certificates->count, &snapshot->tls, why);
    if (code == ERR_OK && maps_certificates(snapshot->conf))
        code = tls_server_ask_clients(snapshot->tls, certificates->client_ca, why);
    if (code == ERR_INVALID)
        log_event(LOG_ERROR, NULL, "certificate refused", log_text("why", why));
    return code;
}

static enum err find_postmaster(struct snapshot *snapshot)
{
    size_t at;
    enum address_fault fault =
        mailbox_parse(&snapshot->arena, snapshot->conf->postmaster, &snapshot->postmaster, &at);

    if (fault == ADDRESS_OK)
        return ERR_OK;
    log_event(LOG_ERROR, NULL, "postmaster is no address",
        log_slice("postmaster", snapshot->conf->postmaster),
        log_text("why", address_fault_text(fault)));
    return ERR_INVALID;
}

/* What a record can hold, whatever is asked for. */
static void bound_limits(struct conf *conf)
{
    if (conf->limits.recipients > ENVELOPE_RECIPIENTS_MAX)
        conf->limits.recipients = ENVELOPE_RECIPIENTS_MAX;
    if (conf->spool.large_message > RECORD_BODY_MAX)
        conf->spool.large_message = RECORD_BODY_MAX;
}

/* What can work here at all; what a connection lacks for some of them, session_mechanisms knows. */
static uint32_t mechanisms_of(const struct conf *conf)
{
    uint32_t set = 0;

    if (conf->users.kind.len > 0)
        set |= MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS) |
               MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_PLAIN) |
               MECHANISM_BIT(MECHANISM_LOGIN);
    if (conf->users.kind.len > 0 && conf->auth.scram_sha_1)
        set |= MECHANISM_BIT(MECHANISM_SCRAM_SHA_1_PLUS) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_1);
    if (conf->users.kind.len > 0 && conf_takes_tokens(conf))
        set |= MECHANISM_BIT(MECHANISM_OAUTHBEARER) | MECHANISM_BIT(MECHANISM_XOAUTH2);
    if (maps_certificates(conf))
        set |= MECHANISM_BIT(MECHANISM_EXTERNAL);
    return set;
}

static enum err fill(struct snapshot *snapshot, struct slice conf,
    struct certificates *certificates, struct tls_signer *signer)
{
    enum err code = conf_unpack(conf, &snapshot->arena, &snapshot->conf);

    if (code)
        return code;
    bound_limits(snapshot->conf);
    if (!rights_trusted(snapshot->conf, &snapshot->arena, &snapshot->trusted))
        return ERR_NOMEM;
    snapshot->stranger = rights_stranger();
    code = find_postmaster(snapshot);
    if (code)
        return code;
    snapshot->mechanisms = mechanisms_of(snapshot->conf);
    return start_tls(snapshot, certificates, signer);
}

enum err snapshot_new(struct slice conf, struct certificates *certificates,
    struct tls_signer *signer, struct snapshot **out_snapshot)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    enum err code;

    if (!snapshot)
        return ERR_NOMEM;
    snapshot->holds = 1;
    arena_init(&snapshot->arena, SNAPSHOT_OCTETS);
    code = fill(snapshot, conf, certificates, signer);
    if (code) {
        snapshot_release(&snapshot);
        return code;
    }
    *out_snapshot = snapshot;
    return ERR_OK;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    snapshot->holds++;
    return snapshot;
}

void snapshot_release(struct snapshot **snapshot)
{
    struct snapshot *s = *snapshot;

    *snapshot = NULL;
    if (!s || --s->holds > 0)
        return;
    tls_server_free(&s->tls);
    arena_clear(&s->arena);
    free(s);
}
