#!/usr/bin/env python3
"""Verifies signatures of ours with an implementation that is not ours (python3-cryptography).

    RW_MINTED=/tmp/minted.tsv RW_VECTORS=tests/vectors build/debug/tests/unit/auth/auth_test \\
        --gtest_filter='Mint.Signatures*' && tests/vectors/auth/check_minted.py /tmp/minted.tsv
"""
import base64
import json
import os
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
HASH = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(unb64(text), "big")


def verify(key, alg, data, signature):
    if alg == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(unb64(key["x"])).verify(signature, data)
        return
    h = HASH[alg[2:]]
    if alg.startswith("ES"):
        half = len(signature) // 2
        der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        point = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), CURVES[key["crv"]])
        point.public_key().verify(der, data, ec.ECDSA(h))
        return
    pad = padding.PKCS1v15() if alg.startswith("RS") else padding.PSS(padding.MGF1(h), h.digest_size)
    rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key().verify(signature, data, pad, h)


def main():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "private.tsv")) as text:
        keys = {kid: json.loads(jwk) for kid, jwk in (line.rstrip("\n").split("\t") for line in text)}
    seen = set()
    with open(sys.argv[1]) as lines:
        for line in lines:
            alg, kid, data, signature = line.rstrip("\n").split("\t")
            verify(keys[kid], alg, data.encode(), unb64(signature))
            seen.add(alg)
    assert len(seen) == 10, seen
    print("all ten algorithms verify")


main()
