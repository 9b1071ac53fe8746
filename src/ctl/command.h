/* ctl/command.h: one call of submitctl: what was typed, and the table of commands it is looked up
 * in. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/macros.h"
#include "conf/conf.h"

#define CTL_DEFAULT_CONF "/etc/submitd/submitd.conf"

enum { CTL_LIST_MAX = 256, CTL_WORDS_MAX = 4 };

/* Options beside those that every command takes (-c, --json, --help). */
enum ctl_option {
    CTL_EVERYWHERE = 0,
    CTL_SENDER = 1 << 0, /* --sender PATTERN, may repeat */
    CTL_LIMIT = 1 << 1,  /* --limit NUMBER */
    CTL_AFTER = 1 << 2,  /* --after ID */
    CTL_USER = 1 << 3,   /* --user ADDRESS */
    CTL_DOMAIN = 1 << 4, /* --domain DOMAIN */
    CTL_HELD = 1 << 5,
    CTL_ALL = 1 << 6,
    CTL_BOUNCE = 1 << 7,
    CTL_RECIPIENT = 1 << 8,       /* --recipient PATTERN, may repeat */
    CTL_GROUP = 1 << 9,           /* --group NAME, may repeat */
    CTL_SUBMIT = 1 << 10,         /* --submit yes|no */
    CTL_MAX_RECIPIENTS = 1 << 11, /* --max-recipients NUMBER|none */
    CTL_MAX_SIZE = 1 << 12,       /* --max-size OCTETS|none */
    CTL_FROM = 1 << 13,           /* --from ADDRESS */
    CTL_TO = 1 << 14,             /* --to ADDRESS, may repeat */
    CTL_SIZE = 1 << 15,           /* --size OCTETS */
    CTL_CLIENT = 1 << 16,         /* --client ADDRESS */
    CTL_DAYS = 1 << 17,           /* --days NUMBER */
    CTL_PASSWORD = 1 << 18,       /* --password NAME */
};

struct command;

/* The values of an option that may repeat. */
struct ctl_list {
    const char *values[CTL_LIST_MAX];
    size_t count;
};

/* Borrowed from argv. */
struct invocation {
    const struct command *command;
    const char *conf_path;
    bool json;
    bool help;
    bool version;
    unsigned given;                   /* enum ctl_option */
    const char *words[CTL_WORDS_MAX]; /* behind the command's own */
    size_t word_count;
    struct ctl_list senders;
    struct ctl_list recipients; /* --recipient and --to */
    struct ctl_list groups;
    const char *submit;
    const char *max_recipients;
    const char *max_size;
    const char *from;
    const char *size;
    const char *client;
    const char *password; /* the name of one, never the secret */
    const char *days;
    const char *limit;
    const char *after;
    const char *user;
    const char *domain;

    FILE *out;
    FILE *err;
    struct arena arena; /* of the call; holds the configuration */
    struct conf *conf;
};

struct command {
    const char *words; /* "trace", "user add" */
    const char *usage; /* what follows them */
    const char *help;  /* one line */
    size_t least_words;
    size_t most_words;
    unsigned options; /* enum ctl_option that it takes */
    bool needs_conf;  /* loaded before it runs */
    int (*run)(struct invocation *call);
};

extern const struct command commands[];
extern const size_t command_count;

/* The whole program behind main: exit status by sysexits. */
int ctl_main(int argc, char **argv, FILE *out, FILE *err);

/* Reads the command line. 0, or the exit status after it has said what is wrong. */
MUST_CHECK int arguments_read(struct invocation *call, int argc, char **argv);
/* Help for the call's command, or for all when it has none. */
void arguments_help(const struct invocation *call, FILE *to);

/* "submitctl: …" on the error stream, and {"ok":false,"error":…} on the other one where JSON was
 * asked for. Returns the status. */
PRINTF_LIKE(3, 4) int call_fail(struct invocation *call, int status, const char *format, ...);
/* One JSON document and LF. Takes the reference. Returns 0, or 70 without memory. */
MUST_CHECK int call_json(struct invocation *call, json_t *value);

/* The commands, each an exit status. */
int command_user_add(struct invocation *call);
int command_user_list(struct invocation *call);
int command_user_passwd(struct invocation *call);
int command_user_disable(struct invocation *call);
int command_user_enable(struct invocation *call);
int command_user_remove(struct invocation *call);
int command_user_set(struct invocation *call);
int command_group_set(struct invocation *call);
int command_group_list(struct invocation *call);
int command_group_remove(struct invocation *call);
int command_password_add(struct invocation *call);
int command_password_list(struct invocation *call);
int command_password_remove(struct invocation *call);
int command_queue_list(struct invocation *call);
int command_queue_show(struct invocation *call);
int command_queue_change(struct invocation *call); /* hold, release, retry, delete */
int command_clients(struct invocation *call);
int command_explain(struct invocation *call);
int command_trace(struct invocation *call);
int command_status(struct invocation *call);
int command_reload(struct invocation *call);
int command_check(struct invocation *call);

#endif
