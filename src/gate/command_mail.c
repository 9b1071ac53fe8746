/* gate/command_mail.c: MAIL and RCPT: each a short story of checks, from what needs nobody to what
 * another room has to say. Whatever is not decided yet waits in the transaction. */
#include "base/clock.h"
#include "gate/command.h"
#include "gate/gate.h"
#include "gate/partial.h"
#include "gate/report.h"
#include "gate/session.h"
#include "gate/solicitation.h"
#include "gate/transaction.h"
#include "policy/priority.h"
#include "policy/rights.h"
#include "policy/route.h"
#include "smtp/envelope.h"

enum { DOMAIN_OCTETS = 512 };

static enum answer say(struct session *s, enum reply_id reply)
{
    session_say(s, reply);
    return ANSWER_REPLY;
}

static enum answer refuse_syntax(struct session *s, const struct envelope_error *error)
{
    envelope_error_write(session_words(s, error->reply), error);
    return ANSWER_REPLY;
}

/* The address as rights_decide and the vault know it. In the scratch arena; false without memory.
 */
static bool address_text(struct session *s, const struct address *address, struct slice *out_text)
{
    char room[2 * ADDRESS_PATH_MAX];
    struct buffer text = { .data = room, .size = sizeof room, .cap = sizeof room };

    address_write(&text, address);
    return text.error == ERR_OK && arena_copy(&s->gate->scratch, buffer_slice(&text), out_text);
}

/* The domain as DNS and the tables of routes know it; the empty slice when it has none such. In the
 * scratch arena. */
static struct slice ascii_domain(struct session *s, const struct address *address)
{
    struct slice domain = { 0 };
    struct buffer text;

    buffer_init(&text, DOMAIN_OCTETS);
    if (!domain_to_ascii(&text, address->domain) || text.error ||
        !arena_copy(&s->gate->scratch, buffer_slice(&text), &domain))
        domain = (struct slice){ 0 };
    buffer_clear(&text);
    return domain;
}

/* MAIL. */

/* Whoever writes to the postmaster without a login may name anybody as sender: to whom then neither
 * a notice of success goes, nor what was written (SUB-6.4-1). */
static bool is_stranger(const struct session *s)
{
    return session_mail_grant(s) == &s->snapshot->stranger;
}

/* The sender is not taken: nothing of it stays. */
static enum answer refuse_sender(struct session *s, enum reply_id reply)
{
    transaction_free(&s->transaction);
    return say(s, reply);
}

enum answer mail_say_sender(struct session *s)
{
    if (s->transaction->is_lowered) {
        session_sayf(s, REPLY_PRIORITY_CHANGED, "%d priority lowered", 0); /* EXT-MTPRI-2 */
        return ANSWER_REPLY;
    }
    session_sayf(s, REPLY_SENDER_OK, "<%.*s> Sender ok", SLICE_ARGS(s->transaction->sender));
    return ANSWER_REPLY;
}

/* Nothing is kept for strangers: they could fill what all share. */
static enum answer take_sender(struct session *s)
{
    if (s->transaction->parameters.transid.len > 0 && !is_stranger(s))
        return partial_ask(s, s->transaction->mail);
    session_move(s, PHASE_MAIL);
    return mail_say_sender(s);
}

/* OPS-7: what is not known is let through, what is known to be wrong is not. */
static enum answer sender_domain_known(struct session *s, enum domain_verdict verdict)
{
    static const enum reply_id replies[] = {
        [DOMAIN_MISSING] = REPLY_SENDER_DOMAIN,
        [DOMAIN_NULL_MX] = REPLY_SENDER_NULL_MX,
        [DOMAIN_TEMPORARY] = REPLY_SENDER_DNS,
        [DOMAIN_SILENT] = NO_OBJECTION,
    };

    if (verdict == DOMAIN_SILENT)
        report_unchecked(s, s->transaction->sender);
    return replies[verdict] ? refuse_sender(s, replies[verdict]) : take_sender(s);
}

/* Our own domains are not asked about, nor those whose mail goes a way that needs no DNS. */
static enum answer check_sender_domain(struct session *s)
{
    const struct conf *conf = s->snapshot->conf;
    struct slice domain = ascii_domain(s, &s->transaction->candidate);
    struct route_choice choice;

    if (domain.len == 0 || conf_domain_find(conf, domain) || !route_choose(conf, domain, &choice) ||
        !choice.ask_dns)
        return take_sender(s);
    return ask_domain(s, domain, sender_domain_known);
}

/* EXT-FUTURE-6. */
static enum answer held_known(struct session *s, enum rights_word word)
{
    static const enum reply_id replies[] = {
        [RIGHTS_WORD_YES] = NO_OBJECTION,
        [RIGHTS_WORD_NO] = REPLY_HELD_QUOTA,
        [RIGHTS_WORD_NONE] = REPLY_INTERNAL,
    };

    return replies[word] ? refuse_sender(s, replies[word]) : check_sender_domain(s);
}

/* One with a date that is past is sent at once. */
static enum answer check_held(struct session *s)
{
    const struct hold *hold = &s->transaction->parameters.hold;

    if (hold->kind == HOLD_NONE || (hold->kind == HOLD_UNTIL && hold->value <= clock_wall()))
        return check_sender_domain(s);
    /* Whoever writes to the postmaster without a login has no room of his own. */
    return is_stranger(s) ? refuse_sender(s, REPLY_HELD_QUOTA) : ask_held(s, held_known);
}

static enum answer sender_rights_known(struct session *s, enum rights_word word)
{
    static const enum reply_id replies[] = {
        [RIGHTS_WORD_YES] = NO_OBJECTION,
        [RIGHTS_WORD_NO] = REPLY_SENDER_FORBIDDEN,
        [RIGHTS_WORD_NONE] = REPLY_INTERNAL,
    };

    return replies[word] ? refuse_sender(s, replies[word]) : check_held(s);
}

static bool may_raise_priority(const struct session *s)
{
    const struct conf_extensions *extensions = &s->snapshot->conf->extensions;
    struct slice user = session_user(s);

    for (size_t i = 0; i < extensions->mt_priority_user_count; i++)
        if (user.len > 0 && slice_equals_nocase(extensions->mt_priority_users[i].text, user))
            return true;
    return false;
}

/* Anybody may lower it, and who may not raise it has his mail sent as any other (EXT-MTPRI-2). */
static void lower_priority(struct session *s)
{
    struct transaction *t = s->transaction;

    t->is_lowered = t->parameters.priority > 0 && !may_raise_priority(s);
    if (t->is_lowered)
        t->parameters.priority = 0;
}

static uint8_t without_success(uint8_t notify)
{
    return notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : notify & (uint8_t)~NOTIFY_SUCCESS;
}

/* EXT-MTPRI-3. */
static enum reply_id priority_objection(const struct session *s)
{
    static const enum reply_id replies[] = {
        [PRIORITY_TAKEN] = NO_OBJECTION,
        [PRIORITY_LATER] = REPLY_PRIORITY_LATER,
        [PRIORITY_TOO_LOW] = REPLY_PRIORITY_LOW,
        [PRIORITY_TOO_BIG] = REPLY_PRIORITY_SIZE,
    };
    const struct mail_parameters *mail = &s->transaction->parameters;

    return replies[priority_judge(&s->snapshot->conf->extensions, mail->priority, mail->size)];
}

static struct parameter_context parameter_context(const struct session *s)
{
    const struct conf_extensions *extensions = &s->snapshot->conf->extensions;

    return (struct parameter_context){
        .offered = s->offered,
        .smtputf8 = s->transaction && s->transaction->parameters.smtputf8,
        .now = clock_wall(),
        .deliver_by_least = (uint32_t)extensions->deliverby_least,
        .hold_most = (uint32_t)extensions->futurerelease_most,
    };
}

static bool open_transaction(
    struct session *s, const struct mail_command *mail, struct slice argument)
{
    s->transaction = transaction_new(s->snapshot->conf->limits.recipients);
    if (!s->transaction)
        return false;
    if (transaction_set_parameters(s->transaction, &mail->parameters) != ERR_OK)
        return false;
    if (mail->parameters.transid.len > 0 &&
        !arena_copy(&s->transaction->arena, argument, &s->transaction->mail))
        return false;
    lower_priority(s);
    if (is_stranger(s))
        s->transaction->parameters.ret = RETURN_HEADERS;
    return transaction_set_sender(s->transaction, &mail->path.address) == ERR_OK &&
           address_copy(&s->transaction->arena, &mail->path.address, &s->transaction->candidate);
}

enum answer command_mail(struct session *s, struct slice argument)
{
    const struct conf *conf = s->snapshot->conf;
    struct parameter_context context = parameter_context(s);
    struct mail_command mail;
    struct envelope_error error;
    struct rights_answer rights;
    enum reply_id objection;
    struct slice text;

    if (conf->limits.mails_per_session > 0 && s->conduct.mails >= conf->limits.mails_per_session) {
        session_say(s, REPLY_TOO_MANY_MAILS); /* EXT-LIMITS-2 */
        return ANSWER_CLOSE;
    }
    s->conduct.mails++;
    if (!mail_command_parse(
            &s->gate->scratch, argument, &context, conf->strict_envelope, &mail, &error))
        return refuse_syntax(s, &error);
    if (mail.path.is_spaced)
        report_spaced(s); /* D-25 */
    if (!address_text(s, &mail.path.address, &text))
        return say(s, REPLY_INTERNAL);
    rights = rights_decide(&(struct rights_case){ .step = RIGHTS_MAIL,
        .conf = conf,
        .grant = session_mail_grant(s),
        .narrower = session_narrower(s),
        .address = &mail.path.address,
        .text = text,
        .size = mail.parameters.size });
    if (rights.verdict == RIGHTS_REFUSED)
        return say(s, rights.reply);
    if (s->gate->commit.is_disk_full)
        return say(s, REPLY_NO_SPACE); /* DATA-16 */
    if (!open_transaction(s, &mail, argument))
        return refuse_sender(s, REPLY_INTERNAL);
    objection = priority_objection(s);
    if (objection)
        return refuse_sender(s, objection);
    return rights.verdict == RIGHTS_ASK ? ask_rights(s, ASK_SENDER, text, sender_rights_known)
                                        : check_held(s);
}

/* RCPT. */

/* Of a transaction that goes on the recipients are known. One more makes it another. */
static enum err add_recipient(struct transaction *t)
{
    return t->is_resumed ? transaction_restate(t) : transaction_add_recipient(t);
}

static enum answer take_recipient(struct session *s)
{
    struct transaction *t = s->transaction;
    enum err code = add_recipient(t);
    struct buffer path;

    if (code == ERR_NOTFOUND) {
        session_reset(s);
        return say(s, REPLY_OTHER_TRANSACTION);
    }
    if (code != ERR_OK)
        return say(s, REPLY_INTERNAL);
    if (s->phase == PHASE_MAIL)
        session_move(s, PHASE_RCPT);
    /* As the client wrote it, quotes included, so that it knows which command this answers. */
    buffer_init(&path, 2 * ADDRESS_PATH_MAX);
    path_write(&path, &t->candidate);
    session_sayf(s, REPLY_RECIPIENT_OK, "%.*s Recipient ok", SLICE_ARGS(buffer_slice(&path)));
    buffer_clear(&path);
    return ANSWER_REPLY;
}

static enum answer recipient_domain_known(struct session *s, enum domain_verdict verdict)
{
    static const enum reply_id replies[] = {
        [DOMAIN_MISSING] = REPLY_RECIPIENT_DOMAIN,
        [DOMAIN_NULL_MX] = REPLY_RECIPIENT_NULL_MX,
        [DOMAIN_SILENT] = NO_OBJECTION, /* SUB-4.2-6: trouble with DNS is the queue's */
    };

    return replies[verdict] ? say(s, replies[verdict]) : take_recipient(s);
}

static enum answer check_recipient_domain(struct session *s)
{
    struct slice domain = ascii_domain(s, &s->transaction->candidate);
    struct route_choice choice;

    if (domain.len == 0 || !route_choose(s->snapshot->conf, domain, &choice))
        return say(s, REPLY_RECIPIENT_FORBIDDEN);
    return choice.ask_dns ? ask_domain(s, domain, recipient_domain_known) : take_recipient(s);
}

static enum answer recipient_rights_known(struct session *s, enum rights_word word)
{
    static const enum reply_id replies[] = {
        [RIGHTS_WORD_YES] = NO_OBJECTION,
        [RIGHTS_WORD_NO] = REPLY_RECIPIENT_FORBIDDEN,
        [RIGHTS_WORD_NONE] = REPLY_INTERNAL,
    };

    return replies[word] ? say(s, replies[word]) : check_recipient_domain(s);
}

/* The one recipient that no check may keep out (SUB-6.4-2). */
static enum answer take_postmaster(struct session *s)
{
    s->transaction->candidate = s->snapshot->postmaster;
    return take_recipient(s);
}

/* EXT-NOSOL-3: with the recipient and the classes, for whoever reads the reply. */
static enum answer refuse_solicitation(struct session *s)
{
    struct transaction *t = s->transaction;
    struct buffer path;

    buffer_init(&path, 2 * ADDRESS_PATH_MAX);
    path_write(&path, &t->candidate);
    session_sayf(s, REPLY_SOLICITED, "%.*s SOLICIT=%.*s", SLICE_ARGS(buffer_slice(&path)),
        SLICE_ARGS(t->parameters.solicit));
    buffer_clear(&path);
    return ANSWER_REPLY;
}

/* Who is named already makes none more (CMD-33). */
static bool is_named(const struct session *s, const struct address *address)
{
    return transaction_names(
        s->transaction, address->kind == ADDRESS_BARE ? &s->snapshot->postmaster : address);
}

enum answer command_rcpt(struct session *s, struct slice argument)
{
    const struct conf *conf = s->snapshot->conf;
    struct transaction *t = s->transaction;
    struct parameter_context context = parameter_context(s);
    struct rcpt_command rcpt;
    struct envelope_error error;
    struct rights_answer rights;
    struct slice text;

    if (t->tried >= conf->limits.recipients)
        return say(s, REPLY_TOO_MANY_RECIPIENTS); /* CMD-27, EXT-LIMITS-2 */
    t->tried++;
    if (!rcpt_command_parse(
            &s->gate->scratch, argument, &context, conf->strict_envelope, &rcpt, &error))
        return refuse_syntax(s, &error);
    if (rcpt.path.is_spaced)
        report_spaced(s);
    if (!address_text(s, &rcpt.path.address, &text))
        return say(s, REPLY_INTERNAL);
    rights = rights_decide(&(struct rights_case){ .step = RIGHTS_RCPT,
        .conf = conf,
        .grant = session_mail_grant(s),
        .narrower = session_narrower(s),
        .address = &rcpt.path.address,
        .text = text,
        .recipients = is_named(s, &rcpt.path.address) ? 0 : t->recipient_count });
    if (rights.verdict == RIGHTS_REFUSED)
        return say(s, rights.reply);
    if (is_stranger(s))
        rcpt.parameters.notify = without_success(rcpt.parameters.notify);
    if (transaction_set_candidate(t, &rcpt.path.address, &rcpt.parameters) != ERR_OK)
        return say(s, REPLY_INTERNAL);
    if (rcpt.path.address.kind == ADDRESS_BARE)
        return take_postmaster(s);
    if (solicitation_is_refused(&conf->extensions, t->parameters.solicit))
        return refuse_solicitation(s);
    return rights.verdict == RIGHTS_ASK ? ask_rights(s, ASK_RECIPIENT, text, recipient_rights_known)
                                        : check_recipient_domain(s);
}
