"""Rooms that lie with a purpose: lawful messages that claim what is not the liar's. Nobody's mail may suffer but what the liar
itself has in hand, and no claim may be believed that the liar cannot make good."""
import os
import random
import select
import signal
import socket
import ssl
import subprocess
import time

import pytest

from rig.client import b64, message
from rig.hop import Hop
from rig.patience import PATIENCE
from rig.server import BUILD, IS_ROOT, PASSWORD
from rooms.frames import HEAD, frame
from rooms.house import House
from rooms.taking import take

DONE, DEFERRED, FAILED = 0, 1, 2
ROOMS = ["vault", "queue", "maildrop", "relay.0", "gate.0"]
GROWTH_MOST = 200 << 20   # one channel may hold 64 MiB in each direction, and the address sanitizer adds its own
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def halves(identity):
    """A queue id as two numbers."""
    number = 0
    for letter in identity:
        number = number * 32 + BASE32.index(letter)
    return number >> 64, number & (2 ** 64 - 1)


@pytest.fixture
def house():
    hop = Hop()
    made = House(ROOMS, top="relays = 2", sections={"spool": "segment_size = 1048576", "queue": "retry = { 1 }  retry_connect = { 1 }"},
                 routes={"hop.example": f'via = "smtp"  to = "{hop.address}"  tls = "none"', "*": 'via = "maildir"  to = "MAIL"'})
    made.hop = hop
    yield made
    made.stop()
    hop.stop()
    assert made.faults() == []
    made.server.clear()


def generations(house):
    return [int(path.stem, 16) for path in house.spool.rglob("*.seg")]


def submit_some(house, count=4):
    return [house.server.submit("bob@example.org") for _ in range(count)]


def check_delivered(house, identities):
    for identity in identities:
        house.server.await_mail(identity)
    house.check_service("the lie")
    house.check_alive()


# ---- a gate ----

def speak_of_all(house, channel, upto):
    for generation in generations(house):
        channel.send("cut", generation=generation, upto=upto)
        channel.send("doorbell", generation=generation, upto=2 ** 40, final=1)
        channel.send("doorbell", generation=generation, upto=0, final=1)
        channel.send("cut", generation=generation, upto=upto)


def test_a_gate_speaks_of_segments_of_another(house):
    house.end("maildrop")
    waiting = submit_some(house)
    liar = house.impersonate("gate.1", "queue")
    speak_of_all(house, liar, 4096)
    waiting += submit_some(house)
    speak_of_all(house, liar, 4096)
    house.restart("queue")
    house.start("maildrop")
    check_delivered(house, waiting)
    house.tolerated.append("a gate broke the rules")
    assert "it spoke of a segment of another gate" in house.log()


def test_a_gate_guesses_after_the_queue_restarted(house):
    """The queue no longer knows to whom it gave a segment. Half of a segment's number is chance, so that nobody can speak of one
    that was not handed to him."""
    house.end("maildrop")
    waiting = submit_some(house)
    house.restart("queue", to=[])
    liar = house.impersonate("gate.1", "queue")
    rng = random.Random(1)
    for generation in generations(house):
        for near in range(max(0, (generation >> 32) - 2), (generation >> 32) + 3):
            for low in [0, 1, 2 ** 32 - 1] + [rng.getrandbits(32) for _ in range(200)]:
                liar.send("cut", generation=near << 32 | low, upto=4096)
                liar.send("doorbell", generation=near << 32 | low, upto=2 ** 40, final=1)
    house.connect("gate.0", "queue")
    waiting += submit_some(house)
    liar.close()
    house.restart("queue")
    house.start("maildrop")
    check_delivered(house, waiting)


def test_a_gate_asks_for_files_without_end(house):
    liar = house.impersonate("gate.1", "queue")
    before = len(generations(house))
    for _ in range(100):
        liar.send("need", blanks=0xffffffff, spares=0xffffffff)
    held, end = [], time.monotonic() + 2
    last = end + PATIENCE    # for the first of them
    while time.monotonic() < (end if held else last):
        try:
            while liar.fill(0.1):
                liar.octets = b""
                held += liar.fds
                liar.fds = []
        except TimeoutError:
            liar.send("need", blanks=4, spares=32)
    made = len(generations(house)) - before
    assert held, "no files at all"
    for fd in held:
        os.close(fd)
    liar.close()
    assert made <= 40, f"the queue made {made} segments for one gate"
    house.check_service("a greedy gate")


def forge(blank, fd, end, body, number):
    """A sound record in the segment; where it ends."""
    words = [BUILD / "tests" / "rooms" / "rooms_forge", blank["generation"], blank["size"], end, body, number]
    return int(subprocess.run([str(word) for word in words], stdin=fd, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("is_dead", [False, True])
def test_a_gate_names_bodies_of_another(house, is_dead):
    """Its records are sound, but the bodies they name were handed to the other gate: for messages to come, or in the queue."""
    house.end("maildrop")
    kept = [house.server.submit("bob@example.org", message("large", body="kept\r\n" * 40000)) for _ in range(2)]
    liar = house.impersonate("gate.1", "queue")
    liar.send("need", blanks=1, spares=0)
    blank, fd = liar.await_message("blank")
    end = blank["start"]
    for number, path in enumerate(sorted(house.spool.rglob("*.body"))):
        end = forge(blank, fd, end, int(path.stem, 16), number + 1)
    liar.send("doorbell", generation=blank["generation"], upto=end, final=is_dead)
    if is_dead:
        liar.close()
        os.close(fd)
    house.server.await_log("names a body that is not its own")
    kept += [house.server.submit("bob@example.org", message("large", body="kept\r\n" * 40000)) for _ in range(4)]
    house.start("maildrop")
    check_delivered(house, kept)
    house.restart("queue")
    house.check_service("forged records")
    assert house.server.status()["queued"] == 0, "a forged record became a message"


# ---- a relay ----

def claim(job, identity, result):
    high, low = halves(identity)
    return frame("outcome", job=job, id_high=high, id_low=low, started_us=1, finished_us=2,
                 results=[{"index": 0, "result": result, "cause": 0, "code": 250, "status": "2.0.0", "text": "mine"}])


def jobs_in_hand(*identities):
    return frame("in-hand", jobs=[{"job": number + 1, "id_high": halves(one)[0], "id_low": halves(one)[1]}
                                  for number, one in enumerate(identities)])


@pytest.mark.parametrize("when", ["now", "adopted", "recovering"])
@pytest.mark.parametrize("result", [DONE, FAILED])
def test_a_relay_ends_what_is_not_its_own(house, when, result):
    """Mail that waits for the maildrop: a relay that knows its id claims to have delivered it, as of an earlier life."""
    house.end("maildrop")
    waiting = submit_some(house, 2)
    if when == "recovering":
        house.restart("queue", to=["gate.0"])
    liar = house.impersonate("relay.1", "queue")
    liar.send_raw(jobs_in_hand(*waiting) if when != "now" else frame("in-hand"))
    for job in (1, 2, 2 ** 63, 2 ** 64 - 1):
        for identity in waiting:
            liar.send_raw(claim(job, identity, result))
    time.sleep(0.3)
    house.start("maildrop")
    check_delivered(house, waiting)
    assert house.server.status()["bounced"] == 0


def test_a_relay_acknowledges_nothing(house):
    """It takes jobs and keeps them: other destinations do not wait."""
    house.end("relay.0")
    liars = [house.impersonate(name, "queue") for name in ("relay.0", "relay.1")]   # whose the hop is its port decides
    for liar in liars:
        liar.send("in-hand")
    for _ in range(8):
        house.server.submit("bob@hop.example")
    house.check_service("silent relays")
    name = None
    while name != "job":
        liar = next((liar for liar in liars if liar.has_message()), None)
        if not liar:
            readable, _, _ = select.select([liar.socket for liar in liars], [], [], PATIENCE)
            liar = next(liar for liar in liars if liar.socket in readable)
        name, taken, fd = liar.receive()
        if fd is not None:
            os.close(fd)
    assert taken["recipients"][0]["address"] == b"bob@hop.example"
    for liar in liars:
        liar.close()
    house.start("relay.0")
    house.start("relay.1")
    house.hop.await_mails(8)


def test_a_relay_claims_without_end(house):
    house.end("maildrop")
    identity, = submit_some(house, 1)
    before = house.rooms["queue"].memory()
    high, low = halves(identity)
    for turn in range(8):
        liar = house.impersonate("relay.1", "queue")    # once on each channel
        liar.send("in-hand", jobs=[{"job": turn * 70000 + number + 1, "id_high": high, "id_low": low} for number in range(60000)])
    house.start("maildrop")
    check_delivered(house, [identity])
    grown = house.rooms["queue"].memory() - before
    assert grown < GROWTH_MOST, f"the queue grew by {grown >> 20} MiB"


YEARS = 10 * 365 * 86400 * 10 ** 6
LIES_ABOUT_TIME = [lambda now: (1, 2), lambda now: (now - YEARS, now - YEARS), lambda now: (now + YEARS, now + YEARS),
                   lambda now: (now, now - YEARS), lambda now: (-(2 ** 63), 2 ** 63 - 1), lambda now: (2 ** 63 - 1, -(2 ** 63)),
                   lambda now: (now - 7200 * 10 ** 6, now - 7200 * 10 ** 6)]


def put_off(job, number):
    """The outcome of a job that has to be tried again, dated as no clock ever was."""
    started, finished = LIES_ABOUT_TIME[number % len(LIES_ABOUT_TIME)](time.time_ns() // 1000)
    return frame("outcome", job=job["job"], id_high=job["id_high"], id_low=job["id_low"], started_us=started, finished_us=finished,
                 results=[{"index": one["index"], "result": DEFERRED, "cause": 0, "code": 451, "status": "4.0.0", "text": "later"}
                          for one in job["recipients"]])


def answer_jobs(liars, most, seconds):
    """Puts off what comes; how many outcomes the queue has acknowledged."""
    done, end = 0, time.monotonic() + seconds
    while done < most and time.monotonic() < end:
        ready = [liar for liar in liars if liar.has_message()]
        if not ready:
            readable, _, _ = select.select([liar.socket for liar in liars], [], [], 0.2)
            ready = [liar for liar in liars if liar.socket in readable]
        for liar in ready:
            name, values, fd = liar.receive()
            if fd is not None:
                os.close(fd)
            if name == "job":
                liar.send_raw(put_off(values, done))
            done += name == "outcome-done"
    return done


def test_a_relay_lies_about_time(house):
    """Outcomes dated years back or ahead age nobody's mail, not after a restart either, which reads the clock's jumps off the
    journal (QUE-4)."""
    house.end("maildrop")
    house.end("relay.0")
    waiting = submit_some(house)
    for _ in range(20):
        house.server.submit("bob@hop.example")
    for _ in range(2):
        liars = [house.impersonate(name, "queue") for name in ("relay.0", "relay.1")]
        for liar in liars:
            liar.send("in-hand")
        assert answer_jobs(liars, 30, PATIENCE) >= 30
        for liar in liars:
            liar.close()
        house.restart("queue")
        queued = house.server.queue()
        assert len(queued) == 24, "somebody's mail is gone"
    house.start("maildrop")
    check_delivered(house, waiting)
    house.start("relay.0")
    house.start("relay.1")
    house.hop.await_mails(20)
    assert house.server.status()["bounced"] == 0


# ---- a vault ----

def test_a_vault_says_yes_to_what_nobody_asked(house):
    connection = house.server.connect("465")
    connection.hello()
    connection.expect("AUTH PLAIN " + b64("\0alice@example.net\0wrong"), "535 5.7.8")
    words = house.server.await_log(r"vault\.0 login .*session=")
    session = int(words.split("session=")[1].split()[0])
    liar = house.impersonate("vault", "gate.0")
    for number in range((session & ~0xffff), (session & ~0xffff) + 64):
        liar.send("auth-done", session=number, result=0, user="alice@example.net", may_submit=1, senders=[{"pattern": "*"}])
        liar.send("rights-done", session=number, allowed=1)
        liar.send("auth-say", session=number, data="?")
        liar.send("signed", request=number, ok=1, signature=b"x" * 64)
    time.sleep(0.2)
    connection.expect("MAIL FROM:<alice@example.net>", "530 5.7.0")
    connection.send(("AUTH PLAIN " + b64(f"\0alice@example.net\0{PASSWORD}") + "\r\n").encode())
    asked, _ = liar.await_message("auth-start")
    liar.send("rights-done", session=asked["session"], allowed=1)
    liar.send("auth-done", session=asked["session"] + 1, result=0, user="alice@example.net", may_submit=1)
    liar.send("signed", request=asked["session"], ok=1)
    assert connection.is_silent(0.3)
    house.connect("vault", "gate.0")
    assert connection.read_reply().brief == "235 2.7.0"
    connection.quit()
    liar.close()
    house.check_service("a vault that says yes")


def test_a_vault_signs_badly(house):
    liar = house.impersonate("vault", "gate.0")
    outcomes = []
    for signature in (b"", b"x", b"\0" * 16384):
        raw = socket.create_connection(("127.0.0.1", house.server.ports["465"]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw.settimeout(PATIENCE)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        raw.sendall(outgoing.read())
        asked, _ = liar.await_message("sign")
        liar.send("signed", request=asked["request"], ok=1, signature=signature)
        octets = raw.recv(65536)
        raw.close()
        outcomes.append(octets)
    liar.close()
    house.connect("vault", "gate.0")
    house.check_service("bad signatures")


# ---- floods ----

FLOODS = [
    ("gate.1", "vault", "auth-start", lambda n: {"session": n, "mechanism": "SCRAM-SHA-256", "has_initial": 1, "tls": 1,
                                                "initial": f"n,,n=alice@example.net,r={n}", "client": f"192.0.2.{n % 250}"}),
    ("gate.1", "vault", "auth-step", lambda n: {"session": n, "data": "x" * 1000}),
    ("gate.1", "vault", "rights", lambda n: {"session": n, "user": "alice@example.net", "address": "x" * 1000}),
    ("gate.1", "vault", "sign", lambda n: {"request": n, "key": 1 << 12, "algorithm": 0, "input": "x" * 1000}),
    ("gate.1", "queue", "doorbell", lambda n: {"generation": n, "upto": n}),
    ("gate.1", "queue", "cut", lambda n: {"generation": n, "upto": n}),
    ("gate.1", "relay.0", "domain-ask", lambda n: {"request": n, "domain": f"a{n}.example"}),
    ("relay.1", "queue", "outcome", lambda n: {"job": n, "id_high": n, "id_low": n}),
    ("relay.1", "queue", "in-hand", lambda n: {"jobs": [{"job": n, "id_high": n, "id_low": n}] * 100}),
    ("relay.1", "vault", "login-start", lambda n: {"login": n, "snapshot": 1, "route": 0, "verified": 1, "host": "hop",
                                                   "mechanisms": "PLAIN SCRAM-SHA-256"}),
    ("relay.1", "gate.0", "domain-answer", lambda n: {"request": n, "verdict": 0}),
    ("queue", "maildrop", "outcome-done", lambda n: {"job": n}),
    ("queue", "relay.0", "job", lambda n: {"job": n, "snapshot": 9, "route": 0, "header": "x" * 1000}),
    ("queue", "gate.0", "disk", lambda n: {"full": n & 1}),
    ("vault", "gate.0", "ticket-keys", lambda n: {"keys": [{"octets": "x" * 80}] * 4}),
]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: f"{flood[0]}-{flood[2]}-to-{flood[1]}")
def test_floods_are_bounded(house, flood):
    """Thousands of lawful messages whose answers nobody reads; an honest client is served meanwhile, and afterwards."""
    liar, receiver, name, values = flood
    house.tolerated.append("a carrier broke the rules")    # it says once on a channel what it has in hand
    room = house.rooms[receiver]
    before = room.memory()
    channel = house.impersonate(liar, receiver)
    channel.socket.settimeout(0.2)
    count = 0
    end = time.monotonic() + 3
    while count < 30000 and time.monotonic() < end:
        octets = b"".join(frame(name, **values(count + i)) for i in range(100))
        count += 100
        try:
            if not channel.send_raw(octets):
                break
        except TimeoutError:
            break   # the receiver pauses, or ended the channel: both are lawful
    if liar not in house.rooms:
        house.check_service(f"a flood of {name}, while it lasts")
    grown = room.memory() - before
    channel.close()
    if liar in house.rooms:
        house.connect(liar, receiver)
    house.check_service(f"a flood of {name}")
    house.check_alive()
    assert grown < GROWTH_MOST, f"{receiver} grew by {grown >> 20} MiB after {count} messages"


# ---- the supervisor ----

SUPERVISOR_LIES = [
    ("nonsense", HEAD.pack(0, 0xffff, 0, 0)),
    ("a configuration", frame("snapshot", number=2, conf=b"x")),
]


@pytest.mark.skipif(not IS_ROOT, reason="taking a room's channel needs root")
@pytest.mark.parametrize("room", ROOMS)
def test_the_supervisor_is_lied_to(rig, room):
    server = rig.server(top="gates = 1\nrelays = 1", sections={"spool": "segment_size = 1048576"})
    server.tolerate("a room died")
    name = room if "." in room else room + ".0"
    for label, lie in SUPERVISOR_LIES:
        pid = server.rooms()[name]
        os.kill(pid, signal.SIGSTOP)
        channel = take(pid, 3)
        channel.send("ready", number=99)
        channel.send("drained")
        channel.send("ready", number=1)
        assert channel.send_raw(lie)
        assert channel.is_closed(), label
        channel.close()
        end = time.monotonic() + PATIENCE
        while server.rooms().get(name, pid) == pid:
            assert time.monotonic() < end, f"after {label} the liar still runs"
            time.sleep(0.02)
    server.await_mail(server.submit("bob@example.org"))
