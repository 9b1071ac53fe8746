/* ctl/explain.c: what a client would be answered to its login, MAIL and RCPT, and why: the decision
 * of policy/rights.h on the files as they are now, no server asked. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "ctl/show.h"
#include "ctl/work.h"
#include "net/peer.h"
#include "policy/rights.h"
#include "policy/route.h"
#include "smtp/envelope.h"
#include "users/login.h"

enum { ADDRESS_ARGUMENT_MAX = 1024, REPLY_ROOM = 16384 };

/* What is known of the one who asks. */
struct explainer {
    struct invocation *call;
    const struct conf *conf;
    struct work work;
    const struct user *user; /* NULL: no login */
    struct grant grant;
    const struct app *app; /* NULL: the login was with the user's own password */
    struct grant narrower; /* of the app password */
    bool is_utf8;          /* MAIL had SMTPUTF8 */
    size_t tried;          /* RCPT commands */
    struct address accepted[CTL_LIST_MAX];
    size_t recipients; /* accepted, each once (CMD-33) */
    json_t *answers;
};

/* A file and a line in it. */
struct place {
    const char *file; /* NULL: nothing to point at */
    size_t line;      /* 0: the file says nothing, a default holds */
};

/* One reply. Words: NULL for those of the table. */
struct reply_said {
    enum reply_id reply;
    const char *words;
    const char *rule; /* for programs */
    const char *why;
    struct place place;
};

static struct place in_conf(const struct explainer *e, const char *section, const char *option)
{
    const char *path = e->call->conf_path;

    return (struct place){ path, conf_where(path, section, 0, option) };
}

static struct place in_users(const struct explainer *e, size_t line)
{
    return (struct place){ e->work.path, line };
}

/* Adds an answer. command may be cut anywhere: it is shown, not read. */
static json_t *add(struct explainer *e, const char *command, const struct reply_said *said)
{
    const struct reply_info *info = reply_info(said->reply);
    char status[16] = "";
    struct buffer words;
    json_t *answer;

    buffer_init(&words, REPLY_ROOM);
    text_write_printable(&words, slice_text(said->words ? said->words : info->text));

    if (status_is_set(info->status))
        snprintf(status, sizeof status, "%u.%u.%u", info->status.class, info->status.subject,
            info->status.detail);
    answer =
        json_pack("{s:s, s:i, s:s, s:s%, s:s, s:s}", "command", command, "code", (int)info->code,
            "status", status, "text", words.data, words.len, "rule", said->rule, "why", said->why);
    json_object_set_new(
        answer, "file", said->place.file ? json_string(said->place.file) : json_null());
    json_object_set_new(answer, "line",
        said->place.line > 0 ? json_integer((json_int_t)said->place.line) : json_null());
    json_array_append_new(e->answers, answer);
    buffer_clear(&words);
    return answer;
}

static void add_then(json_t *answer, const char *text)
{
    json_object_set_new(answer, "then", json_string(text));
}

/* Login. */

/* The first line that says submit=no, by place in the groups; group_count for the user's own. */
static size_t submit_origin(const struct user *user)
{
    for (size_t i = 0; user->rights.may_submit && i < user->group_count; i++)
        if (!user->groups[i].group->rights.may_submit)
            return i;
    return user->group_count;
}

/* The line that a limit comes from: the own, else the group's that has it. */
static size_t limit_origin(const struct user *user, bool is_size, uint64_t limit)
{
    for (size_t i = 0; i < user->group_count; i++) {
        const struct user_rights *rights = &user->groups[i].group->rights;

        if ((is_size ? user->rights.max_size : user->rights.max_recipients) == 0 &&
            (is_size ? rights->max_size : rights->max_recipients) == limit)
            return i;
    }
    return user->group_count;
}

static struct place line_of(const struct explainer *e, size_t origin)
{
    return in_users(
        e, origin < e->user->group_count ? e->user->groups[origin].group->line : e->user->line);
}

static const struct app *find_app(const struct user *user, struct slice name)
{
    for (const struct app *app = user->apps; app; app = app->next)
        if (slice_equals(app->name, name))
            return app;
    return NULL;
}

/* The login with an app password. */
static void log_in_with_app(struct explainer *e, struct reply_said *said)
{
    e->app = find_app(e->user, slice_text(e->call->password));
    said->place = in_users(e, e->app ? e->app->line : e->user->line);
    if (!e->app || (e->app->until > 0 && e->app->until <= clock_wall())) {
        said->reply = REPLY_AUTH_FAILED;
        said->why = e->app ? "the app password is no longer valid"
                           : "the user has no app password of that name";
        return;
    }
    e->narrower = app_grant(e->app);
    said->why = "the user is active; the app password narrows what it may do";
}

static bool log_in(struct explainer *e)
{
    struct reply_said said = { REPLY_AUTH_FAILED, NULL, "login", "there is no such user",
        in_users(e, 0) };
    struct login login;

    if (login_prepare(slice_text(e->call->user), false, &login))
        e->user = users_find(e->work.users, login_slice(&login));
    if (e->user) {
        said = (struct reply_said){ REPLY_AUTH_OK, NULL, "login",
            "the user is active; the password is not looked at here", in_users(e, e->user->line) };
        if (e->user->state == USER_DISABLED) {
            said.reply = REPLY_AUTH_DISABLED;
            said.why = "the user is disabled";
        } else if (e->call->password) {
            log_in_with_app(e, &said);
        }
    }
    add(e, "AUTH", &said);
    return said.reply == REPLY_AUTH_OK;
}

/* 0 and the grant, or an exit status. */
static int open_user(struct explainer *e)
{
    int status = work_open(e->call, &e->work);

    return status == 0 ? work_read(e->call, &e->work, false) : status;
}

static int find_client(struct explainer *e, bool *out_trusted)
{
    struct peer peer;
    uint8_t address[16];

    *out_trusted = false;
    if (!e->call->client)
        return 0;
    if (!peer_parse(slice_text(e->call->client), 0, &peer))
        return call_fail(
            e->call, EX_USAGE, "--client takes an IP address, not %s", e->call->client);
    *out_trusted = peer_to_ipv6(&peer, address) && conf_is_trusted(e->conf, address);
    return 0;
}

/* Who may what. *out_goes_on: there is a grant to decide by. */
static int find_grant(struct explainer *e, bool *out_goes_on)
{
    struct arena *arena = &e->call->arena;
    bool is_trusted = false, is_kept = true;
    int status = e->call->user ? open_user(e) : find_client(e, &is_trusted);

    *out_goes_on = false;
    if (status != 0)
        return status;
    if (e->call->user) {
        *out_goes_on = log_in(e);
        is_kept = !*out_goes_on || grant_of(e->user, SIZE_MAX, arena, &e->grant);
    } else if (is_trusted) {
        *out_goes_on = true;
        is_kept = rights_trusted(e->conf, arena, &e->grant);
    } else {
        e->grant = rights_stranger();
        *out_goes_on = e->conf->postmaster_unauth;
        if (!*out_goes_on)
            add(e, "MAIL",
                &(struct reply_said){ REPLY_AUTH_FIRST, NULL, "no-login",
                    "nobody has logged in, and the client is in no trusted network",
                    in_conf(e, "", "trusted_networks") });
    }
    return is_kept ? 0 : call_fail(e->call, EX_OSERR, "out of memory");
}

/* MAIL and RCPT. */

/* What a rule stands on. */
static struct place place_of(const struct explainer *e, const struct rights_answer *answer)
{
    if (answer->by_narrower)
        return in_users(e, e->app->line);
    switch (answer->rule) {
    case RULE_SIZE:
        return in_conf(e, "limits", "message_size");
    case RULE_SENDER_LITERAL:
    case RULE_RECIPIENT_LITERAL:
        return in_conf(e, "", "allow_address_literals");
    case RULE_POSTMASTER:
        return in_conf(e, "", "postmaster");
    case RULE_SENDER_UNQUALIFIED:
    case RULE_RECIPIENT_UNQUALIFIED:
    case RULE_NULL_SENDER:
        return (struct place){ NULL, 0 };
    default:
        break;
    }
    if (e->grant.is_stranger)
        return in_conf(e, "", "postmaster_unauth");
    if (!e->user)
        return in_conf(e, "", "trusted_senders");
    switch (answer->rule) {
    case RULE_SENDER_LISTED:
        return line_of(e, grant_origin(e->user, false, answer->pattern));
    case RULE_RECIPIENT_LISTED:
        return line_of(e, grant_origin(e->user, true, answer->pattern));
    case RULE_ACCOUNT:
        return line_of(e, submit_origin(e->user));
    case RULE_OWN_SIZE:
        return line_of(e, limit_origin(e->user, true, e->grant.max_size));
    case RULE_RECIPIENT_COUNT:
        return line_of(e, limit_origin(e->user, false, e->grant.max_recipients));
    default:
        return in_users(e, e->user->line);
    }
}

/* "a sender pattern covers it: *@example.org" */
static void write_why(
    const struct explainer *e, const struct rights_answer *answer, char *out, size_t room)
{
    const struct sender *patterns = answer->rule == RULE_SENDER_LISTED      ? e->grant.senders
                                    : answer->rule == RULE_RECIPIENT_LISTED ? e->grant.recipients
                                                                            : NULL;

    snprintf(out, room, "%s", rights_rule_text(answer->rule));
    if (patterns)
        snprintf(out, room, "%s: %.*s", rights_rule_text(answer->rule),
            SLICE_ARGS(patterns[answer->pattern].pattern));
}

static void add_fault(struct explainer *e, const char *command, const struct envelope_error *error)
{
    struct slice words;
    struct buffer line;
    char text[512];

    buffer_init(&line, REPLY_ROOM);
    envelope_error_write(&line, error);
    words = slice_first(buffer_slice(&line), slice_find(buffer_slice(&line), '\r'));
    words = slice_from(words, slice_find(words, ' ') + 1);
    words = slice_from(words, slice_find(words, ' ') + 1);
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(words));
    buffer_clear(&line);
    add(e, command,
        &(struct reply_said){
            error->reply, text, "syntax", "that is no address as SMTP has them", { NULL, 0 } });
}

/* The decision as an answer. accepted: the words of the reply when nothing is against it. */
static json_t *add_decision(struct explainer *e, const char *command,
    const struct rights_answer *answer, enum reply_id accepted, const char *words)
{
    bool is_good = answer->verdict == RIGHTS_ALLOWED;
    char why[ADDRESS_ARGUMENT_MAX];

    write_why(e, answer, why, sizeof why);
    return add(e, command,
        &(struct reply_said){ is_good ? accepted : answer->reply, is_good ? words : NULL,
            rights_rule_name(answer->rule), why, place_of(e, answer) });
}

static struct slice address_text(struct explainer *e, const struct address *address)
{
    struct slice kept = { 0 };
    struct buffer text;

    buffer_init(&text, 2 * ADDRESS_PATH_MAX);
    address_write(&text, address);
    if (!arena_copy(&e->call->arena, buffer_slice(&text), &kept))
        kept = (struct slice){ 0 };
    buffer_clear(&text);
    return kept;
}

/* As the tables of domains and routes know it; empty: they cannot. */
static struct slice ascii_domain(struct explainer *e, struct slice domain)
{
    struct slice kept = { 0 };
    struct buffer ascii;

    buffer_init(&ascii, 2 * ADDRESS_DOMAIN_MAX);
    if (!domain_to_ascii(&ascii, domain) ||
        !arena_copy(&e->call->arena, buffer_slice(&ascii), &kept))
        kept = (struct slice){ 0 };
    buffer_clear(&ascii);
    return kept;
}

/* False when no route fits the domain. */
static bool find_route(struct explainer *e, struct slice ascii, struct route_choice *out_choice)
{
    return ascii.len > 0 && route_choose(e->conf, ascii, out_choice);
}

/* OPS-7: is the sender's domain one that the server asks DNS about? */
static bool is_asked_about(struct explainer *e, struct slice domain)
{
    struct slice ascii = ascii_domain(e, domain);
    struct route_choice choice;

    return !conf_domain_find(e->conf, ascii) && find_route(e, ascii, &choice) && choice.ask_dns;
}

static bool explain_mail(struct explainer *e)
{
    const struct parameter_context context = {
        .offered = EXTENSION_BIT(EXTENSION_SIZE) | EXTENSION_BIT(EXTENSION_SMTPUTF8),
    };
    char command[ADDRESS_ARGUMENT_MAX + 64], words[ADDRESS_ARGUMENT_MAX];
    struct mail_command mail;
    struct envelope_error error;
    struct rights_answer answer;
    struct rights_case asked = { .step = RIGHTS_MAIL,
        .conf = e->conf,
        .grant = &e->grant,
        .narrower = e->app ? &e->narrower : NULL };
    json_t *said;

    e->is_utf8 = e->conf->extensions.smtputf8 && !text_is_ascii(slice_text(e->call->from));
    snprintf(command, sizeof command, "MAIL FROM:<%s>%s%s%s", e->call->from,
        e->call->size ? " SIZE=" : "", e->call->size ? e->call->size : "",
        e->is_utf8 ? " SMTPUTF8" : "");
    if (!mail_command_parse(&e->call->arena, slice_text(command + strlen("MAIL ")), &context,
            e->conf->strict_envelope, &mail, &error)) {
        add_fault(e, command, &error);
        return false;
    }
    asked.address = &mail.path.address;
    asked.text = address_text(e, &mail.path.address);
    asked.size = mail.parameters.size;
    answer = rights_decide(&asked);
    snprintf(words, sizeof words, "<%.*s> Sender ok", SLICE_ARGS(asked.text));
    said = add_decision(e, command, &answer, REPLY_SENDER_OK, words);
    if (answer.verdict != RIGHTS_ALLOWED)
        return false;
    if (asked.text.len > 0 && is_asked_about(e, mail.path.address.domain))
        add_then(said, "DNS is asked first: 550 5.1.8 where the domain does not exist, 550 5.7.27 "
                       "where it accepts no mail, 451 4.4.3 where DNS fails");
    return true;
}

static void add_route(struct explainer *e, json_t *said, const struct route_choice *choice)
{
    static const char *const vias[] = { "mx", "smtp", "lmtp", "maildir" };
    size_t index = (size_t)(choice->route - e->conf->routes);
    char text[512];

    snprintf(text, sizeof text, "route \"%.*s\" via %s (%s:%u)%s",
        SLICE_ARGS(choice->route->pattern), vias[choice->route->via], e->call->conf_path,
        conf_where(e->call->conf_path, "route", index, NULL),
        choice->ask_dns ? "; DNS is asked first: 554 5.1.2 where the domain does not exist, 556 "
                          "5.1.10 where it accepts no mail"
                        : "");
    add_then(said, text);
}

/* A bare postmaster stands for an address. */
static bool resolve_recipient(
    struct explainer *e, const struct address *address, struct address *out_address)
{
    struct arena *arena = &e->call->arena;
    size_t at;

    return address->kind == ADDRESS_BARE
               ? mailbox_parse(arena, e->conf->postmaster, out_address, &at) == ADDRESS_OK
               : address_copy(arena, address, out_address);
}

static bool is_accepted(const struct explainer *e, const struct address *address)
{
    for (size_t i = 0; i < e->recipients; i++)
        if (slice_equals(e->accepted[i].local, address->local) &&
            domain_equals(e->accepted[i].domain, address->domain))
            return true;
    return false;
}

static void count_recipient(struct explainer *e, const struct address *address)
{
    struct address fresh;

    if (resolve_recipient(e, address, &fresh) && !is_accepted(e, &fresh))
        e->accepted[e->recipients++] = fresh;
}

/* Who is named already makes none more (CMD-33). */
static size_t recipients_before(struct explainer *e, const struct address *address)
{
    struct address who;

    return resolve_recipient(e, address, &who) && is_accepted(e, &who) ? 0 : e->recipients;
}

static void take_recipient(struct explainer *e, const char *command,
    const struct rights_answer *answer, const struct address *address, const char *words)
{
    struct route_choice choice;
    char text[512];

    if (address->kind == ADDRESS_BARE) {
        snprintf(text, sizeof text, "goes to %.*s", SLICE_ARGS(e->conf->postmaster));
        add_then(add_decision(e, command, answer, REPLY_RECIPIENT_OK, words), text);
    } else if (find_route(e, ascii_domain(e, address->domain), &choice)) {
        add_route(e, add_decision(e, command, answer, REPLY_RECIPIENT_OK, words), &choice);
    } else {
        add(e, command,
            &(struct reply_said){ REPLY_RECIPIENT_FORBIDDEN, NULL, "no-route",
                "no route fits the domain", in_conf(e, "route", NULL) });
        return;
    }
    count_recipient(e, address);
}

/* The gate's words: the path, and for a bare postmaster the address that it stands for. */
static void write_recipient(
    const struct explainer *e, const struct address *address, char *out, size_t room)
{
    struct buffer path;

    buffer_init(&path, 2 * ADDRESS_PATH_MAX);
    path_write(&path, address);
    if (address->kind == ADDRESS_BARE)
        snprintf(out, room, "<%.*s> Recipient ok", SLICE_ARGS(e->conf->postmaster));
    else
        snprintf(out, room, "%.*s Recipient ok", SLICE_ARGS(buffer_slice(&path)));
    buffer_clear(&path);
}

static void explain_rcpt(struct explainer *e, const char *to)
{
    const struct parameter_context context = {
        .offered = EXTENSION_BIT(EXTENSION_SMTPUTF8),
        .smtputf8 = e->is_utf8,
    };
    char command[ADDRESS_ARGUMENT_MAX + 64], words[ADDRESS_ARGUMENT_MAX];
    struct rcpt_command rcpt;
    struct envelope_error error;
    struct rights_answer answer;
    struct rights_case asked = { .step = RIGHTS_RCPT,
        .conf = e->conf,
        .grant = &e->grant,
        .narrower = e->app ? &e->narrower : NULL };

    snprintf(command, sizeof command, "RCPT TO:<%s>", to);
    if (e->tried++ >= e->conf->limits.recipients) {
        add(e, command,
            &(struct reply_said){ REPLY_TOO_MANY_RECIPIENTS, NULL, "recipients",
                "more recipients than limits recipients",
                in_conf(e, "limits", "recipients") }); /* CMD-27 */
        return;
    }
    if (!rcpt_command_parse(&e->call->arena, slice_text(command + strlen("RCPT ")), &context,
            e->conf->strict_envelope, &rcpt, &error)) {
        add_fault(e, command, &error);
        return;
    }
    asked.address = &rcpt.path.address;
    asked.text = address_text(e, &rcpt.path.address);
    asked.recipients = recipients_before(e, &rcpt.path.address);
    answer = rights_decide(&asked);
    write_recipient(e, &rcpt.path.address, words, sizeof words);
    if (answer.verdict == RIGHTS_ALLOWED)
        take_recipient(e, command, &answer, &rcpt.path.address, words);
    else
        add_decision(e, command, &answer, REPLY_RECIPIENT_OK, words);
}

/* Output. */

static void put_member(FILE *to, const json_t *answer, const char *before, const char *name)
{
    const char *text = show_member(answer, name);

    if (!text)
        return;
    fputs(before, to);
    show_text(to, slice_text(text));
}

static void put_answer(FILE *to, const json_t *answer)
{
    put_member(to, answer, "", "command");
    fprintf(to, "\n  %lld", (long long)show_number(answer, "code"));
    put_member(to, answer, " ", "status");
    put_member(to, answer, " ", "text");
    put_member(to, answer, "\n  because ", "why");
    put_member(to, answer, "\n  see ", "file");
    if (show_number(answer, "line") > 0)
        fprintf(to, ":%lld", (long long)show_number(answer, "line"));
    else if (show_member(answer, "file"))
        fputs(" (nothing there; the default holds)", to);
    put_member(to, answer, "\n  then ", "then");
    fputc('\n', to);
}

static bool all_are_good(const json_t *answers)
{
    const json_t *answer;
    size_t index;

    json_array_foreach (answers, index, answer)
        if (show_number(answer, "code") >= 400)
            return false;
    return true;
}

static int show(struct explainer *e)
{
    const json_t *answer;
    size_t index;

    if (e->call->json)
        return call_json(e->call, json_pack("{s:b, s:O}", "accepted", (int)all_are_good(e->answers),
                                      "answers", e->answers));
    json_array_foreach (e->answers, index, answer)
        put_answer(e->call->out, answer);
    return 0;
}

static int check_words(struct invocation *call)
{
    uint64_t size;

    if (!call->from)
        return call_fail(call, EX_USAGE, "explain needs --from");
    if (call->user && call->client)
        return call_fail(call, EX_USAGE, "explain takes --user or --client, not both");
    if (call->password && !call->user)
        return call_fail(call, EX_USAGE, "--password goes with --user");
    if (call->size && !slice_number(slice_text(call->size), INT64_MAX, &size))
        return call_fail(call, EX_USAGE, "--size takes a number of octets, not %s", call->size);
    if (strlen(call->from) > ADDRESS_ARGUMENT_MAX / 2)
        return call_fail(call, EX_USAGE, "--from is too long");
    for (size_t i = 0; i < call->recipients.count; i++)
        if (strlen(call->recipients.values[i]) > ADDRESS_ARGUMENT_MAX / 2)
            return call_fail(call, EX_USAGE, "--to is too long");
    return 0;
}

int command_explain(struct invocation *call)
{
    struct explainer e = { .call = call, .conf = call->conf, .answers = json_array() };
    bool goes_on = false;
    int status = check_words(call);

    if (status == 0)
        status = find_grant(&e, &goes_on);
    if (status == 0 && goes_on && explain_mail(&e))
        for (size_t i = 0; i < call->recipients.count; i++)
            explain_rcpt(&e, call->recipients.values[i]);
    if (status == 0)
        status = show(&e);
    users_free(&e.work.users);
    json_decref(e.answers);
    return status;
}
