"""rude/test_clients.py: a few clients that are slow, greedy or deaf: what they cost is bounded, and they come to an end."""
import contextlib
import time

import pytest

from crowd import in_mail, plug, pour, source
from house import IS_LONG, KIB, MIB, Honest, Use, say
from rig.client import message
from rig.patience import PATIENCE, await_true


def is_greeted(server, number):
    with contextlib.closing(plug(server.ports["587"], number)) as one:
        return one.recv(400).startswith(b"220")


def test_shares(rig):
    """LSN-8: one address gets its share and no more, and is told; another address is served."""
    server = rig.server("shares", sections={"limits": "connections_per_client = 20"}, top="gates = 2")
    with contextlib.ExitStack() as stack:
        greeted = []
        for _ in range(30):
            greeted.append(stack.enter_context(contextlib.closing(plug(server.ports["587"], 7))).recv(400))
        assert [line[:3] for line in greeted] == [b"220"] * 20 + [b"421"] * 10
        Honest(server).submit()
    await_true(lambda: is_greeted(server, 7), "the places are not given back")
    Honest(server, source=source(7)).submit()


def test_more_than_may_come(rig):
    """LSN-8: at a full house those who have not logged in give way, the oldest of the address with most connections first, and are
    told so."""
    server = rig.server("crowd", sections={"limits": "connections = 100  connections_per_client = 0"}, top="gates = 1")
    with contextlib.ExitStack() as stack:
        loners = [stack.enter_context(plug(server.ports["587"], number)) for number in range(20)]
        crowd = [stack.enter_context(plug(server.ports["587"], 77)) for _ in range(110)]
        everybody = [*loners, *crowd]
        said = {rude: b"" for rude in everybody}

        def hear():
            """Have all been greeted, and so many been sent away?"""
            for rude in everybody:
                rude.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while (more := rude.recv(400)):
                        said[rude] += more
            return all(said.values()) and sum(b"421" in words for words in said.values()) >= 30
        await_true(hear, lambda: said)
        time.sleep(0.5)
        hear()
        assert all(words.startswith(b"220 ") for words in said.values())
        displaced = [b"\r\n421 4.3.2 " in said[rude] for rude in everybody]
        assert displaced == [False] * 20 + [True] * 30 + [False] * 80
        Honest(server).submit()


@pytest.mark.parametrize("stage", ["greeted", "logged-in"])
def test_never_reads(rig, stage):
    """SEC-3: a client that asks and asks and never takes an answer: what waits for it is bounded. A logged-in one whose further
    recipients are refused for now (452) may ask without an end."""
    server = rig.server("deaf")
    Honest(server).submit()
    with Use(server) as use:
        connections, taken = [], 0
        for number in range(10):
            if stage == "logged-in":
                connection = in_mail(server.ports["465"], number).socket
                taken += pour(connection, b"RCPT TO:<somebody@example.org>\r\n" * 4096, 0.7, 16 * MIB)
            else:
                connection = plug(server.ports["587"], number, 4096)
                taken += pour(connection, b"EHLO a.example\r\n" * 4096, 0.5)
            connections.append(connection)
        Honest(server).submit()
        say(f"10 {stage} that never read: {taken / MIB:.0f} MiB taken; gates grew by {use.grown('gate') / MIB:.1f} MiB")
        assert use.grown("gate") < 10 * 512 * KIB, f"{use.grown('gate') / 10 / KIB:.0f} KiB for a client that never reads"
        for connection in connections:
            connection.close()


def test_endless_line(rig):
    """SEC-3: 64 MiB without a line end are answered once and cost no memory."""
    server = rig.server("endless")
    Honest(server).submit()
    with Use(server) as use, plug(server.ports["587"], 1) as rude:
        assert rude.recv(400).startswith(b"220")
        taken = pour(rude, b"A" * MIB, 5)
        time.sleep(0.3)
        say(f"a line of {taken / MIB:.0f} MiB: gates grew by {use.grown('gate') / MIB:.1f} MiB")
        assert use.grown("gate") < 2 * MIB
        Honest(server).submit()


def test_large_messages(rig):
    """SEC-3: eight messages of 20 MiB at the same time pass through the gates without staying there, and while as many others
    hold a half of a large message in their hands, a ninth one is taken."""
    server = rig.server("large", top="gates = 2")
    Honest(server).submit()
    with Use(server) as use:
        holding = [in_mail(server.ports["465"], number) for number in range(100 if IS_LONG else 40)]
        for client in holding:
            client.send(b"BDAT 52428000\r\n" + message("half", body="x" * 70 + "\r\n").encode() + b"x" * 200000)
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
        for client in clients:
            client.send(b".\r\n")
            assert client.read_reply().brief == "250 2.0.0"
            client.quit()
        say(f"8 messages of 20 MiB and {len(holding)} that stop half-way: gates grew by {use.grown('gate') / MIB:.1f} MiB, "
            f"queue by {use.grown('queue') / MIB:.1f} MiB")
        assert use.grown("gate") < (8 + len(holding)) * MIB / 2
        for client in holding:
            client.drop()
        server.await_empty()


def test_slow_as_honey(rig):
    """LSN-7: clients that send an octet now and then, or stop in the middle, do not keep others waiting, and have to come to an
    end: the time-out counts for a command, not for an octet."""
    server = rig.server("honey", listeners={"587": 'tls = "starttls"  command_timeout = 3  data_timeout = 3',
                                            "588": 'tls = "implicit"  command_timeout = 8  data_timeout = 3',
                                            "465": 'tls = "implicit"'})
    rude = [plug(server.ports["587"], number) for number in range(100)]
    for number in range(10):
        rude.append(in_mail(server.ports["588"], number).socket)
        rude[-1].send(b"BDAT 52428000\r\nhalf")
    started = time.monotonic()
    alive, honest = list(rude), Honest(server)
    while alive and time.monotonic() - started < PATIENCE:
        for connection in list(alive):
            try:
                connection.setblocking(False)
                if connection in rude[:100]:
                    connection.send(b"N")
                elif connection.recv(4096) == b"":
                    alive.remove(connection)
            except BlockingIOError:
                pass
            except OSError as error:
                if "did not complete" not in str(error):
                    alive.remove(connection)
        time.sleep(0.25)
        if not honest.times and time.monotonic() - started > 1:
            honest.submit()
    assert not alive, f"{len(alive)} clients of 110 hold on"
    honest.submit()
    for connection in rude:
        connection.close()
