"""dialogue/test_oauth.py: OAUTHBEARER and XOAUTH2 with tokens that an independent library (PyJWT) signs."""
import base64
import itertools
import json
import time

import jwt
import pytest

from rig.client import b64
from rig.patience import await_true
from rig.server import PASSWORD
from rig.keysets import AUDIENCE, ISSUER, KEYS, STRANGER, USER, bearer, key_set, token, x_bearer

addresses = itertools.count(1)


@pytest.fixture(scope="module")
def server(shared):
    server = shared.server("oauth", start=False)
    folder = server.folder / "oauth"
    folder.mkdir(mode=0o755)
    server.keys = folder / "keys.json"
    server.keys.write_text(key_set(KEYS))
    server.keys.chmod(0o644)
    server.sections["auth"] = f'oauth_jwks = "{server.keys}"  oauth_issuer = "{ISSUER}"  oauth_audience = "{AUDIENCE}"'
    server.sections["limits"] = "auth_failures_per_account = 0  auth_failures_per_client = 0"
    server.write_conf()
    server.add_user(USER)
    server.add_user("disabled@example.net")
    server.ctl("user", "disable", "disabled@example.net")
    return server.start()


def reach(server, listener="465"):
    connection = server.connect(listener, source=f"127.7.{next(addresses) // 250}.{next(addresses) % 250 + 1}")
    keywords = connection.hello()
    if listener == "587":
        assert "AUTH" not in keywords
        connection.expect("AUTH OAUTHBEARER " + bearer(token()), "530 5.7.0")
        connection.start_tls()
        keywords = connection.hello()
    assert keywords["AUTH"].split()[-2:] == ["OAUTHBEARER", "XOAUTH2"]
    return connection


def refused(connection, line, reason="invalid_token", answer="AQ=="):
    """RFC 7628 section 3.2.3: the reason as a challenge, any answer, 535."""
    reply = connection.expect(line, "334")
    assert json.loads(base64.b64decode(reply.text))["status"] == reason
    connection.expect(answer, "535 5.7.8")


@pytest.mark.parametrize("listener", ["465", "587"])
@pytest.mark.parametrize("algorithm", list(KEYS))
def test_login(server, listener, algorithm):
    """SASL-10, SASL-11, SASL-12: each kind of signature, with and without an identity, at once and after a challenge."""
    reach(server, listener).expect("AUTH OAUTHBEARER " + bearer(token(algorithm)), "235 2.7.0")
    connection = reach(server, listener)
    connection.expect("AUTH OAUTHBEARER", "334")
    connection.expect(bearer(token(algorithm, aud=["other", AUDIENCE]), "alice@EXAMPLE.net", "new=1\1"), "235 2.7.0")
    connection.expect(f"MAIL FROM:<{USER}>", "250 2.1.0")
    connection = reach(server, listener)
    connection.expect("AUTH XOAUTH2 " + x_bearer(token(algorithm)), "235 2.7.0")
    connection.expect("MAIL FROM:<mallory@example.net>", "550 5.7.1")


def tampered(access):
    header, claims, signature = access.split(".")
    claims = base64.urlsafe_b64encode(base64.urlsafe_b64decode(claims + "==").replace(b"alice", b"carol")).rstrip(b"=").decode()
    return f"{header}.{claims}.{signature}"


BAD = {
    "stranger": lambda: token(keys=STRANGER), "stranger ES256": lambda: token("ES256", STRANGER), "stranger EdDSA": lambda: token("EdDSA", STRANGER),
    "expired": lambda: token(exp=int(time.time()) - 61), "no expiry": lambda: token(drop=["exp"]), 
    "not yet": lambda: token(nbf=int(time.time()) + 120), "issued later": lambda: token(iat=int(time.time()) + 120),
    "issuer": lambda: token(iss="https://id.example.net"), "no issuer": lambda: token(drop=["iss"]),
    "audience": lambda: token(aud="other"), "audiences": lambda: token(aud=["a", "b"]), "no audience": lambda: token(drop=["aud"]),
    "nobody": lambda: token(drop=["email"]), "no login": lambda: token(email="alice"), "not verified": lambda: token(email_verified=False),
    "not yet, in words": lambda: token(nbf="tomorrow"), "issued in words": lambda: token(iat=[]), "not yet, null": lambda: token(nbf=None),
    "for a logout": lambda: token(headers={"typ": "logout+jwt"}), "of no type": lambda: token(headers={"typ": 1}),
    "critical": lambda: token(headers={"crit": ["exp"]}), "other kid": lambda: token(headers={"kid": "ES256-1"}),
    "tampered": lambda: tampered(token()), "none": lambda: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": 2**33, "email": USER}, None, "none"),
    "symmetric": lambda: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": 2**33, "email": USER}, "A" * 64, "HS256", headers={"kid": "RS256-1"}),
    "two parts": lambda: token().rpartition(".")[0], "no token": lambda: "x", "dots": lambda: "..", "four parts": lambda: token() + ".AAAA",
    "signature cut": lambda: token("ES256")[:-4], "long": lambda: token(keys=STRANGER, pad="x" * 5000),
}


@pytest.mark.parametrize("how", list(BAD))
def test_refused(server, how):
    """SASL-10, SASL-11, AUTH-26: each fault of a token, with its challenge and 535; and the session goes on."""
    connection = reach(server)
    refused(connection, "AUTH OAUTHBEARER " + bearer(BAD[how]()))
    refused(connection, "AUTH XOAUTH2 " + x_bearer(BAD[how]()), "401", "")
    connection.expect("AUTH OAUTHBEARER " + bearer(token(exp=int(time.time()) - 30)), "235 2.7.0")  # within the leeway


@pytest.mark.parametrize("message", ["", "n", "n,,", "n,,\1", "n,,\1\1", "n,,\1auth=Bearer x", "n,,\1auth=Bearer x\1", "n,,\1auth=Basic x\1\1",
                                     "n,,\1auth=Bearer \1\1", "n,,\1auth=Bearer x y\1\1", "p=tls-exporter,,\1auth=Bearer x\1\1",
                                     "n,b=x,\1auth=Bearer x\1\1", "n,a=,\1auth=Bearer x\1\1", "n,,auth=Bearer x\1\1", "n,,\1auth=Bearer x\1\1\1",
                                     "n,,\1auth=Bearer x\1auth=Bearer x\1\1", "n,,\1port=0\1auth=Bearer x\1\1", "n,,\1=\1auth=Bearer x\1\1"])
def test_malformed(server, message):
    """SASL-10: what is no message of the mechanism."""
    refused(reach(server), "AUTH OAUTHBEARER " + (b64(message) or "="), "invalid_request")


def test_steps(server):
    """SASL-10, AUTH-10, AUTH-11, AUTH-13, AUTH-16, AUTH-20: somebody else's token, a disabled and an unknown user, faults of the line,
    octet by octet."""
    connection = reach(server)
    refused(connection, "AUTH OAUTHBEARER " + bearer(token(), "carol@example.net"))
    refused(connection, "AUTH XOAUTH2 " + x_bearer(token(), "carol@example.net"), "401")
    connection.expect("AUTH OAUTHBEARER", "334")
    connection.expect("*", "501 5.7.0")
    connection.expect("AUTH OAUTHBEARER bi", "501 5.5.2")
    connection = reach(server)
    connection.expect("AUTH XOAUTH2", "334")
    connection.expect("A" * 12289, "500 5.5.6")
    connection.expect("AUTH OAUTHBEARER " + bearer(token(email="disabled@example.net")), "525 5.7.13")
    connection.expect("AUTH OAUTHBEARER " + bearer(token(email="unknown@example.net")), "535 5.7.8")
    for octet in ("AUTH OAUTHBEARER " + bearer(token(headers={"typ": "at+JWT"}))).encode():
        connection.send(bytes([octet]))
    connection.expect("", "235 2.7.0")


def test_keys_change(server):
    """SASL-11, AUTH-15: the key file is read again when it has changed; a broken or missing one is 454, never 535."""
    good = server.keys.read_text()
    fresh = {"ES256": STRANGER["ES256"]}
    try:
        server.keys.with_name("next").write_text(key_set(fresh))
        server.keys.with_name("next").rename(server.keys)
        connection = reach(server)
        connection.expect("AUTH OAUTHBEARER " + bearer(token("ES256", fresh)), "235 2.7.0")
        refused(reach(server), "AUTH OAUTHBEARER " + bearer(token("ES256")))
        for broken in ("", "{", '{"keys": 1}', '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}'):
            server.keys.write_text(broken)
            reach(server).expect("AUTH OAUTHBEARER " + bearer(token()), "454 4.7.0")
        server.keys.write_text(json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "EC", "crv": "P-256"}, *json.loads(good)["keys"]]}))
        reach(server).expect("AUTH OAUTHBEARER " + bearer(token()), "235 2.7.0")
        server.keys.chmod(0o646)
        reach(server).expect("AUTH OAUTHBEARER " + bearer(token()), "454 4.7.0")
        server.keys.chmod(0o644)
        server.keys.unlink()
        reach(server).expect("AUTH OAUTHBEARER " + bearer(token()), "454 4.7.0")
        reach(server).login(USER, PASSWORD)
    finally:
        server.keys.write_text(good)
    reach(server).expect("AUTH OAUTHBEARER " + bearer(token()), "235 2.7.0")
    assert token()[:40] not in server.log()


def test_key_for_something_else(server):
    """SASL-11: a key that says it is for something else than verifying is no key of ours (RFC 7517 sections 4.2 and 4.3)."""
    good = server.keys.read_text()
    try:
        for member, value, is_ours in (("use", "enc", False), ("key_ops", ["encrypt"], False), ("key_ops", [], False), ("key_ops", "verify", False),
                                       ("key_ops", ["sign", "verify"], True)):
            keys = json.loads(good)["keys"]
            server.keys.write_text(json.dumps({"keys": [{**key, member: value} for key in keys]}))
            if is_ours:
                reach(server).expect("AUTH OAUTHBEARER " + bearer(token("ES256")), "235 2.7.0")
            else:
                refused(reach(server), "AUTH OAUTHBEARER " + bearer(token("ES256")))
    finally:
        server.keys.write_text(good)


def test_failures_count(shared):
    """AUTH-18, SASL-10: a refused token counts when it is refused, whatever the client answers to the reason, or nothing."""
    server = shared.server("oauth-limits", start=False)
    keys = server.folder / "keys.json"
    keys.write_text(key_set(KEYS))
    keys.chmod(0o644)
    server.sections["auth"] = f'oauth_jwks = "{keys}"  oauth_issuer = "{ISSUER}"  oauth_audience = "{AUDIENCE}"'
    server.sections["limits"] = "auth_failures_per_client = 3"
    server.write_conf()
    server.start()
    for answer in ("AQ==", "*", None):
        connection = server.connect("465", source="127.7.9.9")
        connection.hello()
        if not answer:  # not even the reason is waited for
            connection.send("AUTH OAUTHBEARER " + bearer(token(exp=1)) + "\r\n")
            connection.close()
            await_true(lambda: server.log().count("why=expired") >= 3, "the last token is not looked at")
            time.sleep(0.2)
            continue
        connection.expect("AUTH OAUTHBEARER " + bearer(token(exp=1)), "334")
        connection.command(answer)
        connection.close()
    connection = server.connect("465", source="127.7.9.9")
    connection.hello()
    connection.expect("AUTH OAUTHBEARER " + bearer(token()), "454 4.7.0")
    assert "result=cancelled" in server.log() and "why=expired" in server.log()


def test_off(shared):
    """AUTH-25, AUTH-5: without a key set neither is there."""
    connection = shared.server("oauth-off").connect("465")
    assert "BEARER" not in connection.hello()["AUTH"]
    connection.expect("AUTH OAUTHBEARER " + bearer(token()), "504 5.5.4")
    connection.expect("AUTH XOAUTH2", "504 5.5.4")
