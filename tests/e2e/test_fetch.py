"""e2e/test_fetch.py: keys from an address and tokens that are asked about, with an identity provider that does as the test says:
well-behaved, slow, endless, lying, gone; and the room that asks it, killed and reloaded."""
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import zlib

import pytest

from rig.provider import Document, Provider, Stall, client_of, form
from rig.server import IS_ROOT, PASSWORD, make_certificate, make_folder
from rig.keysets import AUDIENCE, ISSUER, KEYS, STRANGER, USER, bearer, key_set, token, x_bearer
from rig.patience import await_true

SECRET = "p+ss:wörd /%"
sources = itertools.count(1)
numbers = itertools.count(1)


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.stop()


def prepare(server, words):
    """The settings of auth, the user, and a file with our secret for the provider."""
    secret = server.folder / "client-secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    server.sections["auth"] = words.replace("SECRET", str(secret))
    server.sections["limits"] = "auth_failures_per_account = 0  auth_failures_per_client = 0"
    server.write_conf()
    if not server.users_path.exists():
        server.add_user(USER)
    return server


def by_address(server, url, more=""):
    return prepare(server, f'oauth_jwks_uri = "{url}"  oauth_issuer = "{ISSUER}"  oauth_audience = "{AUDIENCE}"  '
                           f'oauth_ca_file = "{server.certificate}"  {more}')


def by_asking(server, url, more=""):
    return prepare(server, f'oauth_introspection = "{url}"  oauth_client_id = "mail server"  oauth_client_secret_file = "SECRET"  '
                           f'oauth_ca_file = "{server.certificate}"  {more}')


def reach(server):
    connection = server.connect("465", source=f"127.8.{(number := next(sources)) // 250}.{number % 250 + 1}")
    assert connection.hello()["AUTH"].split()[-2:] == ["OAUTHBEARER", "XOAUTH2"]
    return connection


def log_in(server, access, user=USER):
    reach(server).expect("AUTH OAUTHBEARER " + bearer(access), "235 2.7.0")
    connection = reach(server)
    connection.expect("AUTH XOAUTH2 " + x_bearer(access, user), "235 2.7.0")
    return connection


def refused(server, access):
    connection = reach(server)
    connection.expect("AUTH OAUTHBEARER " + bearer(access), "334")
    connection.expect("AQ==", "535 5.7.8")


def put_off(server, access):
    reach(server).expect("AUTH OAUTHBEARER " + bearer(access), "454 4.7.0")


# A key set at an address

def test_keys_by_address(rig, provider):
    """SASL-10, SASL-11, SASL-12: fetched once, before anybody needs it, and then as a file is used; every kind of key."""
    provider.answers["/keys"] = Document(key_set(KEYS), "max-age=600")
    server = by_address(rig.server("address", start=False), provider.url("/keys")).start()
    provider.await_asked("/keys")
    for algorithm in KEYS:
        log_in(server, token(algorithm))
    refused(server, token(keys=STRANGER))
    refused(server, token(aud="other"))
    log_in(server, token()).expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    assert [(request.method, request.fields["host"], request.fields.get("authorization")) for request in provider.requests] \
        == [("GET", f"127.0.0.1:{provider.port}", None)]
    assert "fetch.0" in server.rooms() and token()[:30] not in server.log()


def test_scope(rig, provider):
    """SASL-11: a word of the token's scope, where one is wanted."""
    provider.answers["/keys"] = Document(key_set(KEYS))
    server = by_address(rig.server("scope", start=False), provider.url("/keys"), 'oauth_scope = "mail.send"').start()
    log_in(server, token(scope="openid mail.send"))
    refused(server, token(scope="openid mail.sender"))
    refused(server, token())


def test_waits_for_the_first_set(rig, provider):
    """SASL-11: who logs in while the first set is on its way waits for it."""
    provider.answers["/keys"] = lambda request: time.sleep(2) or Document(key_set(KEYS))
    server = by_address(rig.server("first", start=False), provider.url("/keys")).start()
    log_in(server, token())
    assert len(provider.asked("/keys")) == 1


def test_provider_down(rig, provider):
    """AUTH-15, SASL-11: without a set 454, and nobody else is bothered; when the provider is back, so are its users."""
    provider.answers["/keys"] = Document(key_set(KEYS))
    provider.stop()
    server = by_address(rig.server("down", start=False), provider.url("/keys")).start()
    put_off(server, token())
    reach(server).login(USER, PASSWORD)
    provider.start()
    await_true(lambda: reach(server).command("AUTH OAUTHBEARER " + bearer(token())).brief == "235 2.7.0", "nobody comes in", step=0.3)
    server.await_log("answers again target=keys")


def test_new_keys(rig, provider):
    """SASL-11: a key that is not known makes the set be fetched anew, at most once a minute, and the last good one stays."""
    provider.answers["/keys"] = Document(key_set({"RS256": KEYS["RS256"]}), "max-age=86400")
    began = time.monotonic()
    server = by_address(rig.server("rotation", start=False), provider.url("/keys")).start()
    log_in(server, token())
    provider.answers["/keys"] = Document(key_set(KEYS))
    log_in(server, token("EdDSA"))
    provider.answers["/keys"] = Document("{}")
    for _ in range(3):
        refused(server, token(headers={"kid": "nobody"}))
    assert 2 <= len(provider.asked("/keys")) <= 2 + (time.monotonic() - began) // 60
    log_in(server, token())


NO_SETS = {
    "of broken keys": ('{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "not written as one"),
    "cut": (key_set(KEYS)[:-1], "not written as one"),
    "without keys": ('{"keys": []}', "no key in it"),
    "of keys of other kinds": ('{"keys": [{"kty": "oct", "k": "AAAA", "kid": "RS256-1"}, {"kty": "new"}]}', "no key in it"),
    "of keys for something else": (key_set(KEYS).replace('"sig"', '"enc"'), "no key in it"),
}


@pytest.mark.parametrize("what", list(NO_SETS))
def test_bad_refresh(rig, provider, what):
    """SASL-11: whatever comes in the place of a newer set, the last good one stays, and the log says so."""
    document, why = NO_SETS[what]
    provider.answers["/keys"] = Document(key_set(KEYS))
    server = by_address(rig.server("refresh", start=False), provider.url("/keys")).start()
    log_in(server, token())
    provider.answers["/keys"] = Document(document)
    refused(server, token(headers={"kid": "nobody"}))
    server.await_log(f'what was fetched is no key set why=".*{why}.*effect="the one before stays"')
    log_in(server, token())
    assert "in force" in server.reload()
    log_in(server, token())
    refused(server, token(headers={"kid": "nobody"}))


@pytest.mark.parametrize("what", ["without keys", "of keys for something else"])
def test_first_set_is_empty(rig, provider, what):
    """SASL-11, AUTH-15: a first set without a key of use is none yet: 454, and when there is one, its users come in."""
    provider.answers["/keys"] = Document(NO_SETS[what][0])
    server = by_address(rig.server("empty", start=False), provider.url("/keys")).start()
    put_off(server, token())
    server.await_log('what was fetched is no key set why=".*no key in it.*effect="no token is accepted"')
    provider.answers["/keys"] = Document(key_set(KEYS))
    await_true(lambda: reach(server).command("AUTH OAUTHBEARER " + bearer(token())).brief == "235 2.7.0", "nobody comes in", step=0.3)


# Asking about each token

def said(server_claims):
    return lambda request: Document(server_claims.get(form(request)["token"], {"active": False}))


def test_introspection(rig, provider):
    """SASL-10, SASL-11, SASL-12: what is sent, what is believed, and for how long."""
    now = int(time.time())
    good = {"active": True, "email": USER, "exp": now + 3600, "scope": "openid mail", "aud": [AUDIENCE, "other"], "iss": ISSUER}
    claims = {"opaque": good, "a.b/c+d==": good, "forever": {key: value for key, value in good.items() if key != "exp"},
              "over": {**good, "exp": now - 61}, "elsewhere": {**good, "aud": "other"}, "idle": {**good, "scope": "openid"},
              "carol": {**good, "email": "carol@example.net"}, "refused": {**good, "active": False}}
    provider.answers["/introspect"] = said(claims)
    server = by_asking(rig.server("introspection", start=False), provider.url("/introspect"),
                       f'oauth_scope = "mail"  oauth_issuer = "{ISSUER}"  oauth_audience = "{AUDIENCE}"').start()
    log_in(server, "opaque")
    request = provider.requests[0]
    assert request.method == "POST" and form(request) == {"token": "opaque", "token_type_hint": "access_token"}
    assert client_of(request) == ("Basic", "mail server", SECRET)
    assert len(provider.requests) == 1, "a good token is remembered"
    log_in(server, "a.b/c+d==")
    assert form(provider.requests[1])["token"] == "a.b/c+d=="
    log_in(server, "forever")
    for name in ("over", "elsewhere", "idle", "refused", "unheard"):
        refused(server, name)
    connection = reach(server)
    connection.expect("AUTH XOAUTH2 " + x_bearer("carol"), "334")
    connection.expect("", "535 5.7.8")
    reach(server).expect("AUTH OAUTHBEARER " + bearer("carol"), "535 5.7.8")  # nobody here
    assert len({request.path for request in provider.requests}) == 1
    for secret in ("opaque", SECRET, "a.b/c"):
        assert secret not in server.log()
    with open(server.folder / "client-secret", "w") as file:
        file.write("other\n")
    assert "in force" in server.reload()
    log_in(server, "opaque")
    assert client_of(provider.requests[-1])[2] == "other", "another configuration, another question"


def drip():
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"
    while True:
        time.sleep(0.2)
        yield b" "


def flood(head):
    yield head
    while True:
        yield b"a" * 65536


GOOD = json.dumps({"active": True, "email": USER}).encode()


def squeezed(octets):
    """As a gzip file."""
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(engine.compress(octets) for octets in octets) + engine.flush()


def bomb():
    """Two hundred octets that become 300 MB without a single one of content: empty blocks, squeezed twice."""
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    inner = squeezed(itertools.chain([head], itertools.repeat(b"\0\0\0\xff\xff" * 200_000, 300)))
    return squeezed([inner])


def in_a_chunk(octets):
    return b"%x\r\n" % len(octets) + octets + b"\r\n0\r\n\r\n"


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FALLS = {  # what the server does, and what the log says of it
    "slow": (Stall, "[Tt]ime"),
    "drips": (drip, "[Tt]ime"),
    "endless": (lambda: flood(PLAIN + b"\r\n"), "too large"),
    "endless chunks": (lambda: flood(PLAIN + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"), "too large"),
    "endless header": (lambda: itertools.chain([PLAIN], itertools.repeat(b"X: " + b"a" * 8000 + b"\r\n")), "too large"),
    "endless line": (lambda: flood(PLAIN + b"X: "), "line that is too long"),
    "endless interim": (lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), "too large"),
    "huge": (lambda: PLAIN + b"Content-Length: 99999999999\r\n\r\n", "[Ee]xceeded"),
    "negative": (lambda: PLAIN + b"Content-Length: -1\r\n\r\n{}", "."),
    "truncated": (lambda: PLAIN + b"Content-Length: 100\r\n\r\n{}", "."),
    "nothing": (lambda: b"", "."),
    "no HTTP": (lambda: b"220 mail.example.org ESMTP\r\n", "."),
    "old HTTP": (lambda: b'{"active": true, "email": "alice@example.net"}', "."),
    "redirect": (lambda: Document({"active": True, "email": USER}, status="302 Found", fields=["Location: /good"]), "elsewhere"),
    "redirect kept": (lambda: Document({}, status="307 Temporary Redirect", fields=["Location: /good"]), "elsewhere"),
    "page": (lambda: Document("<html>", kind="text/html"), "not JSON"),
    "no type": (lambda: Document({"active": True, "email": USER}, kind=""), "not JSON"),
    "not allowed": (lambda: Document({"error": "invalid_client"}, status="401 Unauthorized", fields=['WWW-Authenticate: Basic realm="x"']), "let us"),
    "broken": (lambda: Document({"active": True, "email": USER}, status="500 Oops"), "not 200"),
    "a part": (lambda: Document({"active": True, "email": USER}, status="206 Partial Content"), "not 200"),
    "compressed": (lambda: Document(b"\x1f\x8b\x08\0", fields=["Content-Encoding: gzip"]), ""),
    "compressed on the way": (lambda: PLAIN + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + in_a_chunk(squeezed([GOOD])), "compressed"),
    "compressed, two fields": (lambda: PLAIN + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + in_a_chunk(squeezed([GOOD])),
                               "compressed"),
    "a bomb": (lambda: PLAIN + b"Transfer-Encoding: gzip, gzip, gzip, chunked\r\n\r\n" + in_a_chunk(bomb()), "compressed"),
    "no JSON": (lambda: Document('{"active": true'), ""),
    "no word": (lambda: Document({"email": USER}), ""),
    "a list": (lambda: Document([True]), ""),
    "deep": (lambda: Document("[" * 60000), ""),
}


@pytest.fixture(scope="module")
def asking(shared):
    provider = Provider({"/good": Document({"active": True, "email": USER})})
    server = by_asking(shared.server("falls", start=False), provider.url("/introspect")).start()
    server.provider = provider
    yield server
    provider.stop()


@pytest.mark.parametrize("fall", list(FALLS))
def test_bad_answers(asking, fall):
    """AUTH-15, SASL-11: whatever the provider does is 454 within the time, the room lives, and the next good answer counts."""
    what, words = FALLS[fall]
    asking.provider.answers["/introspect"] = lambda request: what()
    start, began, rooms = asking.log_path.stat().st_size, time.monotonic(), asking.rooms()
    put_off(asking, f"token-{next(numbers)}")
    assert time.monotonic() - began < 50    # the provider stalls for longer, or for ever
    if words:
        asking.await_log(f"no answer that can be used target=token.*why=.*({words})", start=start)
    asking.provider.answers["/introspect"] = Document({"active": True, "email": USER})
    log_in(asking, f"token-{next(numbers)}")
    assert asking.rooms() == rooms
    assert not asking.provider.asked("/good"), "it went where it was sent"


def test_many_at_once(asking):
    """AUTH-15: a provider that does not answer holds up nobody who has a password."""
    asking.provider.answers["/introspect"] = lambda request: Stall()
    for _ in range(4):
        waiting = [reach(asking) for _ in range(40)]
        for connection in waiting:
            connection.send("AUTH OAUTHBEARER " + bearer(f"token-{next(numbers)}") + "\r\n")
        began = time.monotonic()
        reach(asking).login(USER, PASSWORD)
        is_before = any(connection.is_silent(0) for connection in waiting)
        for connection in waiting:
            assert connection.read_reply().brief == "454 4.7.0"
        assert time.monotonic() - began < 100    # 40 one after the other would take 320
        if is_before:    # where not, this machine may have been slow; not each time
            break
    assert is_before, "a password waited for the provider"


# Whom it trusts and whom it asks

def other_certificate(name):
    folder = make_folder("provider")
    return make_certificate(folder, "provider", name)


def test_certificates(rig):
    """SASL-11, AUTH-15: a certificate that nobody vouches for, one for another name, one that is over."""
    server = rig.server("trust", start=False)
    stranger = Provider({"/introspect": Document({"active": True, "email": USER})}, other_certificate("localhost"))
    try:
        by_asking(server, stranger.url("/introspect")).start()
        put_off(server, "x")
        assert not stranger.requests
        server.await_log("no answer that can be used.*why=.*(certificate|issuer)")
        mail = Provider({"/introspect": Document({"active": True, "email": USER})}, other_certificate("mail.example.org"))
        names = rig.name_server({"id.example.org": {"A": ["127.0.0.1"]}, "mail.example.org": {"A": ["127.0.0.1"]}})
        server.sections["dns"] = names.section
        server.certificate = mail.chain
        by_asking(server, mail.url("/introspect", "id.example.org"))
        server.stop()
        server.start()
        put_off(server, "x")
        assert not mail.requests
        by_asking(server, mail.url("/introspect", "mail.example.org"))
        assert "in force" in server.reload()
        log_in(server, "x")
        mail.stop()
    finally:
        stranger.stop()


def test_names(rig):
    """SASL-11: names are looked up by the house's own resolver, and no other name is."""
    provider = Provider({"/keys": Document(key_set(KEYS))}, other_certificate("id.example.org"))
    names = rig.name_server({"id.example.org": {"CNAME": ["host.example.org."]},
                             "host.example.org": {"AAAA": ["2001:db8::1", "::1"], "A": ["127.0.0.1"]}})
    server = rig.server("names", start=False)
    server.sections["dns"] = names.section
    server.certificate = provider.chain
    by_address(server, provider.url("/keys", "id.example.org")).start()
    log_in(server, token())
    assert {name for name, _ in names.questions} <= {"id.example.org", "host.example.org"}
    names.set({"id.example.org": "SERVFAIL"})
    provider.stop()


@pytest.mark.parametrize("answer", ["NXDOMAIN", "SERVFAIL", None, {"TXT": ["nothing"]}])
def test_no_address(rig, answer):
    """AUTH-15: a name that leads nowhere."""
    names = rig.name_server({"id.example.org": answer})
    server = rig.server("nowhere", start=False)
    server.sections["dns"] = names.section
    by_asking(server, "https://id.example.org/introspect").start()
    put_off(server, "x")
    server.await_log("no answer that can be used.*why=\"?(DNS|the host has no address)")
    reach(server).login(USER, PASSWORD)


def test_no_proxy(rig, provider):
    """SASL-11: nothing of the environment leads it elsewhere."""
    provider.answers["/introspect"] = Document({"active": True, "email": USER})
    server = rig.server("proxy", start=False)
    server.environment = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1",
                          "CURL_CA_BUNDLE": "/dev/null", "SSL_CERT_FILE": "/dev/null", "SSLKEYLOGFILE": "/tmp/keys"}
    by_asking(server, provider.url("/introspect")).start()
    log_in(server, "x")


# The room

def test_killed(rig, provider):
    """SASL-11: the room dies while somebody waits for it: it is started anew, asked anew, and they come in."""
    released = []
    provider.answers["/introspect"] = lambda request: Document({"active": True, "email": USER}) if released else Stall(3)
    server = by_asking(rig.server("killed", start=False), provider.url("/introspect")).start()
    server.tolerate("a room died room=fetch")
    connection = reach(server)
    connection.send("AUTH OAUTHBEARER " + bearer("x") + "\r\n")
    provider.await_asked("/introspect")
    old = server.rooms()
    released.append(True)
    os.kill(old["fetch.0"], signal.SIGKILL)
    assert connection.read_reply().brief == "235 2.7.0"
    fresh = server.rooms()
    assert {name for name in old if old[name] != fresh.get(name)} == {"fetch.0"}


def test_reload(rig, provider):
    """SASL-11: the room comes and goes with the need for it, and another address is asked at once."""
    provider.answers["/old"] = Document(key_set({"RS256": KEYS["RS256"]}))
    provider.answers["/new"] = Document(key_set({"RS256": STRANGER["RS256"]}))
    server = rig.server("reload", start=False)
    server.write_conf()
    server.start()
    assert "fetch.0" not in server.rooms() and "BEARER" not in server.connect("465").hello()["AUTH"]
    by_address(server, provider.url("/old"))
    assert "in force" in server.reload()
    log_in(server, token())
    refused(server, token(keys=STRANGER))
    room = server.rooms()["fetch.0"]
    by_address(server, provider.url("/new"))
    assert "in force" in server.reload()
    log_in(server, token(keys=STRANGER))
    refused(server, token())
    assert server.rooms()["fetch.0"] == room
    by_address(server, provider.url("/gone"))
    assert "in force" in server.reload()
    put_off(server, token(keys=STRANGER))
    del server.sections["auth"]
    server.write_conf()
    assert "in force" in server.reload()
    assert "BEARER" not in server.connect("465").hello()["AUTH"]
    await_true(lambda: "fetch.0" not in server.rooms(), "the room stays")


def test_same_address_stays(rig, provider):
    """SASL-11: a reload does not forget the keys, even when the provider is away."""
    provider.answers["/keys"] = Document(key_set(KEYS))
    server = by_address(rig.server("stays", start=False), provider.url("/keys")).start()
    log_in(server, token())
    provider.stop()
    assert "in force" in server.reload()
    log_in(server, token())


@pytest.mark.skipif(not IS_ROOT, reason="the rooms have users of their own only as root")
def test_what_it_holds(rig, provider):
    """SASL-11: a user of its own, no file, no listener; the libraries that it loads are loaded by no other room."""
    provider.answers["/keys"] = Document(key_set(KEYS))
    server = by_address(rig.server("holds", start=False), provider.url("/keys")).start()
    log_in(server, token())
    for name, pid in server.rooms().items():
        assert ("libcurl" in pathlib.Path(f"/proc/{pid}/maps").read_text()) == (name == "fetch.0"), name
    pid = server.rooms()["fetch.0"]
    assert os.stat(f"/proc/{pid}").st_uid in {0, 61189}
    assert "Seccomp:\t2" in pathlib.Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize("fault", ["missing", "open", "empty", "long", "no roots"])
def test_bad_files(rig, provider, fault):
    """OPS-1: what the configuration names and cannot be used is refused with its name."""
    server = by_asking(rig.server("files", start=False), provider.url("/introspect"))
    secret = server.folder / "client-secret"
    if fault == "missing":
        secret.unlink()
    elif fault == "open":
        secret.chmod(0o644)
    elif fault == "empty":
        secret.write_text("\n")
    elif fault == "long":
        secret.write_text("x" * 2000)
    else:
        server.certificate = server.folder / "nothing"
        by_asking(server, provider.url("/introspect"))
    status, words = server.start_refused()
    assert status == 78 and ("client-secret" in words or "nothing" in words), (status, words)


ENDS_EARLY = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SPOILT = {
    "an empty secret": ("client-secret", lambda good: "", r'oauth_client_secret_file ".*/client-secret": line 1 is empty; write the secret there, 1 to 1024 octets'),
    "an empty line": ("client-secret", lambda good: "\n" + good, "oauth_client_secret_file .*: line 1 is empty"),
    "a long secret": ("client-secret", lambda good: "x" * 1025, "oauth_client_secret_file .*: line 1 is too long; .* 1 to 1024 octets"),
    "a very long secret": ("client-secret", lambda good: "x" * 100_000, "oauth_client_secret_file .*: line 1 is too long"),
    "a NUL": ("client-secret", lambda good: "a\0b\n", "oauth_client_secret_file .*: line 1 has a NUL in it"),
    "no roots": ("roots.pem", lambda good: "", r'oauth_ca_file ".*/roots.pem": line 0: .* no PEM certificate .*; put the certificates .* there, in PEM'),
    "other text": ("roots.pem", lambda good: "one\ntwo\n", "oauth_ca_file .*: line 2: here it ends, and no PEM certificate was in it"),
    "a cut root": ("roots.pem", lambda good: good[:300], "oauth_ca_file .*: line .* PEM"),
    "a broken root": ("roots.pem", lambda good: good + ENDS_EARLY + good, "oauth_ca_file .*: line LINE: here ends a PEM block that is broken"),
}


@pytest.fixture(scope="module")
def spoilable(shared):
    provider = Provider({"/introspect": Document({"active": True, "email": USER})})
    server = by_asking(shared.server("spoilt", start=False), provider.url("/introspect"))
    roots = server.folder / "roots.pem"
    roots.write_text(server.certificate.read_text())
    server.sections["auth"] = server.sections["auth"].replace(f'oauth_ca_file = "{server.certificate}"', f'oauth_ca_file = "{roots}"')
    server.write_conf()
    yield server.start()
    provider.stop()


@pytest.mark.parametrize("what", list(SPOILT))
def test_bad_files_at_a_reload(spoilable, what):
    """OPS-1, OPS-2: what the rooms could not use is refused before any of them hears of it, with word, file, line and the way out;
    tokens go on as before. The same is said by --check and by a start."""
    name, spoil, wanted = SPOILT[what]
    path = spoilable.folder / name
    good = path.read_text()
    wanted = wanted.replace("LINE", str(good.count("\n") + 3))
    try:
        path.write_text(spoil(good))
        assert "the new configuration is refused" in (said := spoilable.reload())
        assert re.search(wanted, said.replace('\\"', '"')), said
        log_in(spoilable, f"token-{next(numbers)}")
        checked = subprocess.run([spoilable.build / "submitd", "--check", "-c", spoilable.conf], capture_output=True, text=True, check=False)
        assert checked.returncode == 78 and re.search(wanted, checked.stderr), checked
    finally:
        path.write_text(good)
    assert "in force" in spoilable.reload()
    log_in(spoilable, f"token-{next(numbers)}")
