"""Ways that a relay's libraries take once in a year: the kernel refuses a socket, a datagram, a connection or memory, and what
they do about it must be on the list of system calls. A plain build, since the list of sanitized ones is longer."""
import errno
import itertools
import os
import signal
import time

import pytest

from rig.client import message
from rig.hop import Hop
from rig.inject import Faults
from rig.keeper import Keeper
from rig.nameserver import NameServer
from rig.patience import PATIENCE, await_true
from rig.server import IS_ROOT
from rooms.world import PROBE

pytestmark = [pytest.mark.skipif(not IS_ROOT, reason="the relay's own user is part of it"),
              pytest.mark.skipif(not (PROBE / "submitd").exists(), reason=f"no plain build in {PROBE}")]

IS_LONG = "SUBMITD_PROVE_LONG" in os.environ
# (call, errno, is_wide): an answer that fits no datagram takes both ways. The short form has the first errno of each call alone.
ROWS = [(call, number, is_wide) for call, numbers in {
    "socket": (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EAFNOSUPPORT, errno.EACCES),
    "sendto": (errno.EAGAIN, errno.ENOBUFS, errno.ENETUNREACH, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOMEM),
    "send": (errno.EAGAIN, errno.ENOBUFS, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EPIPE),
    "writev": (errno.EAGAIN, errno.ENOBUFS, errno.EPIPE),
    "connect": (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EACCES, errno.EINTR, errno.ENOBUFS),
    "bind": (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL),
    "setsockopt": (errno.EINVAL, errno.ENOPROTOOPT, errno.EPERM),
    "recv": (errno.ECONNREFUSED, errno.ENOMEM, errno.EINTR),
    "recvfrom": (errno.ECONNREFUSED, errno.ENOMEM, errno.EINTR),
    "poll": (errno.EINTR, errno.ENOMEM),
}.items() for number in (numbers if IS_LONG else numbers[:1]) for is_wide in ((False, True) if IS_LONG else (True,))]
# What libunbound and src/net are known to call here; the others may be called in other versions.
USED = {"socket", "send", "writev", "connect", "bind", "setsockopt", "recv", "recvfrom"}
WIDE = [f"9 a-mail-host-that-does-not-exist-{number}.$." for number in range(60)]
numbers = itertools.count()


class World:
    def __init__(self):
        self.keeper = Keeper()
        self.dns = NameServer()
        self.keeper.others.append(self.dns)
        self.hop = Hop(host="127.2.0.2")
        self.keeper.others.append(self.hop)
        self.faults = Faults()
        self.server = self.keeper.server(
            "rare", start=False, build=PROBE, top='relays = 1\ntrusted_networks = { "127.9.1.1/32" }', users=False,
            listeners={"588": 'tls = "starttls"  require_tls = false'},
            sections={"dns": self.dns.section, "timeouts": "connect = 2",
                      "queue": "retry = { 1 }  retry_connect = { 1 }  dead_host = 0"})
        self.server.routes = {"*": f'via = "mx"  port = {self.hop.port}'}
        self.server.environment = {**self.server.environment, **self.faults.environment}
        self.dns.set({"example.net": {"MX": ["1 mx.example.net."]}})
        self.server.write_conf()
        self.server.start(users=False)

    def submit(self, is_wide):
        """To a new domain; wide: the answer fits no datagram, so it is asked for over TCP."""
        domain = f"r{next(numbers)}.example"
        self.dns.set({domain: {"MX": ["8 mx.$.".replace("$", domain)] + [one.replace("$", domain) for one in WIDE * is_wide]},
                      f"mx.{domain}": {"A": ["127.2.0.2"]}})
        client = self.server.connect("588", source="127.9.1.1")
        client.hello()
        client.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
        client.expect(f"RCPT TO:<bob@{domain}>", "250 2.1.5", "451 4.4.3")
        reply = client.data(message(to=f"bob@{domain}"))
        client.quit()
        return reply

    def relay(self):
        return self.server.rooms()["relay.0"]


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.keeper.end(False)


def submit_in_the_end(world, is_wide, wait=PATIENCE):
    end = time.monotonic() + wait
    while True:
        try:
            return world.submit(is_wide)
        except (AssertionError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{errno.errorcode[row[1]]}-{'stream' if row[2] else 'datagram'}")
def test_a_refusal_kills_no_relay(world, row):
    call, number, is_wide = row
    before, relay = len(world.hop.mails), world.relay()
    rule = world.faults.set(call, pid=relay, error=number, first=1, step=2)
    polls = world.faults.set("poll", pid=relay)
    submit_in_the_end(world, is_wide)
    if call in USED and not (call == "writev" and not is_wide):
        await_true(lambda: world.faults.count(rule)[1] > 0, f"{call} is not called")
    time.sleep(0.3)
    _, refused = world.faults.unset(rule)
    world.hop.await_mails(before + 1)
    polls, _ = world.faults.unset(polls)
    assert refused > 0 or call not in USED or (call == "writev" and not is_wide)
    assert polls > 0 or (call, number) != ("send", errno.EAGAIN), "a full buffer was not waited for"
    assert world.relay() == relay, world.server.log()[-2000:]


@pytest.mark.parametrize("step", [3, 7, 20, 50] if IS_LONG else [7])
def test_want_of_memory_breaks_no_wall(world, step):
    """A relay may end for want of memory, and starts again; it makes no strange call on its way."""
    world.server.tolerate("a room died room=relay")
    before = len(world.hop.mails)
    rule = world.faults.set("malloc", pid=world.relay(), error=errno.ENOMEM, first=step, step=step)
    submit_in_the_end(world, True)
    time.sleep(1)
    world.faults.unset(rule)
    world.hop.await_mails(before + 1)
    assert f"signal={signal.SIGSYS.value} " not in world.server.log()
