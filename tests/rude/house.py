"""rude/house.py: what the tests of this folder share: crowds, the honest client, and what the rooms use meanwhile."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from crowd import KINDS  # noqa: E402
from rig.client import message  # noqa: E402
from rig.patience import PATIENCE  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
IS_LONG = bool(os.environ.get("SUBMITD_PROVE_LONG"))
TICKS = os.sysconf("SC_CLK_TCK")


class Crowd:
    """For use with `with`: it stands inside the block. figures: its own words, complete behind the block."""

    def __init__(self, server, kind, count):
        self.kind, self.count, self.figures = kind, count, {}
        self.port = server.ports[KINDS[kind][0]]

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, HERE / "crowd.py", self.kind, str(self.port), str(self.count)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def await_begun(self):
        word, _, figures = self.process.stdout.readline().partition(" ")
        assert word == "begun", f"the crowd {self.kind} did not get up"
        self.figures = json.loads(figures)
        return self

    def __exit__(self, *_):
        try:
            rest, _ = self.process.communicate(timeout=PATIENCE)
            for line in rest.splitlines():
                self.figures = json.loads(line.partition(" ")[2])
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


class Use:
    """What the rooms use: proportional memory, descriptors, seconds of processor time. A room that was started anew counts as
    another."""

    def __init__(self, server):
        self.server = server
        self.rooms = server.rooms()
        self.peak = {name: 0 for name in self.rooms}
        self.start, self.busy_start, self.time_start = self.memory(), self.busy(), time.monotonic()
        self.files_start = self.files()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def memory(self):
        found = {}
        for name, pid in self.rooms.items():
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            found[name] = int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1]) * KIB
        return found

    def files(self):
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in self.rooms.items()}

    def busy(self):
        found = {}
        for name, pid in self.rooms.items():
            words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(words[11]) + int(words[12])) / TICKS
        return found

    def watch(self):
        while not self.ending.wait(0.1):
            try:
                for name, octets in self.memory().items():
                    self.peak[name] = max(self.peak[name], octets)
            except (OSError, TypeError):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        if self.server.rooms() != self.rooms:
            raise AssertionError(f"rooms were started anew: {self.rooms} became {self.server.rooms()}")

    def kind(self, values, kind):
        return sum(value for name, value in values.items() if name.startswith(kind + "."))

    def grown(self, kind):
        """Octets by which the rooms of that kind grew at most."""
        return self.kind(self.peak, kind) - self.kind(self.start, kind)

    def words(self):
        took = time.monotonic() - self.time_start
        busy = self.busy()
        kinds = sorted({name.partition(".")[0] for name in self.rooms})
        return "; ".join(f"{kind} at most {self.kind(self.peak, kind) / MIB:.0f} MiB (before {self.kind(self.start, kind) / MIB:.0f}), "
                         f"CPU {100 * (self.kind(busy, kind) - self.kind(self.busy_start, kind)) / took:.0f} %" for kind in kinds)

    def await_files(self, wait=PATIENCE):
        """Until the rooms hold no more descriptors than before, but for blanks, spares and segments."""
        end = time.monotonic() + wait
        while True:
            over = {name: (self.files_start[name], count) for name, count in self.files().items()
                    if count > self.files_start[name] + (64 if name.startswith("queue") else 10)}
            if not over:
                return
            assert time.monotonic() < end, f"descriptors are not given back: {over}"
            time.sleep(0.2)


class Honest:
    """An honest client at work: one message after the other, each over a connection and with a login of its own."""

    def __init__(self, server, bound=PATIENCE, source="127.8.8.8"):
        self.server, self.bound, self.source = server, bound, source
        self.times, self.arrivals = [], []

    def submit(self, listener="465"):
        mark = f"honest{time.monotonic_ns()}"
        begin = time.monotonic()
        self.server.submit("bob@example.org", message(mark), source=self.source, listener=listener)
        self.times.append(time.monotonic() - begin)
        self.server.await_mail(mark, self.bound)
        self.arrivals.append(time.monotonic() - begin)
        assert self.times[-1] < self.bound, f"the honest client waited {self.times[-1]:.1f} s"

    def work(self, seconds, least=3):
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.times) < least:
            self.submit("465" if len(self.times) % 2 == 0 else "587")
            time.sleep(0.1)
        return self

    def words(self):
        return (f"{len(self.times)} honest messages: 250 after {1000 * statistics.median(self.times):.0f} ms, at most "
                f"{1000 * max(self.times):.0f} ms; in the mailbox after {1000 * statistics.median(self.arrivals):.0f} ms, at most "
                f"{1000 * max(self.arrivals):.0f} ms")


def say(words):
    """A figure for the note."""
    print(f"  {words}", flush=True)
