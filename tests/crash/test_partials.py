"""crash/test_partials.py: rooms that die, and disks that fail, while a message that was cut off is being kept, looked at or given
back. What 355 promises is there; the message arrives whole and once (EXT-CKPT-2, EXT-CKPT-3)."""
import contextlib
import time

import pytest

from rig.client import message, stuff
from rig.house import LARGE, House, await_room
from rig.inject import Injection, await_death
from rig.patience import await_true

NAME = "MAIL FROM:<alice@example.net> TRANSID=<1@c.example>"


def make(rig):
    house = House(rig, sections={"extensions": "checkpoint = true"})
    house.server.tolerate("a room died .*signal=9")
    return house


def content_of(mark, size):
    line = f"{mark} " * 10 + "\r\n"
    return message(mark, body=line * (size // len(line) + 1)).encode()


def begin(house, content):
    """A session that goes on where it can; and the offset."""
    def ask():
        """Who has died may not be back yet."""
        try:
            connection = house.server.client()
            reply = connection.command(NAME)
        except (AssertionError, OSError):
            return None
        if reply.code // 100 != 4:
            return connection, reply
        return connection.close()
    connection, reply = await_true(ask, "no service", step=0.2)
    assert reply.brief in ("250 2.1.0", "355"), reply
    if reply.code == 250:
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    offset = int(reply.text.split(" ")[0]) if reply.code == 355 else 0
    assert offset <= len(content) and content[:offset].endswith(b"\r\n" if offset else b"")
    connection.expect("DATA", "354")
    return connection, offset


def cut(house, content, upto):
    connection, offset = begin(house, content)
    connection.send(stuff(content[offset:upto]))
    connection.await_read()
    connection.close()
    time.sleep(0.8)
    return offset


def keep(house, content, upto):
    """Cuts, and sees that it is kept."""
    cut(house, content, upto)
    await_true(lambda: house.server.status()["spool"]["partials"]["kept"] == 1, "it is not kept")


def finish(house, mark, content):
    """Goes on, to the end; the offset."""
    connection, offset = begin(house, content)
    connection.send(stuff(content[offset:]) + b".\r\n")
    reply = house.told[mark] = connection.read_reply()
    assert reply.brief == "250 2.0.0"
    connection.quit()
    house.check()
    await_true(lambda: not list((house.server.state / "spool/partials").iterdir()), "a partial message is left")
    return offset


def line_start(content, upto):
    return content[:upto].rfind(b"\r\n") + 2


@pytest.mark.parametrize("fault, size", [
    ("pwritev:signal=KILL:when=1", 5000), ("pwritev:signal=KILL:when=1", 5 * LARGE), ("fdatasync:signal=KILL:when=1", 5 * LARGE),
    ("fsync:signal=KILL:when=1", 5 * LARGE), ("fsync:signal=KILL:when=2", 5 * LARGE), ("unlinkat:signal=KILL:when=1", 5 * LARGE)])
def test_a_queue_that_dies_while_it_keeps(rig, fault, size):
    """Whatever it comes to, each time: kept for the first time, for the second, removed."""
    house, content = make(rig), content_of("kept", size)
    for upto in (size // 3, size // 2, size * 2 // 3):
        queue = house.pid("queue")
        with Injection(house, queue, "partials", fault):
            cut(house, content, upto)
        if house.server.rooms().get("queue.0") != queue:
            await_room(house, "queue", queue)
            time.sleep(0.5)
    finish(house, "kept", content)


def test_what_was_kept_before_stays(rig):
    """The queue dies before what replaces it is written: the client goes on where it was before."""
    house, content = make(rig), content_of("before", 5 * LARGE)
    keep(house, content, 2 * LARGE)
    queue = house.pid("queue")
    with Injection(house, queue, "partials", "pwritev:signal=KILL:when=1"):
        assert cut(house, content, 4 * LARGE) == line_start(content, 2 * LARGE)
        await_death(queue)
    await_room(house, "queue", queue)
    house.await_service("after")
    assert finish(house, "before", content) == line_start(content, 2 * LARGE)


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_a_gate_that_dies_while_it_keeps(rig, call):
    """What it had in hand is lost, what was kept before is not."""
    house, content = make(rig), content_of("gate", 6 * LARGE)
    keep(house, content, 2 * LARGE)
    gate = house.pid("gate")
    with Injection(house, gate, "bodies", f"{call}:signal=KILL:when=1"):
        connection, offset = begin(house, content)
        assert offset == line_start(content, 2 * LARGE)
        with contextlib.suppress(OSError):      # it may be dead before it has read all of that
            connection.send(stuff(content[offset:4 * LARGE]))
            connection.await_read()
            connection.drop()
        await_death(gate)
    await_room(house, "gate", gate)
    house.await_service("after")
    assert finish(house, "gate", content) == offset


@pytest.mark.parametrize("room, thread, fault", [
    ("queue", "partials", "fdatasync:error=EIO:when=1"), ("queue", "partials", "pwritev:error=ENOSPC:when=1"),
    ("queue", "partials", "fsync:error=EIO:when=1"), ("gate", "bodies", "fdatasync:error=EIO:when=1"),
    ("gate", "bodies", "pwritev:error=ENOSPC:when=2")])
def test_a_disk_that_does_not_keep(rig, room, thread, fault):
    """DATA-16: nothing is kept then, and mail goes on."""
    house, content = make(rig), content_of("disk", 6 * LARGE)
    with Injection(house, house.pid(room), thread, fault) as injection:
        cut(house, content, 4 * LARGE)
        injection.await_hits()
        time.sleep(0.3)
    assert house.brief("between", size=3 * LARGE) == "250 2.0.0"
    assert finish(house, "disk", content) == 0


def test_back_before_it_is_on_the_disk(rig):
    """All of it was sent, and the client is back on another connection while the disk works on it: it is told what became of it."""
    house, content = make(rig), content_of("slow", 3000)
    old, _ = begin(house, content)
    with Injection(house, house.pid("gate"), "sync", "fdatasync:delay_enter=3000000:when=1"):
        old.send(stuff(content) + b".\r\n")
        time.sleep(0.5)
        connection, offset = begin(house, content)
        assert offset == len(content)
        connection.send(b".\r\n")
        reply = house.told["slow"] = connection.read_reply()
    assert reply.brief == "250 2.0.0" and old.read_reply().text == reply.text
    connection.quit()
    house.check()


def test_all_die_at_any_time(rig):
    """The whole house is killed again and again, between cuts and in the middle of them."""
    house, content = make(rig), content_of("again", 20 * LARGE)
    before = 0
    for turn in range(1, 6):
        connection, offset = begin(house, content)
        assert offset >= before
        before = offset
        connection.send(stuff(content[offset:turn * 3 * LARGE]))
        time.sleep(0.3)
        if turn % 2:
            connection.drop()
            time.sleep(0.02 * turn)
        house.restart()
    finish(house, "again", content)
