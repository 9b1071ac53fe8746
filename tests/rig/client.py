"""rig/client.py: a mail program under full control: says what it is told, octet by octet, and checks each reply."""
import base64
import ctypes
import hashlib
import hmac
import os
import secrets
import select
import socket
import ssl
import struct
import time
import warnings

from rig import replies
from rig.patience import PATIENCE

HOSTNAME = "msa.example.net"


def b64(text):
    octets = text.encode() if isinstance(text, str) else text
    return base64.b64encode(octets).decode()


class Closed(AssertionError):
    """The server ended the connection where a reply was due."""


class Connection:
    """One TCP connection. hostname: what the server calls itself."""

    def __init__(self, address, source=None, timeout=PATIENCE, hostname=HOSTNAME):
        self.hostname, self.timeout = hostname, timeout
        self.buffer = b""
        self.is_tls = False
        self.is_closed_cleanly = None
        self.transcript = []
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)

    def note(self, mark, octets):
        shown = octets if len(octets) <= 400 else octets[:300] + b"...(%d octets)" % len(octets)
        self.transcript.append(f"{mark} {shown!r}")

    # TLS

    def secure(self, name=None, version=None, ciphers=None, server_certificate=None, extended=True, own=None):
        """Shakes hands. version: "1.2" or "1.3" alone. server_certificate: what to trust; None: anything. extended: with
        the extended master secret (RFC 7627) in TLS 1.2. own: a client certificate to show, as (certificate, key)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if server_certificate:
            context.load_verify_locations(server_certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        if version:
            wanted = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
            if version == "1.1":
                context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = wanted
        if ciphers:
            context.set_ciphers(ciphers)
        if not extended:
            context.options |= 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, for which Python has no name
        if own:
            context.load_cert_chain(*own)
        self.socket = context.wrap_socket(self.socket, server_hostname=name, suppress_ragged_eofs=False)
        self.is_tls = True
        self.note("==", f"{self.socket.version()} {self.socket.cipher()[0]}".encode())

    def certificate(self):
        """The server's certificate, DER."""
        return self.socket.getpeercert(binary_form=True)

    def binding(self, kind):
        """The octets of a channel binding as the client sees them: tls-unique, or tls-exporter (RFC 9266), which Python's
        ssl does not know: asked of OpenSSL itself, whose SSL lies behind two words and the socket in Python's object."""
        if kind == "tls-unique":
            return self.socket.get_channel_binding(kind) or b""
        ssl_pointer = ctypes.c_void_p.from_address(id(self.socket._sslobj) + 3 * ctypes.sizeof(ctypes.c_void_p))
        label, octets = b"EXPORTER-Channel-Binding", ctypes.create_string_buffer(32)
        library = ctypes.CDLL("libssl.so.3")
        done = library.SSL_export_keying_material(ssl_pointer, octets, ctypes.c_size_t(32), label, ctypes.c_size_t(len(label)), b"",
                                                  ctypes.c_size_t(0), 1)
        assert done == 1
        return octets.raw

    # Octets

    def send(self, octets):
        octets = octets.encode() if isinstance(octets, str) else octets
        self.note(">", octets)
        self.socket.sendall(octets)

    def receive(self, timeout=None):
        """More octets into the buffer. False at the end of the stream."""
        self.socket.settimeout(self.timeout if timeout is None else max(timeout, 0.001))
        try:
            octets = self.socket.recv(65536)
        except ssl.SSLEOFError:
            self.is_closed_cleanly = False
            return False
        except ConnectionError:
            self.is_closed_cleanly = False
            return False
        if not octets:
            self.is_closed_cleanly = True
            return False
        self.buffer += octets
        return True

    def read_line(self, timeout=None):
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while b"\n" not in self.buffer:
            if not self.receive(end - time.monotonic()):
                raise Closed(f"closed instead of a reply; received {self.buffer!r}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        line += b"\n"
        self.note("<", line)
        return line

    def read_reply(self, timeout=None):
        raw = [self.read_line(timeout)]
        while not replies.is_last(raw[-1]):
            raw.append(self.read_line(timeout))
        return replies.parse(raw, self.hostname)

    def is_silent(self, seconds):
        """Does nothing come, not even the end, for that long?"""
        if self.buffer or (self.is_tls and self.socket.pending()):
            return False
        readable, _, _ = select.select([self.socket], [], [], seconds)
        return not readable

    def await_read(self, wait=PATIENCE):
        """Until the server's process has taken in all that was sent, as the kernel tells it, and a moment more. IPv4 alone."""
        ours, theirs = (name_in_kernel(*name) for name in (self.socket.getsockname(), self.socket.getpeername()))
        end = time.monotonic() + wait
        while time.monotonic() < end:
            with open("/proc/net/tcp", encoding="ascii") as file:
                queues = {words[1] + words[2]: words[4] for words in map(str.split, file)}
            unsent, unread = queues.get(ours + theirs, "0:0"), queues.get(theirs + ours, "0:0")
            if int(unsent.partition(":")[0], 16) + int(unread.partition(":")[2], 16) == 0:
                break
            time.sleep(0.01)
        time.sleep(0.1)

    def await_close(self, timeout=None):
        """Octets that come before the end of the stream; an empty string where it ends at once."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self.receive(end - time.monotonic()):
            pass
        rest, self.buffer = self.buffer, b""
        self.note("--", b"closed " + (b"cleanly" if self.is_closed_cleanly else b"without close_notify or by reset"))
        return rest

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def drop(self):
        """A cable that is cut: a reset instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.is_tls:
            descriptor = self.socket.detach()
            os.close(descriptor)
        else:
            self.socket.close()

    # The dialogue

    def command(self, line, timeout=None):
        octets = line.encode() if isinstance(line, str) else line
        self.send(octets + b"\r\n")
        return self.read_reply(timeout)

    def expect(self, line, *wanted):
        """Says the line; wanted: brief forms such as "250 2.1.0", one of which has to come."""
        reply = self.command(line)
        assert reply.brief in wanted, f"{line!r}: wanted {' or '.join(wanted)}, got {reply}"
        return reply

    def hello(self, name="client.example"):
        """EHLO. The keywords with their parameters."""
        reply = self.expect(f"EHLO {name}", "250")
        return {line.split(" ")[0]: line.partition(" ")[2] for line in reply.lines[1:]}

    def start_tls(self, **how):
        self.expect("STARTTLS", "220 2.0.0")
        self.secure(**how)

    def login(self, user, password):
        return self.expect("AUTH PLAIN " + b64(f"\0{user}\0{password}"), "235 2.7.0")

    def mail(self, sender, recipients, content, parameters="", rcpt_parameters="", bdat=False):
        """A whole transaction; content with CRLF line ends, not dot-stuffed. The queue id."""
        self.expect(f"MAIL FROM:<{sender}>{' ' + parameters if parameters else ''}", "250 2.1.0")
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>{' ' + rcpt_parameters if rcpt_parameters else ''}", "250 2.1.5")
        return self.data(content, bdat)

    def data(self, content, bdat=False):
        content = content.encode() if isinstance(content, str) else content
        if bdat:
            self.send(b"BDAT %d LAST\r\n" % len(content) + content)
        else:
            self.expect("DATA", "354")
            self.send(stuff(content) + b".\r\n")
        reply = self.read_reply()
        assert reply.brief == "250 2.0.0", f"the message was refused: {reply}"
        return queue_id(reply)

    def quit(self):
        self.expect("QUIT", "221 2.0.0")
        assert self.await_close() == b""
        self.close()


def name_in_kernel(address, port):
    """As /proc/net/tcp has it."""
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"


def stuff(content):
    """Dot-stuffing, for content that ends with CRLF."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]


def queue_id(reply):
    word = reply.text.rpartition("queued as ")[2]
    assert len(word) == 26 and word.isalnum(), f"no queue id in {reply} (CMD-31)"
    return word


def message(subject="test", sender="alice@example.net", to="bob@example.org", body="Hello.\r\n", fields=""):
    return f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n{fields}\r\n{body}"


class Scram:
    """SCRAM (RFC 5802, RFC 7677), each message open to change by a test. binding: octets, for -PLUS."""

    def __init__(self, user, password, gs2="n,,", nonce=None, digest="sha256", binding=b""):
        self.password, self.gs2, self.digest, self.binding = password, gs2, digest, binding
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={nonce or secrets.token_urlsafe(18)}"

    def first(self):
        return b64(self.gs2 + self.bare)

    def read_challenge(self, challenge):
        self.server_first = base64.b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in self.server_first.split(","))
        self.nonce, self.salt, self.count = fields["r"], base64.b64decode(fields["s"]), int(fields["i"])

    def final(self, binding=None, nonce=None, extra=""):
        bare = f"c={binding or b64(self.gs2.encode() + self.binding)},r={nonce or self.nonce}{extra}"
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), self.salt, self.count)
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        self.auth_message = f"{self.bare},{self.server_first},{bare}".encode()
        signature = hmac.digest(hashlib.new(self.digest, client_key).digest(), self.auth_message, self.digest)
        proof = bytes(one ^ other for one, other in zip(client_key, signature))
        self.server_key = hmac.digest(salted, b"Server Key", self.digest)
        return b64(f"{bare},p={b64(proof)}")

    def is_server(self, challenge):
        """Has the server proved that it knows the verifier?"""
        return base64.b64decode(challenge).decode() == "v=" + b64(hmac.digest(self.server_key, self.auth_message, self.digest))


def login_scram(connection, user, password, mechanism="SCRAM-SHA-256", binding="tls-exporter"):
    """The whole exchange with SASL-5's last step; the final reply. binding: which, for -PLUS."""
    digest = "sha1" if "SHA-1" in mechanism else "sha256"
    if mechanism.endswith("-PLUS"):
        scram = Scram(user, password, f"p={binding},,", digest=digest, binding=connection.binding(binding))
    else:
        scram = Scram(user, password, digest=digest)
    reply = connection.command(f"AUTH {mechanism} " + scram.first())
    if reply.code != 334:
        return reply
    scram.read_challenge(reply.text)
    reply = connection.command(scram.final())
    if reply.code != 334:
        return reply
    assert scram.is_server(reply.text), "the server's signature is wrong"
    return connection.command("")
