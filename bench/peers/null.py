"""peers/null.py: bench/null, which speaks the same dialogue over TLS with AUTH PLAIN and stores nothing: what a server could
reach here at most if keeping mail cost nothing."""
from peers.group import Grouped


class Null(Grouped):
    name = "null"
    syncs_before_250 = (False, "stores nothing")
    build = None      # where the programs are; bench/run sets it
    workers = 2
    is_open = False   # lets everybody in

    def prepare(self, folder, certificate, key, user, password):
        self.folder, self.certificate, self.key, self.user, self.password = folder, certificate, key, user, password

    def add_users(self, names, password):
        self.is_open = True

    def start(self, ports, sink, deliver):
        command = [self.build / "bench/null", "--certificate", self.certificate, "--key", self.key, "--user", self.user,
                   "--password", self.password, "--workers", self.workers]
        for name, port in ports.items():
            command += [f"--{name}", f"127.0.0.1:{port}"]
        self.spawn(command + (["--anybody"] if self.is_open else []), self.folder / "log")
        self.await_ports(ports, self.folder / "log")

    def settings(self):
        return [("threads", self.workers, "as many as submitd has gates on two cores")]

    def reset(self):
        pass


PEER = Null
