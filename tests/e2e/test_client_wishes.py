"""e2e/test_client_wishes.py: what mail programs that people use ask for at MAIL and RCPT is kept, shown by submitctl, and
comes out at the next hop, with the message as it was."""
import asyncio
import re
import smtplib
import ssl
import time

import aiosmtplib
import pytest

from e2e import nodemailer
from e2e.mail import BODY, SHORT, USER, content, write_message
from e2e.postfix import Postfix
from e2e.programs import body_of, digest, fields_of, need, run
from rig.hop import KEYWORDS
from rig.patience import PATIENCE
from rig.server import PASSWORD

KNOWN = [*KEYWORDS, "DSN", "DELIVERBY", "MT-PRIORITY", "MTRK", "RRVS", "CONPERM", "NO-SOLICITING", "REQUIRETLS"]
TO = "bob@hop.example"
CERTIFIER = "a" * 27


class Way:
    """The server, and a next hop that takes nothing until it is told to."""

    def __init__(self, shared):
        self.is_open = False
        self.hop = shared.hop({"MAIL": lambda session, argument: None if self.is_open else "451 4.3.0 later"}, keywords=KNOWN, tls="starttls")
        self.server = shared.server("wishes", start=False, sections={
            "queue": "retry = { 3600 }  retry_connect = { 3600 }  delay_notice = 0  dead_host = 0",
            "extensions": 'deliverby = true  futurerelease = true  requiretls = true  mt_priority = true  rrvs = true  mtrk = true  '
                          f'conperm = true  no_soliciting = {{ "net.example:ADV" }}  mt_priority_users = {{ "{USER}" }}'})
        self.server.routes = {"*": f'via = "smtp"  to = "{self.hop.address}"  tls = "may"'}
        self.server.write_conf()
        self.server.start()
        self.context = ssl.create_default_context(cafile=self.server.certificate)

    def shown(self):
        """Of the one message that waits, what submitctl queue show says."""
        def waits(queued):
            return len(queued) == 1 and all(one["state"] == "deferred" for one in queued[0]["recipients"])
        row, = self.server.await_queue(waits)
        return self.server.json("queue", "show", row["id"])

    def passed_on(self, identity):
        """Lets it go on; as it arrives at the hop."""
        count = len(self.hop.mails)
        self.is_open = True
        self.server.ctl("queue", "retry", identity)
        mail = self.hop.await_mails(count + 1)[-1]
        self.server.await_empty()
        return mail

    def check(self, subject, mail_words, rcpt_words, shown, body=BODY, recipients=(TO,), **shown_each):
        """What was asked for stands in the queue, and comes out with the message."""
        row = self.shown()
        assert {name: row.get(name) for name in shown} == shown
        assert [one["address"] for one in row["recipients"]] == list(recipients)
        for one in row["recipients"]:
            assert {name: one.get(name) for name in shown_each} == shown_each
        mail = self.passed_on(row["id"])
        assert mail.sender == USER and mail.addresses == list(recipients)
        words = mail.parameters.split(" ")
        assert set(mail_words) <= set(words), f"{mail_words} wanted, {words} heard"
        for _, parameters in mail.recipients:
            assert set(parameters.split()) == set(rcpt_words)
        assert fields_of(mail.content, "Subject") == [subject]
        assert digest(body_of(mail.content)) == digest(body), mail.body[:300]
        return mail


@pytest.fixture(scope="module")
def made(shared):
    return Way(shared)


@pytest.fixture
def way(made):
    made.is_open = False
    yield made
    made.server.run_ctl("queue", "delete", "--all")


DSN = ["RET=HDRS", "ENVID=QQ+2B314159"]
DSN_EACH = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2Bx@example.org"]
DSN_SHOWN = {"ret": "HDRS", "envid": "QQ+2B314159"}
DSN_SHOWN_EACH = {"notify": ["SUCCESS", "FAILURE"], "orcpt": "rfc822;Bob+2Bx@example.org"}

# MTRK wants an ENVID that is unique in the world.
MORE = ["RET=FULL", "ENVID=1@h.example", "BY=900;NT", "MT-PRIORITY=3", f"MTRK={CERTIFIER}:86400", "SOLICIT=org.example:X", "CONPERM", "REQUIRETLS", "BODY=8BITMIME"]
MORE_EACH = ["RRVS=2024-05-01T00:00:00Z;C"]
MORE_SHOWN = {"ret": "FULL", "envid": "1@h.example", "deliver_by_mode": "NT", "priority": 3, "mtrk": CERTIFIER, "mtrk_timeout": 86400,
              "solicit": "org.example:X", "conperm": True, "requiretls": True}


def check_more(mail):
    """What counts down on its way."""
    words = dict(word.partition("=")[::2] for word in mail.parameters.split())
    left, _, mode = words["BY"].partition(";")
    assert 800 <= int(left) <= 900 and mode == "NT"
    assert re.fullmatch(rf"{CERTIFIER}:8[56]\d\d\d", words["MTRK"])
    assert words["MT-PRIORITY"] == "3" and words["SOLICIT"] == "org.example:X" and "CONPERM" in words and "REQUIRETLS" in words


def smtp(way, kind=smtplib.SMTP_SSL):
    client = kind("localhost", way.server.ports["465"], context=way.context, timeout=PATIENCE)
    client.login(USER, PASSWORD)
    return client


def test_smtplib(way):
    """EXT-DSN-2, EXT-DSN-3, EXT-DSN-4, EXT-DSN-7, AUTH-21, AUTH-22: Python's smtplib. AUTH= is taken and not believed."""
    with smtp(way) as client:
        assert not client.sendmail(USER, [TO], content("smtplib-dsn"), [*DSN, "BODY=8BITMIME", "AUTH=e+3Dmc2@example.com"], DSN_EACH)
    mail = way.check("smtplib-dsn", DSN, DSN_EACH, DSN_SHOWN, **DSN_SHOWN_EACH)
    assert "AUTH=" not in mail.parameters.replace("AUTH=<>", "")


def test_smtplib_every(way):
    """EXT-DELIVERBY-1, EXT-MTPRI-1, EXT-MTPRI-4, EXT-MTRK-1, EXT-NOSOL-2, EXT-CONPERM-1, EXT-RRVS-1, RTLS-2, RTLS-3: all that can be
    asked for, in one command."""
    fields = "Solicitation: org.example:X\r\n"
    with smtp(way) as client:
        assert not client.sendmail(USER, [TO], content("smtplib-every", fields=fields), MORE, [*DSN_EACH, *MORE_EACH])
    check_more(way.check("smtplib-every", MORE[:2], [*DSN_EACH, *MORE_EACH], MORE_SHOWN, rrvs="2024-05-01T00:00:00Z;C", **DSN_SHOWN_EACH))


def test_smtplib_refused(way):
    """CMD-25, CMD-26, EXT-DSN-5: a parameter that is wrong is refused with its reason, and smtplib says so; nothing is queued."""
    for words, code in ((["RET=ALL"], 501), (["ENVID=a", "ENVID=b"], 501), (["FOO=1"], 555), (["MT-PRIORITY=10"], 501)):
        with smtp(way) as client:
            with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
                client.sendmail(USER, [TO], content("smtplib-refused"), words)
        assert refusal.value.smtp_code == code and re.match(rb"5\.\d\.\d ", refusal.value.smtp_error), refusal.value
    assert way.server.queue() == []


def aio_send(way, *arguments):
    async def send():
        client = aiosmtplib.SMTP("localhost", way.server.ports["465"], use_tls=True, tls_context=way.context, timeout=PATIENCE)
        async with client:
            await client.login(USER, PASSWORD)
            return await client.sendmail(USER, *arguments)
    refused, reply = asyncio.run(send())
    assert not refused and "queued as" in reply


def test_aiosmtplib(way):
    """EXT-DSN-2, EXT-DSN-3, EXT-DSN-4, EXT-DSN-7, EXT-DELIVERBY-1: aiosmtplib."""
    fields = "Solicitation: org.example:X\r\n"
    aio_send(way, [TO], content("aiosmtplib-every", fields=fields), MORE, [*DSN_EACH, *MORE_EACH])
    check_more(way.check("aiosmtplib-every", MORE[:2], [*DSN_EACH, *MORE_EACH], MORE_SHOWN, **DSN_SHOWN_EACH))


def test_aiosmtplib_utf8(way):
    """EXT-SMTPUTF8-2, EXT-SMTPUTF8-3, EXT-DSN-13: addresses beyond ASCII, also in ORCPT."""
    orcpt = r"ORCPT=utf-8;j\x{FC}rgen@b\x{FC}cher.example"
    aio_send(way, ["jürgen@hop.example"], content("Grüße-aio"), ["SMTPUTF8", "BODY=8BITMIME", *DSN], [orcpt])
    row = way.shown()
    assert row["recipients"][0]["address"] == "jürgen@hop.example" and row["recipients"][0]["orcpt"] == orcpt.partition("=")[2], row
    mail = way.passed_on(row["id"])
    assert "SMTPUTF8" in mail.parameters.split() and mail.recipients == [("jürgen@hop.example", orcpt)]
    assert "Subject: Grüße-aio".encode() in mail.content and body_of(mail.content) == BODY


def test_aiosmtplib_later(way):
    """EXT-FUTURE-2, EXT-FUTURE-3: held as long as was asked for, and not sent before."""
    way.is_open = True
    aio_send(way, [TO], content("aiosmtplib-much-later"), ["HOLDFOR=600"])
    row, = way.server.await_queue(lambda queued: len(queued) == 1)
    assert way.server.json("queue", "show", row["id"])["release"]
    way.server.ctl("queue", "delete", row["id"])
    count, begin = len(way.hop.mails), time.monotonic()
    aio_send(way, [TO], content("aiosmtplib-later"), ["HOLDFOR=2"])
    mail = way.hop.await_mails(count + 1)[-1]
    assert time.monotonic() - begin >= 2 and b"aiosmtplib-later" in mail.header and "HOLD" not in mail.parameters
    way.server.await_empty()


# swaks has no word for parameters, but leaves an address as it is, and xtext may end with the ">" that it adds.

def test_swaks(way):
    """EXT-DSN-2, EXT-DSN-3, EXT-DSN-4, EXT-DSN-7, EXT-PIPELINING-1: swaks, the envelope in one flight."""
    need("swaks")
    said = run("swaks", "--server", "127.0.0.1", "--port", way.server.ports["587"], "--tls", "--tls-verify", "--tls-ca-path", way.server.certificate,
               "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD, "--from", f"{USER}> RET=HDRS ENVID=swaks",
               "--to", f"{TO}> NOTIFY=DELAY ORCPT=rfc822;bob@example.org", "--pipeline", "--data", "-",
               stdin=content("swaks-dsn", SHORT).replace(b"\r\n", b"\n"))
    assert f"MAIL FROM:<{USER}> RET=HDRS ENVID=swaks>" in said
    way.check("swaks-dsn", ["RET=HDRS", "ENVID=swaks>"], ["NOTIFY=DELAY", "ORCPT=rfc822;bob@example.org>"], {"ret": "HDRS", "envid": "swaks>"},
              SHORT + b"\r\n", notify=["DELAY"], orcpt="rfc822;bob@example.org>")


# curl

def curl(way, path, *words, sender=USER, to=TO):
    return run("curl", "-sS", "--ssl-reqd", "--cacert", way.server.certificate, "--url", f"smtps://localhost:{way.server.ports['465']}", "--user",
               f"{USER}:{PASSWORD}", "--mail-from", sender, "--mail-rcpt", to, "--upload-file", path, *words)


def test_curl_mail_auth(way, tmp_path):
    """AUTH-21, AUTH-22: AUTH=<> at MAIL is taken. An address curl writes in angle brackets and not in xtext, which RFC 4954 section
    5 does not know; it hears so."""
    need("curl")
    curl(way, write_message(tmp_path, content("curl-auth")), "--mail-auth", "<>")
    way.check("curl-auth", [], [], {})
    with pytest.raises(AssertionError, match="exit 55(.|\n)*501"):
        curl(way, write_message(tmp_path, content("curl-auth")), "--mail-auth", "carol@example.com")


def test_curl_utf8(way, tmp_path):
    """EXT-SMTPUTF8-2, EXT-SMTPUTF8-3: curl asks for SMTPUTF8 by itself when an address needs it."""
    need("curl")
    curl(way, write_message(tmp_path, content("curl-Grüße")), to="jürgen@hop.example")
    row = way.shown()
    mail = way.passed_on(row["id"])
    assert "SMTPUTF8" in mail.parameters.split() and mail.addresses == ["jürgen@hop.example"]
    assert body_of(mail.content) == BODY and "Subject: curl-Grüße".encode() in mail.content


# msmtp

def test_msmtp(way):
    """EXT-DSN-2, EXT-DSN-4, EXT-DSN-7: msmtp's words for DSN, for two recipients."""
    need("msmtp")
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={way.server.ports['465']}", "--tls=on", "--tls-starttls=off",
        f"--tls-trust-file={way.server.certificate}", "--auth=scram-sha-256", f"--user={USER}", f"--passwordeval=echo '{PASSWORD}'", f"--from={USER}",
        "--dsn-notify=failure,delay", "--dsn-return=headers", "--", TO, "carol@hop.example", stdin=content("msmtp-dsn").replace(b"\r\n", b"\n"))
    way.check("msmtp-dsn", ["RET=HDRS"], ["NOTIFY=FAILURE,DELAY"], {"ret": "HDRS"}, recipients=(TO, "carol@hop.example"), notify=["FAILURE", "DELAY"])


# Perl's Net::SMTP

PERL = r"""
use strict;
use warnings;
use Net::SMTP;
use Authen::SASL qw(Perl);
my ($port, $ca, $user, $password, $to) = @ARGV;
my $content = do { local $/; <STDIN> };
my $smtp = Net::SMTP->new('localhost', Port => $port, Hello => 'client.example', SSL => 1, SSL_ca_file => $ca, Timeout => 30)
    or die "no connection: $@";
$smtp->auth($user, $password) or die 'auth: ' . $smtp->message;
$smtp->mail($user, Return => 'HDRS', Envelope => 'QQ+314159', Bits => '8', Size => 20000) or die 'mail: ' . $smtp->message;
$smtp->recipient($to, { Notify => ['SUCCESS', 'FAILURE'], ORcpt => 'rfc822;Bob+2Bx@example.org' }) or die 'to: ' . $smtp->message;
$smtp->data($content) or die 'data: ' . $smtp->message;
$smtp->quit;
"""


def test_perl(way):
    """EXT-DSN-2, EXT-DSN-3, EXT-DSN-4, EXT-DSN-7, EXT-SIZE-2: Net::SMTP."""
    need("perl")
    run("perl", "-e", PERL, way.server.ports["465"], way.server.certificate, USER, PASSWORD, TO, stdin=content("perl-dsn"))
    way.check("perl-dsn", DSN, DSN_EACH, DSN_SHOWN, **DSN_SHOWN_EACH)


# Postfix on somebody's machine, which sends all its mail through the submission server. Its logins are made by Cyrus SASL.

RELAY = """
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
default_transport = smtp:[localhost]:{port}
smtp_host_lookup = native
smtp_tls_security_level = verify
smtp_tls_CAfile = {ca}
smtp_tls_verify_cert_match = hostname
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:{{{user}:{password}}}
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = {mechanism}
"""


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "plain"])
def test_postfix(way, mechanism):
    """SASL-2, AUTH-4, EXT-DSN-7, EXT-PIPELINING-1: Postfix passes on what it was asked for, logged in by SCRAM of Cyrus SASL."""
    postfix = Postfix(["none.example"], extra=RELAY.format(port=way.server.ports["587"], ca=way.server.certificate, user=USER,
                                                           password=PASSWORD, mechanism=mechanism))
    try:
        postfix.start()
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=PATIENCE) as client:
            assert not client.sendmail(USER, [TO], content(f"postfix-{mechanism}"), [*DSN, "BODY=8BITMIME"], DSN_EACH)
        row = way.shown()
        assert {name: row.get(name) for name in DSN_SHOWN} == DSN_SHOWN, postfix.log()
        way.check(f"postfix-{mechanism}", DSN, DSN_EACH, DSN_SHOWN, **DSN_SHOWN_EACH)
        assert f"mechanism={mechanism.upper()}" in way.server.log()
    finally:
        postfix.stop()


# Nodemailer

NODE_AUTH = {"user": USER, "pass": PASSWORD}


def node(way, message, **transport):
    done, = nodemailer.send(way.server, NODE_AUTH, [message], **transport)
    assert done.get("response", "").startswith("250 2.0.0"), done


def test_nodemailer(way):
    """EXT-DSN-2, EXT-DSN-3, EXT-DSN-4, EXT-DSN-7, RTLS-2, RTLS-9: Nodemailer's words for DSN and REQUIRETLS."""
    node(way, {"envelope": {"from": USER, "to": [TO], "requireTLSExtensionEnabled": True,
                            "dsn": {"id": "QQ+314159", "return": "headers", "notify": ["success", "failure"], "recipient": "Bob+x@example.org"}},
               "raw": content("nodemailer-dsn").decode()})
    way.check("nodemailer-dsn", [*DSN, "REQUIRETLS"], DSN_EACH, {**DSN_SHOWN, "requiretls": True}, **DSN_SHOWN_EACH)


def test_nodemailer_utf8(way):
    """EXT-SMTPUTF8-2, EXT-SMTPUTF8-3, EXT-8BITMIME-2: a message that Nodemailer makes itself, with an attachment, addresses and
    header beyond ASCII."""
    node(way, {"from": USER, "to": "jürgen@hop.example", "subject": "Grüße \U0001f4ee", "text": "Hällo.", "html": "<p>Hällo.</p>",
               "attachments": [{"filename": "ä.bin", "content": "AAECA/8=", "encoding": "base64"}]})
    row = way.shown()
    assert row["recipients"][0]["address"] == "jürgen@hop.example"
    mail = way.passed_on(row["id"])
    assert "SMTPUTF8" in mail.parameters.split() and mail.addresses == ["jürgen@hop.example"]
    assert b"AAECA/8=" in mail.content and "Hällo.".encode() in mail.content or b"H=C3=A4llo." in mail.content


def test_nodemailer_refused(way):
    """RTLS-1, CMD-25: what is not offered Nodemailer does not ask for; one bad recipient of two is told with its code."""
    done, = nodemailer.send(way.server, NODE_AUTH, [{"envelope": {"from": USER, "to": [TO, "nobody@localhost..example"]},
                                                     "raw": content("nodemailer-partly").decode()}])
    assert done["accepted"] == [TO] and done["rejected"] == ["nobody@localhost..example"], done
    way.check("nodemailer-partly", [], [], {})
