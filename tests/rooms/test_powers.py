"""What each room of a running submitd holds, seen from outside: descriptors, users, rights, filters; against a table of its own,
so that a descriptor handed to the wrong room is seen whatever the program's tables say."""
import os
import pathlib
import re
import stat

import pytest

from rig.server import IS_ROOT, links_of
from rooms.frames import plan
from rooms.house import UIDS, asking_nobody
from rooms.world import PROBE

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="rooms have users of their own only when started as root")

# One power each: ARCHITECTURE.md.
POWERS = {"gate": {"listener", "counters", "mistakes"}, "vault": {"key", "users", "password"}, "queue": {"spool", "lock", "control", "mistakes"},
          "relay": {"roots"}, "maildrop": {"maildir"}, "fetch": {"fetch_roots", "fetch_secret", "imap_roots"}}
TALKS = {frozenset(pair) for pair in (("gate", "queue"), ("gate", "vault"), ("gate", "relay"), ("queue", "relay"),
                                      ("queue", "maildrop"), ("relay", "vault"), ("vault", "fetch"), ("gate", "fetch"))}
EVERYBODY = [r"/dev/null", r"LOG", r"anon_inode:\[(eventpoll|eventfd|timerfd)\]", r"pipe:\[\d+\]"]
FILES = {"gate": [r"/memfd:submitd-(counters|mistakes).*", r"WRITE STATE/spool/segments/\w+\.seg", r"WRITE STATE/spool/bodies/\w+\.body"],
         "vault": [r"FOLDER"], "queue": [r"STATE/spool(/.*)?", r"STATE/lock"], "relay": [], "maildrop": [r"MAIL(/.*)?"], "fetch": []}


@pytest.fixture(scope="module")
def server(shared):
    made = shared.server("powers", start=False, build=PROBE if (PROBE / "submitd").exists() else None, top="gates = 2\nrelays = 1")
    made.sections["auth"] = asking_nobody(made.folder)
    made.write_conf()
    made.start()
    for _ in range(3):
        made.await_mail(made.submit("bob@example.org"))
    return made


def status_of(path):
    return dict(line.split(":\t", 1) for line in (path / "status").read_text().splitlines() if ":\t" in line)


def unix_sockets():
    return {line.split()[6] for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]}


def listening(server):
    """Inodes of the listening TCP sockets."""
    ports = set(server.ports.values())
    rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {row[9] for row in rows if int(row[1].split(":")[1], 16) in ports and row[3] == "0A"}


def test_the_plan_gives_each_room_one_power():
    assert {room: set(gifts) for room, gifts in plan()["gifts"].items()} == POWERS
    assert {frozenset(pair) for pair in plan()["pairs"]} == TALKS


def test_descriptors_are_those_of_the_plan(server):
    doors, unix = listening(server), unix_sockets()
    for name, pid in server.rooms().items():
        role = name.split(".")[0]
        names = {"LOG": re.escape(str(server.log_path)), "STATE": re.escape(str(server.state)), "MAIL": re.escape(str(server.mail)),
                 "FOLDER": re.escape(str(server.folder))}
        lawful = [re.sub("|".join(names), lambda m: names[m[0]], row) for row in EVERYBODY + FILES[role]]
        for fd, target in links_of(pid).items():
            target = target.removesuffix(" (deleted)")
            try:
                flags = int(re.search(r"flags:\s+(\d+)", pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text())[1], 8)
            except FileNotFoundError:
                continue    # closed meanwhile
            if target.startswith("socket:"):
                inode = target[8:-1]
                assert inode in unix or role in {"relay", "fetch"} or (role == "gate" and inode in doors), f"{name} has a socket of no channel"
                continue
            marked = f"WRITE {target}" if flags & os.O_ACCMODE == os.O_WRONLY else target
            assert any(re.fullmatch(row, text) for row in lawful for text in (target, marked)), f"{name} has {marked}"
            assert fd in "012" or flags & os.O_CLOEXEC, f"{name}: {target} would survive an exec"


def test_every_thread_has_no_rights_and_a_filter(server):
    for name, pid in server.rooms().items():
        uid = str(UIDS[name.split(".")[0]])
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        assert len(tasks) > (name != "fetch.0"), "no hands"
        for task in tasks:
            status = status_of(task)
            assert set(status["Uid"].split()) == {uid} and set(status["Gid"].split()) == {uid}, name
            assert status["Groups"].strip() == "", name
            for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(status[rights], 16) == 0, f"{name}: {rights}"
            assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", f"{name}: {task.name}"


def test_rooms_can_neither_be_dumped_nor_multiply(server):
    for name, pid in server.rooms().items():
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{name} is dumpable"
        assert re.search(r"Max core file size\s+0\s+0", limits), name
        assert re.search(r"Max processes\s+0\s+0", limits), name


def test_files_of_one_room_are_closed_to_the_others(server):
    for path, role in ((server.state / "spool", "queue"), (server.mail, "maildrop"), (server.users_path, "vault")):
        found = path.stat()
        assert found.st_uid == UIDS[role] or found.st_uid == 0, path
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0, f"{path}: mode {stat.S_IMODE(found.st_mode):o}"


SHELL = {"PATH": "/usr/bin:/bin", "HOME": "/root", "SSH_AUTH_SOCK": "/run/agent", "AWS_SECRET_ACCESS_KEY": "secret", "EVENT_NOEPOLL": "1",
         "EVENT_PRECISE_TIMER": "1", "GLIBC_TUNABLES": "glibc.malloc.perturb=1", "TZ": "Europe/Vienna", "SUBMITD_WORD": "passed"}


def environment_of(pid):
    words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(word.decode().split("=", 1) for word in words if word)


def test_rooms_do_not_get_the_shell(rig):
    """The list is that of submitd(8); what it leaves out would also lead libraries astray."""
    server = rig.server(start=False, top="gates = 1\nrelays = 1")
    server.environment = SHELL
    server.start()
    listed = {"TZ", "JOURNAL_STREAM", "OPENSSL_CONF", "OPENSSL_MODULES", "LD_LIBRARY_PATH", "LD_PRELOAD", "ASAN_OPTIONS", "LSAN_OPTIONS",
              "TSAN_OPTIONS", "UBSAN_OPTIONS"}
    for name, pid in server.rooms().items():
        found = environment_of(pid)
        assert found["TZ"] == "Europe/Vienna" and found["SUBMITD_WORD"] == "passed", name
        strange = {word for word in found if word not in listed and not word.startswith("SUBMITD_")}
        assert not strange, f"{name} has {strange}"
    server.await_mail(server.submit("bob@example.org"))


def test_rights_without_root(rig):
    """Started as an ordinary user that may bind low ports: no room keeps that, nor any other right."""
    nobody = 61199
    server = rig.server(start=False, top="gates = 1\nrelays = 1")
    server.add_user()
    for path in (server.folder, *server.folder.rglob("*")):
        os.chown(path, nobody, nobody)
    server.wrapper = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--inh-caps=+net_bind_service",
                      "--ambient-caps=+net_bind_service"]
    server.start()
    low = 1 << 10
    assert int(status_of(pathlib.Path(f"/proc/{server.process.pid}"))["CapPrm"], 16) == low, "the start was not as it should be"
    for name, pid in server.rooms().items():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = status_of(task)
            assert set(status["Uid"].split()) == {str(nobody)}
            for rights in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(status[rights], 16) == 0, f"{name}: {rights} {status[rights]}"
    server.await_mail(server.submit("bob@example.org"))
