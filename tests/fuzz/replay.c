/* tests/fuzz/replay.c: drives a fuzz target without a fuzzer: every file of the corpus folder as it
 * is, then a fixed number of reproducible mutations of each (flipped octets, cuts, repeats,
 * splices). The seed is the file's name and content. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 400, INPUT_MAX = 1 << 20 };

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* The target gets an exact heap copy, so that the address sanitizer sees one octet too many. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t mutate(uint8_t *data, size_t size)
{
    unsigned steps = 1 + (unsigned)(next_random() % 4);

    while (steps-- > 0 && size > 0) {
        size_t at = next_random() % size;
        size_t len = 1 + next_random() % 16;

        if (len > size - at)
            len = size - at;
        switch (next_random() % 6) {
        case 0:
            data[at] ^= (uint8_t)(1u << (next_random() % 8));
            break;
        case 1:
            data[at] = (uint8_t)next_random();
            break;
        case 2:
            data[at] = (uint8_t) "\r\n\0.: <>@\"\\="[next_random() % 13];
            break;
        case 3:
            size = at;
            break;
        case 4:
            memmove(data + at, data + at + len, size - at - len);
            size -= len;
            break;
        default:
            memmove(data + at + len, data + at, size - at);
            size += len;
            break;
        }
    }
    return size;
}

static void replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = malloc(INPUT_MAX);
    uint8_t *work = malloc(INPUT_MAX + 1024);
    size_t size;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!file || !data || !work)
        abort();
    size = fread(data, 1, INPUT_MAX, file);
    fclose(file);
    run(data, size);
    state = XXH3_64bits(data, size) ^ XXH3_64bits(name, strlen(name)) ^ 1;
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(work, data, size);
        run(work, mutate(work, size));
    }
    free(data);
    free(work);
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    unsigned files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 64;
    }
    run(NULL, 0);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            replay(argv[1], entry->d_name);
            files++;
        }
    closedir(dir);
    printf("%u seeds, %u inputs\n", files, files * (MUTATIONS + 1) + 1);
    return files > 0 ? 0 : 1;
}
