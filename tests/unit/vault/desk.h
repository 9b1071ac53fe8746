/* tests/unit/vault/desk.h: both ends of a channel on one loop: the vault's asker, and the far end,
 * which keeps what it is told. */
#ifndef TESTS_VAULT_DESK_H
#define TESTS_VAULT_DESK_H

#include "ipc/channel.h"
#include "vault/asker.h"

enum { ANSWERS_MAX = 256, ANSWER_DATA = 4096 };

/* One message as it came, whatever its type. */
struct answer {
    enum message_type type;
    uint64_t number; /* session, request or login */
    enum auth_result result;
    bool yes; /* may_submit, ok, allowed, or not failed */
    bool more_senders;
    bool is_narrowed;
    bool scope_submit;
    size_t scope_senders;
    char first_scope_sender[256];
    bool has_data;
    size_t senders;
    char first_sender[256];
    char user[256];
    char mechanism[64];
    char text[256];
    char data[ANSWER_DATA];
    size_t len;
};

struct desk {
    struct loop *loop;
    struct asker asker;
    struct channel *far;
    bool is_closed; /* the far end saw the channel go */
    struct answer answers[ANSWERS_MAX];
    size_t count;
};

/* A socket pair: the vault's end with these handlers (owner: the asker), the far end in the role.
 */
void desk_open(struct desk *desk, struct loop *loop, enum role far,
    const struct channel_handler *handlers, size_t count);
/* The far end alone, on a socket of its own. */
void desk_attach(struct desk *desk, struct loop *loop, enum role far, int fd);
void desk_close(struct desk *desk);
void desk_send(struct desk *desk, enum message_type type, const void *message);
/* The answer of that place (from 0), waiting up to 20 s for it. */
const struct answer *desk_answer(struct desk *desk, size_t place);
/* Turns the loop for a while. */
void desk_turn(struct desk *desk, int64_t ms);

static inline struct slice answer_data(const struct answer *answer)
{
    return slice_of(answer->data, answer->len);
}

#endif
