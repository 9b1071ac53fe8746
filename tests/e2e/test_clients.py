"""e2e/test_clients.py: mail programs that people use hand over mail: each logs in over TLS, and what it sent arrives in a
Maildir with the body as it was and the header completed."""
import smtplib
import ssl

import pytest

from e2e.mail import BODY, SHORT, TO, USER, check_delivered, content, write_message
from e2e.programs import eight_bit, need, run
from rig.patience import PATIENCE
from rig.server import PASSWORD


@pytest.fixture(scope="module")
def server(shared):
    return shared.server("clients")


@pytest.mark.parametrize("login", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_curl(server, tmp_path, way, login):
    """AUTH-4, TLS-1, DATA-1: curl, by STARTTLS and by implicit TLS, the certificate verified."""
    need("curl")
    subject = f"curl-{way}-{login}"
    path = write_message(tmp_path, content(subject))
    where = f"smtp://localhost:{server.ports['587']}" if way == "starttls" else f"smtps://localhost:{server.ports['465']}"
    run("curl", "-sS", "--ssl-reqd", "--cacert", server.certificate, "--url", where, "--login-options", f"AUTH={login}",
        "--user", f"{USER}:{PASSWORD}", "--mail-from", USER, "--mail-rcpt", TO, "--upload-file", path)
    check_delivered(server, subject)


def test_curl_wrong_password(server, tmp_path):
    """A wrong password is refused, and curl says so."""
    need("curl")
    path = write_message(tmp_path, content("curl-refused"))
    with pytest.raises(AssertionError, match="exit 67"):
        run("curl", "-sS", "--ssl-reqd", "--cacert", server.certificate, "--url", f"smtps://localhost:{server.ports['465']}",
            "--user", f"{USER}:wrong", "--mail-from", USER, "--mail-rcpt", TO, "--upload-file", path)


@pytest.mark.parametrize("login", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_swaks(server, way, login):
    """swaks, by both kinds of TLS, with a pipelined envelope."""
    need("swaks")
    subject = f"swaks-{way}-{login}"
    port, flag = (server.ports["587"], "--tls") if way == "starttls" else (server.ports["465"], "--tlsc")
    said = run("swaks", "--server", "127.0.0.1", "--port", port, flag, "--tls-verify", "--tls-ca-path", server.certificate,
               "--auth", login, "--auth-user", USER, "--auth-password", PASSWORD, "--from", USER, "--to", TO,
               "--data", "-", "--pipeline", stdin=content(subject, SHORT).replace(b"\r\n", b"\n"))
    assert "235 2.7.0" in said and "250 2.0.0" in said
    check_delivered(server, subject, swaks_body(SHORT))


def swaks_body(body):
    """swaks ends the data with an empty line of its own."""
    return body + b"\r\n"


@pytest.mark.parametrize("login", ["scram-sha-256", "plain", "login"])
@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_msmtp(server, tmp_path, way, login):
    """SASL-2, SASL-5, AUTH-4: msmtp with SCRAM-SHA-256 by GNU SASL, and with the simple mechanisms."""
    need("msmtp")
    subject = f"msmtp-{way}-{login}"
    port, starttls = (server.ports["587"], "on") if way == "starttls" else (server.ports["465"], "off")
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}", "--tls=on", f"--tls-starttls={starttls}", f"--tls-trust-file={server.certificate}",
        f"--auth={login}", f"--user={USER}", f"--passwordeval=echo '{PASSWORD}'", f"--from={USER}", "--", TO,
        stdin=content(subject).replace(b"\r\n", b"\n"))
    check_delivered(server, subject, completed=False)


def test_msmtp_many(server, tmp_path):
    """The recipients of a real message header, blind ones too, as `msmtp -t` reads them."""
    need("msmtp")
    octets = content("msmtp-header").replace(b"\r\n", b"\n")
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={server.ports['465']}", "--tls=on", "--tls-starttls=off",
        f"--tls-trust-file={server.certificate}", "--auth=plain", f"--user={USER}", f"--passwordeval=echo '{PASSWORD}'", f"--from={USER}",
        "--read-recipients", stdin=octets)
    check_delivered(server, "msmtp-header", completed=False)


def log_in(server, way):
    context = ssl.create_default_context(cafile=server.certificate)
    if way == "implicit":
        client = smtplib.SMTP_SSL("localhost", server.ports["465"], context=context, timeout=PATIENCE)
    else:
        client = smtplib.SMTP("localhost", server.ports["587"], timeout=PATIENCE)
        client.starttls(context=context)
    client.login(USER, PASSWORD)
    return client


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_smtplib(server, way):
    """Python's smtplib, three messages in one session, octets of every value."""
    body = eight_bit() + BODY
    with log_in(server, way) as client:
        for turn in range(3):
            refused = client.sendmail(USER, [TO], content(f"smtplib-{way}-{turn}", body), ["BODY=8BITMIME"])
            assert not refused
    for turn in range(3):
        check_delivered(server, f"smtplib-{way}-{turn}", body)


@pytest.mark.parametrize("way", ["starttls", "implicit"])
def test_smtplib_utf8(server, way):
    """EXT-SMTPUTF8-2: an address and a subject beyond ASCII, with SMTPUTF8."""
    subject = f"Grüße-{way}"
    with log_in(server, way) as client:
        refused = client.sendmail(USER, ["jürgen@example.org"], content(subject), ["SMTPUTF8", "BODY=8BITMIME"])
        assert not refused
    octets = check_delivered(server, subject, protocol="UTF8SMTPSA")
    assert f"Subject: {subject}".encode() in octets


def test_smtplib_refused_recipient(server):
    """One recipient is refused with its reason, the other one served."""
    with log_in(server, "implicit") as client:
        refused = client.sendmail(USER, [TO, "nobody@localhost..example"], content("smtplib-partly"))
    assert list(refused) == ["nobody@localhost..example"] and refused["nobody@localhost..example"][0] == 501
    check_delivered(server, "smtplib-partly")


def test_smtplib_foreign_sender(server):
    """SUB-6.1-1: nobody sends as somebody else."""
    with log_in(server, "implicit") as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
            client.sendmail("mallory@example.com", [TO], content("smtplib-foreign"))
    assert refusal.value.smtp_code == 550 and b"5.7.1" in refusal.value.smtp_error


def test_large(server, tmp_path):
    """A message far above spool.large_message, by curl, as fast as it can."""
    need("curl")
    body = BODY * 800
    path = write_message(tmp_path, content("curl-large", body))
    run("curl", "-sS", "--ssl-reqd", "--cacert", server.certificate, "--url", f"smtp://localhost:{server.ports['587']}",
        "--user", f"{USER}:{PASSWORD}", "--mail-from", USER, "--mail-rcpt", TO, "--upload-file", path)
    check_delivered(server, "curl-large", body)
