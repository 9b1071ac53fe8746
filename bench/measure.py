"""bench/measure.py: what processes cost (from /proc), and the load and the sink as Python sees them."""
import json
import os
import pathlib
import select
import signal
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def read_stats():
    """Process to (parent, ticks of itself and of the children it has waited for, resident pages)."""
    stats = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            words = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        stats[int(entry)] = int(words[1]), sum(int(word) for word in words[11:15]), int(words[21])
    return stats


def family(stats, roots):
    """The roots and all that descend from them."""
    members, rest = set(roots) & set(stats), True
    while rest:
        rest = {pid for pid, (parent, _, _) in stats.items() if parent in members and pid not in members}
        members |= rest
    return members


def cpu_seconds(roots):
    """Of all processes below roots, those that have ended included."""
    stats = read_stats()
    return sum(stats[pid][1] for pid in family(stats, roots)) / TICKS


def busy_seconds():
    """Of the whole machine, since it started."""
    words = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _, _, irq, softirq = (int(word) for word in words[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def resident_octets(roots):
    stats = read_stats()
    return sum(stats[pid][2] for pid in family(stats, roots)) * PAGE


def proportional_octets(roots):
    """PSS: what is shared counts once."""
    total = 0
    for pid in family(read_stats(), roots):
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


class Peak:
    """Samples the resident size of a family twice a second."""

    def __init__(self, roots):
        self.roots, self.octets, self.over = roots, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.is_set():
            self.octets = max(self.octets, resident_octets(self.roots))
            self.over.wait(0.5)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def sample(server, tools):
    """Where the machine's processor time has gone so far, in seconds."""
    spent = {"server": cpu_seconds(server), "tools": cpu_seconds(tools)}
    return {**spent, "rest": busy_seconds() - spent["server"] - spent["tools"], "at": time.monotonic()}


def run_load(program, options, roots, sink, limit):
    """The load's figures, with samples at begin and end of its window, and PSS at its end."""
    marks = {}
    words = [str(program), "--json", "--marks"]
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as load:
        guard = threading.Timer(limit, load.kill)
        guard.start()
        complaints = []
        try:
            for line in load.stderr:
                word = line.strip()
                if word in {"begin", "end"}:
                    marks[word] = sample(roots, [load.pid, sink.process.pid])
                else:
                    complaints.append(word)
                if word == "end":
                    marks["pss"] = proportional_octets(roots)
            out = load.stdout.read()
        except BaseException:
            load.kill()
            raise
        finally:
            guard.cancel()
    if not out:
        raise RuntimeError(f"the load ended with status {load.returncode}: {' '.join(complaints)}")
    figures = json.loads(out)
    figures.update(begin=marks["begin"], end=marks["end"], pss=marks["pss"])
    return figures


class Sink:
    def __init__(self, program):
        self.process = subprocess.Popen([str(program), "--listen", "127.0.0.1:0", "--marker", "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stderr.readline().rpartition(":")[2])

    def totals(self):
        self.process.send_signal(signal.SIGUSR1)
        if not select.select([self.process.stdout], [], [], 10)[0]:
            raise RuntimeError("the sink does not answer")
        return json.loads(self.process.stdout.readline())

    def await_distinct(self, wanted, patience):
        """Until so many different messages are there, or none has come for `patience` seconds."""
        totals, moved = self.totals(), time.monotonic()
        while totals["distinct"] < wanted and time.monotonic() - moved < patience:
            time.sleep(0.1)
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
