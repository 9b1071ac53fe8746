/* ctl/arguments.c: the command line: which command, with which options and words; and the help,
 * from the same tables. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/command.h"
#include "smtp/address.h"

struct flag {
    const char *name;
    char letter;
    enum ctl_option option; /* CTL_EVERYWHERE: every command takes it */
    size_t value;           /* offset of a const char * in the call; 0: it takes no value */
    size_t mark;            /* offset of a bool in the call; 0: none */
    bool may_repeat;        /* value is the offset of a struct ctl_list */
    const char *usage;
    const char *help;
};

static const struct flag flags[] = {
    { "config", 'c', CTL_EVERYWHERE, offsetof(struct invocation, conf_path), 0, false, "FILE",
        "the configuration (default " CTL_DEFAULT_CONF ")" },
    { "json", 0, CTL_EVERYWHERE, 0, offsetof(struct invocation, json), false, "",
        "answer in JSON" },
    { "help", 'h', CTL_EVERYWHERE, 0, offsetof(struct invocation, help), false, "",
        "show help and exit" },
    { "version", 0, CTL_EVERYWHERE, 0, offsetof(struct invocation, version), false, "",
        "show the version and exit" },
    { "sender", 0, CTL_SENDER, offsetof(struct invocation, senders), 0, true, "PATTERN",
        "a further address to send as: user@domain, *@domain or *; may repeat" },
    { "recipient", 0, CTL_RECIPIENT, offsetof(struct invocation, recipients), 0, true, "PATTERN",
        "write to these only: user@domain, *@domain; may repeat" },
    { "group", 0, CTL_GROUP, offsetof(struct invocation, groups), 0, true, "NAME",
        "has the rights of this group too; may repeat" },
    { "submit", 0, CTL_SUBMIT, offsetof(struct invocation, submit), 0, false, "yes|no",
        "whether a login may send mail at all" },
    { "max-recipients", 0, CTL_MAX_RECIPIENTS, offsetof(struct invocation, max_recipients), 0,
        false, "NUMBER", "recipients of a message at most, or none" },
    { "max-size", 0, CTL_MAX_SIZE, offsetof(struct invocation, max_size), 0, false, "OCTETS",
        "size of a message at most, or none" },
    { "days", 0, CTL_DAYS, offsetof(struct invocation, days), 0, false, "NUMBER",
        "works so many days from now on, else for ever" },
    { "limit", 0, CTL_LIMIT, offsetof(struct invocation, limit), 0, false, "NUMBER",
        "at most so many messages (default 1000) or clients (100)" },
    { "after", 0, CTL_AFTER, offsetof(struct invocation, after), 0, false, "ID",
        "only messages behind this one" },
    { "user", 0, CTL_USER, offsetof(struct invocation, user), 0, false, "ADDRESS",
        "messages of this user; explain: who has logged in" },
    { "domain", 0, CTL_DOMAIN, offsetof(struct invocation, domain), 0, false, "DOMAIN",
        "recipients in this domain" },
    { "client", 0, CTL_CLIENT, offsetof(struct invocation, client), 0, false, "IP",
        "the address of a client that does not log in" },
    { "password", 0, CTL_PASSWORD, offsetof(struct invocation, password), 0, false, "NAME",
        "the name of the app password that the user has logged in with" },
    { "from", 0, CTL_FROM, offsetof(struct invocation, from), 0, false, "ADDRESS",
        "what it says to MAIL FROM; \"\" is the null sender" },
    { "to", 0, CTL_TO, offsetof(struct invocation, recipients), 0, true, "ADDRESS",
        "what it says to RCPT TO; may repeat" },
    { "size", 0, CTL_SIZE, offsetof(struct invocation, size), 0, false, "OCTETS",
        "the size of the message" },
    { "held", 0, CTL_HELD, 0, 0, false, "", "only messages that are held" },
    { "all", 0, CTL_ALL, 0, 0, false, "", "everything" },
    { "bounce", 0, CTL_BOUNCE, 0, 0, false, "", "send the sender a notification" },
};

static const struct flag *find_flag(const char *name, size_t len)
{
    for (size_t i = 0; i < LENGTH_OF(flags); i++)
        if ((strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0) ||
            (len == 1 && flags[i].letter == name[0]))
            return &flags[i];
    return NULL;
}

/* The flag that an argument names, its name's length, and its value behind "=" or NULL. */
static const struct flag *parse_flag(const char *argument, const char **out_value)
{
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);

    *out_value = equals ? equals + 1 : NULL;
    if (is_long ? len < 2 : len != 1)
        return NULL;
    return find_flag(name, len);
}

static int take_value(struct invocation *call, const struct flag *flag, const char *value)
{
    if (flag->may_repeat) {
        struct ctl_list *list = (struct ctl_list *)(void *)((char *)call + flag->value);

        if (list->count == CTL_LIST_MAX)
            return call_fail(call, EX_USAGE, "more than %d times --%s", CTL_LIST_MAX, flag->name);
        list->values[list->count++] = value;
        return 0;
    }
    if (call->given & flag->option)
        return call_fail(call, EX_USAGE, "--%s is given twice", flag->name);
    memcpy((char *)call + flag->value, &value, sizeof value);
    return 0;
}

/* argv[*at] is an option; *at moves on to its value where that is the next argument. */
static int take_flag(struct invocation *call, int argc, char **argv, int *at)
{
    const char *value;
    const struct flag *flag = parse_flag(argv[*at], &value);
    int status = 0;

    if (!flag)
        return call_fail(call, EX_USAGE, "unknown option %s; see submitctl --help", argv[*at]);
    if (flag->value == 0 && value)
        return call_fail(call, EX_USAGE, "--%s takes no value", flag->name);
    if (flag->value > 0 && !value) {
        if (*at + 1 >= argc)
            return call_fail(call, EX_USAGE, "%s needs a value: %s", argv[*at], flag->usage);
        value = argv[++*at];
    }
    if (flag->value > 0)
        status = take_value(call, flag, value);
    if (flag->mark > 0)
        *(bool *)((char *)call + flag->mark) = true;
    call->given |= flag->option;
    return status;
}

/* Is it the first word of commands of two words? */
static bool is_group(const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i].words, word, len) == 0 && commands[i].words[len] == ' ')
            return true;
    return false;
}

/* Takes the command's own words off the front. */
static int take_command(struct invocation *call)
{
    size_t own = call->word_count > 0 && is_group(call->words[0]) ? 2 : 1;
    char words[128];

    if (call->word_count < own)
        return call_fail(call, EX_USAGE, "a command is missing; see submitctl --help");
    snprintf(words, sizeof words, "%s%s%s", call->words[0], own == 2 ? " " : "",
        own == 2 ? call->words[1] : "");
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].words, words) == 0)
            call->command = &commands[i];
    if (!call->command)
        return call_fail(call, EX_USAGE, "there is no command %s; see submitctl --help", words);
    call->word_count -= own;
    memmove(call->words, call->words + own, call->word_count * sizeof *call->words);
    return 0;
}

static int check_fit(struct invocation *call)
{
    const struct command *command = call->command;
    unsigned foreign = call->given & ~command->options;

    for (size_t i = 0; i < LENGTH_OF(flags); i++)
        if (flags[i].option & foreign)
            return call_fail(call, EX_USAGE, "%s takes no --%s", command->words, flags[i].name);
    if (call->word_count < command->least_words || call->word_count > command->most_words)
        return call_fail(call, EX_USAGE, "%s takes %s", command->words,
            command->usage[0] ? command->usage : "no argument");
    return 0;
}

/* JSON has no way to say other words to the server, and a selection must not get lost. */
static int check_text(struct invocation *call, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!text_is_utf8(slice_text(argv[i])))
            return call_fail(call, EX_USAGE, "argument %d is not UTF-8", i);
    return 0;
}

int arguments_read(struct invocation *call, int argc, char **argv)
{
    bool only_words = false;
    int status = check_text(call, argc, argv);

    for (int i = 1; i < argc && status == 0; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0')
            status = take_flag(call, argc, argv, &i);
        else if (call->word_count == CTL_WORDS_MAX)
            status = call_fail(call, EX_USAGE, "too many arguments; see submitctl --help");
        else
            call->words[call->word_count++] = argv[i];
    }
    if (status != 0 || call->version || (call->help && call->word_count == 0))
        return status;
    /* "submitctl queue --help" is help for all. */
    if (call->help && call->word_count == 1 && is_group(call->words[0]))
        return 0;
    status = take_command(call);
    return status != 0 || call->help ? status : check_fit(call);
}

static void put_flags(unsigned options, FILE *to)
{
    for (size_t i = 0; i < LENGTH_OF(flags); i++) {
        char name[64];
        if (flags[i].option != CTL_EVERYWHERE && !(flags[i].option & options))
            continue;
        snprintf(name, sizeof name, "%c%c%s--%s %s", flags[i].letter ? '-' : ' ',
            flags[i].letter ? flags[i].letter : ' ', flags[i].letter ? ", " : "  ", flags[i].name,
            flags[i].usage);
        fprintf(to, "  %-24s %s\n", name, flags[i].help);
    }
}

void arguments_help(const struct invocation *call, FILE *to)
{
    const struct command *command = call->command;

    if (command) {
        fprintf(to, "usage: submitctl [-c FILE] [--json] %s%s%s\n\n%s\n\n", command->words,
            command->usage[0] ? " " : "", command->usage, command->help);
        put_flags(command->options, to);
        return;
    }
    fputs("usage: submitctl [-c FILE] [--json] COMMAND [ARGUMENT]...\n\n", to);
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-14s %s\n", commands[i].words, commands[i].help);
    fputc('\n', to);
    put_flags(0, to);
    fputs("\n\"submitctl COMMAND --help\" tells more of one command. See submitctl(1).\n", to);
}
