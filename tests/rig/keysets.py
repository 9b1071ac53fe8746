"""rig/keysets.py: access tokens and key sets by an independent library (PyJWT), and the messages that carry a token."""
import base64
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rig.client import b64

USER, ISSUER, AUDIENCE = "alice@example.net", "https://id.example.net/", "submission"
KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
STRANGER = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate()}
ALGORITHMS = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm, "EdDSA": jwt.algorithms.OKPAlgorithm}


def raw(number, size):
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()


def public(algorithm, key):
    """The key as a set holds it. (PyJWT of Debian 12 writes RSA and OKP; EC is put together here.)"""
    if algorithm == "ES256":
        numbers = key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": raw(numbers.x, 32), "y": raw(numbers.y, 32)}
    return {name: value for name, value in json.loads(ALGORITHMS[algorithm].to_jwk(key.public_key())).items() if name != "key_ops"}


def key_set(keys):
    return json.dumps({"keys": [{**public(algorithm, key), "kid": f"{algorithm}-1", "alg": algorithm, "use": "sig"} for algorithm, key in keys.items()]
                       + [{"kty": "oct", "k": "AAAA", "kid": "symmetric"}]})


def token(algorithm="RS256", keys=None, headers=None, drop=(), **claims):
    now = int(time.time())
    filled = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, "iat": now, "email": USER, "email_verified": True, **claims}
    for name in drop:
        del filled[name]
    return jwt.encode(filled, (keys or KEYS)[algorithm], algorithm, headers={"kid": f"{algorithm}-1", **(headers or {})})


def bearer(access, user="", extra="host=msa.example.net\1port=587\1"):
    return b64(f"n,{user and 'a=' + user},\1{extra}auth=Bearer {access}\1\1")


def x_bearer(access, user=USER):
    return b64(f"user={user}\1auth=Bearer {access}\1\1")
