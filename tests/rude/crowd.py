"""rude/crowd.py: many rude clients in a process of their own, so that they do not slow the honest one that is measured.

    crowd.py KIND PORT COUNT

Says "begun" with figures when the crowd stands, goes on until its standard input ends, and says the figures again. The kinds
are the table at the bottom: some hold COUNT connections, some come and go as fast as they can in COUNT threads. Each client
address is one of 200 on loopback."""
import contextlib
import json
import os
import pathlib
import random
import resource
import select
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rig.client import Closed, Connection, b64, message  # noqa: E402
from rig.patience import PATIENCE  # noqa: E402
from rig.replies import BadReply  # noqa: E402
from rig.server import PASSWORD  # noqa: E402

LOGIN = "alice@example.net"
KIB = 1 << 10
RESET = struct.pack("ii", 1, 0)
FAULTS = (OSError, ssl.SSLError, Closed, BadReply, AssertionError)


def source(number):
    return f"127.7.{number % 200 // 100}.{number % 100 + 1}"


def client_hello():
    """The first flight of a TLS handshake."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def plug(port, number, buffer=0):
    plain = socket.socket()
    plain.settimeout(PATIENCE)
    if buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    plain.bind((source(number), 0))
    plain.connect(("127.0.0.1", port))
    return plain


def reset(plain):
    """Ends with a reset, without a word, TLS or not."""
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        socket.socket(fileno=plain.detach()).close()


def is_writable(connection):
    """Within a while; select() knows no descriptors above 1023."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(200))


def pour(connection, octets, seconds, most=64 << 20, ending=None):
    """Sends without ever reading, for so long and as long as the other side takes it; how many octets it took."""
    sent, end, view = 0, time.monotonic() + seconds, memoryview(octets)
    connection.setblocking(False)
    while time.monotonic() < end and sent < most and not (ending and ending.is_set()):
        try:
            sent += connection.send(view[sent % len(octets):])
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            if not is_writable(connection) and time.monotonic() > end - seconds + 2:
                break
        except (ConnectionError, ssl.SSLError):
            break
    return sent


def secured(port, number):
    connection = Connection(("127.0.0.1", port), source(number))
    connection.secure()
    if connection.read_reply().code != 220:
        raise Closed("turned away")
    connection.hello()
    return connection


def logged_in(port, number):
    connection = secured(port, number)
    connection.login(LOGIN, PASSWORD)
    return connection


def in_mail(port, number):
    connection = logged_in(port, number)
    connection.expect(f"MAIL FROM:<{LOGIN}>", "250 2.1.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    return connection


# Those that hold on. opening: makes one connection; tick: what each says once a second.

def opens(*parts, buffer=0):
    octets = b"".join(parts)

    def opening(port, number):
        plain = plug(port, number, buffer)
        plain.sendall(octets)
        return plain
    return opening


def opens_after(stage, *said):
    def opening(port, number):
        connection = stage(port, number)
        for octets in said:
            connection.send(octets)
        return connection.socket
    return opening


def in_content(port, number):
    connection = in_mail(port, number)
    connection.expect("DATA", "354")
    connection.send(b"Subject: slow")
    return connection.socket


def deaf(port, number):
    plain = plug(port, number, 4096)
    pour(plain, b"EHLO a.example\r\n" * 4096, 0.05)
    return plain


def deaf_secured(port, number):
    connection = in_mail(port, number)
    pour(connection.socket, b"RCPT TO:<somebody@example.org>\r\n" * 4096, 0.05)
    return connection.socket


class Holders:
    def __init__(self, opening, tick=b""):
        self.opening, self.tick = opening, tick

    def run(self, port, count, crowd):
        held = []
        for number in range(count):
            try:
                held.append(self.opening(port, number))
                crowd.count("held")
            except FAULTS:
                crowd.count("turned_away")
            if crowd.ending.is_set():
                break
        crowd.begun()
        while not crowd.ending.wait(1.0):
            for connection in list(held) if self.tick else []:
                try:
                    connection.setblocking(False)
                    connection.send(self.tick)
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
                except FAULTS:
                    held.remove(connection)
                    crowd.count("lost")
        crowd.figures["still_held"] = sum(is_open(connection) for connection in held)


def is_open(connection):
    try:
        connection.setblocking(False)
        while (octets := socket.socket.recv(connection, 65536)):
            if len(octets) == 0:
                return False
        return False
    except BlockingIOError:
        return True
    except (OSError, ValueError):
        return False


# Those that come and go: one turn after the other in each thread.

class Flood:
    def __init__(self, turn):
        self.turn = turn

    def run(self, port, count, crowd):
        threads = [threading.Thread(target=self.work, args=(port, number, count, crowd), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        crowd.begun()
        crowd.ending.wait()
        end = time.monotonic() + 3
        for thread in threads:
            thread.join(max(0, end - time.monotonic()))

    def work(self, port, number, count, crowd):
        turns = 0
        while not crowd.ending.is_set():
            turns += 1
            try:
                self.turn(port, number + turns * count, crowd)
                crowd.count("turns")
            except FAULTS:
                crowd.count("refused")


def says(octets, tries=40):
    """A pipeline of commands without a pause; replies are read and thrown away."""
    def turn(port, number, crowd):
        plain = plug(port, number)
        try:
            for _ in range(tries):
                if crowd.ending.is_set():
                    break
                plain.sendall(octets)
                plain.settimeout(0.002)
                with contextlib.suppress(TimeoutError):
                    while len(plain.recv(65536)):
                        pass
                    break
                plain.settimeout(PATIENCE)
        finally:
            plain.close()
    return turn


def says_secured(octets, tries=40):
    def turn(port, number, crowd):
        connection = logged_in(port, number)
        try:
            for _ in range(tries):
                if crowd.ending.is_set() or not pour(connection.socket, octets, 0.2, len(octets)):
                    break
                with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                    while connection.socket.recv(65536):
                        pass
                    break
        finally:
            connection.close()
    return turn


def endless_line(port, number, crowd):
    plain = plug(port, number)
    pour(plain, b"A" * (64 * KIB), 2, 8 << 20, crowd.ending)
    plain.close()


def endless_header(port, number, crowd):
    connection = in_mail(port, number)
    connection.expect("DATA", "354")
    crowd.count("octets", pour(connection.socket, b"X-Endless: more and more\r\n" * 2000, 3, 32 << 20, crowd.ending))
    reset(connection.socket)


def giant_login(port, number, crowd):
    connection = secured(port, number)
    connection.send(b"AUTH PLAIN " + b"A" * 60000)
    pour(connection.socket, b"A" * (64 * KIB), 1, 1 << 20, crowd.ending)
    reset(connection.socket)


def wrong_password(port, number, crowd):
    """Five guesses, as many as a connection gets; from 40 addresses."""
    connection = secured(port, number % 40)
    try:
        for guess in range(5):
            if crowd.ending.is_set():
                break
            reply = connection.command("AUTH PLAIN " + b64(f"\0somebody{number}.{guess}@example.net\0guess"), 120)
            crowd.count({535: "guesses", 454: "put_off"}.get(reply.code, "dismissed"))
            if reply.code == 421:
                break
    finally:
        connection.close()


def half_handshake(port, number, _crowd, hello=client_hello()):
    plain = plug(port, number)
    plain.sendall(hello)
    time.sleep(random.choice([0, 0, 0.002]))
    reset(plain)


def come_and_go(port, number, _crowd):
    reset(plug(port, number))


def random_end(port, number, crowd):
    """A session that is cut at a random octet, by a reset or an end."""
    talk = (f"MAIL FROM:<{LOGIN}>\r\nRCPT TO:<bob@example.org>\r\nBDAT 30000\r\n".encode()
            + message(body="x" * 60 + "\r\n").encode() * 150)
    chance = random.random()
    if chance < 0.3:
        plain = plug(port, number)
        plain.sendall(client_hello()[:random.randrange(300)])
        (reset if chance < 0.2 else socket.socket.close)(plain)
        return
    connection = logged_in(port, number) if chance < 0.8 else secured(port, number)
    connection.send(talk[:random.randrange(len(talk))])
    if chance < 0.9:
        time.sleep(random.uniform(0, 0.02))
        reset(connection.socket)
    else:
        connection.close()
    crowd.count("cut")


KINDS = {
    # name: port, behaviour
    "silent": ("587", Holders(opens())),
    "silent-tls": ("465", Holders(opens())),
    "octet-a-second": ("587", Holders(opens(), b"N")),
    "half-a-handshake": ("465", Holders(opens(client_hello()[:40]))),
    "handshake-octet-a-second": ("465", Holders(opens(client_hello()[:20]), b"\0")),
    "handshake-not-finished": ("465", Holders(opens(client_hello()))),
    "starttls-and-nothing": ("587", Holders(opens(b"EHLO a.example\r\nSTARTTLS\r\n"))),
    "half-a-login": ("465", Holders(opens_after(secured, b"AUTH PLAIN " + b"A" * 400))),
    "deaf": ("587", Holders(deaf)),
    "deaf-tls": ("465", Holders(deaf_secured)),
    "idle": ("465", Holders(opens_after(logged_in))),
    "content-octet-a-second": ("465", Holders(in_content, b"x")),
    "huge-chunk": ("465", Holders(opens_after(in_mail, b"BDAT 52428000\r\nSubject: huge\r\n"))),
    "noop": ("587", Flood(says(b"NOOP\r\n" * 500))),
    "rset": ("587", Flood(says(b"RSET\r\n" * 500))),
    "unknown": ("587", Flood(says(b"WHAT\r\n" * 500))),
    "ehlo": ("587", Flood(says(b"EHLO a.example\r\n" * 200))),
    "noop-logged-in": ("465", Flood(says_secured(b"NOOP\r\n" * 500))),
    "mail-logged-in": ("465", Flood(says_secured(f"MAIL FROM:<{LOGIN}>\r\nRCPT TO:<a@example.org>\r\nBDAT 0\r\nRSET\r\n".encode() * 99))),
    "endless-line": ("587", Flood(endless_line)),
    "endless-header": ("465", Flood(endless_header)),
    "giant-login": ("465", Flood(giant_login)),
    "wrong-password": ("465", Flood(wrong_password)),
    "half-handshake": ("465", Flood(half_handshake)),
    "come-and-go": ("465", Flood(come_and_go)),
    "random-end": ("465", Flood(random_end)),
}


class Crowd:
    def __init__(self):
        self.figures, self.lock, self.ending = {}, threading.Lock(), threading.Event()

    def count(self, name, more=1):
        with self.lock:
            self.figures[name] = self.figures.get(name, 0) + more

    def begun(self):
        print("begun " + json.dumps(self.figures), flush=True)


def main():
    name, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    threading.stack_size(256 * KIB)
    crowd = Crowd()
    threading.Thread(target=lambda: (sys.stdin.read(), crowd.ending.set()), daemon=True).start()
    KINDS[name][1].run(port, count, crowd)
    print("ended " + json.dumps(crowd.figures), flush=True)
    os._exit(0)     # what is still open ends with the process


if __name__ == "__main__":
    main()
