/* supervisor/handover.c: opening what a snapshot names. */
#include "supervisor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls.h"
#include "net/tls_pair.h"
#include "supervisor/contents.h"
#include "users/file.h"
#include "users/password.h"

enum { CHAIN_MAX = 256 << 10 };

static void text_of(struct slice s, char out_text[4096])
{
    snprintf(out_text, 4096, "%.*s", SLICE_ARGS(s));
}

static enum err say(
    struct conf_error *out_why, const char *kind, struct slice path, const char *what)
{
    int number = errno;

    snprintf(out_why->text, sizeof out_why->text, "%s \"%.*s\": %s: %s", kind, SLICE_ARGS(path),
        what, strerror(number));
    return err_from_errno(number);
}

static enum err open_file(
    const char *kind, struct slice path, int flags, int *out_fd, struct conf_error *out_why)
{
    char text[4096];
    int fd;

    text_of(path, text);
    fd = open(text, flags | O_CLOEXEC);
    if (fd < 0)
        return say(out_why, kind, path, "cannot be opened");
    *out_fd = fd;
    return ERR_OK;
}

/* Keys, users and passwords: a file that others may open is refused, as submitd.conf(5) says. */
static enum err open_secret(
    const char *kind, struct slice path, int *out_fd, struct conf_error *out_why)
{
    struct stat st;
    int fd;
    enum err rc = open_file(kind, path, O_RDONLY | O_NONBLOCK, &fd, out_why);

    if (rc != ERR_OK)
        return rc;
    if (fstat(fd, &st) != 0)
        st = (struct stat){ 0 };
    if (S_ISREG(st.st_mode) && !(st.st_mode & S_IRWXO)) {
        *out_fd = fd;
        return ERR_OK;
    }
    if (S_ISREG(st.st_mode))
        snprintf(out_why->text, sizeof out_why->text,
            "%s \"%.*s\": mode %04o lets others in; allowed is 0640 or less", kind,
            SLICE_ARGS(slice_first(path, 300)), (unsigned)st.st_mode & 07777);
    else
        snprintf(out_why->text, sizeof out_why->text, "%s \"%.*s\": not a regular file", kind,
            SLICE_ARGS(slice_first(path, 300)));
    close(fd);
    return ERR_DENIED;
}

static enum err open_password(
    const char *option, struct slice path, size_t most, int *out_fd, struct conf_error *out_why)
{
    enum err rc = open_secret(option, path, out_fd, out_why);

    return rc == ERR_OK ? contents_check_secret(option, path, *out_fd, most, out_why) : rc;
}

/* None is named: the system's. */
static enum err open_own_roots(
    const char *option, struct slice path, int *out_fd, struct conf_error *out_why)
{
    enum err rc;

    if (path.len == 0)
        return ERR_OK;
    rc = open_file(option, path, O_RDONLY, out_fd, out_why);
    return rc == ERR_OK ? contents_check_roots(option, path, *out_fd, out_why) : rc;
}

static enum err read_file(
    const char *kind, struct slice path, struct buffer *out, struct conf_error *out_why)
{
    int fd;
    ssize_t got = 1;
    enum err rc = open_file(kind, path, O_RDONLY, &fd, out_why);

    while (rc == ERR_OK && got > 0) {
        char *room = buffer_reserve(out, 16384);
        got = room ? read(fd, room, 16384) : -1;
        if (!room)
            errno = EFBIG;
        if (got < 0)
            rc = say(out_why, kind, path, "cannot be read");
        else
            buffer_commit(out, (size_t)got);
    }
    if (rc == ERR_OK || got < 0)
        close(fd);
    return rc;
}

static enum err open_certificate(struct handover *h, struct slice name, struct slice certificate,
    struct slice key, struct conf_error *out_why)
{
    struct handover_certificate *c = &h->certificates[h->certificate_count++];
    char why[256];
    enum err rc;

    *c = (struct handover_certificate){ .name = name, .key_path = key, .key = -1 };
    buffer_init(&c->chain, CHAIN_MAX);
    rc = read_file("certificate", certificate, &c->chain, out_why);
    if (rc == ERR_OK)
        rc = open_secret("key", key, &c->key, out_why);
    if (rc != ERR_OK)
        return rc;
    if (!tls_pair_check(buffer_slice(&c->chain), c->key, why)) {
        snprintf(out_why->text, sizeof out_why->text, "certificate \"%.*s\" with key \"%.*s\": %s",
            SLICE_ARGS(certificate), SLICE_ARGS(key), why);
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* The gates read the text, not the file. */
static enum err read_client_ca(struct slice path, struct buffer *out, struct conf_error *out_why)
{
    int fd = -1;
    enum err rc = open_own_roots("client_ca", path, &fd, out_why);

    if (fd < 0)
        return rc;
    close(fd);
    return rc == ERR_OK ? read_file("client_ca", path, out, out_why) : rc;
}

static enum err open_certificates(
    struct handover *h, const struct conf *conf, struct conf_error *out_why)
{
    enum err rc;

    buffer_init(&h->client_ca, CHAIN_MAX);
    if (conf->tls.certificate.len == 0)
        return ERR_OK;
    h->certificates = calloc(1 + conf->tls.sni_count, sizeof *h->certificates);
    if (!h->certificates)
        return ERR_NOMEM;
    rc = open_certificate(h, slice_text(""), conf->tls.certificate, conf->tls.key, out_why);
    for (size_t i = 0; i < conf->tls.sni_count && rc == ERR_OK; i++) {
        const struct conf_sni *sni = &conf->tls.snis[i];
        rc = open_certificate(h, sni->name, sni->certificate, sni->key, out_why);
    }
    if (rc == ERR_OK)
        rc = read_client_ca(conf->tls.client_ca, &h->client_ca, out_why);
    return rc;
}

static bool may_read(int fd, struct account who)
{
    struct stat st;

    if (who.uid == (uid_t)-1)
        return true;
    if (fstat(fd, &st) != 0)
        return false;
    return (st.st_uid == who.uid && st.st_mode & S_IRUSR) ||
           (st.st_gid == who.gid && st.st_mode & S_IRGRP);
}

/* Is it a user file at all? Single lines that are wrong set aside their user and stop nothing. */
static enum err check_users(struct slice path, struct conf_error *out_why)
{
    struct users_report report;
    struct users *users = NULL;
    char text[4096];
    enum err rc;

    text_of(path, text);
    rc = users_load(AT_FDCWD, text, &report, &users);
    users_free(&users);
    if (rc != ERR_OK)
        snprintf(out_why->text, sizeof out_why->text, "users \"%.200s\": %s%s%.200s", text,
            report.count > 0 ? "" : err_text(rc), report.count > 0 ? "line 1: " : "",
            report.count > 0 ? report.problems[0].text : "");
    return rc;
}

/* A link that leads out of its folder leads out of the vault's walls. */
static enum err check_link(struct slice path, struct conf_error *out_why)
{
    char text[4096], folder[PATH_MAX], target[PATH_MAX];
    size_t len;

    text_of(slice_first(path, slice_find_last(path, '/')), text);
    if (!realpath(path.data[0] == '/' && text[0] == '\0' ? "/" : text, folder))
        return ERR_OK; /* it was opened a moment ago */
    text_of(path, text);
    len = strlen(folder);
    if (!realpath(text, target) || len == 1 ||
        (strncmp(target, folder, len) == 0 && target[len] == '/'))
        return ERR_OK;
    snprintf(out_why->text, sizeof out_why->text,
        "users \"%.200s\": a symbolic link out of its folder, where the vault cannot follow; name "
        "%.200s itself",
        text, target);
    return ERR_INVALID;
}

/* The folder is handed over, not the file: submitctl replaces the file, and the vault looks it up
 * again by name. */
static enum err open_users(
    struct handover *h, const struct conf *conf, struct account vault, struct conf_error *out_why)
{
    struct slice path = conf->users.path;
    size_t slash = slice_find_last(path, '/');
    int fd;
    bool readable;
    enum err rc;

    if (path.len == 0)
        return ERR_OK;
    rc = open_secret("users", path, &fd, out_why);
    if (rc != ERR_OK)
        return rc;
    readable = may_read(fd, vault);
    close(fd);
    if (!readable) {
        snprintf(out_why->text, sizeof out_why->text,
            "users \"%.*s\": the vault's user may not read it; give it the file with: chown %ld "
            "FILE",
            SLICE_ARGS(slice_first(path, 300)), (long)vault.uid);
        return ERR_DENIED;
    }
    rc = check_users(path, out_why);
    if (rc == ERR_OK)
        rc = check_link(path, out_why);
    if (rc != ERR_OK)
        return rc;
    h->users_name = slash < path.len ? slice_from(path, slash + 1) : path;
    path = slash < path.len ? slice_first(path, slash > 0 ? slash : 1) : slice_text(".");
    return open_file("folder of the users file", path, O_RDONLY | O_DIRECTORY, &h->users, out_why);
}

/* The folder, for the same reason. The file may be missing for now: then no token is good. */
static enum err open_keys(struct handover *h, const struct conf *conf, struct conf_error *out_why)
{
    struct slice path = conf->auth.oauth_jwks;
    size_t slash = slice_find_last(path, '/');

    if (path.len == 0)
        return ERR_OK;
    h->keys_name = slice_from(path, slash + 1);
    path = slice_first(path, slash > 0 ? slash : 1);
    return open_file("folder of oauth_jwks", path, O_RDONLY | O_DIRECTORY, &h->keys, out_why);
}

static enum err open_maildir(
    struct slice path, struct account owner, int *out_fd, struct conf_error *out_why)
{
    char text[4096];

    text_of(path, text);
    if (mkdir(text, 0700) == 0) {
        if (owner.uid != (uid_t)-1 && chown(text, owner.uid, owner.gid) != 0)
            return say(out_why, "Maildir", path, "cannot be given to the maildrop's user");
    } else if (errno != EEXIST) {
        return say(out_why, "Maildir", path, "cannot be made");
    }
    return open_file("Maildir", path, O_RDONLY | O_DIRECTORY, out_fd, out_why);
}

static enum err make_room_for_routes(struct handover *h, const struct conf *conf)
{
    h->passwords = calloc(conf->route_count, sizeof *h->passwords);
    h->maildirs = calloc(conf->route_count, sizeof *h->maildirs);
    h->ca_files = calloc(conf->route_count, sizeof *h->ca_files);
    if (!h->passwords || !h->maildirs || !h->ca_files)
        return ERR_NOMEM;
    h->route_count = conf->route_count;
    memset(h->passwords, 0xff, conf->route_count * sizeof *h->passwords);
    memset(h->maildirs, 0xff, conf->route_count * sizeof *h->maildirs);
    memset(h->ca_files, 0xff, conf->route_count * sizeof *h->ca_files);
    return ERR_OK;
}

static enum err open_routes(struct handover *h, const struct conf *conf, struct conf_error *out_why)
{
    enum err rc = make_room_for_routes(h, conf);

    for (size_t i = 0; i < conf->route_count && rc == ERR_OK; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->username.len > 0)
            rc = open_password(
                "password_file", route->password_file, PASSWORD_MAX, &h->passwords[i], out_why);
        if (rc == ERR_OK)
            rc = open_own_roots("ca_file", route->ca_file, &h->ca_files[i], out_why);
    }
    return rc;
}

static enum err open_maildirs(struct handover *h, const struct conf *conf, struct account maildrop,
    struct conf_error *out_why)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < conf->route_count && rc == ERR_OK; i++)
        if (conf->routes[i].via == CONF_VIA_MAILDIR)
            rc = open_maildir(conf->routes[i].path, maildrop, &h->maildirs[i], out_why);
    return rc;
}

static enum err open_roots(struct handover *h, struct conf_error *out_why)
{
    const char *path = tls_system_roots();

    return path ? open_file("trusted roots", slice_text(path), O_RDONLY, &h->roots, out_why)
                : ERR_OK;
}

static enum err open_fetch(struct handover *h, const struct conf *conf, struct conf_error *out_why)
{
    const struct {
        struct slice roots;
        const char *roots_option;
        struct slice secret;
        const char *secret_option;
    } files[FETCH_PEERS] = {
        [FETCH_PEER_OAUTH] = { conf->auth.oauth_ca_file, "oauth_ca_file",
            conf->auth.oauth_client_secret_file, "oauth_client_secret_file" },
    };
    enum err rc = ERR_OK;

    for (size_t i = 0; i < FETCH_PEERS && rc == ERR_OK; i++) {
        rc = open_own_roots(files[i].roots_option, files[i].roots, &h->fetch_roots[i], out_why);
        if (rc == ERR_OK && files[i].secret.len > 0)
            rc = open_password(files[i].secret_option, files[i].secret, FETCH_SECRET_MAX,
                &h->fetch_secrets[i], out_why);
    }
    return rc;
}

static enum err open_imap_servers(
    struct handover *h, const struct conf *conf, struct conf_error *out_why)
{
    size_t count = conf->imap_server_count;
    enum err rc = ERR_OK;

    if (count == 0)
        return ERR_OK;
    h->imap_passwords = calloc(count, sizeof *h->imap_passwords);
    h->imap_roots = calloc(count, sizeof *h->imap_roots);
    if (!h->imap_passwords || !h->imap_roots)
        return ERR_NOMEM;
    h->imap_server_count = count;
    memset(h->imap_passwords, 0xff, count * sizeof *h->imap_passwords);
    memset(h->imap_roots, 0xff, count * sizeof *h->imap_roots);
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        const struct conf_imap_server *server = &conf->imap_servers[i];

        rc = open_password(
            "password_file", server->password_file, PASSWORD_MAX, &h->imap_passwords[i], out_why);
        if (rc == ERR_OK)
            rc = open_own_roots("ca_file", server->ca_file, &h->imap_roots[i], out_why);
    }
    return rc;
}

enum err handover_open(struct handover *h, const struct conf *conf,
    const struct account accounts[ROLE_COUNT], struct conf_error *out_why)
{
    enum err rc;

    *h = (struct handover)HANDOVER_NONE;
    snprintf(out_why->text, sizeof out_why->text, "out of memory");
    rc = open_certificates(h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_users(h, conf, accounts[ROLE_VAULT], out_why);
    if (rc == ERR_OK)
        rc = open_keys(h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_routes(h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_maildirs(h, conf, accounts[ROLE_MAILDROP], out_why);
    if (rc == ERR_OK)
        rc = open_imap_servers(h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_roots(h, out_why);
    if (rc == ERR_OK)
        rc = open_fetch(h, conf, out_why);
    if (rc != ERR_OK)
        handover_close(h);
    return rc;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void handover_close(struct handover *h)
{
    for (size_t i = 0; i < h->certificate_count; i++) {
        close_fd(h->certificates[i].key);
        buffer_clear(&h->certificates[i].chain);
    }
    for (size_t i = 0; i < h->route_count; i++) {
        close_fd(h->passwords[i]);
        close_fd(h->maildirs[i]);
        close_fd(h->ca_files[i]);
    }
    for (size_t i = 0; i < h->imap_server_count; i++) {
        close_fd(h->imap_passwords[i]);
        close_fd(h->imap_roots[i]);
    }
    buffer_clear(&h->client_ca);
    close_fd(h->roots);
    for (size_t i = 0; i < FETCH_PEERS; i++) {
        close_fd(h->fetch_roots[i]);
        close_fd(h->fetch_secrets[i]);
    }
    close_fd(h->users);
    close_fd(h->keys);
    free(h->certificates);
    free(h->passwords);
    free(h->maildirs);
    free(h->ca_files);
    free(h->imap_passwords);
    free(h->imap_roots);
    *h = (struct handover)HANDOVER_NONE;
}

static bool is_same_folder(int one, int other)
{
    struct stat a, b;

    return one >= 0 && other >= 0 && fstat(one, &a) == 0 && fstat(other, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool has_maildir(const struct handover *h, int folder)
{
    for (size_t i = 0; i < h->route_count; i++)
        if (is_same_folder(h->maildirs[i], folder))
            return true;
    return false;
}

unsigned handover_new_folders(const struct handover *old, const struct handover *fresh)
{
    unsigned gifts = 0;

    if (fresh->users >= 0 && !is_same_folder(old->users, fresh->users))
        gifts |= 1u << GIFT_USERS;
    if (fresh->keys >= 0 && !is_same_folder(old->keys, fresh->keys))
        gifts |= 1u << GIFT_USERS;
    for (size_t i = 0; i < fresh->route_count; i++)
        if (fresh->maildirs[i] >= 0 && !has_maildir(old, fresh->maildirs[i]))
            gifts |= 1u << GIFT_MAILDIR;
    return gifts;
}

enum err handover_check(const struct conf *conf, struct conf_error *out_why)
{
    struct handover h = HANDOVER_NONE;
    enum err rc = open_certificates(&h, conf, out_why);

    if (rc == ERR_OK)
        rc = open_routes(&h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_imap_servers(&h, conf, out_why);
    if (rc == ERR_OK)
        rc = open_fetch(&h, conf, out_why);
    handover_close(&h);
    return rc;
}
