"""e2e/dovecot.py: a Dovecot of its own that takes mail by LMTP, at a unix socket and at a TCP port; needs root."""
import os
import shutil
import subprocess

import pytest

from e2e.programs import need
from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT, free_port, make_folder, shared_certificate

OWNER = 61191  # a user that nobody is: owns the Maildir folders

CONF = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = submitd-{port}
log_path = {folder}/dovecot.log
protocols = lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{folder}/mail/%u
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = {owner}
lmtp_rcpt_check_quota = no
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot:
    """users: the addresses that exist."""

    def __init__(self, users):
        if not IS_ROOT:
            pytest.skip("Dovecot starts as root only")
        need("dovecot")
        if not os.path.exists("/usr/lib/dovecot/lmtp"):
            pytest.skip("dovecot-lmtpd is not installed")
        self.folder, self.port, self.process = make_folder("dovecot"), free_port(), None
        self.socket = self.folder / "lmtp"
        key, certificate = shared_certificate()
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", OWNER, OWNER)
        (self.folder / "users").write_text("".join(f"{user}:{{PLAIN}}x:{OWNER}:{OWNER}::{self.folder}/mail/{user}::\n" for user in users))
        (self.folder / "dovecot.conf").write_text(CONF.format(folder=self.folder, port=self.port, key=key, certificate=certificate, owner=OWNER))

    def start(self):
        said = open(self.folder / "said", "wb")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "dovecot.conf"], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        said.close()
        await_true(lambda: self.socket.exists() or self.process.poll() is not None, self.log)
        if self.process.poll() is not None:
            pytest.skip(f"Dovecot does not run here: {self.log()[-300:]}")
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return "".join((self.folder / name).read_text(errors="backslashreplace") for name in ("said", "dovecot.log")
                       if (self.folder / name).exists())

    def await_mail(self, user, mark, wait=PATIENCE):
        def find():
            for path in self.folder.glob(f"mail/{user}/new/*"):
                octets = path.read_bytes()
                if mark.encode() in octets:
                    return octets
            return None
        return await_true(find, lambda: f"{user} has no message with {mark!r}:\n{self.log()[-3000:]}", wait)

    def count(self, user):
        return len(list(self.folder.glob(f"mail/{user}/new/*")))
