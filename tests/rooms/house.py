"""rooms/house.py: real rooms whose supervisor is the test: it starts each of them as src/supervisor does, hands them what
src/supervisor/plan.c lists, and connects them with each other, or with itself in the place of one of them."""
import collections
import ctypes
import os
import pathlib
import re
import signal
import socket
import struct
import time

from rig.imap import SECRET, SUBMIT
from rig.patience import PATIENCE
from rig.server import ACCOUNTS, BUILD, FAULTS, IS_ROOT, Server, environment, links_of
from rooms.frames import Channel, plan, tell

ROLES = ["supervisor", "gate", "vault", "queue", "relay", "maildrop", "fetch"]
UIDS = {role: int(uid) for role, uid in re.findall(r'(\w+) = "(\d+)"', ACCOUNTS)}
COUNTERS_MAGIC, PAGE, COLUMN = 0x434f554e, 4096, 4 + 2 * 16384 * 4 + 1023 * 4
F_ADD_SEALS, SEALS = 1033, 1 | 2 | 4
ROOTS_SYSTEM = 0x7fffffff


def split(name):
    """"gate.1" to ("gate", 1)."""
    role, _, index = name.partition(".")
    return role, int(index or 0)


def asking_nobody(folder):
    """The words of the section auth that make a room fetch, which has nothing to do until there is a token."""
    secret = folder / "oauth-secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    return f'oauth_introspection = "https://127.0.0.1:9/"  oauth_client_id = "submitd"  oauth_client_secret_file = "{secret}"'


class Room:
    """A room that runs."""

    def __init__(self, house, name, env=None):
        self.house, self.name = house, name
        self.role, self.index = split(name)
        ours, theirs = socket.socketpair()
        self.control = Channel(ours)
        user = str(UIDS[self.role]) if IS_ROOT and not house.as_root else "-1"
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_RDWR, 0),
                   (os.POSIX_SPAWN_DUP2, house.log_file.fileno(), 2), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
        words = ["submitd", "--room", self.role, "--index", str(self.index), "--uid", user, "--gid", user]
        sanitizer = {"ASAN_OPTIONS": environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=16"}   # or memory would seem to leak
        self.pid = os.posix_spawn(house.build / "submitd", words, {**environment(), **sanitizer, **(env or {})}, file_actions=actions,
                                  setsid=True)
        theirs.close()
        self.status = None

    def is_alive(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is None

    def how_it_ended(self, wait=PATIENCE):
        """The status of waitpid."""
        end = time.monotonic() + wait
        while self.is_alive():
            assert time.monotonic() < end, f"{self.name} does not end within {wait} s"
            time.sleep(0.002)
        return self.status

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def holdings(self):
        """What its descriptors are, counted."""
        found = collections.Counter()
        for name in links_of(self.pid).values():
            found[re.sub(r"[0-9a-f]{16}", "N", re.sub(r"\[\d+\]", "", name.rpartition("/")[2]))] += 1
        return found

    def memory(self):
        """Resident octets."""
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096

    def end(self):
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
            self.how_it_ended()
        self.control.close()


class House:
    """rooms: names of those to start, "gate.0" and so on. Settings as of rig.server.Server. as_root: no room gives up root.
    imap: a rig.imap.Imap that BURL may fetch from, under the name localhost."""

    def __init__(self, rooms=(), as_root=False, build=None, imap=None, **settings):
        self.as_root, self.imap = as_root, imap
        self.build = pathlib.Path(build) if build else BUILD
        self.server = Server("house", build=self.build, **settings)
        for pattern, words in self.server.routes.items():
            self.server.routes[pattern] = words.replace("MAIL", str(self.server.mail))
        self.folder = self.server.folder
        if imap:
            self.server.sections["extensions"] = "burl = true  burl_timeout = 10"
            self.server.sections['imap_server "localhost"'] = (f'to = "127.0.0.1:{imap.port}"  tls = "{imap.tls}"  username = "{SUBMIT}"  '
                                                               f'password_file = "{self.folder}/imap-password"  ca_file = "{imap.certificate[1]}"')
        self.secrets = self.folder / "secrets"
        self.rooms, self.number = {}, 0
        self.log_path = self.server.log_path
        self.log_file = open(self.log_path, "ab")
        self.tolerated = []
        self.lay_out()
        self.snapshot = tell("snapshot", self.server.conf, "1")
        for name in rooms:
            self.start(name)
        for name in rooms:
            self.await_ready(name)

    # What the supervisor would open

    def own(self, path, role):
        if IS_ROOT and not self.as_root:
            os.chown(path, UIDS[role], UIDS[role])

    def lay_out(self):
        """Users in a folder of their own; "neighbour" lies beside every folder that is handed out."""
        self.secrets.mkdir(mode=0o755)
        self.server.users_path = self.secrets / "users"
        self.server.write_conf()
        self.server.add_user()
        self.own(self.server.users_path, "vault")
        self.spool = self.server.state / "spool"
        for folder, role in ((self.spool, "queue"), (self.server.mail, "maildrop")):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.own(folder, role)
        for folder in {self.folder, self.server.state}:
            (folder / "neighbour").write_text("not for rooms\n")
            (folder / "neighbour").chmod(0o666)
        if self.imap:
            (self.folder / "imap-password").write_text(SECRET + "\n")
            (self.folder / "imap-password").chmod(0o600)
        self.listeners = []
        for port in self.server.ports.values():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            listener.setblocking(False)
            self.listeners.append(listener)
        self.operator = socket.socket(socket.AF_UNIX)
        self.operator.bind(str(self.server.state / "control.sock"))
        self.operator.listen(8)
        self.operator.setblocking(False)
        self.counters = self.make_counters(4)

    def make_counters(self, gates):
        """As ipc/counters.c makes them."""
        fd = os.memfd_create("counters", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, PAGE + gates * COLUMN)
        os.pwrite(fd, struct.pack("<IIQ", COUNTERS_MAGIC, gates, 42), 0)
        ctypes.CDLL(None, use_errno=True).fcntl(fd, F_ADD_SEALS, SEALS)
        return fd

    def gifts(self, role):
        """(gift, index, name, descriptor) for what the plan lists; the descriptors are the caller's."""
        def folder(path):
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        given = []
        for gift in plan()["gifts"][role]:
            if gift == "listener":
                given += [(gift, i, "listener", os.dup(one.fileno())) for i, one in enumerate(self.listeners)]
            elif gift == "control":
                given.append((gift, 0, gift, os.dup(self.operator.fileno())))
            elif gift == "spool":
                given.append((gift, 0, gift, folder(self.spool)))
            elif gift == "lock":
                given.append((gift, 0, gift, os.open(self.server.state / "lock", os.O_RDWR | os.O_CREAT, 0o644)))
            elif gift == "counters":
                given.append((gift, 0, gift, os.dup(self.counters)))
            elif gift == "key":
                given.append((gift, 0, str(self.server.key), os.open(self.server.key, os.O_RDONLY)))
            elif gift == "users":
                given.append((gift, 0, "users", folder(self.secrets)))
            elif gift in {"roots", "fetch_roots"}:
                given.append((gift, ROOTS_SYSTEM if gift == "roots" else 0, "system",
                              os.open("/etc/ssl/certs/ca-certificates.crt", os.O_RDONLY)))
            elif gift == "password" and self.imap:
                given.append((gift, len(self.server.routes), gift, os.open(self.folder / "imap-password", os.O_RDONLY)))
            elif gift == "imap_roots" and self.imap:
                given.append((gift, 0, "ca_file", os.open(self.imap.certificate[1], os.O_RDONLY)))
            elif gift == "maildir":
                given += [(gift, route, "Maildir", folder(self.server.mail)) for route, words in enumerate(self.server.routes.values())
                          if "maildir" in words]
        return given

    # Life

    def start(self, name, env=None, to=None):
        """Started, given everything, and connected to everybody that it may talk to, or to those of `to` alone."""
        room = Room(self, name, env)
        kinds = plan()["names"]
        room.control.send("snapshot", number=1, conf=self.snapshot)
        for gift, index, text, fd in self.gifts(room.role):
            room.control.send("give", fd, gift=kinds.index(gift), index=index, name=text)
            os.close(fd)
        if room.role in ("gate", "vault"):
            room.control.send("certificate", index=0, name="", chain=self.server.certificate.read_bytes())
        room.control.send("apply", number=1)
        self.rooms[name] = room
        for other in list(self.rooms):
            if other != name and self.may_talk(room.role, split(other)[0]) and (to is None or other in to):
                self.connect(name, other)
        return room

    def await_ready(self, name, wait=PATIENCE):
        room = self.rooms[name]
        try:
            values, _ = room.control.await_message("ready", wait)
        except AssertionError:
            raise AssertionError(f"{name} did not get ready: status {room.how_it_ended()}:\n{self.log()[-2000:]}") from None
        assert values["number"] == 1

    def may_talk(self, one, other):
        return [one, other] in plan()["pairs"] or [other, one] in plan()["pairs"]

    def introduce(self, name, to, end):
        """Tells room `to` that the socket leads to `name`."""
        role, index = split(name)
        self.rooms[to].control.send("peer", end.fileno(), role=ROLES.index(role), index=index)
        end.close()

    def connect(self, one, other):
        """As the supervisor does after one of them was started anew."""
        a, b = socket.socketpair()
        self.introduce(other, one, a)
        self.introduce(one, other, b)

    def impersonate(self, name, toward):
        """A channel on which room `toward` takes us for `name`."""
        ours, theirs = socket.socketpair()
        self.introduce(name, toward, theirs)
        return Channel(ours)

    def end(self, name):
        self.rooms.pop(name).end()

    def restart(self, name, to=None):
        self.end(name)
        self.start(name, to=to)
        self.await_ready(name)

    def stop(self):
        for room in self.rooms.values():
            room.end()
        for one in (*self.listeners, self.operator, self.log_file):
            one.close()
        os.close(self.counters)

    def log(self, start=0):
        return self.log_path.read_bytes()[start:].decode("utf-8", "backslashreplace")

    def faults(self):
        return [line for line in self.log().splitlines()
                if FAULTS.search(line) and not any(re.search(known, line) for known in self.tolerated)]

    # Is the house well?

    def check_alive(self):
        for name, room in self.rooms.items():
            assert room.is_alive(), f"{name} ended with status {room.status:#x}:\n{self.log()[-3000:]}"

    def check_service(self, text, wait=PATIENCE):
        """An honest client is served: its message is taken and delivered."""
        identity = self.server.submit("bob@example.org", listener="465")
        try:
            return self.server.await_mail(identity, wait)
        except AssertionError as error:
            raise AssertionError(f"after {text}: {error}\n{self.log()[-3000:]}") from None
