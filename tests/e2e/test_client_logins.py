"""e2e/test_client_logins.py: mail programs that people use log in by every mechanism that they know, and what they send then
arrives."""
import asyncio
import base64
import re
import smtplib
import ssl

import aiosmtplib
import pytest

from e2e import nodemailer
from e2e.mail import BODY, SHORT, TO, USER, check_delivered, content, write_message
from e2e.programs import need, run
from rig.authority import Authority
from rig.patience import PATIENCE
from rig.server import PASSWORD
from rig.tokens import Issuer


@pytest.fixture(scope="module")
def server(shared):
    """Trusts an issuer of tokens and an authority for client certificates; knows SCRAM-SHA-1."""
    server = shared.server("logins", start=False)
    server.issuer = Issuer(server.folder)
    authority = Authority(server.folder, "authority")
    server.own = authority.make("alice", f"email:{USER}")
    server.tls = server.tls.replace("tls {", f'tls {{ client_ca = "{authority.certificate}" ')
    server.sections["auth"] = f"scram_sha_1 = true  {server.issuer.settings}"
    server.write_conf()
    return server.start()


def logged(server, mechanism, start):
    """Was the login that was made since then by this mechanism, and was it good?"""
    server.await_log(rf"login .*user={USER}.*mechanism={mechanism}\b.*code=235", start=start)


@pytest.fixture
def start(server):
    """Where this test's part of the log begins."""
    return server.log_path.stat().st_size


# curl. That of Debian 12 is built without GNU SASL, so it knows no SCRAM; and with a token it always takes OAUTHBEARER where that
# is offered, whatever its login options say.

def curl(server, path, *words, listener="465", sender=USER, to=TO):
    scheme = "smtps" if listener == "465" else "smtp"
    return run("curl", "-sS", "--ssl-reqd", "--cacert", server.certificate, "--url", f"{scheme}://localhost:{server.ports[listener]}", "--mail-from",
               sender, "--mail-rcpt", to, "--upload-file", path, *words)


@pytest.mark.parametrize("initial", [(), ("--sasl-ir",)], ids=["challenge", "initial"])
@pytest.mark.parametrize("listener", ["587", "465"])
def test_curl_token(server, tmp_path, start, listener, initial):
    """SASL-10, SASL-11, AUTH-9: curl with an access token, with and without an initial response."""
    need("curl")
    subject = f"curl-token-{listener}{''.join(initial)}"
    path = write_message(tmp_path, content(subject))
    curl(server, path, "--user", USER, "--oauth2-bearer", server.issuer.token(USER), *initial, listener=listener)
    check_delivered(server, subject)
    logged(server, "OAUTHBEARER", start)


def test_curl_token_refused(server, tmp_path):
    """SASL-10: curl takes the reason for a refusal and then 535."""
    need("curl")
    path = write_message(tmp_path, content("curl-expired"))
    with pytest.raises(AssertionError, match="exit 67"):
        curl(server, path, "--user", USER, "--oauth2-bearer", server.issuer.token(USER, -100))


@pytest.mark.parametrize("initial", [(), ("--sasl-ir",)], ids=["challenge", "initial"])
@pytest.mark.parametrize("listener", ["587", "465"])
def test_curl_certificate(server, tmp_path, start, listener, initial):
    """SASL-13, TLS-15: curl with a client certificate and EXTERNAL."""
    need("curl")
    certificate, key = server.own
    subject = f"curl-external-{listener}{''.join(initial)}"
    path = write_message(tmp_path, content(subject))
    curl(server, path, "--user", f"{USER}:", "--cert", certificate, "--key", key, "--login-options", "AUTH=EXTERNAL", *initial, listener=listener)
    check_delivered(server, subject)
    logged(server, "EXTERNAL", start)


def test_curl_identity(server, tmp_path, start):
    """AUTH-20: an authorization identity is one's own, or the login is refused."""
    need("curl")
    path = write_message(tmp_path, content("curl-identity"))
    words = ("--user", f"{USER}:{PASSWORD}", "--login-options", "AUTH=PLAIN", "--sasl-authzid")
    curl(server, path, *words, USER)
    check_delivered(server, "curl-identity")
    with pytest.raises(AssertionError, match="exit 67"):
        curl(server, path, *words, "carol@example.net")


def test_curl_no_scram():
    """curl's SCRAM comes with GNU SASL only; where it does, the tests above want a row more."""
    need("curl")
    assert "gsasl" not in run("curl", "--version").split()


# msmtp

def msmtp(server, auth, subject, password, *words, listener="465", body=BODY, to=TO):
    starttls = "off" if listener == "465" else "on"
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={server.ports[listener]}", "--tls=on", f"--tls-starttls={starttls}",
        f"--tls-trust-file={server.certificate}", f"--auth={auth}", f"--user={USER}", f"--passwordeval=echo '{password}'", f"--from={USER}", *words,
        "--", to, stdin=content(subject, body).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("listener", ["587", "465"])
@pytest.mark.parametrize("auth", ["scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2", "external"])
def test_msmtp(server, start, auth, listener):
    """SASL-2, SASL-5, SASL-10, SASL-12, SASL-13: msmtp, the SCRAM family by GNU SASL."""
    need("msmtp")
    subject = f"msmtp-{auth}-{listener}"
    certificate, key = server.own
    more = (f"--tls-cert-file={certificate}", f"--tls-key-file={key}") if auth == "external" else ()
    msmtp(server, auth, subject, server.issuer.token(USER) if "oauth" in auth else PASSWORD, *more, listener=listener)
    check_delivered(server, subject, completed=False)
    logged(server, auth.upper(), start)


# GNU SASL's own client: the one in Debian 12 that binds SCRAM to the TLS connection.

def gsasl(server, mechanism, *words, version="1.3"):
    """Logs in and leaves. What was said."""
    return run("gsasl", "--client", "--smtp", "--verbose", "--starttls", *words, f"--mechanism={mechanism}", f"--authentication-id={USER}",
               f"--password={PASSWORD}", f"--x509-ca-file={server.certificate}", f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{version}",
               "--hostname=localhost", f"--connect=localhost:{server.ports['587']}", stdin=b"QUIT\r\n")


@pytest.mark.parametrize("version, kind", [("1.3", "tls-exporter"), ("1.2", "tls-unique")])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
def test_gsasl_plus(server, start, mechanism, version, kind):
    """SASL-6, SASL-7: GNU SASL's own client, with GnuTLS, binds both kinds of SCRAM to the connection. (msmtp of Debian 12
    knows nothing of -PLUS.)"""
    need("gsasl")
    said = gsasl(server, mechanism, version=version)
    first = base64.b64decode(re.search(rf"AUTH {mechanism}\r?\n334 \r?\n(\S+)", said).group(1)).decode()
    assert first.startswith(f"p={kind},,") and "235 2.7.0" in said, said
    logged(server, mechanism, start)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"])
def test_gsasl(server, mechanism):
    """SASL-2, AUTH-4, SASL-9: the same client without a binding."""
    need("gsasl")
    assert "235 2.7.0" in gsasl(server, mechanism, "--no-cb")


# swaks knows no EXTERNAL, but shows a certificate to who asks for one.

@pytest.mark.parametrize("login", ["PLAIN", "LOGIN"])
def test_swaks_certificate(server, start, login):
    """TLS-15, AUTH-26: who has shown a certificate may log in with a password all the same."""
    need("swaks")
    certificate, key = server.own
    subject = f"swaks-certificate-{login}"
    said = run("swaks", "--server", "127.0.0.1", "--port", server.ports["465"], "--tlsc", "--tls-verify", "--tls-ca-path", server.certificate,
               "--tls-cert", certificate, "--tls-key", key, "--auth", login, "--auth-user", USER, "--auth-password", PASSWORD, "--from", USER,
               "--to", TO, "--data", "-", stdin=content(subject, SHORT).replace(b"\r\n", b"\n"))
    assert re.search(r"AUTH .*\bEXTERNAL\b", said) and "235 2.7.0" in said
    check_delivered(server, subject, SHORT + b"\r\n")
    logged(server, login, start)


# Perl's Net::SMTP with Authen::SASL, as scripts of many a machine use it.

PERL = r"""
use strict;
use warnings;
use Net::SMTP;
use Authen::SASL qw(Perl);
my ($port, $ca, $certificate, $key, $mechanism, $user, $password, $to) = @ARGV;
my $content = do { local $/; <STDIN> };
my $smtp = Net::SMTP->new('localhost', Port => $port, Hello => 'client.example', SSL => 1, SSL_ca_file => $ca,
    SSL_cert_file => $certificate, SSL_key_file => $key, Timeout => 30) or die "no connection: $@";
my $sasl = Authen::SASL->new(mechanism => $mechanism,
    callback => { user => $user, authname => $mechanism eq 'EXTERNAL' ? $user : '', pass => $password });
$smtp->auth($sasl) or die 'auth: ' . $smtp->message;
$smtp->mail($user) or die 'mail: ' . $smtp->message;
$smtp->to($to) or die 'to: ' . $smtp->message;
$smtp->data($content) or die 'data: ' . $smtp->message;
$smtp->quit;
"""


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "EXTERNAL"])
def test_perl(server, start, mechanism):
    """AUTH-4, SASL-13: Net::SMTP."""
    need("perl")
    subject = f"perl-{mechanism}"
    run("perl", "-e", PERL, server.ports["465"], server.certificate, *server.own, mechanism, USER, PASSWORD, TO, stdin=content(subject))
    check_delivered(server, subject)
    logged(server, mechanism, start)


# Python's smtplib, which takes any mechanism from its caller, and aiosmtplib.

def context(server, own=False):
    made = ssl.create_default_context(cafile=server.certificate)
    if own:
        made.load_cert_chain(*server.own)
    return made


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "EXTERNAL", "XOAUTH2"])
@pytest.mark.parametrize("initial", [True, False], ids=["initial", "challenge"])
def test_smtplib(server, start, mechanism, initial):
    """AUTH-4, AUTH-9, SASL-12, SASL-13: with and without an initial response."""
    subject = f"smtplib-{mechanism}-{initial}"
    with smtplib.SMTP_SSL("localhost", server.ports["465"], context=context(server, own=True), timeout=PATIENCE) as client:
        client.ehlo()
        client.user, client.password = USER, PASSWORD
        ways = {"PLAIN": client.auth_plain, "LOGIN": client.auth_login, "EXTERNAL": lambda challenge=None: USER,
                "XOAUTH2": lambda challenge=None: f"user={USER}\1auth=Bearer {server.issuer.token(USER)}\1\1"}
        assert client.auth(mechanism, ways[mechanism], initial_response_ok=initial)[0] == 235
        assert not client.sendmail(USER, [TO], content(subject), ["BODY=8BITMIME"])
    check_delivered(server, subject)
    logged(server, mechanism, start)


@pytest.mark.parametrize("way", ["starttls", "implicit"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_aiosmtplib(server, start, mechanism, way):
    """AUTH-4, TLS-1, EXT-8BITMIME-2: aiosmtplib, several messages at once in one session."""
    subjects = [f"aiosmtplib-{mechanism}-{way}-{number}" for number in range(3)]

    async def send():
        port = server.ports["465" if way == "implicit" else "587"]
        client = aiosmtplib.SMTP("localhost", port, use_tls=way == "implicit", start_tls=way == "starttls", tls_context=context(server), timeout=PATIENCE)
        async with client:
            await client.ehlo()
            log_in = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            assert (await log_in(USER, PASSWORD)).code == 235
            for refused, reply in await asyncio.gather(*(client.sendmail(USER, [TO], content(subject), ["BODY=8BITMIME"]) for subject in subjects)):
                assert not refused and "queued as" in reply

    asyncio.run(send())
    for subject in subjects:
        check_delivered(server, subject)
    logged(server, mechanism, start)


# Nodemailer

def node_auth(server, mechanism, user=USER):
    if mechanism == "XOAUTH2":
        return {"type": "OAuth2", "user": user, "accessToken": server.issuer.token(user)}
    return {"user": user, "pass": PASSWORD, "method": mechanism}


def raw_message(subject, **envelope):
    return {"envelope": {"from": USER, "to": [TO], **envelope}, "raw": content(subject).decode()}


@pytest.mark.parametrize("listener", ["587", "465"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
def test_nodemailer(server, start, mechanism, listener):
    """AUTH-4, SASL-12, TLS-1: Nodemailer from npm."""
    subject = f"nodemailer-{mechanism}-{listener}"
    done, = nodemailer.send(server, node_auth(server, mechanism), [raw_message(subject)], listener)
    assert done["accepted"] == [TO] and done["response"].startswith("250 2.0.0"), done
    check_delivered(server, subject)
    logged(server, mechanism, start)


def test_nodemailer_refused(server):
    """SASL-12: a token that is over: Nodemailer answers the challenge with an empty line and hears 535."""
    auth = {"type": "OAuth2", "user": USER, "accessToken": server.issuer.token(USER, -100)}
    done, = nodemailer.send(server, auth, [raw_message("nodemailer-expired")])
    assert done["kind"] == "EAUTH" and done["code"] == 535, done


def test_nodemailer_pool(server, start):
    """EXT-PIPELINING-1: ten messages over two connections at a time, three to a connection; each arrives once."""
    subjects = [f"nodemailer-pool-{number}." for number in range(10)]
    results = nodemailer.send(server, node_auth(server, "PLAIN"), [raw_message(subject) for subject in subjects], pool=True, maxConnections=2,
                              maxMessages=3)
    assert all(done.get("accepted") == [TO] for done in results), results
    for subject in subjects:
        check_delivered(server, subject)
    sessions = re.findall(rf" accepted .*client=([\d.:]+).*user={USER}|client=([\d.:]+).* accepted .*user={USER}", server.log(start))
    assert len(sessions) == len(subjects) and len(set(sessions)) >= 4, sessions
    for subject in subjects:
        assert sum(f"Subject: {subject}".encode() in octets for octets in server.delivered().values()) == 1
