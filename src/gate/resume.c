/* gate/resume.c: MAIL goes on with what was kept of its transaction (EXT-CKPT-2). What its
 * recipients were allowed when it was cut need not be allowed now: rights may have been withdrawn,
 * and another login of the same user may have fewer. Whoever goes on is judged as if he gave them
 * now. */
#include "base/arena.h"
#include "gate/ask.h"
#include "gate/command.h"
#include "gate/gate.h"
#include "gate/partial.h"
#include "gate/session.h"
#include "gate/transaction.h"
#include "policy/rights.h"
#include "smtp/envelope.h"

enum { ADDRESS_ROOM = 8 << 10 }; /* for the parts of one address */

/* False without memory, or when they are none. */
static bool restore_recipients(
    struct transaction *t, const struct msg_partial_recipient *recipients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct msg_partial_recipient *from = &recipients[i];
        struct rcpt_parameters wishes = { .notify = from->notify,
            .orcpt = from->orcpt,
            .rrvs = (enum rrvs_action)(from->rrvs & 3),
            .rrvs_since = from->rrvs_since };
        struct address address;
        size_t at;

        if (mailbox_parse(&t->arena, from->address, &address, &at) != ADDRESS_OK ||
            transaction_set_candidate(t, &address, &wishes) != ERR_OK ||
            transaction_add_recipient(t) != ERR_OK)
            return false;
    }
    return count > 0;
}

/* <postmaster> was let in by that name, which is not kept (SUB-6.4-2). */
static bool is_our_postmaster(const struct session *s, struct slice recipient)
{
    char room[2 * ADDRESS_PATH_MAX];
    struct buffer text = { .data = room, .size = sizeof room, .cap = sizeof room };

    address_write(&text, &s->snapshot->postmaster);
    return text.error == ERR_OK && slice_equals(buffer_slice(&text), recipient);
}

static enum rights_verdict judge(const struct session *s, struct slice recipient, size_t before)
{
    struct rights_answer answer = { .verdict = RIGHTS_REFUSED };
    struct address address;
    struct arena arena;
    size_t at;

    if (is_our_postmaster(s, recipient))
        return RIGHTS_ALLOWED;
    arena_init(&arena, ADDRESS_ROOM);
    if (mailbox_parse(&arena, recipient, &address, &at) == ADDRESS_OK)
        answer = rights_decide(&(struct rights_case){ .step = RIGHTS_RCPT,
            .conf = s->snapshot->conf,
            .grant = session_mail_grant(s),
            .narrower = session_narrower(s),
            .address = &address,
            .text = recipient,
            .recipients = before });
    arena_clear(&arena);
    return answer.verdict;
}

static enum answer say_resumed(struct session *s)
{
    s->transaction->is_resumed = true;
    session_move(s, PHASE_RCPT);
    session_sayf(s, REPLY_RESUMED, "%llu is the transaction offset",
        (unsigned long long)s->transaction->partial->octets);
    return ANSWER_REPLY;
}

/* Nothing of what was kept counts: the client gives its recipients again, and hears at each what
 * is to be said. */
static enum answer begin_anew(struct session *s)
{
    partial_drop(&s->transaction->partial);
    transaction_forget_recipients(s->transaction);
    return mail_say_sender(s);
}

static enum answer judge_recipients(struct session *s);

static enum answer recipient_judged(struct session *s, enum rights_word word)
{
    if (word == RIGHTS_WORD_NO)
        return begin_anew(s);
    if (word == RIGHTS_WORD_YES) {
        s->transaction->judged++;
        return judge_recipients(s);
    }
    partial_put_back(&s->transaction->partial); /* nobody answers: another time perhaps */
    session_reset(s);
    session_say(s, REPLY_INTERNAL);
    return ANSWER_REPLY;
}

static enum answer judge_recipients(struct session *s)
{
    struct transaction *t = s->transaction;

    for (; t->judged < t->recipient_count; t->judged++) {
        struct slice recipient = t->recipients[t->judged].address;
        enum rights_verdict verdict = judge(s, recipient, t->judged);

        if (verdict == RIGHTS_REFUSED)
            return begin_anew(s);
        if (verdict == RIGHTS_ASK)
            return ask_rights(s, ASK_RECIPIENT, recipient, recipient_judged);
    }
    return say_resumed(s);
}

enum answer partial_known(
    struct session *s, const struct msg_partial_recipient *recipients, size_t count)
{
    struct transaction *t = s->transaction;
    struct partial *p = t->partial;

    session_move(s, PHASE_MAIL);
    if (!p || p->phase == PARTIAL_OPEN)
        return mail_say_sender(s);
    if (!restore_recipients(t, recipients, count)) {
        session_reset(s);
        session_say(s, REPLY_INTERNAL);
        return ANSWER_REPLY;
    }
    /* What was taken is not taken back. */
    return p->phase == PARTIAL_MISSED ? say_resumed(s) : judge_recipients(s);
}
