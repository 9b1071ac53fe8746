/* ctl/trace.c: a message's life, from the login to the last reply, one fact a line. */
#include <string.h>
#include <sysexits.h>

#include "base/queue_id.h"
#include "ctl/command.h"
#include "ctl/control.h"
#include "ctl/show.h"

/* A piece of a line: words before the value and behind it; left out where the value is absent. */
struct piece {
    const char *before;
    const char *name;
    const char *after;
};

enum { PIECES_MAX = 8 };

struct event_row {
    const char *event;
    struct piece pieces[PIECES_MAX]; /* ends with a NULL name */
    const char *list;                /* of addresses, at the end; NULL: none */
    const char *reply;               /* text that may have several lines; NULL: none */
};

static const struct event_row rows[] = {
    { "login",
        { { "user ", "user", "" }, { " by ", "mechanism", "" }, { " from ", "client", "" },
            { " (", "client_name", ")" }, { " on ", "listener", "" }, { ", ", "tls_version", "" },
            { " ", "tls_cipher", "" } },
        NULL, NULL },
    { "accepted",
        { { "from <", "sender", ">" }, { ", ", "size", " octets" },
            { ", a notice of ", "notice_of", "" } },
        "recipients", NULL },
    { "attempt",
        { { "to <", "recipient", ">" }, { " ", "result", "" }, { ", ", "host", "" },
            { " ", "remote", "" }, { ", ", "tls_version", "" }, { " ", "tls_cipher", "" } },
        NULL, "text" },
    { "earlier",
        { { "to <", "recipient", ">" }, { " ", "result", "" }, { ", attempts: ", "attempts", "" },
            { ", ", "host", "" }, { " ", "remote", "" } },
        NULL, "text" },
    { "expired", { { "for <", "recipient", ">" } }, NULL, NULL },
    { "bounce", { { "notification ", "id", "" } }, "recipients", NULL },
    { "dropped", { { "no notification: ", "reason", "" } }, "recipients", NULL },
    { "held", { { NULL, NULL, NULL } }, "recipients", NULL },
    { "released", { { NULL, NULL, NULL } }, "recipients", NULL },
    { "retried", { { NULL, NULL, NULL } }, "recipients", NULL },
    { "deleted", { { NULL, NULL, NULL } }, "recipients", NULL },
    { "closed", { { NULL, NULL, NULL } }, NULL, NULL },
};

enum { INDENT = 42 };

static void put_piece(FILE *to, const json_t *event, const struct piece *piece)
{
    const json_t *value = json_object_get(event, piece->name);

    if (json_is_string(value)) {
        fputs(piece->before, to);
        show_text(to, slice_of(json_string_value(value), json_string_length(value)));
        fputs(piece->after, to);
    } else if (json_is_integer(value)) {
        fprintf(to, "%s%lld%s", piece->before, (long long)json_integer_value(value), piece->after);
    }
}

static void put_addresses(FILE *to, const json_t *addresses)
{
    const json_t *address;
    size_t index;

    json_array_foreach (addresses, index, address) {
        fprintf(to, "\n%*s<", INDENT, "");
        show_text(to, slice_text(json_string_value(address)));
        fputc('>', to);
    }
}

static void put_reply(FILE *to, const json_t *event, const char *name)
{
    struct slice text = slice_text(show_member(event, name));
    json_int_t code = show_number(event, "code");
    const char *status = show_member(event, "status");
    char time[SHOW_TIME];

    if (code > 0 || status || text.len > 0)
        fprintf(to, "\n%*s", INDENT, "");
    if (code > 0)
        fprintf(to, "%lld ", (long long)code);
    if (status) {
        show_text(to, slice_text(status));
        fputc(' ', to);
    }
    while (text.len > 0) {
        struct slice line = slice_first(text, slice_find(text, '\n'));
        show_text(to, line);
        text = slice_from(text, line.len + 1);
        if (text.len > 0)
            fprintf(to, "\n%*s", INDENT, "");
    }
    if (show_member(event, "next_attempt")) {
        show_time(show_member(event, "next_attempt"), false, time);
        fprintf(to, "\n%*snext attempt %s", INDENT, "", time);
    }
}

static void put_event(FILE *to, const json_t *event)
{
    const char *name = show_member(event, "event");
    char time[SHOW_TIME];

    show_time(show_member(event, "time"), true, time);
    fprintf(to, "%s  ", time);
    show_text(to, slice_text(name ? name : "?"));
    fprintf(to, "%*s", name && strlen(name) < 9 ? 10 - (int)strlen(name) : 1, "");
    for (size_t i = 0; name && i < LENGTH_OF(rows); i++) {
        if (strcmp(rows[i].event, name) != 0)
            continue;
        for (size_t j = 0; j < PIECES_MAX && rows[i].pieces[j].name; j++)
            put_piece(to, event, &rows[i].pieces[j]);
        if (rows[i].list)
            put_addresses(to, json_object_get(event, rows[i].list));
        if (rows[i].reply)
            put_reply(to, event, rows[i].reply);
    }
    fputc('\n', to);
}

int command_trace(struct invocation *call)
{
    json_t *result = NULL;
    const json_t *event;
    struct queue_id id;
    size_t index;
    int status;

    if (!queue_id_parse(slice_text(call->words[0]), &id))
        return call_fail(call, EX_USAGE, "%s is no queue id; allowed are %d letters and digits",
            call->words[0], QUEUE_ID_TEXT);
    status = control_ask(
        call, json_pack("{s:s, s:s}", "command", "trace", "id", call->words[0]), &result);
    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    show_line(call->out, result, "id", "message");
    show_line(call->out, result, "state", "state");
    json_array_foreach (json_object_get(result, "events"), index, event) {
        put_event(call->out, event);
    }
    json_decref(result);
    return 0;
}
