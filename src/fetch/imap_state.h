/* fetch/imap_state.h: what a conversation with an IMAP server holds; for imap.c, imap_login.c and
 * imap_content.c alone. */
#ifndef FETCH_IMAP_STATE_H
#define FETCH_IMAP_STATE_H

#include "base/buffer.h"
#include "fetch/imap.h"
#include "fetch/imap_reply.h"
#include "net/addresses.h"
#include "net/dial.h"
#include "net/stream.h"

enum imap_phase {
    IMAP_DIALLING, /* the name is looked up, or the address called */
    IMAP_GREETING, /* the first line of the server */
    IMAP_STARTTLS, /* the reply to it */
    IMAP_HANDSHAKE,
    IMAP_CAPABILITY,  /* the reply to it */
    IMAP_LOGIN_VAULT, /* the vault's next word for the server */
    IMAP_LOGIN_PEER,  /* the server's next word for the vault */
    IMAP_CONTENT,     /* the reply to URLFETCH */
    IMAP_OVER,        /* good-bye was said */
};

/* How far the URLFETCH response has come. */
enum imap_content {
    CONTENT_NONE,   /* none yet */
    CONTENT_URL,    /* it has begun: the URL comes */
    CONTENT_VALUE,  /* what the URL names comes */
    CONTENT_COMING, /* as a literal, octet by octet */
    CONTENT_COMPLETE,
    CONTENT_NIL, /* the server gives none */
};

struct imap {
    struct imap *prev, *next; /* of the room */
    struct fetch *fetch;
    struct fetch_settings *settings;
    const struct conf_imap_server *server;
    size_t server_index;
    const struct imap_events *events;
    void *owner; /* NULL: nobody's any more */

    enum imap_phase phase;
    struct addresses *lookup;
    struct peer peers[ADDRESSES_MAX];
    size_t peer_count, peer_at;
    struct dial dial;
    struct stream *stream;
    bool is_paused;
    bool *gone; /* set when it is freed while its input is read */

    struct imap_reader reader;
    bool is_urlfetch;   /* the response under way is one */
    struct buffer text; /* what is handled now */
    size_t lines;       /* received */
    uint64_t noise;     /* octets received that are neither content nor lines of interest */
    unsigned tag_count;
    char tag[8]; /* of the command under way */

    struct buffer mechanisms; /* as MSG_LOGIN_START wants them */
    uint64_t login;           /* the vault's number; 0: none */
    bool has_said_auth;
    struct buffer first_words; /* in base64, for the server's empty challenge */
    bool has_first_words;

    struct buffer url; /* in quotes */
    uint64_t most;
    enum imap_content content;
    uint64_t octets; /* of content handed on */
};

/* A line of these words. */
void imap_send(struct imap *imap, struct slice words);
/* A new tag, the verb, and its argument if it has one. */
void imap_command(struct imap *imap, const char *verb, struct slice argument);
/* Tells the owner, says good-bye where that makes sense, and is nobody's any more. */
void imap_end(struct imap *imap, enum url_result result, const char *why);

/* imap_login.c */
void imap_login_start(struct imap *imap);
void imap_login_reply(struct imap *imap, const struct imap_response *response);
void imap_login_end(struct imap *imap);
/* imap_content.c */
void imap_content_start(struct imap *imap);
void imap_content_reply(struct imap *imap, const struct imap_response *response);
/* A text of the URLFETCH response; part: behind it a literal comes, or the response ends. */
void imap_content_text(
    struct imap *imap, struct slice text, enum imap_answer answer, const struct imap_part *part);
void imap_content_octets(struct imap *imap, struct slice octets);

#endif
