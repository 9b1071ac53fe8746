"""bench/measure.py: what a server costs (from its control group and /proc), and the C tools as Python sees them."""
import json
import os
import pathlib
import select
import signal
import subprocess
import threading
import time

from peers.peer import descendants

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1048576


def read_ticks(pid):
    """Of a process and of the children that it has waited for; 0 when it has gone."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(word) for word in words[11:15])


def cpu_seconds(peer):
    """User and system time of all processes of a server, those that have ended included."""
    whole = peer.cpu_seconds()
    return whole if whole is not None else sum(read_ticks(pid) for pid in descendants(peer.roots())) / TICKS


def busy_seconds():
    """Of the whole machine, since it started."""
    words = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _, _, irq, softirq = (int(word) for word in words[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def proportional_octets(pids):
    """PSS: what is shared counts once."""
    total = 0
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


class Peak:
    """Samples the PSS of a set of processes, asked for anew each time, ten times a second."""

    def __init__(self, pids):
        self.pids, self.octets, self.over = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(0.1):
            self.octets = max(self.octets, proportional_octets(self.pids()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def sample(peer, tools):
    """Where the machine's processor time has gone so far, in seconds."""
    spent = {"server": cpu_seconds(peer), "tools": sum(read_ticks(pid) for pid in tools) / TICKS}
    return {**spent, "rest": busy_seconds() - spent["server"] - spent["tools"], "parts": peer.part_seconds(), "at": time.monotonic()}


def options_of(words):
    """Of a tool, from a dict; True is a flag, False and None are left out."""
    out = []
    for name, value in words.items():
        if value is True:
            out.append(f"--{name}")
        elif value is not False and value is not None:
            out += [f"--{name}", str(value)]
    return out


class Load:
    """bench/load at work."""

    def __init__(self, program, words, limit):
        self.process = subprocess.Popen([str(program), "--json", "--marks", *options_of(words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.guard = threading.Timer(limit, self.process.kill)
        self.guard.start()
        self.complaints = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guard.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()

    def await_mark(self, mark):
        """False when the load ends without it."""
        for line in self.process.stderr:
            if line.strip() == mark:
                return True
            self.complaints.append(line.strip())
        return False

    def finish(self):
        """Its figures."""
        self.complaints += [line.strip() for line in self.process.stderr]
        out = self.process.stdout.read()
        self.process.wait()
        if not out:
            raise RuntimeError(f"the load ended with status {self.process.returncode}: {' '.join(self.complaints[:5])}")
        return json.loads(out)

    def ask(self, seconds):
        """--idle: a NOOP on each connection; what came of it."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise RuntimeError("connections do not answer their NOOP")
        return json.loads(self.process.stdout.readline())

    def leave(self):
        """--idle: all take their leave."""
        self.process.stdin.close()
        self.process.wait()


def run_load(program, words, peer, tools, limit):
    """The load's figures, with samples at begin and end of its window."""
    marks = {}
    with Load(program, words, limit) as load:
        for mark in ("begin", "end"):
            if load.await_mark(mark):
                marks[mark] = sample(peer, [load.process.pid, *tools])
        figures = load.finish()
    if len(marks) != 2:
        raise RuntimeError(f"the load ended early: {figures['first_unexpected']}")
    figures.update(marks)
    return figures


class Sink:
    def __init__(self, program):
        self.process = subprocess.Popen([str(program), "--listen", "127.0.0.1:0", "--marker", "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = "127.0.0.1", int(self.process.stderr.readline().rpartition(":")[2])

    def totals(self):
        self.process.send_signal(signal.SIGUSR1)
        if not select.select([self.process.stdout], [], [], 10)[0]:
            raise RuntimeError("the sink does not answer")
        return json.loads(self.process.stdout.readline())

    def await_distinct(self, wanted, patience):
        """Until so many different messages are there, or none has come for `patience` seconds."""
        totals, moved = self.totals(), time.monotonic()
        while totals["distinct"] < wanted and time.monotonic() - moved < patience:
            time.sleep(0.05)
            before, totals = totals["distinct"], self.totals()
            if totals["distinct"] > before:
                moved = time.monotonic()
        return totals

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
