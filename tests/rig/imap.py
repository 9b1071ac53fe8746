"""rig/imap.py: an IMAP server that knows URLFETCH and no more, well-behaved or not. One thread for each connection.

A script gives an answer at a stage; what it does not name is answered as a good server would:

    Imap({"URLFETCH": b"* BYE\\r\\n", "GREETING": Hang})

Stages: CONNECT (before TLS), GREETING, STARTTLS, CAPABILITY, AUTHENTICATE (its challenge), PASSWORD (the reply to the octets of
the login), URLFETCH (the whole reply, its tag as %TAG%), LITERAL (in the midst of the content), DONE (the tagged reply behind the
content). An answer: octets (sent as they are), Drop, Hang, or a function of the session that gives one of these."""
import base64
import re
import socket
import ssl
import struct
import threading
import time

from rig.patience import PATIENCE
from rig.server import free_port, shared_certificate

SUBMIT, SECRET = "submit", "the submission server's own"


class Gone(Exception):
    """This connection is over."""


class Drop:
    """Ends the connection, with a reset."""


class Hang:
    """Never says anything again, until the other side has gone or the test ends."""


class Session:
    def __init__(self, imap, connection):
        self.imap, self.connection, self.buffer = imap, connection, b""
        self.is_tls = self.is_logged_in = False
        self.tag = b""

    # Octets

    def send(self, octets):
        self.connection.sendall(octets)

    def read_line(self):
        while b"\r\n" not in self.buffer:
            octets = self.connection.recv(65536)
            if not octets:
                raise Gone
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        self.imap.lines.append(line)
        return line

    def secure(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.imap.certificate[1], self.imap.certificate[0])
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.is_tls, self.buffer = True, b""

    def act(self, stage, usual):
        """Says what the script has for the stage, or the usual. False: the script had something."""
        answer = self.imap.script.get(stage)
        if callable(answer) and not isinstance(answer, type):
            answer = answer(self)
        if answer is Drop:
            raw = self.connection
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Gone
        if answer is Hang:
            while not self.imap.ending.wait(0.05):
                try:
                    self.connection.settimeout(0.05)
                    if not self.connection.recv(65536):
                        raise Gone
                except (TimeoutError, ssl.SSLWantReadError):
                    pass
            raise Gone
        if answer is None:
            if usual is not None:
                self.send(usual)
            return True
        self.send(answer.replace(b"%TAG%", self.tag))
        return False

    # The dialogue

    def run(self):
        self.act("CONNECT", None)
        if self.imap.tls == "implicit":
            self.secure()
        self.act("GREETING", b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        while True:
            self.tag, _, rest = self.read_line().partition(b" ")
            verb, _, argument = rest.partition(b" ")
            handler = getattr(self, "on_" + verb.decode("ascii", "replace").lower(), None)
            if not handler:
                self.send(self.tag + b" BAD unknown\r\n")
                continue
            handler(argument)

    def on_starttls(self, _):
        if self.act("STARTTLS", self.tag + b" OK begin\r\n"):
            self.secure()

    def on_capability(self, _):
        words = b"AUTH=PLAIN" if self.is_tls else b"STARTTLS LOGINDISABLED"
        self.act("CAPABILITY", b"* CAPABILITY IMAP4rev1 URLAUTH " + words + b"\r\n" + self.tag + b" OK done\r\n")

    def on_authenticate(self, mechanism):
        self.imap.logins.append(mechanism)
        self.act("AUTHENTICATE", b"+ \r\n")
        words = base64.b64decode(self.read_line()).split(b"\0")
        self.is_logged_in = self.is_tls and words[1:] == [SUBMIT.encode(), SECRET.encode()]
        self.act("PASSWORD", self.tag + (b" OK welcome\r\n" if self.is_logged_in else b" NO [AUTHENTICATIONFAILED] no\r\n"))

    def on_urlfetch(self, argument):
        url = re.fullmatch(rb'"([^"\\]*)"', argument).group(1)
        self.imap.asked.append(url.decode())
        if not self.act("URLFETCH", b""):
            return
        content = self.imap.contents.get(url.decode()) if self.is_logged_in else None
        if content is None:
            self.send(b"* URLFETCH " + url + b" NIL\r\n")
        else:
            half = len(content) // 2
            self.send(b"* URLFETCH " + url + b" {%d}\r\n" % len(content) + content[:half])
            self.act("LITERAL", b"")
            self.send(content[half:] + b"\r\n")
        self.act("DONE", self.tag + b" OK done\r\n")

    def on_logout(self, _):
        self.send(b"* BYE\r\n" + self.tag + b" OK\r\n")
        raise Gone


class Imap:
    """contents: URL to octets. certificate: key and chain."""

    def __init__(self, script=None, tls="implicit", certificate=None):
        self.script, self.tls = script or {}, tls
        self.certificate = certificate or shared_certificate()
        self.contents, self.asked, self.lines, self.logins = {}, [], [], []
        self.connections = 0
        self.ending = threading.Event()
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.settimeout(0.1)
        self.threads = []
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while not self.ending.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                continue
            connection.settimeout(PATIENCE)
            self.connections += 1
            thread = threading.Thread(target=self.serve, args=(connection,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def serve(self, connection):
        session = Session(self, connection)
        try:
            session.run()
        except (Gone, OSError, ValueError):
            pass
        finally:
            session.connection.close()

    def stop(self):
        self.ending.set()
        self.accepting.join(PATIENCE)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)

    def await_idle(self, wait=PATIENCE):
        """Until nobody is connected."""
        end = time.monotonic() + wait
        while any(thread.is_alive() for thread in self.threads):
            assert time.monotonic() < end, "somebody is connected still"
            time.sleep(0.02)
