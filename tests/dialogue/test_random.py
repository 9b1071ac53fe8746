"""dialogue/test_random.py: sessions that nobody would write down: commands in any order, cut anywhere, ended anywhere. Whatever
comes, each command has one reply that the catalogue knows, nothing is run that was content, and the server lives on.
Seeded: SUBMITD_SEED repeats a run."""
import concurrent.futures
import os
import random
import socket
import ssl
import time

import pytest

from rig.client import Closed, b64, message
from rig.patience import PATIENCE
from rig.server import PASSWORD

SIDE_BY_SIDE = 100  # they mostly wait: errors are answered late
SEED = int(os.environ.get("SUBMITD_SEED", "20260303"))

COMMANDS = [b"EHLO client.example", b"HELO client.example", b"EHLO", b"EHLO a b", b"NOOP", b"NOOP x", b"RSET", b"RSET x", b"VRFY bob@example.org",
            b"EXPN list", b"HELP", b"MAIL FROM:<alice@example.net>", b"MAIL FROM:<> SIZE=10", b"MAIL FROM:<alice@example.net> BODY=8BITMIME SMTPUTF8",
            b"MAIL FROM:<a@b@c>", b"MAIL FROM: <alice@example.net>", b"mail from:<carol@example.net>", b"RCPT TO:<bob@example.org>",
            b"RCPT TO:<bob@sales>", b"RCPT TO:<\xce\xb4@example.org>", b"RCPT TO:<>", b"RCPT TO:<Postmaster>", b"AUTH PLAIN =", b"AUTH FOO", b"AUTH",
            b"STARTTLS x", b"FOO", b"", b" ", b"\xff\xfe", b"NOOP \0", b"X" * 2000, b"DATA x", b"ETRN x"]
TRUSTED = {"top": 'trusted_networks = { "127.9.0.0/16" }', "sections": {"limits": "auth_failures_per_client = 0  connections_per_client = 0"},
           "listeners": {"587": 'tls = "starttls"', "465": 'tls = "implicit"', "588": 'tls = "starttls"  require_tls = false'}}


@pytest.fixture(scope="module")
def server(shared):
    return shared.server("random", **TRUSTED)


def reach(server, chance, number):
    kind = chance.choice(["clear", "tls", "trusted", "login"])
    source = f"127.9.{number // 200}.{1 + number % 200}" if kind == "trusted" else f"127.6.{number // 200}.{1 + number % 200}"
    connection = server.connect({"clear": "587", "trusted": "588"}.get(kind, "465"), source=source)
    if kind == "login" or chance.random() < 0.7:
        connection.hello()
    if kind == "login":
        connection.login("alice@example.net", PASSWORD)
    return connection


def send_cut(connection, chance, octets):
    """In pieces of any size."""
    while octets:
        size = len(octets) if chance.random() < 0.5 else chance.randint(1, len(octets))
        connection.send(octets[:size])
        octets = octets[size:]


def talk(server, number):
    """One session of groups of commands; each group is sent, then its replies are read."""
    chance = random.Random(SEED * 1000 + number)
    connection = reach(server, chance, number)
    try:
        for _ in range(chance.randint(1, 4)):
            group = [chance.choice(COMMANDS) for _ in range(chance.randint(1, 6))]
            tail = chance.random()
            if tail < 0.15:
                group += [b"MAIL FROM:<alice@example.net>", b"RCPT TO:<bob@example.org>"]
                size = chance.randint(0, 300)
                octets = bytes(chance.choice(b"QUIT\r\n.\0ab\xff") for _ in range(size))
                group.append(b"BDAT %d%s\r\n" % (size, chance.choice([b"", b" LAST"])) + octets)
            send_cut(connection, chance, b"".join(line + b"\r\n" for line in group[:-1]) + group[-1] + (b"" if b"BDAT" in group[-1] else b"\r\n"))
            for _line in group:
                if connection.read_reply().code == 421:
                    assert connection.await_close() == b""
                    return
            assert connection.is_silent(0.01), "more replies than commands"
            if 0.15 < tail < 0.3 and not content(connection, chance):
                return
        if chance.random() < 0.5:
            connection.quit()
        else:
            connection.drop()
    except Closed:
        raise AssertionError(f"session {number}: closed without a word: {connection.transcript[-6:]}") from None


def content(connection, chance):
    """A message by DATA, sound or not. False: the session is over."""
    connection.send("RSET\r\nMAIL FROM:<alice@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
    replies = []
    for _ in range(4):
        replies.append(connection.read_reply())
        if replies[-1].code == 421:
            return False
    if replies[-1].code != 354:
        return True
    body = bytes(chance.choice(b"QUIT\r\n.ab\xff") for _ in range(chance.randint(0, 400))).replace(b"\r\n.\r\n", b"")
    if chance.random() < 0.2:
        send_cut(connection, chance, body)
        connection.drop()
        return False
    octets = message(body="").encode() + body
    # The end has to stand at the beginning of a line, and nowhere before.
    octets = (b"\r\n" + octets).replace(b"\r\n.\r\n", b"\r\n..\r\n")[2:] + b"\r\n.\r\n"
    send_cut(connection, chance, octets)
    return connection.read_reply().code != 421


def test_sessions(server):
    """CMD-24, EXT-PIPELINING-1, EXT-PIPELINING-2, EXT-CHUNKING-3, EXT-ESC-1, EXT-ESC-3, LSN-4, LSN-5, LSN-9, CMD-23: two hundred of them."""
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for run in [pool.submit(talk, server, number) for number in range(200)]:
            run.result()
    assert server.client().expect("NOOP", "250 2.0.0")


def break_off(server, number):
    """Leaves in the middle of a handshake, or of a login, or says rubbish where TLS is due."""
    chance = random.Random(SEED * 2000 + number)
    how = chance.choice(["hello cut", "rubbish", "handshake then cut", "auth cut", "scram cut", "starttls cut"])
    with socket.socket() as wire:
        wire.settimeout(PATIENCE)
        wire.connect(("127.0.0.1", server.ports["587" if how == "starttls cut" else "465"]))
        if how == "rubbish":
            wire.sendall(os.urandom(chance.randint(1, 600)))
        elif how == "starttls cut":
            wire.sendall(b"EHLO x\r\nSTARTTLS\r\n")
            wire.recv(4096)
        elif how == "hello cut":
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            session = context.wrap_bio(incoming, outgoing)
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            hello = outgoing.read()
            wire.sendall(hello if chance.random() < 0.7 else hello[:chance.randint(1, len(hello))])
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(wire) as secure:
                line = {"auth cut": b"AUTH PLAIN " + b64("\0nobody@example.net\0x").encode(),
                        "scram cut": b"AUTH SCRAM-SHA-256 " + b64("n,,n=alice@example.net,r=abcdefghijkl").encode()}.get(how, b"NOOP")
                secure.sendall(b"EHLO x\r\n" + line + b"\r\n")
                time.sleep(chance.random() * 0.01)


def test_broken_off(server):
    """LSN-9, TLS-5, AUTH-7: three hundred that leave while the server waits for its own vault; nothing of them stays behind."""
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for run in [pool.submit(break_off, server, number) for number in range(300)]:
            try:
                run.result()
            except OSError:
                pass
    server.client().quit()
    rooms = server.rooms()
    time.sleep(0.5)
    assert server.rooms() == rooms
