/* tests/fuzz/fuzz_ctl_answer.c: a server that answers submitctl whatever it likes: the first octet
 * chooses the command, the rest is the line that comes back. What is shown to the operator is text
 * without control characters, whatever the strangers whose words it quotes have put there. */
#include "fuzz.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/command.h"

#define ID "01HZY3T0000000000000000000"

static char name[64]; /* of the abstract socket: begins with NUL */
static int listener = -1;
static struct slice answer; /* of the next connection */
static sem_t is_served;     /* and its end: the answer is the caller's again */

static const char *const calls[][4] = {
    { "queue", "list" },
    { "queue", "show", ID },
    { "queue", "hold", ID },
    { "queue", "delete", ID },
    { "trace", ID },
    { "status" },
    { "queue", "list", "--json" },
    { "trace", "--json", ID },
};

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char octet = 0;

        REQUIRE(fd >= 0);
        while (recv(fd, &octet, 1, 0) == 1 && octet != '\n')
            ;
        while (answer.len > 0) {
            ssize_t sent = send(fd, answer.data, answer.len, MSG_NOSIGNAL);

            if (sent <= 0)
                break;
            answer = slice_from(answer, (size_t)sent);
        }
        close(fd);
        sem_post(&is_served);
    }
    return NULL;
}

static void open_server(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    pthread_t thread;

    snprintf(name + 1, sizeof name - 1, "submitd-fuzz-%d", (int)getpid());
    memcpy(address.sun_path, name, sizeof name);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(sem_init(&is_served, 0, 0) == 0);
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(listener, 1) == 0 && pthread_create(&thread, NULL, serve, NULL) == 0);
    pthread_detach(thread);
}

/* Text, LF and nothing that moves a cursor: neither C0 nor C1 controls. JSON has no escape for DEL
 * that its writer would use, and no terminal minds it. */
static void check_shown(struct slice shown, bool is_json)
{
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.data[i];

        REQUIRE(c == '\n' || (c >= 32 && (c != 127 || is_json)));
        REQUIRE(c != 0xc2 || (i + 1 < shown.len && (unsigned char)shown.data[i + 1] >= 0xa0));
    }
}

static void call_with(struct conf *conf, const char *const words[4])
{
    char *argv[5] = { (char *)(uintptr_t) "submitctl" }, *said = NULL, *told = NULL;
    size_t said_len = 0, told_len = 0;
    struct invocation call = { .out = open_memstream(&said, &said_len),
        .err = open_memstream(&told, &told_len),
        .conf = conf };
    int argc = 1, status;

    for (; argc < 5 && words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    arena_init(&call.arena, 1 << 20);
    status = arguments_read(&call, argc, argv);
    REQUIRE(status == 0);
    status = call.command->run(&call);
    while (sem_wait(&is_served) != 0)
        ;
    fclose(call.out);
    fclose(call.err);
    REQUIRE(status == 0 || told_len > 0);
    check_shown(slice_of(said, said_len), call.json);
    check_shown(slice_of(told, told_len), false);
    arena_clear(&call.arena);
    free(said);
    free(told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    unsigned which = take_octet(&input) % LENGTH_OF(calls);
    struct conf conf = { .control = { name, sizeof name } };

    if (listener < 0)
        open_server();
    answer = slice_first(input, 1 << 17);
    call_with(&conf, calls[which]);
    return 0;
}
