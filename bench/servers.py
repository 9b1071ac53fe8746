"""bench/servers.py: the servers that are measured, each with its own folder, certificate and user, started and ended by
process number. A server tells its port, the processes its work is done by, and what differs from its defaults."""
import os
import shutil
import signal
import socket
import subprocess
import time

USER, PASSWORD = "bench@example.org", "bench-3f9c2d71"
READY_SECONDS = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    """ECDSA P-256, for all servers; (certificate, key)."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def await_true(what, condition, process, log):
    end = time.monotonic() + READY_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "no log"
            raise RuntimeError(f"{what} did not start:\n{tail}")
        time.sleep(0.05)


def spawn(command, log):
    """In a process group of its own, so that it may signal its group without reaching us."""
    with open(log, "ab") as out:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=True)


def end(process, seconds=30):
    """SIGTERM, then SIGKILL; by process number."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Submitd:
    name = "submitd"
    changed = ["limits.connections, limits.connections_per_client = 2000 (one client address holds every connection)",
               "relays = 0 where nothing is to be delivered"]

    def __init__(self, folder, build, certificate, sink_port, delivers):
        certificate, key = certificate
        self.folder, self.build = folder / "submitd", build
        self.port = free_port()
        self.log = self.folder / "log"
        self.process = None
        (self.folder / "state").mkdir(parents=True)
        self.folder.chmod(0o755)
        self.conf = self.folder / "submitd.conf"
        self.conf.write_text("\n".join([
            'hostname = "bench.example.org"',
            f'state = "{self.folder}/state"',
            f'listener "submissions" {{ address = "127.0.0.1:{self.port}"  tls = "implicit" }}',
            f'tls {{ certificate = "{certificate}"  key = "{key}" }}',
            f'users "file" {{ path = "{self.folder}/users" }}',
            f'route "*" {{ via = "smtp"  to = "127.0.0.1:{sink_port}"  tls = "none" }}',
            "limits { connections = 2000  connections_per_client = 2000 }",
            "" if delivers else "relays = 0",
            'accounts { gate = "61184"  vault = "61185"  queue = "61186"  relay = "61187"  maildrop = "61188" }', ""]))
        subprocess.run([build / "submitctl", "-c", self.conf, "user", "add", USER], input=PASSWORD + "\n", text=True, check=True,
                       capture_output=True)

    def start(self):
        self.process = spawn([self.build / "submitd", "-c", self.conf], self.log)
        await_true("submitd", lambda: "submitd ready" in self.log.read_text(), self.process, self.log)

    def roots(self):
        return [self.process.pid]

    def stop(self):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
tlsmgr    unix  -  -  n  1000? 1  tlsmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
verify    unix  -  -  n  -     1  verify
flush     unix  n  -  n  1000? 0  flush
proxymap  unix  -  -  n  -     -  proxymap
proxywrite unix -  -  n  -     1  proxymap
smtp      unix  -  -  n  -     -  smtp
relay     unix  -  -  n  -     -  smtp
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
anvil     unix  -  -  n  -     1  anvil
scache    unix  -  -  n  -     1  scache
postlog   unix-dgram n - n -   1  postlogd
"""

DOVECOT = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
passdb {{
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


class Postfix:
    name = "Postfix"
    changed = ["no chroot (as upstream; Debian's master.cf has chroot)", "smtpd_tls_wrappermode, SASL by Dovecot (SHA-512-crypt)",
               "maillog_file (a file of the run instead of the system's log)", "relayhost = the sink",
               "every message on hold where nothing is to be delivered"]

    def __init__(self, folder, build, certificate, sink_port, delivers):
        certificate, key = certificate
        self.folder = folder / "postfix"
        self.port = free_port()
        self.log = self.folder / "log"
        self.process = self.dovecot = None
        for name in ["conf", "queue", "data", "dovecot"]:
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        shutil.chown(self.folder / "data", "postfix", "postfix")
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.folder,
            "myhostname": "bench.example.org",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "relayhost": f"[127.0.0.1]:{sink_port}",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": "private/auth",
            "smtpd_tls_cert_file": certificate,
            "smtpd_tls_key_file": key,
            "smtpd_tls_auth_only": "yes",
        }
        if not delivers:
            settings["smtpd_data_restrictions"] = "check_client_access static:HOLD"
        (self.folder / "conf/main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.folder / "conf/master.cf").write_text(MASTER.format(port=self.port).lstrip())
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(folder=self.folder).lstrip())
        digest = subprocess.run(["doveadm", "-O", "pw", "-s", "SHA512-CRYPT", "-p", PASSWORD], check=True, capture_output=True,
                                text=True).stdout.strip()
        (self.folder / "users").write_text(f"{USER}:{digest}::::::\n")
        shutil.chown(self.folder / "users", "dovecot", "dovecot")

    def command(self, *words):
        return ["postfix", "-c", self.folder / "conf", *words]

    def start(self):
        subprocess.run(self.command("check"), check=True, capture_output=True)
        self.dovecot = spawn(["dovecot", "-F", "-c", self.folder / "dovecot.conf"], self.folder / "dovecot.log")
        await_true("Dovecot", (self.folder / "queue/private/auth").exists, self.dovecot, self.folder / "dovecot.log")
        self.process = spawn(self.command("start-fg"), self.log)
        await_true("Postfix", lambda: answers(self.port), self.process, self.log)

    def roots(self):
        return [self.process.pid, self.dovecot.pid]

    def stop(self):
        if self.process and self.process.poll() is None:
            subprocess.run(self.command("stop"), capture_output=True)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        end(self.dovecot)
        shutil.rmtree(self.folder, ignore_errors=True)


SERVERS = {server.name.lower(): server for server in [Submitd, Postfix]}
