/* tests/fuzz/fuzz_queue_control.c: an operator's program that says anything on the control socket.
 * The first octet seeds the cuts, the second says when it leaves; octet 1 stands for the id of a
 * queued message. What comes back is one JSON object a line, and the queue stays what it was for
 * others. */
#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fuzz.h"
#include "lazy_disk.h"
#include "rig.h"

enum { LEAVES_EARLY = 1, NEVER_READS = 2, MESSAGES = 3 };

static struct rig rig;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static unsigned latest; /* number of the last message made */

static void open_queue(void)
{
    log_open("fuzz", LOG_ERROR - 1);
    lazy_disk_install();
    rig_make(&rig);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", rig.path);
    rig.control = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REQUIRE(bind(rig.control, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(rig.control, 8) == 0);
    rig_start(&rig);
    rig_gate_connect(&rig, 2, 0);
    rig_until(&rig, rig_queue(&rig)->is_recovered);
}

static void close_queue(void)
{
    if (rig.loop)
        rig_remove(&rig);
}

/* Messages for which no relay is there, so that they stay until the operator deletes them. */
static void fill_queue(void)
{
    static const char *const recipients[] = { "bob@example.net", "eve@example.org" };

    while (rig_queue(&rig)->messages.count < MESSAGES) {
        struct rig_mail mail = { .number = ++latest, .recipients = recipients, .count = 2 };

        rig_submit(&rig, &mail);
        rig_until(&rig, rig_message(&rig, latest));
    }
}

/* The input with the id in its places. */
static void put_words(struct buffer *out, struct slice text)
{
    char id[QUEUE_ID_TEXT + 1];

    queue_id_format(rig_id(latest), id);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == 1)
            buffer_put_text(out, id);
        else
            buffer_put_char(out, text.data[i]);
}

static void hear(int fd, struct buffer *heard, bool *is_over)
{
    char room[8192];
    ssize_t got = recv(fd, room, sizeof room, MSG_DONTWAIT);

    if (got > 0)
        buffer_put(heard, room, (size_t)got);
    *is_over = got == 0 || (got < 0 && errno != EAGAIN);
}

static void check_reply(struct slice line)
{
    json_t *reply = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *ok = json_object_get(reply, "ok");

    REQUIRE(json_is_boolean(ok));
    if (json_is_true(ok))
        REQUIRE(json_is_object(json_object_get(reply, "result")));
    else
        REQUIRE(json_string_length(json_object_get(reply, "error")) > 0 &&
                json_string_length(json_object_get(reply, "code")) > 0);
    json_decref(reply);
}

/* Every whole line. Gives their number. */
static size_t check_replies(struct slice heard)
{
    size_t count = 0;

    for (; slice_find(heard, '\n') < heard.len; count++)
        check_reply(take_until(&heard, '\n'));
    return count;
}

static void converse(int fd, struct slice words, struct dice *dice, unsigned choice)
{
    struct buffer heard;
    bool is_over = false;
    size_t asked = 0;

    buffer_init(&heard, 64 << 20);
    while (words.len > 0 && !is_over) {
        struct slice cut = slice_first(words, 1 + dice_roll(dice, 400));
        ssize_t sent = send(fd, cut.data, cut.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        for (ssize_t i = 0; i < sent; i++)
            asked += cut.data[i] == '\n';
        words = slice_from(words, sent > 0 ? (size_t)sent : 0);
        loop_turn(rig.loop, 0);
        if (!(choice & NEVER_READS))
            hear(fd, &heard, &is_over);
        if (sent < 0 && errno != EAGAIN)
            break;
        if (sent < 0 && (choice & NEVER_READS))
            break;
    }
    for (int i = 0; i < 2000 && !(choice & (LEAVES_EARLY | NEVER_READS)) && !is_over &&
                    check_replies(buffer_slice(&heard)) < asked;
         i++) {
        loop_turn(rig.loop, 1);
        hear(fd, &heard, &is_over);
    }
    if (!is_over && !(choice & (LEAVES_EARLY | NEVER_READS)))
        REQUIRE(check_replies(buffer_slice(&heard)) == asked);
    buffer_clear(&heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct dice dice = dice_of(take_octet(&input) + 1u);
    unsigned choice = take_octet(&input);
    struct buffer words;
    int fd;

    if (!rig.loop) {
        open_queue();
        atexit(close_queue);
    }
    fill_queue();
    buffer_init(&words, 4 << 20);
    put_words(&words, slice_first(input, 100000));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    converse(fd, buffer_slice(&words), &dice, choice);
    close(fd);
    for (int i = 0; i < 3; i++)
        loop_turn(rig.loop, 0);
    buffer_clear(&words);
    return 0;
}
