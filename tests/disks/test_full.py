"""disks/test_full.py: file systems that are full to the last block or the last inode, or that the kernel has made read-only, while
mail goes in. The right reply, nothing lost, no crash, and service returns by itself when there is room (DATA-16, QUE-1)."""
import threading
import time

import pytest

from rig.disk import SmallDisk, run
from rig.house import LARGE, LONG, House
from rig.patience import PATIENCE, await_true

SPOOL = {"spool": f"segment_size = 1048576  large_message = {LARGE}  reserve = 4194304"}
KINDS = ["tmpfs", "ext4"]
kinds = pytest.mark.parametrize("kind", KINDS if LONG else KINDS[1:])
NO_ROOM = {"452 4.3.1"}


class Full(House):
    """A house whose state lies on a small disk."""

    def __init__(self, rig, kind, files=None, size="160m", script=None):
        def prepare(server):
            self.disk = SmallDisk(server.state, size, kind, files)
            rig.others.append(self.disk)
        super().__init__(rig, script, sections=SPOOL, prepare=prepare)
        rig.servers.remove(self.server)     # it ends before the disk goes
        rig.others.insert(rig.others.index(self.disk), Ending(self))


class Ending:
    """Stops the server and judges its log, in the place of the keeper."""

    def __init__(self, house):
        self.house = house

    def stop(self):
        server = self.house.server
        try:
            server.stop(60)
        finally:
            faults = server.faults()
            if faults:
                server.keep()
            run("umount", "-l", self.house.disk.folder)
            server.clear()
        assert not faults, faults


class Senders:
    """Clients that go on submitting, small and large, whatever they are told."""

    def __init__(self, house, count=3):
        self.house, self.ending, self.strange = house, threading.Event(), []
        self.threads = [threading.Thread(target=self.send, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a client gets no answer"

    def send(self, number):
        count = 0
        while not self.ending.is_set():
            brief = self.house.attempt(f"full{number}x{count}", size=(500, 3 * LARGE)[count % 2])
            if brief not in {"250 2.0.0", "452 4.3.1", "451 4.3.0"}:
                self.strange.append(brief)
            count += 1
            self.ending.wait(0.02)


def await_refusal(house, name, wanted=NO_ROOM, wait=PATIENCE, fill=None):
    """Until MAIL is refused: whoever was told 250 meanwhile is owed his mail."""
    begin, tries = time.monotonic(), 0
    while (brief := house.attempt(f"{name}{tries}")) not in wanted:
        assert time.monotonic() - begin < wait, f"after {wait} s {brief}"
        tries += 1
        if fill:
            fill()
        time.sleep(0.1)


@pytest.mark.parametrize("kind, what", [(kind, what) for kind in KINDS for what in ("blocks", "inodes")]
                         if LONG else [("ext4", "blocks"), ("tmpfs", "inodes")])
def test_filled_to_the_last(rig, kind, what):
    house = Full(rig, kind, files=2000)
    fill = house.disk.fill if what == "blocks" else house.disk.fill_files
    pids = house.server.rooms()
    with Senders(house) as senders:
        time.sleep(0.5)
        fill()
        await_refusal(house, "filling")
        fill()
        time.sleep(2)
        await_true(lambda: house.server.status()["spool"]["full"] is True, "it is not said to be full")
        house.disk.empty()
        took = house.await_service("again")
    assert not senders.strange, senders.strange
    assert house.server.rooms() == pids, "a room did not live through it"
    house.check()
    print(f"{kind} {what}: served again after {took:.1f} s; {len(house.told)} messages, {len(house.wanted())} taken")


@kinds
def test_what_is_queued_goes_out_of_a_full_disk(rig, kind):
    """Segments and journal are there already, so delivery goes on without room; a crash in the middle changes nothing."""
    house = Full(rig, kind, script={"MAIL": "450 4.3.2 not now"})
    for number in range(6):
        assert house.brief(f"early{number}", size=(500, 3 * LARGE)[number % 2]) == "250 2.0.0"
    house.disk.fill()
    await_refusal(house, "filling")
    house.hop.script.clear()
    house.settle(is_written=False)
    house.restart()
    await_refusal(house, "restarted")
    house.disk.empty()
    house.await_service("again")
    house.check(twice=8)


@kinds
def test_a_full_disk_at_the_start(rig, kind):
    """It starts, says 452, and serves when there is room."""
    house = Full(rig, kind, script={"MAIL": "450 4.3.2 not now"})
    for number in range(4):
        assert house.brief(f"early{number}", size=(500, 3 * LARGE)[number % 2]) == "250 2.0.0"
    house.server.stop()
    house.disk.fill()
    house.server.start()
    await_refusal(house, "started", fill=house.disk.fill)   # what the start has tidied away
    time.sleep(1)
    house.disk.empty()
    house.hop.script.clear()
    house.await_service("again")
    house.check(twice=8)


def test_an_older_spool_on_a_full_disk(rig):
    """DATA-16: there is no room for a folder that an earlier version did not make. Mail goes out, and the folder comes later."""
    house = Full(rig, "ext4", script={"MAIL": "450 4.3.2 not now"})
    for number in range(4):
        assert house.brief(f"early{number}") == "250 2.0.0"
    house.server.stop()
    partials = house.server.state / "spool/partials"
    partials.rmdir()
    house.server.sections["extensions"] = "checkpoint = true"
    house.server.write_conf()
    house.disk.fill()
    house.server.start()
    assert not partials.exists()
    house.hop.script.clear()
    house.settle(is_written=False)
    house.disk.empty()
    house.await_service("again")
    connection = house.server.client()
    connection.expect("MAIL FROM:<alice@example.net> TRANSID=<1@c.example>", "250 2.1.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    connection.expect("DATA", "354")
    connection.send("From: <alice@example.net>\r\n\r\nleft\r\n")
    connection.close()
    await_true(lambda: house.server.status()["spool"]["partials"]["count"] == 1, "nothing is kept")
    assert len(list(partials.iterdir())) == 1
    house.check(twice=8)


def the_end_on_a_full_disk(rig):
    """SIGTERM while the journal cannot be written: it ends within half a minute, and loses nothing."""
    house = Full(rig, "tmpfs", script={"MAIL": "450 4.3.2 not now"})
    for number in range(3):
        assert house.brief(f"early{number}") == "250 2.0.0"
    rules = [house.faults.set(call, house.pid("queue"), thread="journal", error=28) for call in ("pwritev", "fallocate", "openat")]
    time.sleep(1.5)
    begin = time.monotonic()
    house.server.stop(60)
    took = time.monotonic() - begin
    for rule in rules:
        house.faults.unset(rule)
    house.server.start()
    house.hop.script.clear()
    house.check(twice=8)
    assert took < 34, took
    print(f"ended after {took:.1f} s")


if LONG:
    test_the_end_on_a_full_disk = the_end_on_a_full_disk


def test_the_kernel_makes_it_read_only(rig):
    """As ext4 does after an error of its own: replies of 4yz or none, no crash; after a repair everything is there."""
    house = Full(rig, "ext4", script={"MAIL": "450 4.3.2 not now"})
    for number in range(6):
        assert house.brief(f"early{number}", size=(500, 3 * LARGE)[number % 2]) == "250 2.0.0"
    house.disk.break_down()
    replies = {house.attempt(f"readonly{number}", size=(500, 3 * LARGE)[number % 2]) for number in range(4)}
    assert replies <= {"451 4.3.0", "452 4.3.1", None}, replies
    house.server.kill()
    house.disk.repair()
    house.server.start()
    house.hop.script.clear()
    house.await_service("again")
    house.check(twice=8)


@pytest.mark.parametrize("seconds", [3, 20] if LONG else [3])
def test_read_only_for_a_while(rig, seconds):
    """Every act that changes the file system answers EROFS in every room, and then works again: service returns by itself."""
    house = House(rig)
    house.settle()
    pids = house.server.rooms()
    with Senders(house) as senders:
        time.sleep(0.3)
        rules = [house.faults.set(call, pid, error=30) for pid in (house.pid("gate"), house.pid("queue"), house.pid("maildrop"))
                 for call in ("pwritev", "fallocate", "ftruncate", "renameat", "unlinkat", "mkdirat", "fdatasync")]
        time.sleep(seconds)
        for rule in rules:
            house.faults.unset(rule)
        took = house.await_service("again")
    assert set(senders.strange) <= {None}, senders.strange
    assert house.server.rooms() == pids, "a room did not live through it"
    house.check(twice=8)
    print(f"read-only for {seconds} s: served again after {took:.1f} s")
