"""disks/test_calls.py: disks that fail at a chosen system call. What was refused is never sent, what was acknowledged always is,
and service goes on (QUE-1, DATA-13, CMD-29; docs/spool.md, "When the disk fails")."""
import threading
import time

import pytest

from rig.house import LARGE, LONG, House
from rig.inject import HOLD, Injection
from rig.patience import PATIENCE, await_true


RECORDS = {"fdatasync:error=EIO": "451 4.3.0", "fdatasync:error=EINTR": "451 4.3.0", "fdatasync:error=ENOSPC": "452 4.3.1",
           "pwritev:error=EIO": "451 4.3.0", "pwritev:error=ENOSPC": "452 4.3.1", "pwritev:error=EROFS": "451 4.3.0"}


@pytest.mark.parametrize("fault, reply, size", [
    pytest.param(fault, reply, size, id=f"{name}-{fault}") for number, (fault, reply) in enumerate(RECORDS.items())
    for at, (name, size) in enumerate({"small": 500, "large": 3 * LARGE}.items()) if LONG or (number + at) % 2 == 0])
def test_a_record_that_cannot_be_written_is_refused(rig, fault, reply, size):
    """CMD-29, DATA-16: 451 or 452 to the client, and a restart does not deliver it; the same session goes on."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})    # so the segment stays, with the first message in it
    connection = house.server.client()
    with Injection(house, house.pid("gate"), "sync", fault + ":when=1"):
        assert house.brief("refused", size=size, connection=connection) == reply
        assert house.brief("after", size=size, connection=connection) == "250 2.0.0"
    assert house.brief("later", size=size, connection=connection) == "250 2.0.0"
    house.restart()
    house.hop.script.clear()
    assert house.brief("restarted", size=size) == "250 2.0.0"
    house.check()


@pytest.mark.parametrize("faults", [["pwritev:error=EINTR:when=1"], ["pwritev:error=HALF"],
                                    ["pwritev:error=HALF:when=1", "pwritev:error=EINTR:when=2"]])
def test_a_write_that_is_interrupted_goes_on(rig, faults):
    """Interrupted before the first octet, or after some of them: no failure at all."""
    house = House(rig)
    for thread in ("sync", "bodies"):
        with Injection(house, house.pid("gate"), thread, *faults):
            assert [house.brief(f"{thread}{size}", size=size) for size in (500, 3 * LARGE)] == ["250 2.0.0"] * 2
    house.check()


def test_half_a_write_and_no_more_room(rig):
    """DATA-16, CMD-29: some octets of the record are in the file: it is cut, and then refused for want of room."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})
    with Injection(house, house.pid("gate"), "sync", "pwritev:error=HALF:when=1", "pwritev:error=ENOSPC:when=2"):
        assert house.brief("refused") == "452 4.3.1"
        assert house.brief("after") == "250 2.0.0"
    house.server.await_log("segment cut")
    house.restart()
    house.hop.script.clear()
    house.check()


def test_the_whole_batch_is_refused(rig):
    """QUE-1: one sync for all that came meanwhile, one answer for all of them."""
    house = House(rig, {"MAIL": "450 4.3.2 not now"})
    connections = [house.server.client() for _ in range(6)]
    clients = [threading.Thread(target=house.submit, args=(f"batch{number}", 500, connection)) for number, connection in enumerate(connections)]
    with Injection(house, house.pid("gate"), "sync", "fdatasync:error=EIO:when=2"):
        held = house.faults.set("pwritev", house.pid("gate"), "sync", HOLD, step=0)
        clients[0].start()
        await_true(lambda: house.faults.count(held)[1] > 0, "the first batch is not written")
        for client in clients[1:]:
            client.start()
        await_true(lambda: all(any("354" in line for line in connection.transcript[:-1]) for connection in connections[1:]), "the others do not send")
        time.sleep(0.1)
        for connection in connections[1:]:
            connection.await_read()
        house.faults.unset(held)
        for client in clients:
            client.join(PATIENCE)
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
    with Injection(house, house.pid("gate"), "bodies", fault + ":when=1"):
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
    with Injection(house, house.pid("gate"), "sync", "fdatasync:error=EIO:when=1"):
        assert house.brief("refused", size=2 * LARGE, connection=connection) == "451 4.3.0"
    files = bodies(house, "refused")
    assert len(files) == 1
    for number in range(12):
        assert house.brief(f"after{number}", size=2 * LARGE, connection=connection) == "250 2.0.0"
        assert not bodies(house, f"after{number}") & files
    house.hop.script.clear()
    house.check()


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwritev:error=EIO", "pwritev:error=ENOSPC"])
def test_a_journal_that_fails_once(rig, fault):
    """It is written again in another file; nobody notices."""
    house = House(rig)
    house.settle()
    with Injection(house, house.pid("queue"), "journal", fault + ":when=1+3"):
        for number in range(8):
            assert house.brief(f"live{number}") == "250 2.0.0"
        house.settle()
    house.check()
    house.restart()
    house.check()


def patience(rig):
    """Two stories that last half a minute each, side by side."""
    stories = [Story(function, rig) for function in (a_cut_that_cannot_be_recorded, no_more_body_files)]
    threads = [threading.Thread(target=story.tell, daemon=True) for story in stories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    for story in stories:
        assert story.is_over, "it does not end"
        if story.error:
            raise story.error


if LONG:
    test_patience = patience


class Story:
    """A test in a thread of its own."""

    def __init__(self, function, rig):
        self.function, self.house, self.error, self.is_over = function, House(rig), None, False

    def tell(self):
        try:
            self.function(self.house)
        except BaseException as error:
            self.error = error
        self.is_over = True


def a_cut_that_cannot_be_recorded(house):
    """No reply is better than a wrong one: the connection ends, and the others go on."""
    house.settle()
    connection = house.server.client()
    with Injection(house, house.pid("queue"), "journal", "fdatasync:error=EIO", "pwritev:error=EIO"):
        with Injection(house, house.pid("gate"), "sync", "fdatasync:error=EIO:when=1"):
            begin = time.monotonic()
            assert house.brief("unknown", connection=connection) is None
            assert 25 < time.monotonic() - begin < 45
        assert house.brief("meanwhile") == "250 2.0.0"
    assert house.brief("after") == "250 2.0.0"
    house.check()


def no_more_body_files(house):
    """A large message that finds no file waits, then is told to come again; small ones go on, and large ones afterwards."""
    house.settle()
    with Injection(house, house.pid("queue"), "maker", "fsync:error=EIO"):
        replies = [house.brief("large0", size=2 * LARGE)]
        while replies[-1] == "250 2.0.0" and len(replies) < 100:
            replies.append(house.brief(f"large{len(replies)}", size=2 * LARGE))
        assert replies[-1] == "451 4.3.0"
        assert house.brief("small") == "250 2.0.0"
    for number in range(8):
        assert house.brief(f"after{number}", size=2 * LARGE) == "250 2.0.0"
    house.check()
