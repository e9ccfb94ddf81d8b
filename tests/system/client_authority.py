"""Certificates of clients, and whoever issues them, for the system tests: made by
python3-cryptography, which shares nothing with the program."""

import base64
import datetime
import hashlib
import ssl

import client
import credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def common_names(*texts):
    """A subject with these common names, in this order."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text) for text in texts])


class ClientAuthority:
    """A root that issues to clients. `root` is what client_ca has."""

    def __init__(self, name="Clients of a test"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = common_names(name)
        self.root = _pem(self._sign(self._name, self._key.public_key(), authority=True))

    def intermediate(self, name, constraints=None):
        """An authority below this one; `chain` is what its clients send along."""
        below = ClientAuthority.__new__(ClientAuthority)
        below._key = ec.generate_private_key(ec.SECP256R1())
        below._name = common_names(name)
        below.root = _pem(self._sign(below._name, below._key.public_key(), authority=True,
                                     constraints=constraints))
        return below

    def _sign(self, subject, public, authority=False, alternatives=(), days=1.0, since=-1.0,
              usage=None, constraints=None, signs=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        built = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
            .public_key(public).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=min(since, days - 1)))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), True)
        )
        if authority:
            built = built.add_extension(credentials.usage_of_authority(True), True)
        if constraints:
            built = built.add_extension(constraints, True)
        if alternatives:
            built = built.add_extension(x509.SubjectAlternativeName(list(alternatives)), False)
        if signs is not None:
            built = built.add_extension(_usage_of_leaf(signs), True)
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return built.sign(self._key, hashes.SHA256())

    def issue(self, *names, uris=(), dns=(), chain="", usage=ExtendedKeyUsageOID.CLIENT_AUTH,
              key=None, **options):
        """For a client with these common names, URIs and DNS names. `chain`: what it sends along;
        `days` and `since`: its validity, from now; `signs`: whether its key usage says so."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        made = self._sign(common_names(*names), key.public_key(), alternatives=alternatives,
                          usage=usage, **options)
        return credentials.Certificate(_pem(made) + chain, credentials.private_pem(key))


def _usage_of_leaf(signs):
    return x509.KeyUsage(
        digital_signature=signs, key_encipherment=not signs, key_cert_sign=False, crl_sign=False,
        content_commitment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False)


def self_signed(name):
    """One that nobody but its own key vouches for."""
    authority = ClientAuthority(name)
    return credentials.Certificate(authority.root, credentials.private_pem(authority._key))


def _pem(made):
    return made.public_bytes(serialization.Encoding.PEM).decode()


def thumbprint(certificate):
    """x5t#S256 (RFC 8705 3.1) of the first certificate of a chain."""
    der = ssl.PEM_cert_to_DER_cert(certificate.chain.split("-----END")[0]
                                   + "-----END CERTIFICATE-----\n")
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def context(directory, shown=None, version=None):
    """An SSLContext that shows this certificate, or none; also one that OpenSSL finds too weak."""
    made = client.tls_context(minimum=version, maximum=version, ciphers="DEFAULT:@SECLEVEL=0")
    if shown is not None:
        path = directory / f"client-{thumbprint(shown)}.pem"
        path.write_text(shown.chain + shown.key)
        made.load_cert_chain(path)
    return made
