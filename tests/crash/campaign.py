"""crash/campaign.py: the kill campaign. Clients submit without a pause over TLS; at random times a random room, the supervisor or
all of them get SIGKILL, or one room gets it at its n-th fdatasync, unlinkat, sendmsg… from then. Meanwhile segments are compacted
and checkpoints written. Afterwards every message that had its 250 has arrived at the sink or in the Maildir, unchanged; nothing
has arrived that was refused; and what was delivered twice is counted against the bound (docs/spool.md).

    campaign.py [--kills 100] [--exact 0.4] [--seed N] [--clients 8] [--keep]

Exit status 1 when a promise was broken; then spool, log and lists are kept, and it says where."""
import argparse
import collections
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from judgement import Kill, judge  # noqa: E402
from load import ACKNOWLEDGED, Client  # noqa: E402
from rig.server import FAULTS, KEPT, Server, forget_certificates, make_folder  # noqa: E402

from rig.inject import Strike  # noqa: E402
from rig.patience import PATIENCE  # noqa: E402

LARGE = 16384           # octets: a larger body gets a file of its own
CURIOUS = 0.1           # share of the messages whose senders want to be told of success
JOBS = 32               # that the queue gives out at once
READY = re.compile(r"submitd ready|configuration in force")
EXPECTED = re.compile(r"a room died .*signal=9")
RESTART_WAIT, EMPTY_WAIT, EMPTY_BELIEVED = PATIENCE, 3 * PATIENCE, 15.0
VICTIMS = {"gate.0": 2, "gate.1": 2, "queue.0": 3, "relay.0": 3, "maildrop.0": 1, "vault.0": 1, "all": 3, "supervisor": 1}

# Where a room is killed: on entering the n-th of these calls in one of its threads. What a thread wrote before such a call is
# with the kernel and survives; so these are all the orders of writes that a kill can cut apart.
CALLS = {"gate": ("pwritev", "fdatasync", "write", "sendmsg", "sendto", "recvmsg", "recvfrom", "close"),
         "queue": ("pwritev", "fdatasync", "fsync", "openat", "unlinkat", "renameat", "ftruncate", "fallocate", "pread64", "write",
                   "sendmsg", "recvmsg", "close"),
         "relay": ("sendto", "recvfrom", "sendmsg", "recvmsg", "connect", "write", "close", "pread64"),
         "maildrop": ("openat", "write", "fsync", "renameat", "unlinkat", "sendmsg", "recvmsg", "close")}
NTH = (1, 2, 3, 4, 5, 8, 13)
# Quiet rounds, in which only others than the queue are killed, for as long as a segment has to lie before it is compacted; then
# the queue, in the act: before the copy, before its sync, before the old segment goes. Thread, call, number; None: it may finish.
COMPACTING = (None, ("disk", "pwritev", 1), ("disk", "fdatasync", 1), None, ("disk", "pwritev", 2), ("maker", "unlinkat", 2),
              ("disk", "fdatasync", 2))
RAGE, QUIET = 15, 14.0   # kills between two of them; seconds
STRIKE_WAIT = 2.0

# What has to happen during a campaign, or it has not shown what it is for. Name and the log line that tells of it.
ACTS = {"checkpoints": re.compile(r" queue\.0 checkpoint "), "segments compacted": re.compile(r" queue\.0 compacted ")}


class Sink:
    """The next hop's process."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, HERE / "sink.py", folder, str(seed)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def taken(self):
        path = self.folder / "taken.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Watch(threading.Thread):
    """When did all rooms become ready again?"""

    def __init__(self, path):
        super().__init__(daemon=True, name="watch")
        self.path, self.times, self.ending = path, [], threading.Event()

    def run(self):
        position, rest = 0, b""
        while not self.ending.wait(0.005):
            if not self.path.exists():
                continue
            with open(self.path, "rb") as file:
                file.seek(position)
                octets = file.read()
                position += len(octets)
            *lines, rest = (rest + octets).split(b"\n")
            self.times += [time.monotonic() for line in lines if READY.search(line.decode("ascii", "replace"))]


def make_server(folder, port):
    """Segments, checkpoints and the patience of the retry are as small as can be."""
    server = Server("crash", folder=folder, top="gates = 2\nrelays = 1",
                    sections={"queue": f"retry = {{ 1, 1, 1, 2, 4, 8 }}  retry_connect = {{ 1 }}  dead_host = 0  delay_notice = 0  "
                                       f"concurrency = {JOBS}  destination_concurrency = {JOBS}",
                              "spool": f"segment_size = 1048576  checkpoint = 65536  large_message = {LARGE}",
                              "limits": "connections_per_client = 1000"})
    server.routes = {"*": f'via = "smtp"  to = "127.0.0.1:{port}"  tls = "none"',
                     "second.example": f'via = "smtp"  to = "127.0.0.2:{port}"  tls = "none"',
                     "drop.example": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    return server


def read_maildir(mail):
    """The same entries as the sink's, of what the maildrop delivered."""
    entries, skew = [], time.time() - time.monotonic()
    for path in mail.glob("new/*"):
        header, _, body = path.read_bytes().partition(b"\n\n")
        body = body.replace(b"\n", b"\r\n")
        fields = dict(line.split(b": ", 1) for line in header.split(b"\n") if b": " in line and line[:1] not in b" \t")
        digest = hashlib.sha256(body).hexdigest()
        entries.append({"time": path.stat().st_mtime - skew, "mark": fields.get(b"X-Mark", b"?").decode(), "sender": "",
                        "recipients": [fields.get(b"Delivered-To", b"?").decode()], "octets": len(body), "digest": digest,
                        "replaces": True})
    return entries


class Campaign:
    def __init__(self, folder, seed, clients, exact):
        self.folder, self.seed, self.chance, self.exact = folder, seed, random.Random(seed), exact
        self.strikes, self.reached = [], collections.Counter()
        for name in ("server", "sink"):
            (folder / name).mkdir(mode=0o755)
        self.sink = Sink(folder / "sink", seed)
        self.server = make_server(folder / "server", self.sink.port)
        self.watch = Watch(self.server.log_path)
        self.clients = [Client(self.server, number, seed, LARGE, curious=CURIOUS) for number in range(clients)]
        self.kills, self.starts, self.refused_starts, self.trouble = [], [], [], []
        self.queued, self.acts = [], {}

    # Killing

    def victim(self, spared=()):
        """Somebody who lives; a room that is down waits for its restart in peace."""
        rooms = self.server.rooms()
        choices = {name: weight for name, weight in VICTIMS.items()
                   if name not in spared and (name in rooms or name in ("all", "supervisor"))}
        return self.chance.choices(list(choices), list(choices.values()))[0] if choices else None, rooms

    def kill(self, spared=()):
        name, rooms = self.victim(spared)
        if not name:
            return
        supervisor = self.server.process.pid
        pids = {"all": [supervisor, *rooms.values()], "supervisor": [supervisor]}.get(name) or [rooms[name]]
        self.chance.shuffle(pids)
        self.kills.append(Kill(time.monotonic(), name))
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if supervisor in pids:
            self.server.process.wait(PATIENCE)
            self.start()

    def next_strike(self, spared):
        """Each room, call and number once before any comes again."""
        while not any(room != spared for room, _, _ in self.strikes):
            more = [(room, call, nth) for room, calls in CALLS.items() for call in calls for nth in NTH]
            self.strikes += self.chance.sample(more, len(more))
        return self.strikes.pop(next(at for at, strike in enumerate(self.strikes) if strike[0] != spared))

    def kill_exactly(self, spared=None):
        """At the n-th call from now; a room that does not come to it is killed all the same."""
        kind, call, nth = self.next_strike(spared)
        victims = {name: pid for name, pid in self.server.rooms().items() if name.startswith(kind + ".")}
        if not victims:
            return
        name = self.chance.choice(sorted(victims))
        with Strike(victims[name], call, nth) as strike:
            is_reached = strike.await_death(STRIKE_WAIT)
        self.reached[is_reached] += 1
        if not is_reached:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victims[name], signal.SIGKILL)
        self.kills.append(Kill(time.monotonic(), name, f"{call} {nth}" if is_reached else ""))

    def start(self):
        """Whoever is left of the earlier life may hold the lock or a port for a moment."""
        begin = time.monotonic()
        while True:
            try:
                self.server.start(RESTART_WAIT)
                break
            except AssertionError as error:
                self.refused_starts.append(str(error))
                if time.monotonic() - begin > RESTART_WAIT:
                    raise
                time.sleep(0.05)
        self.starts.append(time.monotonic() - begin)

    def pause(self):
        """Mostly long enough that all stand again; now and then somebody falls while others rise."""
        return self.chance.uniform(0, 0.15) if self.chance.random() < 0.2 else 0.25 + self.chance.expovariate(1.6)

    def rage(self, count):
        rounds = itertools.cycle(COMPACTING)
        while len(self.kills) < count:
            time.sleep(self.pause())
            if len(self.kills) % RAGE == RAGE - 1:
                self.quiet_round(next(rounds), count)
            elif self.chance.random() < self.exact:
                self.kill_exactly()
            else:
                self.kill()
            if len(self.kills) % 10 == 0:
                self.tell()

    def tell(self):
        told = sum(attempt.state == ACKNOWLEDGED for client in self.clients for attempt in client.attempts)
        print(f"{len(self.kills)} kills, {told} messages acknowledged", flush=True)

    def quiet_round(self, act, count):
        queue = self.server.rooms().get("queue.0")
        end = time.monotonic() + QUIET
        with Strike(queue, act[1], act[2], act[0]) if act and queue else contextlib.nullcontext() as strike:
            while time.monotonic() < end and not (strike and strike.await_death(0)):
                if len(self.kills) < count - 1 and self.chance.random() < self.exact:
                    self.kill_exactly("queue")
                elif len(self.kills) < count - 1:
                    self.kill(spared=("queue.0", "all", "supervisor"))
                if strike:
                    strike.await_death(self.pause())
                else:
                    time.sleep(self.pause())
        if strike and strike.await_death(0.001):
            self.kills.append(Kill(time.monotonic(), "queue.0", f"{act[1]} {act[2]} of {act[0]}"))
            self.reached["compacting"] += 1

    # The whole

    def run(self, count):
        self.watch.start()
        self.start()
        for client in self.clients:
            client.start()
        time.sleep(1)
        self.rage(count)
        self.finish()

    def finish(self):
        """Clients end, the queue runs empty, the server stops in order."""
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join(2 * PATIENCE)
            if client.is_alive():
                self.trouble.append(f"{client.name} does not end")
        self.acts = {name: sum(1 for line in self.server.log().splitlines() if pattern.search(line)) for name, pattern in ACTS.items()}
        self.trouble += [f"not a single one of: {name}" for name, count in self.acts.items() if count == 0]
        (self.sink.folder / "released").touch()
        self.server.run_ctl("queue", "retry", "--all")
        self.await_empty()
        self.watch.ending.set()
        try:
            self.server.stop()
        except AssertionError as error:
            self.trouble.append(str(error))
        for client in self.clients:
            self.trouble += client.faults

    def taken(self):
        return self.sink.taken() + read_maildir(self.server.mail)

    def has_all_arrived(self):
        kinds = [("notice" in entry, recipient) for entry in self.taken() for recipient in entry["recipients"]]
        wanted = {(is_told, recipient) for attempt in self.attempts if attempt.state == ACKNOWLEDGED for recipient in attempt.recipients
                  for is_told in {False, bool(attempt.wishes)}}
        return wanted <= set(kinds)

    def is_queue_empty(self):
        answer = self.server.run_ctl("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["queued"] == 0

    def await_empty(self):
        """A queue that still reads its spool does not know yet what is in it: it is believed after a while."""
        begin = empty_since = time.monotonic()
        while time.monotonic() - begin < EMPTY_WAIT:
            if not self.is_queue_empty():
                empty_since = time.monotonic()
            elif self.has_all_arrived() or time.monotonic() - empty_since > EMPTY_BELIEVED:
                return
            time.sleep(0.2)
        self.queued = self.server.queue()
        self.trouble.append(f"after {EMPTY_WAIT:.0f} s {len(self.queued)} messages are still in the queue")

    def end(self):
        """Whatever happened, nothing stays behind."""
        for client in self.clients:
            client.ending.set()
        self.watch.ending.set()
        self.server.kill()
        self.sink.stop()

    # Judgement

    @property
    def attempts(self):
        return [attempt for client in self.clients for attempt in client.attempts]

    def log_faults(self):
        return [line for line in self.server.log().splitlines() if FAULTS.search(line) and not EXPECTED.search(line)]

    def restart_times(self):
        """From a kill until every room was ready again."""
        return [min(later) - kill.time for kill in self.kills if (later := [at for at in self.watch.times if at > kill.time])]

    def gaps(self):
        """From a kill until the next acknowledged message."""
        answered = sorted(attempt.answered for attempt in self.attempts if attempt.state == ACKNOWLEDGED)
        return [min(later) - kill.time for kill in self.kills if (later := [at for at in answered if at > kill.time])]

    def save(self):
        place = self.folder / "lists"
        place.mkdir(exist_ok=True)
        (place / "attempts.jsonl").write_text("".join(json.dumps(dataclasses.asdict(a)) + "\n" for a in self.attempts))
        (place / "kills.jsonl").write_text("".join(json.dumps(dataclasses.asdict(kill)) + "\n" for kill in self.kills))
        (place / "queued.json").write_text(json.dumps(self.queued))


def spread(seconds):
    return f"median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s" if seconds else "none"


def twice_by_kind(kills, verdict):
    """The most that one kill of each kind brought."""
    most = collections.Counter({kill.kind: 0 for kill in kills})
    for at, count in verdict.twice_by_kill.items():
        if at is not None:
            most[kills[at].kind] = max(most[kills[at].kind], count)
    return ", ".join(f"{kind} {most[kind]}" for kind in sorted(most))


def report(campaign, verdict):
    """The figures, one a line."""
    attempts = campaign.attempts
    states = collections.Counter(attempt.state for attempt in attempts)
    by_kind = collections.Counter(kill.victim for kill in campaign.kills)
    at_calls = collections.Counter(kill.call.partition(" ")[0] for kill in campaign.kills if kill.call)
    lines = [
        f"seed {campaign.seed}: {len(campaign.kills)} kills: " + ", ".join(f"{name} {by_kind[name]}" for name in sorted(by_kind)),
        f"of them at a chosen system call: {sum(at_calls.values())} (" + ", ".join(f"{call} {at_calls[call]}" for call in sorted(at_calls))
        + f"); not reached: {campaign.reached[False]}; in the act of compacting: {campaign.reached['compacting']}",
        "meanwhile: " + ", ".join(f"{count} {name}" for name, count in campaign.acts.items()),
        f"messages: {len(attempts)}, " + ", ".join(f"{state} {states[state]}" for state in sorted(states))
        + f"; {sum(a.octets > LARGE for a in attempts)} large ones; {sum(c.sessions for c in campaign.clients)} sessions, "
          f"{sum(c.interrupted for c in campaign.clients)} interrupted",
        f"lost {len(verdict.lost)}, corrupted {len(verdict.corrupted)}, refused but delivered {len(verdict.refused_delivered)}, "
        f"never finished but delivered {len(verdict.unsent_delivered)}, foreign {len(verdict.foreign)}",
        f"wanted to be told of success: {sum(bool(a.wishes) and a.state == ACKNOWLEDGED for a in attempts)}; not told "
        f"{len(verdict.untold)}, told more often than delivered {len(verdict.overtold)}",
        f"acknowledged and still in the queue: {verdict.queued}; without any reply but delivered: {verdict.unknown_delivered}",
        f"delivered twice: {verdict.twice} messages; by one kill at most {twice_by_kind(campaign.kills, verdict)} "
        f"(jobs in hand at most {JOBS})",
        f"all rooms ready after a kill: {spread(campaign.restart_times())}",
        f"next message acknowledged after a kill: {spread(campaign.gaps())}",
        f"start of the whole: {spread(campaign.starts[1:])}; starts refused because the earlier life was still there: "
        f"{len(campaign.refused_starts)}",
    ]
    for name, entries in verdict.faults.items():
        lines += [f"{name.upper()}: {entry}" for entry in entries[:20]]
    lines += [f"TROUBLE: {text}" for text in campaign.trouble[:20]]
    lines += [f"LOG: {line}" for line in campaign.log_faults()[:20]]
    return "\n".join(lines)


def run(kills, seed, clients=8, keep=False, exact=0.4):
    """True when every promise was kept."""
    folder = make_folder("crash")
    campaign = Campaign(folder, seed, clients, exact)
    is_good = False
    try:
        campaign.run(kills)
        verdict = judge(campaign.attempts, campaign.taken(), {row["id"] for row in campaign.queued}, campaign.kills, JOBS)
        print(report(campaign, verdict), flush=True)
        is_good = not verdict.faults and not campaign.trouble and not campaign.log_faults()
    finally:
        campaign.end()
        if is_good and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            campaign.save()
            KEPT.mkdir(parents=True, exist_ok=True)
            print(f"spool, log and lists are kept in {shutil.move(folder, KEPT / f'crash-{seed}-{os.getpid()}')}", flush=True)
    return is_good


def main():
    parser = argparse.ArgumentParser(description="kills rooms under load and counts what was promised")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--exact", type=float, default=0.4, help="share of the kills at a chosen system call")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="keep spool, log and lists of a good run too")
    arguments = parser.parse_args()
    try:
        return 0 if run(arguments.kills, arguments.seed, arguments.clients, arguments.keep, arguments.exact) else 1
    finally:
        forget_certificates()


if __name__ == "__main__":
    sys.exit(main())
