"""e2e/test_service.py: submitd under a service manager: sockets that were bound before it started, words about its state, a
start without root, the unit files."""
import pathlib
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from rig.patience import PATIENCE
from rig.server import BUILD, IS_ROOT, ROOT, make_folder

SYSTEMD = ROOT / "packaging" / "systemd"
UNPRIVILEGED = 61190
EX_CONFIG = 78

# What a service manager does between fork and exec: sockets from descriptor 3 on, words about them, another user.
LAUNCHER = """\
#!/usr/bin/python3
import os, socket, sys
kept = []
for kind, address, port in {sockets!r}:
    made = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET,
                         socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    if kind == "unix":
        made.bind(address)
    else:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    if kind not in ("datagram", "deaf"):
        made.listen(64)
    kept.append(os.dup2(made.fileno(), 100 + len(kept)))
for number, fd in enumerate(kept):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.closerange(3 + len(kept), 200)
os.environ.update({environment!r})
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
if {user}:
    os.setgroups([])
    os.setresgid({user}, {user}, {user})
    os.setresuid({user}, {user}, {user})
os.execv({program!r}, sys.argv)
"""


class Manager:
    """A folder with a submitd in it that starts as a service manager would start it."""

    def __init__(self):
        self.folder = make_folder("manager")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        (self.folder / "notify").chmod(0o777)
        self.notify.settimeout(PATIENCE)
        (self.folder / "program").mkdir()
        for name in ("submitd", "submitctl"):
            shutil.copy(BUILD / name, self.folder / "program" / name)
        (self.folder / "submitctl").symlink_to("program/submitctl")
        self.plan()

    def plan(self, sockets=(), names=None, pid=None, user=0):
        """What the next start hands over. sockets: kind ("stream", "datagram", "deaf", "unix"), address, port."""
        environment = {"NOTIFY_SOCKET": str(self.folder / "notify"), "LISTEN_FDS": str(len(sockets))}
        if names is not None:
            environment["LISTEN_FDNAMES"] = names
        if pid is not None:
            environment["LISTEN_PID"] = pid
        launcher = self.folder / "submitd"
        launcher.write_text(LAUNCHER.format(sockets=list(sockets), environment=environment, user=user,
                                            program=str(self.folder / "program" / "submitd")))
        launcher.chmod(0o755)

    def heard(self):
        """The next words of the service, by name."""
        return dict(line.split("=", 1) for line in self.notify.recv(4096).decode().splitlines())

    def end(self):
        self.notify.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.end()


def sockets_of(server):
    return [("stream", "127.0.0.1", port) for port in server.ports.values()]


def low_port():
    """A port that only root may bind, free on loopback."""
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 1024:
        pytest.skip("every port is open to everybody here")
    for port in range(700, 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port below 1024")


def test_sockets_that_were_handed_over(rig, manager):
    """LSN-11: listeners take the sockets that are bound to their address, whatever their order; others are bound by submitd."""
    server = rig.server("activated", start=False, build=manager.folder, listeners={
        "587": 'tls = "starttls"', "465": 'tls = "implicit"', "588": 'tls = "starttls"'})
    manager.plan(sockets=list(reversed(sockets_of(server)[:2])), names="tls:clear")
    server.start()
    # The manager's backlog, not ours: the socket is the one that was handed over.
    listening = subprocess.run(["ss", "-tlnH"], capture_output=True, text=True, check=False).stdout
    for listener in ("465", "587"):
        assert server.await_mail(server.submit("bob@example.org", listener=listener))
        if listening:
            assert re.search(rf"LISTEN\s+\d+\s+64\s+127.0.0.1:{server.ports[listener]}\s", listening)
    server.connect("588").quit()
    for pid in (server.process.pid, *server.rooms().values()):
        assert b"LISTEN_" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes() or pid == server.process.pid


MISMATCHES = {
    "another-address": (("stream", "127.0.0.1", 0), r'socket "odd" that was handed over is bound to 127\.0\.0\.1:\d+, and no listener has '
                        r'that address; write address = "127\.0\.0\.1:\d+"'),
    "datagrams": (("datagram", "127.0.0.1", 0), r'socket "odd" .* is no listening stream socket'),
    "not-listening": (("deaf", "127.0.0.1", 0), r'socket "odd" .* is no listening stream socket'),
    "unix": (("unix", "\0submitd-test-service", 0), r'socket "odd" .* has no IPv4 or IPv6 address'),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_socket_of_no_use(rig, manager, case):
    """A socket that nobody wants is a mistake in the unit or the configuration: it is named, and nothing starts."""
    odd, words = MISMATCHES[case]
    server = rig.server("mismatch", start=False, build=manager.folder)
    server.add_user()
    manager.plan(sockets=[*sockets_of(server), odd], names="clear:tls:odd")
    status, said = server.start_refused()
    assert status == EX_CONFIG and re.search(words, said), said


def test_sockets_for_another_process(rig, manager):
    """LISTEN_PID of somebody else: what stands in the environment is not for us."""
    server = rig.server("inherited", start=False, build=manager.folder)
    manager.plan(sockets=[("stream", "127.0.0.1", 0)], pid="1")
    server.start()
    server.connect("465").quit()


def test_words_to_the_manager(rig, manager):
    """READY when all rooms are; RELOADING with the time, then READY; also after a refused reload; STOPPING."""
    server = rig.server("notify", start=False, build=manager.folder)
    server.start()
    assert manager.heard() == {"READY": "1"}
    before = time.monotonic_ns() // 1000
    assert "in force" in server.reload()
    words = manager.heard()
    assert words["RELOADING"] == "1" and before <= int(words["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.heard() == {"READY": "1"}
    usual = server.conf.read_text()
    server.conf.write_text("nonsense\n")
    server.tolerate("configuration is refused")
    assert "refused" in server.reload()
    assert manager.heard()["RELOADING"] == "1" and manager.heard() == {"READY": "1"}
    server.conf.write_text(usual)
    server.stop()
    assert manager.heard() == {"STOPPING": "1"}


def test_words_about_rooms_that_come_and_go(rig, manager):
    """READY after a reload that needs a room no longer, and after one that needs it again."""
    server = rig.server("coming", start=False, build=manager.folder)
    server.start()
    assert manager.heard() == {"READY": "1"}
    maildir = server.routes
    for routes in ({"*": 'via = "mx"'}, maildir) * 2:
        server.routes = routes
        server.write_conf()
        assert "in force" in server.reload()
        assert manager.heard()["RELOADING"] == "1" and manager.heard() == {"READY": "1"}
    assert server.await_mail(server.submit("bob@example.org"))


@pytest.mark.skipif(not IS_ROOT, reason="another user has to be taken")
def test_without_root(rig, manager):
    """With sockets below 1024 handed over, everything runs as one user without a right: it says so, and every wall but the
    users' is up."""
    server = rig.server("unprivileged", start=False, build=manager.folder)
    server.ports["587"] = low_port()
    server.write_conf()
    server.add_user()
    for path in (server.folder, *server.folder.rglob("*")):
        os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
    manager.plan(sockets=sockets_of(server), user=UNPRIVILEGED)
    server.start()
    assert "warning: not started as root" in server.log()
    for listener in ("465", "587"):
        assert server.await_mail(server.submit("bob@example.org", listener=listener))
    for name, pid in {**server.rooms(), "supervisor": server.process.pid}.items():
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(UNPRIVILEGED)] * 4 and int(status["CapEff"], 16) == 0, name
        assert status["NoNewPrivs"].strip() == "1", name
        assert name == "supervisor" or status["Seccomp"].strip() == "2", name
    assert "in force" in server.reload()
    assert server.await_mail(server.submit("bob@example.org", listener="587"))
    server.ctl("user", "disable", "alice@example.net")


@pytest.fixture(scope="module")
def units():
    """The unit files as they are installed, with the program of this build."""
    folder = make_folder("units")
    text = (SYSTEMD / "submitd.service.in").read_text()
    (folder / "submitd.service").write_text(text.replace("@sbindir@", str(BUILD)).replace("@sysconfdir@", "/etc"))
    shutil.copy(SYSTEMD / "submitd.socket", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def calls_of(name):
    """The system calls of a filter set of systemd, sets in it included."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, timeout=PATIENCE, check=True)
    words = [line.strip() for line in done.stdout.splitlines()[1:]]
    calls = {word for word in words if word and word[0] not in "#@"}
    return calls.union(*(calls_of(word) for word in words if word.startswith("@")))


def allowed_calls(text):
    """What the SystemCallFilter= lines of a unit leave."""
    calls = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        named = set().union(*(calls_of(word) if word[0] == "@" else {word} for word in words.lstrip("~").split()))
        calls = calls - named if words[0] == "~" else calls | named
    return sorted(calls)


FILTER = """\
import ctypes, errno
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
frame = seccomp.seccomp_init(0x00050000 | errno.EPERM)
for call in {calls}:
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    if number != -1:
        seccomp.seccomp_rule_add_array(frame, 0x7fff0000, number, 0, None)
assert seccomp.seccomp_load(frame) == 0
os.execv("""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


@needs_systemd
def test_units_are_well_formed(units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", units / "submitd.service", units / "submitd.socket"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "submitd" in line]
    assert done.returncode == 0 and not ours, done.stderr


@needs_systemd
@pytest.mark.skipif(not IS_ROOT, reason="a filter without new privileges is root's")
@pytest.mark.parametrize("is_root", [True, False], ids=["root", "unprivileged"])
def test_units_let_the_program_work(rig, manager, is_root):
    """The system calls that the unit leaves are enough to raise the walls and to do the work."""
    text = (SYSTEMD / "submitd.service.in").read_text() + ("" if is_root else (SYSTEMD / "unprivileged.conf").read_text())
    server = rig.server("framed", start=False, build=manager.folder)
    server.add_user()
    if not is_root:
        for path in (server.folder, *server.folder.rglob("*")):
            os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
    manager.plan(sockets=sockets_of(server), user=0 if is_root else UNPRIVILEGED)
    launcher = (manager.folder / "submitd").read_text()
    (manager.folder / "submitd").write_text(launcher.replace("os.execv(", FILTER.replace("{calls}", repr(allowed_calls(text)))))
    server.start()
    assert "wall" not in server.log()
    assert server.await_mail(server.submit("bob@example.org"))
    assert "in force" in server.reload()
    assert server.await_mail(server.submit("bob@example.org"))


def exposure(units, *more):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", *more, "submitd.service"], cwd=units,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True, text=True, timeout=PATIENCE, check=False)
    found = re.search(r"exposure level for submitd\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@needs_systemd
def test_units_expose_little(units):
    """The figures that the manual names. What remains is root's: see the unit's last paragraph."""
    assert exposure(units) <= 3.0
    drop_in = units / "submitd.service.d"
    drop_in.mkdir()
    shutil.copy(SYSTEMD / "unprivileged.conf", drop_in)
    assert exposure(units) <= 1.6
