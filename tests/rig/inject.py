"""rig/inject.py: makes system calls of threads of a room fail, wait or kill."""
import atexit
import errno
import mmap
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest

from rig.patience import PATIENCE, await_true
from rig.server import is_gone

def threads(pid, name):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().strip() == name:
                found.append(int(task.name))
        except OSError:
            pass
    return found


def is_traced(thread):
    try:
        status = pathlib.Path(f"/proc/{thread}/status").read_text()
    except OSError:
        return False
    return "TracerPid:\t0\n" not in status


RULE = struct.Struct("=iiqqqq16s16s56x")
RULES = 31   # one place more counts sins
HOLD = -2
_shims = {}


def shim(name):
    """A library to preload, from the C file of that name in this folder or below tests/, compiled once for the run."""
    source = pathlib.Path(__file__).resolve().parents[1] / name
    if source not in _shims:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            pytest.skip("there is no C compiler")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="submitd-shim-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        library = folder / f"{source.stem}.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", library, source], check=True)
        _shims[source] = library
    return _shims[source]


class Faults:
    """The page of rules that rig/fault.c reads; one for each server. Counts calls also where it lets them be."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="submitd-faults-")
        self.file.write(bytes(mmap.PAGESIZE))
        self.file.flush()
        self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(shim("rig/fault.c")), "SUBMITD_TEST_FAULTS": self.file.name}

    def set(self, call, pid=-1, thread="", error=0, first=1, step=1):
        """A rule; its number. error: an errno, 0 to count only, -1 for half of a write, HOLD: the call waits until the rule is unset.
        step 0: only the first-th call."""
        for number in range(RULES):
            at = number * RULE.size
            if struct.unpack_from("=i", self.page, at)[0] == 0:
                whole = RULE.pack(0, error, first, step, 0, 0, thread.encode(), call.encode())
                self.page[at:at + RULE.size] = whole
                self.page[at:at + 4] = struct.pack("=i", pid)
                return number
        raise AssertionError("no room for another rule")

    def unset(self, number):
        """How many calls it has met, and how many it has made fail."""
        counts = self.count(number)
        self.page[number * RULE.size:number * RULE.size + 4] = bytes(4)
        return counts

    def count(self, number):
        return RULE.unpack_from(self.page, number * RULE.size)[4:6]

    def sins(self):
        """How often somebody went on with a file whose sync had failed."""
        return RULE.unpack_from(self.page, RULES * RULE.size)[5]

    def stop(self):
        self.page.close()
        self.file.close()


def read_fault(words):
    """ "fdatasync:error=EIO:when=1+3" to call, error, first, step."""
    call, *rest = words.split(":")
    options = dict(word.split("=") for word in rest)
    first, plus, step = options.get("when", "1+1").partition("+")
    return call, options, int(first), (int(step) if step else 1) if plus else 0


class Injection:
    """For use with `with`. where: the house (or whatever has `faults`). faults: as strace takes them behind inject=
    ("fdatasync:error=EIO:when=1", "pwritev:signal=KILL:when=2"). Errors are made by a preloaded library, since strace makes them
    in a way that the walls of a room kill for; the rest by strace."""

    def __init__(self, where, pid, thread, *faults):
        self.where, self.pid, self.thread, self.process, self.rules = where, pid, thread, None, []
        self.errors = [fault for fault in faults if ":error=" in fault]
        self.traced = [fault for fault in faults if ":error=" not in fault]
        if self.traced and not shutil.which("strace"):
            pytest.skip("strace is not installed")

    def __enter__(self):
        for words in self.errors:
            call, options, first, step = read_fault(words)
            number = -1 if options["error"] == "HALF" else getattr(errno, options["error"])
            self.rules.append(self.where.faults.set(call, self.pid, self.thread, number, first, step))
        if self.traced:
            self.trace()
        return self

    def trace(self):
        tasks = threads(self.pid, self.thread)
        assert tasks, f"process {self.pid} has no thread {self.thread}"
        calls = ",".join(fault.partition(":")[0] for fault in self.traced)
        command = ["strace", "-o", "/dev/null", "-e", f"trace={calls}"]
        for fault in self.traced:
            command += ["-e", f"inject={fault}"]
        for task in tasks:
            command += ["-p", str(task)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said, attached = [], 0
        while attached < len(tasks):   # it says so of each thread, which makes no call unseen from then on
            said.append(self.process.stderr.readline())
            if not said[-1]:
                pytest.skip(f"strace cannot attach here: {''.join(said).strip()}")
            attached += " attached" in said[-1]
        assert all(is_traced(task) for task in tasks), "strace does not trace"

    def await_hits(self):
        """Until each of the errors was made once, at least."""
        for number in self.rules:
            await_true(lambda number=number: self.where.faults.count(number)[1] > 0, f"{self.errors} is not met", step=0.01)

    def __exit__(self, *_):
        for number in self.rules:
            self.where.faults.unset(number)
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        self.process.stderr.close()


def await_death(pid, wait=PATIENCE):
    end = time.monotonic() + wait
    while not is_gone(pid):
        assert time.monotonic() < end, f"process {pid} lives on"
        time.sleep(0.01)


class Strike:
    """For use with `with`: a process that dies on entering the n-th call of that name from now, in whichever of its threads, or of
    those of that name, comes to it first."""

    def __init__(self, pid, call, nth, thread=None):
        self.pid, self.command = pid, ["strace", "-q", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                       f"inject={call}:signal=KILL:when={nth}"]
        self.command += ["-f", "-p", str(pid)] if not thread else [word for task in threads(pid, thread) for word in ("-p", str(task))]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def await_death(self, wait):
        """Has it died in that time? Also true where somebody else killed it."""
        end = time.monotonic() + wait
        while not is_gone(self.pid):
            if time.monotonic() >= end:
                return False
            time.sleep(0.002)
        return True

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
