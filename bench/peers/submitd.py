"""peers/submitd.py: submitd as bench/run builds it, with all its rooms and walls."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

from peers.group import Grouped
from peers.peer import await_gone, empty

# Users of the rooms when started as root: numbers that nobody has.
ACCOUNTS = 'accounts { gate = "61184"  vault = "61185"  queue = "61186"  relay = "61187"  maildrop = "61188"  fetch = "61189" }'
MOST_CONNECTIONS = 6000
HASH_THREAD = "verify"  # of the vault


class Submitd(Grouped):
    name = "submitd"
    syncs_before_250 = (True, "one fdatasync for all messages that have ended meanwhile, by the gate")
    build = None       # where the programs are; bench/run sets it
    gates = 0          # of the configuration; 0: one for each core
    relays = 1         # where mail is delivered
    routes = None      # of the sink: a function that gives pattern to words, instead of everything to the sink

    def version(self):
        done = subprocess.run([self.build / "submitd", "--version"], capture_output=True, text=True)
        return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "submitd"

    def prepare(self, folder, certificate, key, user, password):
        self.folder, self.certificate, self.key = folder, certificate, key
        self.conf, self.log, self.users = folder / "submitd.conf", folder / "log", folder / "users"
        (folder / "state").mkdir()
        self.write_conf({"submissions": 465, "submission": 587}, None, False)
        subprocess.run([self.build / "submitctl", "-c", self.conf, "user", "add", user], input=password + "\n", text=True, check=True,
                       capture_output=True)

    def add_users(self, names, password):
        """The first user's line again under other names: the vault remembers a verification by name and record, so each of
        them costs a hash of its own."""
        lines = self.users.read_text().splitlines()
        login, rest = lines[-1].split(" ", 1)
        assert "@" in login, f"not a user: {lines[-1]}"
        self.users.write_text("\n".join(lines + [f"{name} {rest}" for name in names]) + "\n")

    def write_conf(self, ports, sink, deliver):
        host, port = sink or ("127.0.0.1", 9)
        routes = self.routes(sink) if self.routes else {"*": f'via = "smtp"  to = "{host}:{port}"  tls = "none"'}
        lines = [
            'hostname = "bench.example.org"',
            f'state = "{self.folder}/state"',
            f'listener "submissions" {{ address = "127.0.0.1:{ports["submissions"]}"  tls = "implicit" }}',
            f'listener "submission" {{ address = "127.0.0.1:{ports["submission"]}"  tls = "starttls" }}',
            f'tls {{ certificate = "{self.certificate}"  key = "{self.key}" }}',
            f'users "file" {{ path = "{self.users}" }}',
            f"limits {{ connections = {MOST_CONNECTIONS}  connections_per_client = {MOST_CONNECTIONS} }}",
            f"gates = {self.gates}",
            f"relays = {self.relays if deliver else 0}",
        ]
        lines += [f'route "{pattern}" {{ {words} }}' for pattern, words in routes.items()]
        if os.geteuid() == 0:
            lines.append(ACCOUNTS)
        self.conf.write_text("\n".join(lines) + "\n")

    def start(self, ports, sink, deliver):
        self.write_conf(ports, sink, deliver)
        self.log.write_text("")
        self.spawn([self.build / "submitd", "-c", self.conf], self.log)
        self.await_ready(lambda: "submitd ready" in self.log.read_text(errors="replace"), self.log)

    def room_pids(self, room):
        return [pid for pid in self.pids() if room_of(pid) == room]

    def part_seconds(self):
        """Processor time of each room, and of the threads that check passwords: "gate", ..., "hash". Of those that live."""
        spent = {}
        for pid in self.pids():
            room = room_of(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
                name, seconds = task_of(task)
                part = "hash" if room == "vault" and name == HASH_THREAD else room
                spent[part] = spent.get(part, 0) + seconds
        return spent

    def status(self):
        done = subprocess.run([self.build / "submitctl", "-c", self.conf, "--json", "status"], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    def gate_pids(self):
        return self.room_pids("gate")

    def kill(self):
        """SIGKILL to all, the supervisor first, or it would start rooms anew."""
        gone = self.pids()
        for pid in [*self.roots(), *gone]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.wait()
        await_gone(gone)
        self.stop()

    def settings(self):
        return [("limits.connections, limits.connections_per_client", MOST_CONNECTIONS, "one client address makes them all"),
                ("relays", "0 where nothing is to be delivered", "accept only"),
                ("route *", "the sink, in clear text", "where everything goes"),
                ("accounts", "numbers without names", "no user is made on this machine")]

    def reset(self):
        empty(self.folder / "state")
        shutil.rmtree(self.folder / "state-kept", ignore_errors=True)

    def begin_anew(self):
        """While it is stopped: an empty queue, with the files of the old one still there."""
        (self.folder / "state").rename(self.folder / "state-kept")
        (self.folder / "state").mkdir()


def room_of(pid):
    """"supervisor" for what is no room."""
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return "supervisor"
    return words[words.index(b"--room") + 1].decode() if b"--room" in words else "supervisor"


def task_of(folder):
    """(name, seconds) of a thread."""
    try:
        words = (folder / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    name, rest = words.partition("(")[2].rpartition(")")[::2]
    return name, sum(int(word) for word in rest.split()[11:13]) / os.sysconf("SC_CLK_TCK")


PEER = Submitd
