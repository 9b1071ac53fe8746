/* supervisor/process.c: fork, exec and the handing over of descriptors. */
#include "supervisor/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/room.h"
#include "supervisor/environment.h"

enum { EXIT_CANNOT_EXEC = 71, WORDS_MAX = 128 };

bool process_is_up(const struct process *process)
{
    return process->state != PROCESS_DOWN;
}

bool process_is_reachable(const struct process *process)
{
    return process_is_up(process) && process->control;
}

/* Descriptors of the operator's shell and of whoever else was careless. Linux below 5.11 does not
 * have the call, or not the flag. */
static bool close_others_at_exec(void)
{
    const struct dirent *entry;
    DIR *folder;
    bool is_done = true;

    if (close_range(ROOM_CONTROL_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return true;
    folder = opendir("/proc/self/fd");
    if (!folder)
        return false;
    while (is_done && (entry = readdir(folder))) {
        uint64_t fd;

        if (slice_number(slice_text(entry->d_name), INT32_MAX, &fd) && fd > ROOM_CONTROL_FD)
            is_done = fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0;
    }
    closedir(folder);
    return is_done;
}

/* Between fork and exec. The supervisor has one thread, so a child may do what it likes. */
NORETURN static void become_room(int exe, int control, char *const argv[])
{
    char **variables = environment_of_room(environ);
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(EXIT_CANNOT_EXEC);
    /* The program's descriptor may be the one that `control` has to become, so it moves out of the
     * way first. */
    exe = fcntl(exe, F_DUPFD_CLOEXEC, ROOM_CONTROL_FD + 1);
    if (exe < 0 || (control == ROOM_CONTROL_FD ? fcntl(control, F_SETFD, 0)
                                               : dup2(control, ROOM_CONTROL_FD)) < 0)
        _exit(EXIT_CANNOT_EXEC);
    if (!variables || !close_others_at_exec())
        _exit(EXIT_CANNOT_EXEC);
    fexecve(exe, argv, variables);
    _exit(EXIT_CANNOT_EXEC);
}

enum err process_spawn(
    int exe, const struct process *process, struct account account, int control, pid_t *out_pid)
{
    char role[16], index[16], uid[16], gid[16];
    char name[] = "submitd", o_room[] = "--room", o_index[] = "--index", o_uid[] = "--uid",
         o_gid[] = "--gid";
    char *argv[] = { name, o_room, role, o_index, index, o_uid, uid, o_gid, gid, NULL };
    pid_t pid;

    snprintf(role, sizeof role, "%s", role_name(process->plan->role));
    snprintf(index, sizeof index, "%u", (unsigned)process->index);
    snprintf(uid, sizeof uid, "%ld", account.uid == (uid_t)-1 ? -1L : (long)account.uid);
    snprintf(gid, sizeof gid, "%ld", account.gid == (gid_t)-1 ? -1L : (long)account.gid);
    log_flush(); /* or the child has them too */
    pid = fork();
    if (pid < 0)
        return err_from_errno(errno);
    if (pid == 0)
        become_room(exe, control, argv);
    *out_pid = pid;
    return ERR_OK;
}

/* By these words the kernel's line is found: 1326 is the audit record of a filter that killed. */
static void tell_where_to_look(pid_t pid)
{
    char words[WORDS_MAX];

    snprintf(words, sizeof words,
        "journalctl -k -g 'type=1326.* pid=%ld ' or ausearch -m SECCOMP -p %ld", (long)pid,
        (long)pid);
    log_event(LOG_ERROR, NULL, "the kernel's log may name the call, as syscall=NUMBER",
        log_text("look", words), log_text("then", "ausyscall NUMBER"));
}

static bool hit_a_wall(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static const char *words_for(int status)
{
    if (hit_a_wall(status))
        return "it made a system call that its walls forbid (SIGSYS)";
    if (WIFSIGNALED(status))
        return strsignal(WTERMSIG(status));
    if (WEXITSTATUS(status) == ROOM_END_CLOCK)
        return "the clock was set back, so it asked to be started anew";
    return "it ended by itself";
}

void process_tell_death(const struct process *process, int status)
{

    log_event(LOG_ERROR, NULL, "a room died", log_text("room", role_name(process->plan->role)),
        log_number("index", process->index), log_number("pid", process->pid),
        WIFSIGNALED(status) ? log_number("signal", WTERMSIG(status))
                            : log_number("status", WEXITSTATUS(status)),
        log_text("why", words_for(status)));
    if (hit_a_wall(status))
        tell_where_to_look(process->pid);
}

struct giving {
    const struct process *process;
    enum err rc; /* sticky */
};

static void give(struct giving *g, enum gift gift, size_t index, struct slice name, int fd)
{
    struct msg_give message = { .gift = gift, .index = (uint32_t)index, .name = name };
    int copy;

    if (fd < 0 || g->rc != ERR_OK || !(g->process->plan->gifts & 1u << gift))
        return;
    /* A copy shares its position with the original, which an earlier life of the room may have
     * moved. */
    if (gift == GIFT_KEY || gift == GIFT_PASSWORD || gift == GIFT_FETCH_SECRET)
        (void)lseek(fd, 0, SEEK_SET);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    g->rc = copy < 0 ? err_from_errno(errno)
                     : channel_send(g->process->control, MSG_GIVE, &message, copy);
}

static void give_fixtures(struct giving *g, const struct fixtures *f)
{
    give(g, GIFT_SPOOL, 0, slice_text("spool"), f->spool);
    give(g, GIFT_LOCK, 0, slice_text("lock"), f->lock);
    give(g, GIFT_CONTROL, 0, slice_text("control"), f->control);
    give(g, GIFT_COUNTERS, 0, slice_text("counters"), f->counters_fd);
    give(g, GIFT_MISTAKES, 0, slice_text("mistakes"),
        g->process->plan->role == ROLE_GATE ? f->mistakes : f->mistakes_read);
    for (size_t i = 0; i < f->listener_count; i++)
        give(g, GIFT_LISTENER, i, slice_text("listener"), f->listeners[i]);
}

static void give_certificate(
    struct giving *g, const struct handover_certificate *certificate, uint32_t index)
{
    struct msg_certificate message = {
        .index = index, .name = certificate->name, .chain = buffer_slice(&certificate->chain)
    };

    if (g->rc == ERR_OK && g->process->plan->certificates)
        g->rc = channel_send(g->process->control, MSG_CERTIFICATE, &message, -1);
    give(g, GIFT_KEY, index, certificate->key_path, certificate->key);
}

static void give_client_ca(struct giving *g, const struct handover *h)
{
    struct msg_certificate message = { .index = CERTIFICATE_CLIENT_CA,
        .chain = buffer_slice(&h->client_ca) };

    if (g->rc == ERR_OK && h->client_ca.len > 0 && g->process->plan->role == ROLE_GATE)
        g->rc = channel_send(g->process->control, MSG_CERTIFICATE, &message, -1);
}

static void give_handover(struct giving *g, const struct handover *h)
{
    give_client_ca(g, h);
    for (size_t i = 0; i < h->certificate_count; i++)
        give_certificate(g, &h->certificates[i], (uint32_t)i);
    give(g, GIFT_USERS, 0, h->users_name, h->users);
    give(g, GIFT_USERS, 1, h->keys_name, h->keys);
    for (size_t i = 0; i < h->route_count; i++) {
        give(g, GIFT_PASSWORD, i, slice_text("password"), h->passwords[i]);
        give(g, GIFT_MAILDIR, i, slice_text("Maildir"), h->maildirs[i]);
        give(g, GIFT_ROOTS, i, slice_text("ca_file"), h->ca_files[i]);
    }
    give(g, GIFT_ROOTS, GIFT_ROOTS_SYSTEM, slice_text("system"), h->roots);
    for (size_t i = 0; i < h->imap_server_count; i++) {
        bool is_own = h->imap_roots[i] >= 0;

        give(g, GIFT_PASSWORD, h->route_count + i, slice_text("password"), h->imap_passwords[i]);
        give(g, GIFT_IMAP_ROOTS, i, slice_text(is_own ? "ca_file" : "system"),
            is_own ? h->imap_roots[i] : h->roots);
    }
    for (size_t i = 0; i < FETCH_PEERS; i++) {
        bool is_own = h->fetch_roots[i] >= 0;

        give(g, GIFT_FETCH_ROOTS, i, slice_text(is_own ? "ca_file" : "system"),
            is_own ? h->fetch_roots[i] : h->roots);
        give(g, GIFT_FETCH_SECRET, i, slice_text("secret"), h->fetch_secrets[i]);
    }
}

enum err process_hand_over(const struct process *process, uint64_t number, struct slice conf,
    const struct fixtures *fixtures, const struct handover *handover)
{
    struct msg_snapshot snapshot = { .number = number, .conf = conf };
    struct msg_number apply = { .number = number };
    struct giving g = { .process = process,
        .rc = channel_send(process->control, MSG_SNAPSHOT, &snapshot, -1) };

    if (fixtures)
        give_fixtures(&g, fixtures);
    give_handover(&g, handover);
    return g.rc == ERR_OK ? channel_send(process->control, MSG_APPLY, &apply, -1) : g.rc;
}
