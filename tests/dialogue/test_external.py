"""dialogue/test_external.py: logging in with a client certificate."""
import datetime
import itertools
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rig.authority import Authority, fingerprint
from rig.client import Connection, b64
from rig.server import PASSWORD

addresses = itertools.count(1)
USER = "alice@example.net"


@pytest.fixture(scope="module")
def ours(shared):
    """A server with an authority, and one certificate known by its fingerprint; the certificates."""
    server = shared.server("external", start=False)
    good, other = Authority(server.folder, "good"), Authority(server.folder, "other")
    certificates = {
        "alice": good.make("alice", f"email:{USER}"),
        "rsa": good.make("rsa", f"email:{USER}", algorithm=("rsa:2048",)),
        "second": good.make("second", "DNS:host.example,email:nobody at all,email:Bob@EXAMPLE.net,email:carol@example.net"),
        "disabled": good.make("disabled", "email:disabled@example.net"),
        "unknown": good.make("unknown", "email:unknown@example.net"),
        "nameless": good.make("nameless", "DNS:host.example"),
        "server": good.make("server", f"email:{USER}", usage="serverAuth"),
        "over": good.make("over", f"email:{USER}", days=0),
        "foreign": other.make("foreign", f"email:{USER}"),
        "printed": other.make("printed", None),
    }
    server.tls = server.tls.replace("tls {", f'tls {{ client_ca = "{good.certificate}" ')
    server.sections['certificate "dave@example.net"'] = f'sha256 = {{ "{"ab" * 32}", "{fingerprint(certificates["printed"][0])}" }}'
    server.write_conf()
    for user in (USER, "Bob@example.net", "carol@example.net", "dave@example.net", "disabled@example.net"):
        server.add_user(user)
    server.ctl("user", "disable", "disabled@example.net")
    server.certificates, server.authority = certificates, good
    return server.start()


def reach(server, certificate=None, version=None, listener="465"):
    source = f"127.6.0.{next(addresses)}"
    connection = Connection(("127.0.0.1", server.ports[listener]), source)
    own = server.certificates[certificate] if certificate else None
    if listener == "465":
        connection.secure(own=own, version=version)
        assert connection.read_reply().brief == "220"
    else:
        assert connection.read_reply().brief == "220"
        assert "AUTH" not in connection.hello()
        connection.expect("AUTH EXTERNAL =", "530 5.7.0")
        connection.start_tls(own=own, version=version)
    return connection, connection.hello()["AUTH"].split()


@pytest.mark.parametrize("listener", ["465", "587"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("certificate, user", [("alice", USER), ("rsa", USER), ("second", "Bob@example.net"), ("printed", "dave@example.net")])
def test_login(ours, listener, version, certificate, user):
    """TLS-15, TLS-16, SASL-13, AUTH-9: a certificate that maps brings EXTERNAL, and EXTERNAL the user's rights."""
    connection, mechanisms = reach(ours, certificate, version, listener)
    assert mechanisms[-1] == "EXTERNAL"
    connection.expect("AUTH EXTERNAL =", "235 2.7.0")
    connection.expect("MAIL FROM:<mallory@example.net>", "550 5.7.1")
    connection.expect(f"MAIL FROM:<{user}>", "250 2.1.0")
    connection.quit()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("certificate", [None, "nameless", "server", "over", "foreign"])
def test_not_offered(ours, certificate, version):
    """TLS-16, AUTH-25, AUTH-5: without a certificate, or with one that is nobody's, the connection goes on as any other, EXTERNAL
    apart."""
    connection, mechanisms = reach(ours, certificate, version)
    assert "EXTERNAL" not in mechanisms
    connection.expect("AUTH EXTERNAL =", "504 5.5.4")
    connection.login(USER, PASSWORD)


def test_steps(ours):
    """SASL-13, AUTH-8, AUTH-10, AUTH-11, AUTH-13, AUTH-20: with a challenge, with an identity, cancelled, too long, no base64."""
    connection, _ = reach(ours, "alice")
    connection.expect("AUTH EXTERNAL", "334")
    connection.expect("*", "501 5.7.0")
    connection.expect("AUTH EXTERNAL", "334")
    connection.expect("A", "501 5.5.2")
    connection.expect("AUTH EXTERNAL", "334")
    connection.expect("A" * 12289, "500 5.5.6")
    connection.expect("AUTH EXTERNAL", "334")
    connection.expect("A" * 12284, "535 5.7.8")
    connection.expect("AUTH EXTERNAL " + b64("carol@example.net"), "535 5.7.8")
    connection.expect("AUTH EXTERNAL " + b64(USER + "\0"), "535 5.7.8")
    connection.expect("AUTH EXTERNAL", "334")
    for octet in b64("alice@EXAMPLE.net").encode():
        connection.send(bytes([octet]))
    connection.expect("", "235 2.7.0")
    connection.expect("AUTH EXTERNAL =", "503 5.5.1")


def test_refused(ours):
    """SASL-13, AUTH-16: the certificate is right and the user is not; another mechanism may follow (AUTH-26)."""
    connection, _ = reach(ours, "disabled")
    connection.expect("AUTH EXTERNAL =", "525 5.7.13")
    connection, _ = reach(ours, "unknown")
    connection.expect("AUTH EXTERNAL =", "535 5.7.8")
    connection.login(USER, PASSWORD)


def test_resumed(ours):
    """TLS-15: a resumed session knows its certificate as the first one did."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*ours.certificates["alice"])
    session = None
    for turn in range(2):
        connection = Connection(("127.0.0.1", ours.ports["465"]), f"127.6.0.{next(addresses)}")
        connection.socket = context.wrap_socket(connection.socket, session=session)
        connection.is_tls = True
        assert connection.socket.session_reused == bool(turn)
        assert connection.read_reply().brief == "220" and "EXTERNAL" in connection.hello()["AUTH"]
        connection.expect("AUTH EXTERNAL =", "235 2.7.0")
        session = connection.socket.session


def short_lived(authority, seconds):
    """A client's certificate from that authority that ends so soon; its files."""
    signer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    names = x509.SubjectAlternativeName([x509.RFC822Name(USER)])
    certificate = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "short")]))
                   .issuer_name(signer.subject).public_key(key.public_key()).serial_number(7).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(seconds=seconds)).add_extension(names, False)
                   .sign(serialization.load_pem_private_key(authority.key.read_bytes(), None), hashes.SHA256()))
    files = authority.folder / "short.pem", authority.folder / "short.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def resume(ours, context, session, is_good):
    connection = Connection(("127.0.0.1", ours.ports["465"]), f"127.6.0.{next(addresses)}")
    connection.socket = context.wrap_socket(connection.socket, session=session)
    connection.is_tls = True
    assert connection.socket.session_reused == bool(session)
    assert connection.read_reply().brief == "220" and ("EXTERNAL" in connection.hello()["AUTH"]) == is_good
    connection.expect("AUTH EXTERNAL =", "235 2.7.0" if is_good else "504 5.5.4")
    return connection.socket.session


def test_resumed_too_late(ours):
    """TLS-15, SASL-13: a session that outlives its certificate brings nobody in."""
    for life in (4, 20, 90):    # as long as this machine needs for two logins
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*short_lived(ours.authority, life))
        session, end = None, time.monotonic() + life + 1
        try:
            for _ in range(2):
                session = resume(ours, context, session, True)
            break
        except (AssertionError, OSError):
            if time.monotonic() < end - 3:
                raise
    time.sleep(max(0, end - time.monotonic()))
    resume(ours, context, session, False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_request(ours, shared, version):
    """TLS-16: who could map no certificate asks for none."""
    plain = shared.server("external-off")
    for server, is_asked in ((ours, True), (plain, False)):
        seen = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context._msg_callback = lambda _c, _d, _v, _content, kind, _data: seen.append(kind)
        connection = Connection(("127.0.0.1", server.ports["465"]), f"127.6.0.{next(addresses)}")
        connection.socket = context.wrap_socket(connection.socket)
        connection.socket.close()
        assert (ssl._TLSMessageType.CERTIFICATE_REQUEST in seen) == is_asked
