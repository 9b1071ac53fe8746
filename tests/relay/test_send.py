"""relay/test_send.py: how a message is handed to the next hop: the greeting, the envelope, the content, the end."""
import pytest

from rig.client import message
from rig.hop import KEYWORDS, Last, Stall, Turns
from rig.patience import await_true

OLD = ("SIZE 1000000",)  # neither PIPELINING nor CHUNKING nor 8BITMIME


def without(*names):
    return tuple(keyword for keyword in KEYWORDS if keyword.split()[0] not in names)


def is_clean(octets):
    """DATA-6, SUB-8-4: no bare CR, no bare LF."""
    joined = octets.replace(b"\r\n", b"")
    return b"\r" not in joined and b"\n" not in joined


def test_hello_and_end(hasty):
    """OUT-8, OUT-14, SUB-3.1: EHLO with our name, QUIT at the end, its reply awaited."""
    hop = hasty.hop({"QUIT": Stall(0.3)})
    hasty.submit(hop)
    mail = hop.await_mail()
    assert mail.session.lines[0] == "EHLO msa.example.net"
    hop.await_line("QUIT")
    assert mail.sender == "alice@example.net" and mail.addresses == [f"bob@{hop.domain}"]
    await_true(lambda: mail.session.has_ended, "the connection stays open")
    assert mail.session.replies[-1].startswith(b"221"), "left before the reply to QUIT"


def test_helo_after_refused_ehlo(trip):
    """OUT-9: HELO in the same connection; then no extension is used."""
    hop = trip.hop({"EHLO": "500 5.5.1 what?"})
    trip.submit(hop)
    mail = hop.await_mail()
    assert len(hop.sessions) == 1 and mail.session.lines[:2] == ["EHLO msa.example.net", "HELO msa.example.net"]
    assert mail.parameters == "" and mail.verb == "DATA"


@pytest.mark.parametrize("code", [502, 504, 550])
def test_helo_after_other_refusals(trip, code):
    """OUT-9, OUT-16: 5yz to EHLO; HELO is tried where EHLO is not known, else the hop refuses for good."""
    hop = trip.hop({"EHLO": f"{code} 5.5.1 no"})
    identity = trip.submit(hop)
    if code == 502:
        assert hop.await_mail().session.lines[1] == "HELO msa.example.net"
    else:
        trip.bounce(identity)
        assert "HELO msa.example.net" not in hop.heard()


def test_one_flight(trip):
    """OUT-24, EXT-PIPELINING-5: with PIPELINING and CHUNKING a small message is one flight."""
    hop = trip.hop(quiet=0.15, flight=b"Hello.\r\n")
    trip.submit(hop, ["bob", "carol"])
    mail = hop.await_mail()
    flight = next(flight for flight in mail.session.flights if flight.startswith(b"MAIL"))
    assert flight.count(b"\r\nRCPT TO:") == 2 and b"\r\nBDAT " in flight and flight.endswith(b"Hello.\r\n")
    assert mail.verb == "BDAT"


def test_pipelined_data(trip):
    """EXT-PIPELINING-5, OUT-24: without CHUNKING the envelope and DATA are one flight, the content follows the 354."""
    hop = trip.hop(quiet=0.15, flight=b"DATA\r\n", keywords=without("CHUNKING"))
    trip.submit(hop, ["bob", "carol"])
    mail = hop.await_mail()
    flight = next(flight for flight in mail.session.flights if flight.startswith(b"MAIL"))
    assert flight.endswith(b"DATA\r\n") and flight.count(b"RCPT") == 2
    assert mail.verb == "DATA"


def test_one_at_a_time(trip):
    """EXT-PIPELINING-5, OUT-23: without PIPELINING each command waits for its reply."""
    hop = trip.hop(quiet=0.1, keywords=OLD)
    trip.submit(hop, ["bob", "carol"])
    session = hop.await_mail().session
    for flight in session.flights:
        if not flight.endswith(b".\r\n"):
            assert flight.count(b"\r\n") == 1, f"two commands at once: {flight!r}"


def test_chunking_off(trip):
    """OUT-24: chunking = false on a route."""
    hop = trip.hop(kind="data")
    trip.submit(hop)
    assert hop.await_mail().verb == "DATA"


def test_large_by_bdat(trip):
    """OUT-24: content above 256 KiB waits for an accepted recipient."""
    hop = trip.hop(quiet=0.15)
    content = message(body=("x" * 76 + "\r\n") * 5000)
    trip.submit(hop, content=content)
    mail = hop.await_mail()
    flight = next(flight for flight in mail.session.flights if flight.startswith(b"MAIL"))
    assert b"BDAT" not in flight
    assert mail.verb == "BDAT" and mail.body == content.encode().partition(b"\r\n\r\n")[2]


def test_large_refused(trip):
    """OUT-24: when nobody is accepted, large content is not sent at all."""
    hop = trip.hop({"RCPT": "550 5.1.1 no such user"})
    identity = trip.submit(hop, content=message(body=("x" * 76 + "\r\n") * 5000))
    trip.bounce(identity)
    assert hop.octets < 20000


def test_chunk_after_refusals(trip):
    """OUT-24: the reply to a chunk whose recipients were all refused does not count, and RSET follows."""
    hop = trip.hop({"RCPT": "550 5.1.1 no such user"})
    identity = trip.submit(hop)
    _, report = trip.bounce(identity)
    assert "5.1.1" in report.as_string()
    hop.await_line("RSET")


def test_lone_dot(trip):
    """EXT-PIPELINING-5, EXT-PIPELINING-3: all recipients refused but DATA got 354: a lone dot and nothing else."""
    hop = trip.hop({"RCPT": "550 5.1.1 no such user", "DATA": "354 go on then", "EOD": "554 5.5.1 no valid recipients"},
                   keywords=without("CHUNKING"))
    identity = trip.submit(hop)
    trip.bounce(identity)
    assert [mail.wire for mail in hop.attempts] == [b".\r\n"]


def test_content_exact(trip):
    """OUT-15, DATA-6, DATA-2, EXT-8BITMIME-2, SUB-8.2: what was submitted arrives octet by octet, by DATA and by BDAT."""
    body = b".lead\r\n..two\r\n.\r\n" + bytes(range(128, 256)) + b"\r\n" + b"y" * 998 + b"\r\n\r\nlast"
    for kind, verb in (("plain", "BDAT"), ("data", "DATA")):
        hop = trip.hop(kind=kind)
        head = message(body="").encode()
        trip.submit(hop, content=head + body + b"\r\n")
        mail = hop.await_mail()
        assert mail.verb == verb and mail.body == body + b"\r\n"
        assert is_clean(mail.wire)
        if verb == "DATA":
            assert b"\r\n..lead" in mail.wire and b"\r\n...two" in mail.wire and b"\r\n..\r\n" in mail.wire
        assert "BODY=8BITMIME" in mail.parameters


def test_header(trip):
    """MSG-6, MSG-7, MSG-9, MSG-10, MSG-11, MSG-14: what the next hop gets of the header."""
    hop = trip.hop()
    fields = "Received: odd thing\r\nBcc: hidden@example.org\r\nReturn-Path: <x@example.org>\r\n"
    identity = trip.submit(hop, ["bob", "carol"], message(fields=fields))
    header = hop.await_mail().header.decode()
    lines = header.splitlines()
    assert lines[0].startswith("Received: from client.example ([127.9.1.1]) by msa.example.net with ESMTP")
    assert f"id {identity}" in header.replace("\r\n ", " ")
    received = header[:header.index("From:")]
    assert hop.domain not in received and " for " not in received.partition(";")[0]
    assert "Received: odd thing" in header
    for unwanted in ("Bcc", "Return-Path", "hidden@example.org", "Apparently-To", "X-Envelope-To", "Delivered-To"):
        assert unwanted not in header


def test_addresses(trip):
    """GRM-5, GRM-7, GRM-9, GRM-19, CMD-20, SUB-9: addresses leave as they came, but with the least quoting, no trailing dot
    and no source route."""
    hop = trip.hop()
    domain = hop.domain
    client = trip.server.connect("588", source="127.9.1.1")
    client.hello()
    client.expect("MAIL FROM:<Alice@example.net>", "250 2.1.0")
    for path in (f'"bob"@{domain}', f'"a b"@{domain}', f"carol@{domain}.", f"@a.example,@b.example:dave@{domain}",
                 f"Erin.MIXED+tag@{domain}", f"o'neil%x/y@{domain}", f'"q\\"uote"@{domain}'):
        client.expect(f"RCPT TO:<{path}>", "250 2.1.5")
    client.data(message())
    client.quit()
    mail = hop.await_mail()
    assert mail.sender == "Alice@example.net"
    assert mail.addresses == [f"bob@{domain}", f'"a b"@{domain}', f"carol@{domain}", f"dave@{domain}", f"Erin.MIXED+tag@{domain}",
                              f"o'neil%x/y@{domain}", f'"q\\"uote"@{domain}']


def test_postmaster(trip):
    """SUB-4.2-1, CMD-20: postmaster without a domain goes to the one of this site."""
    client = trip.server.connect("588", source="127.9.1.1")
    client.hello()
    identity = client.mail("alice@example.net", ["PostMaster"], message(to="postmaster@msa.example.net"))
    client.quit()
    assert b"Delivered-To: postmaster@msa.example.net" in trip.server.await_mail(identity)


def test_duplicate_recipient(trip):
    """CMD-33: the same recipient twice is one RCPT."""
    hop = trip.hop()
    trip.submit(hop, ["bob", f"bob@{hop.domain.upper()}"])
    assert len(hop.await_mail().recipients) == 1


def test_together(trip):
    """QUE-8, QUE-14: recipients at one place share one transaction."""
    hop = trip.hop()
    trip.submit(hop, [f"user{number}" for number in range(100)])
    assert len(hop.await_mail().recipients) == 100 and len(hop.mails) == 1


def test_hundred_and_one(trip):
    """QUE-8: at most a hundred in one transaction."""
    hop = trip.hop()
    trip.submit(hop, [f"user{number}" for number in range(101)])
    first, second = hop.await_mails(2)
    assert sorted([len(first.recipients), len(second.recipients)]) == [1, 100]


def test_limits(trip):
    """EXT-LIMITS-3: transactions are split by the hop's RCPTMAX."""
    hop = trip.hop(keywords=(*KEYWORDS, "LIMITS MAILMAX=2 RCPTMAX=10"))
    trip.submit(hop, [f"user{number}" for number in range(25)])
    mails = hop.await_mails(3)
    assert sorted(len(mail.recipients) for mail in mails) == [5, 10, 10]
    for session in hop.sessions:
        assert sum(line.startswith("MAIL") for line in session.lines) <= 2


@pytest.mark.parametrize("words", ["RCPTMAX=0", "RCPTMAX=1234567", "RCPTMAX=x", "RCPTMAX", "=5", "NONSENSE=1 RCPTMAX=05"])
def test_limits_malformed(trip, words):
    """EXT-LIMITS-3: a limit that is none is ignored."""
    hop = trip.hop(keywords=(*KEYWORDS, f"LIMITS {words}"))
    trip.submit(hop, [f"user{number}" for number in range(20)])
    assert len(hop.await_mail().recipients) == 20


def test_limits_newest(trip):
    """EXT-LIMITS-3, OTLS-1: what was said before TLS does not count; the newest EHLO wins."""
    hop = trip.hop(tls="starttls", keywords=lambda session: KEYWORDS if session.is_tls else (*KEYWORDS, "LIMITS RCPTMAX=1"))
    trip.submit(hop, [f"user{number}" for number in range(5)])
    assert len(hop.await_mail().recipients) == 5


def test_parameters_only_where_listed(trip):
    """OUT-23, EXT-SMTPUTF8-6: SIZE, BODY, SMTPUTF8 and all others go out only to hops that list them, and only if needed."""
    eight = message(body="caf\u00e9\r\n").encode()
    cases = [(KEYWORDS, message(), {"SIZE"}), (without("SIZE"), message(), set()), (KEYWORDS, eight, {"SIZE", "BODY"}),
             (without("SIZE"), eight, {"BODY"}), (without("8BITMIME", "SIZE", "SMTPUTF8"), message(), set()),
             ((*KEYWORDS, "DSN", "REQUIRETLS", "DELIVERBY", "MTRK", "FUTURERELEASE 10 2030-01-01T00:00:00Z", "MT-PRIORITY", "AUTH PLAIN",
               "BINARYMIME", "RRVS"), message(), {"SIZE"})]
    for keywords, content, wanted in cases:
        hop = trip.hop(keywords=keywords)
        trip.submit(hop, content=content)
        mail = hop.await_mail()
        assert {word.split("=")[0] for word in mail.parameters.split()} == wanted
        assert mail.recipients[0][1] == ""


def test_size(trip):
    """EXT-SIZE-6: the size is told; what is above the hop's limit is not sent, for good."""
    hop = trip.hop()
    trip.submit(hop)
    mail = hop.await_mail()
    size = int(dict(word.split("=") for word in mail.parameters.split())["SIZE"])
    assert size >= len(mail.content)
    small = trip.hop(keywords=("PIPELINING", "SIZE 1000"))
    identity = trip.submit(small, content=message(body="x" * 70 + "\r\n" * 1000))
    text, _ = trip.bounce(identity)
    assert b"Status: 5.3.4" in text
    assert not any(line.startswith(("DATA", "MAIL")) for line in small.heard())


@pytest.mark.parametrize("keyword", ["SIZE", "SIZE 0", "SIZE x", "SIZE 99999999999999999999999"])
def test_size_unknown(trip, keyword):
    """EXT-SIZE-6: no limit, or none that can be read."""
    hop = trip.hop(keywords=("PIPELINING", keyword))
    trip.submit(hop)
    hop.await_mail()


def test_8bit_refused(trip):
    """EXT-8BITMIME-3: never eight bits to a hop without 8BITMIME."""
    hop = trip.hop(keywords=("PIPELINING", "CHUNKING"))
    identity = trip.submit(hop, content=message(body="caf\u00e9\r\n"))
    text, _ = trip.bounce(identity)
    assert b"Status: 5.6.3" in text and not hop.attempts


def test_smtputf8(trip):
    """EXT-SMTPUTF8-6, EXT-SMTPUTF8-8, EXT-SMTPUTF8-10: sent where something needs it; our own name stays ASCII."""
    hop = trip.hop()
    trip.submit(hop, ["\u03b4\u03ad\u03bb\u03c4\u03b1"], parameters="SMTPUTF8")
    mail = hop.await_mail()
    assert "SMTPUTF8" in mail.parameters.split() and mail.addresses == [f"\u03b4\u03ad\u03bb\u03c4\u03b1@{hop.domain}"]
    assert mail.session.lines[0].isascii()
    plain = trip.hop()
    trip.submit(plain, parameters="SMTPUTF8")
    assert "SMTPUTF8" not in plain.await_mail().parameters


def test_smtputf8_refused(trip):
    """EXT-SMTPUTF8-7, DSN-12, DSN-13: that recipient alone fails at a hop without it: 5.6.7 for addresses, 5.6.9 for headers."""
    hop = trip.hop(keywords=without("SMTPUTF8"))
    identity = trip.submit(hop, ["\u03b4", "bob"], message(), parameters="SMTPUTF8")
    text, _ = trip.bounce(identity)
    assert b"Status: 5.6.7" in text and hop.await_mail().addresses == [f"bob@{hop.domain}"]
    header = trip.hop(keywords=without("SMTPUTF8"))
    identity = trip.submit(header, content=message(subject="\u03b4"), parameters="SMTPUTF8 BODY=8BITMIME")
    text, _ = trip.bounce(identity)
    assert b"Status: 5.6.9" in text and not header.attempts


def test_reuse(trip, hasty):
    """OUT-17: one connection carries several messages; it is closed when idle."""
    hop = trip.hop()
    for count in range(1, 5):
        trip.submit(hop)
        hop.await_mails(count)    # two at once may take a connection each
    assert len(hop.sessions) == 1
    hop = hasty.hop()
    hasty.submit(hop)
    hop.await_line("QUIT")


def test_reuse_after_failure(trip):
    """OUT-17: RSET between a failure and what follows on the same connection."""
    hop = trip.hop({"MAIL": lambda session, argument: "550 5.7.1 not you" if "evil" in argument else None})
    first = trip.submit(hop, sender="evil@example.net")
    trip.bounce(first)
    trip.submit(hop)
    hop.await_mail()
    lines = hop.sessions[0].lines
    if len(hop.sessions) == 1:
        assert "RSET" in lines[:max(at for at, line in enumerate(lines) if line.startswith("MAIL"))]


def test_stale_connection(trip):
    """OUT-17, OUT-13: a pooled connection that the hop closed in the meantime costs nothing."""
    hop = trip.hop({"EOD": Turns(Last("250 2.0.0 taken"), None)})
    trip.submit(hop)
    hop.await_mails(1)
    trip.submit(hop)
    hop.await_mails(2)


def test_lines_never_too_long(trip):
    """OUT-25, GRM-13: no line above 998 octets leaves, whatever came."""
    hop = trip.hop()
    trip.submit(hop, content=message(fields="References: " + " ".join(f"<{number:060}@example.net>" for number in range(12)) + "\r\n"))
    assert all(len(line) <= 998 for line in hop.await_mail().content.split(b"\r\n"))


def test_lmtp(trip):
    """OUT-20: LHLO, and a result for each recipient."""
    def end(_session, address):
        return "550 5.2.1 mailbox disabled" if address.startswith("carol") else "451 4.2.0 later" if address.startswith("dave") else None
    hop = trip.hop({"EOD": end}, kind="lmtp")
    identity = trip.submit(hop, ["bob", "carol"])
    mail = hop.await_mail()
    assert mail.session.lines[0] == "LHLO msa.example.net" and mail.addresses == [f"bob@{hop.domain}"]
    text, _ = trip.bounce(identity)
    assert f"Final-Recipient: rfc822; carol@{hop.domain}".encode() in text and b"Status: 5.2.1" in text
    assert f"Final-Recipient: rfc822; bob@{hop.domain}".encode() not in text


def test_lmtp_partly_later(trip):
    """OUT-20, QUE-12: only who was put off is tried again."""
    later = Turns("451 4.2.0 later", "250 2.0.0 now")
    hop = trip.hop({"EOD": lambda _session, address: later if address.startswith("dave") else None}, kind="lmtp")
    trip.submit(hop, ["bob", "dave"])
    first, second = hop.await_mails(2)
    assert first.addresses == [f"bob@{hop.domain}"] and second.addresses == [f"dave@{hop.domain}"]


def test_lmtp_unix(trip):
    """OUT-20: over a unix socket, by BDAT or DATA."""
    for keywords in (KEYWORDS, ("PIPELINING", "8BITMIME")):
        hop = trip.hop(kind="unix", keywords=keywords)
        trip.submit(hop)
        assert b"Hello." in hop.await_mail().content


def test_remote_rubbish_in_log(trip):
    """OUT-10: control characters of a reply reach neither log nor bounce."""
    hop = trip.hop({"RCPT": b"550 5.1.1 no \x1b[31mred\x07\x00\xff such user\r\n"})
    identity = trip.submit(hop)
    text, _ = trip.bounce(identity)
    assert b"\x1b" not in text and b"\x07" not in text and b"\0" not in text
    log = trip.server.log()
    assert "\x1b" not in log and "\x07" not in log

