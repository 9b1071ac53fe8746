"""crash/test_notices.py: deliveries of which the sender asked to be told, and queue and relay that die together between the delivery
and its notice. No more comes twice than was in hand, and each sender is told (EXT-DSN-8, QUE-12, DSN-1; docs/spool.md)."""
import collections
import os
import re
import signal

import pytest

from rig.house import QUEUE, House, await_room
from rig.inject import Injection, await_death
from rig.patience import await_true
from rig.server import is_gone

PLACES = 32     # jobs in hand at most
FULL = 28       # ENOSPC


def make(rig):
    house = House(rig, sections={"queue": f"{QUEUE}  concurrency = {PLACES}  destination_concurrency = {PLACES}"})
    house.server.tolerate("a room died .*signal=9")
    house.settle()
    return house


def submit(house, mark):
    assert house.brief(mark, wishes="NOTIFY=SUCCESS") == "250 2.0.0"


def notices(house):
    """How many were made about each mark; one that came twice is one."""
    made = {}
    for mail in list(house.hop.mails):
        if not mail.sender:
            own = re.search(rb"^Message-ID: (.*)\r$", mail.header + b"\r\n", re.M | re.I)
            about = re.search(rb"^Subject: (\w+)\r$", mail.body, re.M)
            made[own.group(1)] = about.group(1).decode()
    return collections.Counter(made.values())


def kill_both(house, queue=None):
    pids = house.server.rooms()
    victims = [pids["relay.0"], *([] if queue else [pids["queue.0"]])]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    await_room(house, "relay", pids["relay.0"])
    await_room(house, "queue", queue or pids["queue.0"])


def check(house, marks, twice):
    """Nothing lost, no more doubles than that; a notice about each, and no second one but of what was delivered again."""
    await_true(lambda: set(marks) <= set(notices(house)), lambda: f"nobody was told of {set(marks) - set(notices(house))}")
    house.check(twice=twice)
    arrived, told = house.arrived(), notices(house)
    assert all(told[mark] <= arrived[mark] for mark in marks), (told, arrived)


def test_no_room_for_notices(rig):
    """The disk has no room for notices. Deliveries go on, many more than may be in hand; then both die."""
    house = make(rig)
    marks = [f"full{number}" for number in range(3 * PLACES)]
    house.faults.set("pwritev", house.pid("queue"), thread="disk", error=FULL)
    for mark in marks:
        submit(house, mark)
    await_true(lambda: set(marks) <= set(house.arrived()), "deliveries do not go on")
    assert not notices(house)
    kill_both(house)
    check(house, marks, PLACES)


@pytest.mark.parametrize("thread, call", [("journal", "pwritev"), ("journal", "fdatasync"), ("disk", "pwritev"), ("disk", "fdatasync")])
@pytest.mark.parametrize("when", [1, 2])
def test_both_die_at_the_disk(rig, thread, call, when):
    """At each write and sync of the delivery's entry, of the notice, and of what says that it is there."""
    house = make(rig)
    queue, marks = house.pid("queue"), []
    with Injection(house, queue, thread, f"{call}:signal=KILL:when={when}"):
        while not is_gone(queue) and len(marks) < 60:
            marks.append(f"exact{len(marks)}")
            submit(house, marks[-1])
        await_death(queue)
    kill_both(house, queue)
    check(house, marks, PLACES)
