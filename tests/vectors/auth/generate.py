#!/usr/bin/env python3
"""Makes the vectors of this folder with an implementation that is not ours (python3-cryptography).

    ./generate.py            writes keys.jwks, valid.tsv and attacks.tsv; private.tsv too, when it is missing

Dates are fixed: issued at 1700000000, tested at 1700000100, expiring at 1700003600. The lines of
valid.tsv are `name TAB token`, those of attacks.tsv `name TAB reason TAB token`.
"""
import base64
import hashlib
import hmac
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HERE = os.path.dirname(os.path.abspath(__file__))
ISSUED, EXPIRES = 1700000000, 1700003600
HASH = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48), "P-521": (ec.SECP521R1(), 66)}
ORDERS = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "P-521": int("01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA"
                 "51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
ED_ORDER = 2**252 + 27742317777372353535851937790883648493


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def as_int(text):
    return int.from_bytes(unb64(text), "big")


# ------------------------------------------------------------------------------------------- keys

def make_rsa(kid, bits, e=65537, **more):
    p = rsa.generate_private_key(e, bits).private_numbers()
    n = p.public_numbers
    return {"kty": "RSA", "kid": kid, "n": number(n.n), "e": number(n.e), "d": number(p.d),
            "p": number(p.p), "q": number(p.q), "dp": number(p.dmp1), "dq": number(p.dmq1),
            "qi": number(p.iqmp), **more}


def make_ec(kid, crv, **more):
    curve, size = CURVES[crv]
    p = ec.generate_private_key(curve).private_numbers()
    n = p.public_numbers
    return {"kty": "EC", "kid": kid, "crv": crv, "x": number(n.x, size), "y": number(n.y, size),
            "d": number(p.private_value, size), **more}


def make_ed(kid, **more):
    p = ed25519.Ed25519PrivateKey.generate()
    raw = serialization.Encoding.Raw
    return {"kty": "OKP", "kid": kid, "crv": "Ed25519",
            "x": b64(p.public_key().public_bytes(raw, serialization.PublicFormat.Raw)),
            "d": b64(p.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())),
            **more}


def make_keys():
    return [
        make_rsa("rsa-2048", 2048), make_rsa("rsa-3072", 3072), make_rsa("rsa-4096", 4096),
        make_rsa("rsa-2056", 2056), make_rsa("rsa-8192", 8192), make_rsa("rsa-e3", 2048, 3),
        make_rsa("rsa-ps256", 2048, alg="PS256"),
        make_ec("p256", "P-256"), make_ec("p384", "P-384"), make_ec("p521", "P-521"),
        make_ec("p256-alg", "P-256", alg="ES256", use="sig", key_ops=["verify"]),
        make_ed("ed"),
        make_rsa("encryption", 2048, use="enc"),
        # Not in the set: what an attacker would sign with.
        make_rsa("stranger-rsa", 2048), make_ec("stranger-p256", "P-256"), make_ed("stranger-ed"),
    ]


def load_keys():
    path = os.path.join(HERE, "private.tsv")
    if not os.path.exists(path):
        with open(path, "w") as out:
            for key in make_keys():
                out.write(f"{key['kid']}\t{json.dumps(key, separators=(',', ':'))}\n")
    with open(path) as text:
        return {kid: json.loads(jwk) for kid, jwk in (line.rstrip("\n").split("\t") for line in text)}


KEYS = load_keys()


def public(key):
    return {k: v for k, v in key.items() if k not in ("d", "p", "q", "dp", "dq", "qi")}


def rsa_private(key):
    pub = rsa.RSAPublicNumbers(as_int(key["e"]), as_int(key["n"]))
    return rsa.RSAPrivateNumbers(as_int(key["p"]), as_int(key["q"]), as_int(key["d"]), as_int(key["dp"]),
                                 as_int(key["dq"]), as_int(key["qi"]), pub).private_key()


def sign(key, alg, data, salt=None):
    if alg.startswith("RS"):
        return rsa_private(key).sign(data, padding.PKCS1v15(), HASH[alg[2:]])
    if alg.startswith("PS"):
        h = HASH[alg[2:]]
        return rsa_private(key).sign(
            data, padding.PSS(padding.MGF1(h), h.digest_size if salt is None else salt), h)
    if alg.startswith("ES"):
        curve, size = CURVES[key["crv"]]
        der = ec.derive_private_key(as_int(key["d"]), curve).sign(data, ec.ECDSA(HASH[alg[2:]]))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return ed25519.Ed25519PrivateKey.from_private_bytes(unb64(key["d"])).sign(data)


# ----------------------------------------------------------------------------------------- tokens

CLAIMS = {"iss": "https://issuer.example", "sub": "alice", "aud": "api", "iat": ISSUED, "exp": EXPIRES}


def text(value):
    return value if isinstance(value, (bytes, str)) else json.dumps(value, separators=(",", ":"))


def octets(value):
    value = text(value)
    return value if isinstance(value, bytes) else value.encode()


def claims(**changes):
    out = {**CLAIMS, **changes}
    return {k: v for k, v in out.items() if v is not ...}


def raw_claims(more):
    """The usual claims with `more` spliced in as text."""
    return text(CLAIMS)[:-1] + more + "}"


def token(alg="ES256", kid="p256", payload=None, header=None, key=None, signature=None, salt=None, more=None):
    """Signs with KEYS[key or kid]; `header` replaces the header whole, `more` adds to it."""
    if header is None:
        header = {"alg": alg, "typ": "JWT", **({"kid": kid} if kid is not None else {}), **(more or {})}
    data = b64(octets(header)) + "." + b64(octets(CLAIMS if payload is None else payload))
    if signature is None:
        signature = sign(KEYS[key or kid], alg, data.encode(), salt)
    elif callable(signature):
        signature = signature(data.encode())
    return data + "." + b64(signature)


VALID, ATTACKS = [], []


def valid(name, value):
    VALID.append((name, value))


def attack(name, reason, value):
    assert "\t" not in value and "\n" not in value and reason
    ATTACKS.append((name, reason, value))


def make_valid():
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        for kid in ("rsa-2048", "rsa-3072", "rsa-4096", "rsa-2056", "rsa-e3"):
            valid(f"{alg} {kid}", token(alg, kid))
    valid("RS256 rsa-8192", token("RS256", "rsa-8192"))
    valid("PS512 rsa-8192", token("PS512", "rsa-8192"))
    valid("PS256 rsa-ps256", token("PS256", "rsa-ps256"))
    for alg, kid in (("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521"), ("EdDSA", "ed")):
        for i in range(4):  # numbers with and without leading zeros
            valid(f"{alg} {kid} {i}", token(alg, kid, claims(jti=str(i))))
    valid("ES256 short r", short_number("ES256", "p256", 0))
    valid("ES256 short s", short_number("ES256", "p256", 1))
    valid("ES256 key with alg, use, key_ops", token("ES256", "p256-alg"))
    valid("no kid, one key fits", token("EdDSA", None, key="ed"))
    for typ in ("jwt", "JWT", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"):
        valid(f"typ {typ}", token(header={"alg": "ES256", "kid": "p256", "typ": typ}))
    valid("no typ", token(header={"alg": "ES256", "kid": "p256"}))
    valid("unknown header members", token(more={"x5t": "AAAA", "cty": "x", "nonce": 1, "deep": {"a": [1]}}))
    valid("escaped names", token(header=r'{"\u0061lg":"ES\u003256","k\u0069d":"p256"}',
                                 payload=r'{"\u0069ss":"https:\/\/issuer.example","sub":"\u0061lice",'
                                         r'"aud":"api","iat":1700000000,"exp":1700003600}'))
    valid("white space", token(header=' {\r\n\t"alg" : "ES256" , "kid" : "p256" } ', payload=" " + text(CLAIMS) + " \n"))
    valid("aud array", token(payload=claims(aud=["other", "api"])))
    valid("exp with a fraction", token(payload=claims(exp=1700000100.5)))
    valid("exp with an exponent", token(payload=raw_claims("").replace("1700003600", "1.7000036e9")))
    valid("nbf passed", token(payload=claims(nbf=ISSUED)))
    valid("iat within the leeway", token(payload=claims(iat=1700000129)))
    valid("nbf within the leeway", token(payload=claims(nbf=1700000130)))
    valid("exp within the leeway", token(payload=claims(exp=1700000071)))
    valid("no iat", token(payload=claims(iat=...)))
    valid("unknown claims", token(payload=claims(x={"y": [1, 2.5, None, True, "\u00e9\U0001f600"]}, azp=None)))
    valid("nested eight deep", token(payload=raw_claims(',"x":' + "[" * 7 + "]" * 7)))


def short_number(alg, kid, which):
    """A token whose r (0) or s (1) starts with a zero octet."""
    while True:
        made = token(alg, kid, claims(jti=os.urandom(4).hex()))
        signature = unb64(made.rsplit(".", 1)[1])
        if signature[which * len(signature) // 2] == 0:
            return made


def hs(alg, secret, **more):
    name = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[alg]
    return token(alg, signature=lambda data: hmac.new(secret, data, name).digest(), **more)


def make_algorithm_attacks():
    for alg in ("none", "None", "NONE", "nOnE", "none ", "", "n\u043ene"):
        head = {"alg": alg, "kid": "p256"}
        attack(f"alg {ascii(alg)} without signature", "malformed", token(header=head, signature=b""))
        attack(f"alg {ascii(alg)} with a signature", "algorithm", token(header=head, signature=lambda d: sign(KEYS["p256"], "ES256", d)))
    for alg in (None, 1, ["ES256"], {"ES256": 1}, True):
        attack(f"alg {json.dumps(alg)}", "algorithm", token(header={"alg": alg, "kid": "p256"}, key="p256"))
    attack("alg absent", "algorithm", token(header={"kid": "p256"}, key="p256"))
    for alg in ("es256", "ES256 ", "ES256K", "RS1", "RSA-OAEP", "A128KW", "dir", "EdDSA\0", "Ed25519", "HS1"):
        attack(f"alg {ascii(alg)}", "algorithm", token(header={"alg": alg, "kid": "p256"}, key="p256"))

    pub = rsa_private(KEYS["rsa-2048"]).public_key()
    enc, form = serialization.Encoding, serialization.PublicFormat
    secrets = {"empty": b"", "jwk": octets(public(KEYS["rsa-2048"])), "n": unb64(KEYS["rsa-2048"]["n"]),
               "n text": KEYS["rsa-2048"]["n"].encode(), "x": unb64(KEYS["p256"]["x"]),
               "point": b"\x04" + unb64(KEYS["p256"]["x"]) + unb64(KEYS["p256"]["y"]), "ed": unb64(KEYS["ed"]["x"])}
    for name, f in (("spki", form.SubjectPublicKeyInfo), ("pkcs1", form.PKCS1)):
        pem = pub.public_bytes(enc.PEM, f)
        secrets[f"{name} pem"] = pem
        secrets[f"{name} pem without the last line feed"] = pem.rstrip(b"\n")
        secrets[f"{name} pem with CRLF"] = pem.replace(b"\n", b"\r\n")
        secrets[f"{name} der"] = pub.public_bytes(enc.DER, f)
    for alg in ("HS256", "HS384", "HS512"):
        for name, secret in secrets.items():
            kid = {"x": "p256", "point": "p256", "ed": "ed"}.get(name, "rsa-2048")
            attack(f"{alg} with the public key, {name}", "algorithm", hs(alg, secret, kid=kid))


def make_key_attacks():
    attack("kid of a P-256 key, RS256", "algorithm", token("RS256", "p256", key="rsa-2048"))
    attack("kid of an RSA key, ES256", "algorithm", token("ES256", "rsa-2048", key="p256"))
    attack("kid of a P-384 key, ES256", "algorithm", token("ES256", "p384", key="p384"))
    attack("kid of a P-256 key, ES384", "algorithm", token("ES384", "p256", key="p256"))
    attack("kid of a P-521 key, ES384", "algorithm", token("ES384", "p521", key="p521"))
    attack("kid of an Ed25519 key, ES256", "algorithm", token("ES256", "ed", key="p256"))
    attack("kid of a P-256 key, EdDSA", "algorithm", token("EdDSA", "p256", key="ed"))
    attack("RS256 with a key for PS256", "algorithm", token("RS256", "rsa-ps256"))
    attack("PS384 with a key for PS256", "algorithm", token("PS384", "rsa-ps256"))
    attack("kid of an encryption key", "unknown_kid", token("RS256", "encryption"))
    attack("right kid, another key of that curve", "bad_signature", token("ES256", "p256", key="stranger-p256"))
    attack("right kid, another RSA key", "bad_signature", token("RS256", "rsa-2048", key="stranger-rsa"))
    attack("right kid, another RSA key of the set", "bad_signature", token("RS256", "rsa-2048", key="rsa-e3"))
    attack("right kid, another Ed25519 key", "bad_signature", token("EdDSA", "ed", key="stranger-ed"))
    attack("unknown kid", "unknown_kid", token("ES256", "stranger-p256"))
    for kid in ("", "P256", "p256 ", "p256\0", "../../dev/null", "' OR 1=1 --", "x" * 257, "p25"):
        attack(f"kid {ascii(kid[:20])}", "unknown_kid", token("ES256", kid, key="p256"))
    for kid in (1, None, ["p256"], {"p256": 1}):
        attack(f"kid {json.dumps(kid)}", "header", token(header={"alg": "ES256", "kid": kid}, key="p256"))
    attack("no kid, several keys fit", "unknown_kid", token("RS256", None, key="rsa-2048"))
    attack("no kid, two P-256 keys", "unknown_kid", token("ES256", None, key="p256"))


def ecdsa_attack(name, kid, alg, change):
    curve, size = CURVES[KEYS[kid]["crv"]]
    order = ORDERS[KEYS[kid]["crv"]]

    def make(data):
        good = sign(KEYS[kid], alg, data)
        return change(int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big"), size, order)

    attack(f"{alg} {name}", "bad_signature", token(alg, kid, signature=make))


def make_ecdsa_attacks():
    def pair(r, s, size):
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    for alg, kid in (("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521")):
        ecdsa_attack("DER", kid, alg, lambda r, s, z, n: utils.encode_dss_signature(r, s))
        ecdsa_attack("DER, padded to the raw length", kid, alg,
                     lambda r, s, z, n: utils.encode_dss_signature(r >> 100, s >> 100)[:2 * z].ljust(2 * z, b"\0"))
        ecdsa_attack("zero r", kid, alg, lambda r, s, z, n: pair(0, s, z))
        ecdsa_attack("zero s", kid, alg, lambda r, s, z, n: pair(r, 0, z))
        ecdsa_attack("zero r and s", kid, alg, lambda r, s, z, n: pair(0, 0, z))
        ecdsa_attack("one r and s", kid, alg, lambda r, s, z, n: pair(1, 1, z))
        ecdsa_attack("r = n", kid, alg, lambda r, s, z, n: pair(n, s, z))
        ecdsa_attack("s = n", kid, alg, lambda r, s, z, n: pair(r, n, z))
        ecdsa_attack("r = s = n", kid, alg, lambda r, s, z, n: pair(n, n, z))
        ecdsa_attack("r = n + 1, s = n + 1", kid, alg, lambda r, s, z, n: pair(n + 1, n + 1, z))
        ecdsa_attack("all ones", kid, alg, lambda r, s, z, n: b"\xff" * 2 * z)
        ecdsa_attack("r and s exchanged", kid, alg, lambda r, s, z, n: pair(s, r, z))
        ecdsa_attack("one octet short", kid, alg, lambda r, s, z, n: pair(r, s, z)[:-1])
        ecdsa_attack("one octet too many", kid, alg, lambda r, s, z, n: pair(r, s, z) + b"\0")
        ecdsa_attack("a leading zero octet each", kid, alg, lambda r, s, z, n: pair(r, s, z + 1))
        ecdsa_attack("r alone", kid, alg, lambda r, s, z, n: r.to_bytes(z, "big"))
        ecdsa_attack("one octet", kid, alg, lambda r, s, z, n: b"\1")
    # 521 bits in 66 octets leave room for r + n.
    ecdsa_attack("r + n", "p521", "ES512", lambda r, s, z, n: pair(r + n, s, z))
    ecdsa_attack("s + n", "p521", "ES512", lambda r, s, z, n: pair(r, s + n, z))
    attack("ES256 digest of SHA-384", "bad_signature", token(signature=lambda d: sign(KEYS["p256"], "ES384", d)))


DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST_INFO_NO_NULL = bytes.fromhex("302f300b0609608648016503040201" "0420")
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


def raw_rsa(kid, message):
    key = KEYS[kid]
    n = as_int(key["n"])
    return pow(int.from_bytes(message, "big"), as_int(key["d"]), n).to_bytes((n.bit_length() + 7) // 8, "big")


def cube_root(value):
    low, high = 0, 1 << (value.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        if middle**3 < value:
            low = middle + 1
        else:
            high = middle
    return low


def make_rsa_attacks():
    def pkcs1(name, build, kid="rsa-2048"):
        def make(data):
            return raw_rsa(kid, build(hashlib.sha256(data).digest(), data).rjust(256, b"\0"))
        attack(f"RS256 {name}", "bad_signature", token("RS256", kid, signature=make))

    def em(info, digest, pad=None, head=b"\0\1", tail=b""):
        body = info + digest + tail
        return head + b"\xff" * (256 - 3 - len(body) if pad is None else pad) + b"\0" + body

    pkcs1("DigestInfo without NULL", lambda h, d: em(DIGEST_INFO_NO_NULL, h))
    pkcs1("no DigestInfo", lambda h, d: em(b"", h))
    pkcs1("SHA-1", lambda h, d: em(SHA1_INFO, hashlib.sha1(d).digest()))
    pkcs1("block type 2", lambda h, d: em(DIGEST_INFO, h, head=b"\0\2"))
    pkcs1("block type 0", lambda h, d: em(DIGEST_INFO, h, head=b"\0\0"))
    pkcs1("garbage after the digest", lambda h, d: em(DIGEST_INFO, h, pad=8, tail=b"\0" * (256 - 11 - 51)))
    pkcs1("garbage in the padding", lambda h, d: em(DIGEST_INFO, h).replace(b"\xff\xff\0", b"\xff\xfe\0"))
    pkcs1("padding of 7 octets", lambda h, d: em(DIGEST_INFO, h, pad=7).ljust(256, b"\0"))
    pkcs1("a long form length", lambda h, d: em(b"\x30\x81" + DIGEST_INFO[1:], h))

    def forged(data):  # Bleichenbacher's e = 3 forgery: no private key at all
        start = em(DIGEST_INFO, hashlib.sha256(data).digest(), pad=8)
        return cube_root(int.from_bytes(start.ljust(256, b"\0"), "big")).to_bytes(256, "big")
    attack("RS256 cube root with e = 3", "bad_signature", token("RS256", "rsa-e3", signature=forged))

    n = as_int(KEYS["rsa-2048"]["n"])

    def plus_n(data):
        return (int.from_bytes(sign(KEYS["rsa-2048"], "RS256", data), "big") + n).to_bytes(257, "big")
    attack("RS256 signature + n", "bad_signature", token("RS256", "rsa-2048", signature=plus_n))
    while True:
        made = token("RS256", "rsa-2048", claims(jti=os.urandom(4).hex()))
        data, signature = made.rsplit(".", 1)
        value = int.from_bytes(unb64(signature), "big") + n
        if value.bit_length() <= 2048:
            break
    attack("RS256 signature + n of the same length", "bad_signature", data + "." + number(value, 256))
    for alg in ("RS256", "PS256"):
        def changed(how, alg=alg):
            return token(alg, "rsa-2048", signature=lambda d: how(sign(KEYS["rsa-2048"], alg, d)))
        attack(f"{alg} zero octet in front", "bad_signature", changed(lambda s: b"\0" + s))
        attack(f"{alg} zero octet behind", "bad_signature", changed(lambda s: s + b"\0"))
        attack(f"{alg} one octet short", "bad_signature", changed(lambda s: s[:-1]))
        attack(f"{alg} first octet missing", "bad_signature", changed(lambda s: s[1:]))
        for name, value in (("0", 0), ("1", 1), ("n", n), ("n - 1", n - 1)):
            attack(f"{alg} signature {name}", "bad_signature", token(alg, "rsa-2048", signature=value.to_bytes(256, "big")))
        attack(f"{alg} signature of 1025 octets", "malformed", token(alg, "rsa-2048", signature=b"\1" * 1025))
    for alg, salt in (("PS256", 0), ("PS256", 20), ("PS256", 31), ("PS256", 33), ("PS256", 222), ("PS384", 32), ("PS512", 32), ("PS512", 62)):
        attack(f"{alg} with a salt of {salt}", "bad_signature", token(alg, "rsa-2048", salt=salt))
    attack("RS256 with a PSS signature", "bad_signature", token("RS256", "rsa-2048", signature=lambda d: sign(KEYS["rsa-2048"], "PS256", d)))
    attack("PS256 with a PKCS #1 v1.5 signature", "bad_signature", token("PS256", "rsa-2048", signature=lambda d: sign(KEYS["rsa-2048"], "RS256", d)))
    attack("RS256 with SHA-384", "bad_signature", token("RS256", "rsa-2048", signature=lambda d: sign(KEYS["rsa-2048"], "RS384", d)))

    def mgf_sha1(data):
        return rsa_private(KEYS["rsa-2048"]).sign(data, padding.PSS(padding.MGF1(hashes.SHA1()), 32), hashes.SHA256())
    attack("PS256 with MGF1 of SHA-1", "bad_signature", token("PS256", "rsa-2048", signature=mgf_sha1))


def make_eddsa_attacks():
    def plus_order(data):
        good = sign(KEYS["ed"], "EdDSA", data)
        return good[:32] + (int.from_bytes(good[32:], "little") + ED_ORDER).to_bytes(32, "little")
    attack("EdDSA S + L", "bad_signature", token("EdDSA", "ed", signature=plus_order))
    attack("EdDSA zeros", "bad_signature", token("EdDSA", "ed", signature=b"\0" * 64))
    attack("EdDSA identity R, zero S", "bad_signature", token("EdDSA", "ed", signature=b"\1" + b"\0" * 63))
    attack("EdDSA 63 octets", "bad_signature", token("EdDSA", "ed", signature=lambda d: sign(KEYS["ed"], "EdDSA", d)[:-1]))
    attack("EdDSA 65 octets", "bad_signature", token("EdDSA", "ed", signature=lambda d: sign(KEYS["ed"], "EdDSA", d) + b"\0"))
    attack("EdDSA of the digest", "bad_signature", token("EdDSA", "ed", signature=lambda d: sign(KEYS["ed"], "EdDSA", hashlib.sha512(d).digest())))


def make_form_attacks():
    good = token()
    head, body, signature = good.split(".")
    attack("one part with dots only", "malformed", "..")
    attack("empty header", "malformed", f".{body}.{signature}")
    attack("empty payload", "malformed", f"{head}..{signature}")
    attack("empty signature", "malformed", f"{head}.{body}.")
    attack("a fourth part", "malformed", good + ".AAAA")
    attack("an empty fourth part", "malformed", good + ".")
    attack("five parts, as a JWE", "malformed", f"{head}.AAAA.{body}.AAAA.{signature}")
    attack("a dot in front", "malformed", "." + good)
    attack("header twice", "malformed", f"{head}.{head}.{body}.{signature}")
    attack("padded header", "malformed", f"{head}=.{body}.{signature}")
    attack("padded payload", "malformed", f"{head}.{body}=.{signature}")
    attack("padded signature", "malformed", f"{good}==")
    attack("a space at the end", "malformed", good + " ")
    attack("a space inside", "malformed", f"{head}.{body}. {signature}")
    attack("plain base64 alphabet", "malformed", f"{head}.{body}.+/{signature[2:]}")
    attack("a character outside the alphabet", "malformed", f"{head}.{body}.{signature[:-1]}*")
    attack("an octet above ASCII", "malformed", f"{head}.{body}.{signature[:-1]}\u00e9")
    attack("one character short", "malformed", good[:-1])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for part in range(3):
        parts = good.split(".")
        spare = {2: 16, 3: 4}.get(len(parts[part]) % 4)
        while spare is None:  # no left-over bits: make the part longer
            parts = token(more={"x": "y" * (part == 0) * os.urandom(1)[0]},
                          payload=claims(jti="z" * (os.urandom(1)[0] % 7))).split(".")
            spare = {2: 16, 3: 4}.get(len(parts[part]) % 4)
        last = alphabet.index(parts[part][-1])
        parts[part] = parts[part][:-1] + alphabet[last + 1]
        attack(f"left-over bits in part {part + 1}", "malformed", ".".join(parts))
    attack("the header changed", "bad_signature", b64(octets({"alg": "ES256", "typ": "JWT", "kid": "p256", "x": 1})) + f".{body}.{signature}")
    attack("the payload changed", "bad_signature", f"{head}." + b64(octets(claims(sub="root"))) + f".{signature}")
    attack("the signature of another token", "bad_signature", f"{head}.{body}." + token(payload=claims(sub="root")).split(".")[2])
    attack("a header of 4097 characters", "too_large", token(more={"x": "y" * 3072}))
    attack("a token of more than 8 KiB", "too_large", token(payload=claims(x="y" * 8192)))


def make_header_attacks():
    stranger = public(KEYS["stranger-p256"])
    embedded = {"jwk": stranger, "jku": "https://attacker.example/jwks.json", "x5u": "https://attacker.example/cert.pem",
                "x5c": ["MIIB"], "crit": ["exp"], "b64": False, "zip": "DEF", "enc": "A128GCM"}
    for name, value in embedded.items():
        attack(f"{name}, signed with the embedded key", "header", token(more={name: value}, key="stranger-p256"))
        attack(f"{name}, signed with the right key", "header", token(more={name: value}))
        attack(f"{name}, its name escaped", "header",
               token(header='{"alg":"ES256","kid":"p256","\\u%04x%s":%s}' % (ord(name[0]), name[1:], json.dumps(value)), key="p256"))
    attack("crit, empty", "header", token(more={"crit": []}))
    attack("crit b64, b64 false", "header", token(more={"crit": ["b64"], "b64": False}))
    attack("b64 true", "header", token(more={"b64": True}))
    attack("jwk null", "header", token(more={"jwk": None}))
    for typ in ("JWE", "dpop+jwt", "logout+jwt", "secevent+jwt", "application/", "application/json", "", "jwt ", 1, None, ["JWT"]):
        attack(f"typ {json.dumps(typ)}", "header", token(more={"typ": typ}))

    def head(value):
        return token(header=value, key="p256")
    attack("alg twice", "malformed", head('{"alg":"none","alg":"ES256","kid":"p256"}'))
    attack("alg twice, the same", "malformed", head('{"alg":"ES256","kid":"p256","alg":"ES256"}'))
    attack("alg twice, once escaped", "malformed", head('{"alg":"ES256","kid":"p256","\\u0061lg":"none"}'))
    attack("kid twice, once escaped", "malformed", head('{"alg":"ES256","kid":"p256","ki\\u0064":"p384"}'))
    attack("a name twice below", "malformed", head('{"alg":"ES256","kid":"p256","x":{"a":1,"\\u0061":2}}'))
    for name, value in BROKEN_JSON:
        attack(f"header {name}", "malformed", head(value(b'{"alg":"ES256","kid":"p256"}')))


BROKEN_JSON = [
    ("with a BOM", lambda j: b"\xef\xbb\xbf" + j),
    ("with a UTF-16 BOM", lambda j: ("\ufeff" + j.decode()).encode("utf-16-le")),
    ("in UTF-16", lambda j: j.decode().encode("utf-16-be")),
    ("followed by a second object", lambda j: j + j),
    ("followed by a letter", lambda j: j + b"x"),
    ("followed by a comma", lambda j: j + b","),
    ("followed by NUL", lambda j: j + b"\0"),
    ("followed by a brace", lambda j: j + b"}"),
    ("behind NUL", lambda j: b"\0" + j),
    ("in an array", lambda j: b"[" + j + b"]"),
    ("as a string", lambda j: json.dumps(j.decode()).encode()),
    ("that is a number", lambda j: b"1"),
    ("that is null", lambda j: b"null"),
    ("that is blank", lambda j: b"   "),
    ("cut short", lambda j: j[:-1]),
    ("with a comment", lambda j: j[:-1] + b"/**/}"),
    ("with a comma at the end", lambda j: j[:-1] + b",}"),
    ("with a name without quotes", lambda j: j[:-1] + b",x:1}"),
    ("with single quotes", lambda j: j.replace(b'"', b"'")),
    ("with NaN", lambda j: j[:-1] + b',"x":NaN}'),
    ("with Infinity", lambda j: j[:-1] + b',"x":-Infinity}'),
    ("with a leading zero", lambda j: j[:-1] + b',"x":01}'),
    ("with a plus sign", lambda j: j[:-1] + b',"x":+1}'),
    ("with a bare point", lambda j: j[:-1] + b',"x":1.}'),
    ("with hexadecimal", lambda j: j[:-1] + b',"x":0x10}'),
    ("with a number beyond double", lambda j: j[:-1] + b',"x":1e400}'),
    ("with a number beyond 64 bits", lambda j: j[:-1] + b',"x":' + b"9" * 40 + b"}"),
    ("with invalid UTF-8", lambda j: j[:-1] + b',"x":"\xff"}'),
    ("with overlong UTF-8", lambda j: j[:-1] + b',"x":"\xc0\xaf"}'),
    ("with a surrogate in UTF-8", lambda j: j[:-1] + b',"x":"\xed\xa0\x80"}'),
    ("with half a surrogate pair", lambda j: j[:-1] + b',"x":"\\ud800"}'),
    ("with an unknown escape", lambda j: j[:-1] + b',"x":"\\x41"}'),
    ("with a control character", lambda j: j[:-1] + b',"x":"\x01"}'),
    ("nested nine deep", lambda j: j[:-1] + b',"x":' + b"[" * 8 + b"]" * 8 + b"}"),
    ("nested two thousand deep", lambda j: j[:-1] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}"),
]


def make_claim_attacks():
    def with_claims(name, reason, **changes):
        attack(name, reason, token(payload=claims(**changes)))

    for name, value in BROKEN_JSON:
        attack(f"claims {name}", "malformed", token(payload=value(octets(CLAIMS))))
    attack("exp twice", "malformed", token(payload=raw_claims(',"exp":9999999999')))
    attack("exp twice, once escaped", "malformed", token(payload=raw_claims(',"\\u0065xp":9999999999')))
    attack("sub twice, once escaped", "malformed", token(payload=raw_claims(',"s\\u0075b":"root"')))
    attack("a claim's member twice", "malformed", token(payload=raw_claims(',"x":[{"a":1,"a":1}]')))

    for value in ("1700003600", "", None, True, [EXPIRES], {"exp": EXPIRES}, -1, -1e300, 1e300, 253402300800,
                  18446744073709551615, 9223372036854775807, -9223372036854775808):
        with_claims(f"exp {json.dumps(value)}", "bad_claim", exp=value)
        with_claims(f"nbf {json.dumps(value)}", "bad_claim", nbf=value)
        with_claims(f"iat {json.dumps(value)}", "bad_claim", iat=value)
    with_claims("no exp", "missing_claim", exp=...)
    with_claims("expired", "expired", exp=1700000000)
    with_claims("expired to the second", "expired", exp=1700000070)
    with_claims("exp 0", "expired", exp=0)
    with_claims("exp 0.0", "expired", exp=0.0)
    with_claims("nbf ahead", "not_yet_valid", nbf=1700000131)
    with_claims("iat ahead", "not_yet_valid", iat=1700000131, exp=1700000200)
    with_claims("lives too long", "too_old", exp=ISSUED + 86401)
    with_claims("lives too long without iat", "too_old", exp=1700000100 + 86400 + 31, iat=...)
    with_claims("lives for ever", "too_old", exp=253402300799)

    for value in ("https://issuer.example/", "https://ISSUER.example", "http://issuer.example", "", "issuer.example",
                  "https://issuer.example\0", "https://other.example"):
        with_claims(f"iss {ascii(value)}", "wrong_issuer", iss=value)
    with_claims("no iss", "wrong_issuer", iss=...)
    for value in (1, None, ["https://issuer.example"], {"https://issuer.example": 1}):
        with_claims(f"iss {json.dumps(value)}", "bad_claim", iss=value)

    with_claims("no aud", "wrong_audience", aud=...)
    for value in ("API", "", "api ", "ap", "apis", [], ["other"], ["other", "apis"]):
        with_claims(f"aud {json.dumps(value)}", "wrong_audience", aud=value)
    for value in (1, None, True, {"api": 1}, ["api", 1], [["api"]], [None]):
        with_claims(f"aud {json.dumps(value)}", "bad_claim", aud=value)

    with_claims("no sub", "missing_claim", sub=...)
    for value in (1, None, ["alice"], {"a": 1}, True, "", "al ice", "alice\n", "alice\0", "\u00e9", "x" * 257, "a\tb", "\u007f"):
        with_claims(f"sub {ascii(value)[:20]}", "bad_claim", sub=value)
    for value in (1, None, ["a"], {"a": 1}):
        with_claims(f"scope {json.dumps(value)}", "bad_claim", scope=value)
    for value in (1, None, {"a": 1}, [1], ["a", None], ["a b"]):
        with_claims(f"scp {json.dumps(value)}", "bad_claim", scp=value)


def main():
    make_valid()
    make_algorithm_attacks()
    make_key_attacks()
    make_ecdsa_attacks()
    make_rsa_attacks()
    make_eddsa_attacks()
    make_form_attacks()
    make_header_attacks()
    make_claim_attacks()
    for rows in (VALID, ATTACKS):
        names = [row[0] for row in rows]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice, twice
    keys = [public(key) for kid, key in KEYS.items() if not kid.startswith("stranger")]
    with open(os.path.join(HERE, "keys.jwks"), "w") as out:
        json.dump({"keys": keys}, out, indent=1)
        out.write("\n")
    for name, rows in (("valid.tsv", VALID), ("attacks.tsv", ATTACKS)):
        with open(os.path.join(HERE, name), "w", encoding="utf-8") as out:
            for row in rows:
                out.write("\t".join(row) + "\n")
    print(f"{len(VALID)} valid tokens, {len(ATTACKS)} attacks", file=sys.stderr)


main()
