/* ctl/commands.c: the table of commands and the way from the command line to one of them. */
#include "ctl/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sysexits.h>

#include "ctl/show.h"

#define SELECTION "ID | --user ADDRESS | --domain DOMAIN | --all"
#define RIGHTS                                                                                     \
    "[--submit yes|no] [--sender PATTERN]... [--recipient PATTERN]... [--max-recipients NUMBER] "  \
    "[--max-size OCTETS]"
#define RIGHTS_OPTIONS (CTL_SUBMIT | CTL_SENDER | CTL_RECIPIENT | CTL_MAX_RECIPIENTS | CTL_MAX_SIZE)
#define SELECT_OPTIONS (CTL_USER | CTL_DOMAIN | CTL_ALL)

const struct command commands[] = {
    { "user add", "ADDRESS [--sender PATTERN]...", "add a user; the password is asked for", 1, 1,
        CTL_SENDER, true, command_user_add },
    { "user list", "", "show all users", 0, 0, 0, true, command_user_list },
    { "user passwd", "ADDRESS", "set a new password", 1, 1, 0, true, command_user_passwd },
    { "user disable", "ADDRESS", "refuse logins from now on", 1, 1, 0, true, command_user_disable },
    { "user enable", "ADDRESS", "allow logins again", 1, 1, 0, true, command_user_enable },
    { "user set", "ADDRESS " RIGHTS " [--group NAME]...", "change what a user may do", 1, 1,
        RIGHTS_OPTIONS | CTL_GROUP, true, command_user_set },
    { "user remove", "ADDRESS", "forget a user", 1, 1, 0, true, command_user_remove },
    { "password add", "ADDRESS NAME [--days NUMBER] " RIGHTS,
        "make an app password of that name, and show it once", 2, 2, RIGHTS_OPTIONS | CTL_DAYS,
        true, command_password_add },
    { "password list", "ADDRESS", "show what app passwords a user has", 1, 1, 0, true,
        command_password_list },
    { "password remove", "ADDRESS NAME", "revoke an app password", 2, 2, 0, true,
        command_password_remove },
    { "group set", "NAME " RIGHTS, "make a group, or change what its members may do", 1, 1,
        RIGHTS_OPTIONS, true, command_group_set },
    { "group list", "", "show all groups", 0, 0, 0, true, command_group_list },
    { "group remove", "NAME", "forget a group that has no members", 1, 1, 0, true,
        command_group_remove },
    { "queue list", "[--user ADDRESS] [--domain DOMAIN] [--held] [--limit NUMBER] [--after ID]",
        "show what is queued, oldest first", 0, 0,
        CTL_USER | CTL_DOMAIN | CTL_HELD | CTL_LIMIT | CTL_AFTER, true, command_queue_list },
    { "queue show", "ID", "show one queued message", 1, 1, 0, true, command_queue_show },
    { "queue hold", SELECTION, "start no further attempts", 0, 1, SELECT_OPTIONS, true,
        command_queue_change },
    { "queue release", SELECTION, "let held messages go", 0, 1, SELECT_OPTIONS, true,
        command_queue_change },
    { "queue retry", SELECTION, "try again now", 0, 1, SELECT_OPTIONS, true, command_queue_change },
    { "queue delete", "(" SELECTION ") [--bounce]", "delete, with --bounce telling the sender", 0,
        1, SELECT_OPTIONS | CTL_BOUNCE, true, command_queue_change },
    { "explain",
        "[--user ADDRESS [--password NAME] | --client IP] --from ADDRESS [--to ADDRESS]... [--size "
        "OCTETS]",
        "show what a client would be answered, and why", 0, 0,
        CTL_USER | CTL_PASSWORD | CTL_CLIENT | CTL_FROM | CTL_TO | CTL_SIZE, true,
        command_explain },
    { "clients", "[--limit NUMBER]", "show which clients and users make mistakes", 0, 0, CTL_LIMIT,
        true, command_clients },
    { "trace", "ID", "show what became of a message", 1, 1, 0, true, command_trace },
    { "status", "", "show the state of the server", 0, 0, 0, true, command_status },
    { "reload", "", "put the changed configuration in force", 0, 0, 0, false, command_reload },
    { "check", "", "check the configuration and the files it names", 0, 0, 0, false,
        command_check },
};
const size_t command_count = LENGTH_OF(commands);

/* As it is shown: a character that was cut in two is none, and JSON would refuse the whole. */
static int tell_json(struct invocation *call, const char *text)
{
    char *shown = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&shown, &len);
    int status = EX_SOFTWARE;

    if (!to)
        return status;
    show_text(to, slice_text(text));
    if (fclose(to) == 0)
        status = call_json(call, json_pack("{s:b, s:s}", "ok", 0, "error", shown));
    free(shown);
    return status;
}

int call_fail(struct invocation *call, int status, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("submitctl: ", call->err);
    show_text(call->err, slice_text(text));
    fputc('\n', call->err);
    return call->json && tell_json(call, text) != 0 ? EX_SOFTWARE : status;
}

/* ASCII alone: a terminal would obey the control characters above 127 that remote words may hold.
 */
int call_json(struct invocation *call, json_t *value)
{
    int rc =
        value ? json_dumpf(value, call->out, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII)
              : -1;

    fputc('\n', call->out);
    json_decref(value);
    return rc == 0 ? 0 : EX_SOFTWARE;
}

static int load_conf(struct invocation *call)
{
    struct conf_error error = { "" };
    enum err rc = conf_load(call->conf_path, &call->arena, &call->conf, &error);

    return rc == ERR_OK ? 0 : call_fail(call, EX_CONFIG, "%s", error.text);
}

static int run_call(struct invocation *call, int argc, char **argv)
{
    int status = arguments_read(call, argc, argv);

    if (status != 0)
        return status;
    if (call->version) {
        fprintf(call->out, "submitctl %s\n", SUBMITD_VERSION);
        return 0;
    }
    if (call->help) {
        arguments_help(call, call->out);
        return 0;
    }
    if (call->command->needs_conf)
        status = load_conf(call);
    return status == 0 ? call->command->run(call) : status;
}

int ctl_main(int argc, char **argv, FILE *out, FILE *err)
{
    struct invocation call = { .conf_path = CTL_DEFAULT_CONF, .out = out, .err = err };
    int status;

    arena_init(&call.arena, 64 << 20);
    status = run_call(&call, argc, argv);
    arena_clear(&call.arena);
    if (fflush(out) != 0 && status == 0)
        status = EX_IOERR;
    return status;
}
