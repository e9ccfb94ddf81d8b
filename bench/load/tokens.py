"""The token of the `token` rows: a P-256 or RSA-2048 key, its public half as PEM and JWKS, a JWT that is good, and
some that every server has to refuse before it is measured."""

import base64
import json
import os
import time
from dataclasses import dataclass

from process import Trouble
from server import write

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
except ImportError:
    ec = None

ISSUER = "https://issuer.example"
AUDIENCE = "bench"
LIFETIME_SECONDS = 6 * 3600


@dataclass
class Tokens:
    pem: str  # paths
    jwks: str
    good: str
    bad: list


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def integer(number, octets):
    return base64url(number.to_bytes(octets, "big"))


class Es256:
    name = "ES256"

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        point = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": integer(point.x, 32), "y": integer(point.y, 32)}

    def sign(self, text):
        r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Rs256:
    name = "RS256"

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self):
        public = self.key.public_key().public_numbers()
        return {"kty": "RSA", "n": integer(public.n, 256), "e": integer(public.e, 3)}

    def sign(self, text):
        return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())


SIGNERS = {kind.name: kind for kind in (Es256, Rs256)}


def signed(by, claims):
    head = {"alg": by.name, "typ": "JWT", "kid": "bench"}
    text = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{text}.{base64url(by.sign(text.encode()))}"


def make_tokens(directory, algorithm):
    if ec is None:
        raise Trouble("tokens are made with python3-cryptography, which is not installed")
    issuer, other = SIGNERS[algorithm](), SIGNERS[algorithm]()
    pem = issuer.key.public_key().public_bytes(serialization.Encoding.PEM,
                                               serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = {"use": "sig", "alg": algorithm, "kid": "bench", **issuer.jwk()}
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bench", "iat": now, "exp": now + LIFETIME_SECONDS}
    wrong = ({"iss": "https://other.example"}, {"aud": "other"}, {"iat": now - 7200, "exp": now - 3600})
    return Tokens(
        write(os.path.join(directory, "issuer.pem"), pem.decode()),
        write(os.path.join(directory, "jwks.json"), json.dumps({"keys": [jwk]})),
        signed(issuer, claims), [signed(other, claims), *(signed(issuer, {**claims, **w}) for w in wrong)])
