/* vault/senders.c: looks at the user file, then at the whole list. */
#include "vault/senders.h"

#include <stdlib.h>

#include "base/arena.h"
#include "ipc/channel.h"
#include "policy/rights.h"
#include "vault/store.h"

/* All patterns that a user and its groups can have, twice. */
enum { QUESTION_ARENA = 8192, LISTS_ARENA = 1 << 20 };

struct question {
    struct question *prev, *next;
    struct senders *senders;
    struct asker *asker;
    struct store_wait wait;
    uint64_t session;
    struct arena arena;
    struct slice user;
    enum rights_question asked;
    struct slice address;
};

struct senders {
    struct store *store;
    struct question *questions;
};

struct senders *senders_new(struct store *store)
{
    struct senders *senders = calloc(1, sizeof *senders);

    if (senders)
        senders->store = store;
    return senders;
}

void senders_free(struct senders **senders)
{
    free(*senders);
    *senders = NULL;
}

static void drop(struct question *question)
{
    store_forget(&question->wait);
    DL_DELETE(question->senders->questions, question);
    question->asker->conversations--;
    arena_clear(&question->arena);
    free(question);
}

static void answer(struct asker *asker, uint64_t session, bool allowed)
{
    struct msg_rights_done done = { .session = session, .allowed = allowed };

    channel_send(asker->channel, MSG_RIGHTS_DONE, &done, -1);
}

static bool is_allowed(const struct user *user, enum rights_question asked, struct slice address)
{
    struct grant grant;
    struct arena arena;
    bool is_good = false;

    if (!user || user->state != USER_ACTIVE)
        return false;
    arena_init(&arena, LISTS_ARENA);
    if (grant_of(user, SIZE_MAX, &arena, &grant))
        is_good = asked == ASK_SENDER ? rights_sender(&grant, address) == RIGHTS_ALLOWED
                                      : rights_recipient(&grant, address) == RIGHTS_ALLOWED;
    arena_clear(&arena);
    return is_good;
}

static void on_ready(struct store_wait *wait, enum err rc)
{
    struct question *question = CONTAINER_OF(wait, struct question, wait);
    const struct user *user =
        rc == ERR_OK ? store_find(question->senders->store, question->user) : NULL;

    answer(
        question->asker, question->session, is_allowed(user, question->asked, question->address));
    drop(question);
}

void senders_ask(struct senders *senders, struct asker *asker, const struct msg_rights *message)
{
    struct question *question = NULL;

    if (asker->conversations < ASKER_CONVERSATIONS_MAX)
        question = calloc(1, sizeof *question);
    if (!question) {
        answer(asker, message->session, false);
        return;
    }
    arena_init(&question->arena, QUESTION_ARENA);
    question->senders = senders;
    question->asker = asker;
    question->session = message->session;
    question->asked = message->question;
    question->wait.ready = on_ready;
    DL_APPEND(senders->questions, question);
    asker->conversations++;
    if (arena_copy(&question->arena, message->user, &question->user) &&
        arena_copy(&question->arena, message->address, &question->address)) {
        store_ask(senders->store, &question->wait);
        return;
    }
    answer(asker, message->session, false);
    drop(question);
}

void senders_forget_asker(struct senders *senders, struct asker *asker)
{
    struct question *question, *next;

    DL_FOREACH_SAFE (senders->questions, question, next)
        if (question->asker == asker)
            drop(question);
}
