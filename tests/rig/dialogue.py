"""rig/dialogue.py: runs a dialogue, a script that anyone can follow. tests/dialogue/README.md says how they are written.

A file becomes one test for each state that its line "in" names. Dialogues with the same server share it; each has a client
address of its own, so that limits by address and lines in the log stay its own."""
import ast
import base64
import itertools
import re
import time

from rig.client import Closed, Connection, b64, login_scram, message, queue_id, stuff
from rig.patience import PATIENCE
from rig.server import PASSWORD, shared_certificate

USER = "alice@example.net"
_addresses = itertools.count(1)
SCRAMS = {
    "scram": ["SCRAM-SHA-256"], "scram-sha-1": ["SCRAM-SHA-1"],
    "scram-exporter": ["SCRAM-SHA-256-PLUS", "tls-exporter"], "scram-unique": ["SCRAM-SHA-256-PLUS", "tls-unique"],
    "scram-sha-1-exporter": ["SCRAM-SHA-1-PLUS", "tls-exporter"], "scram-sha-1-unique": ["SCRAM-SHA-1-PLUS", "tls-unique"],
}


def later(seconds):
    """A date for HOLDUNTIL."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Failed(AssertionError):
    pass


class TooSlow(Failed):
    """Something took longer than it may: the server's fault where it does so every time, else this machine's."""


TRIES = 6


class Step:
    def __init__(self, number, word, text, body=None, count=None):
        self.number, self.word, self.text, self.body, self.count = number, word, text, body, count


class Script:
    """A parsed file: what it shows, which server and states it wants, its steps."""

    def __init__(self, path):
        self.path, self.server, self.states, self.shows, self.source = path, "default", [None], [], None
        lines = path.read_text().splitlines()
        self.steps, rest = self.parse(lines, 0)
        if rest != len(lines):
            raise Failed(f"{path.name}:{rest}: end without repeat")
        if not self.shows:
            raise Failed(f"{path.name}: names no requirement")

    def parse(self, lines, at):
        steps = []
        while at < len(lines):
            line = lines[at].strip("\n")
            at += 1
            word, _, text = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            if word == "end":
                return steps, at
            if word in HEAD:
                HEAD[word](self, text.split())
            elif word == "repeat":
                body, at = self.parse(lines, at)
                steps.append(Step(at, word, text, body))
            elif word in VERBS:
                steps.append(Step(at, word, line.strip().partition(" ")[2] if word not in {">", ">>", "|"} else line.lstrip()[len(word) + 1:]))
            else:
                raise Failed(f"{self.path.name}:{at}: unknown word {word!r}")
        return steps, at


HEAD = {
    "shows": lambda script, words: script.shows.extend(words),
    "server": lambda script, words: setattr(script, "server", words[0]),
    "in": lambda script, words: setattr(script, "states", words),
    "from": lambda script, words: setattr(script, "source", words[0]),
}


class Player:
    """One run of a script against a server."""

    def __init__(self, script, server, state):
        self.script, self.server, self.state = script, server, state
        number = next(_addresses)
        self.source = script.source or f"127.1.{number // 250}.{number % 250 + 1}"
        self.mark = f"mark{number}x{time.monotonic_ns() % 10**9}"
        self.connections, self.current = {}, None
        self.log_start = server.log_path.stat().st_size if server.log_path.exists() else 0
        self.pending = []
        self.keywords, self.reply, self.last_id, self.delivered = {}, None, None, None
        self.raw_lines, self.clock = [], time.monotonic()
        self.names = {"mark": self.mark, "user": USER, "password": PASSWORD, "b64": b64, "chr": chr, "message": self.message,
                      "stuff": stuff, "i": 0, "source": self.source, "len": len, "str": str, "bytes": bytes, "later": later}
        self.where = 0

    def message(self, **parts):
        parts.setdefault("subject", self.mark)
        return message(**parts)

    @property
    def connection(self):
        if self.current is None:
            raise Failed("no connection is open")
        return self.connections[self.current]

    def run(self):
        try:
            if self.state:
                self.begin()
            self.play(self.script.steps)
            self.flush()
        except (AssertionError, OSError, Closed, ValueError, KeyError) as error:
            talk = "\n".join(line for name, c in self.connections.items() for line in [f"[{name}]", *c.transcript[-40:]])
            raise (TooSlow if isinstance(error, TooSlow) else Failed)(f"{self.script.path.name}:{self.where}: {type(error).__name__}: {error}\n{talk}") from None
        finally:
            for connection in self.connections.values():
                connection.close()

    def play(self, steps):
        for step in steps:
            self.where = step.number
            if step.word == "repeat":
                self.flush()
                for turn in range(int(self.fill(step.text))):
                    self.names["i"] = turn
                    self.play(step.body)
                continue
            if step.word not in {">", ">>"}:
                self.flush()
            VERBS[step.word](self, step.text)
            if step.word != "|":
                self.raw_lines = []

    # Text

    def fill(self, text):
        """Replaces {{expression}}."""
        def value(match):
            result = eval(match.group(1), {"__builtins__": {}}, self.names)  # our own scripts, never foreign text
            return result.decode("latin-1") if isinstance(result, bytes) else str(result)
        return re.sub(r"\{\{(.*?)\}\}", value, text)

    def octets(self, text):
        """Text of a script to octets: {{…}}, then \\r \\n \\t \\0 \\\\ \\xHH; the rest is UTF-8. What an expression gives as
        bytes goes through as it is."""
        out, at = b"", 0
        for match in re.finditer(r"\{\{(.*?)\}\}", text):
            out += unescape(text[at:match.start()])
            result = eval(match.group(1), {"__builtins__": {}}, self.names)
            out += result if isinstance(result, bytes) else str(result).encode()
            at = match.end()
        return out + unescape(text[at:])

    # Connections and states

    def begin(self):
        try:
            self.enter(self.state)
        except (AssertionError, OSError) as error:
            if self.state[1:] in {"589", "466"}:   # their time-out of a second may be over before we are there
                raise TooSlow(str(error)) from None
            raise

    def open_until(self, text):
        """LISTENER [as NAME] [until CODE [ENHANCED]]: until somebody else's end has been noticed."""
        place, _, wanted = text.partition(" until ")
        end = time.monotonic() + PATIENCE
        while True:
            self.open(*place.replace(" as ", " ").split())
            if not wanted:
                return
            reply = self.connection.read_reply()
            if reply.brief == wanted or time.monotonic() > end:
                self.hold_reply(reply)
                return
            time.sleep(0.1)

    def insist(self, text):
        """CODE [ENHANCED] LINE: the line again and again until that is the reply; RSET where it is another."""
        wanted, line = re.fullmatch(r"(\d{3}(?: \d\.\d+\.\d+)?) (.*)", self.fill(text)).groups()
        end = time.monotonic() + PATIENCE
        while (reply := self.connection.command(line)).brief != wanted:
            if time.monotonic() > end:
                raise Failed(f"wanted {wanted!r} in the end, got {reply}")
            self.connection.expect("RSET", "250 2.0.0")
            time.sleep(0.5)

    def open(self, listener, name=None):
        host, source = ("::1", None) if listener == "six" else ("127.0.0.1", self.source)
        self.current = name or "main"
        if self.current in self.connections:
            self.connections[self.current].close()
        self.connections[self.current] = Connection((host, self.server.ports[listener]), source)
        if "implicit" in self.server.listeners[listener]:
            self.connection.secure()

    def enter(self, state, name=None):
        """G: greeted. C: EHLO in clear. T: TLS and EHLO. A: logged in. Each with a listener: T587."""
        kind, listener = state[0], state[1:]
        self.open(listener, name)
        connection = self.connection
        assert connection.read_reply().brief == "220"
        if kind == "G":
            return
        self.keywords = connection.hello()
        if kind in "TA" and not connection.is_tls:
            connection.start_tls()
            self.keywords = connection.hello()
        if kind == "A":
            connection.login(USER, PASSWORD)

    # Sending

    def flush(self):
        """Lines that stand together leave in one write."""
        if self.pending:
            octets, self.pending = b"".join(self.pending), []
            self.connection.send(octets)

    def send_line(self, text):
        self.pending.append(self.octets(text) + b"\r\n")

    def send_raw(self, text):
        self.pending.append(self.octets(text))

    # Expecting

    def expect(self, text):
        text = self.fill(text)
        self.reply = reply = self.connection.read_reply()
        match = re.fullmatch(r"(\d{3})(?: (\d\.\d+\.\d+))?(?: (.*))?", text)
        if not match:
            raise Failed(f"cannot read the expectation {text!r}")
        code, status, words = int(match.group(1)), match.group(2), match.group(3)
        if (reply.code, reply.status) != (code, status):
            raise (TooSlow if reply.brief == "421 4.4.2" else Failed)(f"wanted {text!r}, got {reply}")
        if words and not fits(words, reply.text):
            raise Failed(f"wanted text {words!r}, got {reply}")
        if reply.brief == "250 2.0.0" and "queued as" in reply.text:
            self.last_id = queue_id(reply)
            self.names["id"] = self.last_id

    def expect_raw(self, text):
        line = self.connection.read_line().decode("latin-1").removesuffix("\r\n")
        if not fits(self.fill(text), line, whole=True):
            raise Failed(f"wanted the line {text!r}, got {line!r}")

    def ehlo(self, text):
        self.keywords = self.connection.hello(self.fill(text) or "client.example")

    def has(self, text):
        keyword, _, parameters = self.fill(text).partition(" ")
        if keyword not in self.keywords or (parameters and not fits(parameters, self.keywords[keyword], whole=True)):
            raise Failed(f"EHLO does not list {text!r} but {self.keywords}")

    def lacks(self, text):
        if text in self.keywords:
            raise Failed(f"EHLO lists {text}")

    def expect_event(self, text):
        words = text.split()
        if words[0] == "close":
            rest = self.connection.await_close(float(words[1]) if len(words) > 1 else None)
            if rest:
                raise Failed(f"before the end came {rest!r}")
            if not self.connection.is_closed_cleanly:
                raise Failed("closed without close_notify, or by a reset (LSN-10)")
        elif words[0] == "silence":
            if not self.connection.is_silent(float(words[1])):
                self.connection.receive(1)
                raise Failed(f"not silent: {self.connection.buffer!r}")
        elif words[0] == "read":
            self.connection.await_read()
        elif words[0] == "reset":
            self.connection.await_close()
        else:
            raise Failed(f"cannot expect {text!r}")

    def secure(self, text):
        words = text.split()
        how = dict(zip(words[::2], words[1::2]))
        if "refused" in words:
            try:
                self.connection.secure(version=words[1])
            except OSError:
                return
            raise Failed("the handshake was not refused")
        self.connection.secure(name=how.get("sni"), version=how.get("version"), extended=how.get("extended") != "no")
        if "certificate" in how:
            kind, _, name = how["certificate"].partition(":")
            pem = shared_certificate(kind, name or "localhost")[1].read_text()
            der = base64.b64decode("".join(line for line in pem.splitlines() if "-" not in line))
            assert self.connection.certificate() == der, f"not the certificate of {how['certificate']}"

    def log_in(self, text):
        words = self.fill(text).split(" ")
        mechanism, user, password = words[0], words[1] if len(words) > 1 else USER, " ".join(words[2:]) if len(words) > 2 else PASSWORD
        if mechanism == "plain":
            self.connection.send(f"AUTH PLAIN {b64(chr(0) + user + chr(0) + password)}\r\n")
        elif mechanism == "login":
            for line in ("AUTH LOGIN", b64(user)):
                assert self.connection.command(line).brief == "334"
            self.connection.send(b64(password) + "\r\n")
        elif mechanism in SCRAMS:
            self.hold_reply(login_scram(self.connection, user, password, *SCRAMS[mechanism]))
        else:
            raise Failed(f"cannot log in by {mechanism!r}")

    def hold_reply(self, reply):
        """A reply that was read already is read again by the next expectation."""
        self.connection.buffer = b"".join(reply.raw) + self.connection.buffer

    # Time

    def pause(self, text):
        time.sleep(float(text))

    def start_clock(self, _text):
        self.clock = time.monotonic()

    def elapsed(self, text):
        low, _, high = text.partition("..")
        took = time.monotonic() - self.clock
        if not float(low) <= took <= float(high):
            raise (TooSlow if took > float(high) else Failed)(f"took {took:.2f} s, not {text}")

    # What became of a message

    def mail(self, text):
        if text == "arrives":
            self.delivered = self.server.await_mail(self.last_id)
            return
        if text == "none":
            time.sleep(0.3)
            for octets in self.server.delivered().values():
                if self.mark.encode() in octets:
                    raise Failed(f"a message arrived that should not: {octets[:300]!r}")
            return
        what, _, words = text.partition(" ")
        octets = self.delivered
        header, _, body = octets.partition(b"\r\n\r\n") if b"\r\n\r\n" in octets else octets.partition(b"\n\n")
        if what in {"has", "lacks"}:
            unfolded = re.sub(rb"\r?\n[ \t]+", b" ", header) + b"\n\n" + body
            found = fits(self.fill(words), unfolded.decode("utf-8", "surrogateescape"))
            if found != (what == "has"):
                raise Failed(f"the message {'lacks' if what == 'has' else 'has'} {words!r}:\n{header.decode('latin-1')}")
        elif what == "body":
            wanted = self.octets(words)
            if newlines(body) != newlines(wanted):
                raise Failed(f"the body is {body[:300]!r}, not {wanted[:300]!r}")
        else:
            raise Failed(f"cannot ask of a message {text!r}")

    def log(self, text):
        what, _, words = text.partition(" ")
        pattern, end = self.fill(words), time.monotonic() + (PATIENCE if what == "has" else 0.3)
        while True:
            lines = self.server.log(self.log_start).splitlines()
            found = any(fits(pattern, line) for line in lines)
            if found == (what == "has") and (found or time.monotonic() > end):
                return
            if time.monotonic() > end or (found and what == "lacks"):
                raise Failed(f"the log {'lacks' if what == 'has' else 'has'} {pattern!r}")
            time.sleep(0.05)


def newlines(octets):
    """A Maildir may keep lines in the form of this system."""
    return octets.replace(b"\r\n", b"\n")


def unescape(text):
    out, parts = b"", re.split(r"(\\x[0-9A-Fa-f]{2}|\\[rnt0\\])", text)
    plain = {"\\r": b"\r", "\\n": b"\n", "\\t": b"\t", "\\0": b"\0", "\\\\": b"\\"}
    for part in parts:
        if part.startswith("\\x") and len(part) == 4:
            out += bytes([int(part[2:], 16)])
        else:
            out += plain.get(part, part.encode())
    return out


def fits(pattern, text, whole=False):
    """/expression/ is searched for; anything else is compared (whole) or contained."""
    if len(pattern) > 1 and pattern[0] == "/" and pattern[-1] == "/":
        expression = re.compile(pattern[1:-1], re.MULTILINE)
        return bool(expression.fullmatch(text) if whole else expression.search(text))
    return pattern == text if whole else pattern in text


VERBS = {
    ">": Player.send_line,
    ">>": Player.send_raw,
    "<": Player.expect,
    "|": Player.expect_raw,
    "open": Player.open_until,
    "insist": Player.insist,
    "state": lambda player, text: player.enter(*text.replace(" as ", " ").split()),
    "use": lambda player, text: setattr(player, "current", text),
    "tls": Player.secure,
    "ehlo": Player.ehlo,
    "has": Player.has,
    "lacks": Player.lacks,
    "auth": Player.log_in,
    "expect": Player.expect_event,
    "pause": Player.pause,
    "clock": Player.start_clock,
    "elapsed": Player.elapsed,
    "drop": lambda player, _text: player.connection.drop(),
    "close": lambda player, _text: player.connection.close(),
    "mail": Player.mail,
    "log": Player.log,
    "let": lambda player, text: player.names.update({text.partition(" ")[0]: eval(text.partition(" ")[2], {"__builtins__": {}}, player.names)}),
    "set": lambda player, text: player.names.update({text.partition(" ")[0]: ast.literal_eval(text.partition(" ")[2])}),
}
