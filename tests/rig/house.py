"""rig/house.py: a server with one gate and a next hop, and what its clients were told about each message: for tests in which
something fails on purpose. What was acknowledged has to arrive with its own content, what was refused must not."""
import collections
import json
import os
import ssl
import threading
import time

from rig.client import Closed, message, queue_id, stuff
from rig.inject import Faults
from rig.patience import PATIENCE

LARGE = 16384           # octets: a larger body gets a file of its own
LONG = bool(os.environ.get("SUBMITD_PROVE_LONG"))   # the long form of a proof
QUEUE = "retry = { 1 }  retry_connect = { 1 }  dead_host = 0  delay_notice = 0"
SETTINGS = {"queue": QUEUE, "spool": f"segment_size = 1048576  large_message = {LARGE}"}


class House:
    """A server with one gate, the next hop for example.org and everything else, a Maildir for example.com, and what clients were
    told. sections: instead of those above. prepare: called with the server before it starts. environment: of submitd."""

    def __init__(self, rig, script=None, sections=None, top="", prepare=None, environment=None, routes=None):
        self.hop = rig.hop(script)
        self.server = rig.server("faults", start=False, top=f"gates = 1\n{top}", sections={**SETTINGS, **(sections or {})})
        self.server.routes = {"*": f'via = "smtp"  to = "{self.hop.address}"  tls = "none"',
                              "example.com": f'via = "maildir"  to = "{self.server.mail}"', **(routes or {})}
        self.server.write_conf()
        self.faults = Faults()
        rig.others.append(self.faults)
        preload = [each["LD_PRELOAD"] for each in (self.faults.environment, environment or {}) if "LD_PRELOAD" in each]
        self.server.environment = {**self.faults.environment, **(environment or {}), "LD_PRELOAD": " ".join(preload)}
        if prepare:
            prepare(self.server)
        self.server.start()
        self.told = {}
        self.guard = threading.Lock()
        # Blanks and spares are made after the start.
        assert self.submit("first").code == 250

    def pid(self, room):
        return self.server.rooms()[room + ".0"]

    # Submitting

    def submit(self, mark, size=500, connection=None, recipient="bob@example.org", wishes=""):
        """The reply that decided, or None where the connection ended without one once all of the message was sent. wishes:
        parameters of RCPT."""
        own = None if connection else self.server.client()
        connection = connection or own
        line = f"{mark} " * (70 // (len(mark) + 1)) + "\r\n"
        content = message(mark, to=recipient, body=line * (size // len(line) + 1)).encode()
        try:
            reply = self.say(connection, recipient, content, wishes)
        except (Closed, OSError, ssl.SSLError):
            reply = None
        with self.guard:
            self.told[mark] = reply
        if own:
            own.close()
        return reply

    @staticmethod
    def say(connection, recipient, content, wishes=""):
        rcpt = f"RCPT TO:<{recipient}> {wishes}".rstrip()
        for line, wanted in (("MAIL FROM:<alice@example.net>", 250), (rcpt, 250), ("DATA", 354)):
            reply = connection.command(line)
            if reply.code != wanted:
                connection.command("RSET")
                return reply
        connection.send(stuff(content) + b".\r\n")
        return connection.read_reply()

    def brief(self, mark, **how):
        reply = self.submit(mark, **how)
        return reply and reply.brief

    def attempt(self, mark, **how):
        """The same where even a connection may be refused: then nothing was sent."""
        try:
            return self.brief(mark, **how)
        except (Closed, OSError, ssl.SSLError, AssertionError) as error:
            return f"no session: {error!r:.80}"

    def await_service(self, name, wait=PATIENCE, **how):
        """Until a message is taken again; how long that took."""
        begin, tries = time.monotonic(), 0
        while (brief := self.attempt(f"{name}{tries}", **how)) != "250 2.0.0":
            assert time.monotonic() - begin < wait, f"no service {wait} s after {name}: {brief}"
            tries += 1
            time.sleep(0.2)
        return time.monotonic() - begin

    # Judging

    def arrived(self):
        """How often each mark arrived; its content has to be its own. Reports of ours do not count."""
        counts = collections.Counter()
        texts = [(mail.header, mail.body) for mail in list(self.hop.mails) if mail.sender]
        texts += [octets.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")[::2] for octets in self.server.delivered().values()]
        for header, body in texts:
            mark = (b"\r\n" + header).partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
            assert set(body.split()) == {mark.encode()}, f"the body of {mark} is not its own: {body[:200]!r}"
            counts[mark] += 1
        return counts

    def wanted(self):
        with self.guard:
            return {mark for mark, reply in self.told.items() if reply and reply.code == 250}

    def is_queue_empty(self):
        """Not while the queue is away or reads its spool."""
        answer = self.server.run_ctl("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["queued"] == 0

    def settle(self, wait=PATIENCE, is_written=True):
        """Until all that was promised has come and nothing is left to do, nor to write down, for which there may be no room."""
        end = time.monotonic() + wait
        while not self.wanted() <= set(self.arrived()) or not self.is_queue_empty():
            assert time.monotonic() < end, f"lost: {self.wanted() - set(self.arrived())}; queued: {self.server.run_ctl('queue', 'list').stdout}"
            time.sleep(0.05)
        if is_written:
            with self.guard:
                self.server.await_recorded(next(queue_id(reply) for reply in self.told.values() if reply and reply.code == 250))

    def check(self, twice=0, wait=PATIENCE):
        """All that was promised has come, nothing that was refused, and no more doubles than allowed."""
        self.settle(wait)
        counts = self.arrived()
        refused = {mark for mark, reply in self.told.items() if reply and reply.code != 250}
        assert not refused & set(counts), f"refused but delivered: {refused & set(counts)}"
        assert sum(count - 1 for count in counts.values()) <= twice, counts
        assert self.faults.sins() == 0, "a file was written or synced again after its sync had failed"

    def restart(self):
        """As after a crash: what is on the disk is all that is left."""
        self.server.tolerate("a room died .*signal=9")
        self.server.kill()
        self.server.start()


def await_room(house, room, old):
    end = time.monotonic() + PATIENCE
    while house.server.rooms().get(room + ".0") in (None, old):
        assert time.monotonic() < end, f"{room} is not restarted"
        time.sleep(0.02)
