/* tests/unit/relay/scene.c: the relay's neighbours, in one loop with it. */
#include "scene.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "relay/relay.h"
#include "smtp/parameters.h"

enum { CONF_MAX = 8192 };

static const struct scene *shown; /* for scene_fail */

void scene_fail(const char *format, ...)
{
    const struct play *play = shown ? shown->play : NULL;
    va_list args;

    if (play)
        fprintf(stderr, "\nin: %s (mode %d, cut %zd, connections %zu)\n", play->name, play->mode,
            (ssize_t)play->cut, play->actor_count);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* ---- the room's end: a supervisor that only hears that it is drained ---- */

/* Stands in for the one of ipc/room.c, whose harness there is none of here. */
void room_drained(struct room *room)
{
    CONTAINER_OF(room, struct scene, room)->is_drained = true;
}

/* ---- the queue ---- */

static void put_result(struct told *told, const struct msg_result *r)
{
    static const char *const words[] = { "done", "deferred", "failed", "returned" };
    size_t len = strlen(told->summary);

    snprintf(told->summary + len, sizeof told->summary - len, "%s%s %u %.*s",
        told->count > 0 ? "; " : "", words[r->result], r->code, SLICE_ARGS(r->status));
    told->results[told->count++] = r->result;
}

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_ARGS(from));
}

static void on_outcome(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;
    const struct msg_outcome *m = message;
    struct told *told = &s->told[s->told_count++];
    struct msg_job_ref done = { .job = m->job };

    (void)fd;
    REQUIRE(s->told_count < SCENE_TOLD);
    *told = (struct told){ .job = m->job };
    REQUIRE(m->result_count > 0 && m->result_count <= LENGTH_OF(told->results));
    for (size_t i = 0; i < m->result_count; i++) {
        REQUIRE(m->results[i].index == i);
        put_result(told, &m->results[i]);
    }
    told->cause = m->results[0].cause;
    copy(told->text, sizeof told->text, m->results[0].text);
    copy(told->host, sizeof told->host, m->remote_host);
    copy(told->address, sizeof told->address, m->remote_address);
    copy(told->tls, sizeof told->tls, m->tls_version);
    if (!s->holds_acks)
        REQUIRE(channel_send(channel, MSG_OUTCOME_DONE, &done, -1) == ERR_OK);
}

static void on_in_hand(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;
    const struct msg_in_hand *m = message;

    (void)channel, (void)fd;
    REQUIRE(m->job_count <= LENGTH_OF(s->in_hand));
    s->in_hands++;
    s->in_hand_count = m->job_count;
    for (size_t i = 0; i < m->job_count; i++)
        s->in_hand[i] = m->jobs[i];
}

static const struct channel_handler queue_handlers[] = {
    { MSG_IN_HAND, on_in_hand },
    { MSG_OUTCOME, on_outcome },
};

/* ---- the vault ---- */

static struct slice vault_data(char text[512], const char *from)
{
    size_t len = strlen(from);

    REQUIRE(len < 512);
    for (size_t i = 0; i < len; i++)
        text[i] = from[i] == '|' ? '\0' : from[i];
    return slice_of(text, len);
}

static void vault_answer(struct scene *s, uint64_t login)
{
    bool has_words = s->says && s->says[s->say];
    const char *text = has_words ? s->says[s->say++] : "!nothing to say";
    const char *colon = strchr(text, ':');
    struct msg_login_say say = { .login = login, .has_data = colon != NULL };
    char data[512];

    if (!has_words && s->is_vault_mute)
        return;
    if (text[0] == '!') {
        say =
            (struct msg_login_say){ .login = login, .failed = true, .text = slice_text(text + 1) };
    } else {
        say.mechanism = slice_first(slice_text(text), strcspn(text, ":"));
        if (colon)
            say.data = vault_data(data, colon + 1);
    }
    REQUIRE(channel_send(s->vault, MSG_LOGIN_SAY, &say, -1) == ERR_OK);
}

static void on_login_start(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;
    const struct msg_login_start *m = message;

    (void)channel, (void)fd;
    REQUIRE(m->login != 0 && m->login != s->login.login);
    s->login = *m;
    copy(s->mechanisms, sizeof s->mechanisms, m->mechanisms);
    vault_answer(s, m->login);
}

static void on_login_step(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;
    const struct msg_login_step *m = message;

    (void)channel, (void)fd;
    REQUIRE(m->login == s->login.login);
    buffer_put_slice(&s->challenges, m->data);
    buffer_put_char(&s->challenges, '\n');
    vault_answer(s, m->login);
}

static void on_login_end(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;

    (void)channel, (void)message, (void)fd;
    s->login_ends++;
}

static const struct channel_handler vault_handlers[] = {
    { MSG_LOGIN_START, on_login_start },
    { MSG_LOGIN_STEP, on_login_step },
    { MSG_LOGIN_END, on_login_end },
};

/* ---- the gate ---- */

static void on_domain_answer(void *owner, struct channel *channel, const void *message, int fd)
{
    struct scene *s = owner;
    const struct msg_domain_answer *m = message;

    (void)channel, (void)fd;
    REQUIRE(m->request < GATE_ANSWERS);
    s->answers[m->request] = m->verdict;
    s->answer_count++;
}

static const struct channel_handler gate_handlers[] = { { MSG_DOMAIN_ANSWER, on_domain_answer } };

/* ---- channels ---- */

static void on_closed(void *owner, struct channel *channel)
{
    struct scene *s = owner;

    channel_free(channel == s->queue ? &s->queue : channel == s->vault ? &s->vault : &s->gate);
}

static struct channel *neighbour(
    struct scene *s, enum role role, const struct channel_handler *handlers, size_t count)
{
    struct channel_spec spec = { .self = role,
        .peer = ROLE_RELAY,
        .handlers = handlers,
        .handler_count = count,
        .closed = on_closed,
        .owner = s };
    struct msg_peer peer = { .role = role };
    struct channel *channel;
    int pair[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    channel = channel_new(s->loop, pair[0], &spec);
    REQUIRE(channel);
    relay_room.peer(&s->room, &peer, pair[1]);
    return channel;
}

void scene_attach_queue(struct scene *s)
{
    scene_detach_queue(s);
    s->queue = neighbour(s, ROLE_QUEUE, queue_handlers, LENGTH_OF(queue_handlers));
}

void scene_detach_queue(struct scene *s)
{
    channel_free(&s->queue);
    scene_turn(s, 5);
}

void scene_attach_vault(struct scene *s)
{
    channel_free(&s->vault);
    s->vault = neighbour(s, ROLE_VAULT, vault_handlers, LENGTH_OF(vault_handlers));
}

void scene_detach_vault(struct scene *s)
{
    channel_free(&s->vault);
    scene_turn(s, 5);
}

void scene_attach_gate(struct scene *s)
{
    channel_free(&s->gate);
    s->gate = neighbour(s, ROLE_GATE, gate_handlers, LENGTH_OF(gate_handlers));
}

/* ---- listening ---- */

static void on_connection(void *owner, unsigned ready)
{
    struct scene *s = owner;
    int on = 1;

    (void)ready;
    for (int i = 0; i < SCENE_HOSTS; i++) {
        int fd = accept4(s->sockets[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (s->take) {
            s->take(s, i, fd);
            continue;
        }
        REQUIRE(s->play);
        play_accept(s->play, i, fd);
    }
}

static void watch_socket(struct scene *s, int host)
{
    REQUIRE(listen(s->sockets[host], 64) == 0);
    watch_init(&s->listeners[host], s->loop, s->sockets[host], on_connection, s);
    REQUIRE(watch_enable(&s->listeners[host], WATCH_READ) == ERR_OK);
}

static bool listen_tcp(struct scene *s)
{
    for (int i = 0; i < HOST_UNIX; i++) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(s->port) };
        socklen_t len = sizeof in;

        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
        s->sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        REQUIRE(s->sockets[i] >= 0);
        if (bind(s->sockets[i], (struct sockaddr *)&in, sizeof in) != 0) {
            for (; i >= 0; i--)
                close(s->sockets[i]);
            s->port = 0;
            return false;
        }
        REQUIRE(getsockname(s->sockets[i], (struct sockaddr *)&in, &len) == 0);
        s->port = ntohs(in.sin_port);
    }
    return true;
}

static void listen_all(struct scene *s)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    for (int tries = 0; !listen_tcp(s); tries++)
        REQUIRE(tries < 50);
    strcpy(s->folder, "/tmp/relay-scene-XXXXXX");
    REQUIRE(mkdtemp(s->folder));
    snprintf(un.sun_path, sizeof un.sun_path, "%s/lmtp", s->folder);
    s->sockets[HOST_UNIX] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(s->sockets[HOST_UNIX] >= 0);
    REQUIRE(bind(s->sockets[HOST_UNIX], (struct sockaddr *)&un, sizeof un) == 0);
    for (int i = 0; i < SCENE_HOSTS; i++)
        watch_socket(s, i);
}

static void stop_listening(struct scene *s)
{
    char path[64];

    for (int i = 0; i < SCENE_HOSTS; i++) {
        watch_clear(&s->listeners[i]);
        close(s->sockets[i]);
    }
    snprintf(path, sizeof path, "%s/lmtp", s->folder);
    unlink(path);
    rmdir(s->folder);
}

/* ---- the configuration ---- */

static void put_routes(struct buffer *out, const struct scene *s)
{
    unsigned port = s->port;
    char trust[64] = "";

    if (s->ca_file[0] != '\0')
        snprintf(trust, sizeof trust, "ca_file = \"%s\"", s->ca_file);
    buffer_printf(out,
        "route \"plain.example\" { via = \"smtp\" to = \"127.0.0.1:%u\" tls = "
        "\"none\" }\n",
        port);
    buffer_printf(out,
        "route \"data.example\" { via = \"smtp\" to = \"127.0.0.1:%u\" tls = "
        "\"none\" chunking = false }\n",
        port);
    buffer_printf(out, "route \"may.example\" { via = \"smtp\" to = \"127.0.0.1:%u\" }\n", port);
    buffer_printf(out,
        "route \"verify.example\" { via = \"smtp\" to = \"127.0.0.1:%u\" tls = "
        "\"verify\" %s }\n",
        port, trust);
    buffer_printf(out,
        "route \"login.example\" { via = \"smtp\" to = \"127.0.0.1:%u\" tls = "
        "\"verify\" %s username = \"u\" password_file = \"/etc/p\" }\n",
        port, trust);
    buffer_printf(
        out, "route \"lmtp.example\" { via = \"lmtp\" to = \"unix:%s/lmtp\" }\n", s->folder);
    buffer_printf(out,
        "route \"lmtp-tls.example\" { via = \"lmtp\" to = \"127.0.0.1:%u\" tls = "
        "\"verify\" %s }\n",
        port, trust);
    buffer_printf(out, "route \"*\" { via = \"mx\" port = %u tls = \"none\" }\n", port);
    buffer_printf(out,
        "route \"host.example\" { via = \"smtp\" to = \"two.scene.example:%u\" tls = \"none\" }\n"
        "route \"lost.example\" { via = \"smtp\" to = \"lost.scene.example:%u\" }\n"
        "route \"hosts.example\" { via = \"smtp\" to = \"scene.example:%u\" mx = true tls = "
        "\"none\" }\n",
        port, port, port);
}

static void put_conf(struct buffer *out, const struct scene *s, uint16_t dns, const char *text)
{
    buffer_put_text(out, "hostname = \"msa.example.net\"\nstate = \"/var/lib/submitd\"\n"
                         "listener \"a\" { address = \"127.0.0.1:2525\" tls = \"starttls\" "
                         "require_tls = false }\n"
                         "users \"file\" { path = \"/etc/submitd/users\" }\n");
    put_routes(out, s);
    buffer_printf(out, "dns { trust_anchor = \"\" forward = { \"127.0.0.1@%u\" } }\n", dns);
    buffer_put_text(out, text);
}

static uint16_t dns_port; /* outlives reloads */

/* As the supervisor does with a snapshot. */
static void give_roots(struct scene *s)
{
    for (size_t i = 0; i < s->conf->route_count; i++) {
        struct msg_give gift = { .gift = GIFT_ROOTS, .index = (uint32_t)i };
        int file = s->conf->routes[i].ca_file.len > 0 ? open(s->ca_file, O_RDONLY | O_CLOEXEC) : -1;

        if (file >= 0)
            relay_room.give(&s->room, &gift, file);
    }
}

void scene_reapply(struct scene *s)
{
    struct buffer packed;

    buffer_init(&packed, CONF_SNAPSHOT_MAX);
    s->conf->number = ++s->room.snapshot;
    conf_pack(s->conf, &packed);
    give_roots(s);
    REQUIRE(relay_room.apply(&s->room, buffer_slice(&packed)) == ERR_OK);
    buffer_clear(&packed);
    /* The rows say when a connection is kept, and hosts come back at once. */
    scene_conf(s)->timeouts.idle = 0;
    scene_conf(s)->queue.dead_host = 0;
}

void scene_apply(struct scene *s, const char *text)
{
    struct conf_error error = { "" };
    struct buffer out;

    buffer_init(&out, CONF_MAX);
    put_conf(&out, s, dns_port, text);
    if (conf_parse("scene", buffer_slice(&out), &s->arena, &s->conf, &error) != ERR_OK)
        scene_fail("%s", error.text);
    buffer_clear(&out);
    scene_reapply(s);
}

void scene_open(
    struct scene *s, const char *text, const char *const *records, struct scene_tls *tls)
{
    static const char *const nobody[] = { NULL };

    memset(s, 0, sizeof *s);
    shown = s;
    log_open("test", getenv("RELAY_LOG") ? LOG_DEBUG : LOG_ERROR - 1);
    s->loop = loop_new();
    REQUIRE(s->loop);
    arena_init(&s->arena, 16 << 20);
    buffer_init(&s->challenges, 65536);
    s->tls = tls;
    if (tls)
        tls->open(tls, s->loop, s->ca_file);
    listen_all(s);
    s->names = name_server_new(s->loop, records ? records : nobody, &dns_port);
    s->room = (struct room){ .type = &relay_room, .loop = s->loop };
    REQUIRE(relay_room.init(&s->room) == ERR_OK);
    scene_apply(s, text);
    scene_attach_queue(s);
    scene_attach_vault(s);
    scene_attach_gate(s);
}

void scene_close(struct scene *s)
{
    struct carrier *carrier = scene_carrier(s);

    carrier_free(&carrier);
    channel_free(&s->queue);
    channel_free(&s->vault);
    channel_free(&s->gate);
    name_server_free(&s->names);
    stop_listening(s);
    if (s->tls)
        s->tls->close(s->tls);
    loop_free(&s->loop);
    buffer_clear(&s->challenges);
    arena_clear(&s->arena);
    shown = NULL;
}

int scene_begin_with(void **state, const char *const *records, struct scene_tls *tls)
{
    static struct scene scene;

    scene_open(&scene, "", records, tls);
    *state = &scene;
    return 0;
}

int scene_begin(void **state)
{
    return scene_begin_with(state, NULL, NULL);
}

int scene_end(void **state)
{
    scene_close(*state);
    return 0;
}

void scene_turn(struct scene *s, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    do
        loop_turn(s->loop, 1);
    while (clock_mono_ms() < end);
}

void scene_forget(struct scene *s)
{
    s->told_count = 0;
    s->in_hands = 0;
    s->say = 0;
    s->login_ends = 0;
    buffer_reset(&s->challenges);
}

/* ---- mail ---- */

static const char header[] = "Subject: scene\r\n\r\n";

static struct slice body_of(const struct mail *mail)
{
    return slice_text(mail->body ? mail->body : "Hello.\r\n.dot\r\n");
}

/* Lines of 80 octets, every other one with a dot in front. */
static void put_large(struct buffer *out, size_t len)
{
    char line[80];

    REQUIRE(len % sizeof line == 0);
    memset(line, 'x', sizeof line);
    memcpy(line + 78, "\r\n", 2);
    for (size_t i = 0; i < len / sizeof line; i++) {
        line[0] = i % 2 ? '.' : 'x';
        buffer_put(out, line, sizeof line);
    }
}

void mail_content(const struct mail *mail, struct buffer *out)
{
    buffer_put_text(out, header);
    if (mail->large > 0)
        put_large(out, mail->large);
    else
        buffer_put_slice(out, body_of(mail));
}

static int large_body(const struct mail *mail)
{
    int fd = memfd_create("body", MFD_CLOEXEC);
    struct buffer text;

    buffer_init(&text, mail->large);
    put_large(&text, mail->large);
    REQUIRE(fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len);
    buffer_clear(&text);
    return fd;
}

static size_t put_recipients(
    const struct mail *mail, struct msg_recipient *rows, char (*texts)[64], size_t most)
{
    size_t count = mail->to_count;

    REQUIRE(count <= most);
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], 64, "r%zu@example.org", i);
        rows[i] = (struct msg_recipient){ (uint32_t)i, slice_text(texts[i]) };
    }
    for (; mail->to_count == 0 && count < LENGTH_OF(mail->to) && mail->to[count]; count++)
        rows[count] = (struct msg_recipient){ (uint32_t)count, slice_text(mail->to[count]) };
    if (count == 0)
        rows[count++] = (struct msg_recipient){ 0, SLICE_LITERAL("bob@example.org") };
    return count;
}

static void put_wishes(struct msg_job *job)
{
    job->ret = RETURN_HEADERS;
    job->envid = slice_text("QQ+2B314159");
    job->require_tls = true;
    job->by = BY_NOTIFY;
    job->by_trace = true;
    job->by_time = clock_wall() + 900;
    job->priority = 14;
    job->mtrk_certifier = slice_text("aaaaaaaaaaaaaaaaaaaaaaaaaaa");
    job->mtrk_until = clock_wall() + 86400;
    job->solicit = slice_text("net.example:ADV");
    job->conperm = true;
    for (size_t i = 0; i < job->recipient_count; i++) {
        struct msg_recipient *recipient = &job->recipients[i];

        recipient->notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
        recipient->orcpt = slice_text("utf-8;\xc3\xa4+2B@example.org");
        recipient->rrvs = RRVS_CONTINUE;
        recipient->rrvs_since = 1714521600;
    }
}

uint64_t scene_send(struct scene *s, const struct mail *mail)
{
    static char texts[256][64];
    struct msg_recipient rows[256];
    struct msg_job job = { .job = ++s->last_job,
        .snapshot = s->room.snapshot,
        .route = mail->route,
        .id_high = s->last_job,
        .id_low = 7,
        .sender = slice_text(mail->from ? mail->from : "alice@example.net"),
        .eight_bit = mail->eight_bit,
        .eight_bit_header = mail->eight_bit_header,
        .recipients = rows,
        .recipient_count = put_recipients(mail, rows, texts, LENGTH_OF(rows)),
        .header = slice_text(header),
        .body = mail->large > 0 ? slice_text("") : body_of(mail),
        .body_size = mail->large > 0 ? mail->large : body_of(mail).len };
    int fd = mail->large > 0 ? large_body(mail) : -1;

    if (mail->has_wishes)
        put_wishes(&job);
    job.destination =
        mail->route == ROUTE_MX ? slice_text(mail->domain) : scene_conf(s)->routes[mail->route].to;
    REQUIRE(channel_send(s->queue, MSG_JOB, &job, fd) == ERR_OK);
    return job.job;
}

const struct told *scene_outcome(struct scene *s, uint64_t job, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    for (;;) {
        for (size_t i = 0; i < s->told_count; i++)
            if (s->told[i].job == job)
                return &s->told[i];
        if (clock_mono_ms() >= end)
            return NULL;
        loop_turn(s->loop, 5);
    }
}
