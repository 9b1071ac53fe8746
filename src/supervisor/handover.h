/* supervisor/handover.h: what belongs to one snapshot and is opened anew at each reload:
 * certificate chains, private keys, the user file's folder, smarthost passwords, Maildir folders,
 * trusted roots, secrets for those whom the fetch room asks. */
#ifndef SUPERVISOR_HANDOVER_H
#define SUPERVISOR_HANDOVER_H

#include "ipc/messages.h"
#include "supervisor/accounts.h"

struct handover_certificate {
    struct slice name;   /* server name; empty for the default */
    struct buffer chain; /* PEM */
    struct slice key_path;
    int key;
};

struct handover {
    struct handover_certificate *certificates; /* the default first */
    size_t certificate_count;
    struct buffer client_ca; /* PEM; empty without */
    int users;               /* descriptor of the folder, or -1 without a users section */
    struct slice users_name; /* the file's name in it */
    int keys;                /* the same for the key set of auth */
    struct slice keys_name;
    int *passwords; /* by route, -1 where none */
    int *maildirs;  /* by route, -1 where none */
    int *ca_files;  /* by route, -1 where none */
    size_t route_count;
    int *imap_passwords; /* by imap_server */
    int *imap_roots;     /* by imap_server; -1: the system's */
    size_t imap_server_count;
    int roots;                    /* what the system trusts, or -1 */
    int fetch_roots[FETCH_PEERS]; /* the trusted roots of those that are asked; -1: the system's */
    int fetch_secrets[FETCH_PEERS]; /* our secrets for them, -1 where none */
};

#define HANDOVER_NONE                                                                              \
    {                                                                                              \
        .users = -1, .keys = -1, .roots = -1, .fetch_roots = { [0 ... FETCH_PEERS - 1] = -1 },     \
        .fetch_secrets = {                                                                         \
            [0 ... FETCH_PEERS - 1] = -1                                                           \
        }                                                                                          \
    }

/* Opens everything the configuration names. On failure nothing stays open and one sentence in
 * out_why names the file and the way out. accounts: owner of a Maildir folder that has to be made.
 */
MUST_CHECK enum err handover_open(struct handover *handover, const struct conf *conf,
    const struct account accounts[ROLE_COUNT], struct conf_error *out_why);
void handover_close(struct handover *handover);
/* The folders that `fresh` has and `old` has not, as bits 1 << enum gift: the walls of rooms that
 * run do not let them in there. */
unsigned handover_new_folders(const struct handover *old, const struct handover *fresh);
/* Do the certificates and keys belong together, and do the other files that the configuration names
 * hold what they should? Opens, looks and closes; makes nothing. */
MUST_CHECK enum err handover_check(const struct conf *conf, struct conf_error *out_why);

#endif
