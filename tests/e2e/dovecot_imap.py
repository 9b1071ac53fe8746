"""e2e/dovecot_imap.py: a Dovecot of its own that serves IMAP with URLAUTH; needs root."""
import imaplib
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from e2e.programs import need
from rig.imap import SECRET, SUBMIT
from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT, PASSWORD, free_port, make_folder, shared_certificate

OWNER = 61191  # a user that nobody is: owns the Maildir folders

CONF = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = submitd-imap-{port}
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
auth_mechanisms = plain {mechanisms}
mail_location = maildir:~/Maildir
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = {owner}
mail_attribute_dict = file:%h/dovecot-attributes
imap_urlauth_host = localhost
imap_urlauth_submit_user = {submit}
passdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service auth {{
  unix_listener token-login/tokenlogin {{
    mode = 0
  }}
  unix_listener token-login/real-tokenlogin {{
    mode = 0666
  }}
}}
"""

for verb in ("GENURLAUTH", "URLFETCH"):
    imaplib.Commands[verb] = ("AUTH", "SELECTED")


class Mender:
    """Dovecot 2.3.19.1 as Debian 12 has it does not tell its own URLAUTH service that the mechanism between them is private, and
    that service then fails an assertion at the first URLFETCH of a submission server. This stands between the two and adds the
    word; everything else is Dovecot's."""

    def __init__(self, real, path):
        self.real = real
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen(20)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            auth = socket.socket(socket.AF_UNIX)
            auth.connect(str(self.real))
            for one, other in ((client, auth), (auth, client)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    @staticmethod
    def pump(one, other):
        try:
            while octets := one.recv(65536):
                other.sendall(octets.replace(b"MECH\tDOVECOT-TOKEN\n", b"MECH\tDOVECOT-TOKEN\tprivate\n"))
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class DovecotImap:
    """users: the logins that exist, all with the usual password."""

    def __init__(self, users, mechanisms=""):
        if not IS_ROOT:
            pytest.skip("Dovecot starts as root only")
        need("dovecot")
        if not os.path.exists("/usr/lib/dovecot/imap-urlauth"):
            pytest.skip("dovecot-imapd is not installed")
        self.folder, self.port, self.tls_port = make_folder("dovecot-imap"), free_port(), free_port()
        self.process = self.mender = None
        self.key, self.certificate = shared_certificate()
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", OWNER, OWNER)
        passwords = {**{user: PASSWORD for user in users}, SUBMIT: SECRET}
        (self.folder / "users").write_text("".join(f"{user}:{{PLAIN}}{password}:{OWNER}:{OWNER}::{self.folder}/mail/{user}::\n"
                                                   for user, password in passwords.items()))
        (self.folder / "dovecot.conf").write_text(CONF.format(folder=self.folder, port=self.port, tls_port=self.tls_port, key=self.key,
                                                              certificate=self.certificate, owner=OWNER, submit=SUBMIT, mechanisms=mechanisms))

    def start(self):
        said = open(self.folder / "said", "wb")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "dovecot.conf"], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        said.close()
        real = self.folder / "run/token-login/real-tokenlogin"
        await_true(lambda: real.exists() or self.process.poll() is not None, self.log)
        if self.process.poll() is not None:
            pytest.skip(f"Dovecot does not run here: {self.log()[-300:]}")
        self.mender = Mender(real, real.with_name("tokenlogin"))
        return self

    def stop(self):
        if self.mender:
            self.mender.stop()
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

    def client(self, user):
        """Logged in over TLS."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        client = imaplib.IMAP4_SSL("localhost", self.tls_port, ssl_context=context)
        client.login(user, PASSWORD)
        return client

    def upload(self, user, content, mailbox="Sent"):
        """Puts a message into a mailbox; its UIDVALIDITY and UID."""
        client = self.client(user)
        client.create(mailbox)
        done, words = client.append(mailbox, None, None, content)
        assert done == "OK" and b"APPENDUID" in words[0], words
        client.logout()
        _, validity, uid = words[0].partition(b"]")[0].split()
        return int(validity), int(uid)

    def remove(self, user, place, mailbox="Sent"):
        client = self.client(user)
        client.select(mailbox)
        client.uid("STORE", str(place[1]), "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()

    def authorize(self, user, rump):
        """GENURLAUTH, as the user; the whole URL."""
        client = self.client(user)
        done, words = client._simple_command("GENURLAUTH", f'"{rump}" INTERNAL')
        assert done == "OK", words
        url = client.untagged_responses["GENURLAUTH"][-1].decode().strip('"')
        client.logout()
        return url
