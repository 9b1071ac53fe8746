/* tests/fuzz/fuzz_mistakes.c: the operator's table of mistakes, which every gate writes and none is
 * believed: acts of a gate that counts, and of one that has gone astray and scribbles over any
 * column. A reader gets rows within their bounds whatever lies there, and who was counted last is
 * found. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "ipc/mistakes.h"

enum { GATES = 2, ACTS_MOST = 64 };
enum act { COUNT, SCRIBBLE, WIPE, READ_ALL };

static struct mistakes *writer, *reader;
static char *memory;
static size_t memory_size;

static void open_table(void)
{
    int fd, read_fd;

    REQUIRE(mistakes_create(GATES, &fd, &read_fd) == ERR_OK);
    REQUIRE(mistakes_open(fd, true, &writer) == ERR_OK);
    REQUIRE(mistakes_open(read_fd, false, &reader) == ERR_OK);
    memory_size = (size_t)lseek(fd, 0, SEEK_END);
    memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(memory != MAP_FAILED);
    close(fd);
    close(read_fd);
}

/* A length and so many octets; what is missing is not there. */
static struct slice take_text(struct slice *rest)
{
    size_t len = take_octet(rest);
    struct slice text = slice_first(*rest, len);

    *rest = slice_from(*rest, text.len);
    return text;
}

static struct slice cut(struct slice text, size_t most)
{
    return slice_first(text, most);
}

static bool is_there(unsigned gate, const struct mistake_maker *maker, struct mistakes_row *out)
{
    for (unsigned i = 0; i < MISTAKES_ROWS; i++)
        if (mistakes_read(reader, gate, i, out) &&
            slice_equals(
                slice_of(out->client, out->client_len), cut(maker->client, MISTAKES_CLIENT_MAX)) &&
            slice_equals(slice_of(out->user, out->user_len), cut(maker->user, MISTAKES_USER_MAX)))
            return true;
    return false;
}

static void count(struct slice *rest, bool is_astray)
{
    unsigned gate = take_octet(rest) % (GATES + 1);
    enum mistake kind = take_octet(rest) % MISTAKE_KINDS;
    struct mistake_maker maker;
    struct mistakes_row row;

    maker.client = take_text(rest);
    maker.user = take_text(rest);
    maker.name = take_text(rest);
    maker.reply = take_text(rest);
    mistakes_note(writer, gate, &maker, kind, 1000);
    if (is_astray || gate == GATES)
        return;
    REQUIRE(is_there(gate, &maker, &row));
    REQUIRE(row.counts[kind] > 0 && row.last_s == 1000);
    REQUIRE(slice_equals(slice_of(row.name, row.name_len), cut(maker.name, MISTAKES_NAME_MAX)));
    REQUIRE(slice_equals(slice_of(row.reply, row.reply_len), cut(maker.reply, MISTAKES_REPLY_MAX)));
}

static void scribble(struct slice *rest)
{
    struct slice text;
    size_t at = 0;

    for (int i = 0; i < 3; i++)
        at = at << 8 | take_octet(rest);
    at %= memory_size;
    text = slice_first(take_text(rest), memory_size - at);
    if (text.len > 0)
        memcpy(memory + at, text.data, text.len);
}

static void read_all(void)
{
    struct mistakes_row row;
    size_t rows = 0;

    for (unsigned gate = 0; gate <= GATES; gate++)
        for (unsigned i = 0; i <= MISTAKES_ROWS; i++) {
            if (!mistakes_read(reader, gate, i, &row))
                continue;
            rows++;
            REQUIRE(row.client_len <= MISTAKES_CLIENT_MAX && row.user_len <= MISTAKES_USER_MAX);
            REQUIRE(row.name_len <= MISTAKES_NAME_MAX && row.reply_len <= MISTAKES_REPLY_MAX);
        }
    REQUIRE(rows <= GATES * MISTAKES_ROWS && mistakes_gates(reader) == GATES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    bool is_astray = false;

    if (!writer)
        open_table();
    for (unsigned gate = 0; gate < GATES; gate++)
        mistakes_wipe(writer, gate);
    for (int i = 0; i < ACTS_MOST && rest.len > 0; i++)
        switch (take_octet(&rest) % 4) {
        case COUNT:
            count(&rest, is_astray);
            break;
        case SCRIBBLE:
            scribble(&rest);
            is_astray = true;
            break;
        case WIPE:
            mistakes_wipe(writer, take_octet(&rest));
            break;
        default:
            read_all();
            break;
        }
    read_all();
    return 0;
}
