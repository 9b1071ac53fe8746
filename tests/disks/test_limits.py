"""disks/test_limits.py: rooms that run out of descriptors or memory. They do not spin, what was acknowledged is not lost, and
service is there again as soon as the shortage is over (docs/threat.md)."""
import errno
import os
import pathlib
import shutil
import socket
import time

import pytest

from rig.hop import Stall
from rig.house import LARGE, LONG, House, await_room
from rig.patience import PATIENCE

TICK = os.sysconf("SC_CLK_TCK")
ROOMS = ["gate", "queue", "relay", "maildrop", "vault"]
DIES = r"a room died .*(signal=(6|9|11|31)|status=)|broke the rules|protocol error on the channel|Assertion"


def cpu(pid):
    """Seconds of processor time."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def spend(house, name, seconds):
    """Mail of both kinds to both places for so long; most of it may be refused."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        house.attempt(f"{name}{count}", size=(500, 3 * LARGE)[count % 2], recipient=("bob@example.org", "bob@example.com")[count // 2 % 2])
        count += 1
        time.sleep(0.02)


def serve_again(house, wait=PATIENCE):
    for size, who in ((500, "bob@example.org"), (3 * LARGE, "bob@example.com")):
        house.await_service(f"again{size}", wait, size=size, recipient=who)


def few_descriptors(count):
    def prepare(server):
        if not shutil.which("prlimit"):
            pytest.skip("prlimit is not installed")
        server.wrapper = ["prlimit", f"--nofile={count}:{count}"]
    return prepare


def test_no_descriptors_for_clients(rig):
    """All rooms live with 64 descriptors. The accept loop rests instead of spinning, and others are served afterwards."""
    house = House(rig, prepare=few_descriptors(64), sections={"limits": "connections_per_client = 1000"})
    house.settle()
    pid = house.pid("gate")
    waiting = [socket.create_connection(("127.0.0.1", house.server.ports["465"])) for _ in range(100)]
    house.server.await_log("accept-rests")
    before = cpu(pid)
    time.sleep(4)
    spent = cpu(pid) - before
    assert spent < 0.4, f"{spent:.2f} s of processor time in 4 s"
    for connection in waiting:
        connection.close()
    took = house.await_service("again")
    assert house.pid("gate") == pid
    house.check()
    print(f"{spent:.2f} s of processor time in 4 s without descriptors; served again after {took:.1f} s")


def test_no_descriptors_for_deliveries(rig):
    """Large bodies in hand at a slow next hop need more descriptors than there are: they wait, and all arrive."""
    house = House(rig, {"MAIL": Stall(1.0)}, prepare=few_descriptors(64))
    for number in range(80):
        assert house.brief(f"many{number}", size=2 * LARGE, recipient=("bob@example.org", "bob@example.com")[number % 2]) == "250 2.0.0"
    pids = {name: house.pid(name) for name in ("queue", "relay", "maildrop")}
    before = {name: cpu(pid) for name, pid in pids.items()}
    begin = time.monotonic()
    house.hop.script.clear()
    house.check(twice=8)
    spent = {name: (cpu(pid) - before[name]) / (time.monotonic() - begin + 1) for name, pid in pids.items()}
    assert max(spent.values()) < 0.7, f"a room spins: {spent}"
    assert {name: house.pid(name) for name in pids} == pids


@pytest.mark.parametrize("room", ROOMS if LONG else ["gate", "queue"])
@pytest.mark.parametrize("step", [1, 7, 50] if LONG else [7])
def test_no_memory_in_a_room(rig, room, step):
    """Each allocation fails, or every seventh: the room refuses, or ends and is started again."""
    house = House(rig)
    house.settle()
    house.server.tolerate(DIES)
    pid = house.pid(room)
    rule = house.faults.set("malloc", pid, error=errno.ENOMEM, first=1, step=step)
    spend(house, "little", 2)
    _, hits = house.faults.unset(rule)
    assert hits, "no allocation failed"
    serve_again(house)
    house.check(twice=40)


@pytest.mark.parametrize("room", ROOMS)
def a_single_allocation_that_fails(rig, room):
    """The first, the second, … after which the room may have ended, and is started again."""
    house = House(rig)
    house.settle()
    house.server.tolerate(DIES)
    for nth in range(1, 60):
        pid = house.pid(room)
        rule = house.faults.set("malloc", pid, error=errno.ENOMEM, first=nth * 3, step=0)
        spend(house, f"single{nth}-", 0.3)
        house.faults.unset(rule)
        if house.server.rooms().get(f"{room}.0") != pid:
            await_room(house, room, pid)
        serve_again(house)
    house.check(twice=200)


if LONG:
    test_a_single_allocation_that_fails = a_single_allocation_that_fails
