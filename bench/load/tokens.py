"""The token of the `token` rows: a P-256 key, its public half as PEM and JWKS, a JWT that is good, and
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
    from cryptography.hazmat.primitives.asymmetric import ec
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


def signed(key, claims):
    head = {"alg": "ES256", "typ": "JWT", "kid": "bench"}
    text = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def make_tokens(directory):
    if ec is None:
        raise Trouble("tokens are made with python3-cryptography, which is not installed")
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    public = key.public_key()
    point = public.public_numbers()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "bench",
           "x": base64url(point.x.to_bytes(32, "big")), "y": base64url(point.y.to_bytes(32, "big"))}
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bench", "iat": now, "exp": now + LIFETIME_SECONDS}
    wrong = ({"iss": "https://other.example"}, {"aud": "other"}, {"iat": now - 7200, "exp": now - 3600})
    return Tokens(
        write(os.path.join(directory, "issuer.pem"), pem.decode()),
        write(os.path.join(directory, "jwks.json"), json.dumps({"keys": [jwk]})),
        signed(key, claims), [signed(other, claims), *(signed(key, {**claims, **w}) for w in wrong)])
