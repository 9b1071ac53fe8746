"""crash/inject.py: makes system calls of one thread of a room fail, wait or kill, by strace."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest


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


class Injection:
    """For use with `with`. faults: as strace takes them behind inject= ("fdatasync:error=EIO:when=1")."""

    def __init__(self, pid, thread, *faults):
        if not shutil.which("strace"):
            pytest.skip("strace is not installed")
        self.pid, self.thread, self.faults, self.process = pid, thread, faults, None

    def __enter__(self):
        tasks = threads(self.pid, self.thread)
        assert tasks, f"process {self.pid} has no thread {self.thread}"
        calls = ",".join(fault.partition(":")[0] for fault in self.faults)
        command = ["strace", "-o", "/dev/null", "-e", f"trace={calls}"]
        for fault in self.faults:
            command += ["-e", f"inject={fault}"]
        for task in tasks:
            command += ["-p", str(task)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 10
        while not all(is_traced(task) for task in tasks):
            if self.process.poll() is not None:
                pytest.skip(f"strace cannot attach here: {self.process.stderr.read().strip()}")
            assert time.monotonic() < end, "strace does not attach"
            time.sleep(0.01)
        time.sleep(0.05)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.process.stderr.close()


def await_death(pid, wait=10.0):
    end = time.monotonic() + wait
    while True:
        try:
            os.kill(pid, 0)
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        assert time.monotonic() < end, f"process {pid} lives on"
        time.sleep(0.01)
