/* ipc/walls: each part by itself, in a child that raises it and then tries one thing. What a whole
 * room cannot do behind all of them is shown by tests/rooms. */
#include "../check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/walls_parts.h"

/* 0, or the errno of what was refused. */
typedef int attempt_fn(int folder);

static int result(int rc)
{
    return rc >= 0 ? 0 : errno;
}

static int read_below(int folder)
{
    return result(openat(folder, "there", O_RDONLY | O_CLOEXEC));
}

static int write_below(int folder)
{
    return result(openat(folder, "there", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int read_above(int folder)
{
    return result(openat(folder, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int read_elsewhere(int folder)
{
    (void)folder;
    return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int make_stream(int folder)
{
    (void)folder;
    return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int make_raw(int folder)
{
    (void)folder;
    return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

/* Of a socket, or of none: what the filter lets through fails for another reason. */
static int set_option(int level, int option)
{
    int on = 1, fd = socket(level == IPPROTO_IPV6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    int rc = result(setsockopt(fd, level, option, &on, sizeof on));

    return rc == EBADF || rc == ENOPROTOOPT ? rc : 0;
}

static int set_unfragmented(int folder)
{
    (void)folder;
    return set_option(IPPROTO_IP, IP_MTU_DISCOVER);
}

static int share_address(int folder)
{
    (void)folder;
    return set_option(SOL_SOCKET, SO_REUSEADDR);
}

static int set_buffer(int folder)
{
    (void)folder;
    return set_option(SOL_SOCKET, SO_RCVBUF);
}

static int set_mark(int folder)
{
    (void)folder;
    return set_option(SOL_SOCKET, SO_MARK);
}

static int attach_filter(int folder)
{
    (void)folder;
    return set_option(SOL_SOCKET, SO_ATTACH_FILTER);
}

static int repair_connection(int folder)
{
    (void)folder;
    return set_option(IPPROTO_TCP, TCP_REPAIR);
}

static int join_group(int folder)
{
    (void)folder;
    return set_option(IPPROTO_IP, IP_ADD_MEMBERSHIP);
}

/* As glibc does when it finds its memory spoilt. */
static int say_last_words(int folder)
{
    struct iovec words = { (char[]){ "" }, 0 };

    (void)folder;
    return result((int)writev(STDERR_FILENO, &words, 1));
}

static int make_executable(int folder)
{
    (void)folder;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int make_process(int folder)
{
    pid_t pid = fork();

    (void)folder;
    if (pid == 0)
        _exit(0);
    return result(pid);
}

static int signal_parent(int folder)
{
    (void)folder;
    return result(kill(getppid(), 0));
}

static int signal_itself(int folder)
{
    (void)folder;
    abort();
}

static int take_memory(int folder)
{
    void *memory = malloc(8 << 20);

    (void)folder;
    free(memory);
    return memory ? 0 : ENOMEM;
}

static int run_program(int folder)
{
    char *argv[] = { NULL };

    (void)folder;
    execve("/bin/true", argv, argv);
    return errno;
}

enum { KILLED = -SIGSYS, ABORTED = -SIGABRT };

static const struct {
    const char *name;
    enum role role;
    unsigned walls;
    attempt_fn *attempt;
    int wanted;     /* errno, or the signal that ended it, negative */
    bool is_strict; /* not so in sanitized builds */
} rows[] = {
    { "nothing is lost without walls", ROLE_GATE, 0, read_elsewhere, 0 },
    { "a gate opens nothing", ROLE_GATE, WALL_FILES, read_below, EACCES },
    { "a vault reads below its folder", ROLE_VAULT, WALL_FILES, read_below, 0 },
    { "and does not write there", ROLE_VAULT, WALL_FILES, write_below, EACCES },
    { "nor read above it", ROLE_VAULT, WALL_FILES, read_above, EACCES },
    { "nor elsewhere", ROLE_VAULT, WALL_FILES, read_elsewhere, EACCES },
    { "a queue writes below its folder", ROLE_QUEUE, WALL_FILES, write_below, 0 },
    { "and nowhere else", ROLE_QUEUE, WALL_FILES, read_elsewhere, EACCES },
    { "nobody runs a program", ROLE_QUEUE, WALL_FILES, run_program, EACCES },
    { "a gate has no sockets to make", ROLE_GATE, WALL_CALLS, make_stream, KILLED },
    { "nor has the vault", ROLE_VAULT, WALL_CALLS, make_stream, KILLED },
    { "nor the queue", ROLE_QUEUE, WALL_CALLS, make_stream, KILLED },
    { "nor the maildrop", ROLE_MAILDROP, WALL_CALLS, make_stream, KILLED },
    { "a relay has", ROLE_RELAY, WALL_CALLS, make_stream, 0 },
    { "but no others", ROLE_RELAY, WALL_CALLS, make_raw, KILLED },
    { "and sets for them what they need", ROLE_RELAY, WALL_CALLS, set_unfragmented, 0 },
    { "but shares no address", ROLE_RELAY, WALL_CALLS, share_address, ENOPROTOOPT },
    { "nor has larger buffers", ROLE_RELAY, WALL_CALLS, set_buffer, ENOPROTOOPT },
    { "marks no packets", ROLE_RELAY, WALL_CALLS, set_mark, KILLED },
    { "puts no code before them", ROLE_RELAY, WALL_CALLS, attach_filter, KILLED },
    { "forges no connection", ROLE_RELAY, WALL_CALLS, repair_connection, KILLED },
    { "and joins no group", ROLE_RELAY, WALL_CALLS, join_group, KILLED },
    { "the fetch room makes sockets, too", ROLE_FETCH, WALL_CALLS, make_stream, 0 },
    { "of no other kind", ROLE_FETCH, WALL_CALLS, make_raw, KILLED },
    { "and opens nothing", ROLE_FETCH, WALL_FILES, read_below, EACCES },
    { "last words are heard", ROLE_VAULT, WALL_CALLS, say_last_words, 0 },
    { "nobody starts a process", ROLE_RELAY, WALL_CALLS, make_process, KILLED },
    { "nobody sends a signal", ROLE_QUEUE, WALL_CALLS, signal_parent, KILLED },
    { "but may end itself", ROLE_QUEUE, WALLS_ALL, signal_itself, ABORTED },
    { "memory is to be had", ROLE_GATE, WALLS_ALL, take_memory, 0 },
    { "nobody makes code", ROLE_GATE, WALL_CALLS, make_executable, KILLED, true },
    { "a library that looks for a file does without", ROLE_GATE, WALL_CALLS, read_elsewhere, EACCES,
        true },
};

static int try(const char *path, enum role role, unsigned wanted, attempt_fn *attempt)
{
    struct walls walls;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    walls_init(&walls, role);
    walls_note_gift(&walls, role == ROLE_VAULT ? GIFT_USERS : GIFT_SPOOL, folder);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || walls_raise(&walls, wanted) != ERR_OK)
        _exit(255);
    _exit(walls.missing ? 254 : attempt(folder));
}

static void each_wall_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char path[] = "/tmp/submitd-walls-XXXXXX/sub", *end = strrchr(path, '/');
        char file[64];
        int status;
        pid_t pid;

        if (rows[i].is_strict && WALLS_SANITIZED)
            continue;
        *end = '\0';
        assert_non_null(mkdtemp(path));
        *end = '/';
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(file, sizeof file, "%s/there", path);
        close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            try(path, rows[i].role, rows[i].walls, rows[i].attempt);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        unlink(file);
        rmdir(path);
        *end = '\0';
        rmdir(path);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 254) {
            print_message("skipped, the kernel lacks a piece: %s\n", rows[i].name);
            continue;
        }
        status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
        if (status != rows[i].wanted)
            fail_msg("%s: wanted %d, got %d", rows[i].name, rows[i].wanted, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_wall_holds) };

    log_open("test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
