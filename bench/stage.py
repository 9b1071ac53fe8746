"""bench/stage.py: where the servers are measured: one folder, one certificate, one user, ports, a sink, and the act of bringing
a server up for one run and down again."""
import contextlib
import os
import socket
import subprocess

from measure import Sink, cpu_seconds, run_load

USER, PASSWORD = "bench@example.org", "bench-3f9c2d71"
MANY = "user%u@example.org"
PATIENCE = 30  # seconds without an arrival at the sink


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    """ECDSA P-256, for all servers; (certificate, key)."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


class Stage:
    """options: those of bench/run, which works look at too."""

    def __init__(self, folder, build, options):
        self.folder, self.build, self.options = folder, build, options
        self.certificate, self.key = make_certificate(folder)
        self.sink = None
        self.ports = {}

    def prepare(self, name, peer, many):
        """many: users besides the first one; a peer that cannot have them is left out of the works that need them."""
        place = self.folder / name
        place.mkdir(mode=0o755)
        peer.prepare(place, self.certificate, self.key, USER, PASSWORD)
        peer.has_many = False
        if many:
            with contextlib.suppress(NotImplementedError):
                peer.add_users([MANY.replace("%u", str(number)) for number in range(many)], PASSWORD)
                peer.has_many = True

    @contextlib.contextmanager
    def serving(self, peer, deliver, **traits):
        """The server runs with an empty queue and a sink behind it, on fresh ports; traits are attributes of the peer for as
        long."""
        before = {name: getattr(peer, name) for name in traits}
        self.ports = {"submissions": free_port(), "submission": free_port()}
        self.sink = Sink(self.build / "bench/sink")
        for name, value in traits.items():
            setattr(peer, name, value)
        try:
            peer.reset()
            os.sync()
            self.start(peer, deliver)
            yield
        finally:
            try:
                peer.stop()
                peer.reset()
            finally:
                self.sink.stop()
                for name, value in before.items():
                    setattr(peer, name, value)

    def start(self, peer, deliver):
        """Again, when a work has stopped it."""
        peer.start(self.ports, self.sink.address, deliver or peer.delivers_always)

    def load_words(self, peer, **words):
        """Of bench/load for this server: `words` and what all loads share."""
        shared = {"server": f"127.0.0.1:{self.ports['submissions']}", "user": USER, "password": PASSWORD,
                  "connections": self.options.connections, "size": self.options.size, "seconds": self.options.seconds,
                  "no-pipelining": self.options.no_pipelining}
        words = {**shared, **words}
        if peer.connections:
            words["connections"] = min(words["connections"], peer.connections)
        return words

    def load(self, peer, limit=None, **words):
        """Runs it for at most `limit` seconds; its figures and what the server's processes took meanwhile, per message."""
        words = self.load_words(peer, **words)
        limit = limit or words["seconds"] * 3 + 180
        figures = run_load(self.build / "bench/load", words, peer, [self.sink.process.pid], limit)
        begin, end = figures["begin"], figures["end"]
        seconds = max(end["at"] - begin["at"], 0.001)
        figures["cpu_ms"] = (end["server"] - begin["server"]) * 1000 / max(figures["messages"], 1)
        figures["cores"] = {part: (end[part] - begin[part]) / seconds for part in ("server", "tools", "rest")}
        figures["parts"] = {part: (after - begin["parts"].get(part, 0)) * 1000 / max(figures["messages"], 1)
                            for part, after in end["parts"].items()}
        return figures

    def deliver(self, peer, **words):
        """The same with everything delivered: adds what arrived, how fast from the first submission to the last arrival, and
        the processor time of all of it."""
        figures = self.load(peer, **words)
        totals = self.sink.await_distinct(figures["accepted"], PATIENCE)
        seconds = max((totals["last_us"] - figures["start_us"]) / 1e6, 0.001)
        spent = cpu_seconds(peer) - figures["begin"]["server"]
        figures.update(through=totals["distinct"] / seconds, lost=max(figures["accepted"] - totals["distinct"], 0),
                       duplicates=totals["duplicates"], cpu_ms=spent * 1000 / max(figures["accepted"], 1))
        return figures
