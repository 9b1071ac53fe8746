/* users/save.c: writes the user file so that a reader, a crash or a second writer never meets half
 * of one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "users/lines.h"

enum { LOCK_WAIT_MS = 5000, LOCK_STEP_MS = 50 };

static void put_base64(struct buffer *out, const void *data, size_t len)
{
    base64_encode(out, slice_of(data, len));
}

static void put_scram(struct buffer *out, const char *word, const struct scram_verifier *scram)
{
    size_t size = scram_key_size(scram->hash);

    buffer_printf(out, " %s=%u:", word, (unsigned)scram->iterations);
    put_base64(out, scram->salt, scram->salt_len);
    buffer_put_char(out, ':');
    put_base64(out, scram->stored_key, size);
    buffer_put_char(out, ':');
    put_base64(out, scram->server_key, size);
}

static void put_patterns(
    struct buffer *out, const char *name, const struct sender *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_put_text(out, name);
        buffer_put_slice(out, patterns[i].pattern);
    }
}

static void put_rights(struct buffer *out, const struct user_rights *rights)
{
    if (!rights->may_submit)
        buffer_put_text(out, " submit=no");
    if (rights->max_recipients > 0)
        buffer_printf(out, " max_recipients=%" PRIu64, rights->max_recipients);
    if (rights->max_size > 0)
        buffer_printf(out, " max_size=%" PRIu64, rights->max_size);
    put_patterns(out, " sender=", rights->senders, rights->sender_count);
    put_patterns(out, " recipient=", rights->recipients, rights->recipient_count);
}

static void put_group(struct buffer *out, const struct user_group *group)
{
    buffer_put_char(out, '@');
    buffer_put_slice(out, group->name);
    put_rights(out, &group->rights);
}

static void put_user(struct buffer *out, const struct user *user)
{
    buffer_put_slice(out, user->login);
    buffer_put_text(out, user->state == USER_DISABLED ? " state=disabled" : " state=active");
    if (user->min_mech == USER_MECH_SCRAM)
        buffer_put_text(out, " min_mech=scram");
    if (user->hash.len > 0) {
        buffer_put_text(out, " hash=");
        buffer_put_slice(out, user->hash);
    }
    if (user->scram.iterations > 0)
        put_scram(out, "scram", &user->scram);
    if (user->scram_sha1)
        put_scram(out, "scram_sha1", user->scram_sha1);
    for (size_t i = 0; i < user->group_count; i++) {
        buffer_put_text(out, " group=");
        buffer_put_slice(out, user->groups[i].name);
    }
    put_rights(out, &user->rights);
}

static void put_app(struct buffer *out, const struct app *app)
{
    buffer_put_slice(out, app->login);
    buffer_put_char(out, ':');
    buffer_put_slice(out, app->name);
    put_scram(out, "scram", &app->scram);
    if (app->until > 0)
        buffer_printf(out, " until=%" PRId64, app->until);
    put_rights(out, &app->rights);
}

/* What could not be read again must not be written: its user, or all of its members, would be set
 * aside. */
static void put_line(struct buffer *out, const struct users_line *line)
{
    size_t start = out->len;

    if (line->user)
        put_user(out, line->user);
    else if (line->group)
        put_group(out, line->group);
    else if (line->app)
        put_app(out, line->app);
    if (out->len - start > USERS_LINE_MAX)
        out->error = ERR_LIMIT;
    if (!line->user && !line->group && !line->app)
        buffer_put_slice(out, line->raw);
    buffer_put_char(out, '\n');
}

static void put_file(struct buffer *out, const struct users *users)
{
    const struct users_line *line;

    buffer_put_text(out, "submitd-users 1");
    if (users->has_key) {
        buffer_put_text(out, " key=");
        put_base64(out, users->key, USERS_KEY);
    }
    buffer_put_char(out, '\n');
    DL_FOREACH (users->lines, line) {
        /* With an end it would be a user again, perhaps without the word that took a right away;
         * and without the app password that it did not go with, one itself. */
        if (line->is_cut || line->is_muted)
            buffer_put_char(out, '#');
        put_line(out, line);
    }
}

static enum err write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.data, bytes.len);

        if (written < 0 && errno != EINTR)
            return err_from_errno(errno);
        if (written > 0)
            bytes = slice_from(bytes, (size_t)written);
    }
    return ERR_OK;
}

/* Where the file really lies (a link is followed, a file that does not exist yet lies where it is
 * named), and its folder. */
static enum err find_place(const char *path, char out_file[PATH_MAX], char out_folder[PATH_MAX])
{
    const char *slash;
    int len;

    if (!realpath(path, out_file)) {
        if (errno != ENOENT)
            return err_from_errno(errno);
        if (strlen(path) >= PATH_MAX)
            return ERR_LIMIT;
        strcpy(out_file, path);
    }
    slash = strrchr(out_file, '/');
    if (!slash)
        strcpy(out_folder, ".");
    else {
        len = slash == out_file ? 1 : (int)(slash - out_file);
        snprintf(out_folder, PATH_MAX, "%.*s", len, out_file);
    }
    return ERR_OK;
}

static enum err open_folder(const char *folder, int *out_fd)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_from_errno(errno);
    *out_fd = fd;
    return ERR_OK;
}

enum err users_lock(const char *path, int *out_lock)
{
    char file[PATH_MAX], folder[PATH_MAX];
    int64_t end = clock_mono_ms() + LOCK_WAIT_MS;
    struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
    int fd = -1;
    enum err rc = find_place(path, file, folder);

    if (rc == ERR_OK)
        rc = open_folder(folder, &fd);
    if (rc != ERR_OK)
        return rc;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || clock_mono_ms() >= end) {
            rc = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
            close(fd);
            return rc;
        }
        nanosleep(&step, NULL);
    }
    *out_lock = fd;
    return ERR_OK;
}

void users_unlock(int *lock)
{
    if (*lock >= 0)
        close(*lock);
    *lock = -1;
}

/* Mode and owner as the contract of users_save says. Where we may not give a file away, it stays
 * ours only when its old owner was us: a vault that cannot read its users would be worse than a
 * refusal. */
static enum err dress(int fd, const char *file, uid_t owner, gid_t group)
{
    struct stat old, own;
    mode_t mode = 0600;

    if (fstat(fd, &own) != 0)
        return err_from_errno(errno);
    if (stat(file, &old) == 0) {
        mode = old.st_mode & 0770;
        owner = old.st_uid;
        group = old.st_gid;
    } else if (errno != ENOENT) {
        return err_from_errno(errno);
    }
    if (owner != (uid_t)-1 && (owner != own.st_uid || group != own.st_gid) &&
        fchown(fd, owner, group) != 0)
        return err_from_errno(errno);
    return fchmod(fd, mode) == 0 ? ERR_OK : err_from_errno(errno);
}

static enum err sync_and_close(int fd, enum err rc)
{
    if (rc == ERR_OK && fsync(fd) != 0)
        rc = err_from_errno(errno);
    if (close(fd) != 0 && rc == ERR_OK)
        rc = err_from_errno(errno);
    return rc;
}

static enum err replace_file(
    const char *file, const char *folder, struct slice bytes, uid_t owner, gid_t group)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.XXXXXX", file);
    int fd, folder_fd = -1;
    enum err rc;

    if (len >= (int)sizeof temporary)
        return ERR_LIMIT;
    rc = open_folder(folder, &folder_fd);
    if (rc != ERR_OK)
        return rc;
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        rc = err_from_errno(errno);
        close(folder_fd);
        return rc;
    }
    rc = dress(fd, file, owner, group);
    if (rc == ERR_OK)
        rc = write_all(fd, bytes);
    rc = sync_and_close(fd, rc);
    if (rc == ERR_OK && rename(temporary, file) != 0)
        rc = err_from_errno(errno);
    if (rc != ERR_OK)
        unlink(temporary);
    else if (fsync(folder_fd) != 0)
        rc = err_from_errno(errno);
    close(folder_fd);
    return rc;
}

enum err users_save(const struct users *users, const char *path, uid_t owner, gid_t group)
{
    char file[PATH_MAX], folder[PATH_MAX];
    struct buffer bytes;
    enum err rc = find_place(path, file, folder);

    if (rc != ERR_OK)
        return rc;
    buffer_init(&bytes, USERS_FILE_MAX);
    put_file(&bytes, users);
    rc = bytes.error;
    if (rc == ERR_OK)
        rc = replace_file(file, folder, buffer_slice(&bytes), owner, group);
    if (bytes.data)
        explicit_bzero(bytes.data, bytes.size);
    buffer_clear(&bytes);
    return rc;
}
