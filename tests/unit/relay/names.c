/* tests/unit/relay/names.c: a name server in the same loop that answers from a table. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/dns_answer.h"
#include "scene.h"

enum { PACKET_MAX = 4096, HEADER = 12, WORDS_MAX = 4, ASKED_MAX = 4096 };

struct name_server {
    struct watch watch;
    int fd;
    const char *const *records;
    size_t asked_count;
    char asked[ASKED_MAX][64];
};

struct question {
    char name[256];
    unsigned type;
    size_t end; /* octet behind it */
};

static bool read_question(const uint8_t *packet, size_t len, struct question *out)
{
    size_t at = HEADER, used = 0;

    while (at < len && packet[at] > 0) {
        size_t label = packet[at++];
        if (label > 63 || at + label >= len || used + label + 2 > sizeof out->name)
            return false;
        if (used > 0)
            out->name[used++] = '.';
        for (; label > 0; label--)
            out->name[used++] = ascii_lower((char)packet[at++]);
    }
    out->name[used] = '\0';
    if (at + 5 > len)
        return false;
    out->type = (unsigned)packet[at + 1] << 8 | packet[at + 2];
    out->end = at + 5;
    return true;
}

/* ---- the table ---- */

struct entry {
    char text[256];
    char *words[WORDS_MAX];
};

static void read_entry(const char *record, struct entry *out)
{
    char *rest = out->text, *word;

    memset(out->words, 0, sizeof out->words);
    snprintf(out->text, sizeof out->text, "%s", record);
    for (size_t i = 0; i < WORDS_MAX && (word = strsep(&rest, " ")); i++)
        out->words[i] = word;
}

static unsigned type_of(const char *word)
{
    static const struct {
        const char *word;
        unsigned type;
    } types[] = { { "MX", DNS_MX }, { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "CNAME", DNS_CNAME } };

    for (size_t i = 0; i < LENGTH_OF(types); i++)
        if (strcmp(types[i].word, word) == 0)
            return types[i].type;
    return 0;
}

/* ---- the answer ---- */

static void put_u16(struct buffer *out, unsigned value)
{
    buffer_put_char(out, (char)(value >> 8));
    buffer_put_char(out, (char)value);
}

static void put_name(struct buffer *out, const char *name)
{
    while (*name && strcmp(name, ".") != 0) {
        size_t len = strcspn(name, ".");

        buffer_put_char(out, (char)len);
        buffer_put(out, name, len);
        name += len + (name[len] == '.');
    }
    buffer_put_char(out, 0);
}

static void put_record(struct buffer *out, const struct entry *e)
{
    struct buffer data;
    uint8_t address[16];

    buffer_init(&data, 512);
    switch (type_of(e->words[1])) {
    case DNS_MX:
        put_u16(&data, (unsigned)atoi(e->words[2]));
        put_name(&data, e->words[3]);
        break;
    case DNS_CNAME:
        put_name(&data, e->words[2]);
        break;
    default:
        REQUIRE(
            inet_pton(strchr(e->words[2], ':') ? AF_INET6 : AF_INET, e->words[2], address) == 1);
        buffer_put(&data, address, strchr(e->words[2], ':') ? 16 : 4);
    }
    put_name(out, e->words[0]);
    put_u16(out, type_of(e->words[1]));
    put_u16(out, 1);
    put_u16(out, 0);
    put_u16(out, 60);
    put_u16(out, (unsigned)data.len);
    buffer_put_slice(out, buffer_slice(&data));
    buffer_clear(&data);
}

struct answer {
    struct buffer records;
    unsigned count;
    unsigned rcode;
    bool is_silent;
};

static void collect(const struct name_server *server, const struct question *q, struct answer *out)
{
    bool is_known = false;

    for (size_t i = 0; server->records[i]; i++) {
        struct entry e;

        read_entry(server->records[i], &e);
        if (strcmp(e.words[0], q->name) != 0)
            continue;
        is_known = true;
        if (strcmp(e.words[1], "NXDOMAIN") == 0)
            out->rcode = 3;
        else if (strcmp(e.words[1], "SERVFAIL") == 0)
            out->rcode = 2;
        else if (strcmp(e.words[1], "SILENT") == 0)
            out->is_silent = true;
        else if (type_of(e.words[1]) == q->type || type_of(e.words[1]) == DNS_CNAME) {
            put_record(&out->records, &e);
            out->count++;
        }
    }
    if (!is_known)
        out->rcode = 3;
}

static void answer(struct name_server *server, const uint8_t *packet, const struct question *q,
    const struct sockaddr_in *to)
{
    struct answer a = { .count = 0 };
    struct buffer out;

    buffer_init(&a.records, PACKET_MAX);
    buffer_init(&out, PACKET_MAX);
    collect(server, q, &a);
    buffer_put(&out, packet, 2);
    put_u16(&out, 0x8580u | a.rcode);
    put_u16(&out, 1);
    put_u16(&out, a.count);
    put_u16(&out, 0);
    put_u16(&out, 0);
    buffer_put(&out, packet + HEADER, q->end - HEADER);
    buffer_put_slice(&out, buffer_slice(&a.records));
    if (!a.is_silent)
        REQUIRE(
            sendto(server->fd, out.data, out.len, 0, (const struct sockaddr *)to, sizeof *to) > 0);
    buffer_clear(&a.records);
    buffer_clear(&out);
}

static void on_query(void *owner, unsigned ready)
{
    struct name_server *server = owner;
    uint8_t packet[PACKET_MAX];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    struct question q;
    ssize_t len = recvfrom(
        server->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

    (void)ready;
    if (len <= HEADER || !read_question(packet, (size_t)len, &q))
        return;
    REQUIRE(server->asked_count < ASKED_MAX);
    snprintf(server->asked[server->asked_count++], sizeof server->asked[0], "%.63s", q.name);
    answer(server, packet, &q, &from);
}

int name_server_asked(const struct name_server *server, const char *name)
{
    int count = 0;

    for (size_t i = 0; i < server->asked_count; i++)
        count += strcmp(server->asked[i], name) == 0;
    return count;
}

struct name_server *name_server_new(
    struct loop *loop, const char *const *records, uint16_t *out_port)
{
    struct name_server *server = calloc(1, sizeof *server);
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof in;

    REQUIRE(server);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->records = records;
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(server->fd >= 0 && bind(server->fd, (struct sockaddr *)&in, sizeof in) == 0);
    REQUIRE(getsockname(server->fd, (struct sockaddr *)&in, &len) == 0);
    watch_init(&server->watch, loop, server->fd, on_query, server);
    REQUIRE(watch_enable(&server->watch, WATCH_READ) == ERR_OK);
    *out_port = ntohs(in.sin_port);
    return server;
}

void name_server_free(struct name_server **server)
{
    watch_clear(&(*server)->watch);
    close((*server)->fd);
    free(*server);
    *server = NULL;
}
