"""e2e/test_dovecot.py: Dovecot takes mail by LMTP: a result for each recipient, and a bounce for the one it does not know."""
import email
import email.policy

import pytest

from e2e.dovecot import Dovecot
from e2e.programs import DOTS, LONG, UTF8, body_of, digest, eight_bit, fields_of, large
from rig.client import message

WAYS = {"unix.example": "unix socket", "tcp.example": "TCP", "tls.example": "TCP with STARTTLS"}
MIME = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


@pytest.fixture(scope="module")
def dovecot(shared):
    dovecot = Dovecot([f"{user}@{domain}" for user in ("bob", "carol") for domain in WAYS])
    shared.others.append(dovecot)
    return dovecot.start()


@pytest.fixture(scope="module")
def server(shared, dovecot):
    server = shared.server("dovecot", start=False, sections={"queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
    server.routes = {"unix.example": f'via = "lmtp"  to = "unix:{dovecot.socket}"', "tcp.example": f'via = "lmtp"  to = "127.0.0.1:{dovecot.port}"',
                     "tls.example": f'via = "lmtp"  to = "127.0.0.1:{dovecot.port}"  tls = "may"',
                     "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    return server.start()


@pytest.mark.parametrize("domain", WAYS)
def test_exact(server, dovecot, domain):
    """OUT-20: the body arrives as it was, the envelope's sender in Return-Path."""
    body = eight_bit() + DOTS + LONG + UTF8 + large(300000)
    identity = server.submit(f"bob@{domain}", message(to=f"bob@{domain}", body="", fields=MIME).encode() + body, parameters="BODY=8BITMIME")
    octets = dovecot.await_mail(f"bob@{domain}", identity)
    assert digest(body_of(octets).replace(b"\r\n", b"\n")) == digest(body.replace(b"\r\n", b"\n"))
    assert fields_of(octets, "Return-Path") == ["<alice@example.net>"]
    server.await_empty()
    attempt = next(event for event in server.trace(identity)["events"] if event["event"] == "attempt")
    assert attempt["result"] == "delivered" and "Saved" in attempt["text"], attempt
    assert bool(attempt.get("tls_version")) == (domain == "tls.example"), attempt


@pytest.mark.parametrize("domain", WAYS)
def test_each_recipient(server, dovecot, domain):
    """OUT-20, DSN-1, DSN-11: of three recipients one is unknown: the others have the message once, the sender hears of that one only."""
    before = {who: dovecot.count(f"{who}@{domain}") for who in ("bob", "carol")}
    people = [f"{who}@{domain}" for who in ("bob", "nobody", "carol")]
    identity = server.submit(people, message("each", to=people[0]))
    for who in ("bob", "carol"):
        dovecot.await_mail(f"{who}@{domain}", identity)
    report = email.message_from_bytes(server.await_mail(f"Final-Log-ID: {identity}"), policy=email.policy.default)
    assert report["To"] == "alice@example.net" and report.get_content_type() == "multipart/report"
    text, status, headers = report.iter_parts()
    blocks = status.get_payload()
    assert [block["Final-Recipient"] for block in blocks[1:]] == [f"rfc822; nobody@{domain}"]
    assert blocks[1]["Action"] == "failed" and blocks[1]["Status"] == "5.1.1" and "550 5.1.1" in blocks[1]["Diagnostic-Code"]
    assert f"nobody@{domain}" in text.get_content() and headers.get_content_type() == "text/rfc822-headers" and identity in headers.as_string()
    server.await_empty()
    results = {event["recipient"]: event["result"] for event in server.trace(identity)["events"] if event["event"] == "attempt"}
    assert results == {people[0]: "delivered", people[1]: "failed", people[2]: "delivered"}
    assert {who: dovecot.count(f"{who}@{domain}") for who in before} == {who: count + 1 for who, count in before.items()}
