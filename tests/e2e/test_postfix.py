"""e2e/test_postfix.py: Postfix as next hop over STARTTLS takes content that is hard to carry, by DATA and by BDAT, and has it
octet for octet."""
import re

import pytest

from e2e.postfix import Postfix
from e2e.programs import DOTS, LONG, UTF8, body_of, digest, eight_bit, fields_of, large
from rig.client import message
from rig.patience import await_true
from rig.server import shared_certificate

# Ways to come and to go: domain to submission by BDAT?, what Postfix hears.
WAYS = {"data.example": (False, "data"), "bdat.example": (True, "bdat"), "crossed.example": (True, "data"), "verified.example": (False, "bdat")}

BODIES = {
    "eight-bit": eight_bit,
    "utf8": lambda: UTF8,
    "dots": lambda: DOTS,
    "long-lines": lambda: LONG,
    "empty": lambda: b"",
    "many": lambda: large(400000),
    "30-MiB": lambda: large(30 << 20),
}
MIME = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


@pytest.fixture(scope="module")
def postfix(shared):
    postfix = Postfix(WAYS)
    shared.others.append(postfix)
    return postfix.start()


@pytest.fixture(scope="module")
def server(shared, postfix):
    place = f'via = "smtp"  to = "127.0.0.1:{postfix.port}"'
    server = shared.server("postfix", start=False, sections={
        "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0", "timeouts": "idle = 1"})
    server.routes = {
        "data.example": f"{place}  chunking = false", "crossed.example": f"{place}  chunking = false", "bdat.example": place,
        "verified.example": f'via = "smtp"  to = "localhost:{postfix.port}"  tls = "verify"  ca_file = "{shared_certificate()[1]}"',
        "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    return server.start()


def check_arrived(server, postfix, identity, body):
    octets = postfix.await_mail(identity)
    arrived = body_of(octets)
    expected = body.replace(b"\r\n", b"\n")
    assert len(arrived) == len(expected) and digest(arrived) == digest(expected), f"{len(arrived)} octets, not {len(expected)}"
    # By Postfix's own word: TLS in transport, and what it heard.
    newest = fields_of(octets, "Received")[0]
    assert re.search(r"using TLSv1\.[23] with cipher \S+ .*by hop\.example\.org \(Postfix\) with (ESMTPS|UTF8SMTPS) ", newest), newest
    return octets


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("domain", WAYS)
def test_exact(server, postfix, domain, body):
    """DATA-2, OUT-15, OUT-24, OTLS-1: a body arrives as it was submitted."""
    octets = BODIES[body]()
    by_bdat, _ = WAYS[domain]
    identity = server.submit(f"bob@{domain}", message(f"exact-{body}", to=f"bob@{domain}", body="", fields=MIME).encode() + octets,
                             parameters="BODY=8BITMIME", bdat=by_bdat)
    arrived = check_arrived(server, postfix, identity, octets)
    assert fields_of(arrived, "Subject") == [f"exact-{body}"] and fields_of(arrived, "Return-Path") == ["<alice@example.net>"]
    server.await_empty()
    attempt = next(event for event in server.trace(identity)["events"] if event["event"] == "attempt")
    assert attempt["result"] == "delivered" and attempt["tls_version"].startswith("TLSv1.") and attempt["code"] == 250
    assert "queued as" in attempt["text"]


@pytest.mark.parametrize("domain", ["data.example", "bdat.example"])
def test_utf8_header(server, postfix, domain):
    """EXT-SMTPUTF8-6: UTF-8 in addresses and header fields goes on as SMTPUTF8."""
    sender, recipient, subject = "alice@example.net", f"jürgen@{domain}", "Grüße aus Köln 日本語"
    content = f"From: Älice <{sender}>\r\nTo: Jürgen <{recipient}>\r\nSubject: {subject}\r\n{MIME}\r\n".encode() + UTF8
    identity = server.submit(recipient, content, parameters="SMTPUTF8 BODY=8BITMIME", bdat=WAYS[domain][0])
    octets = check_arrived(server, postfix, identity, UTF8)
    assert fields_of(octets, "Subject") == [subject] and fields_of(octets, "Delivered-To") == [recipient]
    assert "with UTF8SMTPS" in fields_of(octets, "Received")[0]


@pytest.mark.parametrize("domain", WAYS)
def test_ways(server, postfix, domain):
    """OUT-24: BDAT where it is offered, DATA with chunking = false, as Postfix counts its commands when the session ends."""
    def sessions_ended():
        log = postfix.log()
        ended = re.findall(r"disconnect from (.*)$", log, re.M)
        return len(re.findall(r"\]: connect from ", log)) == len(ended) >= wanted and [wanted, *ended]

    wanted = 0
    wanted = len(await_true(sessions_ended, postfix.log))
    by_bdat, heard = WAYS[domain]
    postfix.await_mail(server.submit(f"bob@{domain}", message(to=f"bob@{domain}"), bdat=by_bdat))
    line = await_true(sessions_ended, postfix.log)[-1]
    assert f" {heard}=1 " in line and {"data": "bdat", "bdat": "data"}[heard] + "=" not in line and " starttls=1 " in line, line
