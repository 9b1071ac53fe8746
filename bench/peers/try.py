#!/usr/bin/python3
"""peers/try.py [NAME...]: starts each peer as bench/run would, submits five messages on each port and one of 25 MiB with Python's
smtplib, sees them arrive at a small sink, or stay away where deliveries are off, and ends everything. --syncs counts, with strace, the
system calls that make something durable, over twenty messages: that is what each peer's syncs_before_250 says."""
import argparse
import importlib
import os
import pathlib
import re
import shutil
import smtplib
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from peers import fetch  # noqa: E402

NAMES = ("postfix", "exim", "chasquid", "haraka")
USER, MORE, PASSWORD = "bench@example.org", ["user1@example.org", "user2@example.org"], "bench-3f9c2d71"
MESSAGES = 5
LARGE = 25 * 1024 * 1024  # as in work E
SYNCS = "fsync,fdatasync,sync_file_range,syncfs,sync,msync,io_uring_setup,io_uring_enter"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Session(socketserver.StreamRequestHandler):
    """Takes everything; the server keeps the marks of what came."""

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                self.say("250-sink\r\n250-PIPELINING\r\n250 8BITMIME")
            elif verb == b"DATA":
                self.say("354 go on")
                self.take()
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def take(self):
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            if line.lower().startswith(b"subject:"):
                self.server.marks.append(line.split(b":")[1].strip().decode())


class Sink(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.marks = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


def message(mark, user, size):
    """So many octets: a limit that is too low shows."""
    head = f"From: <{user}>\r\nTo: <to@example.net>\r\nSubject: {mark}\r\n\r\n"
    return (head + ("x" * 70 + "\r\n") * (size // 72))[:size - 2] + "\r\n"


def submit(ports, scheme, marks, user=USER, size=4096):
    """One session: TLS 1.3, AUTH PLAIN, a message for each mark."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if scheme == "submissions":
        client = smtplib.SMTP_SSL("127.0.0.1", ports[scheme], "client.example.org", context=context, timeout=30)
    else:
        client = smtplib.SMTP("127.0.0.1", ports[scheme], "client.example.org", timeout=30)
        client.starttls(context=context)
    with client:
        certificate = ssl.DER_cert_to_PEM_cert(client.sock.getpeercert(True))
        client.ehlo()
        client.user, client.password = user, PASSWORD
        code, text = client.auth("PLAIN", client.auth_plain)
        assert code == 235, text
        for mark in marks:
            client.sendmail(user, [f"to-{mark}@example.net"], message(mark, user, size))
    return certificate


def refuses_strangers(ports):
    """A wrong password must not do."""
    try:
        context = ssl._create_unverified_context()
        with smtplib.SMTP_SSL("127.0.0.1", ports["submissions"], "client.example.org", context=context, timeout=60) as client:
            client.ehlo()
            client.user, client.password = USER, "wrong"
            client.auth("PLAIN", client.auth_plain)
    except smtplib.SMTPAuthenticationError:
        return True
    return False


def await_marks(sink, marks, seconds=30):
    limit = time.monotonic() + seconds
    while not set(marks) <= set(sink.marks):
        assert time.monotonic() < limit, f"not at the sink after {seconds} s: {sorted(set(marks) - set(sink.marks))}"
        time.sleep(0.05)


def try_delivery(peer, certificate, ports, sink):
    try:
        peer.start(ports, sink.server_address, True)
        began = peer.cpu_seconds()
        marks = {scheme: [f"{scheme}-{number}" for number in range(MESSAGES)] for scheme in ports}
        for scheme in ports:
            assert submit(ports, scheme, marks[scheme]).strip() == certificate.read_text().strip(), "another certificate"
        for name in MORE:
            submit(ports, "submissions", [name.partition("@")[0]], name)
        submit(ports, "submissions", ["large"], size=LARGE)
        await_marks(sink, marks["submissions"] + marks["submission"] + ["user1", "user2", "large"])
        assert refuses_strangers(ports), "it takes a wrong password"
        whole = f"{peer.cpu_seconds() - began:.2f} s of processor (control group)" if began is not None else "no control group"
        return f"{2 * MESSAGES + 3} messages arrived, {len(peer.pids())} processes, {len(peer.gate_pids())} gates, {whole}"
    finally:
        peer.stop()


def try_hold(peer, ports, sink):
    if peer.delivers_always:
        return "cannot hold its queue"
    peer.reset()
    try:
        peer.start(ports, sink.server_address, False)
        submit(ports, "submissions", ["held"] * MESSAGES)
        time.sleep(2.5)
        assert "held" not in sink.marks, "delivered although it should not"
    finally:
        peer.stop()
    peer.reset()
    try:
        peer.start(ports, sink.server_address, True)
        submit(ports, "submissions", ["after"])
        await_marks(sink, ["after"])
        assert "held" not in sink.marks, "reset left mail in the queue"
    finally:
        peer.stop()
    return f"{MESSAGES} stayed in the queue, none after reset"


def try_syncs(peer, ports, sink):
    """System calls for each of twenty messages in one session, deliveries off where that can be."""
    peer.reset()
    report = peer.folder / "strace"
    try:
        peer.start(ports, sink.server_address, peer.delivers_always)
        submit(ports, "submissions", ["warm"])
        time.sleep(1)
        words = ["strace", "-f", "-y", "-e", f"trace={SYNCS},openat", "-o", str(report)]
        for pid in peer.pids():
            words += ["-p", str(pid)]
        tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(2)
        submit(ports, "submissions", [f"sync-{number}" for number in range(20)])
        time.sleep(1)
        tracer.terminate()
        tracer.wait()
    finally:
        peer.stop()
    calls = re.findall(r"^\d+ +(\w+)\((.*)", report.read_text(errors="replace"), re.M)
    counts = {}
    for name, rest in calls:
        if name != "openat" or "SYNC" in rest.replace("O_ASYNC", ""):
            counts[name] = counts.get(name, 0) + 1
    return f"{len(calls)} calls seen; over 20 messages: " + (", ".join(f"{name} {count}" for name, count in counts.items()) or "no sync")


def try_peer(name, syncs, top, certificate, key):
    peer = importlib.import_module(f"peers.{name}").PEER()
    folder = top / name
    folder.mkdir(mode=0o755)
    sink = Sink()
    ports = {"submissions": free_port(), "submission": free_port()}
    try:
        peer.install()
        print(f"{name}: {peer.version()}", flush=True)
        peer.prepare(folder, certificate, key, USER, PASSWORD)
        peer.add_users(MORE, PASSWORD)
        if syncs:
            print(f"{name}: {try_syncs(peer, ports, sink)}", flush=True)
            return
        print(f"{name}: {try_delivery(peer, certificate, ports, sink)}", flush=True)
        print(f"{name}: {try_hold(peer, ports, sink)}", flush=True)
    finally:
        sink.shutdown()


def left_over(top):
    """Processes that still name the folder, or work in it."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(top).encode() in (path / "cmdline").read_bytes() or os.readlink(path / "cwd").startswith(str(top)):
                found.append(path.name)
        except OSError:
            pass
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--syncs", action="store_true", help="count syncs instead (needs strace)")
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    options = parser.parse_args()
    failed = 0
    top = pathlib.Path(tempfile.mkdtemp(prefix="bench-peers-", dir="/var/tmp"))
    top.chmod(0o755)
    certificate, key = top / "cert.pem", top / "key.pem"
    fetch.call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate])
    key.chmod(0o600)
    try:
        for name in options.names or NAMES:
            try:
                try_peer(name, options.syncs, top, certificate, key)
            except Exception as failure:
                failed += 1
                print(f"{name}: FAILED: {type(failure).__name__}: {failure}", flush=True)
            if left := left_over(top):
                failed += 1
                print(f"{name}: FAILED: still running: {left}", flush=True)
    finally:
        if options.keep:
            print(f"left in {top}")
        else:
            shutil.rmtree(top, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
