"""e2e/test_next_hops.py: next hops that are not there, refuse, dawdle or hang up: the message is tried again or its sender is
told, by a report that a mail program can read."""
import email
import email.policy
import email.utils
import re
import time

import pytest

from rig.client import message
from rig.hop import KEYWORDS, Drop, Hang, Hop, Stall, Turns
from rig.patience import PATIENCE, await_true
from rig.server import free_port

STAGES = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "EOD")
BY_DATA = tuple(word for word in KEYWORDS if word != "CHUNKING")
TIMEOUTS = "connect = 2  greeting = 2  ehlo = 2  tls = 2  mail = 2  rcpt = 2  data = 2  block = 2  end = 2  quit = 1  idle = 1"
PLACES = 60


class Roads:
    """A server with a route of its own for each test."""

    def __init__(self, shared, name="next-hops", timeouts=None):
        ports = {f"hop{number}.example": free_port() for number in range(PLACES)}
        self.server = shared.server(name, start=False, sections={
            "queue": "retry = { 1 }  retry_connect = { 1 }  delay_notice = 0  dead_host = 0"})
        if timeouts:
            self.server.sections["timeouts"] = timeouts
        self.server.routes = {domain: f'via = "smtp"  to = "127.0.0.1:{port}"' for domain, port in ports.items()}
        self.server.routes["*"] = f'via = "maildir"  to = "{self.server.mail}"'
        self.server.write_conf()
        self.server.start()
        self.free = iter(ports.items())
        self.keeper = shared

    def hop(self, script=None, **settings):
        domain, port = next(self.free)
        hop = Hop(script, port=port, **settings)
        hop.domain = domain
        self.keeper.others.append(hop)
        return hop


@pytest.fixture(scope="module")
def roads(shared):
    return Roads(shared)


@pytest.fixture(scope="module")
def hasty(shared):
    """For tests of time-outs; elsewhere a hop may be as slow as this machine is."""
    return Roads(shared, "hasty-hops", TIMEOUTS)


def await_closed(server, identity, wait=PATIENCE):
    server.await_queue(lambda queued: all(row["id"] != identity for row in queued), wait)


def attempts(server, identity):
    return [event for event in server.trace(identity)["events"] if event["event"] == "attempt"]


def has_bounce(server, identity):
    return any(b"Final-Log-ID: " + identity.encode() in octets for octets in server.delivered().values())


def read_report(server, identity, wait=PATIENCE):
    """The report on a message, judged by RFC 3464 and DSN-3 to DSN-7; its text and its recipients' blocks."""
    octets = server.await_mail(f"Final-Log-ID: {identity}", wait)
    report = email.message_from_bytes(octets, policy=email.policy.default)
    assert report["Return-Path"] == "<>" and report["To"] == "alice@example.net" and report["From"] and report["Message-ID"]
    assert report["Auto-Submitted"].startswith("auto-replied")
    assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
    assert not report.defects and email.utils.parsedate_to_datetime(report["Date"])
    text, status, original = report.iter_parts()
    assert not any(part.defects for part in report.walk())
    assert (text.get_content_type(), status.get_content_type(), original.get_content_type()) == \
        ("text/plain", "message/delivery-status", "text/rfc822-headers")
    message_block, *blocks = status.get_payload()
    assert message_block["Reporting-MTA"] == "dns; msa.example.net" and email.utils.parsedate_to_datetime(message_block["Arrival-Date"])
    for block in blocks:
        assert block["Final-Recipient"].startswith("rfc822; ") and block["Action"] in {"failed", "delayed"}
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", block["Status"])
    original = original.get_payload()
    assert identity in original and "Subject: test" in original and "Hello." not in octets.decode()
    return text.get_content(), blocks


@pytest.mark.parametrize("stage", STAGES)
def test_refused_for_now(roads, stage):
    """OUT-10, QUE-2, QUE-3: 4yz at any stage: tried again after the interval, delivered once, nobody troubled."""
    server, hop = roads.server, roads.hop({stage: Turns("451 4.3.2 not now", None)}, keywords=BY_DATA)
    identity = server.submit(f"bob@{hop.domain}")
    hop.await_mails(1)
    await_closed(server, identity)
    first, second = attempts(server, identity)
    assert (first["result"], first["code"], first["status"]) == ("deferred", 451, "4.3.2") and "not now" in first["text"]
    assert first["next_attempt"] and second["result"] == "delivered" and len(hop.mails) == 1 and not has_bounce(server, identity)


@pytest.mark.parametrize("chunking", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_refused_for_good(roads, stage, chunking):
    """OUT-10, DSN-1, DSN-6, DSN-7: 5yz at any stage: one attempt, and a report with the next hop's own words."""
    server, hop = roads.server, roads.hop({stage: "554 5.7.1 go away"}, keywords=KEYWORDS if chunking else BY_DATA)
    if stage == "DATA" and chunking:
        hop.script["BDAT"] = hop.script.pop("DATA")
    identity = server.submit(f"bob@{hop.domain}")
    text, (block,) = read_report(server, identity)
    assert block["Final-Recipient"] == f"rfc822; bob@{hop.domain}" and block["Action"] == "failed" and block["Status"] == "5.7.1"
    assert "554 5.7.1 go away" in block["Diagnostic-Code"] and block["Diagnostic-Code"].startswith("smtp;")
    assert block["Remote-MTA"] and f"bob@{hop.domain}" in text and "go away" in text
    await_closed(server, identity)
    assert len(attempts(server, identity)) == 1 and not hop.mails


@pytest.mark.parametrize("stage", STAGES)
def test_silent(hasty, stage):
    """OUT-7: a hop that does not answer within the time-out is given up and tried again."""
    server, hop = hasty.server, hasty.hop({stage: Turns(Hang(), None)}, keywords=BY_DATA, patience=10 * PATIENCE)
    identity = server.submit(f"bob@{hop.domain}")
    hop.await_mail()
    await_closed(server, identity)
    *others, last = attempts(server, identity)    # more than one other where this machine was slow besides
    assert others and all(one["result"] == "deferred" and one["status"].startswith("4.4.") for one in others)
    assert last["result"] == "delivered" and not has_bounce(server, identity)


def test_slow(hasty):
    """OUT-7: slow is not silent: one attempt, whatever it takes. (This machine may have been slow besides; not each time.)"""
    for _ in range(8):
        hop = hasty.hop({stage: Stall(1.0) for stage in STAGES}, keywords=BY_DATA)
        identity = hasty.server.submit(f"bob@{hop.domain}")
        hop.await_mail()
        await_closed(hasty.server, identity)
        if len(hop.sessions) == 1:
            break
    assert len(attempts(hasty.server, identity)) == 1 and len(hop.sessions) == 1


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_disconnecting(roads, stage, reset):
    """OUT-13: a hop that hangs up counts as one that refuses for now; the message is not lost and not doubled."""
    server, hop = roads.server, roads.hop({stage: Turns(Drop(reset), None)}, keywords=BY_DATA)
    identity = server.submit(f"bob@{hop.domain}")
    hop.await_mail()
    await_closed(server, identity)
    assert [attempt["result"] for attempt in attempts(server, identity)] == ["deferred", "delivered"]
    assert len(hop.mails) == 1 and not has_bounce(server, identity)


def test_unreachable(roads):
    """QUE-2, QUE-3: nobody listens: the queue says why, and delivers when somebody does."""
    server, hop = roads.server, roads.hop(start=False)
    identity = server.submit(f"bob@{hop.domain}")
    row = next(row for row in server.await_queue(lambda queued: any(
        row["id"] == identity and row["recipients"][0]["state"] == "deferred" for row in queued)) if row["id"] == identity)
    recipient = row["recipients"][0]
    assert recipient["attempts"] >= 1 and recipient["next_attempt"] and "refused" in recipient["last_reply"].lower(), recipient
    hop.start()
    hop.await_mail()
    await_closed(server, identity)
    assert not has_bounce(server, identity)


def test_dead_does_not_slow_the_living(roads):
    """QUE-10: forty messages for a hop that is silent, and one for a hop that is not."""
    dead, living = roads.hop({"CONNECT": Hang()}), roads.hop()
    client = roads.server.client()
    for number in range(40):
        client.mail("alice@example.net", [f"bob{number}@{dead.domain}"], message())
    client.mail("alice@example.net", [f"bob@{living.domain}"], message())
    living.await_mail()
    assert not dead.mails
    client.quit()
    roads.server.ctl("queue", "delete", "--domain", dead.domain)
    dead.stop()    # or the server's end would wait for it


def test_expiry(rig):
    """QUE-4, DSN-8, DSN-9: a delay is reported once, and the end of the lifetime for good."""
    port = free_port()
    server = rig.server("expiry", start=False, sections={
        "queue": "retry = { 1 }  retry_connect = { 1 }  lifetime = 12  delay_notice = 2  dead_host = 0"})
    server.routes = {"dead.example": f'via = "smtp"  to = "127.0.0.1:{port}"', "*": f'via = "maildir"  to = "{server.mail}"'}
    server.write_conf()
    server.start()
    identity = server.submit("bob@dead.example")
    _, (delayed,) = read_report(server, identity)
    assert delayed["Action"] == "delayed" and delayed["Status"].startswith("4.")
    assert email.utils.parsedate_to_datetime(delayed["Will-Retry-Until"])
    server.await_empty()
    reports = []

    def read():
        found = [email.message_from_bytes(octets, policy=email.policy.default) for octets in server.delivered().values()]
        reports[:] = [list(report.iter_parts())[1].get_payload()[1] for report in found]
        return len(reports) == 2

    await_true(read, lambda: reports)
    failed = next(block for block in reports if block["Action"] == "failed")
    assert failed["Status"] == "4.4.1", failed.as_string()
    events = [event["event"] for event in server.trace(identity)["events"]]
    assert "expired" in events and events.count("bounce") == 2 and events[-1] == "closed", events


def test_bounce_of_a_bounce(rig):
    """QUE-7, DSN-2: a report that nobody takes ends in the log."""
    hop = rig.hop({"RCPT": "550 5.1.1 nobody here"})
    server = rig.server("double", start=False, sections={"queue": "retry = { 1 }  delay_notice = 0"})
    server.routes = {"*": f'via = "smtp"  to = "127.0.0.1:{hop.port}"'}
    server.write_conf()
    server.start()
    identity = server.submit("bob@example.org")
    hop.await_line("MAIL FROM:<>")
    server.await_empty()
    notice = next(event["id"] for event in server.trace(identity)["events"] if event["event"] == "bounce")
    dropped = next(event for event in server.trace(notice)["events"] if event["event"] == "dropped")
    assert dropped["recipients"] == ["alice@example.net"] and dropped["reason"]
    server.await_log(rf"queue\.0 .*(dropped|no bounce|bounce).*{notice}")
    time.sleep(1)
    assert len([line for line in hop.heard() if line.startswith("MAIL FROM")]) == 2
    assert server.status()["bounced"] == 2 and server.status()["queued"] == 0
