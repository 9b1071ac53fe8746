/* tests/unit/gate/house.c: the gate's neighbours, in one loop with it. */
#include "house.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "ipc/counters.h"

/* The disk. */

static struct house_disk *house_disk(struct disk *disk)
{
    return CONTAINER_OF(disk, struct house_disk, disk);
}

static bool is_due(int *fails)
{
    if (*fails == 0)
        return false;
    if (*fails > 0)
        (*fails)--;
    return true;
}

static enum err write_at(struct disk *disk, int file, const struct iovec *parts, int count,
    uint64_t offset, size_t *out_len)
{
    struct house_disk *d = house_disk(disk);

    __atomic_add_fetch(&d->writes, 1, __ATOMIC_RELAXED);
    if (is_due(&d->write_fails))
        return ERR_IO;
    return disk_posix()->ops->write_at(disk_posix(), file, parts, count, offset, out_len);
}

static enum err sync_file(struct disk *disk, int file)
{
    struct house_disk *d = house_disk(disk);
    struct timespec pause = { .tv_nsec = d->sync_delay_ms * 1000000L };

    if (d->sync_delay_ms > 0)
        nanosleep(&pause, NULL);
    __atomic_add_fetch(&d->syncs, 1, __ATOMIC_RELAXED);
    if (is_due(&d->sync_fails) || (d->sync_fails_at > 0 && --d->sync_fails_at == 0))
        return ERR_IO;
    return disk_posix()->ops->sync(disk_posix(), file);
}

static void disk_open(struct house_disk *d)
{
    d->ops = *disk_posix()->ops;
    d->ops.write_at = write_at;
    d->ops.sync = sync_file;
    d->disk.ops = &d->ops;
}

/* What is said, now or later. */

void house_say(
    struct house *h, struct channel **to, enum message_type type, const void *message, int fd)
{
    struct house_owed *owed = &h->owed[h->owed_count];

    if (!h->is_slow || h->owed_count == HOUSE_OWED) {
        REQUIRE(channel_send(*to, type, message, fd) == ERR_OK);
        return;
    }
    *owed = (struct house_owed){ .to = to, .type = type, .fd = fd };
    buffer_init(&owed->packed, FRAME_MAX);
    pack(&owed->packed, message_row(type)->shape, message);
    REQUIRE(owed->packed.error == ERR_OK);
    h->owed_count++;
}

static void say_packed(struct house_owed *owed)
{
    const struct message_row *row = message_row(owed->type);
    struct cursor in = cursor_of(buffer_slice(&owed->packed));
    struct arena arena;
    void *message;

    arena_init(&arena, 2 * FRAME_MAX);
    message = arena_alloc(&arena, row->shape->size);
    REQUIRE(message && unpack(&in, row->shape, &arena, message) == ERR_OK);
    /* The other end may have closed it by now. */
    (void)!channel_send(*owed->to, owed->type, message, owed->fd);
    arena_clear(&arena);
}

void house_answer(struct house *h, size_t place)
{
    struct house_owed owed = h->owed[place];

    h->owed_count--;
    memmove(&h->owed[place], &h->owed[place + 1], (h->owed_count - place) * sizeof *h->owed);
    if (*owed.to)
        say_packed(&owed);
    else if (owed.fd >= 0)
        close(owed.fd);
    buffer_clear(&owed.packed);
}

/* The queue. */

static struct house_segment *segment_of(struct house *h, uint64_t generation)
{
    for (size_t i = 0; i < h->segment_count; i++)
        if (h->segments[i].generation == generation)
            return &h->segments[i];
    return NULL;
}

static int memory_file(uint64_t size)
{
    int file = memfd_create("spool", MFD_CLOEXEC);

    REQUIRE(file >= 0 && ftruncate(file, (off_t)size) == 0);
    return file;
}

static void give_blank(struct house *h)
{
    struct house_segment *segment = &h->segments[h->segment_count++];
    struct msg_blank message = { .size = h->segment_size, .start = FILE_HEAD };

    REQUIRE(h->segment_count < HOUSE_SEGMENTS);
    *segment = (struct house_segment){ .generation = ++h->generation,
        .file = memory_file(h->segment_size) };
    message.generation = segment->generation;
    house_say(h, &h->queue, MSG_BLANK, &message, dup(segment->file));
}

static void give_spare(struct house *h)
{
    struct house_spare *spare = &h->spares[h->spare_count++];
    struct msg_spare message;

    REQUIRE(h->spare_count < HOUSE_SPARES);
    *spare = (struct house_spare){ .number = 5000 + h->spare_count, .file = memory_file(0) };
    message.number = spare->number;
    house_say(h, &h->queue, MSG_SPARE, &message, dup(spare->file));
    if (h->forgets)
        close(h->spares[--h->spare_count].file);
}

void house_serve(struct house *h)
{
    for (; h->queue && !h->holds_blanks && h->need.blanks > 0; h->need.blanks--)
        give_blank(h);
    for (; h->queue && !h->holds_spares && h->need.spares > 0; h->need.spares--)
        give_spare(h);
}

static void on_need(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_need *m = message;

    (void)channel, (void)fd;
    h->need.blanks += m->blanks;
    h->need.spares += m->spares;
    house_serve(h);
}

static void forget(struct house *h, struct house_segment *segment)
{
    close(segment->file);
    *segment = h->segments[--h->segment_count];
}

static void on_doorbell(void *owner, struct channel *channel, const void *message, int fd)
{
    const struct msg_doorbell *m = message;
    struct house_segment *segment = segment_of(owner, m->generation);

    (void)channel, (void)fd;
    if (!segment && ((struct house *)owner)->forgets)
        return; /* a new queue is told again */
    REQUIRE(segment && m->upto >= segment->upto && !segment->is_final);
    segment->upto = m->upto;
    segment->is_final = m->final;
    segment->doorbells++;
    if (segment->is_final && ((struct house *)owner)->forgets)
        forget(owner, segment);
}

static void answer_cut(struct house *h, const struct msg_cut *m)
{
    house_say(h, &h->queue, MSG_CUT_DONE, m, -1);
}

static void on_cut(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_cut *m = message;
    struct house_segment *segment = segment_of(h, m->generation);

    (void)channel, (void)fd;
    REQUIRE(segment ? m->upto >= segment->upto : h->forgets);
    if (!h->holds_cuts)
        answer_cut(h, m);
    if (!segment)
        return;
    segment->is_cut = true;
    segment->cut = m->upto;
    if (h->forgets)
        forget(h, segment);
}

static void on_held_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_held_ask *m = message;
    struct msg_held_answer answer = { .request = m->request, .has_room = !h->is_held_full };

    (void)fd;
    (void)channel;
    h->held_asks++;
    h->held_size = m->size;
    if (!h->is_held_silent)
        house_say(h, &h->queue, MSG_HELD_ANSWER, &answer, -1);
}

/* What is kept of a transaction its name says: one that ends with "d" was taken, of one with "r"
 * there is a beginning, of others nothing. */
static void on_partial_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    static const char kept[] = "From: alice@example.net\r\nSubject: x\r\n\r\nbegin";
    const struct msg_partial_ask *m = message;
    struct msg_partial_recipient recipient = { .address = SLICE_LITERAL("bob@example.org") };
    char last = m->key.transid.len > 1 ? m->key.transid.data[m->key.transid.len - 2] : '\0';
    struct msg_partial_state state = { .request = m->request, .id_high = 7 };

    (void)channel, (void)fd;
    if (last == 'd')
        state.found = PARTIAL_COMPLETE;
    if (last == 'd' || last == 'r') {
        state.content.recipients = &recipient;
        state.content.recipient_count = 1;
    }
    if (last == 'r') {
        state.found = PARTIAL_RESUME;
        state.content.front = slice_of(kept, sizeof kept - 1);
        state.content.octets = sizeof kept - 1;
    }
    house_say(owner, &((struct house *)owner)->queue, MSG_PARTIAL_STATE, &state, -1);
}

static void on_partial(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)owner, (void)channel, (void)message, (void)fd;
}

static const struct channel_handler queue_handlers[] = {
    { MSG_HELD_ASK, on_held_ask },
    { MSG_NEED, on_need },
    { MSG_DOORBELL, on_doorbell },
    { MSG_CUT, on_cut },
    { MSG_PARTIAL_ASK, on_partial_ask },
    { MSG_PARTIAL_KEEP, on_partial },
    { MSG_PARTIAL_END, on_partial },
};

static void on_peer_closed(void *owner, struct channel *channel)
{
    struct house *h = owner;

    if (channel == h->queue)
        channel_free(&h->queue);
    else if (channel == h->vault)
        channel_free(&h->vault);
    else if (channel == h->fetch)
        channel_free(&h->fetch);
    else
        channel_free(&h->relay);
}

int house_pair(int *out_other)
{
    int pair[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    *out_other = pair[1];
    return pair[0];
}

static struct channel *neighbour(struct house *h, enum role role,
    const struct channel_handler *handlers, size_t count, int *out_fd)
{
    struct channel_spec spec = { .self = role,
        .peer = ROLE_GATE,
        .handlers = handlers,
        .handler_count = count,
        .closed = on_peer_closed,
        .owner = h };
    struct channel *channel = channel_new(h->loop, house_pair(out_fd), &spec);

    REQUIRE(channel);
    return channel;
}

void house_attach_queue(struct house *h)
{
    int fd;

    h->need = (struct msg_need){ 0 };
    h->queue = neighbour(h, ROLE_QUEUE, queue_handlers, LENGTH_OF(queue_handlers), &fd);
    commit_attach(&h->gate.commit, fd);
    ask_held_again(&h->gate);
}

void house_detach_queue(struct house *h)
{
    channel_free(&h->queue);
    /* Its successor knows nothing of what it owed. */
    for (size_t i = h->owed_count; i > 0; i--)
        if (h->owed[i - 1].to == &h->queue)
            house_answer(h, i - 1);
    house_turn(h, h->is_slow ? 0 : 20);
}

size_t house_records(
    struct house *h, void (*each)(void *owner, const struct record *record), void *owner)
{
    struct segment_reader reader;
    size_t count = 0;

    segment_reader_init(&reader, disk_posix());
    for (size_t i = 0; i < h->segment_count; i++) {
        struct house_segment *segment = &h->segments[i];
        struct segment_item item;

        segment_aim(&reader, segment->file, segment->generation, FILE_HEAD);
        while (segment->upto > 0 && segment_next(&reader, segment->upto, true, &item) == ERR_OK &&
               item.found != SEGMENT_END) {
            REQUIRE(item.found == SEGMENT_RECORD);
            if (each)
                each(owner, &item.record);
            count++;
        }
    }
    segment_reader_clear(&reader);
    return count;
}

/* The vault. */

static void finish_login(struct house *h, uint64_t session, bool is_good)
{
    struct msg_sender senders[] = { { SLICE_LITERAL("*@lists.example.net") } };
    struct msg_auth_done done = { .session = session,
        .result = is_good ? AUTH_OK : AUTH_REFUSED,
        .user = SLICE_LITERAL("alice@example.net"),
        .may_submit = true,
        .senders = senders,
        .sender_count = 1,
        .more_senders = true };
    struct msg_sender few[] = { { SLICE_LITERAL("*@example.org") },
        { SLICE_LITERAL("bob@local.example") } };

    if (h->narrows) {
        done.recipients = few;
        done.recipient_count = 1;
        done.more_recipients = true;
        done.max_recipients = 3;
        done.is_narrowed = true;
        done.scope = (struct msg_scope){ .may_submit = true,
            .senders = senders,
            .sender_count = 1,
            .recipients = few,
            .recipient_count = LENGTH_OF(few),
            .max_recipients = 2,
            .max_size = 4000 };
    }
    if (!is_good)
        done = (struct msg_auth_done){ .session = session, .result = AUTH_REFUSED };
    house_say(h, &h->vault, MSG_AUTH_DONE, &done, -1);
}

static void challenge(struct house *h, uint64_t session, const char *text)
{
    struct msg_auth_step say = { .session = session, .data = slice_text(text) };

    house_say(h, &h->vault, MSG_AUTH_SAY, &say, -1);
}

static const struct slice good_plain = { "\0alice@example.net\0secret", 25 };

static void on_auth_start(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_auth_start *m = message;

    (void)channel, (void)fd;
    h->auth_starts++;
    if (h->is_vault_silent)
        return;
    if (slice_is(m->mechanism, "PLAIN") && m->has_initial)
        finish_login(h, m->session, slice_equals(m->initial, good_plain));
    else
        challenge(h, m->session, slice_is(m->mechanism, "PLAIN") ? "" : "server-first");
}

/* Of SCRAM the order only: any answer to the first challenge is proof enough. */
static void on_auth_step(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_auth_step *m = message;

    (void)channel, (void)fd;
    if (slice_is(m->data, "client-final"))
        challenge(h, m->session, "v=proof");
    else
        finish_login(h, m->session, m->data.len == 0 || slice_equals(m->data, good_plain));
}

static void on_auth_cancel(void *owner, struct channel *channel, const void *message, int fd)
{
    (void)owner, (void)channel, (void)message, (void)fd;
}

static void on_rights(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_rights *m = message;
    struct msg_rights_done done = { .session = m->session,
        .allowed = slice_is(m->address, "asked@example.net") };

    (void)channel, (void)fd;
    if (!h->is_vault_silent)
        house_say(h, &h->vault, MSG_RIGHTS_DONE, &done, -1);
}

static void on_sign(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;

    (void)channel, (void)fd;
    if (h->tls && !h->is_vault_silent)
        h->tls->sign(h->tls, h, message);
}

static const struct channel_handler vault_handlers[] = {
    { MSG_AUTH_START, on_auth_start },
    { MSG_AUTH_STEP, on_auth_step },
    { MSG_AUTH_CANCEL, on_auth_cancel },
    { MSG_RIGHTS, on_rights },
    { MSG_SIGN, on_sign },
};

void house_attach_vault(struct house *h)
{
    int fd;

    h->vault = neighbour(h, ROLE_VAULT, vault_handlers, LENGTH_OF(vault_handlers), &fd);
    ask_attach_vault(&h->gate.ask, fd);
}

void house_detach_vault(struct house *h)
{
    channel_free(&h->vault);
    house_turn(h, h->is_slow ? 0 : 20);
}

/* The relay. */

static void on_domain_ask(void *owner, struct channel *channel, const void *message, int fd)
{
    static const struct {
        const char *name;
        enum domain_verdict verdict;
    } known[] = {
        { "missing.example", DOMAIN_MISSING },
        { "null.example", DOMAIN_NULL_MX },
        { "failing.example", DOMAIN_TEMPORARY },
        { "silent.example", DOMAIN_SILENT },
    };
    struct house *h = owner;
    const struct msg_domain_ask *m = message;
    struct msg_domain_answer answer = { .request = m->request, .verdict = DOMAIN_EXISTS };

    (void)channel, (void)fd;
    h->domain_asks++;
    for (size_t i = 0; i < LENGTH_OF(known); i++)
        if (slice_is(m->domain, known[i].name))
            answer.verdict = known[i].verdict;
    house_say(h, &h->relay, MSG_DOMAIN_ANSWER, &answer, -1);
}

static const struct channel_handler relay_handlers[] = { { MSG_DOMAIN_ASK, on_domain_ask } };

void house_attach_relay(struct house *h)
{
    int fd;

    h->relay = neighbour(h, ROLE_RELAY, relay_handlers, LENGTH_OF(relay_handlers), &fd);
    ask_attach_relay(&h->gate.ask, 0, fd);
}

void house_detach_relay(struct house *h)
{
    channel_free(&h->relay);
    house_turn(h, h->is_slow ? 0 : 20);
}

/* The fetch room. */

static void close_url(struct house *h)
{
    if (h->has_url_pipe)
        close(h->url_pipe);
    h->has_url_pipe = false;
}

void house_url_write(struct house *h, const void *octets, size_t len)
{
    REQUIRE(h->has_url_pipe);
    /* The reader may have gone. */
    if (write(h->url_pipe, octets, len) < 0)
        close_url(h);
}

void house_url_done(struct house *h, enum url_result result, uint64_t octets)
{
    struct msg_url_done done = { .request = h->url_request, .result = result, .octets = octets };

    close_url(h);
    house_say(h, &h->fetch, MSG_URL_DONE, &done, -1);
}

static void serve_url(struct house *h, struct slice url)
{
    static const char line[] =
        "From: <alice@example.net>\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    size_t at = 0, len;
    uint64_t uid = 0;

    while (at + 4 < url.len && !slice_starts_nocase(slice_from(url, at), "UID="))
        at++;
    url = slice_from(url, at + 4);
    for (len = 0; len < url.len && ascii_is_digit(url.data[len]) && len < 6; len++)
        uid = uid * 10 + (uint64_t)(url.data[len] - '0');
    for (at = 0; at < uid % 30000 && h->has_url_pipe; at += sizeof line - 1)
        house_url_write(h, line, sizeof line - 1);
    house_url_done(h, (enum url_result)(uid % 11 < 5 ? uid % 11 : 0), uid % 13 == 12 ? 7 : at);
}

static void on_url(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_url *m = message;

    (void)channel;
    close_url(h);
    h->url_asks++;
    h->url_request = m->request;
    h->url_pipe = fd;
    h->has_url_pipe = true;
    if (h->serves_urls)
        serve_url(h, m->url);
}

static void on_url_cancel(void *owner, struct channel *channel, const void *message, int fd)
{
    struct house *h = owner;
    const struct msg_request *m = message;

    (void)channel, (void)fd;
    h->url_cancels++;
    if (m->request == h->url_request)
        close_url(h);
}

static const struct channel_handler fetch_handlers[] = {
    { MSG_URL, on_url },
    { MSG_URL_CANCEL, on_url_cancel },
};

void house_attach_fetch(struct house *h)
{
    int fd;

    h->fetch = neighbour(h, ROLE_FETCH, fetch_handlers, LENGTH_OF(fetch_handlers), &fd);
    fetchings_attach(&h->gate.fetchings, fd);
}

void house_detach_fetch(struct house *h)
{
    channel_free(&h->fetch);
    close_url(h);
    house_turn(h, h->is_slow ? 0 : 20);
}

/* The house. */

static const char conf_head[] =
    "hostname = \"msa.example.net\"\n"
    "state = \"/var/lib/submitd\"\n"
    "trusted_networks = { \"192.0.2.0/24\" }\n"
    "listener \"clear\" { address = \"127.0.0.1:2525\" tls = \"starttls\" require_tls = false }\n"
    "listener \"submission\" { address = \"127.0.0.1:2587\" tls = \"starttls\" }\n"
    "listener \"submissions\" { address = \"127.0.0.1:2465\" tls = \"implicit\" }\n"
    "tls { certificate = \"/etc/submitd/cert.pem\" key = \"/etc/submitd/key.pem\" }\n"
    "users \"file\" { path = \"/etc/submitd/users\" }\n"
    "domain \"example.net\" { }\n"
    "imap_server \"imap.example.net\" { password_file = \"/etc/submitd/imap\" }\n"
    "route \"local.example\" { via = \"maildir\" to = \"/var/mail/local\" }\n"
    "route \"*\" { via = \"mx\" }\n";

void house_apply(struct house *h, const char *text)
{
    struct arena arena;
    struct conf *conf;
    struct conf_error error;
    struct buffer source, packed;

    arena_init(&arena, 4 << 20);
    buffer_init(&source, 1 << 20);
    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    buffer_put_text(&source, conf_head);
    buffer_put_text(&source, text);
    if (conf_parse("house", buffer_slice(&source), &arena, &conf, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    conf->number = 1;
    conf_pack(conf, &packed);
    REQUIRE(packed.error == ERR_OK);
    if (h->tls)
        REQUIRE(certificates_add(&h->gate.certificates, 0, h->tls->chain) == ERR_OK);
    REQUIRE(gate_apply(&h->gate, buffer_slice(&packed)) == ERR_OK);
    buffer_clear(&source);
    buffer_clear(&packed);
    arena_clear(&arena);
}

void house_open(struct house *h, const char *text)
{
    int fd;

    if (h->segment_size == 0)
        h->segment_size = HOUSE_SEGMENT_SIZE;
    h->loop = loop_new();
    REQUIRE(h->loop);
    disk_open(&h->disk);
    REQUIRE(gate_init(&h->gate, h->loop, &h->disk.disk, NULL) == ERR_OK);
    REQUIRE(counters_create(2, &fd) == ERR_OK);
    REQUIRE(limits_open(&h->gate.limits, fd, 0) == ERR_OK);
    close(fd);
    house_apply(h, text);
    house_attach_queue(h);
    house_attach_vault(h);
    house_attach_relay(h);
    house_attach_fetch(h);
    house_turn(h, 0);
}

void house_close(struct house *h)
{
    while (h->owed_count > 0)
        house_answer(h, 0);
    gate_clear(&h->gate);
    channel_free(&h->queue);
    channel_free(&h->vault);
    channel_free(&h->relay);
    channel_free(&h->fetch);
    close_url(h);
    loop_free(&h->loop);
    for (size_t i = 0; i < h->segment_count; i++)
        close(h->segments[i].file);
    for (size_t i = 0; i < h->spare_count; i++)
        close(h->spares[i].file);
}

void house_turn(struct house *h, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    do
        loop_turn(h->loop, ms > 0 ? 5 : 0);
    while (clock_mono_ms() < end);
}
