/* gate/ask.h: what a gate asks other rooms on behalf of a session: the vault about logins and
 * senders, a relay about domains, the queue about what is held. A question has a number that is
 * never used again, so an answer that comes late, twice or unasked meets nobody. When the room that
 * was asked goes away, the question waits for its return, and no longer than the session does. */
#ifndef GATE_ASK_H
#define GATE_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "gate/answer.h"
#include "gate/domains.h"
#include "ipc/messages.h"

struct channel;
struct gate;
struct session;
struct tls_sign_request;

enum {
    ASK_ROOM_MS = 30000, /* for the answer of a room that may be restarting (design.md section 2) */
    ASK_AUTH_MS = 60000, /* for a login: the vault's workers may be busy (SUB-5.3-1) */
    ASK_DOMAIN_MS = 5000, /* SUB-4.2-6 */
    ASK_RELAYS_MAX = 256,
};

enum rights_word { RIGHTS_WORD_YES, RIGHTS_WORD_NO, RIGHTS_WORD_NONE /* nobody answers */ };

/* How a session goes on with the answer to its question. */
typedef enum answer rights_fn(struct session *session, enum rights_word word);
typedef enum answer domain_fn(struct session *session, enum domain_verdict verdict);
typedef enum answer held_fn(struct session *session, enum rights_word word);

/* Embedded in a session. */
struct question {
    uint64_t number; /* of the question under way; 0: none */
    uint16_t count;
    enum rights_question asked;
    char *about; /* sender, recipient or domain; owned */
    size_t about_len;
    union {
        rights_fn *rights;
        domain_fn *domain;
        held_fn *held;
    };
};

/* Embedded in the gate. */
struct ask {
    struct gate *gate;
    struct channel *vault; /* NULL while it is away */
    struct channel *relays[ASK_RELAYS_MAX];
    struct domains domains;
};

void ask_init(struct ask *ask, struct gate *gate);
void ask_clear(struct ask *ask);
/* A (new) channel's socket. What was asked of the vault and not answered is asked again. */
void ask_attach_vault(struct ask *ask, int fd);
void ask_attach_relay(struct ask *ask, uint32_t index, int fd);

/* A handshake needs a signature; without a vault it is asked for when one is there (tls_sign_fn,
 * the owner is the ask). */
void ask_sign(void *owner, const struct tls_sign_request *request);

/* May the session's user send as, or to, this address (local@domain)? */
enum answer ask_rights(
    struct session *session, enum rights_question asked, struct slice address, rights_fn *go_on);
/* Does the domain (A-labels, lower case) exist? May go on at once: with what is remembered, or with
 * DOMAIN_SILENT when no relay is there. */
enum answer ask_domain(struct session *session, struct slice domain, domain_fn *go_on);
/* May the user have one more message held, of the size that MAIL said (EXT-FUTURE-6)? The queue
 * knows, and is heard through gate/commit.h. */
enum answer ask_held(struct session *session, held_fn *go_on);
void ask_held_answered(struct gate *gate, const struct msg_held_answer *answer);
/* A queue is there again: what was asked and not answered is asked again. */
void ask_held_again(struct gate *gate);
/* The exchange begins (session->exchange says with what), or the client answered a challenge. What
 * the vault says goes to auth_challenged, auth_finished or auth_lost of gate/command.h. */
enum answer ask_auth_start(struct session *session);
enum answer ask_auth_step(struct session *session, struct slice data);
/* The exchange is over before its end. */
void ask_auth_cancel(struct session *session);

/* The time for the answer is over (WAIT_AUTH, WAIT_RIGHTS, WAIT_DOMAIN, WAIT_HELD). */
enum answer ask_auth_is_over(struct session *session);
enum answer ask_rights_is_over(struct session *session);
enum answer ask_domain_is_over(struct session *session);
enum answer ask_held_is_over(struct session *session);
/* The session no longer asks anything. */
void ask_forget(struct session *session);

#endif
