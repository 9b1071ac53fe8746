"""e2e/mail.py: the message that each mail program hands over, as one that leaves its completion to the server, and what must
have become of it."""
import email.utils
import re

from e2e.programs import DOTS, LONG, UTF8, body_of, digest, fields_of

USER = "alice@example.net"
TO = "bob@example.org"
BODY = b"Hello.\r\n" + DOTS + LONG + UTF8
SHORT = b"Hello.\r\n" + DOTS + b"x" * 900 + b"\r\n" + UTF8

MIME = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"


def content(subject, body=BODY, fields=""):
    """A message as a mail program leaves it to the server to complete: no Date, no Message-ID, a Bcc."""
    return f"From: <{USER}>\r\nTo: <{TO}>\r\nBcc: <hidden@example.org>\r\nSubject: {subject}\r\n{MIME}{fields}\r\n".encode() + body


def check_delivered(server, subject, body=BODY, protocol="ESMTPSA", completed=True):
    """What arrived: the body octet for octet, the header repaired."""
    octets = server.await_mail(f"Subject: {subject}")
    arrived = body_of(octets).replace(b"\r\n", b"\n")
    assert digest(arrived) == digest(body.replace(b"\r\n", b"\n")), f"{arrived[:300]!r}..."
    assert email.utils.parsedate_to_datetime(fields_of(octets, "Date")[0])
    assert len(fields_of(octets, "Date")) == len(fields_of(octets, "Message-ID")) == 1
    if completed:
        assert fields_of(octets, "Message-ID")[0].endswith("@msa.example.net>")
    assert not fields_of(octets, "Bcc") and octets.count(b"hidden@example.org") == fields_of(octets, "Delivered-To").count("hidden@example.org")
    received = fields_of(octets, "Received")
    assert len(received) == 1 and re.search(rf"by msa\.example\.net .*with (UTF8SMTPSA|{protocol})\b.* id \w{{26}}", received[0], re.I), received
    return octets


def write_message(tmp_path, octets):
    path = tmp_path / "message.eml"
    path.write_bytes(octets)
    return path
