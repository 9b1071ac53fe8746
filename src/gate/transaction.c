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
    MAILBOX_KEY_MAX = 2 * MAILBOX_TEXT_MAX,
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
static void key_write(struct buffer *out, const struct address *address)
{
    buffer_put_slice(out, address->local);
    buffer_put_char(out, '@');
    if (!domain_to_ascii(out, address->domain))
        buffer_put_slice(out, address->domain);
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

static enum err append(struct transaction *t)
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
    struct slice key;
    enum err code = mailbox ? make_room(t) : ERR_NOMEM;

    if (code)
        return code;
    buffer_init(&text, MAILBOX_TEXT_MAX);
    address_write(&text, address);
    code = keep_text(t, &text, &recipient.address);
    if (code)
        return code;
    buffer_init(&text, MAILBOX_KEY_MAX);
    key_write(&text, address);
    code = keep_text(t, &text, &key);
    if (code)
        return code;
    t->recipients[t->recipient_count++] = recipient;
    HASH_ADD_KEYPTR(hh, t->mailboxes, key.data, key.len, mailbox);
    return ERR_OK;
}

/* *out_mailbox is NULL when nobody of that address was named yet. */
static enum err find(const struct transaction *t, const struct address *address,
    struct transaction_mailbox **out_mailbox)
{
    char room[MAILBOX_KEY_MAX];
    struct buffer key = { .data = room, .size = sizeof room, .cap = sizeof room };

    key_write(&key, address);
    if (key.error != ERR_OK)
        return key.error;
    HASH_FIND(hh, t->mailboxes, key.data, key.len, *out_mailbox);
    return ERR_OK;
}

bool transaction_names(const struct transaction *t, const struct address *address)
{
    struct transaction_mailbox *known = NULL;

    return find(t, address, &known) == ERR_OK && known;
}

enum err transaction_add_recipient(struct transaction *t)
{
    struct transaction_mailbox *known;
    enum err code = find(t, &t->candidate, &known);

    if (code)
        return code;
    return known ? ERR_OK : append(t);
}

enum err transaction_restate(struct transaction *t)
{
    struct transaction_mailbox *known;
    enum err code = find(t, &t->candidate, &known);

    if (code)
        return code;
    if (!known)
        return ERR_NOTFOUND;
    t->restated += !known->is_restated;
    known->is_restated = true;
    return ERR_OK;
}

void transaction_forget_recipients(struct transaction *t)
{
    HASH_CLEAR(hh, t->mailboxes);
    t->recipient_count = 0;
    t->is_resumed = false;
    t->restated = t->judged = 0;
}
