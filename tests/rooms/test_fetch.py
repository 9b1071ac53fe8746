"""What goes between the fetch room and those who ask it, when one of them lies with a purpose: a gate that would hold the room up or
have it speak to others, a fetch room that says more or less than it has, a vault whose words are too long."""
import fcntl
import itertools
import os
import socket
import time

import pytest

from rig.client import message, queue_id
from rig.imap import Imap
from rig.patience import await_true
from rooms.house import House

USER = "alice@example.net"
TOKEN = "91354a473744909de610943775f92038"
FETCHED, REFUSED, UNREACHABLE, TOO_BIG, UNTRUSTED = range(5)
numbers = itertools.count(1)
GROWTH_MOST = 200 << 20


def url(imap=None, content=None, user="alice%40example.net", host="localhost"):
    found = f"imap://{user}@{host}/Sent/;UID={next(numbers)};URLAUTH=submit+{user}:INTERNAL:{TOKEN}"
    if imap:
        imap.contents[found] = content.encode()
    return found


@pytest.fixture(scope="module")
def house():
    imap = Imap()
    made = House(["vault", "queue", "maildrop", "fetch", "gate.0"], imap=imap, sections={"spool": "segment_size = 1048576"})
    yield made
    made.stop()
    imap.stop()
    assert made.faults() == []
    made.server.clear()


@pytest.fixture(autouse=True)
def good_again(house):
    yield
    house.imap.script = {}


def begin(house):
    connection = house.server.client()
    connection.expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    return connection


def check_fetching(house, text):
    """An honest gate's client has its URL fetched."""
    connection = begin(house)
    reply = connection.command(f"BURL {url(house.imap, message(subject=text))} LAST")
    assert reply.brief == "250 2.0.0", f"after {text}: {reply}"
    house.server.await_mail(queue_id(reply))
    house.check_alive()


def ask(channel, fd, found, request=None, server="localhost", most=0, snapshot=1):
    """A gate's question."""
    request = request or next(numbers)
    assert channel.send("url", fd, request=request, snapshot=snapshot, server=server, url=found, most=most)
    return request


def blocking(kind):
    """(for the fetch room, the rest): descriptors whose other end nobody reads, and which are set to wait."""
    if kind == "pipe":
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        return writer, [reader]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "packets" else socket.SOCK_STREAM)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(True)
    return theirs.detach(), [ours.detach()]


@pytest.mark.parametrize("kind", ["pipe", "socket", "packets"])
def test_a_gate_would_have_it_wait(house, kind):
    """EXT-BURL-6: what the gate hands over is set to wait, full, and never read: no other asker waits with it."""
    large = message(body="x" * 70 + "\r\n") * 1000
    liar = house.impersonate("gate.1", "fetch")
    theirs, rest = blocking(kind)
    before = len(house.imap.asked)
    ask(liar, theirs, url(house.imap, large))
    await_true(lambda: len(house.imap.asked) > before, "nobody is asked")
    fcntl.fcntl(theirs, fcntl.F_SETFL, fcntl.fcntl(theirs, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    time.sleep(0.3)
    check_fetching(house, f"a {kind} that is set to wait")
    for fd in (theirs, *rest):
        os.close(fd)
    liar.close()
    check_fetching(house, f"a {kind} that is gone")


@pytest.mark.parametrize("case", ["another server", "another port", "plain", "of anybody", "no server", "with LAST", "two lines", "quotes",
                                  "http", "empty"])
def test_a_gate_asks_for_what_is_not_allowed(house, case):
    """EXT-BURL-6: whoever asks, only URLs with URLAUTH for submission, of servers in the configuration, as URLs are written."""
    good = url(house.imap, message())
    found, server = {
        "another server": (url(host="127.0.0.1"), "localhost"), "another port": (url(host=f"localhost:{house.imap.port}"), "localhost"),
        "plain": (good.partition(";URLAUTH")[0], "localhost"), "of anybody": (good.replace("submit+alice%40example.net", "anonymous"), "localhost"),
        "no server": (good, "example.org"), "with LAST": (good + " LAST", "localhost"), "two lines": (good + "\r\nx LOGOUT", "localhost"),
        "quotes": (good.replace("Sent", 'Sent"'), "localhost"), "http": ("http://localhost/", "localhost"), "empty": ("", "localhost")}[case]
    before = len(house.imap.asked)
    liar = house.impersonate("gate.1", "fetch")
    reader, writer = os.pipe()
    request = ask(liar, writer, found, server=server)
    os.close(writer)
    done, _ = liar.await_message("url-done")
    assert done["request"] == request and done["result"] in (REFUSED, UNTRUSTED) and done["octets"] == 0
    os.close(reader)
    assert len(house.imap.asked) == before
    liar.close()
    check_fetching(house, case)


@pytest.mark.parametrize("server,snapshot,result", [("new.example", 1, UNTRUSTED), ("new.example", 2, UNREACHABLE), ("localhost", 2, FETCHED)])
def test_a_gate_is_ahead(house, server, snapshot, result):
    """EXT-BURL-5, OPS-2: a server that only the next configuration has, which the gate has got already, is no reason to refuse for good."""
    liar = house.impersonate("gate.1", "fetch")
    ours, theirs = socket.socketpair()
    ask(liar, theirs.fileno(), url(house.imap, message()), server=server, snapshot=snapshot)
    theirs.close()
    done, _ = liar.await_message("url-done")
    assert done["result"] == result
    ours.close()
    liar.close()


def test_a_gate_asks_without_end(house):
    """EXT-BURL-6: questions beyond the bound are answered at once, connections stay within theirs, and all of it is given back."""
    house.imap.script = {"GREETING": lambda session: session.imap.ending.wait(6) and b"" or b"* BYE\r\n"}
    room = house.rooms["fetch"]
    before, memory, connections = room.descriptors(), room.memory(), house.imap.connections
    liar = house.impersonate("gate.1", "fetch")
    reader, writer = os.pipe()
    answers = 0
    for _ in range(3000):
        ask(liar, writer, url())
    while answers < 3000 - 1024:
        done, _ = liar.await_message("url-done")
        assert done["result"] == UNREACHABLE
        answers += 1
    assert room.descriptors() <= before + 1024 + 2 * 32 + 2
    assert house.imap.connections <= connections + 32
    house.imap.script = {}
    liar.close()
    check_fetching(house, "a flood of questions")
    await_true(lambda: room.descriptors() <= before + 2, room.holdings)
    assert room.memory() < memory + GROWTH_MOST
    os.close(reader)
    os.close(writer)


def answered_by(house, act):
    """The client's reply where the liar in the place of the fetch room does as act(channel, question, descriptor) says."""
    liar = house.impersonate("fetch", "gate.0")
    connection = begin(house)
    connection.send(f"BURL {url()} LAST\r\n")
    asked, fd = liar.await_message("url")
    act(liar, asked, fd)
    try:
        reply = connection.read_reply(30)
        connection.command("RSET")
    finally:
        liar.close()
        house.connect("fetch", "gate.0")
    return reply


def say_done(liar, asked, result, octets):
    liar.send("url-done", request=asked["request"], result=result, octets=octets)


def pour(fd, octets):
    """As much of it as the gate takes."""
    try:
        while octets:
            octets = octets[os.write(fd, octets):]
    except BrokenPipeError:
        pass


WHOLE = message(subject="poured").encode()


def fewer(liar, asked, fd):
    pour(fd, WHOLE[:-10])
    os.close(fd)
    say_done(liar, asked, FETCHED, len(WHOLE))


def more(liar, asked, fd):
    pour(fd, WHOLE + b"more\r\n")
    os.close(fd)
    say_done(liar, asked, FETCHED, len(WHOLE))


def told_first(liar, asked, fd):
    say_done(liar, asked, FETCHED, len(WHOLE))
    pour(fd, WHOLE[:-1])
    os.close(fd)


def told_twice(liar, asked, fd):
    say_done(liar, asked, REFUSED, 0)
    say_done(liar, asked, FETCHED, len(WHOLE))
    pour(fd, WHOLE)
    os.close(fd)


def content_of_a_refusal(liar, asked, fd):
    pour(fd, WHOLE)
    os.close(fd)
    say_done(liar, asked, UNREACHABLE, len(WHOLE))


def gone(liar, asked, fd):
    pour(fd, WHOLE)
    os.close(fd)
    liar.close()


def endless(liar, asked, fd):
    """Never closed, and never told."""
    pour(fd, WHOLE)
    del liar, asked


LIES = {fewer: "451 4.4.1", more: "451 4.4.1", told_first: "451 4.4.1", told_twice: "554 5.6.6", content_of_a_refusal: "451 4.4.1",
        gone: "451 4.4.1", endless: "451 4.4.1"}


@pytest.mark.parametrize("lie", list(LIES), ids=lambda lie: lie.__name__)
def test_a_fetch_room_lies_to_a_gate(house, lie):
    """EXT-BURL-5: only what is there to its last octet, and was said to be all, is a message."""
    assert answered_by(house, lie).brief == LIES[lie]
    check_fetching(house, lie.__name__)


def test_a_fetch_room_answers_for_others(house):
    """EXT-BURL-5: answers to questions of other sessions, of none, and of those that are over."""
    def act(liar, asked, fd):
        for number in {asked["request"] ^ bit for bit in (1, 1 << 16, 1 << 17, 1 << 63)} | {0, 2 ** 64 - 1}:
            liar.send("url-done", request=number, result=REFUSED, octets=0)
        pour(fd, WHOLE)
        os.close(fd)
        for _ in range(3):
            say_done(liar, asked, FETCHED, len(WHOLE))
    assert answered_by(house, act).brief == "250 2.0.0"
    check_fetching(house, "answers for others")


@pytest.mark.parametrize("route", [0, 1, 2, 2 ** 32 - 1])
@pytest.mark.parametrize("verified", [0, 1])
def test_a_fetch_room_asks_for_passwords(house, route, verified):
    """OUT-19, EXT-BURL-3: it is logged in where an IMAP server is meant and its certificate was verified, and nowhere else."""
    liar = house.impersonate("fetch", "vault")
    liar.send("login-start", login=7, snapshot=1, route=route, verified=verified, host="localhost", mechanisms="PLAIN")
    said, _ = liar.await_message("login-say")
    assert (said["failed"], b"the submission server's own" in said["data"]) == ((0, True) if (route, verified) == (1, 1) else (1, False))
    liar.close()
    house.connect("fetch", "vault")
    check_fetching(house, "a question for passwords")


@pytest.mark.parametrize("say", [
    {"mechanism": "PLAIN", "has_data": 1, "data": "x" * 16384}, {"mechanism": "m" * 64, "has_data": 1, "data": ""},
    {"mechanism": "PLAIN\r\nx LOGOUT"}, {"mechanism": ""}, {"failed": 1, "text": "%s%n" * 500}])
def test_a_vault_says_too_much(house, say):
    """EXT-BURL-5: a login that cannot be is 451 or 554 for that URL alone."""
    liar = house.impersonate("vault", "fetch")
    connection = begin(house)
    connection.send(f"BURL {url(house.imap, message())} LAST\r\n")
    asked, _ = liar.await_message("login-start")
    for number in (asked["login"] + 1, 0, 2 ** 64 - 1, asked["login"], asked["login"]):
        liar.send("login-say", **{"login": number, "failed": 0, "mechanism": "", "has_data": 0, "data": "", "text": "", **say})
    reply = connection.read_reply(30)
    assert reply.brief in ("451 4.4.1", "554 5.7.14"), reply
    liar.close()
    house.connect("vault", "fetch")
    check_fetching(house, "a talkative vault")
