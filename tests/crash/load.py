"""crash/load.py: clients that submit without a pause, each over one TLS connection after the other, and write down what they were
told about each message: that alone is what the judgement goes by."""
import base64
import dataclasses
import hashlib
import random
import ssl
import threading
import time

from rig.client import Closed, Connection, queue_id, stuff
from rig.replies import BadReply
from rig.server import PASSWORD

LOGIN = "alice@example.net"
MARK_FIELD, DIGEST_FIELD = "X-Mark", "X-Digest"

# What became of a message, as its client sees it.
UNSENT = "unsent"              # its last octet never left: must not arrive
REFUSED = "refused"            # got 4yz or 5yz: must not arrive
UNKNOWN = "unknown"            # all was sent, the connection ended without a reply: may arrive
ACKNOWLEDGED = "acknowledged"  # the 250 was read whole: must arrive


@dataclasses.dataclass
class Attempt:
    mark: str
    recipients: list
    digest: str
    octets: int
    state: str = UNSENT
    reply: str = ""
    identity: str = ""
    sent: float = 0.0     # its last octet
    answered: float = 0.0
    fault: str = ""
    wishes: str = ""      # parameters of each RCPT


class Refused(Exception):
    """A reply that is no success."""


class Client(threading.Thread):
    """pace: seconds of pause between messages at most. patience: for one reply. curious: the share of messages of whose delivery it
    wants to be told."""

    def __init__(self, server, number, seed, large, pace=0.05, patience=60.0, curious=0.0):
        super().__init__(daemon=True, name=f"client-{number}")
        self.server, self.number, self.large, self.pace, self.patience = server, number, large, pace, patience
        self.curious = curious
        self.chance = random.Random(f"{seed}/{number}")
        self.attempts, self.faults, self.sessions, self.interrupted = [], [], 0, 0
        self.ending = threading.Event()

    # Sessions

    def run(self):
        while not self.ending.is_set():
            connection = None
            try:
                connection = self.open()
                for _ in range(self.chance.randint(1, 20)):
                    if self.ending.is_set():
                        break
                    self.submit(connection)
                    self.ending.wait(self.chance.uniform(0, self.pace))
                connection.command("QUIT")
            except (Closed, Refused, OSError, ssl.SSLError) as error:
                self.note_end(error)
            except BadReply as error:
                self.faults.append(f"{time.monotonic():.3f} {self.name}: {error}")
            finally:
                if connection:
                    connection.close()

    def note_end(self, error):
        self.interrupted += 1
        if isinstance(error, TimeoutError):
            self.faults.append(f"{time.monotonic():.3f} {self.name}: no reply within {self.patience} s")
        self.ending.wait(self.chance.uniform(0.02, 0.2))

    def ask(self, connection, line, wanted):
        reply = connection.command(line)
        if reply.code != wanted:
            raise Refused(str(reply))
        return reply

    def open(self):
        listener = self.chance.choice(["465", "587"])
        connection = Connection(("127.0.0.1", self.server.ports[listener]), timeout=self.patience)
        try:
            if listener == "465":
                connection.secure()
            if connection.read_reply().code != 220:
                raise Refused("greeting")
            if listener == "587":
                self.ask(connection, "EHLO client.example", 250)
                self.ask(connection, "STARTTLS", 220)
                connection.secure()
            self.ask(connection, "EHLO client.example", 250)
            token = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
            self.ask(connection, "AUTH PLAIN " + token, 235)
        except BaseException:
            connection.close()
            raise
        self.sessions += 1
        return connection

    # Messages

    def size(self):
        kind = self.chance.random()
        if kind < 0.70:
            return self.chance.randint(100, self.large - 1024)
        if kind < 0.80:
            return self.chance.randint(self.large - 1024, self.large + 1024)
        return self.chance.randint(self.large, 20 * self.large) if kind < 0.97 else 60 * self.large

    def body(self):
        """Lines of all sorts, some with dots in front."""
        text = base64.b64encode(self.chance.randbytes(self.size() * 3 // 4)).decode()
        lines, at = [], 0
        while at < len(text):
            width = self.chance.choice([1, 60, 76, 300, 900])
            lines.append(("." if self.chance.random() < 0.1 else "") + text[at:at + width])
            at += width
        return ("\r\n".join(lines) + "\r\n").encode()

    def domains(self, kind):
        """One recipient mostly; now and then several, at one place or at three, in as many jobs."""
        own = "drop.example" if kind == "drop" else "example.org"
        return self.chance.choices([[own], [own] * 3, ["example.org", "second.example", "drop.example"]], [80, 8, 12])[0]

    def message(self):
        kind = self.chance.choices(["", "stay", "drop"], [88, 4, 8])[0]
        mark = f"{kind}{self.number}-{len(self.attempts)}-{self.chance.getrandbits(64):016x}"
        body = self.body()
        digest = hashlib.sha256(body).hexdigest()
        recipients = [f"{mark}.{at}@{domain}" for at, domain in enumerate(self.domains(kind))]
        wishes = "NOTIFY=SUCCESS" if self.chance.random() < self.curious else ""
        attempt = Attempt(mark, recipients, digest, len(body), wishes=wishes)
        header = (f"From: <{LOGIN}>\r\nTo: <{recipients[0]}>\r\nSubject: {mark}\r\n"
                  f"{MARK_FIELD}: {mark}\r\n{DIGEST_FIELD}: {digest}\r\n\r\n")
        self.attempts.append(attempt)
        return attempt, header.encode() + body

    def submit(self, connection):
        attempt, content = self.message()
        connection.transcript.clear()
        try:
            self.ask(connection, f"MAIL FROM:<{LOGIN}>", 250)
            for recipient in attempt.recipients:
                self.ask(connection, f"RCPT TO:<{recipient}> {attempt.wishes}".rstrip(), 250)
            send = self.send_chunks if self.chance.random() < 0.5 else self.send_data
            send(connection, attempt, content)
            attempt.state, attempt.sent = UNKNOWN, time.monotonic()
            connection.send(content[-1:] if send == self.send_chunks else b".\r\n")
            reply = connection.read_reply()
        except Refused as refusal:
            attempt.state, attempt.reply = REFUSED, str(refusal)
            raise
        except (Closed, OSError) as error:
            attempt.fault = repr(error)
            raise
        self.note_reply(attempt, reply)

    def note_reply(self, attempt, reply):
        attempt.answered, attempt.reply = time.monotonic(), str(reply)
        if reply.code == 250:
            attempt.state, attempt.identity = ACKNOWLEDGED, queue_id(reply)
        else:
            attempt.state = REFUSED

    def trickle(self, connection, octets):
        """In pieces now and then, so that bodies are under way when somebody dies."""
        if self.chance.random() < 0.8:
            connection.send(octets)
            return
        step = len(octets) // 5 + 1
        for at in range(0, len(octets), step):
            connection.send(octets[at:at + step])
            self.ending.wait(self.chance.uniform(0, 0.06))

    def send_data(self, connection, attempt, content):
        """All but the end of data."""
        self.ask(connection, "DATA", 354)
        self.trickle(connection, stuff(content))

    def send_chunks(self, connection, attempt, content):
        """All but the very last octet."""
        cut = self.chance.randrange(len(content)) if self.chance.random() < 0.3 else 0
        if cut:
            connection.send(b"BDAT %d\r\n" % cut)
            self.trickle(connection, content[:cut])
            reply = connection.read_reply()
            if reply.code != 250:
                raise Refused(str(reply))
        connection.send(b"BDAT %d LAST\r\n" % (len(content) - cut))
        self.trickle(connection, content[cut:-1])
