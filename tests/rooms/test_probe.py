"""The walls, tried from inside: each room, started for real behind its walls, tries everything of tests/rooms/attempts_*.c,
and all of it has to be denied. Needs root and a build with -Dprobe=true."""
import os

import pytest

from rig.server import IS_ROOT
from rooms.frames import attempts
from rooms.house import House
from rooms.world import PROBE, ROOMS, World, probe, with_names

pytestmark = [pytest.mark.skipif(not IS_ROOT, reason="rooms have users of their own only when started as root"),
              pytest.mark.skipif(not (PROBE / "submitd").exists(), reason=f"no build with -Dprobe=true in {PROBE}")]
IS_LONG = "SUBMITD_PROVE_LONG" in os.environ
ENOUGH = 60


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.stop()


@pytest.fixture
def house():
    made = House(build=PROBE)
    yield made
    made.stop()
    assert made.faults() == []
    made.server.clear()


def note(text):
    """Figures for the run's end."""
    path = os.environ.get("SUBMITD_PROVE_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


@pytest.mark.parametrize("name", ROOMS)
def test_every_attempt_is_denied(world, house, name):
    report = probe(world, house, name)
    assert sorted(report) == list(range(len(attempts()))), "an attempt was left out"
    assert with_names(report, "open") == [], f"not denied to {name}"
    denied = with_names(report, "denied")
    assert len(denied) >= ENOUGH
    note(f"{name}: {len(denied)} of {len(report)} attempts denied, {len(report) - len(denied)} are its work")


@pytest.mark.parametrize("name", ROOMS)
def test_the_room_itself_is_denied(world, house, name):
    """Not a child of it: the room behind the walls that it raised, until an attempt kills it, and again from there."""
    last = None if IS_LONG else 61
    report = probe(world, house, name, way="room", last=last)
    assert with_names(report, "open") == []
    assert len(with_names(report, "denied")) >= (ENOUGH if IS_LONG else 55)


@pytest.mark.parametrize("name", [name for name in ROOMS if name != "fetch"])  # which has no hands
def test_every_thread_is_walled_in(world, house, name):
    """Landlock holds for the thread that takes it and for those made later; a hand from before would be free."""
    report = probe(world, house, name, way="hand", last=len(attempts()) - 1 if IS_LONG else 25)
    assert with_names(report, "open") == []
    assert len(with_names(report, "denied")) >= 20


def test_without_walls_the_same_succeeds(world):
    """So that the rows prove something: as root and without walls most of them work."""
    house = House(as_root=True, build=PROBE)
    report = probe(world, house, "maildrop", walls="none")
    house.stop()
    house.server.clear()
    opened = with_names(report, "open")
    note(f"as root without walls: {len(opened)} of {len(report)} attempts succeed; the others this machine does not know")
    assert len(opened) > len(report) * 0.75


@pytest.mark.parametrize("name", ROOMS)
def test_each_wall_holds_alone(world, name):
    """As root: system calls without file rules, and file rules without system calls."""
    house = House(as_root=True, build=PROBE)
    calls, files = (probe(world, house, name, walls=walls) for walls in ("calls", "files"))
    house.stop()
    house.server.clear()
    note(f"{name}, as root: the list of system calls alone denies {len(with_names(calls, 'denied'))}, "
         f"the file rules alone {len(with_names(files, 'denied'))}")
    assert len(with_names(files, "denied")) >= 40
    assert len(with_names(calls, "denied")) >= 110
