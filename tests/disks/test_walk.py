"""disks/test_walk.py: every call that a room makes to the file system fails once: the first, the second, … until the story that is
played makes no more of them. After each: what was acknowledged arrives with its own content, once; what was refused does not; and
service is there again by itself (QUE-1, DATA-13, CMD-29; docs/spool.md, "When the disk fails").

The short form fails the first call of each kind; the long form (./prove disks --long) all of them, with three errors."""
import errno
import itertools

import pytest

from rig.house import LARGE, LONG, House

CALLS = {"gate": ["pwritev", "fdatasync", "ftruncate"],
         "queue": ["openat", "fallocate", "pwritev", "fdatasync", "fsync", "ftruncate", "unlinkat", "renameat"],
         "maildrop": ["mkdirat", "openat", "write", "fsync", "renameat", "unlinkat"]}
ERRORS = ["EIO", "ENOSPC", "EINTR"]
MOST = 60   # cases for one call and one error


def cases():
    pairs = [(room, call) for room, calls in CALLS.items() for call in calls]
    if LONG:
        return [(room, call, error) for room, call in pairs for error in ERRORS]
    return [(*pair, error) for pair, error in zip(pairs, itertools.cycle(ERRORS))]


@pytest.fixture(scope="module")
def house(shared):
    return House(shared)


numbers = itertools.count()


def story(house):
    """Small and large mail over one session, to the next hop and to a folder; one is put off at first."""
    name = f"walk{next(numbers)}"
    try:
        connection = house.server.client()
    except (AssertionError, OSError):
        return
    house.hop.script["MAIL"] = "450 4.3.2 not now"
    replies = [house.submit(f"{name}later", connection=connection)]
    for size, who in ((500, "bob@example.com"), (2 * LARGE, "bob@example.com"), (2 * LARGE, "bob@example.org")):
        if replies[-1] is not None:
            replies.append(house.submit(f"{name}-{size}-{who[12:]}", size=size, recipient=who, connection=connection))
    house.hop.script.clear()
    connection.close()
    for reply in replies:
        assert reply is None or reply.code == 250 or reply.brief in {"451 4.3.0", "452 4.3.1"}, reply


def service(house):
    """Mail of both sizes goes through again."""
    for size, who in ((500, "bob@example.org"), (2 * LARGE, "bob@example.com")):
        house.await_service(f"service{next(numbers)}", size=size, recipient=who)


@pytest.mark.parametrize("room, call, error", cases())
def test_a_call_that_fails(house, room, call, error):
    for nth in range(1, MOST if LONG else 2):
        rule = house.faults.set(call, house.pid(room), error=getattr(errno, error), first=nth, step=0)
        story(house)
        house.settle()
        _, hits = house.faults.unset(rule)
        service(house)
        house.check()
        if not hits:
            break
    print(f"{room} {call} {error}: {nth} cases")


STARTS = [(call, error) for call in ("openat", "fdatasync", "pwritev", "fsync", "unlinkat", "fallocate", "ftruncate") for error in ERRORS]


@pytest.mark.parametrize("call, error", STARTS if LONG else [("openat", "EIO")])
def test_a_call_that_fails_at_the_start(rig, call, error):
    """The same while all of it starts again after a crash: at worst the start is refused, and the next one is not."""
    house = House(rig)
    house.server.tolerate("a room died .*(signal=9|room=queue .*status=7[14])")
    for nth in range(1, MOST if LONG else 4):
        house.hop.script["MAIL"] = "450 4.3.2 not now"
        story_at_start(house, nth)
        house.server.kill()
        rule = house.faults.set(call, error=getattr(errno, error), first=nth, step=0)
        try:
            house.server.start()
        except AssertionError:
            house.server.kill()
        _, hits = house.faults.unset(rule)
        if not house.server.process:
            house.server.start()
        house.hop.script.clear()
        service(house)
        house.check(twice=nth)
        if not hits:
            break


def story_at_start(house, nth):
    for number, size in enumerate((500, 2 * LARGE)):
        assert house.brief(f"start{nth}-{number}", size=size) == "250 2.0.0"
