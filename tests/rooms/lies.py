"""rooms/lies.py: what a room can say that it must not: every message of the table, spoilt in every way that the form allows.
Each lie is a Lie; what the receiver has to do about it is in its `must`."""
import dataclasses
import os
import random
import socket
import struct

from rooms.frames import FRAME_MAX, HEAD, NUMBERS, frame, marks, messages, pack_fields, sample

CLOSE, EITHER = "close", "either"   # the channel has to be closed; or the receiver may choose, but not suffer
KINDS = ("pipe", "null", "socket", "folder", "file")


@dataclasses.dataclass
class Lie:
    label: str
    octets: bytes
    fds: tuple = ()        # kinds of descriptors that come along
    must: str = CLOSE
    hang_up: bool = False  # nothing more is said: the rest of the frame never comes


def descriptor(kind):
    """Of a wrong kind, the caller's to close."""
    if kind == "pipe":
        reader, writer = os.pipe()
        os.close(reader)
        return writer
    if kind == "socket":
        one, other = socket.socketpair()
        other.close()
        return one.detach()
    path, flags = {"null": ("/dev/null", os.O_RDWR), "folder": ("/", os.O_RDONLY), "file": ("/etc/hostname", os.O_RDONLY)}[kind]
    return os.open(path, flags)


def may_send(row, liar, receiver):
    return liar in row["from"] and receiver in row["to"]


def number_lies(row, values, payload):
    """Each number at its ends, each count beyond what follows, each enumeration and truth beyond its values."""
    for field, at in marks(row["fields"], values):
        kind, name = field["kind"], field["name"]
        if kind in ("bytes", "list"):
            for count in (0xffffffff, 0x7fffffff, 0x80000000, field["max"] + 1, len(payload)):
                spoilt = payload[:at] + struct.pack("<I", count & 0xffffffff) + payload[at + 4:]
                yield f"{name} of {count:#x}", spoilt, CLOSE
        elif kind in ("enum", "bool"):
            for value in ({2, 255} if kind == "bool" else {field["max"] + 1, 255}):
                if value <= 255:
                    yield f"{name} = {value}", payload[:at] + bytes([value]) + payload[at + 1:], CLOSE
        elif kind != "shape":
            form = NUMBERS[kind]
            size = struct.calcsize(form)
            for value in {0, 1, 2 ** (8 * size - 1), 2 ** (8 * size) - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 62} - {None}:
                octets = (value & (2 ** (8 * size) - 1)).to_bytes(size, "little")
                yield f"{name} = {value:#x}", payload[:at] + octets + payload[at + size:], EITHER


def text_lies(row):
    """Lawful lengths, unlawful content."""
    values = sample(row["fields"])
    for field in row["fields"]:
        if field["kind"] != "bytes":
            continue
        for text in (b"", b"\0", b"\r\n.\r\n250 ok\r\n", b"\xff" * min(field["max"], 64), b"../../../etc/passwd", b"%s%n",
                     b"x" * min(field["max"], 70000)):
            yield f"{field['name']} is {text[:12]!r}…", pack_fields(row["fields"], {**values, field["name"]: text[:field["max"]]})


def spoil(row, step=1):
    """Everything for one message that the liar may send. step: every how manieth octet is a place to cut at."""
    name, values = row["name"], sample(row["fields"])
    whole = frame(name, **values)
    payload = whole[HEAD.size:]
    lawful = ("null",) * row["fds_min"]

    def made(label, octets, must=CLOSE, count=None, fds=lawful, hang_up=False):
        head = HEAD.pack(len(octets) & 0xffffffff, row["type"], row["fds_min"] if count is None else count, 0)
        return Lie(f"{name}: {label}", head + octets, fds, must, hang_up)

    for cut in range(1, len(whole), step):
        yield Lie(f"{name}: cut at octet {cut}", whole[:cut], lawful, CLOSE, True)
    for cut in range(0, len(payload), step):
        yield made(f"only {cut} octets of it", payload[:cut])
    yield made("an octet too many", payload + b"\0")
    yield made("twice in one frame", payload + payload)
    for length in (FRAME_MAX + 1, 2 ** 31, 2 ** 32 - 1):
        yield Lie(f"{name}: {length} octets announced", HEAD.pack(length, row["type"], row["fds_min"], 0) + payload, lawful)
    yield Lie(f"{name}: a frame as large as they may be", HEAD.pack(FRAME_MAX, row["type"], row["fds_min"], 0) + bytes(FRAME_MAX),
              lawful)
    yield Lie(f"{name}: its empty octet is not empty", HEAD.pack(len(payload), row["type"], row["fds_min"], 1) + payload, lawful)
    if row["fds_min"] == 1:
        yield made("without its descriptor, head as usual", payload, EITHER, fds=())
        yield made("without its descriptor, and the head says so", payload, count=0, fds=())
    if row["fds_max"] == 0:
        yield made("a descriptor that the head names", payload, count=1, fds=("null",))
        yield made("a descriptor that no head names", payload, fds=("pipe",))
    for count in (2, 8, 60, 200):
        yield made(f"{count} descriptors", payload, count=row["fds_max"], fds=("null",) * count)
    yield made("255 descriptors announced", payload, count=255, fds=("null",))
    if row["fds_max"] == 1:
        for kind in KINDS:
            yield made(f"a {kind} for a descriptor", payload, EITHER, 1, (kind,))
    for label, octets, must in number_lies(row, values, payload):
        yield made(label, octets, must)
    for label, octets in text_lies(row):
        yield made(label, octets, EITHER)
    yield Lie(f"{name}: 50 times", whole * 50 if row["fds_min"] == 0 else whole, lawful, EITHER)


def forbidden(liar, receiver):
    """Lawful frames of messages that this liar may not send to this receiver, and of none."""
    for row in messages().values():
        if not may_send(row, liar, receiver):
            yield Lie(f"{row['name']}: not for {liar} to say to {receiver}", frame(row["name"], **sample(row["fields"])),
                      ("null",) * row["fds_min"])
    for number in (len(messages()), 255, 256, 0x7fff, 0xffff):
        yield Lie(f"a message of type {number}", HEAD.pack(0, number, 0, 0))
    yield Lie("a descriptor alone", b"\0", ("null",), CLOSE, True)
    yield Lie("nothing", b"", (), CLOSE, True)


def mutations(liar, receiver, seed, count):
    """Dialogues of lawful messages in a wild order, some octets of them changed."""
    rng = random.Random(seed)
    rows = [row for row in messages().values() if may_send(row, liar, receiver)]
    for number in range(count):
        octets, fds = b"", []
        for _ in range(rng.randrange(1, 6)):
            row = rng.choice(rows)
            values = sample(row["fields"], rng.choice((0, 1, 2, rng.randrange(256))))
            octets += frame(row["name"], **values)
            fds += ["null"] * row["fds_min"]
        spoilt = bytearray(octets)
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            spoilt[rng.randrange(len(spoilt))] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        if rng.random() < 0.2:
            del spoilt[rng.randrange(len(spoilt)):]
        if rng.random() < 0.1:
            fds.append(rng.choice(KINDS))
        yield Lie(f"mutation {number} of seed {seed}", bytes(spoilt), tuple(fds[:1]) if rng.random() < 0.9 else tuple(fds), EITHER,
                  rng.random() < 0.5)
