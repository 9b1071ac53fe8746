/* bench/machine.c: what the machine can do at most, whoever asks: append and sync, alone, in
 * batches, and by many writers that share a sync; large files written durably. Prints one object of
 * JSON. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench/arguments.h"
#include "bench/meter.h"

#define AT(member) offsetof(struct machine_options, member)

enum {
    MESSAGE = 4096,
    BATCH_MAX = 64,
    WRITERS = 50,
    LOG_SIZE = 64 << 20, /* written round and round, as a preallocated segment is */
    LARGE = 25 << 20,
    LARGE_PIECE = 1 << 20,
};

struct machine_options {
    const char *folder;
    double seconds;
};

static const struct argument arguments[] = {
    { "folder", ARGUMENT_TEXT, AT(folder), 0, 0, "PATH", "on the disk to be measured (default .)" },
    { "seconds", ARGUMENT_NUMBER, AT(seconds), 0.1, 600, "S", "for each figure (default 2)" },
};

static const char about[] = "machine: what the disk can do: appends of 4 KiB with fdatasync, and\n"
                            "files of 25 MiB.";

static char octets[LARGE_PIECE];

/* A preallocated file without a name; ends the program when there can be none. */
static int open_log(const char *folder, off_t size)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 || posix_fallocate(fd, 0, size) != 0 || fsync(fd) != 0) {
        perror(folder);
        exit(EX_CANTCREAT);
    }
    return fd;
}

static void write_all(int fd, size_t len, off_t at)
{
    if (pwrite(fd, octets, len, at) != (ssize_t)len) {
        perror("write");
        exit(EX_IOERR);
    }
}

static void sync_data(int fd)
{
    if (fdatasync(fd) != 0) {
        perror("fdatasync");
        exit(EX_IOERR);
    }
}

static double seconds_since(int64_t start_us)
{
    return (double)(mono_us() - start_us) / 1e6;
}

/* Messages a second, `batch` of them to a sync. */
static double append_rate(const struct machine_options *options, size_t batch)
{
    int fd = open_log(options->folder, LOG_SIZE);
    int64_t start_us = mono_us();
    uint64_t count = 0;
    off_t at = 0;

    while (seconds_since(start_us) < options->seconds) {
        write_all(fd, batch * MESSAGE, at);
        sync_data(fd);
        count += batch;
        at = (at + (off_t)(batch * MESSAGE)) % (LOG_SIZE - BATCH_MAX * MESSAGE);
    }
    close(fd);
    return (double)count / seconds_since(start_us);
}

/* Writers that share one log: who finds no sync under way makes the next one, for all that have
 * written by then. */
struct shared_log {
    pthread_mutex_t lock;
    pthread_cond_t synced;
    int fd;
    uint64_t written; /* messages */
    uint64_t durable; /* of them */
    bool is_syncing;
    bool is_over;
};

static void sync_shared(struct shared_log *shared)
{
    uint64_t goal = shared->written;

    shared->is_syncing = true;
    pthread_mutex_unlock(&shared->lock);
    sync_data(shared->fd);
    pthread_mutex_lock(&shared->lock);
    shared->durable = goal;
    shared->is_syncing = false;
    pthread_cond_broadcast(&shared->synced);
}

static void *write_shared(void *owner)
{
    struct shared_log *shared = owner;

    pthread_mutex_lock(&shared->lock);
    while (!shared->is_over) {
        uint64_t mine;

        write_all(shared->fd, MESSAGE, (off_t)(shared->written % (LOG_SIZE / MESSAGE)) * MESSAGE);
        mine = ++shared->written;
        while (shared->durable < mine)
            if (shared->is_syncing)
                pthread_cond_wait(&shared->synced, &shared->lock);
            else
                sync_shared(shared);
    }
    pthread_mutex_unlock(&shared->lock);
    return NULL;
}

static double shared_rate(const struct machine_options *options)
{
    struct shared_log shared = { .lock = PTHREAD_MUTEX_INITIALIZER,
        .synced = PTHREAD_COND_INITIALIZER,
        .fd = open_log(options->folder, LOG_SIZE) };
    pthread_t writers[WRITERS];
    int64_t start_us = mono_us();
    double rate;

    for (size_t i = 0; i < WRITERS; i++)
        if (pthread_create(&writers[i], NULL, write_shared, &shared) != 0)
            abort();
    usleep((useconds_t)(options->seconds * 1e6));
    pthread_mutex_lock(&shared.lock);
    shared.is_over = true;
    rate = (double)shared.durable / seconds_since(start_us);
    pthread_mutex_unlock(&shared.lock);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    close(shared.fd);
    return rate;
}

/* MiB a second: files of 25 MiB, each durable before the next. */
static double large_rate(const struct machine_options *options)
{
    int64_t start_us = mono_us();
    uint64_t files = 0;

    while (seconds_since(start_us) < options->seconds) {
        int fd = open(options->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0) {
            perror(options->folder);
            exit(EX_CANTCREAT);
        }
        for (off_t at = 0; at < LARGE; at += LARGE_PIECE)
            write_all(fd, LARGE_PIECE, at);
        sync_data(fd);
        close(fd);
        files++;
    }
    return (double)files * (LARGE >> 20) / seconds_since(start_us);
}

int main(int argc, char **argv)
{
    struct machine_options options = { .folder = ".", .seconds = 2 };

    (void)argc;
    arguments_read(arguments, LENGTH_OF(arguments), argv, about, &options);
    memset(octets, 'x', sizeof octets);
    printf("{\"append_1\": %.0f, ", append_rate(&options, 1));
    printf("\"append_16\": %.0f, ", append_rate(&options, 16));
    printf("\"append_64\": %.0f, ", append_rate(&options, BATCH_MAX));
    printf("\"writers_50\": %.0f, ", shared_rate(&options));
    printf("\"large_mib\": %.0f}\n", large_rate(&options));
    return EX_OK;
}
