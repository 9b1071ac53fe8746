/* tests/unit/vault/desk.c: a far end that keeps what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "desk.h"

static void keep_text(char *to, size_t size, struct slice text)
{
    snprintf(to, size, "%.*s", (int)text.len, text.data ? text.data : "");
}

static void keep_data(struct answer *answer, struct slice data)
{
    assert_true(data.len <= ANSWER_DATA);
    if (data.len > 0)
        memcpy(answer->data, data.data, data.len);
    answer->len = data.len;
}

static struct answer *next_answer(void *owner, enum message_type type, uint64_t number)
{
    struct desk *desk = owner;
    struct answer *answer;

    assert_true(desk->count < ANSWERS_MAX);
    answer = &desk->answers[desk->count++];
    *answer = (struct answer){ .type = type, .number = number };
    return answer;
}

static void on_auth_say(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_auth_step *m = message;

    keep_data(next_answer(owner, MSG_AUTH_SAY, m->session), m->data);
}

static void on_auth_done(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_auth_done *m = message;
    struct answer *answer = next_answer(owner, MSG_AUTH_DONE, m->session);

    answer->result = m->result;
    answer->yes = m->may_submit;
    answer->more_senders = m->more_senders;
    answer->is_narrowed = m->is_narrowed;
    answer->scope_submit = m->scope.may_submit;
    answer->scope_senders = m->scope.sender_count;
    if (m->scope.sender_count > 0)
        keep_text(answer->first_scope_sender, sizeof answer->first_scope_sender,
            m->scope.senders[0].pattern);
    answer->senders = m->sender_count;
    keep_text(answer->user, sizeof answer->user, m->user);
    if (m->sender_count > 0)
        keep_text(answer->first_sender, sizeof answer->first_sender, m->senders[0].pattern);
}

static void on_rights_done(
    void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_rights_done *m = message;

    next_answer(owner, MSG_RIGHTS_DONE, m->session)->yes = m->allowed;
}

static void on_signed(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_signed *m = message;
    struct answer *answer = next_answer(owner, MSG_SIGNED, m->request);

    answer->yes = m->ok;
    keep_data(answer, m->signature);
}

static void on_ticket_keys(
    void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_ticket_keys *m = message;

    keep_data(next_answer(owner, MSG_TICKET_KEYS, m->key_count), m->keys[0].octets);
}

static void on_login_say(void *owner, struct channel *c UNUSED, const void *message, int fd UNUSED)
{
    const struct msg_login_say *m = message;
    struct answer *answer = next_answer(owner, MSG_LOGIN_SAY, m->login);

    answer->yes = !m->failed;
    answer->has_data = m->has_data;
    keep_text(answer->mechanism, sizeof answer->mechanism, m->mechanism);
    keep_text(answer->text, sizeof answer->text, m->text);
    keep_data(answer, m->data);
}

static const struct channel_handler gate_side[] = {
    { MSG_AUTH_SAY, on_auth_say },
    { MSG_AUTH_DONE, on_auth_done },
    { MSG_RIGHTS_DONE, on_rights_done },
    { MSG_SIGNED, on_signed },
    { MSG_TICKET_KEYS, on_ticket_keys },
};

static const struct channel_handler relay_side[] = {
    { MSG_LOGIN_SAY, on_login_say },
};

static void on_far_closed(void *owner, struct channel *c UNUSED)
{
    struct desk *desk = owner;

    desk->is_closed = true;
}

static void on_near_closed(void *owner UNUSED, struct channel *c UNUSED)
{
}

void desk_attach(struct desk *desk, struct loop *loop, enum role far, int fd)
{
    bool is_gate = far == ROLE_GATE;
    struct channel_spec spec = { .self = far,
        .peer = ROLE_VAULT,
        .handlers = is_gate ? gate_side : relay_side,
        .handler_count = is_gate ? LENGTH_OF(gate_side) : LENGTH_OF(relay_side),
        .closed = on_far_closed,
        .owner = desk };

    memset(desk, 0, sizeof *desk);
    desk->loop = loop;
    desk->far = channel_new(loop, fd, &spec);
    assert_non_null(desk->far);
}

void desk_open(struct desk *desk, struct loop *loop, enum role far,
    const struct channel_handler *handlers, size_t count)
{
    static uint64_t ids;
    int pair[2];
    struct channel_spec near = { .self = ROLE_VAULT,
        .peer = far,
        .handlers = handlers,
        .handler_count = count,
        .closed = on_near_closed,
        .owner = &desk->asker };

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    desk_attach(desk, loop, far, pair[1]);
    desk->asker.id = ++ids;
    desk->asker.channel = channel_new(loop, pair[0], &near);
    assert_non_null(desk->asker.channel);
}

void desk_close(struct desk *desk)
{
    channel_free(&desk->asker.channel);
    channel_free(&desk->far);
}

void desk_send(struct desk *desk, enum message_type type, const void *message)
{
    assert_int_equal(channel_send(desk->far, type, message, -1), ERR_OK);
}

const struct answer *desk_answer(struct desk *desk, size_t place)
{
    int64_t end = clock_mono_ms() + 60000;

    while (desk->count <= place && clock_mono_ms() < end)
        loop_turn(desk->loop, 50);
    assert_true(desk->count > place);
    return &desk->answers[place];
}

void desk_turn(struct desk *desk, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        loop_turn(desk->loop, 10);
}
