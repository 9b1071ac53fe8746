"""crash/test_faults.py: disks that fail and rooms that die at a chosen system call. What was refused is never sent, what was
acknowledged always is, and service goes on (QUE-1, DATA-13, CMD-29; docs/spool.md, "When the disk fails")."""
import collections
import json
import pathlib
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from inject import Injection, await_death  # noqa: E402
from rig.client import Closed, message, stuff  # noqa: E402

LARGE = 16384
SETTINGS = {"queue": "retry = { 1 }  retry_connect = { 1 }  dead_host = 0  delay_notice = 0",
            "spool": f"segment_size = 1048576  large_message = {LARGE}"}


class House:
    """A server with one gate, the next hop, and what clients were told."""

    def __init__(self, rig, script=None):
        self.hop = rig.hop(script)
        self.server = rig.server("faults", top="gates = 1", sections=SETTINGS,
                                 routes={"*": f'via = "smtp"  to = "{self.hop.address}"  tls = "none"'})
        self.told = {}
        # Blanks and spares are made after the start.
        assert self.submit("first").code == 250

    def pid(self, room):
        return self.server.rooms()[room + ".0"]

    def submit(self, mark, size=500, connection=None):
        """The reply to the message, or None where the connection ended without one."""
        own = None if connection else self.server.client()
        connection = connection or own
        line = f"{mark} " * (70 // (len(mark) + 1)) + "\r\n"
        try:
            connection.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
            connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
            connection.expect("DATA", "354")
            connection.send(stuff(message(mark, body=line * (size // len(line) + 1)).encode()) + b".\r\n")
            self.told[mark] = connection.read_reply(60)
        except (Closed, OSError):
            self.told[mark] = None
        if own:
            own.close()
        return self.told[mark]

    def brief(self, mark, **how):
        reply = self.submit(mark, **how)
        return reply and reply.brief

    def arrived(self):
        """How often each mark arrived; its content has to be its own."""
        counts = collections.Counter()
        for mail in list(self.hop.mails):
            mark = mail.header.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()
            assert set(mail.body.split()) == {mark.encode()}, f"the body of {mark} is not its own: {mail.body[:200]!r}"
            counts[mark] += 1
        return counts

    def wanted(self):
        return {mark for mark, reply in self.told.items() if reply and reply.code == 250}

    def is_queue_empty(self):
        """Not while the queue is away or reads its spool."""
        answer = self.server.run_ctl("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["queued"] == 0

    def settle(self):
        """Until all that was promised has come and nothing is left to do."""
        end = time.monotonic() + 40
        while not self.wanted() <= set(self.arrived()) or not self.is_queue_empty():
            assert time.monotonic() < end, f"lost: {self.wanted() - set(self.arrived())}"
            time.sleep(0.05)

    def check(self, twice=0):
        """All that was promised has come, nothing that was refused, and no more doubles than allowed."""
        self.settle()
        counts = self.arrived()
        refused = {mark for mark, reply in self.told.items() if reply and reply.code != 250}
        assert not refused & set(counts), f"refused but delivered: {refused & set(counts)}"
        assert sum(count - 1 for count in counts.values()) <= twice, counts

    def restart(self):
        """As after a crash: what is on the disk is all that is left."""
        self.server.tolerate("a room died .*signal=9")
        self.server.kill()
        self.server.start()


def await_room(house, room, old):
    end = time.monotonic() + 20
    while house.server.rooms().get(room + ".0") in (None, old):
        assert time.monotonic() < end, f"{room} is not restarted"
        time.sleep(0.02)


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwritev:error=EIO", "pwritev:error=ENOSPC"])
@pytest.mark.parametrize("size", [500, 3 * LARGE], ids=["small", "large"])
def test_a_record_that_cannot_be_written_is_refused(rig, fault, size):
    """CMD-29: 451 to the client, and a restart does not deliver it; the same session goes on."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})    # so the segment stays, with the first message in it
    connection = house.server.client()
    with Injection(house.pid("gate"), "sync", fault + ":when=1"):
        assert house.brief("refused", size=size, connection=connection) == "451 4.3.0"
        assert house.brief("after", size=size, connection=connection) == "250 2.0.0"
    assert house.brief("later", size=size, connection=connection) == "250 2.0.0"
    house.restart()
    house.hop.script.clear()
    assert house.brief("restarted", size=size) == "250 2.0.0"
    house.check()


def test_the_whole_batch_is_refused(rig):
    """QUE-1: one sync for all that came meanwhile, one answer for all of them."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})
    clients = [threading.Thread(target=house.submit, args=(f"batch{number}",)) for number in range(6)]
    with Injection(house.pid("gate"), "sync", "pwritev:delay_enter=1500000:when=1", "fdatasync:error=EIO:when=2"):
        clients[0].start()
        time.sleep(0.5)
        for client in clients[1:]:
            client.start()
        for client in clients:
            client.join(30)
    assert house.told["batch0"].brief == "250 2.0.0"
    assert [house.told[f"batch{number}"].brief for number in range(1, 6)] == ["451 4.3.0"] * 5
    assert house.brief("after") == "250 2.0.0"
    house.restart()
    house.hop.script.clear()
    house.check()


@pytest.mark.parametrize("fault, reply", [("fdatasync:error=EIO", "451 4.3.0"), ("pwritev:error=EIO", "451 4.3.0"),
                                          ("pwritev:error=ENOSPC", "452 4.3.1")])
def test_a_body_that_cannot_be_written_is_refused(rig, fault, reply):
    house = House(rig)
    connection = house.server.client()
    with Injection(house.pid("gate"), "bodies", fault + ":when=1"):
        assert house.brief("refused", size=20 * LARGE, connection=connection) == reply
    for number in range(6):
        assert house.brief(f"after{number}", size=2 * LARGE, connection=connection) == "250 2.0.0"
    house.check()
    house.restart()
    house.check()


def bodies(house, mark):
    """Body files that hold this message."""
    return {path.name for path in (house.server.state / "spool" / "bodies").iterdir() if mark.encode() in path.read_bytes()[:200]}


def test_the_body_of_a_refused_record_is_not_used_again(rig):
    """The refused record may lie in its segment and names the file: no other message's body may be found there."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})
    connection = house.server.client()
    with Injection(house.pid("gate"), "sync", "fdatasync:error=EIO:when=1"):
        assert house.brief("refused", size=2 * LARGE, connection=connection) == "451 4.3.0"
    files = bodies(house, "refused")
    assert len(files) == 1
    for number in range(12):
        assert house.brief(f"after{number}", size=2 * LARGE, connection=connection) == "250 2.0.0"
        assert not bodies(house, f"after{number}") & files
    house.hop.script.clear()
    house.check()


@pytest.mark.parametrize("size", [500, 3 * LARGE], ids=["small", "large"])
@pytest.mark.parametrize("call", ["fdatasync", "pwritev"])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_gate_that_dies_at_the_disk(rig, call, when, size):
    """What it acknowledged is delivered; the message in its hands got no reply."""
    house = House(rig)
    house.server.tolerate("a room died .*room=gate .*signal=9")
    gate = house.pid("gate")
    with Injection(gate, "sync", f"{call}:signal=KILL:when={when}"):
        connection = house.server.client()
        replies = [house.brief(f"kill{number}", size=size, connection=connection) for number in range(1, when + 1)]
        assert replies == ["250 2.0.0"] * (when - 1) + [None]
        await_death(gate)
    await_room(house, "gate", gate)
    house.server.await_log("configuration in force")
    assert house.brief("after", size=size) == "250 2.0.0"
    house.check()


@pytest.mark.parametrize("thread, call", [("journal", "fdatasync"), ("journal", "pwritev"), ("maker", "fdatasync"),
                                          ("maker", "fsync")])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_queue_that_dies_at_the_disk(rig, thread, call, when):
    """Gates go on with what they hold, and nothing is lost; what was under way may come twice."""
    house = House(rig)
    house.server.tolerate("a room died .*room=queue .*signal=9")
    house.settle()
    queue = house.pid("queue")
    with Injection(queue, thread, f"{call}:signal=KILL:when={when}"):
        for number in range(6):
            assert house.brief(f"live{number}", size=500 if number % 2 else 2 * LARGE) == "250 2.0.0"
        if thread == "journal":
            await_death(queue)
    for number in range(3):
        assert house.brief(f"after{number}", size=2 * LARGE) == "250 2.0.0"
    house.check(twice=6)


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwritev:error=EIO", "pwritev:error=ENOSPC"])
def test_a_journal_that_fails_once(rig, fault):
    """It is written again in another file; nobody notices."""
    house = House(rig)
    house.settle()
    with Injection(house.pid("queue"), "journal", fault + ":when=1+3"):
        for number in range(8):
            assert house.brief(f"live{number}") == "250 2.0.0"
        house.settle()
    house.check()
    house.restart()
    house.check()


def test_a_cut_that_cannot_be_recorded(rig):
    """No reply is better than a wrong one: the connection ends, and the others go on."""
    house = House(rig)
    house.settle()
    connection = house.server.client()
    with Injection(house.pid("queue"), "journal", "fdatasync:error=EIO", "pwritev:error=EIO"):
        with Injection(house.pid("gate"), "sync", "fdatasync:error=EIO:when=1"):
            begin = time.monotonic()
            assert house.brief("unknown", connection=connection) is None
            assert 25 < time.monotonic() - begin < 45
        assert house.brief("meanwhile") == "250 2.0.0"
    assert house.brief("after") == "250 2.0.0"
    house.check()


def test_no_more_body_files(rig):
    """A large message that finds no file waits, then is told to come again; small ones go on, and large ones afterwards."""
    house = House(rig)
    house.settle()
    with Injection(house.pid("queue"), "maker", "fsync:error=EIO"):
        replies = [house.brief("large0", size=2 * LARGE)]
        while replies[-1] == "250 2.0.0" and len(replies) < 100:
            replies.append(house.brief(f"large{len(replies)}", size=2 * LARGE))
        assert replies[-1] == "451 4.3.0"
        assert house.brief("small") == "250 2.0.0"
    for number in range(8):
        assert house.brief(f"after{number}", size=2 * LARGE) == "250 2.0.0"
    house.check()
