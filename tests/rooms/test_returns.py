"""Rooms that a reload takes away and a later one brings back: the maildrop, which is there as long as a route needs it. Whatever
it was doing when it was no longer needed, it ends, and with the route it is there again and delivers what waited."""
import os
import signal
import time

import pytest

from rig.patience import PATIENCE
from rig.server import await_gone

IS_LONG = "SUBMITD_PROVE_LONG" in os.environ
DRAIN = 35   # seconds: DRAIN_MS in src/supervisor/supervisor.c
PAUSE_MOST = 10.0   # BACK_OFF_LAST_MS there


class House:
    """A server whose configuration has a Maildir or has none."""

    def __init__(self, rig):
        self.server = rig.server("returns", start=False, sections={"queue": "retry = { 1 }  retry_connect = { 1 }"})
        self.maildir = {"*": f'via = "maildir"  to = "{self.server.mail}"'}
        self.others = {"*": f'via = "smtp"  to = "{rig.hop().address}"  tls = "none"'}
        self.server.routes = self.maildir
        self.server.write_conf()
        self.server.start()

    def write(self, has_maildir):
        self.server.routes = self.maildir if has_maildir else self.others
        self.server.write_conf()

    def reload(self, has_maildir, wait=PATIENCE):
        self.write(has_maildir)
        assert "in force" in self.server.reload(wait)

    def maildrop(self):
        return self.server.rooms().get("maildrop.0")

    def await_maildrop(self, other_than=None, wait=PATIENCE):
        end = time.monotonic() + wait
        while (pid := self.maildrop()) in (None, other_than):
            assert time.monotonic() < end, f"no maildrop within {wait} s:\n{self.server.log()[-2000:]}"
            time.sleep(0.01)
        return pid

    def deliver(self):
        assert self.server.await_mail(self.server.submit("bob@example.org"))

    def fall(self):
        """The maildrop dies again and again, so that the pause before its next start grows: 0.1 s, 0.2 s and so on, until it is as
        long as this machine needs for a reload, and more."""
        self.server.tolerate("a room died room=maildrop")
        pid, pause, began = None, 0.05, time.monotonic()
        self.reload(True)
        needed = 4 * (time.monotonic() - began) + 1
        while pause < needed and pause < PAUSE_MOST:
            pause = min(2 * pause, PAUSE_MOST)
            pid = self.await_maildrop(pid)
            os.kill(pid, signal.SIGKILL)
            assert await_gone(pid)
        return pause


@pytest.fixture
def house(rig):
    return House(rig)


def test_away_and_back(house):
    """Again and again; mail that waits for it meanwhile is delivered."""
    server = house.server
    house.deliver()
    for _ in range(3):
        old = house.maildrop()
        os.kill(old, signal.SIGSTOP)   # so that there is mail that nobody has delivered
        waiting = server.submit("bob@example.org")
        house.write(has_maildir=False)
        assert "in force" in server.reload(), "a room that is not needed is not waited for"
        os.kill(old, signal.SIGKILL)
        assert await_gone(old)
        others = server.rooms()
        house.reload(has_maildir=True)
        assert server.await_mail(waiting)
        house.deliver()
        assert {**others, "maildrop.0": house.maildrop()} == server.rooms()


def test_back_while_it_drains(house):
    """The route is there again before the room has ended: it still ends, since the folder is outside its walls, and returns."""
    old = house.maildrop()
    os.kill(old, signal.SIGSTOP)
    house.reload(has_maildir=False)
    start = house.server.log_path.stat().st_size
    house.write(has_maildir=True)
    house.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert house.maildrop() == old and "in force" not in house.server.log(start), "it is needed, and not there"
    os.kill(old, signal.SIGCONT)
    house.server.await_log("configuration in force", start=start)
    assert house.await_maildrop(old) != old
    house.deliver()


def test_away_while_it_drains_for_a_folder(house):
    """It drains to be started again, and then is needed no longer: it stays away."""
    old = house.maildrop()
    os.kill(old, signal.SIGSTOP)
    house.maildir["new.example"] = f'via = "maildir"  to = "{house.server.folder}/other"'
    house.write(has_maildir=True)
    house.server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    house.reload(has_maildir=False)
    os.kill(old, signal.SIGCONT)
    assert await_gone(old)
    time.sleep(0.5)
    assert house.maildrop() is None
    house.reload(has_maildir=True)
    house.deliver()


def test_away_before_its_restart(house):
    """It fell, and while its restart is awaited it is needed no longer: nobody starts it. Then it is needed again."""
    pause = house.fall()
    house.reload(has_maildir=False)
    end = time.monotonic() + pause + 1
    while time.monotonic() < end:
        assert house.maildrop() is None
        time.sleep(0.01)
    house.reload(has_maildir=True)
    house.deliver()


def test_away_and_back_before_its_restart(house):
    """Both while its restart is awaited: that one comes, and no second."""
    pause = house.fall()
    house.reload(has_maildir=False)
    house.reload(has_maildir=True)
    pid = house.maildrop()
    house.deliver()
    time.sleep(pause + 0.5)
    assert house.maildrop() == pid


def test_stop_while_it_is_away(house):
    """A room that is away holds up nothing."""
    old = house.maildrop()
    house.reload(has_maildir=False)
    assert await_gone(old)
    house.server.stop()


@pytest.mark.skipif(not IS_LONG, reason=f"takes {DRAIN} s; SUBMITD_PROVE_LONG=1 runs it")
@pytest.mark.parametrize("way", ["away", "folder"])
def test_one_that_does_not_end(house, way):
    """A room that does not hear that it shall end is ended by force, at a reload as at the stop."""
    server = house.server
    server.tolerate("a room did not finish in time room=maildrop")
    old = house.maildrop()
    os.kill(old, signal.SIGSTOP)
    start, began = server.log_path.stat().st_size, time.monotonic()
    if way == "away":
        house.reload(has_maildir=False)
    else:
        house.maildir["new.example"] = f'via = "maildir"  to = "{server.folder}/other"'
        house.write(has_maildir=True)
        server.process.send_signal(signal.SIGHUP)
    server.await_log("a room did not finish in time room=maildrop index=0", DRAIN + 5, start)
    assert time.monotonic() - began > DRAIN - 1 and await_gone(old)
    if way == "away":
        house.reload(has_maildir=True)
    assert house.await_maildrop(old) != old
    house.deliver()
