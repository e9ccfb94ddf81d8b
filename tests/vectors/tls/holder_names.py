#!/usr/bin/python3
"""Makes holder_names.tsv beside it: what a certificate is called, its name or why it has none, and its
DER in Base64, between tabs. The certificates are signed by nobody, and no larger than they need be."""

import base64
from pathlib import Path

COMMON_NAME, ORGANISATION = b"\x55\x04\x03", b"\x55\x04\x0a"
ALTERNATIVES, BASIC = b"\x55\x1d\x11", b"\x55\x1d\x13"
UTF8, PRINTABLE, TELETEX, IA5, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1E
MAIL, DNS, DIRECTORY, URI, ADDRESS = 0x81, 0x82, 0xA4, 0x86, 0x87


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    octets = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def sequence(*parts):
    return tlv(0x30, *parts)


def attribute(text, tag=UTF8, kind=COMMON_NAME):
    return sequence(tlv(0x06, kind), tlv(tag, text))


def rdn(*attributes):
    return tlv(0x31, *attributes)


def extension(value, kind=ALTERNATIVES, critical=b""):
    return sequence(tlv(0x06, kind), critical, tlv(0x04, value))


def alternatives(*names):
    return extension(sequence(*(tlv(tag, text) for tag, text in names)))


def certificate(*subject, extensions=(), version=b"\xa0\x03\x02\x01\x02", after=b"", before=b""):
    algorithm = sequence(tlv(0x06, b"\x2a\x86\x48\xce\x3d\x04\x03\x02"))
    key = sequence(sequence(tlv(0x06, b"\x2b\x65\x70")), tlv(0x03, b"\0" * 33))
    tagged = tlv(0xA3, sequence(*extensions)) if extensions else b""
    fields = sequence(version, tlv(0x02, b"\x01"), algorithm, sequence(),
                      sequence(tlv(0x17, b"200101000000Z"), tlv(0x17, b"300101000000Z")),
                      sequence(*subject), key, before, tagged, after)
    return sequence(fields, algorithm, tlv(0x03, b"\0" * 65))


def named(*names, cn=b"cn"):
    return certificate(rdn(attribute(cn)), extensions=[alternatives(*names)])


NOBODY = "the certificate names nobody"
NOT_DER = "the certificate is not DER"
CHARACTERS = "the certificate's name is not visible ASCII alone"
EMPTY = "the certificate's name is empty"
LONG = "the certificate's name has more than 256 octets"
URIS = "the certificate has several URIs"
WILDCARD = "the certificate's DNS name is a wildcard"
COMMON = "the certificate has several common names"
NO_TEXT = "the certificate's common name is in no string of ASCII"

GOOD = [
    ("a URI before all", "urn:a", named((DNS, b"d.example"), (URI, b"urn:a"))),
    ("a DNS name before the common name", "d.example", named((DNS, b"d.example"))),
    ("a DNS name in lower case", "d.example", named((DNS, b"D.EXAMPLE"))),
    ("the first of several DNS names", "a.example", named((DNS, b"a.example"), (DNS, b"*.b"))),
    ("a common name, without alternatives", "cn", certificate(rdn(attribute(b"cn")))),
    ("a common name keeps its case", "Cn", certificate(rdn(attribute(b"Cn")))),
    ("a common name beside other alternatives", "cn",
     named((MAIL, b"a@b"), (ADDRESS, b"\x7f\0\0\1"), (DIRECTORY, sequence()))),
    ("a common name with an at", "a@b.example", certificate(rdn(attribute(b"a@b.example")))),
    ("a PrintableString", "cn", certificate(rdn(attribute(b"cn", PRINTABLE)))),
    ("an IA5String", "cn", certificate(rdn(attribute(b"cn", IA5)))),
    ("two attributes in one set", "cn",
     certificate(rdn(attribute(b"o", kind=ORGANISATION), attribute(b"cn")))),
    ("other attributes are no names", "cn",
     certificate(rdn(attribute(b"admin", kind=ORGANISATION)), rdn(attribute(b"cn")))),
    ("version 1", "cn", certificate(rdn(attribute(b"cn")), version=b"")),
    ("a URI of 256 octets", "u" * 256, named((URI, b"u" * 256))),
    ("after other extensions", "urn:a",
     certificate(extensions=[extension(sequence(), BASIC, b"\x01\x01\xff"),
                             alternatives((URI, b"urn:a"))])),
    ("a critical one", "urn:a",
     certificate(extensions=[extension(sequence(tlv(URI, b"urn:a")), critical=b"\x01\x01\xff")])),
    ("after unique identifiers", "urn:a",
     certificate(before=tlv(0x81, b"\0x") + tlv(0x82, b"\0y"),
                 extensions=[alternatives((URI, b"urn:a"))])),
]
REFUSED = [
    ("nothing", NOBODY, certificate()),
    ("no name anywhere", NOBODY, named((MAIL, b"a@b"), cn=b"x").replace(COMMON_NAME, ORGANISATION)),
    ("two URIs", URIS, named((URI, b"urn:a"), (URI, b"urn:b"))),
    ("the same URI twice", URIS, named((URI, b"urn:a"), (URI, b"urn:a"))),
    ("two URIs around a DNS name", URIS, named((URI, b"urn:a"), (DNS, b"d"), (URI, b"urn:b"))),
    ("a URI with a NUL in it", CHARACTERS, named((URI, b"urn:a\0b"))),
    ("a URI with a NUL at its end", CHARACTERS, named((URI, b"urn:a\0"))),
    ("a URI with a line feed", CHARACTERS, named((URI, b"urn:a\nb"))),
    ("a URI with a space", CHARACTERS, named((URI, b"urn:a b"))),
    ("a URI with an octet above ASCII", CHARACTERS, named((URI, b"urn:\xc3\xa9"))),
    ("a URI with DEL", CHARACTERS, named((URI, b"urn:\x7f"))),
    ("an empty URI", EMPTY, named((URI, b""))),
    ("a URI of 257 octets", LONG, named((URI, b"u" * 257))),
    ("a bad URI is not passed over for a good DNS name", CHARACTERS,
     named((URI, b"\0"), (DNS, b"admin.example"))),
    ("a wildcard", WILDCARD, named((DNS, b"*.example"))),
    ("a wildcard inside", WILDCARD, named((DNS, b"a*.example"))),
    ("the first DNS name a wildcard", WILDCARD, named((DNS, b"*.example"), (DNS, b"a.example"))),
    ("an empty DNS name", EMPTY, named((DNS, b""))),
    ("a DNS name with a NUL", CHARACTERS, named((DNS, b"a.example\0.b.example"))),
    ("a bad DNS name is not passed over for the common name", CHARACTERS, named((DNS, b"\x80"))),
    ("a DNS name of 257 octets", LONG, named((DNS, b"d" * 257))),
    ("two common names", COMMON, certificate(rdn(attribute(b"a")), rdn(attribute(b"b")))),
    ("two common names in one set", COMMON, certificate(rdn(attribute(b"a"), attribute(b"b")))),
    ("a common name with a NUL", CHARACTERS, certificate(rdn(attribute(b"admin\0x")))),
    ("a common name with a space", CHARACTERS, certificate(rdn(attribute(b"Alice Smith")))),
    ("a common name of 257 octets", LONG, certificate(rdn(attribute(b"c" * 257)))),
    ("an empty common name", EMPTY, certificate(rdn(attribute(b"")))),
    ("a BMPString", NO_TEXT, certificate(rdn(attribute(b"\0c\0n", BMP)))),
    ("a TeletexString", NO_TEXT, certificate(rdn(attribute(b"cn", TELETEX)))),
    ("two subjectAltNames", NOT_DER,
     certificate(extensions=[alternatives((URI, b"urn:a")), alternatives((DNS, b"d"))])),
    ("more after the alternatives", NOT_DER,
     certificate(extensions=[extension(sequence(tlv(URI, b"urn:a")) + tlv(URI, b"urn:b"))])),
    ("an alternative cut off", NOT_DER, certificate(extensions=[extension(sequence(b"\x86\x05ur"))])),
    ("a long form where the short one would do", NOT_DER,
     certificate(extensions=[extension(sequence(b"\x86\x81\x05urn:a"))])),
    ("an indefinite length", NOT_DER,
     certificate(extensions=[extension(b"\x30\x80" + tlv(URI, b"urn:a") + b"\0\0")])),
    ("a tag of two octets", NOT_DER, certificate(extensions=[extension(sequence(b"\x9f\x06\x01a"))])),
    ("an extension after the extensions", NOT_DER,
     certificate(extensions=[alternatives((URI, b"urn:a"))],
                 after=tlv(0xA3, sequence(alternatives((URI, b"urn:b")))))),
    ("an attribute with two values", NOT_DER,
     certificate(rdn(sequence(tlv(0x06, COMMON_NAME), tlv(UTF8, b"a"), tlv(UTF8, b"b"))))),
    ("an octet behind it", NOT_DER, named((URI, b"urn:a")) + b"\0"),
    ("no octet at all", NOT_DER, b""),
]


def main():
    lines = [f"{title}\tname\t{name}\t{base64.b64encode(der).decode()}\n"
             for title, name, der in GOOD]
    lines += [f"{title}\trefused\t{why}\t{base64.b64encode(der).decode()}\n"
              for title, why, der in REFUSED]
    (Path(__file__).parent / "holder_names.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
