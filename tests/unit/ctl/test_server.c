/* The tool against a server of the test's own: what it asks, how it shows the answers, what it does
 * with bad ones, and the reload (OPS-2). The server is a child process; it answers each
 * connection's one request from a script. */
#include "capture.h"
#include "../folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ID "01JNDV0000ABCDEFGHJKMNPQRS"

static char folder[64];

static void put_file(const char *name, const char *text, mode_t mode)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void put_conf(const char *further)
{
    char text[2048];

    snprintf(text, sizeof text,
        "hostname = \"mail.example.org\" state = \"%s\"\n"
        "listener \"a\" { address = \"127.0.0.1:2465\" tls = \"implicit\" }\n"
        "tls { certificate = \"%s/cert\" key = \"%s/key\" }\n"
        "users \"file\" { path = \"%s/users\" }\nroute \"*\" { via = \"maildir\" to = \"%s\" "
        "}\n%s\n",
        folder, folder, folder, folder, folder, further);
    put_file("conf", text, 0644);
}

static struct capture run(const char *words)
{
    char line[512];

    snprintf(line, sizeof line, "-c %s/conf %s", folder, words);
    return capture_run(line);
}

/* One script: the exact request that is expected, and the octets to answer with. */
struct exchange {
    const char *request;
    const char *reply;
};

static int listen_here(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", folder);
    unlink(address.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void answer(int listener, const struct exchange *exchange)
{
    char request[65536];
    size_t used = 0;
    int fd = accept(listener, NULL, NULL);

    while (used < sizeof request - 1 && (used == 0 || request[used - 1] != '\n')) {
        ssize_t got = read(fd, request + used, sizeof request - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    request[used > 0 ? used - 1 : 0] = '\0';
    if (exchange->request && strcmp(request, exchange->request) != 0) {
        fprintf(stderr, "asked %s\nexpected %s\n", request, exchange->request);
        _exit(1);
    }
    /* In two pieces, so that the reader has to wait for the rest. */
    if (send(fd, exchange->reply, strlen(exchange->reply) / 2, MSG_NOSIGNAL) >= 0)
        usleep(1000);
    if (send(fd, exchange->reply + strlen(exchange->reply) / 2,
            strlen(exchange->reply) - strlen(exchange->reply) / 2, MSG_NOSIGNAL) < 0)
        _exit(2);
    close(fd);
}

static struct capture run_against(const char *words, const char *request, const char *reply)
{
    struct exchange exchange = { request, reply };
    int listener = listen_here();
    struct capture capture;
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        answer(listener, &exchange);
        _exit(0);
    }
    close(listener);
    capture = run(words);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return capture;
}

struct server_case {
    const char *words;
    const char *request;
    const char *reply;
    int status;
    const char *out;
    const char *err;
};

static const struct server_case cases[] = {
    { "queue retry --all", "{\"command\":\"queue-retry\",\"all\":true}",
        "{\"ok\":true,\"result\":{\"messages\":2,\"recipients\":1}}\n", 0,
        "retry: 2 messages, 1 recipient\n", "" },
    { "queue hold " ID, "{\"command\":\"queue-hold\",\"id\":\"" ID "\"}",
        "{\"ok\":true,\"result\":{\"messages\":1,\"recipients\":3}}\n", 0,
        "hold: 1 message, 3 recipients\n", "" },
    { "queue release --user alice@example.org",
        "{\"command\":\"queue-release\",\"user\":\"alice@example.org\"}",
        "{\"ok\":true,\"result\":{\"messages\":0,\"recipients\":0}}\n", 0,
        "release: 0 messages, 0 recipients\n", "" },
    { "queue delete --domain example.net --bounce",
        "{\"command\":\"queue-delete\",\"domain\":\"example.net\",\"bounce\":true}",
        "{\"ok\":true,\"result\":{\"messages\":1,\"recipients\":1}}\n", 0,
        "delete: 1 message, 1 recipient\n", "" },
    { "queue delete " ID, NULL,
        "{\"ok\":false,\"code\":\"not-found\",\"error\":\"no message " ID "\"}\n", 66, "",
        "submitctl: no message " ID "\n" },
    { "status", NULL, "{\"ok\":false,\"code\":\"busy\",\"error\":\"reading the spool\"}\n", 75, "",
        "submitctl: reading the spool\n" },
    { "status", NULL, "{\"ok\":false,\"code\":\"failed\",\"error\":\"disk\\u001b[2J\"}\n", 74, "",
        "submitctl: disk\\x1b[2J\n" },
    { "status", NULL, "{\"ok\":false,\"code\":\"strange\",\"error\":\"x\"}\n", 76, "",
        "submitctl: x\n" },
    { "status", NULL, "[]\n", 76, "", "submitctl: the server's answer is not understood\n" },
    { "status", NULL, "{\"ok\":true}\n", 76, "",
        "submitctl: the server's answer is not understood\n" },
    { "status", NULL, "{\"ok\":true,\"result\":{}\n", 76, "",
        "submitctl: the server's answer is not understood\n" },
    { "status", NULL, "{\"ok\":true,\"result\":{}}", 69, "",
        "submitctl: the server does not answer: Connection reset by peer\n" },
    { "queue list --limit 5 --after " ID " --held",
        "{\"command\":\"queue-list\",\"limit\":5,\"after\":\"" ID "\",\"held\":true}",
        "{\"ok\":true,\"result\":{\"total\":0,\"messages\":[]}}\n", 0, "No message fits.\n", "" },
    { "queue list", "{\"command\":\"queue-list\",\"limit\":1000}",
        "{\"ok\":true,\"result\":{\"total\":2,\"messages\":[{\"id\":\"" ID
        "\",\"arrival\":\"2026-03-03T10:00:00.123Z\","
        "\"user\":\"alice@example.org\",\"sender\":\"\",\"size\":4200,\"held\":true,\"recipients\":"
        "["
        "{\"address\":\"bob@example.net\",\"state\":\"deferred\",\"attempts\":3,\"next_attempt\":"
        "\"2026-03-03T11:00:00Z\","
        "\"last_reply\":\"451 4.7.1 "
        "later\\nreally\"},{\"address\":\"x@y.example\",\"state\":\"waiting\",\"attempts\":0,"
        "\"next_attempt\":null,\"last_reply\":null}]}]}}\n",
        0,
        ID "  2026-03-03 11:00:00 +0100    4.1 KiB  from <>  HELD\n"
           "    bob@example.net  deferred, 3 attempts, next 2026-03-03 12:00:00 +0100\n"
           "        451 4.7.1 later\n"
           "        really\n"
           "    x@y.example      waiting\n"
           "1 of 2 messages; --limit and --after show more.\n",
        "" },
    { "queue show " ID, "{\"command\":\"queue-show\",\"id\":\"" ID "\"}",
        "{\"ok\":true,\"result\":{\"id\":\"" ID
        "\",\"arrival\":\"2026-03-03T10:00:00.123Z\",\"expires\":"
        "\"2026-03-08T10:00:00.123Z\",\"user\":null,\"sender\":\"a@b.example\",\"size\":10,"
        "\"held\":false,\"client\":\"192.0.2.7\","
        "\"segment\":7,\"recipients\":[{\"address\":\"x@y.example\",\"state\":\"waiting\","
        "\"attempts\":0,\"route\":\"*\","
        "\"destination\":\"mx:y.example\"}]}}\n",
        0,
        "id                 " ID "\n"
        "sender             a@b.example\n"
        "arrival            2026-03-03 11:00:00.123 +0100\n"
        "expires            2026-03-08 11:00:00 +0100\n"
        "size               10 B\n"
        "held               no\n"
        "client             192.0.2.7\n"
        "segment            7\n"
        "recipients\n"
        "    x@y.example  waiting\n"
        "        route *, destination mx:y.example\n",
        "" },
    { "status", "{\"command\":\"status\"}",
        "{\"ok\":true,\"result\":{\"version\":\"1\",\"hostname\":\"mail.example.org\",\"started\":"
        "\"2026-03-03T10:00:00.000Z\","
        "\"snapshot\":3,\"pending\":[\"state\"],\"queued\":1,\"held\":0,\"recipients\":2,"
        "\"deferred\":1,\"active\":0,\"accepted\":9,"
        "\"delivered\":8,\"bounced\":0,\"oldest\":null,\"spool\":{\"path\":\"/"
        "s\",\"segments\":2,\"bodies\":1,\"bytes\":1048576,"
        "\"free\":10737418240,\"full\":false,\"damaged\":3,\"aside\":\"/s/aside\","
        "\"damaged_log\":[\"set aside\",\"damaged: held\"]}}}\n",
        0,
        "server             mail.example.org\nversion            1\nstarted            2026-03-03 "
        "11:00:00 +0100\n"
        "configuration      3\nqueued             1\nheld               0\nrecipients         "
        "2\ndeferred           1\n"
        "active             0\naccepted           9\ndelivered          8\nbounced            0\n"
        "spool              /s, 1.0 MiB in 2 segments and 1 bodies, 10 GiB free\n"
        "damaged            3 records since the start; what was set aside lies in /s/aside\n"
        "in the log         \"set aside\", \"damaged: held\"\n"
        "waits for a restart: state\n",
        "" },
    { "trace " ID, "{\"command\":\"trace\",\"id\":\"" ID "\"}",
        "{\"ok\":true,\"result\":{\"id\":\"" ID "\",\"state\":\"closed\",\"events\":["
        "{\"time\":\"2026-03-03T10:00:00.001Z\",\"event\":\"login\",\"user\":\"alice@example.org\","
        "\"mechanism\":\"PLAIN\","
        "\"client\":\"192.0.2.7\",\"client_name\":\"laptop\",\"listener\":\"submissions\",\"tls_"
        "version\":\"TLSv1.3\","
        "\"tls_cipher\":\"TLS_AES_256_GCM_SHA384\"},"
        "{\"time\":\"2026-03-03T10:00:00.020Z\",\"event\":\"accepted\",\"sender\":\"alice@example."
        "org\",\"size\":4200,"
        "\"recipients\":[\"bob@example.net\"]},"
        "{\"time\":\"2026-03-03T10:00:01.000Z\",\"event\":\"attempt\",\"recipient\":\"bob@example."
        "net\",\"result\":\"deferred\","
        "\"started\":\"2026-03-03T10:00:00.500Z\",\"host\":\"mx.example.net\",\"remote\":\"192.0.2."
        "9:25\",\"code\":451,"
        "\"status\":\"4.7.1\",\"text\":\"greylisted\\nlater\",\"next_attempt\":\"2026-03-03T10:05:"
        "00.000Z\"},"
        "{\"time\":\"2026-03-03T10:05:00.000Z\",\"event\":\"closed\"},"
        "{\"time\":\"2026-03-03T10:05:00.000Z\",\"event\":\"unheard-of\",\"x\":1}]}}\n",
        0,
        "message            " ID "\n"
        "state              closed\n"
        "2026-03-03 11:00:00.001 +0100  login     user alice@example.org by PLAIN from 192.0.2.7 "
        "(laptop) on submissions, "
        "TLSv1.3 TLS_AES_256_GCM_SHA384\n"
        "2026-03-03 11:00:00.020 +0100  accepted  from <alice@example.org>, 4200 octets\n"
        "                                          <bob@example.net>\n"
        "2026-03-03 11:00:01.000 +0100  attempt   to <bob@example.net> deferred, mx.example.net "
        "192.0.2.9:25\n"
        "                                          451 4.7.1 greylisted\n"
        "                                          later\n"
        "                                          next attempt 2026-03-03 11:05:00 +0100\n"
        "2026-03-03 11:05:00.000 +0100  closed    \n"
        "2026-03-03 11:05:00.000 +0100  unheard-of \n",
        "" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct capture capture = run_against(cases[i].words, cases[i].request, cases[i].reply);

        if (capture.status != cases[i].status || strcmp(capture.out, cases[i].out) != 0 ||
            strcmp(capture.err, cases[i].err) != 0)
            fail_msg("%s: %d\n%s%s", cases[i].words, capture.status, capture.out, capture.err);
        capture_clear(&capture);
    }
}

/* --json gives the result as it came. */
static void test_json(void **state)
{
    struct capture capture =
        run_against("--json status", NULL, "{\"ok\":true,\"result\":{\"queued\":3,\"new\":[1]}}\n");
    json_t *document = json_loads(capture.out, 0, NULL);

    (void)state;
    assert_int_equal(capture.status, 0);
    assert_int_equal(json_integer_value(json_object_get(document, "queued")), 3);
    assert_int_equal(json_array_size(json_object_get(document, "new")), 1);
    json_decref(document);
    capture_clear(&capture);
}

static void test_refused_before_asking(void **state)
{
    static const char *const lines[][2] = {
        { "queue retry",
            "submitctl: queue retry takes exactly one of ID, --user, --domain and --all\n" },
        { "queue delete " ID " --all",
            "submitctl: queue delete takes exactly one of ID, --user, --domain and --all\n" },
        { "queue hold --user a --domain b",
            "submitctl: queue hold takes exactly one of ID, --user, --domain and --all\n" },
        { "queue show 123", "submitctl: 123 is no queue id; allowed are 26 letters and digits, as "
                            "queue list shows them\n" },
        { "trace 123", "submitctl: 123 is no queue id; allowed are 26 letters and digits\n" },
        { "queue list --limit 0",
            "submitctl: --limit is 0; allowed is a number from 1 to 10000\n" },
        { "queue list --limit 10001",
            "submitctl: --limit is 10001; allowed is a number from 1 to 10000\n" },
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        struct capture capture = run(lines[i][0]);
        assert_int_equal(capture.status, 64);
        assert_string_equal(capture.err, lines[i][1]);
        capture_clear(&capture);
    }
}

static void test_no_server(void **state)
{
    char path[128];
    struct capture capture;

    (void)state;
    snprintf(path, sizeof path, "%s/control.sock", folder);
    unlink(path);
    capture = run("status");
    assert_int_equal(capture.status, 69);
    assert_non_null(strstr(capture.err, "(is it running?)"));
    capture_clear(&capture);
}

/* A supervisor and queue in one: holds the lock, counts SIGHUPs as snapshots, answers status. */
static volatile sig_atomic_t snapshots = 1;

static void count_signal(int number)
{
    (void)number;
    snapshots++;
}

static void serve_status(int listener)
{
    /* Signals are only taken while the child waits for a connection, so none is lost and no answer
     * is torn. */
    for (;;) {
        char request[256], reply[256];
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 && errno == EINTR)
            continue;
        if (read(fd, request, sizeof request) <= 0)
            _exit(1);
        snprintf(reply, sizeof reply,
            "{\"ok\":true,\"result\":{\"snapshot\":%d,\"pending\":[\"gates\"]}}\n", (int)snapshots);
        if (write(fd, reply, strlen(reply)) < 0)
            _exit(1);
        close(fd);
    }
}

static pid_t start_supervisor(bool deaf)
{
    struct sigaction before, count = { .sa_handler = deaf ? SIG_IGN : count_signal };
    int listener = listen_here();
    char path[128], text[32];
    pid_t child;
    int lock;

    snprintf(path, sizeof path, "%s/lock", folder);
    lock = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    sigaction(SIGHUP, &count, &before); /* the child has it from its first moment */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(300);
        serve_status(listener);
    }
    sigaction(SIGHUP, &before, NULL);
    snprintf(text, sizeof text, "%d\n", (int)child);
    assert_int_equal(write(lock, text, strlen(text)), (ssize_t)strlen(text));
    close(lock);
    close(listener);
    return child;
}

static void end_supervisor(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* OPS-2 */
static void test_reload(void **state)
{
    pid_t child = start_supervisor(false);
    struct capture capture;

    (void)state;
    capture = run("reload");
    assert_string_equal(capture.err, "");
    assert_string_equal(capture.out, "configuration 2 is in force\nwaits for a restart: gates\n");
    assert_int_equal(capture.status, 0);
    capture_clear(&capture);
    capture = run("reload --json");
    assert_int_equal(capture.status, 0);
    assert_non_null(strstr(capture.out, "\"snapshot\": 3"));
    capture_clear(&capture);
    /* A bad configuration is told and never signalled. */
    put_conf("gates = many");
    capture = run("reload");
    assert_int_equal(capture.status, 78);
    assert_non_null(
        strstr(capture.err, "conf:6: gates is \"many\"; allowed is a number from 0 to 256\n"));
    capture_clear(&capture);
    put_conf("");
    capture = run("status --json");
    assert_non_null(strstr(capture.out, "\"snapshot\": 3"));
    capture_clear(&capture);
    end_supervisor(child);
    capture = run("reload");
    assert_int_equal(capture.status, 69);
    assert_non_null(strstr(capture.err, "no server runs on"));
    capture_clear(&capture);
}

static void test_reload_unheard(void **state)
{
    pid_t child = start_supervisor(true);
    struct capture capture;

    (void)state;
    capture = run("reload");
    assert_int_equal(capture.status, 75);
    capture_clear(&capture);
    end_supervisor(child);
}

/* A certificate and its key, because a check looks whether they belong together. */
static void make_pair(void)
{
    char command[512];

    snprintf(command, sizeof command,
        "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=x -keyout key -out cert 2>openssl.log && chmod 600 key && rm openssl.log",
        folder);
    assert_int_equal(system(command), 0);
}

static void test_check(void **state)
{
    char path[128];
    struct capture capture = run("check");

    (void)state;
    assert_string_equal(capture.err, "");
    assert_int_equal(capture.status, 0);
    capture_clear(&capture);
    snprintf(path, sizeof path, "%s/key", folder);
    chmod(path, 0644);
    capture = run("check --json");
    assert_int_equal(capture.status, 78);
    assert_non_null(strstr(capture.err, "key\": mode 0644 lets others in"));
    assert_non_null(strstr(capture.out, "\"errors\""));
    capture_clear(&capture);
    chmod(path, 0600);
    /* The right mode, but nothing that a server could use. */
    put_file("key", "x", 0600);
    capture = run("check");
    assert_int_equal(capture.status, 78);
    assert_non_null(strstr(capture.err, "holds no PEM private key"));
    capture_clear(&capture);
    make_pair();
}

static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-1", 1);
    tzset();
    strcpy(folder, "/tmp/submitd-ctl-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    put_conf("");
    make_pair();
    put_file("users", "submitd-users 1\n", 0600);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_refused_before_asking),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_unheard),
    };

    return cmocka_run_group_tests_name("ctl/server", tests, set_up, tear_down);
}
