/* fetch/imap.h: one conversation with an IMAP server: connect, TLS, log in as the configured user,
 * have one URL fetched (RFC 4467 section 7), leave. What it fetches it hands on as it comes. Never
 * more than one connection for a URL, and never to another host than the one asked for
 * (EXT-BURL-6). */
#ifndef FETCH_IMAP_H
#define FETCH_IMAP_H

#include "base/error.h"
#include "base/macros.h"
#include "base/slice.h"
#include "fetch/settings.h"
#include "net/peer.h"

struct fetch;
struct imap;
struct msg_login_say;

/* From the loop, never from inside a function of this header. */
/* How long all of it may take is the owner's to say. */
struct imap_events {
    /* Content, in pieces; where imap_pause is called inside, few come still. */
    void (*octets)(void *owner, struct slice octets);
    /* The end; why: a phrase that lives until this returns. The conversation is the owner's no
     * longer. */
    void (*ended)(void *owner, enum url_result result, const char *why);
};

struct imap_order {
    struct fetch_settings *settings;
    size_t server;    /* among the configuration's imap_servers */
    struct slice url; /* of printable ASCII without quotes and backslashes; copied */
    uint64_t most;    /* octets of content; 0: no limit */
};

/* NULL without memory. */
MUST_CHECK struct imap *imap_start(struct fetch *fetch, const struct imap_order *order,
    const struct imap_events *events, void *owner);
/* Nothing is called any more. Nulls the pointer; NULL is harmless. */
void imap_cancel(struct imap **imap);
/* No octets now; and again. */
void imap_pause(struct imap *imap);
void imap_resume(struct imap *imap);

/* The vault speaks, or is gone: for the conversation that has asked it. */
void imap_login_say(struct fetch *fetch, const struct msg_login_say *say);
void imap_vault_lost(struct fetch *fetch);
/* Those that are saying good-bye still. */
void imap_end_all(struct fetch *fetch);

#endif
