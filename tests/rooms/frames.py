"""rooms/frames.py: the language of the channels, as the program's own table tells it: lawful frames, and the means to spoil
them. See src/ipc/channel.c and src/base/pack.h."""
import array
import functools
import json
import os
import socket
import struct
import subprocess

from rig.patience import PATIENCE
from rig.server import BUILD

HEAD = struct.Struct("<IHBB")
NUMBERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q", "bool": "<B", "enum": "<B"}
FRAME_MAX = 8 << 20


def tell(*words):
    """What rooms_list says."""
    return subprocess.run([BUILD / "tests" / "rooms" / "rooms_list", *words], check=True, capture_output=True).stdout


@functools.cache
def messages():
    """name to row."""
    return {row["name"]: row for row in json.loads(tell("messages"))}


@functools.cache
def plan():
    return json.loads(tell("plan"))


@functools.cache
def attempts():
    return json.loads(tell("attempts"))


def pack_fields(fields, values):
    out = b""
    for field in fields:
        kind, value = field["kind"], values.get(field["name"])
        if kind == "bytes":
            value = b"" if value is None else value.encode() if isinstance(value, str) else value
            out += struct.pack("<I", len(value)) + value
        elif kind == "list":
            value = value or []
            out += struct.pack("<I", len(value)) + b"".join(pack_fields(field["of"], one) for one in value)
        elif kind == "shape":
            out += pack_fields(field["of"], value or {})
        else:
            out += struct.pack(NUMBERS[kind], value or 0)
    return out


def unpack_fields(fields, octets, at=0):
    values = {}
    for field in fields:
        kind = field["kind"]
        if kind in NUMBERS:
            values[field["name"]], = struct.unpack_from(NUMBERS[kind], octets, at)
            at += struct.calcsize(NUMBERS[kind])
            continue
        if kind == "shape":
            values[field["name"]], at = unpack_fields(field["of"], octets, at)
            continue
        count, = struct.unpack_from("<I", octets, at)
        at += 4
        if kind == "bytes":
            values[field["name"]] = octets[at:at + count]
            at += count
        else:
            values[field["name"]] = []
            for _ in range(count):
                one, at = unpack_fields(field["of"], octets, at)
                values[field["name"]].append(one)
    return values, at


def marks(fields, values, at=0):
    """Where in the packed octets each field begins: a list of (field, position)."""
    found = []
    for field in fields:
        found.append((field, at))
        value = values.get(field["name"])
        if field["kind"] == "list":
            inner = at + 4
            for one in value or []:
                found += marks(field["of"], one, inner)
                inner += len(pack_fields(field["of"], one))
            at = inner
        else:
            at += len(pack_fields([field], values))
    return found


def sample(fields, number=1):
    """Lawful values for the fields: small numbers, short texts, lists of one."""
    values = {}
    for field in fields:
        kind = field["kind"]
        if kind == "bytes":
            values[field["name"]] = b"x" * min(3, field["max"])
        elif kind == "list":
            values[field["name"]] = [sample(field["of"], number)]
        elif kind == "shape":
            values[field["name"]] = sample(field["of"], number)
        else:
            values[field["name"]] = number if kind != "enum" else min(number, field["max"])
    return values


def frame(name, fds=None, /, **values):
    """The octets of a message; fds: how many descriptors its head announces."""
    row = messages()[name]
    payload = pack_fields(row["fields"], values)
    return HEAD.pack(len(payload), row["type"], row["fds_min"] if fds is None else fds, 0) + payload


class Channel:
    """One end of a channel, with no manners unless asked for."""

    def __init__(self, end):
        self.socket = end
        self.socket.settimeout(PATIENCE)
        self.octets = b""
        self.fds = []

    def send_raw(self, octets, fds=()):
        """False when the other end has closed."""
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.socket.sendmsg([octets], control)
            if sent < len(octets):
                self.socket.sendall(octets[sent:])
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def send(self, name, fd=None, /, **values):
        """A lawful message."""
        return self.send_raw(frame(name, 0 if fd is None else 1, **values), [] if fd is None else [fd])

    def fill(self, wait):
        """More octets; False at the end of the channel. TimeoutError without any."""
        self.socket.settimeout(wait)
        try:
            octets, control, _, _ = self.socket.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 16), socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return False
        for _, _, data in control:
            self.fds += array.array("i", data[:len(data) - len(data) % 4])
        self.octets += octets
        return bool(octets)

    def has_message(self):
        """A whole message has been read already: no select will tell of it."""
        return len(self.octets) >= HEAD.size and len(self.octets) >= HEAD.size + HEAD.unpack_from(self.octets)[0]

    def receive(self, wait=PATIENCE):
        """(name, values, descriptor or None); None at the end of the channel."""
        while not self.has_message():
            if not self.fill(wait):
                return None
        length, kind, count, _ = HEAD.unpack_from(self.octets)
        payload, self.octets = self.octets[HEAD.size:HEAD.size + length], self.octets[HEAD.size + length:]
        row = next(row for row in messages().values() if row["type"] == kind)
        fd = self.fds.pop(0) if count else None
        return row["name"], unpack_fields(row["fields"], payload)[0], fd

    def await_message(self, name, wait=PATIENCE):
        """Its values, and its descriptor; others before it are passed over."""
        while True:
            message = self.receive(wait)
            assert message, f"the channel was closed where {name} was due"
            if message[0] == name:
                return message[1], message[2]
            if message[2] is not None:
                os.close(message[2])

    def is_closed(self, wait=PATIENCE):
        """Does the other end close the channel within that time?"""
        try:
            while self.fill(wait):
                self.octets = b""
        except TimeoutError:
            return False
        return True

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.socket.close()
