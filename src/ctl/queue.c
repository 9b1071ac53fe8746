/* ctl/queue.c: the queue commands. */
#include <string.h>
#include <sysexits.h>

#include "base/queue_id.h"
#include "ctl/command.h"
#include "ctl/control.h"
#include "ctl/show.h"

/* A queue id that was typed must at least be one, so that the answer to a typing error says so. */
static int check_id(struct invocation *call, const char *text)
{
    struct queue_id id;

    if (queue_id_parse(slice_text(text), &id))
        return 0;
    return call_fail(call, EX_USAGE,
        "%s is no queue id; allowed are %d letters and digits, as queue list shows them", text,
        QUEUE_ID_TEXT);
}

static void put_text(FILE *to, const json_t *object, const char *name, const char *absent)
{
    const char *text = show_member(object, name);

    show_text(to, slice_text(text && text[0] ? text : absent));
}

/* Replies hold several lines; each is shown on one of its own. */
static void put_reply(FILE *to, const json_t *recipient, const char *indent)
{
    struct slice text = slice_text(show_member(recipient, "last_reply"));

    while (text.len > 0) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        fputs(indent, to);
        show_text(to, line);
        fputc('\n', to);
        text = slice_from(text, line.len + 1);
    }
}

static void put_recipient(FILE *to, const json_t *recipient, int width)
{
    const char *address = show_member(recipient, "address");
    const char *next = show_member(recipient, "next_attempt");
    json_int_t attempts = show_number(recipient, "attempts");
    char time[SHOW_TIME];
    int used = address ? (int)strlen(address) : 0;

    fputs("    ", to);
    put_text(to, recipient, "address", "-");
    fprintf(to, "%*s  ", used < width ? width - used : 0, "");
    put_text(to, recipient, "state", "?");
    if (attempts > 0)
        fprintf(to, ", %lld attempt%s", (long long)attempts, attempts == 1 ? "" : "s");
    if (next) {
        show_time(next, false, time);
        fprintf(to, ", next %s", time);
    }
    fputc('\n', to);
    put_reply(to, recipient, "        ");
}

static int widest(const json_t *recipients)
{
    const json_t *recipient;
    size_t index, width = 0;

    json_array_foreach (recipients, index, recipient) {
        const char *address = show_member(recipient, "address");
        size_t len = address ? strlen(address) : 0;
        width = len > width ? len : width;
    }
    return width < 60 ? (int)width : 60;
}

static void put_recipients(FILE *to, const json_t *message)
{
    const json_t *recipients = json_object_get(message, "recipients");
    int width = widest(recipients);
    const json_t *recipient;
    size_t index;

    json_array_foreach (recipients, index, recipient) {
        put_recipient(to, recipient, width);
    }
}

static void put_message(FILE *to, const json_t *message)
{
    char arrival[SHOW_TIME], size[SHOW_TIME];

    show_time(show_member(message, "arrival"), false, arrival);
    show_size(show_number(message, "size"), size);
    put_text(to, message, "id", "-");
    fprintf(to, "  %s  %9s  from ", arrival, size);
    put_text(to, message, "sender", "<>");
    fputs(json_is_true(json_object_get(message, "held")) ? "  HELD\n" : "\n", to);
    put_recipients(to, message);
}

static void put_list(FILE *to, const json_t *result)
{
    const json_t *messages = json_object_get(result, "messages");
    json_int_t total = show_number(result, "total");
    const json_t *message;
    size_t index;

    json_array_foreach (messages, index, message) {
        put_message(to, message);
    }
    if (total == 0)
        fputs("No message fits.\n", to);
    else if ((size_t)total > json_array_size(messages))
        fprintf(to, "%zu of %lld messages; --limit and --after show more.\n",
            json_array_size(messages), (long long)total);
}

static int add_limit(struct invocation *call, json_t *request)
{
    uint64_t limit = 1000;

    if (call->limit && (!slice_number(slice_text(call->limit), 10000, &limit) || limit == 0))
        return call_fail(
            call, EX_USAGE, "--limit is %s; allowed is a number from 1 to 10000", call->limit);
    json_object_set_new(request, "limit", json_integer((json_int_t)limit));
    if (call->after)
        json_object_set_new(request, "after", json_string(call->after));
    return call->after ? check_id(call, call->after) : 0;
}

static void add_selection(const struct invocation *call, json_t *request)
{
    if (call->user)
        json_object_set_new(request, "user", json_string(call->user));
    if (call->domain)
        json_object_set_new(request, "domain", json_string(call->domain));
    if (call->given & CTL_HELD)
        json_object_set_new(request, "held", json_true());
    if (call->given & CTL_ALL)
        json_object_set_new(request, "all", json_true());
    if (call->given & CTL_BOUNCE)
        json_object_set_new(request, "bounce", json_true());
}

int command_queue_list(struct invocation *call)
{
    json_t *request = json_pack("{s:s}", "command", "queue-list");
    json_t *result = NULL;
    int status = request ? add_limit(call, request) : EX_OSERR;

    if (status != 0) {
        json_decref(request);
        return status;
    }
    add_selection(call, request);
    status = control_ask(call, request, &result);
    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    put_list(call->out, result);
    json_decref(result);
    return 0;
}

/* What the sender wants to hear of him. */
static bool put_notify(FILE *to, const json_t *recipient, const char *before)
{
    const json_t *list = json_object_get(recipient, "notify"), *word;
    size_t index;

    json_array_foreach (list, index, word) {
        fputs(index == 0 ? before : ",", to);
        fputs(index == 0 ? "notify " : "", to);
        show_text(to, slice_text(json_string_value(word)));
    }
    return json_array_size(list) > 0;
}

static void put_detail(FILE *to, const json_t *recipient)
{
    static const char *const names[] = { "route", "destination", "status", "host", "remote",
        "orcpt", "rrvs" };
    const char *separator = "        ";

    if (put_notify(to, recipient, separator))
        separator = ", ";
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        const char *text = show_member(recipient, names[i]);
        if (!text || !text[0])
            continue;
        fprintf(to, "%s%s ", separator, names[i]);
        show_text(to, slice_text(text));
        separator = ", ";
    }
    if (separator[0] == ',')
        fputc('\n', to);
}

/* Nothing where it is not set. */
static void put_time(FILE *to, const json_t *message, const char *name, const char *label)
{
    const char *utc = show_member(message, name);
    char time[SHOW_TIME];

    if (!utc)
        return;
    show_time(utc, false, time);
    fprintf(to, "%-18s %s\n", label, time);
}

static void put_details(FILE *to, const json_t *message)
{
    static const char *const names[][2] = { { "user", "user" }, { "client", "client" },
        { "listener", "listener" }, { "notice_of", "notice of" }, { "segment", "segment" },
        { "body_file", "body file" }, { "ret", "return" }, { "envid", "envelope id" },
        { "requiretls", "require TLS" }, { "deliver_by_mode", "deliver by, mode" },
        { "priority", "priority" }, { "mtrk", "tracking" }, { "mtrk_timeout", "tracked for" },
        { "solicit", "solicitation" }, { "conperm", "may be converted" } };
    const json_t *recipients = json_object_get(message, "recipients");
    char arrival[SHOW_TIME], expires[SHOW_TIME], size[SHOW_TIME];
    int width = widest(recipients);
    const json_t *recipient;
    size_t index;

    show_time(show_member(message, "arrival"), true, arrival);
    show_time(show_member(message, "expires"), false, expires);
    show_size(show_number(message, "size"), size);
    show_line(to, message, "id", "id");
    fprintf(to, "%-18s ", "sender");
    put_text(to, message, "sender", "<>");
    fprintf(to, "\n%-18s %s\n%-18s %s\n%-18s %s\n", "arrival", arrival, "expires", expires, "size",
        size);
    put_time(to, message, "release", "release");
    put_time(to, message, "deliver_by", "deliver by");
    show_line(to, message, "held", "held");
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        show_line(to, message, names[i][0], names[i][1]);
    fputs("recipients\n", to);
    json_array_foreach (recipients, index, recipient) {
        put_recipient(to, recipient, width);
        put_detail(to, recipient);
    }
}

int command_queue_show(struct invocation *call)
{
    json_t *result = NULL;
    int status = check_id(call, call->words[0]);

    if (status == 0)
        status = control_ask(
            call, json_pack("{s:s, s:s}", "command", "queue-show", "id", call->words[0]), &result);
    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    put_details(call->out, result);
    json_decref(result);
    return 0;
}

/* Exactly one selection. */
static int check_selection(struct invocation *call)
{
    unsigned given = call->given & (CTL_USER | CTL_DOMAIN | CTL_ALL);
    unsigned count = (unsigned)__builtin_popcount(given) + (call->word_count > 0);

    if (count != 1)
        return call_fail(call, EX_USAGE, "%s takes exactly one of ID, --user, --domain and --all",
            call->command->words);
    return call->word_count > 0 ? check_id(call, call->words[0]) : 0;
}

int command_queue_change(struct invocation *call)
{
    int status = check_selection(call);
    json_t *result = NULL;
    const char *verb = call->command->words + strlen("queue ");
    char command[32];
    json_t *request;

    if (status != 0)
        return status;
    snprintf(command, sizeof command, "queue-%s", verb);
    request = json_pack("{s:s}", "command", command);
    if (call->word_count > 0)
        json_object_set_new(request, "id", json_string(call->words[0]));
    add_selection(call, request);
    status = control_ask(call, request, &result);
    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    fprintf(call->out, "%s: %lld message%s, %lld recipient%s\n", verb,
        (long long)show_number(result, "messages"), show_number(result, "messages") == 1 ? "" : "s",
        (long long)show_number(result, "recipients"),
        show_number(result, "recipients") == 1 ? "" : "s");
    json_decref(result);
    return 0;
}
