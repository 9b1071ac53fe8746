"""peers/postfix.py: Debian's Postfix, with Dovecot's auth service behind its SASL. Both run from the folder: own configuration,
queue, data and sockets; nothing of /etc/postfix or /etc/dovecot is read. Needs root, as Postfix does."""
import shutil
import subprocess

from peers import fetch
from peers.group import Grouped
from peers.peer import empty

MASTER = """
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
cleanup    unix  n  -  n  -     0  cleanup
qmgr       unix  n  -  n  300   1  qmgr
tlsmgr     unix  -  -  n  1000? 1  tlsmgr
rewrite    unix  -  -  n  -     -  trivial-rewrite
bounce     unix  -  -  n  -     0  bounce
defer      unix  -  -  n  -     0  bounce
trace      unix  -  -  n  -     0  bounce
verify     unix  -  -  n  -     1  verify
flush      unix  n  -  n  1000? 0  flush
proxymap   unix  -  -  n  -     -  proxymap
proxywrite unix  -  -  n  -     1  proxymap
smtp       unix  -  -  n  -     -  smtp
relay      unix  -  -  n  -     -  smtp
showq      unix  n  -  n  -     -  showq
error      unix  -  -  n  -     -  error
retry      unix  -  -  n  -     -  error
discard    unix  -  -  n  -     -  discard
anvil      unix  -  -  n  -     1  anvil
scache     unix  -  -  n  -     1  scache
postlog    unix-dgram n - n -   1  postlogd
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

# Name, value, why. Values may name {folder}, {certificate}, {key}, {sink}.
SETTINGS = [
    ("queue_directory, data_directory", "below the run's folder", "nothing of the machine's own Postfix is touched"),
    ("maillog_file", "a file of the run", "instead of the system's log"),
    ("master.cf", "two smtpd services; no chroot", "submissions and submission; no chroot as upstream has it (Debian has it)"),
    ("mydestination, alias_maps", "empty", "everything is relayed"),
    ("relayhost", "the sink", "where everything goes"),
    ("smtpd_relay_restrictions", "permit_sasl_authenticated, reject", "a submission server"),
    ("smtpd_sasl_*", "Dovecot's auth, passwd-file, SHA-512-crypt", "AUTH PLAIN; Dovecot's own defaults, no cache of passwords"),
    ("smtpd_tls_wrappermode, smtpd_tls_security_level", "yes; encrypt", "implicit TLS on submissions, STARTTLS on submission"),
    ("smtpd_peername_lookup", "no", "no question to a name server for each session"),
    ("mynetworks", "127.0.0.0/8", "its clients are exempt from the limit of 50 connections and from the rates that anvil counts"),
    ("message_size_limit", "41943040", "the default of 10 MB would refuse the messages of 25 MiB"),
    ("where nothing is to be delivered", "every message on hold (smtpd_data_restrictions)",
     "spares it the queue manager: faster than defer_transports"),
]


class Postfix(Grouped):
    name = "Postfix"
    syncs_before_250 = (True, "one fsync a message, of its queue file, by cleanup")
    packages = ("postfix", "dovecot-core", "openssl")
    connections = 100  # default_process_limit: one smtpd process each

    def install(self):
        others = [name for name in fetch.providers("mail-transport-agent") if name != "postfix"]
        if others and not fetch.installed_version("postfix"):
            raise RuntimeError(f"installing postfix would remove {others[0]} from this machine")
        fetch.install(self.packages)

    def version(self):
        return f"postfix {fetch.installed_version('postfix')}, dovecot-core {fetch.installed_version('dovecot-core')}"

    def prepare(self, folder, certificate, key, user, password):
        self.install()
        self.folder, self.certificate, self.key = folder, certificate, key
        for name in ("conf", "queue", "data", "dovecot"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix", "postfix")
        (folder / "dovecot.conf").write_text(DOVECOT.format(folder=folder).lstrip())
        self.users = {}
        self.add_users([user], password)

    def add_users(self, names, password):
        self.users.update(dict.fromkeys(names, fetch.hash_password(password)))
        path = self.folder / "users"
        path.write_text("".join(f"{name}:{digest}::::::\n" for name, digest in self.users.items()))
        path.chmod(0o640)
        shutil.chown(path, "root", "dovecot")

    def write_conf(self, ports, sink, deliver):
        values = {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data",
            "maillog_file": self.folder / "log",
            "maillog_file_prefixes": self.folder,
            "mail_owner": "postfix",
            "myhostname": "bench.example.org",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": "private/auth",
            "smtpd_tls_cert_file": self.certificate,
            "smtpd_tls_key_file": self.key,
            "smtpd_tls_auth_only": "yes",
            "message_size_limit": 41943040,
        }
        if sink:
            values["relayhost"] = f"[{sink[0]}]:{sink[1]}"
        if not deliver:
            values["smtpd_data_restrictions"] = "check_client_access static:HOLD"
        (self.folder / "conf/main.cf").write_text("".join(f"{name} = {value}\n" for name, value in values.items()))
        (self.folder / "conf/master.cf").write_text(MASTER.format(**ports).lstrip())

    def start(self, ports, sink, deliver):
        self.write_conf(ports, sink, deliver)
        fetch.call(["postfix", "-c", self.folder / "conf", "check"])
        self.spawn(["dovecot", "-F", "-c", self.folder / "dovecot.conf"], self.folder / "dovecot.log")
        self.await_ready((self.folder / "queue/private/auth").exists, self.folder / "dovecot.log")
        programs = fetch.call(["postconf", "-c", self.folder / "conf", "-h", "daemon_directory"]).strip()
        self.spawn([f"{programs}/master", "-s", "-c", self.folder / "conf"], self.folder / "log")  # as postfix start-fg does
        self.await_ports(ports, self.folder / "log")

    def stop(self):
        self.processes.reverse()  # Postfix first, then what it asks
        super().stop()
        (self.folder / "queue/private/auth").unlink(missing_ok=True)

    def gate_pids(self):
        done = subprocess.run(["ps", "-o", "pid=,comm=", "-p", ",".join(map(str, self.pids()))], capture_output=True, text=True,
                              check=False)
        return [int(line.split()[0]) for line in done.stdout.splitlines() if line.split()[1] == "smtpd"]

    def settings(self):
        return SETTINGS

    def reset(self):
        for name in ("maildrop", "incoming", "active", "deferred", "hold", "defer", "bounce", "trace", "corrupt", "flush"):
            if (self.folder / "queue" / name).exists():
                empty(self.folder / "queue" / name)


PEER = Postfix
