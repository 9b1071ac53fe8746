"""rude/test_crowds.py: thousands of clients that are silent, slow, greedy or deaf, and an honest one among them. What is asserted
comes from time-outs and limits; what was measured is printed (`./prove rude` shows it)."""
import contextlib
import os
import time

import pytest

from crowd import KINDS
from house import IS_LONG, KIB, MIB, Crowd, Honest, Use, say
from rig.patience import PATIENCE
from rig.server import PASSWORD, shared_certificate

OPEN = {"limits": "connections = 6000  connections_per_client = 0  auth_failures_per_client = 0  auth_failures_per_account = 0"}
WATCHED = 30 if IS_LONG else 3

# 2,000 at once, of every kind that holds on.
MIXED = {"silent": 500, "silent-tls": 300, "octet-a-second": 300, "half-a-handshake": 200, "handshake-octet-a-second": 100,
         "handshake-not-finished": 200, "starttls-and-nothing": 100, "half-a-login": 100, "deaf": 40, "idle": 100,
         "content-octet-a-second": 50, "huge-chunk": 10}


@pytest.fixture(scope="module")
def open_house(shared):
    """No limit on connections but a high one, so that the crowds get in. Warm: stacks and caches that stay are there already."""
    server = shared.server("crowds", top="gates = 2", sections=OPEN)
    for kind in ("handshake-not-finished", "idle"):
        with Crowd(server, kind, 300) as crowd:
            crowd.await_begun()
    await_alone(server)
    return server


def sessions(server):
    """Descriptors of all gates: one for each session, and some."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for name, pid in server.rooms().items() if name.startswith("gate."))


def await_alone(server, wait=PATIENCE):
    """Until the gates have let go of a crowd."""
    end = time.monotonic() + wait
    least, since = sessions(server), time.monotonic()
    while time.monotonic() - since < 1.0 and time.monotonic() < end:
        time.sleep(0.1)
        now = sessions(server)
        if now != least:
            least, since = now, time.monotonic()


def report(kinds, honest, use):
    say(f"{kinds}: {honest.words()}")
    say(f"    {use.words()}")


def business(use, seconds):
    """Seconds of processor time that the gates use in one, now."""
    before, began = use.kind(use.busy(), "gate"), time.monotonic()
    time.sleep(seconds)
    return (use.kind(use.busy(), "gate") - before) / (time.monotonic() - began)


def test_two_thousand_at_once(open_house):
    """LSN-8, SEC-3: 2,000 that begin something and do not go on, each at another place; the honest one is served in time, the
    rooms are idle, memory stays small, and everything is given back."""
    with Use(open_house) as use:
        honest = Honest(open_house)
        with contextlib.ExitStack() as stack:
            crowds = [stack.enter_context(Crowd(open_house, kind, count)) for kind, count in MIXED.items()]
            for crowd in crowds:
                crowd.await_begun()
            held = sum(crowd.figures.get("held", 0) for crowd in crowds)
            assert held == sum(MIXED.values()), f"only {held} got in"
            honest.work(WATCHED)
            busy = min(business(use, 2) for _ in range(1 if IS_LONG else 2))    # who spins does so all the time
        report("2,000 of all kinds", honest, use)
        assert busy < 0.6, "the gates are busy with clients that do nothing"
        assert use.grown("gate") < 2000 * 64 * KIB, f"{use.grown('gate') / 2000 / KIB:.0f} KiB for each"
        use.await_files()


if IS_LONG:
    @pytest.mark.parametrize("kind", MIXED)
    def test_two_thousand_of_a_kind(open_house, kind):
        """LSN-8, SEC-3: the same with 2,000 of one kind."""
        with Use(open_house) as use:
            honest = Honest(open_house)
            with Crowd(open_house, kind, 2000) as crowd:
                crowd.await_begun()
                honest.work(10)
            report(f"2,000 {kind}", honest, use)
            assert crowd.figures["held"] == 2000
            assert use.grown("gate") < 2000 * 100 * KIB, f"{use.grown('gate') / 2000 / KIB:.0f} KiB for each"
            use.await_files()


def test_two_thousand_at_a_house_for_a_thousand(shared):
    """LSN-8: with the limits as they come, a crowd from 200 addresses takes every place; who has not logged in gives way, so the
    honest one gets in all the same, and who has logged in stays."""
    server = shared.server("defaults", top="gates = 2")
    server.submit("bob@example.org")
    inside = [server.client(source=f"127.9.9.{number + 1}") for number in range(20)]
    with Use(server) as use:
        honest = Honest(server)
        with Crowd(server, "silent", 2000) as crowd:
            crowd.await_begun()
            with Crowd(server, "handshake-not-finished", 500) as second:
                second.await_begun()
                honest.work(WATCHED)
        report(f"2,500 at a house for 1,000, of which {crowd.figures.get('still_held', 0) + second.figures.get('still_held', 0)} were "
               "still held at the end", honest, use)
        for client in inside:
            client.expect("NOOP", "250 2.0.0")
            client.quit()
        assert crowd.figures.get("still_held", 0) < 1000, "more than a thousand are in"
        use.await_files()
    server.stop()


FLOODS = {"noop": 20, "rset": 20, "unknown": 20, "ehlo": 20, "noop-logged-in": 20, "mail-logged-in": 20, "endless-line": 10,
          "endless-header": 10, "giant-login": 20, "come-and-go": 20, "half-handshake": 20, "random-end": 20}


def flood(server, kinds):
    with Use(server) as use:
        honest = Honest(server)
        with contextlib.ExitStack() as stack:
            crowds = [stack.enter_context(Crowd(server, kind, count)) for kind, count in kinds.items()]
            for crowd in crowds:
                crowd.await_begun()
            honest.work(WATCHED)
        report("flood of " + ", ".join(f"{crowd.kind} {crowd.figures}" for crowd in crowds), honest, use)
        assert use.grown("gate") < 48 * MIB, f"{use.grown('gate') / MIB:.0f} MiB"
        use.await_files()


@pytest.mark.parametrize("listener", ["587", "465"])
def test_floods(open_house, listener):
    """SEC-3, LSN-12, LSN-14, LSN-16: those that say as much as they can, as fast as they can, all at once."""
    flood(open_house, {kind: count // 4 for kind, count in FLOODS.items() if KINDS[kind][0] == listener})


if IS_LONG:
    @pytest.mark.parametrize("kind", FLOODS)
    def test_flood_of_a_kind(open_house, kind):
        """The same, one kind at a time."""
        flood(open_house, {kind: FLOODS[kind]})


def test_half_handshakes_with_a_slow_key(shared):
    """SEC-3, TLS: handshakes that are begun and dropped cost no signature that somebody else waits for. With an RSA key the
    vault makes some hundred a second, and the flood asks for thousands."""
    server = shared.server("rsa", top="gates = 2", sections=OPEN, start=False)
    key, chain = shared_certificate("rsa")
    server.key.write_bytes(key.read_bytes())
    server.certificate.write_bytes(chain.read_bytes())
    server.start()
    with Use(server) as use:
        honest = Honest(server)
        with Crowd(server, "half-handshake", 40) as crowd:
            crowd.await_begun()
            honest.work(WATCHED)
        report(f"half handshakes with RSA {crowd.figures}", honest, use)
        use.await_files()
    server.stop()


def test_wrong_passwords(shared):
    """AUTH-17: 200 connections from 40 addresses guess without a pause; a login that needs its hash, every time, waits for one
    guess of each address at most, and not for all that wait. Counted, not timed."""
    server = shared.server("guessing", sections={"limits": "connections = 6000  connections_per_client = 0  "
                                                           "auth_failures_per_client = 0  auth_failures_per_account = 0"})
    for number in range(10):
        server.add_user(f"user{number}@example.net")
    with Use(server) as use:
        with Crowd(server, "wrong-password", 200) as crowd:
            crowd.await_begun()
            time.sleep(3)
            times, before = [], []
            for number in range(10 if IS_LONG else 3):
                client = server.connect("465", source="127.8.8.8")
                client.hello()
                begin, position = time.monotonic(), server.log_path.stat().st_size
                client.login(f"user{number}@example.net", PASSWORD)
                times.append(time.monotonic() - begin)
                before.append(sum("result=refused" in line for line in server.log(position).splitlines() if " vault.0 login " in line))
                client.quit()
        say(f"guesses {crowd.figures}: {len(times)} first logins after {sorted(times)[len(times) // 2]:.2f} s, at most {max(times):.2f} s, "
            f"behind at most {max(before)} guesses")
        say(f"    {use.words()}")
        assert max(before) <= 40 + 10, f"logins waited for {before} guesses"
    server.kill()


def test_memory_comes_to_rest(open_house):
    """SEC-3: thousands of sessions that are cut at random moments leave nothing behind: the second thousand costs no
    more than the first."""
    grown = []
    for _ in range(4 if IS_LONG else 2):
        use = Use(open_house)
        with Crowd(open_house, "random-end", 20) as crowd:
            crowd.await_begun()
            time.sleep(30 if IS_LONG else 3)
        await_alone(open_house)
        use.await_files()
        after = use.memory()
        grown.append({kind: use.kind(after, kind) - use.kind(use.start, kind) for kind in ("gate", "vault", "queue", "relay")})
        say(f"{crowd.figures.get('turns', 0)} sessions cut: rooms grew by "
            + ", ".join(f"{kind} {octets / MIB:.1f} MiB" for kind, octets in grown[-1].items()))
    assert all(octets < 3 * MIB for octets in grown[-1].values()), grown
