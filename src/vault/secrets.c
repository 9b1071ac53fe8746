/* vault/secrets.c: generations, the newest first. */
#include "vault/secrets.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "ipc/messages.h"
#include "users/password.h"

enum { CERTIFICATES_MAX = 4096, ROUTES_MAX = 65536, PASSWORD_FILE_MAX = 1024 };

/* A certificate as it was handed over, in two messages. */
struct certificate {
    struct buffer chain;
    size_t name_len;
    char name_text[256];
    int key_fd; /* -1: none yet */
};

struct generation {
    uint64_t number;
    struct key **keys;
    size_t key_count;
    struct smarthost *smarthosts; /* by route */
    size_t smarthost_count;
};

/* What waits for secrets_apply. */
struct pending {
    struct certificate *certificates;
    size_t certificate_count;
    int *passwords; /* by route, -1: none */
    size_t password_count;
    enum err error; /* sticky */
};

struct secrets {
    struct pending pending;
    struct generation *generations[SECRETS_KEPT]; /* NULL at the end */
};

struct secrets *secrets_new(void)
{
    return calloc(1, sizeof(struct secrets));
}

static void pending_clear(struct pending *pending)
{
    for (size_t i = 0; i < pending->certificate_count; i++) {
        buffer_clear(&pending->certificates[i].chain);
        if (pending->certificates[i].key_fd >= 0)
            close(pending->certificates[i].key_fd);
    }
    for (size_t i = 0; i < pending->password_count; i++)
        if (pending->passwords[i] >= 0)
            close(pending->passwords[i]);
    free(pending->certificates);
    free(pending->passwords);
    *pending = (struct pending){ .error = ERR_OK };
}

static void generation_free(struct generation **generation)
{
    struct generation *gone = *generation;

    *generation = NULL;
    if (!gone)
        return;
    for (size_t i = 0; i < gone->key_count; i++)
        key_free(&gone->keys[i]);
    for (size_t i = 0; i < gone->smarthost_count; i++) {
        secret_clear(&gone->smarthosts[i].username);
        secret_clear(&gone->smarthosts[i].password);
    }
    free(gone->keys);
    free(gone->smarthosts);
    free(gone);
}

void secrets_free(struct secrets **secrets)
{
    if (!*secrets)
        return;
    pending_clear(&(*secrets)->pending);
    for (size_t i = 0; i < SECRETS_KEPT; i++)
        generation_free(&(*secrets)->generations[i]);
    free(*secrets);
    *secrets = NULL;
}

/* The place for a certificate; NULL, with the error kept, when there can be none. */
static struct certificate *certificate_at(struct pending *pending, uint32_t index)
{
    struct certificate *list;

    if (index >= CERTIFICATES_MAX) {
        pending->error = ERR_LIMIT;
        return NULL;
    }
    if (index >= pending->certificate_count) {
        list = reallocarray(pending->certificates, index + 1, sizeof *list);
        if (!list) {
            pending->error = ERR_NOMEM;
            return NULL;
        }
        pending->certificates = list;
        while (pending->certificate_count <= index) {
            struct certificate *fresh = &list[pending->certificate_count++];

            *fresh = (struct certificate){ .key_fd = -1 };
            buffer_init(&fresh->chain, FRAME_MAX);
        }
    }
    return &pending->certificates[index];
}

void secrets_give_certificate(struct secrets *secrets, uint32_t index, struct slice chain_pem)
{
    struct certificate *certificate = certificate_at(&secrets->pending, index);

    if (!certificate)
        return;
    buffer_reset(&certificate->chain);
    buffer_put_slice(&certificate->chain, chain_pem);
    if (certificate->chain.error != ERR_OK)
        secrets->pending.error = ERR_NOMEM;
}

void secrets_give_key(struct secrets *secrets, uint32_t index, struct slice name, int fd)
{
    struct certificate *certificate = certificate_at(&secrets->pending, index);

    if (!certificate) {
        close(fd);
        return;
    }
    if (certificate->key_fd >= 0)
        close(certificate->key_fd);
    certificate->key_fd = fd;
    name = slice_first(name, sizeof certificate->name_text);
    if (name.len > 0)
        memcpy(certificate->name_text, name.data, name.len);
    certificate->name_len = name.len;
}

void secrets_give_password(struct secrets *secrets, uint32_t route, int fd)
{
    struct pending *pending = &secrets->pending;
    int *list;

    if (route >= pending->password_count) {
        list =
            route < ROUTES_MAX ? reallocarray(pending->passwords, route + 1, sizeof *list) : NULL;
        if (!list) {
            pending->error = route < ROUTES_MAX ? ERR_NOMEM : ERR_LIMIT;
            close(fd);
            return;
        }
        pending->passwords = list;
        while (pending->password_count <= route)
            list[pending->password_count++] = -1;
    }
    if (pending->passwords[route] >= 0)
        close(pending->passwords[route]);
    pending->passwords[route] = fd;
}

static enum err load_keys(const struct pending *pending, struct generation *generation)
{
    char why[KEY_WHY] = "";
    enum err rc = ERR_OK;

    if (pending->certificate_count == 0)
        return ERR_OK;
    generation->keys = calloc(pending->certificate_count, sizeof *generation->keys);
    if (!generation->keys)
        return ERR_NOMEM;
    for (size_t i = 0; i < pending->certificate_count && rc == ERR_OK; i++) {
        const struct certificate *certificate = &pending->certificates[i];
        struct slice name = slice_of(certificate->name_text, certificate->name_len);

        rc = certificate->key_fd >= 0
                 ? key_load(certificate->key_fd, buffer_slice(&certificate->chain),
                       &generation->keys[i], why)
                 : ERR_INVALID;
        if (rc == ERR_OK)
            generation->key_count = i + 1;
        else
            log_event(LOG_ERROR, NULL, "TLS key cannot be used", log_slice("key", name),
                log_text("why", certificate->key_fd >= 0 ? why : "none was handed over"),
                log_reason(rc));
    }
    return rc;
}

/* The first line, without its end. A password has no line end of its own, and an editor always adds
 * one. */
static enum err read_password(int fd, struct secret *out_password)
{
    char text[PASSWORD_FILE_MAX];
    ssize_t got;
    struct slice line;
    enum err rc = ERR_INVALID;

    do
        got = pread(fd, text, sizeof text, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_from_errno(errno);
    line = slice_line(slice_of(text, (size_t)got));
    if (line.len > 0 && line.len <= PASSWORD_MAX && slice_find(line, '\0') == line.len)
        rc = secret_set(out_password, line) ? ERR_OK : ERR_NOMEM;
    explicit_bzero(text, sizeof text);
    return rc;
}

/* One login; fd: the password file, or -1. */
static enum err load_smarthost(
    struct smarthost *smarthost, enum role asker, struct slice username, struct slice file, int fd)
{
    enum err rc = fd >= 0 ? read_password(fd, &smarthost->password) : ERR_NOTFOUND;

    smarthost->asker = asker;
    if (rc == ERR_OK && !secret_set(&smarthost->username, username))
        rc = ERR_NOMEM;
    if (rc != ERR_OK)
        log_event(LOG_ERROR, NULL, "password file cannot be used", log_slice("file", file),
            log_text("allowed", "one line of 1 to 255 octets"), log_reason(rc));
    return rc;
}

static int password_of(const struct pending *pending, size_t index)
{
    return index < pending->password_count ? pending->passwords[index] : -1;
}

/* Those of the routes, then those of the IMAP servers. */
static enum err load_smarthosts(
    const struct pending *pending, const struct conf *conf, struct generation *generation)
{
    size_t count = conf->route_count + conf->imap_server_count;
    enum err rc = ERR_OK;

    if (count == 0)
        return ERR_OK;
    generation->smarthosts = calloc(count, sizeof *generation->smarthosts);
    if (!generation->smarthosts)
        return ERR_NOMEM;
    generation->smarthost_count = count;
    for (size_t i = 0; i < conf->route_count && rc == ERR_OK; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->username.len > 0)
            rc = load_smarthost(&generation->smarthosts[i], ROLE_RELAY, route->username,
                route->password_file, password_of(pending, i));
    }
    for (size_t i = 0; i < conf->imap_server_count && rc == ERR_OK; i++) {
        const struct conf_imap_server *server = &conf->imap_servers[i];
        size_t index = conf->route_count + i;

        rc = load_smarthost(&generation->smarthosts[index], ROLE_FETCH, server->username,
            server->password_file, password_of(pending, index));
    }
    return rc;
}

enum err secrets_apply(struct secrets *secrets, const struct conf *conf)
{
    struct pending *pending = &secrets->pending;
    struct generation *generation = calloc(1, sizeof *generation);
    enum err rc = generation ? pending->error : ERR_NOMEM;

    if (rc == ERR_OK)
        rc = load_keys(pending, generation);
    if (rc == ERR_OK)
        rc = load_smarthosts(pending, conf, generation);
    pending_clear(pending);
    if (rc != ERR_OK) {
        generation_free(&generation);
        return rc;
    }
    generation->number = conf->number;
    generation_free(&secrets->generations[SECRETS_KEPT - 1]);
    memmove(secrets->generations + 1, secrets->generations,
        (SECRETS_KEPT - 1) * sizeof secrets->generations[0]);
    secrets->generations[0] = generation;
    return ERR_OK;
}

enum { SNAPSHOT_BITS = 20, CERTIFICATE_BITS = 12 };

/* The generation that the number's upper bits mean; *out_newer: one that is still to come. */
static struct generation *generation_of(struct secrets *secrets, uint32_t snapshot, bool *out_newer)
{
    struct generation *newest = secrets->generations[0];
    uint32_t mask = (1u << SNAPSHOT_BITS) - 1;

    *out_newer = !newest;
    if (!newest || snapshot == 0)
        return newest;
    for (size_t i = 0; i < SECRETS_KEPT && secrets->generations[i]; i++)
        if ((secrets->generations[i]->number & mask) == snapshot)
            return secrets->generations[i];
    /* Ahead of ours by less than half the circle. */
    *out_newer = ((snapshot - (uint32_t)newest->number) & mask) < mask / 2;
    return NULL;
}

enum err secrets_key(struct secrets *secrets, uint32_t number, struct key **out_key)
{
    uint32_t certificate = number & ((1u << CERTIFICATE_BITS) - 1);
    bool newer;
    struct generation *generation = generation_of(secrets, number >> CERTIFICATE_BITS, &newer);

    if (!generation)
        return newer ? ERR_BUSY : ERR_NOTFOUND;
    if (certificate >= generation->key_count)
        return ERR_NOTFOUND;
    *out_key = generation->keys[certificate];
    return ERR_OK;
}

const struct smarthost *secrets_smarthost(
    const struct secrets *secrets, uint64_t snapshot, uint32_t route)
{
    for (size_t i = 0; i < SECRETS_KEPT && secrets->generations[i]; i++) {
        const struct generation *generation = secrets->generations[i];

        if (generation->number == snapshot)
            return route < generation->smarthost_count &&
                           generation->smarthosts[route].password.len > 0
                       ? &generation->smarthosts[route]
                       : NULL;
    }
    return NULL;
}
