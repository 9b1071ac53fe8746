/* maildrop/folder.c: the file acts of a delivery. */
#include "maildrop/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 256, HOST_MOST = 128, CHUNK = 64 << 10 };

/* ---- the folder ---- */

static enum err open_part(int directory, const char *name, int *out_part, bool *is_new)
{
    int part;

    if (mkdirat(directory, name, 0700) == 0)
        *is_new = true;
    else if (errno != EEXIST)
        return err_from_errno(errno);
    part = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (part < 0)
        return err_from_errno(errno);
    *out_part = part;
    return ERR_OK;
}

enum err folder_open(int directory, struct folder *out_folder)
{
    struct folder folder = { -1, -1, -1 };
    bool is_new = false;
    enum err rc = open_part(directory, "tmp", &folder.tmp, &is_new);

    if (rc == ERR_OK)
        rc = open_part(directory, "new", &folder.fresh, &is_new);
    if (rc == ERR_OK)
        rc = open_part(directory, "cur", &folder.cur, &is_new);
    /* The parts' names must last as long as what is put into them. */
    if (rc == ERR_OK && is_new && fsync(directory) != 0)
        rc = err_from_errno(errno);
    if (rc != ERR_OK)
        folder_close(&folder);
    else
        *out_folder = folder;
    return rc;
}

static void close_part(int *part)
{
    if (*part >= 0)
        close(*part);
    *part = -1;
}

void folder_close(struct folder *folder)
{
    close_part(&folder->tmp);
    close_part(&folder->fresh);
    close_part(&folder->cur);
}

enum err folder_sync(const struct folder *folder)
{
    return fsync(folder->fresh) == 0 ? ERR_OK : err_from_errno(errno);
}

/* ---- the file ---- */

/* Collects octets and writes them out with LF for CRLF. */
struct out {
    int file;
    enum err error;
    bool has_cr; /* a CR is held back: it may be half of a CRLF */
    size_t len;
    char octets[CHUNK];
};

static void flush(struct out *out)
{
    size_t at = 0;

    while (out->error == ERR_OK && at < out->len) {
        ssize_t written = write(out->file, out->octets + at, out->len - at);
        if (written > 0)
            at += (size_t)written;
        else if (written == 0 || errno != EINTR)
            out->error = err_from_errno(written == 0 ? ENOSPC : errno);
    }
    out->len = 0;
}

static void put_octet(struct out *out, char octet)
{
    if (out->len == CHUNK)
        flush(out);
    out->octets[out->len++] = octet;
}

static void put(struct out *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char octet = text.data[i];
        if (out->has_cr && octet != '\n')
            put_octet(out, '\r');
        out->has_cr = octet == '\r';
        if (!out->has_cr)
            put_octet(out, octet);
    }
}

/* An address on a line of ours: nothing in it may end the line. */
static void put_address(struct out *out, struct slice address)
{
    for (size_t i = 0; i < address.len; i++) {
        unsigned char octet = (unsigned char)address.data[i];
        put_octet(out, octet < ' ' || octet == 127 ? '?' : (char)octet);
    }
}

static void put_file(struct out *out, int file, uint64_t size)
{
    char chunk[CHUNK];
    uint64_t at = 0;

    while (out->error == ERR_OK && at < size) {
        size_t most = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        ssize_t got = pread(file, chunk, most, (off_t)at);
        if (got > 0) {
            put(out, slice_of(chunk, (size_t)got));
            at += (uint64_t)got;
        } else if (got == 0) {
            out->error = ERR_CORRUPT;
        } else if (errno != EINTR) {
            out->error = err_from_errno(errno);
        }
    }
}

static void put_copy(struct out *out, const struct folder_copy *copy)
{
    put(out, slice_text("Return-Path: <"));
    put_address(out, copy->sender);
    put(out, slice_text(">\nDelivered-To: "));
    put_address(out, copy->address);
    put(out, slice_text("\n"));
    put(out, copy->header);
    if (copy->body_file >= 0)
        put_file(out, copy->body_file, copy->body_size);
    else
        put(out, copy->body);
    if (out->has_cr)
        put_octet(out, '\r');
    flush(out);
}

static enum err write_file(int file, const struct folder_copy *copy)
{
    struct out *out = malloc(sizeof *out);
    enum err rc;

    if (!out)
        return ERR_NOMEM;
    out->file = file;
    out->error = ERR_OK;
    out->has_cr = false;
    out->len = 0;
    put_copy(out, copy);
    rc = out->error;
    if (rc == ERR_OK && fsync(file) != 0)
        rc = err_from_errno(errno);
    free(out);
    return rc;
}

/* ---- the name ---- */

static void make_name(const struct folder_copy *copy, char out_name[NAME_SIZE])
{
    struct slice host = slice_first(copy->hostname, HOST_MOST);
    char id[QUEUE_ID_TEXT + 1];
    int len;

    queue_id_format(copy->id, id);
    len = snprintf(out_name, NAME_SIZE, "%" PRId64 ".Q%sR%" PRIu32 ".%.*s",
        copy->arrival_us / 1000000, id, copy->recipient, SLICE_ARGS(host));
    for (int i = 0; i < len && i < NAME_SIZE - 1; i++)
        if (out_name[i] == '/' || out_name[i] == ':' || (unsigned char)out_name[i] <= ' ')
            out_name[i] = '_';
}

/* Delivered before, and a mail program has it already. */
static bool is_in_cur(const struct folder *folder, const char *name)
{
    static const char *const flags[] = { ":2,", ":2,S" };
    char full[NAME_SIZE + 8];

    for (size_t i = 0; i < LENGTH_OF(flags); i++) {
        snprintf(full, sizeof full, "%s%s", name, flags[i]);
        if (faccessat(folder->cur, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
    }
    return false;
}

enum err folder_put(const struct folder *folder, const struct folder_copy *copy)
{
    char name[NAME_SIZE];
    enum err rc;
    int file;

    make_name(copy, name);
    if (is_in_cur(folder, name))
        return ERR_OK;
    file = openat(folder->tmp, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return err_from_errno(errno);
    rc = write_file(file, copy);
    if (close(file) != 0 && rc == ERR_OK)
        rc = err_from_errno(errno);
    if (rc == ERR_OK && renameat(folder->tmp, name, folder->fresh, name) != 0)
        rc = err_from_errno(errno);
    if (rc != ERR_OK)
        unlinkat(folder->tmp, name, 0);
    return rc;
}
