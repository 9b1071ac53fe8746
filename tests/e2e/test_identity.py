"""e2e/test_identity.py: logins with the tokens of a real identity provider (oidc-provider), got the way that mail programs get
them, checked by its key set's address and by asking it."""
import pytest

from e2e import identity
from rig.client import message
from rig.server import Server
from rig.keysets import bearer, x_bearer

SETTINGS = {
    "keys": 'oauth_jwks_uri = "ISSUER/jwks"  oauth_issuer = "ISSUER"  oauth_audience = "mail"  oauth_scope = "smtp"  oauth_ca_file = "CA"',
    "asking": 'oauth_introspection = "ISSUER/token/introspection"  oauth_client_id = "submitd"  oauth_client_secret_file = "SECRET"  '
              'oauth_issuer = "ISSUER"  oauth_audience = "mail"  oauth_scope = "smtp"  oauth_ca_file = "CA"',
}


@pytest.fixture(scope="module")
def provider():
    made = identity.Identity()
    yield made
    made.stop()


def serve(keeper, provider, way):
    server = keeper.server(f"identity-{way}", start=False)
    secret = server.folder / "oauth-secret"
    secret.write_text(identity.SECRET + "\n")
    secret.chmod(0o600)
    words = SETTINGS[way].replace("ISSUER", provider.issuer).replace("CA", str(provider.certificate)).replace("SECRET", str(secret))
    server.sections["auth"] = words
    server.write_conf()
    return server.start()


@pytest.fixture(scope="module")
def servers(shared, provider):
    return {way: serve(shared, provider, way) for way in SETTINGS}


def log_in(server: Server, access, user=identity.USER):
    for line in ("OAUTHBEARER " + bearer(access, user), "XOAUTH2 " + x_bearer(access, user)):
        connection = server.connect("465")
        connection.hello()
        connection.expect("AUTH " + line, "235 2.7.0")
    return connection


def refused(server, access):
    connection = server.connect("465")
    connection.hello()
    connection.expect("AUTH XOAUTH2 " + x_bearer(access), "334")
    connection.expect("", "535 5.7.8")


@pytest.mark.parametrize("flow", ["by_client_credentials", "by_code"])
@pytest.mark.parametrize("way,kind", [("keys", "RS256"), ("keys", "ES256"), ("keys", "EdDSA"), ("asking", "opaque")])
def test_login(servers, provider, way, kind, flow):
    """SASL-10, SASL-11, SASL-12: a token of each kind, by each flow; and mail is taken with it."""
    connection = log_in(servers[way], getattr(provider, flow)(kind))
    identity_of_mail = connection.mail(identity.USER, ["bob@example.org"], message("by token"))
    assert servers[way].await_mail(identity_of_mail)


def test_other_user(servers, provider):
    """SASL-11: somebody who has an account there and none here."""
    refused(servers["keys"], provider.by_code("RS256", "mallory@example.net"))


def test_wrong_kind(servers, provider):
    """SASL-11: a token that is not for mail, and one that is none."""
    for server in servers.values():
        refused(server, "nobody.knows.this")
    refused(servers["keys"], provider.by_client_credentials("opaque"))


def test_revoked(servers, provider):
    """SASL-11: what was withdrawn before anybody used it is not good; and what was good is remembered for a while."""
    access = provider.by_client_credentials("opaque")
    provider.revoke(access)
    refused(servers["asking"], access)
    access = provider.by_client_credentials("opaque")
    log_in(servers["asking"], access)
    provider.revoke(access)
    log_in(servers["asking"], access)


def test_new_keys(rig, provider):
    """SASL-11: the provider comes back with new keys: its new tokens are good at once, the old ones no more."""
    server = serve(rig, provider, "keys")
    old = provider.by_client_credentials("ES256")
    log_in(server, old)
    provider.stop()
    log_in(server, old)
    provider.start()
    log_in(server, provider.by_client_credentials("ES256"))
    refused(server, old)
