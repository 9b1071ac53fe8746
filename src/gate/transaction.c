/* gate/transaction.c: the envelope under construction. */
#include "gate/transaction.h"

#include <stdlib.h>

#include "base/map.h"
#include "gate/commit.h"
#include "gate/partial.h"

enum {
    ARENA_BASE = 32 << 10,
    ARENA_PER_RECIPIENT = 3072, /* address, ORCPT, key and map entry at their longest, and the
                                   list's growth */
    RECIPIENTS_FIRST = 8,
    MAILBOX_TEXT_MAX = ENVELOPE_ADDRESS_MAX,
};

struct transaction_mailbox {
    UT_hash_handle hh;
    bool is_restated;
};

struct transaction *transaction_new(size_t recipients)
{
    struct transaction *t = calloc(1, sizeof *t);

    if (t)
        arena_init(&t->arena, ARENA_BASE + recipients * ARENA_PER_RECIPIENT);
    return t;
}

void transaction_free(struct transaction **transaction)
{
    struct transaction *t = *transaction;

    *transaction = NULL;
    if (!t)
        return;
    partial_drop(&t->partial);
    HASH_CLEAR(hh, t->mailboxes);
    body_clear(&t->body);
    entry_free(&t->entry);
    arena_clear(&t->arena);
    free(t);
}

/* Writes with the writer, and keeps the text. */
static enum err keep_text(struct transaction *t, struct buffer *written, struct slice *out_text)
{
    bool is_kept =
        written->error == ERR_OK && arena_copy(&t->arena, buffer_slice(written), out_text);

    buffer_clear(written);
    return is_kept ? ERR_OK : ERR_NOMEM;
}

enum err transaction_set_sender(struct transaction *t, const struct address *sender)
{
    struct buffer text;

    buffer_init(&text, MAILBOX_TEXT_MAX);
    address_write(&text, sender);
    t->sender_utf8 = sender->non_ascii;
    return keep_text(t, &text, &t->sender);
}

enum err transaction_set_parameters(struct transaction *t, const struct mail_parameters *from)
{
    struct mail_parameters *to = &t->parameters;

    *to = *from;
    to->has_auth = false;
    to->auth = (struct address){ 0 };
    return arena_copy(&t->arena, from->envid, &to->envid) &&
                   arena_copy(&t->arena, from->mtrk.certifier, &to->mtrk.certifier) &&
                   arena_copy(&t->arena, from->solicit, &to->solicit) &&
                   arena_copy(&t->arena, from->transid, &to->transid)
               ? ERR_OK
               : ERR_NOMEM;
}

enum err transaction_set_candidate(
    struct transaction *t, const struct address *candidate, const struct rcpt_parameters *wishes)
{
    t->wishes = *wishes;
    return address_copy(&t->arena, candidate, &t->candidate) &&
                   arena_copy(&t->arena, wishes->orcpt, &t->wishes.orcpt)
               ? ERR_OK
               : ERR_NOMEM;
}

/* Equal for equal addresses: the local part as it is, the domain in one form. */
static enum err make_key(
    struct transaction *t, const struct address *address, struct slice *out_key)
{
    struct buffer text;

    buffer_init(&text, MAILBOX_TEXT_MAX * 2);
    buffer_put_slice(&text, address->local);
    buffer_put_char(&text, '@');
    if (!domain_to_ascii(&text, address->domain))
        buffer_put_slice(&text, address->domain);
    return keep_text(t, &text, out_key);
}

static enum err make_room(struct transaction *t)
{
    size_t room = t->recipient_room ? t->recipient_room * 2 : RECIPIENTS_FIRST;
    struct envelope_recipient *list;

    if (t->recipient_count < t->recipient_room)
        return ERR_OK;
    list = arena_array(&t->arena, room, sizeof *list);
    if (!list)
        return ERR_NOMEM;
    if (t->recipient_count > 0)
        memcpy(list, t->recipients, t->recipient_count * sizeof *list);
    t->recipients = list;
    t->recipient_room = room;
    return ERR_OK;
}

static enum err append(struct transaction *t, struct slice key)
{
    const struct address *address = &t->candidate;
    struct transaction_mailbox *mailbox = arena_array(&t->arena, 1, sizeof *mailbox);
    struct envelope_recipient recipient = {
        .flags = address->non_ascii ? MAILBOX_UTF8 : 0,
        .notify = t->wishes.notify,
        .orcpt = t->wishes.orcpt,
        .rrvs = (enum envelope_rrvs)t->wishes.rrvs,
        .rrvs_since = t->wishes.rrvs_since,
    };
    struct buffer text;
    enum err code = mailbox ? make_room(t) : ERR_NOMEM;

    if (code)
        return code;
    buffer_init(&text, MAILBOX_TEXT_MAX);
    address_write(&text, address);
    code = keep_text(t, &text, &recipient.address);
    if (code)
        return code;
    t->recipients[t->recipient_count++] = recipient;
    HASH_ADD_KEYPTR(hh, t->mailboxes, key.data, key.len, mailbox);
    return ERR_OK;
}

/* NULL: not named yet. */
static enum err find_candidate(
    struct transaction *t, struct slice *out_key, struct transaction_mailbox **out_known)
{
    enum err code = make_key(t, &t->candidate, out_key);

    if (code)
        return code;
    HASH_FIND(hh, t->mailboxes, out_key->data, out_key->len, *out_known);
    return ERR_OK;
}

enum err transaction_add_recipient(struct transaction *t)
{
    struct transaction_mailbox *known;
    struct slice key;
    enum err code = find_candidate(t, &key, &known);

    if (code)
        return code;
    return known ? ERR_OK : append(t, key);
}

enum err transaction_restate(struct transaction *t)
{
    struct transaction_mailbox *known;
    struct slice key;
    enum err code = find_candidate(t, &key, &known);

    if (code)
        return code;
    if (!known)
        return ERR_NOTFOUND;
    t->restated += !known->is_restated;
    known->is_restated = true;
    return ERR_OK;
}
