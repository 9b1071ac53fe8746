"""relay/test_notices.py: what the sender is told: the form of a bounce, whom it goes to, and that it never bounces."""
import email
import email.policy
import email.utils

import pytest

from rig.client import message
from rig.hop import KEYWORDS, Hop, Turns


def groups(text):
    """The groups of fields of the machine-readable part."""
    report = email.message_from_bytes(text, policy=email.policy.default)
    part = report.get_payload()[1]
    return [dict(group.items()) for group in part.get_payload()]


def test_form(trip):
    """DSN-1, DSN-3, DSN-4, DSN-5, DSN-6, DSN-8, DSN-9, DSN-15: the parts, the fields, the words."""
    hop = trip.hop({"RCPT": "550 5.1.1 <bob> unknown here"})
    content = message(to=f"bob@{hop.domain}", fields="X-Mark: original\r\n", body="The secret body.\r\n")
    identity = trip.submit(hop, content=content)
    text, report = trip.bounce(identity)
    header, _, _ = text.partition(b"\n\n") if b"\r\n\r\n" not in text else text.partition(b"\r\n\r\n")
    assert b"Return-Path: <>" in header and b"Delivered-To: alice@example.net" in header
    assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
    assert report["Auto-Submitted"] == "auto-replied"
    assert "postmaster@msa.example.net" in report["From"] and report["To"] == "alice@example.net"
    assert report["Message-ID"] and report["Subject"] and email.utils.parsedate_to_datetime(report["Date"])
    words, status, original = report.get_payload()
    assert words.get_content_type() == "text/plain" and words.get_param("charset").lower() == "utf-8"
    assert f"bob@{hop.domain}" in words.get_content() and "unknown here" in words.get_content()
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() == "text/rfc822-headers"
    returned = original.get_payload()
    assert "X-Mark: original" in str(returned) and "secret body" not in text.decode()
    about, one = groups(text)
    assert about["Reporting-MTA"] == "dns; msa.example.net" and "Arrival-Date" in about
    assert "Original-Envelope-Id" not in about and "Received-From-MTA" not in about
    assert one["Final-Recipient"] == f"rfc822; bob@{hop.domain}" and one["Action"] == "failed" and one["Status"] == "5.1.1"
    assert one["Diagnostic-Code"] == "smtp; 550 5.1.1 <bob> unknown here"
    assert one["Remote-MTA"].startswith("dns; ") and "Last-Attempt-Date" in one and one["Final-Log-ID"] == identity
    assert "Original-Recipient" not in one and "Will-Retry-Until" not in one
    order = ["Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "Final-Log-ID"]
    assert [name for name in one if name in order] == order


def test_two_lines(trip):
    """DSN-7: a reply of several lines is folded, exactly."""
    hop = trip.hop({"RCPT": "550-5.7.1 first line\n550 5.7.1 second line"})
    text, _ = trip.bounce(trip.submit(hop))
    assert b"Diagnostic-Code: smtp; 550-5.7.1 first line" in text.replace(b"\r\n", b"\n")
    assert b"\n 550 5.7.1 second line" in text.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("reply, status", [("550 no", "5.0.0"), ("550 4.1.1 wrong class", "5.0.0"), ("552 5.2.2 full", "5.2.2"),
                                           ("554 5.7.1", "5.7.1"), ("550 5.1.1000 x", "5.0.0"), ("550 5.01.1 x", "5.0.0")])
def test_status(trip, reply, status):
    """DSN-9, EXT-ESC-4: the hop's enhanced code if it is one of that class."""
    hop = trip.hop({"RCPT": reply})
    text, _ = trip.bounce(trip.submit(hop))
    assert groups(text)[1]["Status"] == status


def test_largest(trip):
    """DSN-11, DSN-10: a hundred refusals with as many words as a hop may say, long names, a long header: told all the same."""
    words = "\n".join(["550-5.1.1 =" + "=" * 60] * 40 + ["550 5.1.1 ="])
    hop = trip.hop({"RCPT": words}, keywords=KEYWORDS)
    people = [f"b\u00f6b{number:03}{'x' * 50}" for number in range(100)]
    content = message(to="bob@example.org", fields="".join(f"X-Long-{i}: {'=' * 900}\r\n" for i in range(200)))
    identity = trip.submit(hop, people=people, content=content, parameters="SMTPUTF8 BODY=8BITMIME",
                           rcpt_parameters="ORCPT=utf-8;" + "\u20ac" * 160)
    text, _ = trip.bounce(identity)
    assert len(groups(text)) == 101
    trip.await_closed(identity)


def test_null_sender(trip):
    """DSN-2, DSN-16, QUE-7: nobody is told of a failure of what has no sender."""
    hop = trip.hop({"RCPT": "550 5.1.1 unknown"})
    identity = trip.submit(hop, sender="")
    trip.await_closed(identity)
    assert any(event["event"] == "dropped" for event in trip.server.trace(identity)["events"])
    assert trip.has_no_bounce(identity)


def test_bounce_never_bounces(trip):
    """QUE-7, DSN-1, DSN-2: the notice itself is refused: dropped, with a line in the log. It goes out with a null sender."""
    hop = trip.hop({"RCPT": lambda _session, argument: "550 5.1.1 unknown" if "alice" not in argument else "550 5.1.1 gone too"})
    identity = trip.submit(hop, sender=f"alice@{hop.domain}")
    trip.await_closed(identity)
    line = hop.await_line("MAIL FROM:<>")[0]
    assert "RET" not in line
    trip.server.await_queue(lambda rows: not any(row["sender"] == "" for row in rows))
    events = trip.server.trace(identity)["events"]
    notice = next(event["id"] for event in events if event["event"] == "bounce")
    assert any(event["event"] == "dropped" for event in trip.server.trace(notice)["events"])
    assert sum(line.startswith("MAIL FROM:<>") for line in hop.heard()) == 1
    trip.server.await_log(f"{notice}")


def test_notify_never_on_notice(trip):
    """DSN-1, OUT-23: where the return path's hop knows DSN, the notice asks for none about itself; where not, it says nothing."""
    hop = trip.hop({"RCPT": lambda _session, argument: None if "alice" in argument else "550 5.1.1 unknown"})
    identity = trip.submit(hop, sender=f"alice@{hop.domain}")
    mail = hop.await_mail()
    assert mail.sender == "" and mail.addresses == [f"alice@{hop.domain}"] and identity.encode() in mail.content


def test_several(trip):
    """DSN-11: two failures of one run are one notice."""
    hop = trip.hop({"RCPT": "550 5.1.1 unknown"})
    text, _ = trip.bounce(trip.submit(hop, ["bob", "carol"]))
    assert len(groups(text)) == 3


def test_utf8_recipient(trip):
    """DSN-12, DSN-13: a recipient beyond ASCII, told in a form that the sender's hop can carry."""
    hop = trip.hop({"RCPT": "550 5.1.1 unknown"})
    text, report = trip.bounce(trip.submit(hop, ["\u03b4"], message(), parameters="SMTPUTF8"))
    status = report.get_payload()[1]
    assert status.get_content_type() in {"message/global-delivery-status", "message/delivery-status"}
    if status.get_content_type() == "message/delivery-status":
        assert b"utf-8; \\x{3B4}@" in text
    else:
        assert "utf-8; \u03b4@".encode() in text


def test_utf8_recipient_ascii_sender_hop(trip):
    """DSN-13: to a hop without SMTPUTF8 or 8BITMIME the notice goes in seven bits."""
    hop = trip.hop({"RCPT": lambda _session, argument: None if "alice" in argument else "550 5.1.1 unknown"})
    back = Turns(KEYWORDS, ("PIPELINING",))
    hop.keywords = lambda _session: back.take()
    hop.script["QUIT"] = None
    hop.script["EOD"] = None
    identity = trip.submit(hop, ["\u03b4"], message(), sender=f"alice@{hop.domain}", parameters="SMTPUTF8")
    mail = hop.await_mail()
    assert identity.encode() in mail.content
    if "BODY" not in mail.parameters:
        assert mail.content.isascii()


def test_expiry(rig):
    """QUE-4, DSN-9: after its lifetime the mail comes back with the cause it waited for, Action failed."""
    cases = {"refused.example": (None, "4.4.1"), "busy.example": ("450 4.2.1 busy", "4.2.1"), "mute.example": ("451 hm", "4.0.0")}
    hops = {domain: Hop({"RCPT": reply} if reply else None, start=reply is not None) for domain, (reply, _) in cases.items()}
    rig.others += hops.values()
    server = rig.server("expiry", start=False, sections={
        "queue": "retry = { 1 }  retry_connect = { 1 }  lifetime = 12  delay_notice = 2  dead_host = 0"})
    server.routes = {domain: f'via = "smtp"  to = "{hop.address}"' for domain, hop in hops.items()}
    server.routes["*"] = f'via = "maildir"  to = "{server.mail}"'
    server.write_conf()
    server.start()
    identities = {domain: server.submit(f"bob@{domain}") for domain in cases}
    for domain, identity in identities.items():
        delayed = groups(server.await_mail(f"Final-Log-ID: {identity}"))[1]
        assert delayed["Action"] == "delayed" and delayed["Status"][0] == "4" and "Will-Retry-Until" in delayed
    server.await_empty()
    for domain, identity in identities.items():
        notices = [groups(octets) for octets in server.delivered().values() if f"Final-Log-ID: {identity}".encode() in octets]
        actions = [notice[1]["Action"] for notice in notices]
        assert sorted(actions) == ["delayed", "failed"], "DSN-8: one of each"
        failed = next(notice[1] for notice in notices if notice[1]["Action"] == "failed")
        assert failed["Status"] == cases[domain][1]
        assert any(event["event"] == "expired" for event in server.trace(identity)["events"])
