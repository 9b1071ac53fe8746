/* supervisor/main.c: the program file: what was asked for on the command line, and which room this
 * process is. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/fetch.h"
#include "gate/gate.h"
#include "ipc/room.h"
#include "maildrop/maildrop.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "supervisor/supervisor.h"
#include "vault/vault.h"

enum { EXIT_USAGE = 64 };

#define DEFAULT_CONF "/etc/submitd/submitd.conf"

static const char help[] =
    "usage: submitd [-c FILE] [--check]\n"
    "\n"
    "The message submission server. Runs in the foreground and logs to standard error.\n"
    "\n"
    "  -c, --config FILE  the configuration (default " DEFAULT_CONF ")\n"
    "      --check        check the configuration and the files it names, then exit\n"
    "      --version      show the version and exit\n"
    "  -h, --help         show this text and exit\n"
    "\n"
    "SIGTERM finishes what is under way and stops; SIGHUP reloads the configuration and the\n"
    "certificates. See submitd(8), submitd.conf(5), submitctl(1).\n";

static const struct room_type *const rooms[] = { &gate_room, &vault_room, &queue_room, &relay_room,
    &maildrop_room, &fetch_room };

struct options {
    const char *conf;
    bool check;
    const char *room; /* NULL: this is the supervisor */
    unsigned long index;
    long uid;
    long gid;
};

enum { OPT_CHECK = 256, OPT_VERSION, OPT_ROOM, OPT_INDEX, OPT_UID, OPT_GID };

static const struct option long_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "check", no_argument, NULL, OPT_CHECK },
    { "version", no_argument, NULL, OPT_VERSION },
    { "help", no_argument, NULL, 'h' },
    /* how the supervisor starts a room; nobody else has a use for these */
    { "room", required_argument, NULL, OPT_ROOM },
    { "index", required_argument, NULL, OPT_INDEX },
    { "uid", required_argument, NULL, OPT_UID },
    { "gid", required_argument, NULL, OPT_GID },
    { NULL, 0, NULL, 0 },
};

/* Takes one option. -1 to go on, else the exit status. */
static int take_option(struct options *o, int option)
{
    switch (option) {
    case 'c':
        o->conf = optarg;
        return -1;
    case OPT_CHECK:
        o->check = true;
        return -1;
    case OPT_VERSION:
        printf("submitd %s\n", SUBMITD_VERSION);
        return 0;
    case 'h':
        fputs(help, stdout);
        return 0;
    case OPT_ROOM:
        o->room = optarg;
        return -1;
    case OPT_INDEX:
        o->index = strtoul(optarg, NULL, 10);
        return -1;
    case OPT_UID:
        o->uid = strtol(optarg, NULL, 10);
        return -1;
    case OPT_GID:
        o->gid = strtol(optarg, NULL, 10);
        return -1;
    default:
        fputs(help, stderr);
        return EXIT_USAGE;
    }
}

static int run_room(const struct options *o)
{
    for (size_t i = 0; i < LENGTH_OF(rooms); i++)
        if (strcmp(role_name(rooms[i]->role), o->room) == 0)
            return room_main(rooms[i], (uint32_t)o->index, (uid_t)o->uid, (gid_t)o->gid);
    fprintf(stderr, "submitd: no such room: %s\n", o->room);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options o = { .conf = DEFAULT_CONF, .uid = -1, .gid = -1 };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        int status = take_option(&o, option);
        if (status >= 0)
            return status;
    }
    if (optind < argc) {
        fprintf(stderr, "submitd: unexpected argument: %s\n%s", argv[optind], help);
        return EXIT_USAGE;
    }
    if (o.room)
        return run_room(&o);
    return o.check ? supervisor_check(o.conf) : supervisor_main(o.conf);
}
