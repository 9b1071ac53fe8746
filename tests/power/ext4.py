"""power/ext4.py: the cross-check of the power-cut model on a real file system. The daemon runs under load on an ext4 image that is
mounted through a loop device; the image is copied while it is in use, mounted elsewhere, where the journal of ext4 is replayed, and
a daemon started there finds every message that had its 250 before the copy: delivered before, delivered now, or queued.

    ext4.py [--copies 5] [--seed N] [--clients 6]

The rooms stand still (SIGSTOP) while the image is copied, so that the copy shows one moment, as a power cut does; what they had
written and not synced is lost in it unless ext4 happened to write it. Needs root. Exit status 1 when a promise was broken."""
import argparse
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "crash"), str(HERE.parent)]

import campaign  # noqa: E402
from campaign import JOBS, LARGE, Sink, make_server  # noqa: E402
from judgement import Kill, judge  # noqa: E402
from load import ACKNOWLEDGED, UNKNOWN, UNSENT, Client  # noqa: E402
from rig.patience import PATIENCE  # noqa: E402
from rig.server import forget_certificates, make_folder  # noqa: E402

SIZE = "400m"
EMPTY_WAIT = 2 * PATIENCE


class Unable(Exception):
    """This machine cannot do that."""


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unable(f"{words[0]}: {done.stderr.strip() or done.stdout.strip()}")


def mount(image, folder):
    folder.mkdir(exist_ok=True)
    run("mount", "-t", "ext4", "-o", "loop", image, folder)
    folder.chmod(0o755)


def unmount(folder):
    for _ in range(50):
        if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", folder], capture_output=True, check=False)


def make_site(folder, port):
    """The kill campaign's server; everything goes to the one sink."""
    server = make_server(folder, port)
    server.routes = {"*": server.routes["*"]}
    server.write_conf()
    return server


@dataclasses.dataclass
class Copy:
    image: pathlib.Path
    attempts: list    # as their clients knew them right before
    until: float      # what the first sink had taken by then


def known(attempt):
    """What is certain of it before the copy: a message under way may be answered while it is made."""
    return dataclasses.replace(attempt, state=UNKNOWN if attempt.state == UNSENT else attempt.state)


class CrossCheck:
    def __init__(self, folder, seed, clients):
        self.folder, self.seed, self.chance = folder, seed, random.Random(seed)
        for name in ("sink", "disk"):
            (folder / name).mkdir(mode=0o755)
        self.mounted = []
        self.image = folder / "image"
        run("truncate", "-s", SIZE, self.image)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self.mount(self.image, folder / "disk")
        self.sink = Sink(folder / "sink", seed)
        (folder / "disk" / "server").mkdir(mode=0o755)
        self.server = make_site(folder / "disk" / "server", self.sink.port)
        self.clients = [Client(self.server, number, seed, LARGE) for number in range(clients)]

    def mount(self, image, folder):
        mount(image, folder)
        self.mounted.append(folder)

    @property
    def attempts(self):
        return [attempt for client in self.clients for attempt in list(client.attempts)]

    def copy(self, number):
        """The image as it is at this moment."""
        image = self.folder / f"copy-{number}"
        attempts = [known(attempt) for attempt in self.attempts]
        pids = [self.server.process.pid, *self.server.rooms().values()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            run("cp", "--sparse=always", self.image, image)
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
        return Copy(image, attempts, time.monotonic())

    def load(self, count):
        self.server.start()
        for client in self.clients:
            client.start()
        copies = []
        for number in range(count):
            time.sleep(self.chance.uniform(1.0, 2.5))
            copies.append(self.copy(number))
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join(2 * PATIENCE)
        self.server.kill()
        return copies

    def judge(self, copy):
        """Starts a daemon on the copy; the faults found."""
        place = self.folder / f"{copy.image.name}.disk"
        sink_folder = self.folder / f"{copy.image.name}.sink"
        sink_folder.mkdir(mode=0o755)
        self.mount(copy.image, place)
        sink = Sink(sink_folder, self.seed)
        server = make_site(place / "server", sink.port)
        before = [entry for entry in self.sink.taken() if entry["time"] <= copy.until]
        wanted = {recipient for attempt in copy.attempts if attempt.state == ACKNOWLEDGED and not attempt.mark.startswith("stay")
                  for recipient in attempt.recipients}
        faults, queued = [], set()
        try:
            server.start()
            end = time.monotonic() + EMPTY_WAIT
            while time.monotonic() < end and not self.has_all(wanted, before, sink):
                time.sleep(0.2)
            queued = {row["id"] for row in server.queue()}
            verdict = judge(copy.attempts + self.later(copy), before + sink.taken(), queued, [Kill(copy.until, "all")], JOBS)
            faults = [f"{name}: {entry}" for name, entries in verdict.faults.items() for entry in entries]
            faults += [line for line in server.log(server.log_start).splitlines() if campaign.FAULTS.search(line)]
            server.stop()
        except AssertionError as error:
            faults.append(str(error))
        finally:
            server.kill()
            sink.stop()
            unmount(place)
            self.mounted.remove(place)
        acknowledged = sum(attempt.state == ACKNOWLEDGED for attempt in copy.attempts)
        print(f"{copy.image.name}: {acknowledged} messages acknowledged before it, {len(before)} deliveries before, "
              f"{len(sink.taken())} from the copy, {len(queued)} still queued: {len(faults)} faults", flush=True)
        return faults

    def later(self, copy):
        """Messages begun while the copy was made: they may be in it."""
        marks = {attempt.mark for attempt in copy.attempts}
        return [dataclasses.replace(attempt, state=UNKNOWN) for attempt in self.attempts if attempt.mark not in marks]

    @staticmethod
    def has_all(wanted, before, sink):
        return wanted <= {recipient for entry in before + sink.taken() for recipient in entry["recipients"]}

    def end(self):
        for client in self.clients:
            client.ending.set()
        self.server.kill()
        self.sink.stop()
        for folder in reversed(self.mounted):
            unmount(folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def check(copies, seed, clients=6):
    """True when every promise was kept. Unable: it cannot be tried here."""
    if os.geteuid() != 0:
        raise Unable("only root may mount an image")
    folder = make_folder("power")
    cross = None
    try:
        cross = CrossCheck(folder, seed, clients)
        made = cross.load(copies)
        faults = [fault for copy in made for fault in cross.judge(copy)]
        for fault in faults[:20]:
            print(f"FAULT {fault}")
        acknowledged = sum(attempt.state == ACKNOWLEDGED for attempt in cross.attempts)
        print(f"ext4, seed {seed}: {len(made)} copies of a disk in use, {acknowledged} messages acknowledged, {len(faults)} faults")
        return not faults
    finally:
        if cross:
            cross.end()
        else:
            unmount(folder / "disk")
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="copies an ext4 image in use and looks for every message with a 250")
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--clients", type=int, default=6)
    arguments = parser.parse_args()
    try:
        return 0 if check(arguments.copies, arguments.seed, arguments.clients) else 1
    except Unable as reason:
        print(f"skipped: {reason}")
        return 0
    finally:
        forget_certificates()


if __name__ == "__main__":
    sys.exit(main())
