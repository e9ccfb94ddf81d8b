"""Certificates, key sets and tokens for the system tests, made by python3-cryptography: an
implementation that shares nothing with the program's own."""

import base64
import datetime
import ipaddress
import json
import time
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": (ec.SECP256R1, "P-256", 32), "ES384": (ec.SECP384R1, "P-384", 48),
          "ES512": (ec.SECP521R1, "P-521", 66)}


@dataclass
class Certificate:
    """PEM texts; `chain` starts with the leaf. For a self-signed one, `chain` is also its trust."""

    chain: str
    key: str


def certificate(*names, days=1.0, key=None):
    """A self-signed P-256 certificate (or of `key`) for these DNS names and IP addresses, valid
    from a day ago until `days` from now, which may be negative."""
    names = names or ("localhost", "127.0.0.1", "::1")
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1 + max(-days, 0)))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(built.public_bytes(serialization.Encoding.PEM).decode(), private_pem(key))


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def b64url(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value, size=None):
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """A private key with its algorithm and key id: SigningKey("ES256").sign(claims)."""

    def __init__(self, algorithm, kid="test-1", rsa_bits=2048):
        self.algorithm = algorithm
        self.kid = kid
        if algorithm in CURVES:
            self.private = ec.generate_private_key(CURVES[algorithm][0]())
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)

    def jwk(self):
        """The public key (RFC 7517)."""
        common = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        public = self.private.public_key()
        if self.algorithm in CURVES:
            _, curve, size = CURVES[self.algorithm]
            point = public.public_numbers()
            return common | {"kty": "EC", "crv": curve, "x": _number(point.x, size),
                             "y": _number(point.y, size)}
        if self.algorithm == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return common | {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}
        numbers = public.public_numbers()
        return common | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}

    def private_jwk(self):
        """The private key, for auth.mint.key."""
        public = self.jwk()
        if self.algorithm in CURVES:
            value = self.private.private_numbers().private_value
            return public | {"d": _number(value, CURVES[self.algorithm][2])}
        if self.algorithm == "EdDSA":
            raw = self.private.private_bytes(serialization.Encoding.Raw,
                                             serialization.PrivateFormat.Raw,
                                             serialization.NoEncryption())
            return public | {"d": b64url(raw)}
        n = self.private.private_numbers()
        return public | {"d": _number(n.d), "p": _number(n.p), "q": _number(n.q),
                         "dp": _number(n.dmp1), "dq": _number(n.dmq1), "qi": _number(n.iqmp)}

    def signature(self, message):
        """As JWS has it (RFC 7518 3): ECDSA as r and s side by side, not DER."""
        if self.algorithm == "EdDSA":
            return self.private.sign(message)
        digest = HASHES[self.algorithm[2:]]()
        if self.algorithm in CURVES:
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
            size = CURVES[self.algorithm][2]
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.algorithm.startswith("PS"):
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(message, pad, digest)
        return self.private.sign(message, padding.PKCS1v15(), digest)

    def sign(self, claims, header=None):
        """A compact JWS. `header` replaces members of the usual one; None removes a member."""
        members = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid} | (header or {})
        members = {k: v for k, v in members.items() if v is not None}
        signed = b64url(json.dumps(members)) + "." + b64url(json.dumps(claims))
        return signed + "." + b64url(self.signature(signed.encode()))


def key_set(*keys):
    """The text of a JWK set."""
    return json.dumps({"keys": [key.jwk() for key in keys]})


def claims(subject="tester", issuer="https://issuer.example", audience="api", ttl=300, **more):
    """Claims that a listener with this issuer and audience accepts, now and for `ttl` seconds."""
    now = int(time.time())
    return {"iss": issuer, "aud": audience, "sub": subject, "iat": now, "exp": now + ttl} | more


class Authority:
    """A root and, below it, an intermediate that issues: Authority().issue("a.example").chain is a
    leaf with the intermediate behind it, `root` what a client needs to trust. `signs`: whether the
    intermediate's key usage lets it."""

    def __init__(self, name="Test root", signs=True):
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = _common_name(name)
        self._name = _common_name(name + ", intermediate")
        self.root = _pem(_issued(root, root, self._root_key.public_key(), ca=True)
                         .add_extension(usage_of_authority(True), True)
                         .sign(self._root_key, hashes.SHA256()))
        self.intermediate = _pem(_issued(self._name, root, self._key.public_key(), ca=True)
                                 .add_extension(usage_of_authority(signs), True)
                                 .sign(self._root_key, hashes.SHA256()))

    def issue(self, *names, days=1.0, since=-1.0, usage=None, with_intermediate=True):
        """Valid from `since` to `days`, in days from now; `usage`: an ExtendedKeyUsageOID."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = (
            _issued(_common_name(names[0]), self._name, key.public_key(), days, since=since)
            .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        )
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), False)
        chain = _pem(built.sign(self._key, hashes.SHA256()))
        chain += self.intermediate if with_intermediate else ""
        return Certificate(chain, private_pem(key))


def usage_of_authority(signs):
    """RFC 5280 4.2.1.3: an authority's certificate has it, and wolfSSL 5.7.2 wants it there."""
    return x509.KeyUsage(
        key_cert_sign=signs, crl_sign=True, digital_signature=False, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False)


def _common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate_of):
    return certificate_of.public_bytes(serialization.Encoding.PEM).decode()


def _issued(subject, issuer, key, days=1.0, ca=False, since=-1.0):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=min(since, days - 1)))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
    )


def pin(pem):
    """What upstream.tls.pin has of the first certificate in a text."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    return "sha256/" + base64.b64encode(digest.finalize()).decode()


def load_private(pem):
    return serialization.load_pem_private_key(pem.encode(), None)


def unverified_claims(token):
    """What a compact JWS says, whoever signed it."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
