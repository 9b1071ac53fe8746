"""relay/test_tls.py: TLS to the next hop, and logins there."""
import pytest

from rig.hop import KEYWORDS, Drop, Turns
from rig.server import shared_certificate


def test_opportunistic(trip):
    """OTLS-1: STARTTLS wherever it is offered, whatever the certificate; EHLO again afterwards."""
    hop = trip.hop(tls="starttls")
    identity = trip.submit(hop)
    mail = hop.await_mail()
    assert mail.is_tls and [line.split()[0] for line in mail.session.lines[:4]] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
    trip.await_closed(identity)
    events = trip.server.trace(identity)["events"]
    attempt = next(event for event in events if event["event"] == "attempt")
    assert attempt["tls_version"] == "TLSv1.3" and attempt["tls_cipher"]


def test_not_offered(trip):
    """OTLS-1, OUT-18: without the offer, in clear; with tls = none, in clear all the same."""
    hop = trip.hop()
    trip.submit(hop)
    assert not hop.await_mail().is_tls
    hop = trip.hop(kind="clear", tls="starttls")
    trip.submit(hop)
    mail = hop.await_mail()
    assert not mail.is_tls and "STARTTLS" not in mail.session.lines


@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "502 5.5.1 what?"])
def test_fallback(trip, answer):
    """OTLS-1, OUT-16: where TLS is only a bonus and fails, a new connection goes in clear."""
    hop = trip.hop({"STARTTLS": answer}, tls="starttls", patience=3)
    trip.submit(hop)
    mail = hop.await_mail()
    assert not mail.is_tls and len(hop.sessions) >= 2


def test_injection(trip):
    """OTLS-6: clear text behind the 220 is dropped with its connection, never read as if it were secured."""
    hop = trip.hop({"STARTTLS": Turns(b"220 2.0.0 go\r\n250-evil\r\n250 SIZE 1\r\n", None)}, tls="starttls", patience=3)
    trip.submit(hop)
    hop.await_mail()
    assert hop.sessions[0].mail is None and len(hop.sessions) >= 2


def test_forgotten(trip):
    """OTLS-1: what was said in clear is forgotten."""
    hop = trip.hop(tls="starttls", keywords=lambda session: ("8BITMIME",) if session.is_tls else (*KEYWORDS, "SIZE 10"))
    trip.submit(hop)
    mail = hop.await_mail()
    assert mail.parameters == "" and mail.verb == "DATA"


def test_verified(trip):
    """OUT-18, OUT-19: verify: only with a certificate that is good for the name."""
    hop = trip.hop(kind="verify", tls="starttls")
    trip.submit(hop)
    mail = hop.await_mail()
    assert mail.is_tls and mail.session.sni == "localhost"


def test_not_verified(trip):
    """OUT-18, OUT-19: a certificate for another name, or of another issuer, or none: not a word of the message; it waits."""
    other = shared_certificate("rsa", "mail.example.net")
    for settings, status in (({"tls": "starttls", "certificate": other}, "4.7.5"), ({}, "4.7.4"),
                             ({"tls": "starttls", "script": {"STARTTLS": "454 4.7.0 no"}}, "4.7.4")):
        hop = trip.hop(settings.pop("script", None), kind="verify", **settings)
        identity = trip.submit(hop)
        trip.await_state(identity, "deferred")
        show = trip.server.json("queue", "show", identity)
        assert show["recipients"][0]["status"] == status
        assert not any(line.startswith("MAIL") for line in hop.heard())
        trip.server.ctl("queue", "delete", identity)


@pytest.mark.parametrize("mechanisms", ["SCRAM-SHA-256 PLAIN", "PLAIN LOGIN"])
def test_login(trip, mechanisms):
    """OUT-18, OUT-19, AUTH-22: login over verified TLS with the best mechanism; then AUTH=<> on MAIL."""
    credentials = {"relayuser": "relay secret"}
    hop = trip.hop(kind="login", tls="starttls", credentials=credentials, mechanisms=mechanisms)
    trip.submit(hop)
    mail = hop.await_mail()
    assert mail.is_tls and mail.session.user == "relayuser" and "AUTH=<>" in mail.parameters.split()
    used = next(line.split()[1] for line in mail.session.lines if line.startswith("AUTH"))
    assert used == mechanisms.split()[0]


def test_login_refused(trip):
    """OUT-19: a wrong password is the operator's to mend: the mail waits; nothing secret is logged."""
    hop = trip.hop(kind="login", tls="starttls", credentials={"relayuser": "something else"})
    identity = trip.submit(hop)
    trip.await_state(identity, "deferred")
    assert not any(line.startswith("MAIL") for line in hop.heard())
    assert "relay secret" not in trip.server.log()
    hop.credentials["relayuser"] = "relay secret"
    hop.await_mail()


def test_login_only_when_verified(trip):
    """OUT-19: no certificate that is good, no credentials."""
    hop = trip.hop(kind="login", tls="starttls", certificate=shared_certificate("rsa", "mail.example.net"),
                   credentials={"relayuser": "relay secret"}, is_loose=True)
    identity = trip.submit(hop)
    trip.await_state(identity, "deferred")
    clear = trip.hop(kind="login", credentials={"relayuser": "relay secret"}, is_loose=True)
    identity = trip.submit(clear)
    trip.await_state(identity, "deferred")
    for sink in (hop, clear):
        assert not any(line.startswith(("AUTH", "MAIL")) for line in sink.heard())
