"""Channels that break while both rooms live: the supervisor makes them again, without end where that helps, and starts the room
that others can spare anew where it does not. A room can ask for that with its own channels alone."""
import math
import os
import signal
import socket
import time

import pytest

from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT
from rooms.frames import HEAD, frame, plan
from rooms.house import asking_nobody
from rooms.taking import channel_between, take

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="taking a room's channel needs root")

NONSENSE = HEAD.pack(0, 0xffff, 0, 0)
AGAIN = "a channel between two rooms broke and is made again"
LOSSES_MOST = 4   # src/supervisor/links.c
# The plan's last column: who is started anew when channels break again and again.
ENDS = {("gate", "queue"): "gate", ("gate", "vault"): "gate", ("queue", "relay"): "relay", ("queue", "maildrop"): "maildrop",
        ("relay", "vault"): "relay", ("vault", "fetch"): "fetch"}


@pytest.fixture
def server(rig):
    hop = rig.hop()
    made = rig.server(start=False, top="gates = 2\nrelays = 1",
                      routes={"hop.example": f'via = "smtp"  to = "{hop.address}"  tls = "none"'})
    made.routes["*"] = f'via = "maildir"  to = "{made.mail}"'
    made.hop = hop
    made.sections["auth"] = asking_nobody(made.folder)
    made.write_conf()
    return made.start()


def name_of(role):
    return f"{role}.0"


def inode_of(pid, fd):
    try:
        return os.stat(f"/proc/{pid}/fd/{fd}").st_ino
    except FileNotFoundError:
        return None


def await_channel(server, one, other, old=None, wait=PATIENCE):
    """The descriptor of one's channel to the other, once they have one that is not `old` (its socket's inode)."""
    end = time.monotonic() + wait
    while True:
        rooms = server.rooms()
        try:
            fd = channel_between(rooms[one], rooms[other]) if one in rooms and other in rooms else None
        except (FileNotFoundError, ProcessLookupError):    # one of them has just ended
            fd = None
        if fd is not None:
            inode = inode_of(rooms[one], fd)
            if inode not in (None, old):
                return rooms[one], fd, inode
        assert time.monotonic() < end, f"{one} and {other} have no channel:\n{server.log()[-2000:]}"
        time.sleep(0.02)


def use(server):
    before = len(server.hop.mails)
    server.await_mail(server.submit("bob@example.org"))
    server.submit("bob@hop.example")
    server.hop.await_mails(before + 1)


@pytest.mark.parametrize("pair", plan()["pairs"], ids="-".join)
def test_a_liar_gets_a_new_channel(server, pair):
    """Each end in turn says nonsense in the name of its room: the other hangs up, and soon they talk again, the same processes."""
    before = server.rooms()
    for one, other in (pair, pair[::-1]):
        start = server.log_path.stat().st_size
        pid, fd, inode = await_channel(server, name_of(one), name_of(other))
        channel = take(pid, fd)
        assert channel.send_raw(NONSENSE)
        channel.close()
        server.await_log(f"{other}.0 warning: channel closed peer={one} .*because=\"a message it may not send\"", start=start)
        server.await_log(AGAIN, start=start)
        await_channel(server, name_of(one), name_of(other), inode)
    use(server)
    assert server.rooms() == before


def break_often(server, one, other, times):
    """Shuts the channel between them down as often as it is made."""
    inode = None
    for _ in range(times):
        pid, fd, inode = await_channel(server, one, other, inode)
        channel = take(pid, fd)
        channel.socket.shutdown(socket.SHUT_RDWR)
        channel.close()


@pytest.mark.parametrize("pair", list(ENDS), ids="-".join)
def test_the_plan_says_who_ends(server, pair):
    victim = name_of(ENDS[pair])
    server.tolerate(f"a room died room={ENDS[pair]}")
    before = server.rooms()
    break_often(server, name_of(pair[0]), name_of(pair[1]), LOSSES_MOST + 1)
    server.await_log(f"a channel breaks again and again: a room is started anew room={ENDS[pair]} index=0")
    assert server.log().count(AGAIN) == LOSSES_MOST
    await_channel(server, name_of(pair[0]), name_of(pair[1]))
    use(server)
    after = server.rooms()
    assert {name for name in before if before[name] != after[name]} == {victim}


def test_questions_of_names_end_nobody(server):
    """Gate and relay are equally near to strangers: neither can have the other killed."""
    before = server.rooms()
    break_often(server, "gate.0", "relay.0", LOSSES_MOST + 1)
    await_channel(server, "gate.0", "relay.0")
    use(server)
    assert server.rooms() == before


def test_nobody_breaks_the_channels_of_others(server):
    """A gate claims to have lost every channel there is, again and again: its own are made again, as slowly as always."""
    before = server.rooms()
    os.kill(before["gate.0"], signal.SIGSTOP)
    control = take(before["gate.0"], 3)
    start = server.log_path.stat().st_size
    began = time.monotonic()
    flood = b"".join(frame("lost", number=number) for number in list(range(64)) + [2 ** 63, 2 ** 64 - 1])
    while time.monotonic() < began + 1.5:
        assert control.send_raw(flood)
    control.close()
    os.kill(before["gate.0"], signal.SIGCONT)

    def made_again():
        return [line for line in server.log(start).splitlines() if AGAIN in line]
    await_true(lambda: len(made_again()) >= 3, "no channel is made again")
    lines = made_again()
    # Three channels, each of which is made again after 0.1, 0.2, 0.4, 0.8 s and so on: five times at most in 1.5 seconds.
    times = math.floor(math.log2((time.monotonic() - began) / 0.1 + 1)) + 1
    assert len(lines) <= 3 * times, lines
    assert all("room=gate index=0" in line or "peer=gate peer_index=0" in line for line in lines), lines
    use(server)
    assert server.rooms() == before
