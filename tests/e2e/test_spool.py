"""e2e/test_spool.py: a spool that was damaged behind the server's back, a disk that is full, and who of the rooms holds what."""
import os
import pathlib
import re
import stat
import time

import pytest

from rig.client import message
from rig.disk import SmallDisk
from rig.hop import Hop
from rig.patience import await_true
from rig.server import ACCOUNTS, IS_ROOT, free_port

HEADER, RECORD, ENTRY = 4096, b"SUBMTREC", b"SUBMTENT"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Frame:
    """A frame of a segment or journal file, read as docs/spool.md says."""

    def __init__(self, octets, offset):
        self.offset = offset
        self.id = octets[offset + 16:offset + 24][::-1].hex() + octets[offset + 24:offset + 32][::-1].hex()
        self.kind = int.from_bytes(octets[offset + 32:offset + 34], "little")
        lengths = [int.from_bytes(octets[offset + at:offset + at + 4], "little") for at in (36, 40, 44)]
        self.length = (64 + sum(lengths) + 7) // 8 * 8

    def is_of(self, identity):
        number = 0
        for letter in identity:
            number = number * 32 + ALPHABET.index(letter)
        return self.id == f"{number:032x}"[-32:]


def frames(path, magic):
    octets, found, offset = path.read_bytes(), [], HEADER
    while octets[offset:offset + 8] == magic:
        found.append(Frame(octets, offset))
        offset += found[-1].length
    return found


def find_record(server, identity):
    """The segment and the frame that hold a message."""
    for path in server.state.glob("spool/segments/*.seg"):
        for frame in frames(path, RECORD):
            if frame.is_of(identity):
                return path, frame
    raise AssertionError(f"no record of {identity}")


def change(path, offset, octets=None):
    """Puts octets there; without them, turns one octet over."""
    with open(path, "r+b") as file:
        file.seek(offset)
        octets = octets or bytes([file.read(1)[0] ^ 0x55])
        file.seek(offset)
        file.write(octets)


@pytest.fixture
def place(rig):
    """A server whose next hop is not there yet, with four messages in one segment, killed."""
    server = rig.server("spool", start=False, top="gates = 1", sections={
        "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0", "timeouts": "idle = 1"})
    server.hop_port = free_port()
    server.routes = {"example.org": f'via = "smtp"  to = "127.0.0.1:{server.hop_port}"', "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    server.start()
    client = server.client()
    server.messages = [client.mail("alice@example.net", [f"bob{number}@example.org"], message(f"number {number}")) for number in range(4)]
    client.quit()
    server.await_queue(lambda queued: len(queued) == 4 and all(row["recipients"][0]["attempts"] for row in queued))
    return server


def restart(server, rig, survivors):
    """Starts it again, with the next hop; the others arrive, once each, and what the log says of the spool."""
    start = server.log_path.stat().st_size
    hop = Hop(port=server.hop_port)
    rig.others.append(hop)
    server.start()
    mails = hop.await_mails(len(survivors))
    arrived = sorted(mail.addresses[0] for mail in mails)
    assert arrived == sorted(f"bob{server.messages.index(identity)}@example.org" for identity in survivors)
    time.sleep(1.5)
    assert len(hop.mails) == len(survivors), "a damaged message was sent"
    return server.log(start)


@pytest.mark.parametrize("victim", [0, 1, 3])
@pytest.mark.parametrize("where", ["envelope", "body"])
def test_damaged_record(place, rig, victim, where):
    """QUE-14: a record whose content has changed is set aside and named; the others are delivered."""
    place.kill()
    lost = place.messages[victim]
    path, frame = find_record(place, lost)
    before = path.read_bytes()[frame.offset:frame.offset + frame.length]
    change(path, frame.offset + (80 if where == "envelope" else frame.length - 12))
    said = restart(place, rig, [identity for identity in place.messages if identity != lost])
    assert re.search(rf"set aside.*{lost}", said), said
    assert place.status()["spool"]["damaged"] >= (0 if victim == 3 else 1)
    kept = list(place.state.glob("spool/aside/*.rec"))
    assert len(kept) == 1 and len(kept[0].read_bytes()) >= len(before) - 8 and f"{frame.offset:016x}" in kept[0].name
    assert_reported(place, lost)
    # It stays reported, and apart, after another start.
    place.stop()
    start = place.log_path.stat().st_size
    place.start()
    assert len(list(place.state.glob("spool/aside/*.rec"))) == 1
    place.await_log("the spool has been read", start=start)
    place.await_mail(place.submit("carol@else.example"))


def assert_reported(server, identity):
    """The operator finds the message by its name, and it is not counted among those that wait."""
    trace = server.run_ctl("trace", identity, "--json")
    assert trace.returncode in {0, 66}, trace
    assert all(row["id"] != identity or row["held"] for row in server.queue())


def test_damaged_head(place, rig):
    """QUE-14: where the head is damaged the name is lost, but not the place, nor what follows."""
    place.kill()
    lost = place.messages[1]
    path, frame = find_record(place, lost)
    change(path, frame.offset + 20)
    said = restart(place, rig, [identity for identity in place.messages if identity != lost])
    line = next(line for line in said.splitlines() if "set aside" in line)
    assert f"offset={frame.offset} " in line and str(int(path.stem, 16)) in line, line
    assert place.status()["spool"]["damaged"] >= 1


def test_torn_tail(place, rig):
    """QUE-1, QUE-14: the last record ends too early, as after a power cut: set aside, the rest is delivered, mail goes on."""
    place.kill()
    lost = place.messages[-1]
    path, frame = find_record(place, lost)
    change(path, frame.offset + frame.length // 2 // 8 * 8, bytes(frame.length - frame.length // 2 // 8 * 8))
    said = restart(place, rig, place.messages[:-1])
    assert re.search(rf"set aside.*{lost}", said), said
    place.await_mail(place.submit("carol@else.example"))


def test_segment_without_header(place, rig):
    """A damaged header block of a segment costs no message."""
    place.kill()
    path, _ = find_record(place, place.messages[0])
    change(path, 0, os.urandom(64))
    restart(place, rig, place.messages)


def test_torn_journal(place, rig):
    """QUE-12: what lies behind the journal's good end was never acted on; nothing is lost."""
    place.kill()
    path = max(place.state.glob("spool/journal/*.jnl"))
    last = frames(path, ENTRY)[-1]
    change(path, last.offset + last.length - 16, os.urandom(16))
    restart(place, rig, place.messages)


def test_damaged_journal(place, rig):
    """An outcome that does not read back in the midst of the journal: its message is held for the operator, and named."""
    place.kill()
    path = max(place.state.glob("spool/journal/*.jnl"))
    suspect = place.messages[0]
    outcome = next(frame for frame in frames(path, ENTRY) if frame.kind == 2 and frame.is_of(suspect))
    change(path, outcome.offset + 70)
    said = restart(place, rig, place.messages[1:])
    assert re.search(rf"held.*{suspect}|{suspect}.*held", said), said
    row = next(row for row in place.queue() if row["id"] == suspect)
    assert row["held"] and place.status()["held"] == 1
    place.ctl("queue", "release", suspect)
    place.await_queue(lambda queued: all(row["id"] != suspect for row in queued))


def test_damaged_body(rig):
    """QUE-14: a large message whose body file has changed is not sent but held and named."""
    server = rig.server("body", start=False, sections={"queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
    port = free_port()
    server.routes = {"*": f'via = "smtp"  to = "127.0.0.1:{port}"'}
    server.write_conf()
    server.start()
    large = server.submit("bob@example.org", message(body="x" * 70 + "\r\n") + ("y" * 70 + "\r\n") * 5000)
    small = server.submit("bob@example.org")
    server.await_queue(lambda queued: len(queued) == 2 and all(row["recipients"][0]["attempts"] for row in queued))
    server.kill()
    body = next(path for path in server.state.glob("spool/bodies/*.body") if path.stat().st_size > 100000)
    change(body, 200000)
    hop = rig.hop(port=port)
    start = server.log_path.stat().st_size
    server.start()
    assert small.encode() in hop.await_mail().content
    server.await_log(rf"damaged.*{large}|{large}.*damaged", start=start)
    row = server.await_queue(lambda queued: len(queued) == 1)[0]
    assert row["id"] == large and row["held"] and len(hop.mails) == 1
    assert server.status()["spool"]["damaged"] == 1


# A full disk

@pytest.fixture
def small(rig):
    if not IS_ROOT:
        pytest.skip("only root may mount a small disk")
    server = rig.server("full", start=False, sections={"spool": "segment_size = 1048576  reserve = 8388608"})
    server.disk = SmallDisk(server.state, "160m")
    rig.others.append(server.disk)
    rig.servers.remove(server)
    yield server.start()
    try:
        server.stop()
    finally:
        server.disk.stop()
        faults = server.faults()
        if faults:
            server.keep()
        server.clear()
    assert not faults, faults


def test_disk_full(small):
    """DATA-16: without room MAIL gets 452 4.3.1, and is served again when there is room; what was accepted is not lost."""
    session = small.client()
    small.await_mail(session.mail("alice@example.net", ["bob@example.org"], message("before")))
    small.disk.fill(2 << 20)
    await_true(lambda: session.command("MAIL FROM:<alice@example.net>").brief == "452 4.3.1" or session.command("RSET") is None, "452 4.3.1")
    assert small.status()["spool"]["full"] is True
    other = small.client()
    reply = other.command("MAIL FROM:<alice@example.net>")
    assert reply.brief == "452 4.3.1" and small.rooms().keys() >= {"gate.0", "queue.0"}
    small.disk.empty()

    def served():
        reply = session.command("MAIL FROM:<alice@example.net>")
        return reply.brief == "250 2.1.0"
    await_true(served, "service after the disk has room again")
    session.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    small.await_mail(session.data(message("after")))
    small.await_mail(other.mail("alice@example.net", ["bob@example.org"], message("after too")))
    assert small.status()["spool"]["full"] is False
    session.quit()
    other.quit()


def test_disk_full_within(small):
    """DATA-16: the disk fills while a large message comes in: refused for now, whole, and the server goes on."""
    session = small.client()
    session.expect("MAIL FROM:<alice@example.net>", "250 2.1.0")
    session.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    session.expect("DATA", "354")
    session.send(message("too much", body="x" * 70 + "\r\n"))
    small.disk.fill(0)
    session.send(("y" * 70 + "\r\n").encode() * 200000 + b".\r\n")
    reply = session.read_reply()
    assert reply.brief in {"452 4.3.1", "451 4.3.0"}, reply
    small.disk.empty()
    await_true(lambda: session.command("MAIL FROM:<alice@example.net>").brief == "250 2.1.0", "service after the disk has room again")
    session.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    small.await_mail(session.data(message("after")))
    session.quit()
    assert not any(b"too much" in octets for octets in small.delivered().values())


# Who holds what

def status_of(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def descriptors(pid):
    """Number to where it leads and how it was opened."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            info = pathlib.Path(f"/proc/{pid}/fdinfo/{number}").read_text()
            found[number] = (os.readlink(f"/proc/{pid}/fd/{number}"), int(re.search(r"flags:\s+(\d+)", info)[1], 8) & os.O_ACCMODE)
        except FileNotFoundError:
            pass
    return found


@pytest.mark.skipif(not IS_ROOT, reason="only root can give each room a user of its own and look at its descriptors")
def test_rooms(rig):
    """SEC-1: each room is a user of its own without capabilities; the key is the vault's, the users too, the spool the queue's."""
    server = rig.server("rooms", routes=None)
    hop = rig.hop()
    server.routes["later.example"] = f'via = "smtp"  to = "127.0.0.1:{hop.port}"'
    server.write_conf()
    server.reload()
    session = server.client()
    server.await_mail(session.mail("alice@example.net", ["bob@example.org"], message()))
    session.mail("alice@example.net", ["bob@later.example"], message())
    hop.await_mail()
    rooms = server.rooms()
    wanted = dict(re.findall(r'(\w+) = "(\d+)"', ACCOUNTS))
    users = set()
    for name, pid in rooms.items():
        status = status_of(pid)
        kind = name.partition(".")[0]
        assert set(status["Uid"].split()) == {wanted[kind]} and "0" not in status["Gid"].split() + status["Groups"].split(), (name, status)
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0 and status["NoNewPrivs"] == "1", (name, status)
        users.add(status["Uid"])
        # Not dumpable: its files in /proc are root's, so that rooms of the same user cannot look into each other.
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    assert len(users) == 5
    for name, pid in rooms.items():
        held = descriptors(pid)
        paths = {path for path, _ in held.values()}
        kind = name.partition(".")[0]
        if kind != "vault":
            assert str(server.key) not in paths and not any(path.startswith(str(server.users_path)) for path in paths), (name, paths)
            assert str(server.folder) not in paths, (name, paths)
        if kind not in {"queue", "gate"}:
            assert not any("/spool" in path for path in paths), (name, paths)
        if kind == "gate":
            spool = {(path, mode) for path, mode in held.values() if "/spool" in path}
            assert spool and all(mode == os.O_WRONLY and re.search(r"\.(seg|body)$", path) for path, mode in spool), spool
        if kind != "maildrop":
            assert not any(str(server.mail) in path for path in paths), (name, paths)
        assert not any("urandom" in path or path == str(server.conf) for path in paths), (name, paths)
    session.quit()


def test_spool_is_private(rig):
    """SEC-4: nobody else may look into the spool."""
    server = rig.server("private")
    server.await_mail(server.submit("bob@example.org"))
    for path in [server.state / "spool", *(server.state / "spool").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((server.state / "control.sock").stat().st_mode) == 0o600


def test_killed_while_it_waits(place, rig):
    """QUE-1: SIGKILL to everything, and all that was acknowledged is there."""
    place.kill()
    restart(place, rig, place.messages)
    place.await_empty()


