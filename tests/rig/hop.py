"""rig/hop.py: a next hop (SMTP or LMTP) that does exactly as its script says, well-behaved or not, and remembers every octet
it was sent. One thread for each connection.

A script gives an answer for a verb; what it does not name is answered as a good server would:

    Hop({"RCPT": lambda hop, argument: "550 5.1.1 no such user" if "nobody" in argument else None,
         "EOD": Turns("451 4.3.0 not now", "250 2.0.0 done"),
         "CONNECT": Stall(60)})

Verbs: CONNECT (the greeting), EHLO, LHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, EOD (the reply to the content, by DATA),
BDAT (the reply to a chunk), RSET, NOOP, QUIT. An answer: text (lines joined by LF), octets (sent as they are), None (the usual
one), an act (Drop, Stall, Hang), or a function of session and argument that gives one of these."""
import base64
import hashlib
import hmac
import os
import secrets
import select
import socket
import ssl
import struct
import threading
import time

from rig.patience import PATIENCE
from rig.server import free_port, shared_certificate

KEYWORDS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8")


class Gone(Exception):
    """This connection is over."""


class Drop:
    """Ends the connection; with a reset where asked."""

    def __init__(self, reset=False):
        self.reset = reset


class Stall:
    """Waits, then answers."""

    def __init__(self, seconds, then=None):
        self.seconds, self.then = seconds, then


class Hang:
    """Never answers again, until the other side has gone or the test ends."""


class Last:
    """Answers and closes."""

    def __init__(self, answer):
        self.answer = answer


class Turns:
    """One answer after the other, over all connections; the last one stays."""

    def __init__(self, *answers):
        self.answers, self.lock = list(answers), threading.Lock()

    def take(self):
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Mail:
    """One message that was accepted. content: dots unstuffed, as the sender meant it. wire: as it came."""

    def __init__(self, session):
        self.sender, self.parameters, self.recipients = None, "", []
        self.content, self.wire, self.verb, self.chunks = b"", b"", None, 0
        self.is_tls, self.session, self.time = session.is_tls, session, None

    @property
    def addresses(self):
        return [address for address, _ in self.recipients]

    @property
    def header(self):
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def body(self):
        return self.content.partition(b"\r\n\r\n")[2]


def split_path(argument):
    """FROM:<a@b> X=Y to address and parameters."""
    path, _, parameters = argument.partition(">")
    return path.partition("<")[2], parameters.strip()


class Session(threading.Thread):
    def __init__(self, hop, connection):
        super().__init__(daemon=True, name=f"{hop.name}-session")
        self.hop, self.socket = hop, connection
        self.buffer = b""
        self.is_tls = False
        self.lines = []      # what came, command by command
        self.flights = []    # the octets that came between two answers of ours
        self.replies = []
        self.user = None
        self.sni = None
        self.mail = None
        self.accepted = []   # recipients of the open transaction
        self.has_ended = False
        self.is_leaving = False
        self.opened = time.monotonic()

    # Octets

    def receive(self):
        try:
            self.socket.settimeout(self.hop.patience)
            octets = self.socket.recv(262144)
        except (OSError, ssl.SSLError):
            raise Gone from None
        if not octets:
            raise Gone
        self.buffer += octets
        self.hop.octets += len(octets)

    def settle(self):
        """Everything that the other side sends without waiting for us is one flight."""
        if not self.hop.quiet:
            return
        while True:
            if self.is_tls and self.socket.pending():
                self.receive()
                continue
            if select.select([self.socket], [], [], self.hop.quiet)[0]:
                self.receive()
            elif not self.hop.flight or not self.buffer.startswith(b"MAIL") or self.buffer.endswith(self.hop.flight):
                break
        if self.buffer:
            self.flights.append(self.buffer)

    def read_line(self):
        while b"\r\n" not in self.buffer:
            self.receive()
            self.settle()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def read_exactly(self, count):
        parts, have = [], 0
        while have < count:
            if not self.buffer:
                self.receive()
            part, self.buffer = self.buffer[:count - have], self.buffer[count - have:]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def send(self, octets):
        try:
            self.socket.settimeout(self.hop.patience)
            self.socket.sendall(octets)
        except (OSError, ssl.SSLError):
            raise Gone from None

    def end(self, reset=False):
        try:
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if self.is_tls and not reset:
                self.socket.settimeout(0.2)
                self.socket.unwrap()
        except (OSError, ssl.SSLError, ValueError):
            pass
        try:
            if self.is_tls and reset:
                os.close(self.socket.detach())
            else:
                self.socket.close()
        except OSError:
            pass

    def cut(self):
        """Ends the connection from another thread, which may be waiting in it: closing would not wake that one."""
        try:
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:
            pass

    # Answers

    def answer(self, verb, argument, usual, note=None):
        """Sends the answer of the script or the usual one. Its code. note: told the code before the other side can know it."""
        scripted = self.hop.script.get(verb)
        while True:
            if isinstance(scripted, Turns):
                scripted = scripted.take()
            elif isinstance(scripted, Stall):
                if self.hop.stopping.wait(scripted.seconds):
                    raise Gone
                scripted = scripted.then
            elif callable(scripted):
                scripted = scripted(self, argument)
            else:
                break
        if isinstance(scripted, Hang):
            self.hop.stopping.wait(self.hop.patience)
            raise Gone
        if isinstance(scripted, Drop):
            self.end(scripted.reset)
            raise Gone
        is_last = isinstance(scripted, Last)
        if is_last:
            scripted = scripted.answer
        reply = usual if scripted is None else scripted
        octets = reply if isinstance(reply, bytes) else reply.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n"
        code = int(octets[:3]) if octets[:3].isdigit() else 0
        self.replies.append(octets)
        if note:
            note(code)
        self.send(octets)
        self.is_leaving = self.is_leaving or is_last
        return code

    def offer(self):
        keywords = list(self.hop.keywords(self) if callable(self.hop.keywords) else self.hop.keywords)
        if self.hop.tls and not self.is_tls:
            keywords.append("STARTTLS")
        if self.hop.credentials and (self.is_tls or self.hop.is_loose):
            keywords.append("AUTH " + self.hop.mechanisms)
        lines = [f"{self.hop.name} greets you", *keywords]
        return "\n".join(f"250{'-' if at + 1 < len(lines) else ' '}{line}" for at, line in enumerate(lines))

    # Commands

    def run(self):
        try:
            if self.hop.tls == "implicit":
                self.handshake()
            self.answer("CONNECT", "", f"220 {self.hop.name} {'LMTP' if self.hop.is_lmtp else 'ESMTP'}")
            while not self.is_leaving:
                line = self.read_line()
                self.lines.append(line.decode("utf-8", "surrogateescape"))
                verb, _, argument = self.lines[-1].partition(" ")
                handler = getattr(self, "do_" + verb.lower(), None)
                if handler:
                    handler(argument)
                else:
                    self.answer(verb.upper(), argument, "500 5.5.2 what?")
        except Gone:
            pass
        finally:
            self.end()
            self.has_ended = True

    def handshake(self):
        def remember(_socket, name, _context):
            self.sni = name

        self.hop.context.sni_callback = remember
        try:
            self.socket.settimeout(self.hop.patience)
            self.socket = self.hop.context.wrap_socket(self.socket, server_side=True)
        except (OSError, ssl.SSLError):
            raise Gone from None
        self.is_tls, self.buffer = True, b""

    def reset(self):
        self.mail, self.accepted = None, []

    def do_ehlo(self, argument):
        self.reset()
        self.answer("EHLO", argument, "500 5.5.1 LHLO please" if self.hop.is_lmtp else self.offer())

    def do_lhlo(self, argument):
        self.reset()
        self.answer("LHLO", argument, self.offer() if self.hop.is_lmtp else "500 5.5.1 EHLO please")

    def do_helo(self, argument):
        self.reset()
        self.answer("HELO", argument, f"250 {self.hop.name}")

    def do_starttls(self, argument):
        if self.answer("STARTTLS", argument, "220 2.0.0 go ahead") == 220:
            self.handshake()

    def do_auth(self, argument):
        scripted = self.hop.script.get("AUTH")
        if scripted is not None:
            self.answer("AUTH", argument, "")
        elif argument.startswith("SCRAM-SHA-256 "):
            self.scram(argument.partition(" ")[2])
        else:
            mechanism, _, initial = argument.partition(" ")
            if not initial:
                self.answer("334", "", "334 ")
                initial = self.read_line().decode()
            _, user, password = base64.b64decode(initial).decode().split("\0")
            self.finish_login(user, password == self.hop.credentials.get(user))

    def finish_login(self, user, is_good):
        self.user = user if is_good else None
        self.answer("235", "", "235 2.7.0 welcome" if is_good else "535 5.7.8 no")

    def scram(self, initial):
        first = base64.b64decode(initial).decode()
        bare = first.split(",", 2)[2]
        fields = dict(part.split("=", 1) for part in bare.split(","))
        password = self.hop.credentials.get(fields["n"], "")
        salt, count = secrets.token_bytes(16), 4096
        nonce = fields["r"] + secrets.token_hex(8)
        server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={count}"
        self.answer("334", "", "334 " + base64.b64encode(server_first.encode()).decode())
        final = base64.b64decode(self.read_line()).decode()
        without, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, count)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        message = f"{bare},{server_first},{without}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        good = base64.b64decode(proof) == bytes(a ^ b for a, b in zip(client_key, signature))
        if not good:
            return self.finish_login(fields["n"], False)
        verifier = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        self.answer("334", "", "334 " + base64.b64encode(b"v=" + base64.b64encode(verifier)).decode())
        self.read_line()
        self.finish_login(fields["n"], True)

    def do_mail(self, argument):
        if self.answer("MAIL", argument, "250 2.1.0 sender ok") // 100 == 2:
            self.reset()
            self.mail = Mail(self)
            self.mail.sender, self.mail.parameters = split_path(argument)

    def do_rcpt(self, argument):
        if self.answer("RCPT", argument, "250 2.1.5 recipient ok" if self.mail else "503 5.5.1 MAIL first") // 100 == 2:
            self.accepted.append(split_path(argument))

    def do_data(self, argument):
        if self.answer("DATA", argument, "354 go ahead" if self.accepted else "554 5.5.1 no valid recipients") != 354:
            return
        wire = self.read_content()
        content = (b"\r\n" + wire[:-3]).replace(b"\r\n.", b"\r\n")[2:]
        self.finish("DATA", wire, content)

    def read_content(self):
        """Up to the lone dot and not an octet further: pipelined commands may follow."""
        seen, looked = bytearray(b"\r\n"), 0
        while True:
            seen += self.buffer
            self.buffer = b""
            at = seen.find(b"\r\n.\r\n", max(0, looked - 5))
            if at >= 0:
                self.buffer = bytes(seen[at + 5:])
                return bytes(seen[2:at + 5])
            looked = len(seen)
            self.receive()

    def finish(self, verb, wire, content, event="EOD"):
        mail = self.mail or Mail(self)
        mail.verb, mail.wire, mail.content, mail.time = verb, wire, content, time.monotonic()
        accepted, codes = self.accepted, []

        def note(code):
            codes.append(code)
            if self.hop.is_lmtp and len(codes) < len(accepted):
                return
            mail.recipients = [who for at, who in enumerate(accepted) if codes[at if self.hop.is_lmtp else 0] // 100 == 2]
            self.hop.attempts.append(mail)
            if mail.recipients:
                self.hop.accept(mail)
        for address in [address for address, _ in accepted] if self.hop.is_lmtp else [""]:
            self.answer(event, address, "250 2.0.0 delivered" if self.hop.is_lmtp else "250 2.0.0 taken", note)
        self.reset()

    def do_bdat(self, argument):
        words = argument.split()
        octets = self.read_exactly(int(words[0]))
        is_last = len(words) > 1
        if not self.accepted:
            self.answer("BDAT", argument, "554 5.5.1 no valid recipients" if self.mail else "503 5.5.1 MAIL first")
            return
        self.mail.chunks += 1
        self.mail.content += octets
        if is_last:
            self.finish("BDAT", self.mail.content, self.mail.content, "BDAT" if "BDAT" in self.hop.script else "EOD")
        elif self.answer("BDAT", argument, f"250 2.0.0 {len(octets)} octets") // 100 != 2:
            self.reset()

    def do_rset(self, argument):
        self.reset()
        self.answer("RSET", argument, "250 2.0.0 reset")

    def do_noop(self, argument):
        self.answer("NOOP", argument, "250 2.0.0 ok")

    def do_quit(self, argument):
        self.answer("QUIT", argument, "221 2.0.0 bye")
        self.is_leaving = True


class Hop:
    """host, port or a unix socket. tls: None, "starttls" or "implicit". credentials: user to password. quiet: seconds of
    silence that end a flight; then flights are recorded. flight: how the one with MAIL has to end: until then nothing is answered.
    patience: how long a silent client is kept."""

    def __init__(self, script=None, host="127.0.0.1", port=None, unix=None, lmtp=False, keywords=KEYWORDS, tls=None,
                 certificate=None, credentials=None, mechanisms="SCRAM-SHA-256 PLAIN", is_loose=False, name="mx.example.org",
                 quiet=None, flight=None, patience=PATIENCE, start=True):
        self.script, self.host, self.unix, self.is_lmtp = dict(script or {}), host, unix, lmtp
        self.port = port or (None if unix else free_port())
        self.keywords, self.tls, self.credentials, self.mechanisms = keywords, tls, credentials or {}, mechanisms
        self.is_loose, self.name, self.quiet, self.flight, self.patience = is_loose, name, quiet, flight, patience
        self.sessions, self.mails, self.attempts, self.octets = [], [], [], 0
        self.on_mail = None
        self.changed, self.stopping = threading.Condition(), threading.Event()
        self.listener = None
        if tls:
            key, chain = certificate or shared_certificate()
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(chain, key)
        if start:
            self.start()

    @property
    def address(self):
        return f"unix:{self.unix}" if self.unix else f"{self.host}:{self.port}"

    def start(self):
        if self.unix:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(str(self.unix))
            os.chmod(self.unix, 0o666)
        else:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self.listener = socket.socket(family, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.host, self.port))
        self.listener.listen(256)
        threading.Thread(target=self.accept_all, args=(self.listener,), daemon=True, name=f"{self.name}-accept").start()
        return self

    def accept_all(self, listener):
        while not self.stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if not self.unix:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, connection)
            self.sessions.append(session)
            session.start()

    def close_listener(self):
        """From now on connections are refused; those that are open go on."""
        if self.listener:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None
            if self.unix:
                os.unlink(self.unix)

    def stop(self):
        self.stopping.set()
        self.close_listener()
        for session in self.sessions:
            if not session.has_ended:
                session.cut()

    def accept(self, mail):
        with self.changed:
            self.mails.append(mail)
            self.changed.notify_all()
        if self.on_mail:
            self.on_mail(mail)

    def await_mails(self, count, wait=PATIENCE):
        """The first mails, once that many have come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.mails) >= count, wait), \
                f"{len(self.mails)} of {count} messages after {wait} s; heard: {self.heard()[-40:]}"
            return self.mails[:count]

    def await_mail(self, wait=PATIENCE):
        return self.await_mails(1, wait)[0]

    def await_line(self, text, wait=PATIENCE, count=1):
        """Until that many commands begin with this text, over all sessions."""
        end = time.monotonic() + wait
        while True:
            found = [line for line in self.heard() if line.upper().startswith(text.upper())]
            if len(found) >= count:
                return found
            assert time.monotonic() < end, f"{text!r} was heard {len(found)} times, not {count}, in {wait} s: {self.heard()[-40:]}"
            time.sleep(0.02)

    def await_sessions(self, count, wait=PATIENCE):
        end = time.monotonic() + wait
        while len(self.sessions) < count:
            assert time.monotonic() < end, f"{len(self.sessions)} connections after {wait} s, not {count}"
            time.sleep(0.02)
        return self.sessions

    def heard(self):
        return [line for session in list(self.sessions) for line in list(session.lines)]
