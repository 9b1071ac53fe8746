"""rig/tokens.py: a service that issues access tokens, as far as a file of its keys is enough of it."""
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class Issuer:
    """settings: what the section auth needs to trust it."""

    def __init__(self, folder, issuer="https://id.example.net/", audience="submission"):
        self.issuer, self.audience = issuer, audience
        self.key = rsa.generate_private_key(65537, 2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        self.path = folder / "issuer.json"
        self.path.write_text(json.dumps({"keys": [{"kty": "RSA", "n": public["n"], "e": public["e"], "kid": "one", "alg": "RS256", "use": "sig"}]}))
        self.path.chmod(0o644)
        self.settings = f'oauth_jwks = "{self.path}"  oauth_issuer = "{issuer}"  oauth_audience = "{audience}"'

    def token(self, user, seconds=300):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.audience, "iat": now, "exp": now + seconds, "email": user, "email_verified": True}
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "one"})
