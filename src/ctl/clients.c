/* ctl/clients.c: which clients and users make mistakes again and again. */
#include <sysexits.h>

#include "ctl/command.h"
#include "ctl/control.h"
#include "ctl/show.h"

static void put_client(FILE *to, const json_t *row)
{
    const char *user = show_member(row, "user");
    const char *name = show_member(row, "name");
    char last[SHOW_TIME];
    json_t *count;
    const char *kind;

    show_text(to, slice_text(show_member(row, "client")));
    if (user) {
        fputs("  user ", to);
        show_text(to, slice_text(user));
    }
    if (name) {
        fputs("  called ", to);
        show_text(to, slice_text(name));
    }
    fputs("\n ", to);
    json_object_foreach (json_object_get(row, "mistakes"), kind, count) {
        fputc(' ', to);
        show_text(to, slice_text(kind));
        fprintf(to, " %lld", (long long)json_integer_value(count));
    }
    show_time(show_member(row, "last"), false, last);
    fprintf(to, "\n  last %s: ", last);
    show_text(to, slice_text(show_member(row, "reply")));
    fputc('\n', to);
}

int command_clients(struct invocation *call)
{
    json_t *request = json_pack("{s:s}", "command", "clients");
    json_t *result = NULL;
    const json_t *row;
    uint64_t limit;
    size_t index;
    int status;

    if (call->limit) {
        if (!slice_number(slice_text(call->limit), 10000, &limit) || limit == 0) {
            json_decref(request);
            return call_fail(
                call, EX_USAGE, "--limit takes a number from 1 to 10000, not %s", call->limit);
        }
        json_object_set_new(request, "limit", json_integer((json_int_t)limit));
    }
    status = control_ask(call, request, &result);
    if (status != 0)
        return status;
    if (call->json)
        return call_json(call, result);
    json_array_foreach (json_object_get(result, "clients"), index, row)
        put_client(call->out, row);
    json_decref(result);
    return 0;
}
