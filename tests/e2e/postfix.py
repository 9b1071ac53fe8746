"""e2e/postfix.py: a Postfix of its own: own folders, own port, deliveries to a Maildir; needs root."""
import os
import re
import shutil
import subprocess
import time

import pytest

from e2e.programs import need
from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT, free_port, make_folder, shared_certificate

OWNER = 61190  # a user that nobody is: owns the Maildir

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
local     unix  - n n - - local
virtual   unix  - n n - - virtual
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
mail_owner = postfix
myhostname = hop.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = {maps}
virtual_mailbox_limit = 0
virtual_uid_maps = static:{owner}
virtual_gid_maps = static:{owner}
virtual_minimum_uid = 1000
message_size_limit = 83886080
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = {tls}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
smtputf8_enable = yes
smtputf8_autodetect_classes = all
"""


class Postfix:
    """domains: whose mail it takes. tls: as smtpd_tls_security_level."""

    def __init__(self, domains, tls="may", maps="static:box/", extra=""):
        if not IS_ROOT:
            pytest.skip("Postfix starts as root only")
        need("postfix", "postconf")
        self.folder, self.port = make_folder("postfix"), free_port()
        self.conf = self.folder / "conf"
        key, certificate = shared_certificate()
        words = {"folder": self.folder, "port": self.port, "domains": " ".join(domains), "maps": maps, "owner": OWNER,
                 "key": key, "certificate": certificate, "tls": tls}
        for name in ("conf", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        os.chown(self.folder / "mail", OWNER, OWNER)
        (self.conf / "main.cf").write_text(MAIN.format(**words) + extra)
        (self.conf / "master.cf").write_text(MASTER.format(**words))
        self.is_running = False

    def start(self):
        said = self.call("start")
        self.is_running = True
        await_true(lambda: "starting the Postfix mail system" in self.log(), lambda: said + self.log())
        return self

    def call(self, verb):
        done = subprocess.run(["postfix", "-c", self.conf, verb], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, text=True, check=False)
        assert done.returncode == 0, f"postfix {verb}: exit {done.returncode}: {done.stdout}{self.log()}"
        return done.stdout

    def stop(self):
        if self.is_running:
            self.is_running = False
            try:
                self.call("stop")
            except (AssertionError, subprocess.TimeoutExpired):
                subprocess.run(["postfix", "-c", self.conf, "abort"], capture_output=True, timeout=PATIENCE, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        path = self.folder / "postfix.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def await_log(self, pattern, wait=PATIENCE):
        return await_true(lambda: re.search(pattern, self.log(), re.M), lambda: f"{pattern!r} in Postfix's log:\n{self.log()[-3000:]}", wait)

    def await_mail(self, mark, wait=PATIENCE):
        """The delivered message with this text in its header."""
        end, seen = time.monotonic() + wait, set()
        while True:
            for path in set(self.folder.glob("mail/box/new/*")) - seen:
                seen.add(path)
                octets = path.read_bytes()
                if mark.encode() in octets.partition(b"\n\n")[0]:
                    return octets
            assert time.monotonic() < end, f"Postfix has no message with {mark!r} after {wait} s:\n{self.log()[-3000:]}"
            time.sleep(0.05)
