"""e2e/test_rude.py: clients that are silent, slow, greedy or deaf cost a bounded amount of memory and time, and an honest one
is served meanwhile."""
import contextlib
import pathlib
import re
import select
import socket
import ssl
import time

import pytest

from rig.client import b64, message
from rig.server import ROOT, environment

MIB = 1 << 20
# Memory is measured with the program as it is installed: the sanitizers keep what was freed.
PLAIN = ROOT / "build"


def start_plain(rig, name, **settings):
    if not (PLAIN / "submitd").exists() or "LD_PRELOAD" in environment():
        pytest.skip(f"{PLAIN}/submitd is not built; the sanitizers' own memory would be measured")
    return rig.server(name, build=PLAIN, **settings)


def memory(server):
    """Octets of resident memory of all gates."""
    total = 0
    for name, pid in server.rooms().items():
        if name.startswith("gate."):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
    return total


def gates_time(server):
    """Seconds of processor time that the gates have used."""
    total = 0
    for name, pid in server.rooms().items():
        if name.startswith("gate."):
            words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(words[11]) + int(words[12])
    return total / 100


def serve_honest(server, within=5.0, source="127.8.8.8", listener="465"):
    """A whole submission, delivered; how long it took."""
    started = time.monotonic()
    identity = server.submit("bob@example.org", source=source, listener=listener)
    server.await_mail(identity, within)
    taken = time.monotonic() - started
    assert taken < within, f"an honest client waited {taken:.1f} s"
    return taken


def plug(server, listener, source):
    plain = socket.socket()
    plain.settimeout(10)
    plain.bind((source, 0))
    plain.connect(("127.0.0.1", server.ports[listener]))
    return plain


def client_hello():
    """The first flight of a TLS handshake."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


KINDS = {
    "silent": ("587", lambda: b""),
    "half-a-command": ("587", lambda: b"EHLO client.exam"),
    "half-a-handshake": ("465", lambda: client_hello()[:40]),
    "handshake-not-finished": ("465", client_hello),
    "starttls-and-nothing": ("587", lambda: b"EHLO a.example\r\nSTARTTLS\r\n"),
    "half-a-login": ("587", lambda: b"EHLO a.example\r\nAUTH PLAIN " + b"A" * 400),
}


@pytest.mark.parametrize("kind", KINDS)
def test_three_hundred(rig, kind):
    """LSN-8, SEC-3: 300 clients that begin something and do not go on; the honest one does not notice."""
    listener, opening = KINDS[kind]
    server = rig.server("silent")
    with contextlib.ExitStack() as stack:
        for number in range(300):
            rude = stack.enter_context(plug(server, listener, f"127.7.{number % 30}.7"))
            rude.sendall(opening())
        time.sleep(0.3)
        assert serve_honest(server) < 5
        assert serve_honest(server, listener="587") < 5
        before = gates_time(server)
        time.sleep(1.5)
        assert gates_time(server) - before < 0.5, "the gates are busy with clients that do nothing"
    serve_honest(server)


def test_shares(rig):
    """LSN-8: one address gets its share and no more, and is told; another address is served."""
    server = rig.server("shares", sections={"limits": "connections_per_client = 20"})
    with contextlib.ExitStack() as stack:
        greeted = []
        for _ in range(30):
            greeted.append(stack.enter_context(contextlib.closing(plug(server, "587", "127.7.7.7"))).recv(400))
        assert [line[:3] for line in greeted] == [b"220"] * 20 + [b"421"] * 10
        serve_honest(server)
    time.sleep(0.3)
    serve_honest(server, source="127.7.7.7")


def test_silent_memory(rig):
    """300 clients that are logged in over TLS and idle: at most 100 KiB each."""
    server = start_plain(rig, "idle", sections={"limits": "connections_per_client = 0"})
    warm = [server.client() for _ in range(20)]
    before = memory(server)
    clients = [server.client(source=f"127.7.0.{number % 200 + 1}") for number in range(300)]
    grown = memory(server) - before
    assert grown < 300 * 100 * 1024, f"{grown / 300 / 1024:.0f} KiB for a connection"
    for client in [*warm, *clients]:
        client.close()
    serve_honest(server)
    print(f"{grown / 300 / 1024:.1f} KiB for each idle client over TLS")


def pour(connection, octets, seconds):
    """Sends without ever reading, as long as the other side takes it; how many octets it took."""
    sent, end, view = 0, time.monotonic() + seconds, memoryview(octets)
    connection.setblocking(False)
    while time.monotonic() < end and sent < 64 * MIB:
        try:
            sent += connection.send(view[sent % len(octets):])
        except (BlockingIOError, ssl.SSLWantWriteError):
            if not select.select([], [connection], [], 0.5)[1] and time.monotonic() > end - seconds + 2:
                break
        except (ConnectionError, ssl.SSLError):
            break
    return sent


@pytest.mark.parametrize("over_tls", [False, True])
def test_never_reads(rig, over_tls):
    """SEC-3: a client that asks and asks and never takes an answer: what waits for it is bounded, and it is let go of."""
    server = start_plain(rig, "deaf", listeners={"587": 'tls = "starttls"', "465": 'tls = "implicit"  command_timeout = 5'})
    serve_honest(server)
    before = memory(server)
    connections = []
    for number in range(10):
        if over_tls:
            connection = server.client(source="127.7.7.7")
            rude = connection.socket
            connections.append(connection)
        else:
            rude = plug(server, "587", "127.7.7.7")
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connections.append(rude)
        pour(rude, b"EHLO a.example\r\n" * 4096, 1.0)
        if number == 4:
            serve_honest(server)
    grown = memory(server) - before
    assert grown < 10 * 512 * 1024, f"{grown / 10 / 1024:.0f} KiB for a client that never reads"
    serve_honest(server)
    for connection in connections:
        connection.close()


def test_endless_line(rig):
    """SEC-3: 64 MiB without a line end are answered once and cost no memory."""
    server = start_plain(rig, "endless")
    serve_honest(server)
    before = memory(server)
    with plug(server, "587", "127.7.7.7") as rude:
        assert rude.recv(400).startswith(b"220")
        pour(rude, b"A" * MIB, 5)
        assert memory(server) - before < 2 * MIB
        serve_honest(server)


def test_large_messages_memory(rig):
    """SEC-3: eight messages of 20 MiB at the same time pass through the gates without staying there."""
    server = start_plain(rig, "large")
    serve_honest(server)
    before, most = memory(server), 0
    clients = [server.client() for _ in range(8)]
    for client in clients:
        client.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
        client.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
        client.expect("DATA", "354")
        client.send(message("large", body=""))
    block = ("x" * 76 + "\r\n").encode() * 13443
    for _ in range(20):
        for client in clients:
            client.send(block)
        most = max(most, memory(server) - before)
    for client in clients:
        client.send(b".\r\n")
        assert client.read_reply(60).brief == "250 2.0.0"
        client.quit()
    assert most < 8 * 2 * MIB, f"{most / MIB:.1f} MiB for eight messages of 20 MiB"
    server.await_empty(60)


def test_slow_as_honey(rig):
    """LSN-7: clients that send an octet now and then do not keep others waiting, and have to come to an end."""
    server = rig.server("honey", listeners={"587": 'tls = "starttls"  command_timeout = 3', "465": 'tls = "implicit"'})
    rude = [plug(server, "587", f"127.7.{number % 10}.7") for number in range(100)]
    started = time.monotonic()
    alive, honest = list(rude), False
    while alive and time.monotonic() - started < 20:
        for connection in list(alive):
            try:
                connection.send(b"N")
            except OSError:
                alive.remove(connection)
        time.sleep(0.25)
        if not honest and time.monotonic() - started > 1:
            honest = serve_honest(server) < 5
    assert not alive, f"{len(alive)} clients of 100 hold on with an octet at a time"
    serve_honest(server)
    for connection in rude:
        connection.close()


def test_thousand_comes_and_goes(rig):
    """LSN-8: more clients than may be served at the same time: told so, and served when there is room."""
    server = rig.server("crowd", sections={"limits": "connections = 100  connections_per_client = 0"})
    with contextlib.ExitStack() as stack:
        greeted = [stack.enter_context(plug(server, "587", f"127.7.{number % 30}.7")).recv(400)[:3] for number in range(130)]
        assert set(greeted[:100]) == {b"220"} and set(greeted[100:]) == {b"421"}
    end = time.monotonic() + 5
    while True:
        try:
            serve_honest(server)
            break
        except (AssertionError, OSError):
            assert time.monotonic() < end, "no room again"
            time.sleep(0.1)


def test_wrong_passwords_do_not_starve(rig):
    """A crowd that guesses passwords, from many addresses, does not keep an honest login waiting."""
    server = rig.server("guessing", sections={"limits": "auth_failures_per_client = 0  auth_failures_per_account = 0"})
    crowd = []
    for number in range(40):
        connection = server.connect("465", source=f"127.7.{number}.7")
        connection.hello()
        connection.send(b"AUTH PLAIN " + b64(f"\0nobody{number}@example.net\0guess").encode() + b"\r\n")
        crowd.append(connection)
    assert serve_honest(server) < 5
    assert {connection.read_reply(30).brief for connection in crowd} == {"535 5.7.8"}
    for connection in crowd:
        connection.close()
