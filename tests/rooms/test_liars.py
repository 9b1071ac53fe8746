"""Rooms that lie on their channels: every room is started for real and hears from a liar in the place of each of its peers.
It must not die, hang, grow, or keep what it was not given, and the mail of others goes on."""
import os
import socket
import time

import pytest

from rig.hop import Hop
from rig.patience import PATIENCE
from rooms.frames import HEAD, messages, plan
from rooms.house import House, split
from rooms.lies import CLOSE, descriptor, forbidden, may_send, mutations, spoil

IS_LONG = "SUBMITD_PROVE_LONG" in os.environ
SEEDS = int(os.environ.get("SUBMITD_PROVE_SEEDS", "1"))
ROOMS = ["vault", "queue", "maildrop", "fetch", "relay.0", "gate.0"]
# Where a second room of the kind may exist, the liar is that one, and the first goes on with its work.
NAMES = {"gate": "gate.1", "relay": "relay.1", "vault": "vault", "queue": "queue", "maildrop": "maildrop", "fetch": "fetch"}
GROWTH_MOST = 100 << 20
SLACK = {"queue": 64}        # files for gates that it keeps in stock
NONSENSE = HEAD.pack(0, 0xffff, 0, 0)


def pairs():
    """(liar, receiver), in both directions of each line of the plan."""
    for one, other in plan()["pairs"]:
        yield NAMES[one], "gate.0" if other == "gate" else "relay.0" if other == "relay" else other
        yield NAMES[other], "gate.0" if one == "gate" else "relay.0" if one == "relay" else one


@pytest.fixture(scope="module")
def house():
    hop = Hop()
    made = House(ROOMS, top="relays = 2", sections={"spool": "segment_size = 1048576"}, routes={"hop.example": f'via = "smtp"  to = "{hop.address}"  tls = "none"',
                                                  "*": 'via = "maildir"  to = "MAIL"'})
    made.hop, made.lies = hop, 0
    made.tolerated.append("a carrier broke the rules")     # a lie that unpacks is found out by the room
    yield made
    path = os.environ.get("SUBMITD_PROVE_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{made.lies} lies told to {len(ROOMS)} rooms\n")
    made.stop()
    hop.stop()
    assert made.faults() == []
    made.server.clear()


def tell_lie(house, liar, receiver, lie):
    """On a channel of its own; whatever comes of it, the receiver has to hear it and then nonsense, and close the channel."""
    channel = house.impersonate(liar, receiver)
    fds = [descriptor(kind) for kind in lie.fds]
    try:
        is_heard = channel.send_raw(lie.octets, fds) if lie.octets or fds else True
        if is_heard and not lie.hang_up and lie.must != CLOSE:
            is_heard = channel.send_raw(NONSENSE)
        if is_heard and (lie.hang_up or lie.must != CLOSE):
            channel.socket.shutdown(socket.SHUT_WR)
        closed = channel.is_closed()
    finally:
        for fd in fds:
            os.close(fd)
        channel.close()
    house.check_alive()
    house.lies += 1
    assert closed, f"{receiver} keeps the channel to {liar} after {lie.label}"


def is_replaced(house, liar):
    """Does the liar stand in the place of a room that works?"""
    return liar in house.rooms


def settle(house, liar, receiver):
    if is_replaced(house, liar):
        house.connect(liar, receiver)
    house.check_service(f"lies of {liar} to {receiver}")


def check_holdings(room, before, wait=PATIENCE):
    """Descriptors of liars were closed, memory given back or bounded."""
    fds, memory = before
    end = time.monotonic() + wait
    most = fds + SLACK.get(room.name, 2)
    while room.descriptors() > most and time.monotonic() < end:
        time.sleep(0.02)
    assert room.descriptors() <= most, f"{room.name} kept {room.descriptors() - fds} descriptors: {room.holdings()}"
    assert room.memory() < memory + GROWTH_MOST, f"{room.name} grew by {(room.memory() - memory) >> 20} MiB"


def tell_all(house, liar, receiver, lies):
    room = house.rooms[receiver]
    before = room.descriptors(), room.memory()
    count = 0
    for lie in lies:
        tell_lie(house, liar, receiver, lie)
        count += 1
    settle(house, liar, receiver)
    check_holdings(room, before)
    return count


def identity(pair):
    return f"{pair[0]}-to-{pair[1]}"


@pytest.mark.parametrize("pair", list(pairs()), ids=identity)
def test_every_message_is_spoilt(house, pair):
    liar, receiver = pair
    rows = [row for row in messages().values() if may_send(row, split(liar)[0], split(receiver)[0])]
    assert rows
    for row in rows:
        tell_all(house, liar, receiver, spoil(row, 1 if IS_LONG else 3))


@pytest.mark.parametrize("pair", list(pairs()), ids=identity)
def test_no_message_of_others(house, pair):
    liar, receiver = pair
    assert tell_all(house, liar, receiver, forbidden(split(liar)[0], split(receiver)[0])) > 20


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
@pytest.mark.parametrize("pair", list(pairs()), ids=identity)
def test_mutations(house, pair, seed):
    liar, receiver = pair
    tell_all(house, liar, receiver, mutations(split(liar)[0], split(receiver)[0], seed, 400 if IS_LONG else 60))
