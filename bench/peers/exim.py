"""peers/exim.py: Debian's Exim (the heavy daemon), unpacked beside the machine's own mail server, which it would replace if it
were installed. Configuration, spool, logs and passwords are below the folder. Needs root."""
import os
import pathlib

from peers import fetch
from peers.group import Grouped
from peers.overlay import overlaid
from peers.peer import empty

PACKAGE = "exim4-daemon-heavy"
OWNER = 61193  # a user that nobody is; Exim calls it Debian-exim
ENTRIES = {"passwd": f"Debian-exim:x:{OWNER}:{OWNER}::/nonexistent:/usr/sbin/nologin\n", "group": f"Debian-exim:x:{OWNER}:\n"}

CONF = """
exim_path = {program}
keep_environment = LD_LIBRARY_PATH
add_environment = PATH=/usr/bin:/bin
deliver_drop_privilege
primary_hostname = bench.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid

local_interfaces = 127.0.0.1
daemon_smtp_ports = {submissions} : {submission}
tls_on_connect_ports = {submissions}
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt

smtp_accept_max = 300
smtp_connect_backlog = 64
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
{queue}

begin acl
rcpt:
  accept authenticated = *
  deny   message = authentication required

begin routers
sink:
  driver = manualroute
  domains = *
  route_list = * {host}
  self = send
  transport = sink

begin transports
sink:
  driver = smtp
  port = {port}
  allow_localhost

begin retry
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if crypteq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{{folder}/users}}{{$value}}{{*}}}}}}}}
  server_set_id = $auth2
"""

SETTINGS = [
    ("spool_directory, log_file_path, pid_file_path", "below the run's folder", "nothing of the machine is touched"),
    ("/etc/passwd, /etc/group", "a copy with Debian-exim, seen by Exim alone", "the package, which makes that user, is only unpacked"),
    ("deliver_drop_privilege", "true", "the unpacked program is not set-uid root; spares Exim a program start for each delivery"),
    ("tls_on_connect_ports", "submissions", "implicit TLS there, STARTTLS on submission"),
    ("auth_advertise_hosts", "within TLS only", "as on a submission server"),
    ("authenticator", "plaintext, crypteq on a file (lsearch), SHA-512-crypt", "AUTH PLAIN, as in Debian's example"),
    ("acl_smtp_rcpt", "accept authenticated = *", "a submission server"),
    ("smtp_accept_max", "300", "the default of 20 connections is below the load's 50"),
    ("smtp_connect_backlog", "64", "the default of 20 may make the kernel drop some of 50 connections that come at once"),
    ("smtp_accept_max_per_connection", "0 (no limit)", "the default ends each connection after 1,000 messages"),
    ("smtp_accept_queue_per_connection", "0 (no limit)",
     "by default the eleventh message of a connection waits for the next queue run, in half an hour"),
    ("router", "manualroute to the sink, self = send, allow_localhost", "everything goes to the sink, on this machine"),
    ("retry", "Debian's rule", "a configuration of one's own has none"),
    ("queue runner", "every 30 minutes", "Debian's default"),
    ("where nothing is to be delivered", "queue_only, and no queue runner", "messages stay in the queue"),
]


class Exim(Grouped):
    name = "Exim"
    syncs_before_250 = (True, "three fsyncs a message: content, envelope, folder")
    packages = ("openssl",)
    connections = 300  # smtp_accept_max as set here

    def install(self):
        fetch.install(self.packages)
        self.root = fetch.unpack("exim", PACKAGE)

    def version(self):
        return f"{PACKAGE} {fetch.unpacked_version('exim', PACKAGE)}"

    def prepare(self, folder, certificate, key, user, password):
        self.install()
        self.folder = folder
        for name in ("spool", "log"):
            (folder / name).mkdir()
            os.chown(folder / name, OWNER, OWNER)
        for name, source in {"cert.pem": certificate, "key.pem": key}.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_bytes(source.read_bytes())
            os.chown(folder / name, OWNER, OWNER)
        for name, entry in ENTRIES.items():
            rows = pathlib.Path("/etc", name).read_text().splitlines(keepends=True)
            (folder / name).write_text("".join(row for row in rows if not row.startswith("Debian-exim:")) + entry)
        self.users = {}
        self.add_users([user], password)

    def add_users(self, names, password):
        self.users.update(dict.fromkeys(names, fetch.hash_password(password)))
        path = self.folder / "users"
        path.write_text("".join(f"{name}: {digest}\n" for name, digest in self.users.items()))
        path.chmod(0o640)
        os.chown(path, 0, OWNER)

    def start(self, ports, sink, deliver):
        program = self.root / "usr/sbin/exim4"
        host, port = sink or ("127.0.0.1", 9)
        words = {"program": program, "folder": self.folder, "host": host, "port": port,
                 "queue": "" if deliver else "queue_only"}
        (self.folder / "exim.conf").write_text(CONF.format(**words, **ports).lstrip())
        libraries = {str(path.parent) for path in self.root.rglob("lib*.so.*")}
        command = ["env", "LD_LIBRARY_PATH=" + ":".join(sorted(libraries)), program, "-C", self.folder / "exim.conf", "-bdf"]
        command += ["-q30m"] if deliver else []
        self.spawn(overlaid({f"/etc/{name}": self.folder / name for name in ENTRIES}, command), self.folder / "said")
        self.await_ports(ports, self.folder / "said")

    def gate_pids(self):
        """The daemon's own children that serve a connection; the daemon itself where there are none."""
        daemon = self.roots()
        return [pid for pid in self.pids() if pid not in daemon] or daemon

    def settings(self):
        return SETTINGS

    def reset(self):
        empty(self.folder / "spool")


PEER = Exim
