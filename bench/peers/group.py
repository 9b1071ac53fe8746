"""peers/group.py: a server in a control group of its own. Its processor time is then whole, whatever its processes do: Exim
leaves deliveries to be adopted by init and ignores its children's ends, so that neither a look at descendants nor the times of
waited-for children would see them. Where no control group can be made (cgroup v2 must be mounted and writable), all is as in
peer.py: descendants only, and is_whole() says so."""
import os
import pathlib
import time

from peers.peer import Peer, descendants, end


def own_folder():
    """The folder of our own control group (v2); None where there is none that we may write to."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    places = [words[1] for words in mounts if words[2] == "cgroup2"]
    paths = [line[3:] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]
    for place in places:
        for path in paths:
            folder = pathlib.Path(place + path.rstrip("/"))
            if os.access(folder / "cgroup.procs", os.W_OK):
                return folder
    return None


class Group:
    """A control group below ours. made is False where that could not be."""

    def __init__(self, name):
        parent = own_folder()
        self.folder = parent / f"bench-{os.getpid()}-{name}" if parent else None
        self.made = False
        if self.folder:
            try:
                self.folder.mkdir()
                self.made = True
            except OSError:
                pass

    def wrap(self, command):
        """The command that joins the group and becomes the given one, with the same process number."""
        if not self.made:
            return command
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self.folder / "cgroup.procs", *command]

    def pids(self):
        return [int(word) for word in (self.folder / "cgroup.procs").read_text().split()]

    def cpu_seconds(self):
        lines = (self.folder / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec ")) / 1e6

    def end(self, seconds=5):
        """What is still in the group has so long to end by itself, and is killed then; the group is removed."""
        if not self.made:
            return
        self.made = False
        limit = time.monotonic() + seconds
        while self.is_populated():
            if time.monotonic() > limit:
                (self.folder / "cgroup.kill").write_text("1")
                limit += seconds
            time.sleep(0.02)
        self.folder.rmdir()

    def is_populated(self):
        """Processes that are ending count, though pids() does not show them any more."""
        return "populated 1" in (self.folder / "cgroup.events").read_text()


class Grouped(Peer):
    """A peer whose processes share a control group from start to stop."""

    def __init__(self):
        super().__init__()
        self.group = None

    def spawn(self, command, log, **how):
        if not self.group:
            self.group = Group(type(self).__name__.lower())
        return super().spawn(self.group.wrap(command), log, **how)

    def is_whole(self):
        """Whether cpu_seconds counts every process."""
        return bool(self.group and self.group.made)

    def pids(self):
        return self.group.pids() if self.is_whole() else descendants(self.roots())

    def cpu_seconds(self):
        return self.group.cpu_seconds() if self.is_whole() else None

    def stop(self):
        """SIGTERM to each root; what does not follow within some seconds (a session that a client keeps open) is killed."""
        if not self.is_whole():
            super().stop()
            return
        for process in self.processes:
            end(process)
        self.processes = []
        self.group.end()
        self.group = None
