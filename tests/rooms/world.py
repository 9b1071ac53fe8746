"""rooms/world.py: what lies outside a room that probes its walls: another house with rooms of the same users, files and
sockets that everybody may use."""
import os
import pathlib
import re
import signal
import socket
import time

from rig.patience import PATIENCE
from rig.server import ROOT, make_folder
from rooms.frames import attempts
from rooms.house import House

ROOMS = ["gate.0", "vault", "queue", "relay.0", "maildrop", "fetch"]
LINE = re.compile(r"^probe (\d+) (denied|open|lawful|begins): (.*?): (.*)$", re.M)
SIGSYS = signal.SIGSYS
# Built with -Dprobe=true and without sanitizers, for which the walls have holes.
PROBE = ROOT / os.environ.get("SUBMITD_PROBE_BUILD", "build-probe")


class World:
    def __init__(self):
        self.victim = House(ROOMS, build=PROBE)
        self.folder = make_folder("probe-outside")
        self.folder.chmod(0o777)
        self.file = self.folder / "file"
        self.sockets = []
        for address in (str(self.folder / "socket"), f"\0submitd-probe-{os.getpid()}"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(address)
            self.sockets.append(listener)
        self.sockets.append(socket.create_server(("127.0.0.1", 0)))
        for listener in self.sockets:
            listener.listen(64)
        (self.folder / "socket").chmod(0o777)
        (self.victim.server.state / "control.sock").chmod(0o600)

    def freshen(self):
        """What an attempt may have spoilt or, where a wall was left out, made."""
        for path in (pathlib.Path("/tmp/submitd-probe"), pathlib.Path("/dev/shm/submitd-probe")):
            path.unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.name != "socket":
                path.rmdir() if path.is_dir() else path.unlink()
        for name in ("file", "doomed"):
            (self.folder / name).write_text("open to everybody\n")
            (self.folder / name).chmod(0o666)

    def environment(self, name, first, last, way, walls="all"):
        """For a room that shall probe."""
        victim = self.victim
        stranger = "queue" if name != "queue" else "vault"
        segment = sorted(path for path in victim.spool.rglob("*") if path.is_file())[0]
        named = {"KEY": victim.server.key, "USERS": victim.server.users_path, "SPOOL": victim.spool, "SEGMENT": segment,
                 "CONTROL": victim.server.state / "control.sock", "FILE": self.file, "FOLDER": self.folder,
                 "SOCKET": self.folder / "socket", "ABSTRACT": f"submitd-probe-{os.getpid()}",
                 "PORT": self.sockets[2].getsockname()[1], "STRANGER": victim.rooms[stranger].pid, "TWIN": victim.rooms[name].pid,
                 "AS": way, "WALLS": walls}
        return {"SUBMITD_PROBE": f"{first}-{last}", **{f"SUBMITD_PROBE_{key}": str(value) for key, value in named.items()}}

    def stop(self):
        for listener in self.sockets:
            listener.close()
        self.freshen()
        self.victim.stop()
        self.victim.server.clear()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()


def read_report(text):
    """Number to (word, why); "begins" only where nothing followed."""
    return {int(number): (word, why) for number, word, why, _ in LINE.findall(text)}


def probe(world, house, name, way="child", walls="all", first=0, last=None):
    """What came of each attempt: number to (word, why)."""
    last = len(attempts()) - 1 if last is None else last
    found = {}
    while first <= last:
        world.freshen()
        start = house.log_path.stat().st_size
        room = house.start(name, world.environment(name, first, last, way, walls))
        end = time.monotonic() + PATIENCE
        while "probe over" not in house.log(start) and room.is_alive():
            assert time.monotonic() < end, f"{name} does not come to an end:\n{house.log(start)[-2000:]}"
            time.sleep(0.002)
        report = read_report(house.log(start))
        found.update(report)
        if "probe over" in house.log(start):
            room.end()
            break
        # The last attempt ended the room: only the filter's signal is a denial.
        at = max(report, default=first)
        status = room.how_it_ended()
        assert report and report[at][0] == "begins", f"{name} ended with status {status:#x}:\n{house.log(start)[-2000:]}"
        was_denied = os.WIFSIGNALED(status) and os.WTERMSIG(status) == SIGSYS
        found[at] = ("denied" if was_denied else "open", f"status {status:#x}")
        room.end()
        first = at + 1
    return found


def with_names(report, word):
    return [f"{attempts()[number]['name']} ({why})" for number, (said, why) in sorted(report.items()) if said == word]
