"""rude/tarpit.py: rude next hops in a process of their own, one port for each kind of rudeness.

    tarpit.py     prints {kind: port}; ends with its standard input, then prints how much one connection took at most, by kind

A kind is an act and the stage at which it begins: the reply to that command, or the greeting, or the content. Up to there
the hop is polite."""
import asyncio
import contextlib
import json
import os
import pathlib
import random
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from rig.server import make_certificate, make_folder  # noqa: E402

STAGES = ("CONNECT", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "END")
POLITE = {"EHLO": b"250-tarpit.example\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 8BITMIME\r\n", "MAIL": b"250 2.1.0 ok\r\n",
          "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go ahead\r\n", "RSET": b"250 2.0.0 ok\r\n", "QUIT": b"221 2.0.0 bye\r\n"}
FOR_EVER = 3600


class Visit:
    """One connection."""

    def __init__(self, pit, act, stage, reader, writer):
        self.pit, self.act, self.stage, self.reader, self.writer, self.sent = pit, act, stage, reader, writer, 0

    async def say(self, octets):
        self.writer.write(octets)
        self.sent += len(octets)
        await self.writer.drain()

    async def answer(self, stage, usual):
        if stage == self.stage:
            await self.act(self)
        await self.say(usual)

    async def run(self):
        try:
            await self.answer("CONNECT", b"220 tarpit.example ESMTP\r\n")
            is_secured = False
            while True:
                verb = (await self.reader.readuntil(b"\r\n")).split()[0].upper().decode("ascii", "replace")
                if verb == "STARTTLS":
                    await self.answer(verb, b"220 2.0.0 go ahead\r\n")
                    await self.writer.start_tls(self.pit.context)
                    is_secured = True
                    continue
                usual = POLITE.get(verb, b"500 5.5.2 what?\r\n")
                if verb == "EHLO" and (is_secured or self.stage != "STARTTLS"):
                    usual = usual.replace(b"250-STARTTLS\r\n", b"")
                await self.answer(verb, usual)
                if verb == "DATA":
                    await self.reader.readuntil(b"\r\n.\r\n")
                    await self.answer("END", b"250 2.0.0 taken\r\n")
                if verb == "QUIT":
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError, ValueError, IndexError):
            pass
        finally:
            self.writer.close()


async def endless_lines(visit):
    while True:
        await visit.say(b"250-and more\r\n" * 4000)


async def endless_line(visit):
    await visit.say(b"250 ")
    while True:
        await visit.say(b"x" * 65536)


async def octets(visit):
    for octet in b"250-" + b"x" * FOR_EVER:
        await visit.say(bytes([octet]))
        await asyncio.sleep(1)


async def slow_lines(visit):
    while True:
        await visit.say(b"250-wait\r\n")
        await asyncio.sleep(0.5)


async def million_lines(visit):
    for _ in range(100):
        await visit.say(b"250-one of a million\r\n" * 10000)


async def huge(visit):
    for _ in range(1024):
        await visit.say((b"250-" + b"X" * 506 + b"\r\n") * 128)


async def silence(_visit):
    await asyncio.sleep(FOR_EVER)


async def deaf(visit):
    visit.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await visit.say(b"354 go ahead\r\n")
    visit.writer.transport.pause_reading()
    await asyncio.sleep(FOR_EVER)


async def close(_visit):
    raise ConnectionAbortedError


async def reset(visit):
    visit.writer.transport.abort()
    raise ConnectionAbortedError


async def late(_visit):
    await asyncio.sleep(1)


async def nonsense(visit):
    await visit.say(random.choice([b"999 no\r\n", b"\r\n", b"\0\0\0\r\n", b"2\r\n", b"250-a\r\n550 b\r\n", b"hello\r\n", b"-1 x\r\n",
                                   b"\xff" * 40 + b"\r\n", b"250 a\n250 b\n"]))


async def surplus(visit):
    """More replies than commands."""
    while True:
        await visit.say(b"250 2.0.0 ok\r\n" * 100)
        await asyncio.sleep(0.01)


async def injected(visit):
    await visit.say(b"220 2.0.0 go ahead\r\n250-injected.example\r\n250 AUTH PLAIN\r\n")
    await asyncio.sleep(FOR_EVER)


async def garbage(visit):
    await visit.say(b"220 2.0.0 go ahead\r\n")
    await asyncio.sleep(0.05)
    while True:
        await visit.say(os.urandom(16384))


async def alerts(visit):
    """Warnings of TLS, without an end."""
    await visit.say(b"220 2.0.0 go ahead\r\n")
    await asyncio.sleep(0.05)
    while True:
        await visit.say(b"\x15\x03\x03\x00\x02\x01\x5a" * 1000)


async def empty_records(visit):
    await visit.say(b"220 2.0.0 go ahead\r\n")
    await asyncio.sleep(0.05)
    while True:
        await visit.say(b"\x16\x03\x03\x00\x00" * 1000)


async def record_by_octets(visit):
    await visit.say(b"220 2.0.0 go ahead\r\n")
    for octet in b"\x16\x03\x03\x40\x00" + b"\x02\0\x3f\xf0" + b"\0" * FOR_EVER:
        await visit.say(bytes([octet]))
        await asyncio.sleep(0.5)


EVERYWHERE = {"endless-lines": endless_lines, "endless-line": endless_line, "octets": octets, "slow-lines": slow_lines, "silence": silence,
              "close": close, "reset": reset, "nonsense": nonsense, "late": late, "surplus": surplus}
ONLY = {"million-lines": (million_lines, "EHLO"), "huge": (huge, "EHLO"), "deaf": (deaf, "DATA"), "injected": (injected, "STARTTLS"),
        "garbage": (garbage, "STARTTLS"), "alerts": (alerts, "STARTTLS"), "empty-records": (empty_records, "STARTTLS"),
        "record-by-octets": (record_by_octets, "STARTTLS")}
# Those that take the mail in the end.
PATIENT = {"late"}


def kinds():
    """Name, as it may stand in a domain, to act and stage."""
    found = {f"{name}-{stage.lower()}": (act, stage) for name, act in EVERYWHERE.items() for stage in STAGES}
    found.update({f"{name}-{stage.lower()}": (act, stage) for name, (act, stage) in ONLY.items()})
    return found


class Pit:
    def __init__(self):
        folder = make_folder("tarpit")
        key, chain = make_certificate(folder, "tarpit")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        for path in (key, chain):
            path.unlink()
        folder.rmdir()
        self.most = {}

    async def serve(self):
        ports = {}
        for name, (act, stage) in kinds().items():
            async def visit(reader, writer, name=name, act=act, stage=stage):
                one = Visit(self, act, stage, reader, writer)
                await one.run()
                self.most[name] = max(self.most.get(name, 0), one.sent)
            server = await asyncio.start_server(visit, "127.0.0.1", 0, limit=64 << 20)
            ports[name] = server.sockets[0].getsockname()[1]
        print(json.dumps(ports), flush=True)
        stdin = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
        await stdin.read()
        print(json.dumps(self.most), flush=True)
        os._exit(0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Pit().serve())
