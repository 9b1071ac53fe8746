"""crash/sink.py: a fast next hop in a process of its own. It writes down what it takes before it answers, one line of JSON for
each message, so that whatever the sender believes to be delivered is in the file. It checks the content's own digest at once
and keeps what fails. Now and then it is slow, or wants a sender or a recipient to come again later, so that there are always
deliveries under way, deferred ones, half-done ones and, after its times of absence, many at once.

    sink.py FOLDER SEED     prints its port; ends with its standard input"""
import asyncio
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

HOSTS = ("127.0.0.1", "127.0.0.2")  # two places to the queue
CONTENT_MAX = 64 << 20
EVERY, AWAY = 15.0, 2.0     # seconds: in each such time it takes nothing for so long
WORDS = (b"sink.example.org", b"PIPELINING", b"8BITMIME", b"CHUNKING", b"SMTPUTF8")
KEYWORDS = b"".join(b"250-%s\r\n" % word for word in WORDS) + b"250 ENHANCEDSTATUSCODES\r\n"


def field(header, name):
    """The value of a field that stands on one line; nothing where it is missing or doubled."""
    values = [line.partition(b":")[2].strip() for line in header.split(b"\r\n") if line.lower().startswith(name + b":")]
    return values[0].decode("ascii", "backslashreplace") if len(values) == 1 else None


class Taken:
    """The list of all that was taken."""

    def __init__(self, folder):
        self.folder = folder
        self.file = os.open(folder / "taken.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.strange = 0

    def is_released(self):
        """Recipients whose name begins with "stay" are taken only from then on: their segments live long, the others in them do
        not."""
        return (self.folder / "released").exists()

    def note(self, sender, recipients, content):
        header, _, body = content.partition(b"\r\n\r\n")
        if not sender:
            self.note_notice(header, body)
            return
        digest = hashlib.sha256(body).hexdigest()
        entry = {"time": time.monotonic(), "mark": field(header, b"x-mark"), "sender": sender, "recipients": recipients,
                 "octets": len(body), "digest": digest}
        if field(header, b"x-digest") != digest:
            self.keep(content, entry)
        os.write(self.file, (json.dumps(entry) + "\n").encode())

    def note_notice(self, header, body):
        """Which one it is, and whom it names."""
        named = [name.decode() for name in re.findall(rb"^Final-Recipient: rfc822; (\S+)\r$", body, re.M)]
        entry = {"time": time.monotonic(), "notice": field(header, b"message-id"), "recipients": named}
        os.write(self.file, (json.dumps(entry) + "\n").encode())

    def keep(self, content, entry):
        self.strange += 1
        entry["kept"] = f"strange-{self.strange}.eml"
        (self.folder / entry["kept"]).write_bytes(content)


class Session:
    def __init__(self, taken, chance, reader, writer):
        self.taken, self.chance, self.reader, self.writer = taken, chance, reader, writer
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.chunks = None, [], []

    def say(self, octets):
        self.writer.write(octets)

    async def run(self):
        self.say(b"220 sink.example.org ESMTP\r\n")
        try:
            while True:
                line = await self.reader.readuntil(b"\r\n")
                verb, _, argument = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape").partition(" ")
                handler = getattr(self, "do_" + verb.lower(), None)
                if not handler:
                    self.say(b"500 5.5.2 what?\r\n")
                elif await handler(argument):
                    break
                await self.writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self.writer.close()

    async def do_ehlo(self, _argument):
        self.reset()
        self.say(KEYWORDS)

    def is_unwilling(self):
        return time.monotonic() % EVERY < AWAY or self.chance.random() < 0.03

    async def do_mail(self, argument):
        self.reset()
        if self.is_unwilling():
            self.say(b"450 4.7.1 later\r\n")  # no sign of strain, for which the queue would send less at once
            return
        self.sender = argument.partition("<")[2].partition(">")[0]
        self.say(b"250 2.1.0 ok\r\n")

    async def do_rcpt(self, argument):
        if self.sender is None:
            self.say(b"503 5.5.1 MAIL first\r\n")
            return
        if self.chance.random() < 0.03 or ("<stay" in argument and not self.taken.is_released()):
            self.say(b"450 4.2.1 this one later\r\n")
            return
        self.recipients.append(argument.partition("<")[2].partition(">")[0])
        self.say(b"250 2.1.5 ok\r\n")

    async def do_data(self, _argument):
        if not self.recipients:
            self.say(b"554 5.5.1 no recipients\r\n")
            return
        self.say(b"354 go ahead\r\n")
        await self.writer.drain()
        wire = await self.reader.readuntil(b"\r\n.\r\n")
        await self.finish((b"\r\n" + wire[:-3]).replace(b"\r\n.", b"\r\n")[2:])

    async def do_bdat(self, argument):
        count, _, last = argument.partition(" ")
        self.chunks.append(await self.reader.readexactly(int(count)))
        if not self.recipients:
            self.say(b"554 5.5.1 no recipients\r\n")
        elif last:
            await self.finish(b"".join(self.chunks))
        else:
            self.say(b"250 2.0.0 chunk\r\n")

    async def finish(self, content):
        self.taken.note(self.sender, self.recipients, content)
        self.reset()
        if self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.uniform(0, 0.1 if self.chance.random() < 0.95 else 2))
        self.say(b"250 2.0.0 taken\r\n")

    async def do_rset(self, _argument):
        self.reset()
        self.say(b"250 2.0.0 reset\r\n")

    async def do_noop(self, _argument):
        self.say(b"250 2.0.0 ok\r\n")

    async def do_quit(self, _argument):
        self.say(b"221 2.0.0 bye\r\n")
        return True


async def serve(folder, seed):
    taken, chance = Taken(folder), random.Random(seed)
    port = 0
    for host in HOSTS:
        server = await asyncio.start_server(lambda reader, writer: Session(taken, chance, reader, writer).run(), host, port,
                                            limit=CONTENT_MAX, backlog=256)
        port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    await stdin.read()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(pathlib.Path(sys.argv[1]), int(sys.argv[2])))
