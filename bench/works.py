"""bench/works.py: what is measured. A work brings one server up, loads it, and gives figures; bench/run repeats it and compares.
Each figure has a row: its words, how it is printed, which way is better, and what is to be reached."""
import time
from dataclasses import dataclass

from measure import MIB, Load, Peak, proportional_octets
from stage import MANY

LARGE = 25 * MIB


@dataclass
class Row:
    """goals: (server compared with or None, "least" or "most", bound): on submitd's median, or on its ratio to that server's."""
    key: str
    words: str
    form: str = "{:,.0f}"
    goals: tuple = ()
    compares: bool = True  # whether a ratio says anything


@dataclass
class Work:
    title: str
    rows: list
    run: object                       # (stage, peer) -> dict of figures
    fits: object = lambda peer: True  # whether a server can do it
    needs_users: bool = False


def cores(figures):
    return {**{f"cores_{part}": value for part, value in figures["cores"].items()},
            **{f"part_{part}": value for part, value in figures["parts"].items()}}


def faults(figures):
    return {"unexpected": figures["unexpected"], "first_unexpected": figures["first_unexpected"],
            "lost": figures.get("lost", 0), "duplicates": figures.get("duplicates", 0)}


CORES = [Row("cores_server", "cores busy with the server", "{:.2f}", compares=False),
         Row("cores_tools", "with load and sink", "{:.2f}", compares=False),
         Row("cores_rest", "with the kernel's threads and others", "{:.2f}", compares=False)]

PARTS = [Row(f"part_{part}", f"of it {part}", "{:.3f}", compares=False) for part in ("gate", "vault", "hash", "queue", "relay")]


def holds(peer):
    return not peer.delivers_always


def is_real(peer):
    return peer.name != "null"


def is_submitd(peer):
    return peer.name == "submitd"


# A

def run_accept(stage, peer):
    with stage.serving(peer, False):
        figures = stage.load(peer, warmup=1)
    return {"rate": figures["per_second"], "cpu": figures["cpu_ms"], "p50": figures["message"]["p50_ms"],
            "p99": figures["message"]["p99_ms"], **cores(figures), **faults(figures)}


ACCEPT = Work("A. durable accept: one login a connection, deliveries off", [
    Row("rate", "messages/s", goals=(("null", "least", 0.6), ("Postfix", "least", 7))),
    Row("cpu", "server CPU, ms a message", "{:.3f}", goals=((None, "most", 0.15),)), *PARTS,
    Row("p50", "message p50, ms", "{:.2f}"), Row("p99", "message p99, ms", "{:.2f}"), *CORES], run_accept, holds)


# B

def run_sessions(stage, peer, **words):
    with stage.serving(peer, False):
        figures = stage.load(peer, warmup=1, **{"per-session": 1}, **words)
    return {"rate": figures["per_second"], "cpu": figures["cpu_ms"], "connect": figures["connect"]["p50_ms"],
            "p50": figures["message"]["p50_ms"], "p99": figures["message"]["p99_ms"], **cores(figures), **faults(figures)}


SESSION_ROWS = [Row("connect", "TLS up p50, ms", "{:.2f}"), Row("p50", "session p50, ms", "{:.2f}"),
                Row("p99", "session p99, ms", "{:.2f}"), *CORES]
SESSIONS = Work("B. one message a session: TLS 1.3 handshake and AUTH each, one user", [
    Row("rate", "sessions/s", goals=(("null", "least", 0.75),)),
    Row("cpu", "server CPU, ms a session", "{:.2f}", goals=(("Postfix", "most", 1 / 6),)), *PARTS, *SESSION_ROWS], run_sessions)


def run_strangers(stage, peer):
    run = run_sessions(stage, peer, user=MANY, users=stage.options.users)
    return {**run, "outside": run["cpu"] - run["part_hash"]} if "part_hash" in run else run


STRANGERS = Work("B2. the same, a different user each session", [
    Row("rate", "sessions/s", "{:,.1f}"), Row("cpu", "server CPU, ms a session (with the hash)", "{:.2f}"),
    Row("outside", "of it outside the hash", "{:.2f}"), *PARTS, *SESSION_ROWS],
    run_strangers, needs_users=True)


# C

def run_deliver(stage, peer):
    with stage.serving(peer, True):
        figures = stage.deliver(peer)
    return {"through": figures["through"], "rate": figures["per_second"], "cpu": figures["cpu_ms"],
            "p99": figures["message"]["p99_ms"], **cores(figures), **faults(figures)}


DELIVER = Work("C. accept and deliver to a sink, the same load as A", [
    Row("through", "messages/s at the sink", goals=(("Postfix", "least", 8),)), Row("rate", "accepted meanwhile, messages/s"),
    Row("cpu", "server CPU, ms a message", "{:.3f}"), *PARTS, Row("p99", "message p99, ms", "{:.2f}"), *CORES], run_deliver, is_real)


# D

def run_idle(stage, peer):
    with stage.serving(peer, False):
        words = stage.load_words(peer, connections=stage.options.idle, idle=True, faults=10 ** 6)
        stage.load(peer, connections=10, seconds=0.5)  # what the first sessions bring into memory is not a connection's
        time.sleep(1)
        before = proportional_octets(peer.pids())
        with Load(stage.build / "bench/load", words, 300) as load:
            if not load.await_mark("held"):
                raise RuntimeError(f"not all log in: {load.complaints[:5]}")
            time.sleep(2)
            after = proportional_octets(peer.pids())
            answer = load.ask(120)
            load.leave()
    count = words["connections"]
    return {"each": (after - before) / 1024 / count, "before": before / MIB, "connections": count, "answered": answer["answered"],
            "unexpected": count - answer["answered"], "first_unexpected": load.complaints[:3], "lost": 0, "duplicates": 0}


IDLE = Work("D. idle authenticated TLS connections", [
    Row("each", "PSS a connection, KiB", "{:,.1f}", goals=((None, "most", 20),)), Row("before", "PSS before them, MiB", "{:,.1f}"),
    Row("connections", "connections", compares=False),
    Row("answered", "of them, answer NOOP in the end", compares=False)], run_idle)


# E

def run_large(stage, peer):
    with stage.serving(peer, False):
        with Peak(peer.gate_pids) as small:
            stage.load(peer, connections=4, size=MIB, seconds=min(stage.options.seconds, 3))
        with Peak(peer.gate_pids) as large:
            figures = stage.load(peer, connections=4, size=LARGE)
    return {"rate": figures["per_second"] * LARGE / MIB, "cpu": figures["cpu_ms"], "small": small.octets / MIB,
            "large": large.octets / MIB, **cores(figures), **faults(figures)}


LARGES = Work("E. messages of 25 MiB, 4 at a time, deliveries off", [
    Row("rate", "MiB/s", goals=(("Postfix", "least", 1.5),)), Row("cpu", "server CPU, ms a message", "{:.1f}"),
    Row("small", "peak PSS of its gates with 1 MiB, MiB", "{:.1f}"), Row("large", "the same with 25 MiB, MiB", "{:.1f}"),
    *CORES], run_large)


# F

def run_offered(stage, peer):
    with stage.serving(peer, True):
        figures = stage.load(peer, warmup=1, rate=stage.options.rate)
        if is_real(peer):
            totals = stage.sink.await_distinct(figures["accepted"], 30)
            figures.update(lost=max(figures["accepted"] - totals["distinct"], 0), duplicates=totals["duplicates"])
    message = figures["message"]
    return {"rate": figures["per_second"], "p50": message["p50_ms"], "p90": message["p90_ms"], "p99": message["p99_ms"],
            "max": message["max_ms"], "cpu": figures["cpu_ms"], **cores(figures), **faults(figures)}


OFFERED = Work("F. 100 messages/s offered, deliveries on: from due to 250", [
    Row("p50", "p50, ms", "{:.2f}"), Row("p90", "p90, ms", "{:.2f}"),
    Row("p99", "p99, ms", "{:.2f}", goals=(("Postfix", "most", 0.25),)), Row("max", "the slowest, ms", "{:.2f}"),
    Row("rate", "accepted, messages/s", compares=False), Row("cpu", "server CPU, ms a message", "{:.3f}"), *CORES], run_offered)
