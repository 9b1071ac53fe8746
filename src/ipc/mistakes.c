/* ipc/mistakes.c: a page with the number of columns and the key of the hash, then the columns. A
 * client and user have their row in one of a few places, chosen by a hash. A row's number of
 * changes is odd while it is being written. */
#include "ipc/mistakes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ipc/counters.h"

enum { PLACES = 8, PAGE = 4096, MAGIC = 0x4d495354 };

struct page {
    uint32_t magic;
    uint32_t gates;
    uint64_t key;
};

struct place {
    uint32_t changes;
    uint32_t is_used;
    struct mistakes_row row;
};

struct column {
    struct place places[MISTAKES_ROWS];
};

struct mistakes {
    char *memory;
    size_t size;
    struct column *columns;
    unsigned gates; /* copies: what the page says later does not matter */
    uint64_t key;
};

const char *mistake_name(enum mistake kind)
{
    static const char *const names[MISTAKE_KINDS] = {
        [MISTAKE_SENDER] = "sender",
        [MISTAKE_PERMISSION] = "permission",
        [MISTAKE_UNQUALIFIED] = "unqualified",
        [MISTAKE_LINE_END] = "line_end",
        [MISTAKE_CLEAR_TEXT] = "clear_text",
        [MISTAKE_LOGIN] = "login",
        [MISTAKE_SYNTAX] = "syntax",
        [MISTAKE_CONTENT] = "content",
        [MISTAKE_OTHER] = "other",
    };

    return names[kind];
}

static size_t size_for(unsigned gates)
{
    return PAGE + (size_t)gates * sizeof(struct column);
}

static enum err fill(int fd, unsigned gates)
{
    struct page page = { .magic = MAGIC, .gates = gates };

    if (getrandom(&page.key, sizeof page.key, 0) != sizeof page.key)
        return ERR_IO;
    if (ftruncate(fd, (off_t)size_for(gates)) ||
        pwrite(fd, &page, sizeof page, 0) != (ssize_t)sizeof page ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return err_from_errno(errno);
    return ERR_OK;
}

enum err mistakes_create(unsigned gates, int *out_fd, int *out_read_fd)
{
    char path[64];
    int fd, read_fd = -1;
    enum err code;

    if (gates < 1 || gates > COUNTERS_GATES_MAX)
        return ERR_LIMIT;
    fd = memfd_create("submitd-mistakes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_from_errno(errno);
    code = fill(fd, gates);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (code == ERR_OK)
        read_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (code == ERR_OK && read_fd < 0)
        code = err_from_errno(errno);
    if (code != ERR_OK) {
        close(fd);
        return code;
    }
    *out_fd = fd;
    *out_read_fd = read_fd;
    return ERR_OK;
}

static enum err check(const struct mistakes *mistakes)
{
    const struct page *page = (const void *)mistakes->memory;

    if (page->magic != MAGIC || page->gates < 1 || page->gates > COUNTERS_GATES_MAX)
        return ERR_INVALID;
    return size_for(page->gates) == mistakes->size ? ERR_OK : ERR_INVALID;
}

enum err mistakes_open(int fd, bool writes, struct mistakes **out_mistakes)
{
    struct mistakes *mistakes;
    struct stat status;
    enum err code;

    if (fstat(fd, &status) || status.st_size < PAGE ||
        status.st_size > (off_t)size_for(COUNTERS_GATES_MAX))
        return ERR_INVALID;
    mistakes = calloc(1, sizeof *mistakes);
    if (!mistakes)
        return ERR_NOMEM;
    mistakes->size = (size_t)status.st_size;
    mistakes->memory =
        mmap(NULL, mistakes->size, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (mistakes->memory == MAP_FAILED) {
        free(mistakes);
        return err_from_errno(errno);
    }
    code = check(mistakes);
    if (code) {
        mistakes_free(&mistakes);
        return code;
    }
    mistakes->gates = ((const struct page *)(const void *)mistakes->memory)->gates;
    mistakes->key = ((const struct page *)(const void *)mistakes->memory)->key;
    mistakes->columns = (struct column *)(void *)(mistakes->memory + PAGE);
    *out_mistakes = mistakes;
    return ERR_OK;
}

void mistakes_free(struct mistakes **mistakes)
{
    if (!*mistakes)
        return;
    munmap((*mistakes)->memory, (*mistakes)->size);
    free(*mistakes);
    *mistakes = NULL;
}

unsigned mistakes_gates(const struct mistakes *mistakes)
{
    return mistakes->gates;
}

void mistakes_wipe(struct mistakes *mistakes, unsigned gate)
{
    if (gate < mistakes->gates)
        memset(&mistakes->columns[gate], 0, sizeof mistakes->columns[gate]);
}

static uint8_t keep(char *room, size_t size, struct slice text)
{
    size_t len = text.len < size ? text.len : size;

    if (len > 0)
        memcpy(room, text.data, len);
    return (uint8_t)len;
}

/* The slots are the gate's own, but what lies there may be another's work: lengths are never
 * believed. */
static bool is_at(const char *room, uint8_t len, size_t size, struct slice text)
{
    text = slice_first(text, size);
    return len == text.len && memcmp(room, text.data ? text.data : "", text.len) == 0;
}

static uint64_t total(const struct mistakes_row *row)
{
    uint64_t sum = 0;

    for (size_t kind = 0; kind < MISTAKE_KINDS; kind++)
        sum += row->counts[kind];
    return sum;
}

/* The row of that client and user, or the one to give up for it. */
static struct place *find(
    struct mistakes *mistakes, struct column *column, const struct mistake_maker *maker)
{
    struct slice client = slice_first(maker->client, MISTAKES_CLIENT_MAX);
    struct slice user = slice_first(maker->user, MISTAKES_USER_MAX);
    uint64_t hash = XXH3_64bits_withSeed(client.data, client.len, mistakes->key) ^
                    XXH3_64bits_withSeed(user.data, user.len, ~mistakes->key);
    struct place *first = &column->places[hash % (MISTAKES_ROWS / PLACES) * PLACES];
    struct place *least = first;

    for (struct place *place = first; place < first + PLACES; place++) {
        const struct mistakes_row *row = &place->row;

        if (place->is_used &&
            is_at(row->client, row->client_len, MISTAKES_CLIENT_MAX, maker->client) &&
            is_at(row->user, row->user_len, MISTAKES_USER_MAX, maker->user))
            return place;
        if (least->is_used && (!place->is_used || total(row) < total(&least->row)))
            least = place;
    }
    least->is_used = false;
    return least;
}

static void change(struct place *place)
{
    __atomic_store_n(&place->changes, place->changes + 1, __ATOMIC_SEQ_CST);
}

void mistakes_note(struct mistakes *mistakes, unsigned gate, const struct mistake_maker *maker,
    enum mistake kind, int64_t now_s)
{
    struct place *place;
    struct mistakes_row *row;

    if (gate >= mistakes->gates)
        return;
    place = find(mistakes, &mistakes->columns[gate], maker);
    row = &place->row;
    change(place);
    if (!place->is_used) {
        *row = (struct mistakes_row){ .first_s = now_s };
        row->client_len = keep(row->client, sizeof row->client, maker->client);
        row->user_len = keep(row->user, sizeof row->user, maker->user);
        place->is_used = true;
    }
    row->name_len = keep(row->name, sizeof row->name, maker->name);
    row->reply_len = keep(row->reply, sizeof row->reply, maker->reply);
    row->last_s = now_s;
    if (row->counts[kind] < UINT32_MAX)
        row->counts[kind]++;
    change(place);
}

static uint8_t bound(uint8_t len, size_t most)
{
    return len > most ? (uint8_t)most : len;
}

bool mistakes_read(
    const struct mistakes *mistakes, unsigned gate, unsigned row, struct mistakes_row *out_row)
{
    const struct place *place;
    uint32_t before;
    struct mistakes_row copy;

    if (gate >= mistakes->gates || row >= MISTAKES_ROWS)
        return false;
    place = &mistakes->columns[gate].places[row];
    before = __atomic_load_n(&place->changes, __ATOMIC_SEQ_CST);
    if (before % 2 == 1 || !place->is_used)
        return false;
    memcpy(&copy, &place->row, sizeof copy);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&place->changes, __ATOMIC_SEQ_CST) != before)
        return false;
    copy.client_len = bound(copy.client_len, sizeof copy.client);
    copy.user_len = bound(copy.user_len, sizeof copy.user);
    copy.name_len = bound(copy.name_len, sizeof copy.name);
    copy.reply_len = bound(copy.reply_len, sizeof copy.reply);
    *out_row = copy;
    return true;
}
