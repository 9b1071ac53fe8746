/* tests/fuzz/replay.c: drives a fuzz target without a fuzzer: every file of the corpus folder as it
 * is, then rounds of mutations (flipped octets, cuts, repeats, numbers, pieces of other seeds)
 * until the time is over. What a round makes of a file depends on nothing but the two. An input
 * that ends the process, or takes too long, is kept as fuzz-crash-TARGET in the current folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* The address sanitizer's, where it is there. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

enum { ROUNDS_MAX = 1000, INPUT_MAX = 1 << 20, INPUT_SECONDS = 30, DEFAULT_MS = 2000 };

struct seed {
    uint64_t random;
    size_t size;
    uint8_t *data;
};

static struct seed *seeds;
static size_t seed_count;
static uint64_t state;
static unsigned long inputs;

/* The input under way, for the last words. */
static const uint8_t *current;
static size_t current_size;
static char crash_path[256];

static void keep_current(void)
{
    int file = current ? open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;

    if (file < 0)
        return;
    (void)!write(file, current, current_size);
    close(file);
    (void)!write(STDERR_FILENO, "input kept in ", 14);
    (void)!write(STDERR_FILENO, crash_path, strlen(crash_path));
    (void)!write(STDERR_FILENO, "\n", 1);
    current = NULL;
}

static void on_signal(int signal)
{
    static const char slow[] = "an input takes too long\n";

    if (signal == SIGALRM)
        (void)!write(STDERR_FILENO, slow, sizeof slow - 1);
    keep_current();
    _exit(signal == SIGALRM ? 75 : 134);
}

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t below(size_t most)
{
    return next_random() % most;
}

/* The target gets an exact heap copy, so that the address sanitizer sees one octet too many. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    current = copy;
    current_size = size;
    alarm(INPUT_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    current = NULL;
    free(copy);
    inputs++;
}

static size_t put_number(uint8_t *data, size_t size, size_t at)
{
    static const char *const numbers[] = { "0", "255", "256", "998", "65536", "4294967295",
        "4294967296", "9223372036854775807", "18446744073709551616", "-1", "007" };
    const char *number = numbers[below(sizeof numbers / sizeof numbers[0])];
    size_t len = strlen(number), old = 0;

    while (at + old < size && data[at + old] >= '0' && data[at + old] <= '9')
        old++;
    memmove(data + at + len, data + at + old, size - at - old);
    memcpy(data + at, number, len);
    return size - old + len;
}

static size_t put_piece(uint8_t *data, size_t size, size_t at)
{
    const struct seed *other = &seeds[below(seed_count)];
    size_t from = other->size > 0 ? below(other->size) : 0;
    size_t len = other->size > 0 ? 1 + below(other->size - from) : 0;

    if (len > 256)
        len = 256;
    memmove(data + at + len, data + at, size - at);
    memcpy(data + at, other->data + from, len);
    return size + len;
}

static size_t mutate(uint8_t *data, size_t size)
{
    unsigned steps = 1 + (unsigned)below(4);

    while (steps-- > 0 && size > 0) {
        size_t at = below(size);
        size_t len = 1 + below(16);

        if (len > size - at)
            len = size - at;
        switch (below(8)) {
        case 0:
            data[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            data[at] = (uint8_t)next_random();
            break;
        case 2:
            data[at] = (uint8_t) "\r\n\0.: <>@\"\\="[below(13)];
            break;
        case 3:
            size = at;
            break;
        case 4:
            memmove(data + at, data + at + len, size - at - len);
            size -= len;
            break;
        case 5:
            size = put_number(data, size, at);
            break;
        case 6:
            size = put_piece(data, size, at);
            break;
        default:
            memmove(data + at + len, data + at, size - at);
            size += len;
            break;
        }
    }
    return size;
}

static void load(const char *folder, const char *name)
{
    struct seed *seed;
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    seeds = realloc(seeds, (seed_count + 1) * sizeof *seeds);
    if (!file || !seeds)
        abort();
    seed = &seeds[seed_count++];
    seed->data = malloc(INPUT_MAX);
    if (!seed->data)
        abort();
    seed->size = fread(seed->data, 1, INPUT_MAX, file);
    seed->data = realloc(seed->data, seed->size + 1);
    seed->random = XXH3_64bits(seed->data, seed->size) ^ XXH3_64bits(name, strlen(name));
    fclose(file);
}

static int by_content(const void *a, const void *b)
{
    uint64_t x = ((const struct seed *)a)->random, y = ((const struct seed *)b)->random;

    return x < y ? -1 : x > y;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Gives the rounds that were finished. */
static unsigned mutate_all(int64_t until)
{
    uint8_t *work = malloc(INPUT_MAX + 4096);
    unsigned round;

    if (!work)
        abort();
    for (round = 0; round < ROUNDS_MAX; round++)
        for (size_t i = 0; i < seed_count; i++) {
            if (now_ms() >= until)
                goto out;
            state = (seeds[i].random ^ XXH3_64bits(&round, sizeof round)) | 1;
            memcpy(work, seeds[i].data, seeds[i].size);
            run(work, mutate(work, seeds[i].size));
        }
out:
    free(work);
    return round;
}

static void prepare(const char *program)
{
    const char *name = strrchr(program, '/');

    name = name ? name + 1 : program;
    snprintf(crash_path, sizeof crash_path, "fuzz-crash-%s",
        strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_current);
}

int main(int argc, char **argv)
{
    int64_t start = now_ms();
    int64_t ms = argc == 3 ? strtol(argv[2], NULL, 10) : DEFAULT_MS;
    struct dirent *entry;
    unsigned rounds;
    DIR *dir = argc == 2 || argc == 3 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER [MILLISECONDS]\n", argv[0]);
        return 64;
    }
    prepare(argv[0]);
    run(NULL, 0);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            load(argv[1], entry->d_name);
    closedir(dir);
    qsort(seeds, seed_count, sizeof *seeds, by_content);
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i].data, seeds[i].size);
    rounds = seed_count > 0 ? mutate_all(start + ms) : 0;
    printf("%zu seeds, %u rounds, %lu inputs in %lld ms\n", seed_count, rounds, inputs,
        (long long)(now_ms() - start));
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].data);
    free(seeds);
    return seed_count > 0 ? 0 : 1;
}
