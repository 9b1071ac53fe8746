"""peers/chasquid.py: Debian's chasquid, unpacked, in a folder of its own. It has no smart host: it asks the name server for each
recipient's domain and connects to the port that its hidden test option names. So it sees, alone, a name server of ours
(names.py) and a hosts file that says where the sink is. Needs root."""
import pathlib
import random
import re
import socket
import sys

from peers import fetch
from peers.group import Grouped
from peers.overlay import overlaid
from peers.peer import Peer, empty

PACKAGE = "chasquid"
HOST = "sink.example"

CONF = """
hostname: "bench.example.org"
submission_address: "127.0.0.1:{submission}"
submission_over_tls_address: "127.0.0.1:{submissions}"
data_dir: "{folder}/data"
mail_log_path: "{folder}/mail.log"
"""

SETTINGS = [
    ("data_dir, mail_log_path", "below the run's folder", "nothing of the machine is touched"),
    ("submission_over_tls_address, submission_address", "the run's ports", "systemd's sockets otherwise"),
    ("-testing__outgoing_smtp_port", "the sink's", "there is no smart host, and mail goes to port 25 otherwise"),
    ("/etc/resolv.conf, /etc/hosts", "name every domain's mail server: the sink", "seen by chasquid alone"),
    ("password", "scrypt, N = 2^14, as chasquid-util makes it", "its own and only kind"),
    ("(no setting)", "at most 200 messages in the queue; more are refused", "a constant of the program"),
    ("user", "root", "the package, which makes one, is only unpacked"),
]


def free_address():
    """A loopback address whose port 53 nobody has."""
    for _ in range(100):
        address = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 53))
                return address
            except OSError:
                continue
    raise RuntimeError("no loopback address has a free port 53 (are we root?)")


class Chasquid(Grouped):
    name = "chasquid"
    syncs_before_250 = (False, "no sync at all")
    packages = ()
    delivers_always = True
    connections = None

    def install(self):
        self.root = fetch.unpack("chasquid", PACKAGE)

    def version(self):
        return f"{PACKAGE} {fetch.unpacked_version('chasquid', PACKAGE)}"

    def prepare(self, folder, certificate, key, user, password):
        self.install()
        self.folder = folder
        for name in ("data", "domains", "certs/bench.example.org"):
            (folder / name).mkdir(parents=True)
        (folder / "certs/bench.example.org/fullchain.pem").write_bytes(certificate.read_bytes())
        path = folder / "certs/bench.example.org/privkey.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.read_bytes())
        self.users = {}
        self.add_users([user], password)

    def add_users(self, names, password):
        """One scrypt for all: the tool makes the first, the others have a copy of its record under their name."""
        seed = self.folder / "seed"
        (seed / "domains/bench.invalid").mkdir(parents=True, exist_ok=True)
        fetch.call([self.root / "usr/bin/chasquid-util", f"-C={seed}", "user-add", "seed@bench.invalid", f"--password={password}"])
        record = (seed / "domains/bench.invalid/users").read_text()
        for name in names:
            local, _, domain = name.partition("@")
            self.users.setdefault(domain, {})[local] = re.sub(r'key: *"seed"', f'key: "{local}"', record)
        for domain, records in self.users.items():
            folder = self.folder / "domains" / domain
            folder.mkdir(exist_ok=True)
            (folder / "users").write_text("".join(records.values()))

    def start(self, ports, sink, deliver):
        host, port = sink or ("127.0.0.1", 9)
        address = free_address()
        (self.folder / "chasquid.conf").write_text(CONF.format(folder=self.folder, **ports).lstrip())
        (self.folder / "resolv.conf").write_text(f"nameserver {address}\n")
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{host} {HOST}\n")
        Peer.spawn(self, [sys.executable, pathlib.Path(__file__).with_name("names.py"), address, HOST], self.folder / "names.log")
        files = {"/etc/resolv.conf": self.folder / "resolv.conf", "/etc/hosts": self.folder / "hosts"}
        command = [self.root / "usr/bin/chasquid", f"-config_dir={self.folder}", f"-testing__outgoing_smtp_port={port}"]
        self.spawn(overlaid(files, command), self.folder / "log")
        self.await_ports(ports, self.folder / "log")

    def roots(self):
        """Without the name server."""
        return [process.pid for process in self.processes[1:] if process.poll() is None]

    def settings(self):
        return SETTINGS

    def reset(self):
        if (self.folder / "data/queue").exists():
            empty(self.folder / "data/queue")


PEER = Chasquid
