"""peers/peer.py: what bench/run asks of a server that it measures, and what most of them share. A file peers/NAME.py holds
one subclass and ends with `PEER = Thatclass`; bench/run finds it by its name."""
import pathlib
import shutil
import signal
import socket
import subprocess
import time

READY_SECONDS = 30


class Peer:
    """One server below one folder, on loopback, with a certificate and a user that bench/run chose. Its life:
    prepare, then any number of (start, stop, reset), then the folder is removed by bench/run. Nothing outside the folder is
    touched, nothing that the machine runs already is used, and every process is ended by its number."""

    name = ""                        # as in the table
    syncs_before_250 = (False, "")   # whether a message is synced to disk before its 250, and how one sees that
    packages = ()                    # of Debian; what is missing is told before anything starts
    connections = None               # so many at a time at most; None: no limit but the machine's
    delivers_always = False          # True: cannot hold what it accepts, so it is left out where deliveries are off

    def __init__(self):
        self.folder = None
        self.processes = []          # what stop() ends, in that order; spawn() appends

    # What a peer has to define

    def prepare(self, folder, certificate, key, user, password):
        """Writes the configuration of everything below folder (pathlib.Path, exists, empty, mode 755). certificate and key
        are paths of PEM files; user ("bench@example.org") logs in by AUTH PLAIN with password."""
        raise NotImplementedError

    def start(self, ports, sink, deliver):
        """Starts with an empty or a given queue, and returns when all ports answer. ports: {"submissions": N, "submission":
        M} on 127.0.0.1, implicit TLS and STARTTLS. sink: ("127.0.0.1", port) of an SMTP server in clear text that takes
        everything for every domain, or None. deliver: whether accepted mail is sent there, or stays in the queue. Raises
        RuntimeError with the end of the log when it does not start."""
        raise NotImplementedError

    def settings(self):
        """What differs from the defaults: a list of (name, value, why)."""
        raise NotImplementedError

    def reset(self):
        """Empties the queue; called while the server is stopped."""
        raise NotImplementedError

    # What a peer may define

    def add_users(self, names, password):
        """Further users, all with this password; called once, after prepare and before start. A peer without it is left out
        of the work that needs them (B2)."""
        raise NotImplementedError

    def roots(self):
        """Process numbers from which all its processes descend."""
        return [process.pid for process in self.processes if process.poll() is None]

    def pids(self):
        """All its processes."""
        return descendants(self.roots())

    def install(self):
        """Brings the server's programs where the machine lacks them, which takes minutes at most and says what it does;
        prepare calls it too. RuntimeError when that cannot be done."""

    def version(self):
        """As the table's foot names it, after install."""
        return ""

    def cpu_seconds(self):
        """User and system time of all its processes since start, those that have ended included; None where there is only
        the sum over roots() and what descends from them."""
        return None

    def part_seconds(self):
        """Processor time by part, where there are parts: a dict of seconds."""
        return {}

    def gate_pids(self):
        """Those of its processes that hold client connections (work E looks at their peak memory); all, where that is not
        known."""
        return self.pids()

    def stop(self):
        """SIGTERM to each root, SIGKILL after 30 s; returns when all have gone."""
        gone = self.pids()
        for process in self.processes:
            end(process)
        self.processes = []
        await_gone(gone)

    # What a peer may use

    def spawn(self, command, log, **how):
        """Starts a program in a session of its own, output to the file log, to be ended by stop()."""
        with open(log, "ab") as out:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       start_new_session=True, **how)
        self.processes.append(process)
        return process

    def await_ready(self, condition, log):
        """Until condition() is true. RuntimeError when a program has ended or it takes too long."""
        limit = time.monotonic() + READY_SECONDS
        while not condition():
            if any(process.poll() is not None for process in self.processes) or time.monotonic() > limit:
                raise RuntimeError(f"{self.name} did not start:\n{tail(log)}")
            time.sleep(0.05)

    def await_ports(self, ports, log):
        """Until each of the ports answers."""
        self.await_ready(lambda: all(answers(port) for port in ports.values()), log)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def tail(log, lines=20):
    path = pathlib.Path(log)
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


def end(process, seconds=30):
    """SIGTERM, then SIGKILL; by process number."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def parents():
    """Process to its parent, of all that exist."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def descendants(roots):
    """The roots that exist and all that descend from them, in a list."""
    known = parents()
    members = [pid for pid in roots if pid in known]
    for member in members:
        members += [pid for pid, parent in known.items() if parent == member]
    return members


def await_gone(pids, seconds=30):
    """RuntimeError when one of them still runs after that time."""
    limit = time.monotonic() + seconds
    while (left := [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists() and not is_zombie(pid)]):
        if time.monotonic() > limit:
            raise RuntimeError(f"still running: {left}")
        time.sleep(0.02)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def missing(packages):
    """Those Debian packages that are not installed."""
    def is_there(package):
        done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
        return "install ok installed" in done.stdout
    return [package for package in packages if not is_there(package)]


def empty(folder):
    """Removes everything in the folder, not the folder."""
    for path in pathlib.Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
