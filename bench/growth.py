"""bench/growth.py: what it costs to grow: a queue of a million messages, more processes, more connections. submitd alone."""
import time

from measure import Load, proportional_octets
from stage import free_port
from works import Row, Work, cores, faults, is_submitd

ALIVE = "alive.example.net"
DEAD = 50  # destinations at which nobody listens; each connection of the load has its own
AT_LEAST = 500        # messages/s: what a fill may take is reckoned with it
TO_DEAD = {"to": "bench@d%u.example", "users": DEAD}
FIRST_FRESH = 1 << 26  # X-Bench numbers of the messages that are delivered


# G

def queue_octets(peer):
    return proportional_octets(peer.room_pids("queue"))


def fill(stage, peer, first, count):
    """So many messages more; their numbers go on from `first`."""
    if count > 0:
        stage.load(peer, count=count, seconds=0, first=first, **TO_DEAD, limit=count / AT_LEAST + 180)
    return first + max(count, 0)


def rate_at(stage, peer, first):
    """(figures of a load onto the queue as it is, the next number)."""
    figures = stage.load(peer, warmup=1, first=first, **TO_DEAD)
    return figures, first + figures["accepted"]


def submit_one(stage, peer, number):
    """False as long as the server takes no mail."""
    words = stage.load_words(peer, connections=1, count=1, seconds=0, first=number, to=f"bench@{ALIVE}", faults=1, timeout=10)
    with Load(stage.build / "bench/load", words, 30) as load:
        return load.finish()["accepted"] == 1


def time_to_delivery(stage, peer, number):
    """Seconds from the start of the server until a message that was submitted after it has arrived at the sink."""
    before, start = stage.sink.totals()["distinct"], time.monotonic()
    stage.start(peer, True)
    while not submit_one(stage, peer, number):
        time.sleep(0.05)
    while stage.sink.totals()["distinct"] == before:
        if time.monotonic() - start > 300:
            raise RuntimeError("a new message is not delivered")
        time.sleep(0.01)
    return time.monotonic() - start


def await_calm(peer, seconds=300):
    """Until the relay has nothing in hand."""
    limit = time.monotonic() + seconds
    while (status := peer.status())["active"] > 0 and time.monotonic() < limit:
        time.sleep(0.5)
    return status


def run_backlog(stage, peer):
    dead, count = free_port(), stage.options.messages

    def routes(sink):
        hops = {f"d{place}.example": f"127.0.0.{place + 2}:{dead}" for place in range(DEAD)}
        hops.update({ALIVE: f"{sink[0]}:{sink[1]}", "*": f"127.0.0.1:{dead}"})
        return {pattern: f'via = "smtp"  to = "{hop}"  tls = "none"' for pattern, hop in hops.items()}

    with stage.serving(peer, True, routes=routes):
        stage.load(peer, connections=10, seconds=0.5, **TO_DEAD)
        before, queued_before = queue_octets(peer), peer.status()["queued"]
        empty, number = rate_at(stage, peer, 0)
        number = fill(stage, peer, number, count // 10 - number)
        tenth, number = rate_at(stage, peer, number)
        number = fill(stage, peer, number, count - tenth["accepted"] - number)  # what the last rate brings makes it whole
        full, number = rate_at(stage, peer, number)
        status = await_calm(peer)
        each = (queue_octets(peer) - before) / max(status["queued"] - queued_before, 1)
        start = time.monotonic()
        peer.stop()
        stop = time.monotonic() - start
        after_stop = time_to_delivery(stage, peer, FIRST_FRESH)
        peer.kill()
        after_kill = time_to_delivery(stage, peer, FIRST_FRESH + 1)
        kept = peer.status()["queued"]
        peer.stop()
        peer.begin_anew()
        stage.start(peer, True)
        again, _ = rate_at(stage, peer, 0)
    return {"share": full["per_second"] / empty["per_second"], "share_again": full["per_second"] / again["per_second"],
            "again": again["per_second"], "cpu_again": again["cpu_ms"], "empty": empty["per_second"], "tenth": tenth["per_second"],
            "full": full["per_second"], "cpu_empty": empty["cpu_ms"], "cpu_tenth": tenth["cpu_ms"], "cpu_full": full["cpu_ms"],
            "queued": status["queued"], "deferred": status["deferred"], "each": each, "stop": stop, "after_stop": after_stop,
            "after_kill": after_kill, "kept": kept, **faults(full)}


BACKLOG = Work("G. a long queue for dead destinations", [
    Row("queued", "messages queued"), Row("deferred", "recipients deferred"),
    Row("empty", "accepted onto the empty queue, messages/s"), Row("tenth", "onto a tenth of it, messages/s"),
    Row("full", "onto nearly all of it, messages/s"), Row("again", "onto an empty one afterwards, messages/s"),
    Row("share", "nearly all through empty", "{:.2f}"),
    Row("share_again", "nearly all through empty afterwards", "{:.2f}", ((None, "least", 0.9),)),
    Row("cpu_empty", "server CPU, ms a message, empty", "{:.3f}"), Row("cpu_tenth", "the same with a tenth", "{:.3f}"),
    Row("cpu_full", "the same with nearly all", "{:.3f}"), Row("cpu_again", "the same with none, afterwards", "{:.3f}"),
    Row("each", "octets a message in the queue room", goals=((None, "most", 400),)), Row("stop", "SIGTERM takes, s", "{:.2f}"),
    Row("after_stop", "start to first delivery after SIGTERM, s", "{:.2f}", ((None, "most", 10),)),
    Row("after_kill", "start to first delivery after SIGKILL, s", "{:.2f}", ((None, "most", 10),)),
    Row("kept", "queued after all that")], run_backlog, is_submitd)


# H

CONNECTIONS = (1, 10, 100, 1000)
PROCESSES = (1, 2)


def run_growth(stage, peer):
    figures, last = {}, None
    for count in PROCESSES:
        with stage.serving(peer, False, gates=count):
            figures[f"accept_{count}"] = stage.load(peer, warmup=1)["per_second"]
        with stage.serving(peer, True, gates=count, relays=count):
            figures[f"deliver_{count}"] = stage.deliver(peer)["through"]
    for count in CONNECTIONS:
        with stage.serving(peer, False):
            last = stage.load(peer, warmup=1, connections=count)
        figures[f"cpu_{count}"], figures[f"rate_{count}"] = last["cpu_ms"], last["per_second"]
    return {**figures, **cores(last), **faults(last)}


GROWTH = Work("H. cost of growth", [
    *(Row(f"accept_{count}", f"A with gates = {count}, messages/s") for count in PROCESSES),
    *(Row(f"deliver_{count}", f"C with gates, relays = {count}, messages/s") for count in PROCESSES),
    *(Row(f"rate_{count}", f"A with {count} connections, messages/s") for count in CONNECTIONS),
    *(Row(f"cpu_{count}", f"server CPU, ms a message, {count} connections", "{:.3f}") for count in CONNECTIONS),
], run_growth, is_submitd)
