"""dialogue/test_burl.py: BURL against an IMAP server that does what it is told, good or bad."""
import base64
import itertools
import os
import re
import signal
import threading
import time

import pytest

from rig.client import Closed, message, queue_id
from rig.imap import SECRET, SUBMIT, Drop, Hang, Imap
from rig.patience import PATIENCE, await_true
from rig.server import PASSWORD, make_certificate, shared_certificate

USER, OTHER = "alice@example.net", "carol@example.net"
TOKEN = "91354a473744909de610943775f92038"
numbers = itertools.count(1)


def url(imap=None, content=None, user=USER, host="localhost", access="submit+", rest="", mailbox="Sent", number=None):
    """A URL that nobody else has; with an IMAP server, the content is there."""
    found = f"imap://{user.replace('@', '%40')}@{host}/{mailbox}/;UID={number or next(numbers)}{rest};URLAUTH={access}"
    found += f"{user.replace('@', '%40') if access.endswith('+') else ''}:INTERNAL:{TOKEN}"
    if imap:
        imap.contents[found] = content.encode() if isinstance(content, str) else content
    return found


def section(server, imap, name="localhost", more=""):
    """The section for an IMAP server."""
    password = server.folder / f"imap-password-{imap.port}"
    if not password.exists():
        password.write_text(SECRET + "\n")
        password.chmod(0o600)
    server.sections[f'imap_server "{name}"'] = (f'to = "127.0.0.1:{imap.port}"  tls = "{imap.tls}"  username = "{SUBMIT}"  '
                                                f'password_file = "{password}"  ca_file = "{imap.certificate[1]}"  {more}')


def make(keeper, imaps, name="burl", timeout=20, limits="", **settings):
    server = keeper.server(name, start=False, **settings)
    for host, imap in imaps.items():
        section(server, imap, host)
    server.sections["extensions"] = f"burl = true  burl_timeout = {timeout}"
    if limits:
        server.sections["limits"] = limits
    server.write_conf()
    server.add_user(USER)
    server.add_user(OTHER)
    return server.start()


@pytest.fixture(scope="module")
def imap(shared):
    return shared.imap()


@pytest.fixture(scope="module")
def start_imap(shared):
    return shared.imap(tls="starttls")


@pytest.fixture(scope="module")
def server(shared, imap, start_imap):
    return make(shared, {"localhost": imap, "localhost:1143": start_imap}, limits="message_size = 3000000",
                listeners={"587": 'tls = "starttls"', "465": 'tls = "implicit"', "588": 'tls = "starttls"  require_tls = false'})


def envelope(connection, recipient="bob@example.org"):
    connection.expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    connection.expect(f"RCPT TO:<{recipient}>", "250 2.1.5")


def burl(connection, found, *wanted, last=True, wait=PATIENCE):
    reply = connection.command(f"BURL {found}{' LAST' if last else ''}", wait)
    assert reply.brief in wanted, f"wanted {wanted}, got {reply}"
    return reply


def serves_again(connection, imap, subject):
    """Until the session gets a message by its URL."""
    def is_served():
        envelope(connection)
        if connection.command(f"BURL {url(imap, message(subject=subject))} LAST").brief == "250 2.0.0":
            return True
        connection.expect("RSET", "250 2.0.0")
        return False
    await_true(is_served, f"no service: {subject}", step=0.2)


def still_works(connection, imap, is_hasty=False):
    """The session is as it was: the spoilt transaction goes with RSET, and the next one is good; where the time-out is short, one of
    the next."""
    connection.expect("RCPT TO:<bob@example.org>", "503 5.5.1")
    connection.expect("DATA", "503 5.5.1")
    connection.expect("BURL imap://localhost/x LAST", "503 5.5.1")
    connection.expect("RSET", "250 2.0.0")
    if is_hasty:
        return serves_again(connection, imap, "after all")
    envelope(connection)
    return burl(connection, url(imap, message(subject="after all")), "250 2.0.0")


# What is listed, and when it may be said

@pytest.mark.parametrize("listener", ["587", "465"])
def test_listed(server, listener):
    """EXT-BURL-1, EXT-BURL-4, D-39: nothing in the clear, BURL under TLS, "BURL imap" after the login; 8BITMIME beside it."""
    connection = server.connect(listener)
    keywords = connection.hello()
    if listener == "587":
        assert "BURL" not in keywords and "8BITMIME" in keywords
        connection.start_tls()
        keywords = connection.hello()
    assert keywords["BURL"] == "" and "8BITMIME" in keywords
    connection.login(USER, PASSWORD)
    assert connection.hello()["BURL"] == "imap"


def test_states(server):
    """EXT-BURL-2, SUB-7-8: each state's answer."""
    some = "imap://localhost/x/;UID=1 LAST"
    connection = server.connect("587")
    connection.expect(f"BURL {some}", "503 5.5.1")
    connection.hello()
    connection.expect(f"BURL {some}", "530 5.7.0")
    connection.start_tls()
    connection.hello()
    connection.expect(f"BURL {some}", "530 5.7.0")
    connection.login(USER, PASSWORD)
    connection.expect(f"BURL {some}", "503 5.5.0")
    connection.expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    connection.expect(f"BURL {some}", "503 5.5.0")
    connection.expect("RCPT TO:<nobody>", "554 5.1.2")
    connection.expect(f"BURL {some}", "554 5.5.0")
    connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    connection.expect("RSET", "250 2.0.0")
    connection.expect("HELO client.example", "250")
    envelope(connection)
    connection.expect(f"BURL {some}", "503 5.5.1")


def test_clear(server):
    """EXT-BURL-1, D-39: where mail is taken in clear text, BURL is not."""
    connection = server.connect("588")
    assert "BURL" not in connection.hello()
    connection.expect("BURL imap://localhost/x LAST", "530 5.7.0")


def test_off(rig):
    """CMD-19: off by default, and then as if it were not known anywhere."""
    server = rig.server("burl-off")
    connection = server.connect("587")
    connection.expect("BURL imap://localhost/x LAST", "502 5.5.1")
    connection.hello()
    connection.start_tls()
    assert "BURL" not in connection.hello()
    connection.expect("BURL imap://localhost/x LAST", "502 5.5.1")
    connection.login(USER, PASSWORD)
    assert "BURL" not in connection.hello()
    envelope(connection)
    connection.expect("BURL imap://localhost/x LAST", "502 5.5.1")
    connection.data(message())
    assert not any(room.startswith("fetch") for room in server.rooms())


# Messages

@pytest.mark.parametrize("host", ["localhost", "localhost:1143"])
@pytest.mark.parametrize("listener", ["587", "465"])
def test_message(server, imap, start_imap, listener, host):
    """EXT-BURL-2, EXT-BURL-3: a message as it lies on the IMAP server, from one with TLS at once and one with STARTTLS; the
    login is the submission server's own."""
    peer = start_imap if ":" in host else imap
    content = message(subject=f"m{next(numbers)}", fields=f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{next(numbers)}@x>\r\n",
                      body="Hello.\r\n.\r\n..dots\r\n" + "x" * 998 + "\r\n")
    connection = server.client(listener=listener)
    envelope(connection)
    found = url(peer, content, host=host)
    identity = queue_id(burl(connection, found, "250 2.0.0"))
    got = server.await_mail(identity)
    assert got.replace(b"\r\n", b"\n").endswith(content.replace("\r\n", "\n").encode())
    assert peer.asked[-1] == found and peer.logins[-1] == b"PLAIN"
    connection.quit()


@pytest.mark.parametrize("size", [3, 100_000, 131_072, 1_000_000, 2_900_000])
def test_sizes(server, imap, size):
    """EXT-BURL-2: in memory, at the bound, and in a body file; every octet."""
    head = message(subject=f"size {size}", body="")
    lines = b"".join(b"%07d %s\r\n" % (i, b"abcdefghij" * 6) for i in range(size // 70 + 1))[:size - 2] + b"\r\n"
    connection = server.client()
    envelope(connection)
    identity = queue_id(burl(connection, url(imap, head.encode() + lines), "250 2.0.0"))
    got = server.await_mail(identity)
    assert got.replace(b"\r\n", b"\n").endswith(b"\n\n" + lines.replace(b"\r\n", b"\n"))


def test_mixed(server, imap):
    """EXT-BURL-2: BDAT and BURL side by side, the last of either kind ends it; "250 2.5.0" in between."""
    mark = f"mixed{next(numbers)}"
    head, middle = message(subject=mark, body="one\r\n"), b"two\r\nth"
    connection = server.client()
    envelope(connection)
    connection.send(b"BDAT %d\r\n" % len(head) + head.encode())
    assert connection.read_reply().brief == "250 2.0.0"
    reply = burl(connection, url(imap, middle), "250 2.5.0", last=False)
    assert "7" in reply.text or str(len(middle)) in reply.text
    connection.send(b"BDAT 5 LAST\r\nree\r\n")
    reply = connection.read_reply()
    assert reply.brief == "250 2.0.0"
    assert b"one\ntwo\nthree\n" in server.await_mail(queue_id(reply)).replace(b"\r\n", b"\n")
    envelope(connection)
    burl(connection, url(imap, head), "250 2.5.0", last=False)
    connection.expect("DATA", "503 5.5.1")
    assert b"one\ntwo\n" in server.await_mail(queue_id(burl(connection, url(imap, b"two\r\n"), "250 2.0.0"))).replace(b"\r\n", b"\n")


def test_pipelined(server, imap):
    """EXT-BURL-2, EXT-PIPELINING-1: all in one write; what follows is answered after it. Where one of them fails the rest
    does not become a message."""
    mark = f"pipelined{next(numbers)}"
    good = url(imap, message(subject=mark))
    connection = server.client()
    connection.send(f"MAIL FROM:<{USER}>\r\nRCPT TO:<bob@example.org>\r\nBURL {good} LAST\r\nNOOP\r\nQUIT\r\n")
    assert [connection.read_reply().brief for _ in range(5)] == ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "221 2.0.0"]
    connection = server.client()
    connection.send(f"MAIL FROM:<{USER}>\r\nRCPT TO:<bob@example.org>\r\nBURL {url(imap, message(subject='half'))}\r\n"
                    f"BURL {url()}\r\nBURL {good} LAST\r\nBDAT 3 LAST\r\nabcRSET\r\n")
    assert [connection.read_reply().brief for _ in range(7)] == ["250 2.1.0", "250 2.1.5", "250 2.5.0", "554 5.6.6", "503 5.5.1",
                                                                "503 5.5.1", "250 2.0.0"]
    still = url(imap, message(subject="x"))
    envelope(connection)
    burl(connection, still, "250 2.0.0")


def test_nobody_to_send_to(server, imap):
    """EXT-BURL-2: without a valid recipient nothing is fetched."""
    connection = server.client()
    before = imap.connections
    found = url(imap, message())
    connection.send(f"MAIL FROM:<{USER}>\r\nRCPT TO:<nobody>\r\nBURL {found} LAST\r\n")
    assert [connection.read_reply().brief for _ in range(3)] == ["250 2.1.0", "554 5.1.2", "554 5.5.0"]
    time.sleep(0.3)
    assert imap.connections == before and found not in imap.asked


# What is refused before anybody is asked

@pytest.mark.parametrize("found,wanted", [
    ("", "501 5.5.4"),
    ("LAST", "501 5.5.4"),
    ("Sent/;UID=1 LAST", "501 5.5.4"),
    ("imap://localhost/x/;UID=1 SOON", "501 5.5.4"),
    ("http://localhost/x LAST", "554 5.6.6"),
    ("imaps://localhost/x/;UID=1 LAST", "554 5.6.6"),
    ("imap://localhost/x LAST", "554 5.6.6"),
    ("imap://localhost/x/;UID=1 LAST", "554 5.7.14"),
    (url(host="elsewhere.example") + " LAST", "554 5.7.14"),
    (url(host="localhost:993") + " LAST", "554 5.7.14"),
    (url(user=OTHER) + " LAST", "554 5.7.0"),
    (url(user="alice") + " LAST", "554 5.7.0"),
    (url(user="Alice@example.net") + " LAST", "554 5.7.0"),
    (url(access="user+") + " LAST", "554 5.7.0"),
    (url(access="authuser") + " LAST", "554 5.7.0"),
    (url(access="anonymous") + " LAST", "554 5.7.0"),
])
def test_refused(server, imap, found, wanted):
    """EXT-BURL-2, EXT-BURL-3, EXT-BURL-5, EXT-BURL-6: syntax, other schemes, other servers, other users; no server is asked."""
    connection = server.client()
    envelope(connection)
    before = imap.connections
    connection.expect(f"BURL {found}", wanted)
    assert imap.connections == before
    still_works(connection, imap)


def test_long_line(server, imap):
    """CMD-22: 4096 octets for BURL, and one more."""
    connection = server.client()
    envelope(connection)
    found = url(mailbox="m" * 10)
    found = found.replace("m" * 10, "m" * (10 + 4096 - len(f"BURL {found} LAST")))
    imap.contents[found] = message(subject="long").encode()
    line = f"BURL {found} LAST"
    assert len(line) == 4096
    connection.expect(line, "250 2.0.0")
    envelope(connection)
    connection.expect(line + " ", "500 5.5.2")
    connection.expect("RSET", "250 2.0.0")


# What was refused before anybody was asked is a hole all the same

@pytest.fixture(scope="module")
def kept(shared, imap):
    """One that keeps cut messages, too."""
    server = make(shared, {"localhost": imap}, name="burl-checkpoint")
    server.sections["extensions"] = "burl = true  checkpoint = true"
    server.write_conf()
    server.stop()
    return server.start()


def begin_kept(server, name):
    connection = server.client()
    reply = connection.command(f"MAIL FROM:<{USER}> TRANSID=<{name}@c.example>")
    if reply.code == 250:
        connection.expect("RCPT TO:<bob@example.org>", "250 2.1.5")
    return connection, reply


def test_checkpoint(kept, imap):
    """EXT-BURL-2, EXT-CKPT-1, EXT-CKPT-2: 503 in a transaction with a TRANSID, and nobody is asked; without one it is as ever."""
    before = imap.connections
    connection, _ = begin_kept(kept, "alone")
    connection.expect(f"BURL {url(imap, message(subject='kept'))} LAST", "503 5.5.1")
    assert imap.connections == before
    still_works(connection, imap)


@pytest.mark.parametrize("last", [" LAST", ""])
def test_checkpoint_pipelined(kept, imap, last):
    """EXT-BURL-2, EXT-CKPT-1: chunks on both sides of such a URL, all sent at once: they do not become a message without it."""
    connection, _ = begin_kept(kept, f"hole{len(last)}")
    head = message(subject=f"hole{next(numbers)}", body="one\r\n").encode()
    connection.send(b"BDAT %d\r\n" % len(head) + head + f"BURL {url(imap, 'two' + chr(13) + chr(10))}{last}\r\nBDAT 7 LAST\r\nthree\r\nRSET\r\n".encode())
    assert [connection.read_reply().brief for _ in range(4)] == ["250 2.0.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"]
    envelope(connection)
    burl(connection, url(imap, message(subject="after all")), "250 2.0.0")


def test_checkpoint_resumed(kept, imap):
    """EXT-BURL-2, EXT-CKPT-2: what was kept of a cut message does not go on with a URL, and nothing is kept of it then."""
    connection, _ = begin_kept(kept, "cut")
    head = message(subject="cut", body="one\r\n").encode()
    connection.send(b"BDAT %d\r\n" % len(head) + head)
    assert connection.read_reply().brief == "250 2.0.0"
    connection.close()
    await_true(lambda: kept.status()["spool"]["partials"]["count"] == 1, "nothing is kept")
    connection, reply = begin_kept(kept, "cut")
    assert reply.code == 355
    connection.expect(f"BURL {url(imap, 'two' + chr(13) + chr(10))} LAST", "503 5.5.1")
    connection.send(b"BDAT 7 LAST\r\nthree\r\n")
    assert connection.read_reply().brief == "503 5.5.1"
    connection.expect("RSET", "250 2.0.0")
    connection, reply = begin_kept(kept, "cut")
    assert reply.brief == "250 2.1.0"


UNREADABLE = {"8 bit": ("BURL imap://localhost/\xfc LAST", "500 5.5.2"), "NUL": ("BURL imap://localhost/\0 LAST", "500 5.5.2"),
              "empty": ("BURL", "501 5.5.4"), "long": ("BURL " + "x" * 5000 + " LAST", "500 5.5.2")}


@pytest.mark.parametrize("how,begun", [(how, begun) for how in UNREADABLE for begun in (True, False) if begun or how != "long"])
def test_line_pipelined(server, how, begun):
    """EXT-BURL-2, CMD-22: the same for a URL whose line cannot be read. (What a line that is too long would have been is known
    only where nothing else could come.)"""
    line, wanted = UNREADABLE[how]
    connection = server.client()
    envelope(connection)
    head = message(subject=f"line{next(numbers)}", body="one\r\n").encode()
    chunk = b"BDAT %d\r\n" % len(head) + head if begun else b""
    connection.send(chunk + line.encode("latin-1") + b"\r\nBDAT 7 LAST\r\nthree\r\nRSET\r\n")
    got = [connection.read_reply().brief for _ in range(4 if begun else 3)]
    assert got == ["250 2.0.0"] * begun + [wanted, "503 5.5.1", "250 2.0.0"]


def test_after_a_bad_chunk(server, imap):
    """EXT-BURL-2, EXT-CHUNKING-3: behind a chunk that was refused no URL is fetched."""
    connection = server.client()
    envelope(connection)
    before = imap.connections
    connection.send(f"BDAT 3 FIRST\r\nabcBURL {url(imap, message())} LAST\r\n")
    assert [connection.read_reply().brief for _ in range(2)] == ["501 5.5.4", "503 5.5.1"]
    assert imap.connections == before
    still_works(connection, imap)


@pytest.mark.parametrize("extra,wanted", [(0, "250 2.0.0"), (1, "554 5.3.4")])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_exact_size(server, imap, extra, wanted, parts):
    """EXT-BURL-5: as large as allowed, and one octet more, in one URL or several."""
    head = message(subject="exact", body="").encode()
    whole = head + b"z" * ((3_000_000 + extra - len(head)) % 70 + 28) + b"\r\n"
    whole += (b"y" * 68 + b"\r\n") * ((3_000_000 + extra - len(whole)) // 70)
    whole += b"x" * (3_000_000 + extra - len(whole) - 2) + b"\r\n" if len(whole) < 3_000_000 + extra else b""
    assert len(whole) == 3_000_000 + extra
    connection = server.client()
    envelope(connection)
    step = len(whole) // parts + 1
    for at in range(0, len(whole), step):
        is_last = at + step >= len(whole)
        burl(connection, url(imap, whole[at:at + step]), wanted if is_last else "250 2.5.0", last=is_last)


# What the content may be

@pytest.mark.parametrize("content,wanted", [
    (b"", "554 5.6.6"),
    (message(body="nul \0 here\r\n"), "554 5.6.3"),
    (message(body="a bare\nline feed\r\n"), "554 5.6.3"),
    (message(body="a bare\rreturn\r\n"), "554 5.6.3"),
    (message(body="x" * 999 + "\r\n"), "554 5.6.3"),
    ("Subject: nobody wrote it\r\n\r\nx\r\n", "554 5.6.0"),
    (message(fields="broken field\r\n"), "554 5.6.0"),
    (message(fields="Received: x\r\n" * 101), "554 5.4.6"),
    (message(body="y" * 70 + "\r\n" + ("z" * 70 + "\r\n") * 45_000), "554 5.3.4"),
])
def test_content(server, imap, content, wanted):
    """SUB-7-8, EXT-BURL-4, EXT-BURL-5: the rules of DATA hold for what is fetched."""
    connection = server.client()
    envelope(connection)
    reply = burl(connection, url(imap, content), wanted)
    if reply.brief in ("554 5.6.0", "554 5.4.6"):  # at the end of the message: the transaction is over
        envelope(connection)
        burl(connection, url(imap, message(subject="after all")), "250 2.0.0")
    else:
        still_works(connection, imap)


def test_too_big_together(server, imap):
    """EXT-BURL-5: the limit is one of the whole message."""
    connection = server.client()
    envelope(connection)
    big = message(body=("z" * 70 + "\r\n") * 30_000)
    burl(connection, url(imap, big), "250 2.5.0", last=False)
    before = time.monotonic()
    burl(connection, url(imap, big), "554 5.3.4")
    assert time.monotonic() - before < 20    # the time-out, which it does not wait for
    still_works(connection, imap)


def test_eight_bit(server, imap):
    """EXT-BURL-4: octets above 127 come as they are."""
    content = message(subject="8", body="").encode() + "grün\r\n".encode()
    connection = server.client()
    envelope(connection)
    assert "grün".encode() in server.await_mail(queue_id(burl(connection, url(imap, content), "250 2.0.0")))


# Servers that misbehave

def nothing_after(stage):
    return {stage: Hang}


FAULTS = {
    "drops": {"CONNECT": Drop},
    "drops before its greeting": {"GREETING": Drop},
    "greets with BYE": {"GREETING": b"* BYE overloaded\r\n"},
    "greets with a PREAUTH": {"GREETING": b"* PREAUTH hello\r\n"},
    "greets as another protocol": {"GREETING": b"220 mail.example ESMTP\r\n"},
    "greets without end": {"GREETING": b"* OK " + b"x" * 100_000},
    "talks without end": {"CAPABILITY": b"* X\r\n" * 5000},
    "has a literal where none belongs, without end": {"CAPABILITY": lambda session: b"* X {99999999}\r\n" + b"x" * 1_000_000},
    "has no CAPABILITY": {"CAPABILITY": b"%TAG% BAD what?\r\n"},
    "drops at CAPABILITY": {"CAPABILITY": Drop},
    "drops at AUTHENTICATE": {"AUTHENTICATE": Drop},
    "has a challenge that is not base64": {"AUTHENTICATE": b"+ \r\n+ %%%\r\n"},
    "drops at the password": {"PASSWORD": Drop},
    "cannot log in now": {"PASSWORD": b"%TAG% NO [UNAVAILABLE] later\r\n"},
    "drops at URLFETCH": {"URLFETCH": Drop},
    "says BYE at URLFETCH": {"URLFETCH": b"* BYE\r\n"},
    "answers with another tag": {"URLFETCH": b"x99 OK done\r\n"},
    "gives two contents": {"URLFETCH": b'* URLFETCH u "a" u "b"\r\n%TAG% OK\r\n'},
    "gives two responses": {"URLFETCH": b'* URLFETCH u "a"\r\n* URLFETCH u "a"\r\n%TAG% OK\r\n'},
    "gives a response without content": {"URLFETCH": b"* URLFETCH u\r\n%TAG% OK\r\n"},
    "gives an atom": {"URLFETCH": b"* URLFETCH u 12\r\n%TAG% OK\r\n"},
    "gives an open string": {"URLFETCH": b'* URLFETCH u "a\r\n%TAG% OK\r\n'},
    "gives a size that is none": {"URLFETCH": b"* URLFETCH u {-5}\r\nabc"},
    "gives a size of twenty digits": {"URLFETCH": b"* URLFETCH u {99999999999999999999}\r\nabc"},
    "drops within the content": {"LITERAL": Drop},
    "drops behind the content": {"DONE": Drop},
    "asks for more behind the content": {"DONE": b"+ \r\n"},
    "has too small a size": {"URLFETCH": b"* URLFETCH u {3}\r\nabcdef\r\n%TAG% OK\r\n"},
}


@pytest.fixture(scope="module")
def bad(shared):
    return shared.imap()


@pytest.fixture(scope="module")
def pair(shared, imap, bad):
    return make(shared, {"localhost": imap, "localhost:2143": bad}, name="burl-bad")


@pytest.fixture(scope="module")
def hasty(shared, imap, bad):
    return make(shared, {"localhost": imap, "localhost:2143": bad}, name="burl-hasty", timeout=2)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(hasty, imap, bad, fault):
    """EXT-BURL-5, SEC-5: whatever it does, the client hears 451 4.4.1 and goes on."""
    bad.script = FAULTS[fault]
    connection = hasty.client()
    envelope(connection)
    burl(connection, url(bad, message(body="x\r\n" * 1000), host="localhost:2143"), "451 4.4.1")
    still_works(connection, imap, is_hasty=True)


@pytest.mark.parametrize("stage", ["CONNECT", "GREETING", "CAPABILITY", "AUTHENTICATE", "PASSWORD", "URLFETCH", "LITERAL", "DONE"])
def test_silence(hasty, imap, bad, stage):
    """EXT-BURL-5, EXT-BURL-6: it falls silent at each stage; burl_timeout is the bound."""
    bad.script = nothing_after(stage)
    connection = hasty.client()
    envelope(connection)
    before = time.monotonic()
    burl(connection, url(bad, message(body="x\r\n" * 1000), host="localhost:2143"), "451 4.4.1")
    assert 1.5 < time.monotonic() - before < 60    # 120 s were the usual bound
    still_works(connection, imap, is_hasty=True)


def answer_of_size(octets):
    """SCRAM whose server's nonce makes our answer so long, which has to repeat it."""
    def act(session):
        session.send(b"+ \r\n")
        nonce = base64.b64decode(session.read_line()).rpartition(b"r=")[2]
        nonce += b"x" * (octets - len(b"c=biws,r=,p=") - 44 - len(nonce))
        session.send(b"+ " + base64.b64encode(b"r=" + nonce + b",s=QUFB,i=4096") + b"\r\n")
        session.imap.answers.append(base64.b64decode(session.read_line()))
        return b"%TAG% NO [AUTHENTICATIONFAILED] no\r\n"
    return act


@pytest.mark.parametrize("octets", [12_282, 12_285, 12_288, 12_325])
def test_long_answer(pair, imap, bad, octets):
    """EXT-BURL-6, SEC-5: a server can make our words as long as it likes, up to a line of its own: in base64 shorter than a line
    of ours, just as long, longer, and the longest there is."""
    bad.answers = []
    bad.script = {"CAPABILITY": b"* CAPABILITY IMAP4rev1 URLAUTH AUTH=SCRAM-SHA-256\r\n%TAG% OK done\r\n", "AUTHENTICATE": answer_of_size(octets)}
    connection = pair.client()
    envelope(connection)
    burl(connection, url(host="localhost:2143"), "554 5.7.14")
    assert [len(answer) for answer in bad.answers] == [octets] and bad.answers[0].startswith(b"c=biws,r=")
    still_works(connection, imap)


REFUSALS = {
    "has nothing": ({"URLFETCH": b"* URLFETCH u NIL\r\n%TAG% OK\r\n"}, "554 5.6.6"),
    "has an empty string": ({"URLFETCH": b'* URLFETCH u ""\r\n%TAG% OK\r\n'}, "554 5.6.6"),
    "says NO": ({"URLFETCH": b"%TAG% NO not you\r\n"}, "554 5.6.6"),
    "says BAD": ({"URLFETCH": b"%TAG% BAD what?\r\n"}, "554 5.6.6"),
    "says OK and no more": ({"URLFETCH": b"%TAG% OK\r\n"}, "554 5.6.6"),
    "says NO behind the content": ({"DONE": b"%TAG% NO that was wrong\r\n"}, "554 5.6.6"),
    "has a size beyond all bounds": ({"URLFETCH": b"* URLFETCH u {9223372036854775807}\r\nabc"}, "554 5.3.4"),
    "refuses the password": ({"PASSWORD": b"%TAG% NO [AUTHENTICATIONFAILED] no\r\n"}, "554 5.7.14"),
    "knows no AUTHENTICATE": ({"AUTHENTICATE": b"%TAG% BAD what?\r\n"}, "554 5.7.14"),
    "has no mechanism of ours": ({"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=GSSAPI\r\n%TAG% OK\r\n"}, "554 5.7.14"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(pair, imap, bad, case):
    """EXT-BURL-5: what a server says no to, and the code of each."""
    bad.script, wanted = REFUSALS[case]
    connection = pair.client()
    envelope(connection)
    burl(connection, url(bad, message(), host="localhost:2143"), wanted)
    still_works(connection, imap)


FORMS = {
    "a quoted string": b'* URLFETCH "u" "From: <a@b.example>"\r\n%TAG% OK\r\n',
    "the URL as a literal": b"* URLFETCH {3}\r\nabc {21}\r\nFrom: <a@b.example>\r\n\r\n%TAG% OK\r\n",
    "lines in between": b"* 3 EXISTS\r\n* URLFETCH u {21}\r\nFrom: <a@b.example>\r\n\r\n* OK [ALERT] x\r\n* X {2}\r\nab\r\n%TAG% OK\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_form(pair, bad, form):
    """EXT-BURL-2: every form that the grammar of RFC 4467 lets the content have."""
    bad.script = {"URLFETCH": FORMS[form]}
    connection = pair.client()
    envelope(connection)
    identity = queue_id(burl(connection, url(host="localhost:2143"), "250 2.0.0"))
    assert b"From: <a@b.example>" in pair.await_mail(identity)


def test_slow(pair, hasty, bad):
    """EXT-BURL-6: octet by octet is slow, but content all the same; without end it is cut off."""
    def drip(session):
        content = message(subject="drip").encode()
        session.send(b"* URLFETCH u {%d}\r\n" % len(content))
        for octet in content:
            session.send(bytes([octet]))
            time.sleep(0.005)
        return b"\r\n%TAG% OK\r\n"

    def drip_on(session):
        session.send(b"* URLFETCH u {100000}\r\n")
        while not session.imap.ending.is_set():
            session.send(b"x\r\n")
            time.sleep(0.05)
        return b""

    bad.script = {"URLFETCH": drip}
    connection = pair.client()
    envelope(connection)
    burl(connection, url(host="localhost:2143"), "250 2.0.0")
    bad.script = {"URLFETCH": drip_on}
    connection = hasty.client()
    envelope(connection)
    burl(connection, url(host="localhost:2143"), "451 4.4.1")


# Who it is

def test_wrong_certificate(rig, imap):
    """EXT-BURL-6: a certificate of another name, or of an authority that is not trusted, is no server to trust."""
    server = rig.server("burl-tls", start=False)
    key, chain = make_certificate(server.folder, "other", "other.example")
    other = rig.imap(certificate=(key, chain))
    stranger = rig.imap(certificate=make_certificate(server.folder, "stranger", "localhost"))
    plain = rig.imap({"STARTTLS": b"%TAG% OK begin\r\n* OK injected\r\n"}, tls="starttls")
    unwilling = rig.imap({"STARTTLS": b"%TAG% NO not here\r\n"}, tls="starttls")
    section(server, imap)
    section(server, other, "localhost:1")
    section(server, stranger, "localhost:2")
    server.sections['imap_server "localhost:2"'] = server.sections['imap_server "localhost:2"'].replace(
        str(stranger.certificate[1]), str(shared_certificate()[1]))
    section(server, plain, "localhost:3")
    section(server, unwilling, "localhost:4")
    server.sections["extensions"] = "burl = true"
    server.write_conf()
    server.start()
    connection = server.client()
    for host in ("localhost:1", "localhost:2", "localhost:3", "localhost:4"):
        envelope(connection)
        burl(connection, url(host=host), "451 4.4.1")
        connection.expect("RSET", "250 2.0.0")
    assert not (other.logins or stranger.logins or plain.logins or unwilling.logins)
    envelope(connection)
    burl(connection, url(imap, message(subject="good")), "250 2.0.0")


def test_nobody_there(rig):
    """EXT-BURL-5: nobody listens."""
    imap = Imap()
    imap.stop()
    server = make(rig, {"localhost": imap}, name="burl-none")
    connection = server.client()
    envelope(connection)
    burl(connection, url(), "451 4.4.1")
    connection.expect("RSET", "250 2.0.0")
    envelope(connection)
    connection.data(message())


def test_password(rig):
    """EXT-BURL-3: there is no default password, and one that others may read is refused; without a server there is no BURL."""
    imap = rig.imap()
    server = rig.server("burl-password", start=False)
    section(server, imap)
    server.sections["extensions"] = "burl = true"
    server.add_user(USER)
    good = dict(server.sections)
    server.sections['imap_server "localhost"'] = f'to = "127.0.0.1:{imap.port}"'
    server.write_conf()
    status, said = server.start_refused()
    assert status == 78 and "password_file" in said, (status, said)
    server.sections = dict(good)
    (server.folder / f"imap-password-{imap.port}").chmod(0o644)
    server.write_conf()
    status, said = server.start_refused()
    assert status != 0 and "lets others in" in said, (status, said)
    server.sections = {"extensions": "burl = true"}
    server.write_conf()
    status, said = server.start_refused()
    assert status == 78 and "imap_server" in said, (status, said)


@pytest.mark.parametrize("setting,text,wanted", [
    ("password_file", "", "password_file .*: line 1 is empty; write the secret there, 1 to 255 octets"),
    ("password_file", "x" * 256 + "\n", "password_file .*: line 1 is too long"),
    ("ca_file", "", "ca_file .*no PEM certificate"),
])
def test_bad_files_at_a_reload(rig, imap, setting, text, wanted):
    """OPS-1, OPS-2, EXT-BURL-3: what vault or fetch could not use is refused before they hear of it, and it is fetched as before."""
    server = make(rig, {"localhost": imap}, name="burl-files")
    words = server.sections['imap_server "localhost"']
    bad = server.folder / "bad"
    bad.write_text(text)
    bad.chmod(0o600)
    server.sections['imap_server "localhost"'] = re.sub(rf'{setting} = "[^"]*"', f'{setting} = "{bad}"', words)
    server.write_conf()
    said = server.reload()
    assert "the new configuration is refused" in said and re.search(wanted, said), said
    connection = server.client()
    envelope(connection)
    burl(connection, url(imap, message()), "250 2.0.0")


# Ends

def hanging(pair, bad):
    """A session in the midst of a URL."""
    bad.script = {"LITERAL": Hang}
    connection = pair.client()
    envelope(connection)
    before = len(bad.asked)
    connection.send(f"BURL {url(bad, message(body='x' * 70 + chr(13) + chr(10)) * 400, host='localhost:2143')} LAST\r\n")
    await_true(lambda: len(bad.asked) > before, "nobody is asked")
    time.sleep(0.1)
    return connection


def test_room_killed(rig, imap):
    """EXT-BURL-5: the fetch room dies with a URL in hand: 451, and the session goes on; the next room serves it."""
    bad = rig.imap()
    server = make(rig, {"localhost": imap, "localhost:2143": bad}, name="burl-kill")
    server.tolerate("a room died")
    connection = hanging(server, bad)
    start = server.log_path.stat().st_size
    os.kill(next(pid for room, pid in server.rooms().items() if room.startswith("fetch")), signal.SIGKILL)
    assert connection.read_reply().brief == "451 4.4.1"
    connection.expect("RSET", "250 2.0.0")
    server.await_log("a room died", start=start)
    serves_again(connection, imap, "again")


def test_vault_killed(rig, imap):
    """EXT-BURL-5: the vault dies while the login is under way: 451, then it works again."""
    bad = rig.imap({"AUTHENTICATE": Hang})
    server = make(rig, {"localhost": imap, "localhost:2143": bad}, name="burl-vault")
    server.tolerate("a room died")
    connection = server.client()
    envelope(connection)
    connection.send(f"BURL {url(host='localhost:2143')} LAST\r\n")
    await_true(lambda: bad.logins, "nobody logs in")
    os.kill(next(pid for room, pid in server.rooms().items() if room.startswith("vault")), signal.SIGKILL)
    assert connection.read_reply().brief == "451 4.4.1"
    connection.expect("RSET", "250 2.0.0")
    serves_again(connection, imap, "again")


def descriptors(server):
    return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in server.rooms().items() if name.split(".")[0] in ("gate", "fetch", "vault")}


def test_nothing_is_left(pair, imap, bad):
    """EXT-BURL-6, SEC-5: however it ended, descriptors are given back, and neither URLs nor passwords are in the log."""
    connection = pair.client()
    bad.script = {}
    envelope(connection)
    burl(connection, url(imap, message()), "250 2.0.0")
    before = descriptors(pair)
    for fault in (*FAULTS, *REFUSALS):
        bad.script = FAULTS[fault] if fault in FAULTS else REFUSALS[fault][0]
        envelope(connection)
        connection.command(f"BURL {url(bad, message(body='x' * 78 + chr(13) + chr(10)) * 1000, host='localhost:2143')} LAST")
        connection.command("RSET")
    bad.await_idle(10)
    end = time.monotonic() + 15
    while any(descriptors(pair)[name] > before[name] + 1 for name in before):
        assert time.monotonic() < end, (before, descriptors(pair))
        time.sleep(0.05)
    for secret in (TOKEN, SECRET, PASSWORD):
        assert secret not in pair.log()


@pytest.mark.parametrize("how", ["drop", "close"])
def test_client_gone(pair, imap, bad, how):
    """LSN-9: the client goes while its URL is fetched; nothing comes of it, and others are served."""
    connection = hanging(pair, bad)
    getattr(connection, how)()
    other = pair.client()
    envelope(other)
    burl(other, url(imap, message(subject="other")), "250 2.0.0")
    bad.await_idle()


def test_drain(rig, imap):
    """LSN-6: SIGTERM while a URL is fetched: the message is taken, then the server ends."""
    bad = rig.imap()
    server = make(rig, {"localhost": imap, "localhost:2143": bad}, name="burl-drain")
    go = threading.Event()
    bad.script = {"LITERAL": lambda session: go.wait(PATIENCE) and b""}
    connection = server.client()
    envelope(connection)
    connection.send(f"BURL {url(bad, message(subject='drained'), host='localhost:2143')} LAST\r\n")
    await_true(lambda: bad.asked, "nobody is asked")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    go.set()
    assert connection.read_reply().brief == "250 2.0.0"
    assert connection.read_reply().brief == "421 4.3.2"


def test_reload(rig, imap):
    """EXT-BURL-6: a server that the configuration drops is asked no more; open sessions included."""
    second = rig.imap()
    server = make(rig, {"localhost": imap, "localhost:2143": second}, name="burl-reload")
    connection = server.client()
    envelope(connection)
    burl(connection, url(second, message(), host="localhost:2143"), "250 2.0.0")
    del server.sections['imap_server "localhost:2143"']
    server.write_conf()
    assert "in force" in server.reload()
    envelope(connection)
    burl(connection, url(second, message(), host="localhost:2143"), "554 5.7.14")
    connection.expect("RSET", "250 2.0.0")
    envelope(connection)
    burl(connection, url(imap, message()), "250 2.0.0")
    connection = server.client()
    envelope(connection)
    burl(connection, url(second, message(), host="localhost:2143"), "554 5.7.14")


def test_switched(rig, imap):
    """EXT-BURL-1: a reload switches it on and off; the room that fetches comes and goes with it."""
    server = rig.server("burl-switch")
    old = server.client()
    section(server, imap)
    server.sections["extensions"] = "burl = true"
    server.write_conf()
    assert "in force" in server.reload()
    assert "BURL" not in old.hello()
    connection = server.client()
    assert connection.hello()["BURL"] == "imap"
    serves_again(connection, imap, "switched")
    server.sections["extensions"] = "burl = false"
    server.write_conf()
    assert "in force" in server.reload()
    envelope(connection)
    burl(connection, url(imap, message()), "451 4.4.1", "554 5.7.14")
    assert "BURL" not in server.client().hello()
    await_true(lambda: not any(room.startswith("fetch") for room in server.rooms()), "the room stays")


def test_many(server, imap):
    """EXT-BURL-6: more at once than connections are allowed: all are served, in turn."""
    failures = []

    def one(number):
        try:
            connection = server.client()
            for _ in range(3):
                envelope(connection)
                burl(connection, url(imap, message(subject=f"many {number}", body="z" * 70 + "\r\n")), "250 2.0.0")
            connection.quit()
        except (AssertionError, Closed, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures, failures[:3]
