"""The walls from outside: /proc says of each room that they are up; everything works behind them, reloads too; and the
program runs, and says so, where the kernel lacks a piece. Needs root."""
import os
import pathlib
import shutil
import time

import pytest

from rig.client import message
from rig.provider import Document, Provider
from rig.server import BUILD, IS_ROOT, free_port, links_of, make_certificate, make_folder, shared_certificate
from rig.keysets import bearer
from rig.patience import PATIENCE

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="rooms have users of their own only when started as root")

ROOMS = {"gate.0", "gate.1", "vault.0", "queue.0", "relay.0", "maildrop.0", "fetch.0"}
# chown, dac_override, setuid, setgid, net_bind_service, kill
SUPERVISOR_RIGHTS = 1 << 0 | 1 << 1 | 1 << 7 | 1 << 6 | 1 << 10 | 1 << 5


class Site:
    """A server with every kind of room, and next hops that want TLS and a login."""

    def __init__(self, rig, name, **settings):
        self.folder = make_folder(name)
        self.folder.joinpath("password").write_text("relay secret\n")
        self.folder.joinpath("password").chmod(0o600)
        certificate = shared_certificate()[1]
        self.host = rig.hop({"RCPT": lambda session, argument: "550 5.1.1 nobody" if "nobody" in argument else None},
                            tls="starttls", credentials={"relayuser": "relay secret"})
        self.server = rig.server(name, start=False, top="gates = 2", routes={
            "smart.example": f'via = "smtp"  to = "localhost:{self.host.port}"  tls = "verify"  ca_file = "{certificate}"  '
                             f'username = "relayuser"  password_file = "{self.folder}/password"',
            "away.example": f'via = "lmtp"  to = "127.0.0.1:{free_port()}"'}, sections={
            "queue": "retry = { 600 }  retry_connect = { 600 }"}, **settings)
        self.server.routes["*"] = f'via = "maildir"  to = "{self.server.mail}"'
        self.provider = Provider({"/introspect": Document({"active": True, "email": "alice@example.net"})})
        rig.others.append(self.provider)
        self.server.sections["auth"] = (f'oauth_introspection = "{self.provider.url("/introspect")}"  oauth_client_id = "submitd"  '
                                        f'oauth_client_secret_file = "{self.folder}/password"  oauth_ca_file = "{certificate}"')
        self.server.write_conf()

    def use(self):
        """A day in the life of the server."""
        server = self.server
        kept = server.submit("bob@example.org")
        assert server.await_mail(kept)
        for listener in ("465", "587"):
            assert server.await_mail(server.submit("bob@example.org", listener=listener))
        connection = server.connect("465")
        connection.hello()
        connection.expect("AUTH OAUTHBEARER " + bearer(f"token{len(self.provider.requests)}"), "235 2.7.0")
        before = len(self.host.mails)
        server.submit("bob@smart.example")
        self.host.await_mails(before + 1)
        assert self.host.mails[-1].is_tls
        refused = server.submit("nobody@smart.example")
        assert b"5.1.1" in server.await_mail(f"Final-Log-ID: {refused}")
        large = server.submit("bob@example.org", content=message("large", body="0123456789\r\n" * 40000))
        assert server.await_mail(large)
        held = server.submit("bob@away.example")
        server.ctl("queue", "hold", held)
        server.await_queue(lambda rows: [row["id"] for row in rows] == [held])
        assert server.trace(held)["events"]
        server.ctl("queue", "delete", held)
        server.await_empty()
        assert server.status()["delivered"] > 0

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def site(rig, request):
    made = []

    def make(name="walls", **settings):
        made.append(Site(rig, name, **settings))
        return made[-1]
    yield make
    for one in made:
        one.clear()


def status_of(path):
    lines = (line.split(":", 1) for line in pathlib.Path(path, "status").read_text().splitlines())
    return {name: value.strip() for name, value in lines}


def limits_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


def judge_room(name, pid, seccomp="2"):
    threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    for thread in threads:
        status = status_of(thread)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind], 16) == 0, f"{name}: {kind} {status[kind]}"
        assert int(status["CapBnd"], 16) & ~SUPERVISOR_RIGHTS == 0, f"{name}: CapBnd {status['CapBnd']}"
        assert status["NoNewPrivs"] == "1" and status["Groups"] == "", f"{name}: {status}"
        assert status["Seccomp"] == seccomp, f"{name}: thread {thread.name} has Seccomp {status['Seccomp']}"
        assert len(set(status["Uid"].split())) == 1 and len(set(status["Gid"].split())) == 1
    limits = limits_of(pid)
    assert limits["Max core file size"] == ["0", "0"] and limits["Max processes"] == ["0", "0"], f"{name}: {limits}"
    # What may not be traced or dumped belongs to root.
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0, f"{name} may be traced by its own user"
    return status["Uid"].split()[0]


def judge(server, seccomp="2"):
    rooms = server.rooms()
    assert set(rooms) == ROOMS
    users = {name: judge_room(name, pid, seccomp) for name, pid in rooms.items()}
    kinds = {name.split(".")[0]: user for name, user in users.items()}
    assert len(set(kinds.values())) == len(kinds) and "0" not in kinds.values(), f"users: {users}"
    assert users["gate.0"] == users["gate.1"]
    return rooms


def test_walls_are_up(site):
    """Each room has a user of its own, no capability, no way to new rights, a filter on every thread, no core, no debugger."""
    server = site().server.start()
    judge(server)
    status = status_of(f"/proc/{server.process.pid}")
    assert status["NoNewPrivs"] == "1"
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) & ~SUPERVISOR_RIGHTS == 0, f"supervisor: {kind} {status[kind]}"
    assert "wall" not in server.log()


def test_no_room_holds_a_stranger(site):
    """What each room has open: nobody holds two of the network inside, the network outside, the disk, the secrets."""
    one = site()
    server = one.server.start()
    one.use()
    opened = {name: links_of(pid).values() for name, pid in server.rooms().items()}
    for name, links in opened.items():
        files = {link for link in links if link.startswith("/") and link not in {"/dev/null", str(server.log_path)}}
        allowed = {"gate": (f"{server.state}/spool/", "/memfd:"), "vault": (str(server.users_path.parent),),
                   "queue": (str(server.state),), "relay": (), "fetch": (), "maildrop": (str(server.mail),)}[name.split(".")[0]]
        strange = [path for path in files if not path.startswith(allowed or ("-",))]
        assert not strange, f"{name} holds {strange}"


def test_use_and_reload(site):
    """Everything works behind the walls: mail, logins, TLS, next hops, bounces, operators; then again after reloads that bring
    a new certificate, new roots, a new limit; and the rooms that were there are still the same, and still walled in."""
    one = site()
    server = one.server.start()
    one.use()
    rooms = server.rooms()
    key, chain = make_certificate(server.folder, "fresh")
    shutil.copy(chain, server.certificate)
    shutil.copy(key, server.key)
    server.sections["limits"] = "recipients = 700"
    server.write_conf()
    assert "in force" in server.reload()
    server.certificate = chain
    connection = server.connect("465")
    assert "RCPTMAX=700" in str(connection.hello())
    connection.quit()
    one.use()
    assert server.rooms() == rooms
    judge(server)


def test_new_roots(site):
    """A relay behind its walls reads the roots that came with a reload: a host that was not trusted becomes so."""
    one = site()
    server = one.server
    strange = make_certificate(one.folder, "strange")
    route = server.routes["smart.example"]
    server.routes = {"smart.example": route.replace(str(shared_certificate()[1]), str(strange[1])), "*": server.routes["*"]}
    server.write_conf()
    server.start()
    server.submit("bob@smart.example")
    server.await_queue(lambda queued: queued and "certificate" in str(queued[0]))
    server.routes["smart.example"] = route
    server.write_conf()
    assert "in force" in server.reload()
    server.ctl("queue", "retry", server.queue()[0]["id"])
    one.host.await_mail()
    server.await_empty()


def test_new_folders(site):
    """A wall is never lowered: rooms that must work in a folder that is new to them are started again, the others are not."""
    one = site()
    server = one.server.start()
    server.await_mail(server.submit("bob@example.org"))
    before = server.rooms()
    other = server.folder / "other"
    server.routes["moved.example"] = f'via = "maildir"  to = "{other}"'
    server.write_conf()
    assert "in force" in server.reload()
    identity = server.submit("bob@moved.example")
    server.mail, usual = other, server.mail
    assert server.await_mail(identity)
    server.mail = usual
    after = server.rooms()
    assert {name for name in ROOMS if before[name] != after[name]} == {"maildrop.0"}

    place = server.folder / "people"
    place.mkdir()
    shutil.copy(server.users_path, place / "users")
    shutil.chown(place / "users", 61185, 61185)
    server.users_path = place / "users"
    server.write_conf()
    before = after
    assert "in force" in server.reload()
    assert server.await_mail(server.submit("bob@example.org"))
    after = server.rooms()
    assert {name for name in ROOMS if before[name] != after[name]} == {"vault.0"}
    judge(server)


def test_users_behind_a_link(site):
    """A user file that is a link out of its folder would be out of the vault's reach: refused with its real place."""
    one = site()
    server = one.server
    server.add_user()
    place = one.folder / "elsewhere"
    place.mkdir()
    server.users_path.rename(place / "users")
    server.users_path.symlink_to(place / "users")
    status, said = server.start_refused()
    assert status == 78 and "symbolic link" in said and str(place / "users") in said
    server.users_path.unlink()
    (server.folder / "users.1").write_bytes((place / "users").read_bytes())
    (server.folder / "users.1").chmod(0o600)
    shutil.chown(server.folder / "users.1", 61185, 61185)
    server.users_path.symlink_to("users.1")
    server.start()
    assert server.await_mail(server.submit("bob@example.org"))


def test_a_room_that_hits_a_wall(site):
    """The supervisor says in words what happened, and starts the room again. (A signal from outside stands in for the kernel's.)"""
    server = site().server.start()
    start = server.log_path.stat().st_size
    relay = server.rooms()["relay.0"]
    os.kill(relay, 31)
    server.tolerate("a room died room=relay")
    line = server.await_log("a room died", start=start)
    assert "room=relay" in line and "walls forbid" in line and f"pid={relay} " in line
    assert f"type=1326.* pid={relay} " in server.await_log("the kernel's log may name the call", start=start)
    end = time.monotonic() + PATIENCE
    while server.rooms().get("relay.0") in (None, relay):
        assert time.monotonic() < end
        time.sleep(0.05)


LAUNCHER = """\
#!/usr/bin/python3
import ctypes, ctypes.util, errno, os, sys
seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]


class Cmp(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
filter = seccomp.seccomp_init(0x7fff0000)
for call in {calls}:
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    assert number >= 0, call
    assert seccomp.seccomp_rule_add_array(filter, 0x00050000 | errno.ENOSYS, number, 0, None) == 0
assert seccomp.seccomp_load(filter) == 0
os.execv("{program}", sys.argv)
"""


KERNELS = {
    "without-landlock": (["landlock_create_ruleset"], "2", ["a wall is missing", "lacks=Landlock"]),
    "without-seccomp": (["seccomp"], None, ["a wall is missing", 'lacks="seccomp filters"']),
    "without-both": (["landlock_create_ruleset", "seccomp"], None, ["lacks=Landlock", 'lacks="seccomp filters"']),
}


def make_shim(calls):
    """A folder of programs that start as on a kernel without these calls."""
    shim = make_folder("kernel")
    shim.joinpath("submitd").write_text(LAUNCHER.replace("{calls}", repr(calls)).replace("{program}", str(BUILD / "submitd")))
    shim.joinpath("submitd").chmod(0o755)
    shim.joinpath("submitctl").symlink_to(BUILD / "submitctl")
    return shim


def test_kernel_without_close_range(site):
    """Linux below 5.9; below 5.11 it is there without its flag. No descriptor of the shell reaches a room all the same."""
    shim = make_shim(["close_range"])
    try:
        one = site("close-range", build=shim)
        one.server.wrapper = ["/bin/sh", "-c", "exec 7<\"$0\"; exec \"$0\" \"$@\""]
        server = one.server.start()
        assert str(shim / "submitd") in links_of(server.process.pid).values(), "the stray descriptor got lost"
        for name, pid in server.rooms().items():
            assert str(shim / "submitd") not in links_of(pid).values(), f"{name} has a descriptor of the shell"
        one.use()
    finally:
        shutil.rmtree(shim, ignore_errors=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_that_lacks_a_piece(site, kernel):
    """The program runs, with a warning from each room, and keeps the walls that the kernel has."""
    calls, seccomp, words = KERNELS[kernel]
    shim = make_shim(calls)
    try:
        one = site(kernel, build=shim)
        server = one.server.start()
        for room in ROOMS:
            lines = [line for line in server.log().splitlines() if f" {room} " in line and "a wall is missing" in line]
            assert len(lines) == len(calls), f"{room} says {lines}"
        for word in words:
            assert word in server.log()
        one.use()
        # The filter that plays the old kernel shows in /proc too.
        judge(server, seccomp="2")
        filters = status_of(f"/proc/{server.rooms()['gate.0']}")["Seccomp_filters"]
        assert filters == ("2" if seccomp else "1")
    finally:
        shutil.rmtree(shim, ignore_errors=True)
