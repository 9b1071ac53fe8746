"""rig/server.py: a submitd of its own in a folder of its own: configuration, certificates, users, start, stop, and the
judgement of its log."""
import fcntl
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from rig.client import HOSTNAME, Connection
from rig.patience import PATIENCE, await_true

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("SUBMITD_BUILD", "build")).resolve()
KEPT = pathlib.Path(os.environ.get("SUBMITD_TEST_LOGS", ROOT / "run" / "test-logs"))
IS_ROOT = os.geteuid() == 0
PASSWORD = "correct horse battery"

# Users of the rooms when started as root: numbers that nobody has.
ACCOUNTS = 'accounts { gate = "61184"  vault = "61185"  queue = "61186"  relay = "61187"  maildrop = "61188"  fetch = "61189" }'

# What must not be in any log.
FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|Assertion .* failed|SUMMARY: |"
                    r"a room died|broke the rules|a room did not finish in time|protocol error on the channel")

# Below the ports that the kernel gives to clients, or a client of one test would sit on the port of another's server.
PORTS = range(10000, 32000)
_port_lock = threading.Lock()
_next_port = itertools.cycle(random.sample(PORTS, len(PORTS)))
_claims = []   # a file: the octet at a port's number is locked by the process that has it, until that one ends


def is_claimed(port):
    """Suites run beside each other, and a port is often bound long after it was given: is it another process's? Else it is ours."""
    if not _claims:
        descriptor = os.open(pathlib.Path(tempfile.gettempdir()) / f"submitd-ports-{os.geteuid()}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _claims.append(open(descriptor, "rb+", buffering=0))
    try:
        fcntl.lockf(_claims[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return False
    except OSError:
        return True


def free_port(host="127.0.0.1"):
    """A port that nobody listens at, on any address of this machine, not given before, nor to a suite that runs beside this one."""
    with _port_lock:
        for port in _next_port:
            if is_claimed(port):
                continue
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):    # a name server needs both
                    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
                        probe.bind(("::" if ":" in host else "0.0.0.0", port))
            except OSError:
                continue
            return port


def make_folder(name):
    """A folder that every room may search, unlike those of tempfile."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"submitd-{name}-"))
    folder.chmod(0o755)
    return folder


def make_certificate(folder, stem, name="localhost", kind="ec", days=30):
    """A key and a self-signed certificate; their paths."""
    key, certificate = folder / f"{stem}.key", folder / f"{stem}.pem"
    algorithm = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[kind]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-days", str(days), "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return key, certificate


_certificates = {}
_certificate_lock = threading.Lock()


def shared_certificate(kind="ec", name="localhost"):
    """One certificate of each kind for the whole run: keys take their time."""
    with _certificate_lock:
        if (kind, name) not in _certificates:
            folder = make_folder("tls")
            _certificates[kind, name] = make_certificate(folder, f"{kind}-{name}", name, kind)
        return _certificates[kind, name]


def forget_certificates():
    for key, _ in _certificates.values():
        shutil.rmtree(key.parent, ignore_errors=True)
    _certificates.clear()


class Server:
    """Settings by default: hostname msa.example.net, alice@example.net, STARTTLS at "587", TLS at "465", everything to a
    Maildir. routes: pattern to words of its section. sections: name to words ("queue": "retry = { 1 }"). top: lines."""

    def __init__(self, name="server", routes=None, sections=None, top="", listeners=None, tls=None, build=None, certificate=True,
                 users=True, folder=None):
        self.name = name
        self.build = pathlib.Path(build) if build else BUILD
        self.folder = folder or make_folder(name)
        self.state = self.folder / "state"
        self.state.mkdir(exist_ok=True)
        self.state.chmod(0o755)
        self.log_path = self.folder / "submitd.log"
        self.users_path = self.folder / "users"
        self.mail = self.folder / "mail"
        self.conf = self.folder / "submitd.conf"
        self.routes = routes or {"*": f'via = "maildir"  to = "{self.mail}"'}
        self.sections = dict(sections or {})
        self.top = top
        self.environment = {}   # of submitd, besides the usual
        self.log_form = "text"  # as tests read it; "auto" is the default of the program
        self.wrapper = []       # a command that becomes submitd
        self.listeners = listeners or {"587": 'tls = "starttls"', "465": 'tls = "implicit"'}
        self.ports = {}
        self.process = None
        self.is_expected_to_fail = False
        self.tolerated = []
        if tls is None and certificate:
            key, chain = shared_certificate()
            self.key, self.certificate = self.folder / "key.pem", self.folder / "cert.pem"
            shutil.copy(key, self.key)
            self.key.chmod(0o600)
            shutil.copy(chain, self.certificate)
            tls = f'tls {{ certificate = "{self.certificate}"  key = "{self.key}" }}'
        self.tls = tls or ""
        self.has_users = users
        for listener in self.listeners:
            self.ports[listener] = free_port("::1" if listener == "six" else "127.0.0.1")
        self.write_conf()

    # Configuration

    def write_conf(self):
        lines = [f'hostname = "{HOSTNAME}"', f'state = "{self.state}"', f'log = "{self.log_form}"', self.top, self.tls]
        for name, words in self.listeners.items():
            host = "[::1]" if name == "six" else "0.0.0.0" if IS_ROOT and name == "any" else "127.0.0.1"
            lines.append(f'listener "{name}" {{ address = "{host}:{self.ports[name]}"  {words} }}')
        if self.has_users:
            lines.append(f'users "file" {{ path = "{self.users_path}" }}')
        for pattern, words in self.routes.items():
            lines.append(f'route "{pattern}" {{ {words} }}')
        for name, words in self.sections.items():
            lines.append(f"{name} {{ {words} }}")
        if IS_ROOT:
            lines.append(ACCOUNTS)
        self.conf.write_text("\n".join(lines) + "\n")

    def add_user(self, login="alice@example.net", password=PASSWORD, *senders):
        arguments = ["user", "add", login]
        for sender in senders:
            arguments += ["--sender", sender]
        self.ctl(*arguments, stdin=password + "\n")

    # The operator's tool

    def run_ctl(self, *arguments, stdin="", timeout=PATIENCE):
        return subprocess.run([self.build / "submitctl", "-c", self.conf, *arguments], input=stdin, capture_output=True,
                              text=True, timeout=timeout, env=environment())

    def ctl(self, *arguments, stdin="", timeout=PATIENCE):
        """What it says, once the queue has read its spool."""
        end = time.monotonic() + PATIENCE
        while True:
            done = self.run_ctl(*arguments, stdin=stdin, timeout=timeout)
            if done.returncode != 75 or "still being read" not in done.stdout + done.stderr or time.monotonic() > end:
                break
            time.sleep(0.05)
        assert done.returncode == 0, f"submitctl {' '.join(arguments)}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def status(self):
        return self.json("status")

    def queue(self, wait=PATIENCE):
        """The queued messages, as soon as the queue knows all of them."""
        end = time.monotonic() + wait
        while True:
            done = self.run_ctl("queue", "list", "--json")
            if done.returncode == 0:
                return json.loads(done.stdout)["messages"]
            assert done.returncode == 75 and time.monotonic() < end, f"queue list: exit {done.returncode}: {done.stdout}{done.stderr}"
            time.sleep(0.05)

    def trace(self, identity):
        return self.json("trace", identity)

    def await_recorded(self, identity):
        """Until the journal has all that was done, so that no SIGKILL undoes it: no list waits for that, but each trace does."""
        await_true(lambda: self.run_ctl("trace", identity).returncode in {0, 66}, f"no trace of {identity}")

    # Life

    def start(self, wait=PATIENCE, users=True):
        if users and self.has_users and not self.users_path.exists():
            self.add_user()
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen([*self.wrapper, self.build / "submitd", "-c", self.conf], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**environment(), **self.environment},
                                            start_new_session=True)
        end = time.monotonic() + wait
        while "submitd ready" not in self.log(self.log_start):
            if self.process.poll() is not None:
                raise AssertionError(f"submitd ended with status {self.process.returncode}:\n{self.log(self.log_start)}")
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"submitd is not ready after {wait} s:\n{self.log(self.log_start)}")
            time.sleep(0.02)
        return self

    def start_refused(self, *arguments, wait=PATIENCE):
        """For a start that has to fail: exit status and what was said."""
        done = subprocess.run([self.build / "submitd", "-c", self.conf, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=wait, env=environment())
        return done.returncode, done.stderr + done.stdout

    def stop(self, wait=PATIENCE):
        """SIGTERM; the exit status has to be 0."""
        if not self.process:
            return
        rooms = self.rooms()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"submitd did not end {wait} s after SIGTERM") from None
        self.process = None
        assert status == 0, f"submitd ended with status {status}"
        left = [room for room, pid in rooms.items() if not await_gone(pid)]
        assert not left, f"rooms that outlive their supervisor: {left}"

    def kill(self):
        """Everything at once, by SIGKILL: the supervisor first, or it would start rooms anew."""
        if not self.process:
            return
        rooms = self.rooms().values()
        self.process.kill()
        for pid in rooms:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE)
        self.process = None
        for pid in rooms:
            await_gone(pid)

    def reload(self, wait=PATIENCE):
        """SIGHUP, and until it is in force or refused."""
        start = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        return self.await_log("configuration in force|configuration is refused", wait, start)

    def rooms(self):
        """Name of a room ("gate.0") to its process."""
        found = {}
        if not self.process:
            return found
        try:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except FileNotFoundError:
            return found
        for pid in children:
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            options = dict(word.decode().removeprefix("--").split("=", 1) for word in words if b"=" in word and word[:2] == b"--")
            pairs = [word.decode() for word in words]
            for at, word in enumerate(pairs[:-1]):
                if word in {"--room", "--index"}:
                    options[word[2:]] = pairs[at + 1]
            if "room" in options:
                found[f"{options['room']}.{options.get('index', '0')}"] = int(pid)
        return found

    # Its log

    def log(self, start=0):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", "backslashreplace")

    def await_log(self, pattern, wait=PATIENCE, start=0):
        """The first line that the pattern fits."""
        end = time.monotonic() + wait
        while True:
            for line in self.log(start).splitlines():
                if re.search(pattern, line):
                    return line
            assert time.monotonic() < end, f"no log line fits {pattern!r} after {wait} s:\n{self.log(start)[-3000:]}"
            time.sleep(0.02)

    def faults(self):
        """Lines that no run may have."""
        return [line for line in self.log().splitlines()
                if FAULTS.search(line) and not any(re.search(known, line) for known in self.tolerated)]

    def tolerate(self, pattern):
        """A test that provokes a line says so."""
        self.tolerated.append(pattern)

    # Talking to it

    def connect(self, listener="465", source=None, greet=True, **how):
        """A connection; implicit TLS is up, the greeting read."""
        host = "::1" if listener == "six" else "127.0.0.1"
        connection = Connection((host, self.ports[listener]), source, **how)
        if greet:
            if "implicit" in self.listeners[listener]:
                connection.secure()
            reply = connection.read_reply()
            assert reply.brief == "220", f"greeting: {reply}"
        return connection

    def client(self, user="alice@example.net", password=PASSWORD, listener="465", source=None):
        """Logged in over TLS."""
        connection = self.connect(listener, source)
        connection.hello()
        if not connection.is_tls:
            connection.start_tls()
            connection.hello()
        connection.login(user, password)
        return connection

    def submit(self, recipients, content=None, sender="alice@example.net", parameters="", bdat=False, **who):
        """One message over its own connection; the queue id."""
        from rig.client import message
        recipients = [recipients] if isinstance(recipients, str) else recipients
        connection = self.client(**who)
        identity = connection.mail(sender, recipients, content if content is not None else message(to=recipients[0]), parameters, bdat=bdat)
        connection.quit()
        return identity

    def delivered(self):
        """Everything in the Maildir: path to octets."""
        found = {}
        for path in sorted(self.mail.glob("new/*")):
            try:
                found[path] = path.read_bytes()
            except FileNotFoundError:
                pass
        return found

    def await_mail(self, mark, wait=PATIENCE):
        """The delivered message that has this text (a queue id, a subject)."""
        mark = mark.encode() if isinstance(mark, str) else mark
        end = time.monotonic() + wait
        seen = set()
        while True:
            for path in self.mail.glob("new/*"):
                if path in seen:
                    continue
                octets = path.read_bytes()
                if mark in octets:
                    return octets
                seen.add(path)
            assert time.monotonic() < end, f"no message with {mark!r} was delivered within {wait} s"
            time.sleep(0.02)

    def await_empty(self, wait=PATIENCE):
        """Until nothing is queued."""
        end = time.monotonic() + wait
        while (queued := self.queue()):
            assert time.monotonic() < end, f"still queued after {wait} s: {queued}"
            time.sleep(0.05)

    def await_queue(self, condition, wait=PATIENCE):
        """Until the list of queued messages fits; the list."""
        end = time.monotonic() + wait
        while True:
            queued = self.queue()
            if condition(queued):
                return queued
            assert time.monotonic() < end, f"the queue does not get there within {wait} s: {queued}"
            time.sleep(0.05)

    # The end

    def keep(self):
        """Saves what explains a failure; where."""
        place = KEPT / f"{self.name}-{self.folder.name[-8:]}"
        place.mkdir(parents=True, exist_ok=True)
        for path in (self.log_path, self.conf):
            if path.exists():
                shutil.copy(path, place / path.name)
        return place

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def links_of(pid):
    """Where its descriptors lead, by number; one may be closed while we look."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            pass
    return found


def is_gone(pid):
    """One that nobody has waited for yet counts as ended; not while a thread of it is left, which holds its files and ports."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return words[0] == "Z" and int(words[17]) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return True


def await_gone(pid, wait=PATIENCE):
    """Does the process end within that time?"""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if is_gone(pid):
            return True
        time.sleep(0.01)
    return False


def environment():
    """Sanitizers must not ask for leaks in rooms: those may not be traced."""
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1", "LC_ALL": "C.UTF-8",
            "SUBMITD_LOG": "text"}  # of rooms that a test starts without a supervisor
