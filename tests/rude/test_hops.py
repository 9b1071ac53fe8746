"""rude/test_hops.py: next hops that talk without an end, or never, or nonsense, at every stage of a delivery, and name servers
that do the same. Mail to a decent place goes on in time; the relay's memory, and the time of every attempt, have their bounds."""
import json
import re
import statistics
import subprocess
import sys
import threading
import time

from house import HERE, IS_LONG, MIB, Use, say
from rig.client import message
from rig.hop import Hop
from rig.nameserver import NameServer
from rig.patience import PATIENCE, await_true
from tarpit import PATIENT, kinds

TIMEOUT = 2
SECTIONS = {"queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0",
            "timeouts": " ".join(f"{name} = {TIMEOUT} " for name in ("connect", "greeting", "ehlo", "tls", "auth", "mail", "rcpt", "data",
                                                                     "block", "end", "quit", "idle"))}
TRUSTED = 'trusted_networks = { "127.9.1.1/32" }'
# Greeting, EHLO, STARTTLS, handshake, EHLO, MAIL, RCPT, DATA, END, QUIT; and once more in clear where TLS failed.
ATTEMPT_MOST = 2 * 10 * TIMEOUT
LISTENERS = {"465": 'tls = "implicit"', "588": 'tls = "starttls"  require_tls = false'}


class Pit:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, HERE / "tarpit.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def stop(self):
        """How much one connection took at most, by kind."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        return json.loads(out)


def start(rig, name, routes, sections):
    """All but these goes to a Maildir."""
    server = rig.server(name, top=TRUSTED, listeners=LISTENERS, sections=sections, start=False)
    server.routes.update(routes)
    server.write_conf()
    return server.start()


def submit(server, recipient, content=None, mark="rude"):
    client = server.connect("588", source="127.9.1.1")
    client.hello()
    identity = client.mail("alice@example.net", [recipient], content or message(mark, to=recipient))
    client.quit()
    return identity


class Decent:
    """Mail to a decent place, one message after the other, from submission to arrival."""

    def __init__(self, server, hop, recipient):
        self.server, self.hop, self.recipient, self.times = server, hop, recipient, []

    def work(self, seconds, least=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.times) < least:
            begin = time.monotonic()
            count = len(self.hop.mails)
            submit(self.server, self.recipient, mark="decent")
            self.hop.await_mails(count + 1, PATIENCE)
            self.times.append(time.monotonic() - begin)
            time.sleep(0.1)

    def words(self):
        return (f"{len(self.times)} messages to a decent place arrived after {1000 * statistics.median(self.times):.0f} ms, at most "
                f"{1000 * max(self.times):.0f} ms")


def attempts(server):
    """Milliseconds of each attempt that ended, by kind."""
    found = {}
    for line in server.log().splitlines():
        match = re.search(r" relay\.\d+ (?:deferred|failed|delivered|returned) .*to=bob@(\S+)\.rude\.example .*\bms=(\d+)", line)
        if match:
            found.setdefault(match[1], []).append(int(match[2]))
    return found


def is_patient(name):
    return name.rpartition("-")[0] in PATIENT


def test_tarpits(rig):
    """OUT-7, OUT-10, SEC-3."""
    pit, hop = Pit(), Hop()
    rig.others.append(hop)
    try:
        routes = {f"{name}.rude.example": f'via = "smtp"  to = "127.0.0.1:{port}"' for name, port in pit.ports.items()}
        routes["decent.example"] = f'via = "smtp"  to = "{hop.address}"'
        server = start(rig, "tarpits", routes, SECTIONS)
        decent = Decent(server, hop, "bob@decent.example")
        decent.work(0.5)
        body = ("x" * 76 + "\r\n") * (30 * MIB // 78)
        with Use(server) as use:
            names = {}
            for name in kinds():
                recipient = f"bob@{name}.rude.example"
                for _ in range(3 if IS_LONG else 1):
                    content = message("large", to=recipient, body=body) if name == "deaf-data" else None
                    names[submit(server, recipient, content)] = name
            decent.work(60 if IS_LONG else 8)
            end = time.monotonic() + ATTEMPT_MOST + PATIENCE
            while missing := set(names.values()) - set(attempts(server)):
                assert time.monotonic() < end, f"an attempt has not come to an end: {missing}"
                decent.work(1, 1)
            found = attempts(server)

            def patient_ones_are_through():
                """Whose hop was slower than it meant to be is tried again."""
                waiting.clear()
                waiting.update(names[row["id"]] for row in server.queue() if row["id"] in names)
                return not any(is_patient(name) for name in waiting)
            waiting = set()
            await_true(patient_ones_are_through, lambda: f"still waiting: {waiting}", step=1)
            say(f"{len(kinds())} rude hops: {decent.words()}")
            say(f"    {use.words()}")
            slow = sorted(((max(times), name) for name, times in found.items()), reverse=True)[:3]
            say(f"    {sum(map(len, found.values()))} attempts, the longest took "
                + ", ".join(f"{ms / 1000:.1f} s ({name})" for ms, name in slow))
            assert all(max(times) < 1000 * (ATTEMPT_MOST + 60) for times in found.values()), slow
            assert use.grown("relay") < 96 * MIB, f"{use.grown('relay') / MIB:.0f} MiB"
            server.ctl("queue", "delete", "--all")
            use.await_files(wait=ATTEMPT_MOST + PATIENCE)
    finally:
        most = pit.stop()
    largest = sorted(((octets, name) for name, octets in most.items()), reverse=True)[:3]
    say("    the most that a hop could say in one connection: " + ", ".join(f"{o / MIB:.2f} MiB ({name})" for o, name in largest))
    delivered = set(names.values()) - waiting
    assert {name for name in names.values() if is_patient(name)} <= delivered
    assert most["huge-ehlo"] < 8 * MIB and most["million-lines-ehlo"] < 8 * MIB, "a reply was read to its end"


def test_many_slow_destinations(rig):
    """QUE-9: 200 places that take connections and say nothing, three messages for each, time-outs as they come: the places of
    delivery are not all theirs."""
    hop = Hop()
    silent = [Hop({"CONNECT": lambda session, _: session.hop.stopping.wait(600) and None}) for _ in range(4)]
    rig.others += [hop, *silent]
    routes = {f"s{number}.example": f'via = "smtp"  to = "127.0.{number}.1:{silent[number % 4].port}"' for number in range(200)}
    for one in silent:
        one.close_listener()
        one.host = "0.0.0.0"
        one.start()
    routes["decent.example"] = f'via = "smtp"  to = "{hop.address}"'
    server = start(rig, "slow-places", routes, {"queue": "delay_notice = 0"})
    decent = Decent(server, hop, "bob@decent.example")
    decent.work(0.5)
    with Use(server) as use:
        client = server.connect("588", source="127.9.1.1")
        client.hello()
        for number in range(600):
            recipient = f"bob@s{number % 200}.example"
            client.mail("alice@example.net", [recipient], message("slow", to=recipient))
        client.quit()
        decent.work(20 if IS_LONG else 5)
        say(f"200 silent destinations with 600 messages hold {sum(len(one.sessions) for one in silent)} connections: {decent.words()}")
        say(f"    {use.words()}")
    for one in silent:
        one.stop()
    server.ctl("queue", "delete", "--all")


class Liar(NameServer):
    """Answers by the first word of the name: never, with garbage, with a wrong number, cut, with far too much, or in a circle."""

    def reply(self, octets, is_stream=False):
        act = octets[13:13 + octets[12]].split(b"-")[0].decode("ascii", "replace") if len(octets) > 13 else ""
        if act == "mute":
            return None
        if act == "garbage":
            return octets[:2] + bytes((7 * at) % 256 for at in range(300))
        if act == "short":
            return octets[:7]
        if act == "foreign":
            return bytes([octets[0] ^ 1]) + octets[1:2] + b"\x81\x80" + octets[4:]
        if act in {"cut", "many"} and not is_stream:
            return octets[:2] + b"\x83\x80" + octets[4:6] + b"\0" * 6 + octets[12:]
        if act == "cut":
            time.sleep(30)
            return None
        if act == "circle":
            return octets[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + octets[12:octets.index(b"\0", 12) + 5] + b"\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c"
        return super().reply(octets, is_stream)


def test_name_servers(rig):
    """OPS-7, SUB-4.2-6: names that are never answered, or with garbage; a decent domain is found meanwhile."""
    hop = Hop()
    rig.others.append(hop)
    zone = {"example.net": {"MX": ["10 mx.decent.example."]}, "decent.example": {"MX": ["10 mx.decent.example."]}, "mx.decent.example": {"A": ["127.0.0.1"]}}
    for number in range(50):
        zone[f"decent{number}.example"] = {"MX": ["10 mx.decent.example."]}
    many = {"MX": [f"{at} mx{at}.many.example." for at in range(600)]}
    zone["many-0.example"] = many
    names = Liar(zone)
    rig.others.append(names)
    server = rig.server("liars", top=TRUSTED, listeners=LISTENERS, routes={"*": f'via = "mx"  port = {hop.port}  tls = "none"'},
                        sections={**SECTIONS, "dns": names.section})
    decent = Decent(server, hop, "bob@decent.example")
    decent.work(0.5, 2)
    rude = [f"bob@{act}-{number}.example" for act in ("mute", "garbage", "short", "foreign", "cut", "circle", "many")
            for number in range(20 if IS_LONG else 6)]

    def pester(recipients):
        for recipient in recipients:
            try:
                submit(server, recipient)
            except AssertionError:
                pass

    with Use(server) as use:
        threads = [threading.Thread(target=pester, args=(rude[at::14],), daemon=True) for at in range(14)]
        for thread in threads:
            thread.start()
        for number in range(10):
            decent.recipient = f"bob@decent{number}.example"    # one that is not remembered
            decent.work(0, len(decent.times) + 1)
        decent.work(30 if IS_LONG else 3)
        say(f"name servers: {decent.words()}; {len(names.questions)} decent questions")
        say(f"    {use.words()}")
        assert use.grown("relay") < 48 * MIB
        for thread in threads:
            thread.join(PATIENCE)
    server.ctl("queue", "delete", "--all")
