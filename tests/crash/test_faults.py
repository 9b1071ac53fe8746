"""crash/test_faults.py: rooms that die at a chosen system call. What was acknowledged is delivered, and service goes on (QUE-1,
DATA-13; docs/spool.md, "When the disk fails")."""
import pytest

from rig.house import LARGE, House, await_room
from rig.inject import Injection, await_death


@pytest.mark.parametrize("size", [500, 3 * LARGE], ids=["small", "large"])
@pytest.mark.parametrize("call", ["fdatasync", "pwritev"])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_gate_that_dies_at_the_disk(rig, call, when, size):
    """What it acknowledged is delivered; the message in its hands got no reply."""
    house = House(rig)
    house.server.tolerate("a room died .*room=gate .*signal=9")
    gate = house.pid("gate")
    with Injection(house, gate, "sync", f"{call}:signal=KILL:when={when}"):
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
    with Injection(house, queue, thread, f"{call}:signal=KILL:when={when}"):
        for number in range(6):
            assert house.brief(f"live{number}", size=500 if number % 2 else 2 * LARGE) == "250 2.0.0"
        if thread == "journal":
            await_death(queue)
    for number in range(3):
        assert house.brief(f"after{number}", size=2 * LARGE) == "250 2.0.0"
    house.check(twice=6)
