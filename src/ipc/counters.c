/* ipc/counters.c: a page with the number of columns and the key of the hash, then the columns. In a
 * column each client counts in one cell of each of two rows, chosen by two halves of one hash (a
 * count-min sketch: a stranger would have to share both cells to disturb a client). */
#include "ipc/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { ROWS = 2, CELLS = 16384, PAGE = 4096, MAGIC = 0x434f554e };

struct page {
    uint32_t magic;
    uint32_t gates;
    uint64_t key;
};

struct column {
    uint32_t total;
    uint32_t cells[ROWS][CELLS];
    uint32_t padding[1023]; /* columns share no page */
};
_Static_assert(sizeof(struct column) % PAGE == 0, "a column fills its pages");

struct counters {
    char *memory;
    size_t size;
    struct column *columns;
    unsigned gates; /* copies: what the page says later does not matter */
    uint64_t key;
};

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

enum err counters_create(unsigned gates, int *out_fd)
{
    enum err code;
    int fd;

    if (gates < 1 || gates > COUNTERS_GATES_MAX)
        return ERR_LIMIT;
    fd = memfd_create("submitd-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_from_errno(errno);
    code = fill(fd, gates);
    if (code) {
        close(fd);
        return code;
    }
    *out_fd = fd;
    return ERR_OK;
}

static enum err check(const struct counters *counters)
{
    const struct page *page = (const void *)counters->memory;

    if (page->magic != MAGIC || page->gates < 1 || page->gates > COUNTERS_GATES_MAX)
        return ERR_INVALID;
    return size_for(page->gates) == counters->size ? ERR_OK : ERR_INVALID;
}

enum err counters_open(int fd, struct counters **out_counters)
{
    struct counters *counters;
    struct stat status;
    enum err code;

    if (fstat(fd, &status) || status.st_size < PAGE ||
        status.st_size > (off_t)size_for(COUNTERS_GATES_MAX))
        return ERR_INVALID;
    counters = calloc(1, sizeof *counters);
    if (!counters)
        return ERR_NOMEM;
    counters->size = (size_t)status.st_size;
    counters->memory = mmap(NULL, counters->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counters->memory == MAP_FAILED) {
        free(counters);
        return err_from_errno(errno);
    }
    code = check(counters);
    if (code) {
        counters_free(&counters);
        return code;
    }
    counters->gates = ((const struct page *)(const void *)counters->memory)->gates;
    counters->key = ((const struct page *)(const void *)counters->memory)->key;
    counters->columns = (struct column *)(void *)(counters->memory + PAGE);
    *out_counters = counters;
    return ERR_OK;
}

void counters_free(struct counters **counters)
{
    if (!*counters)
        return;
    munmap((*counters)->memory, (*counters)->size);
    free(*counters);
    *counters = NULL;
}

unsigned counters_gates(const struct counters *counters)
{
    return counters->gates;
}

static void store(uint32_t *cell, uint32_t value)
{
    __atomic_store_n(cell, value, __ATOMIC_RELAXED);
}

static uint32_t load(const uint32_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

void counters_wipe(struct counters *counters, unsigned gate)
{
    struct column *column;

    if (gate >= counters->gates)
        return;
    column = &counters->columns[gate];
    store(&column->total, 0);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t cell = 0; cell < CELLS; cell++)
            store(&column->cells[row][cell], 0);
}

static size_t cell_of(const struct counters *counters, struct slice client, size_t row)
{
    uint64_t hash = XXH3_64bits_withSeed(client.data, client.len, counters->key);

    return (size_t)(hash >> (row * 32)) % CELLS;
}

static void up(uint32_t *cell)
{
    uint32_t value = load(cell);

    if (value < UINT32_MAX)
        store(cell, value + 1);
}

static void down(uint32_t *cell)
{
    uint32_t value = load(cell);

    if (value > 0)
        store(cell, value - 1);
}

static void change(
    struct counters *counters, unsigned gate, struct slice client, void (*step)(uint32_t *))
{
    struct column *column;

    if (gate >= counters->gates)
        return;
    column = &counters->columns[gate];
    step(&column->total);
    for (size_t row = 0; row < ROWS; row++)
        step(&column->cells[row][cell_of(counters, client, row)]);
}

void counters_enter(struct counters *counters, unsigned gate, struct slice client)
{
    change(counters, gate, client, up);
}

void counters_leave(struct counters *counters, unsigned gate, struct slice client)
{
    change(counters, gate, client, down);
}

static uint64_t total_of(const struct counters *counters)
{
    uint64_t total = 0;

    for (size_t gate = 0; gate < counters->gates; gate++)
        total += load(&counters->columns[gate].total);
    return total;
}

uint64_t counters_surplus(const struct counters *counters, unsigned gate)
{
    uint64_t own = gate < counters->gates ? load(&counters->columns[gate].total) : 0;
    uint64_t average = total_of(counters) / counters->gates;

    return own > average ? own - average : 0;
}

struct counters_sum counters_read(const struct counters *counters, struct slice client)
{
    struct counters_sum sum = { .total = total_of(counters), .client = UINT64_MAX };

    for (size_t row = 0; row < ROWS; row++) {
        size_t cell = cell_of(counters, client, row);
        uint64_t clients = 0;
        for (size_t gate = 0; gate < counters->gates; gate++)
            clients += load(&counters->columns[gate].cells[row][cell]);
        if (clients < sum.client)
            sum.client = clients;
    }
    return sum;
}
