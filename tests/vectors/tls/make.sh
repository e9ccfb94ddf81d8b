#!/bin/sh
# Makes the certificates and keys beside it, with OpenSSL 3. Run again only to add one: tests know their
# names and dates. None of the keys protects anything.
set -eu
cd "$(dirname "$0")"
DAYS=36500

# self NAME SUBJECT EXTENSIONS... : a self-signed certificate for NAME.key, which must be there
self() {
  name=$1 subject=$2
  shift 2
  for e in "$@"; do set -- "$@" -addext "$e"; shift; done
  openssl req -x509 -new -key "$name.key" -subj "$subject" -days $DAYS -out "$name.pem" "$@"
}

# issue NAME SUBJECT ISSUER EXTENSIONS [OPTIONS] : a certificate for NAME.key signed by ISSUER
issue() {
  openssl req -new -key "$1.key" -subj "$2" -out request.tmp
  printf '%s\n' "$4" >extensions.tmp
  openssl x509 -req -in request.tmp -CA "$3.pem" -CAkey "$3.key" -days $DAYS -extfile extensions.tmp \
    -out "$1.pem" ${5:+"$5"}
  rm request.tmp extensions.tmp
}

p256() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

p256 root && p256 intermediate && p256 leaf && p256 other
self root "/CN=Ringward test root" "basicConstraints=critical,CA:TRUE" "keyUsage=critical,keyCertSign,cRLSign"
issue intermediate "/CN=Ringward test intermediate" root "basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid"
issue leaf "/CN=not.used.example" intermediate "subjectAltName=DNS:Www.Example.org,DNS:*.example.org,IP:192.0.2.1,IP:2001:db8::1,email:a@example.org
authorityKeyIdentifier=keyid"
cat leaf.pem intermediate.pem root.pem >chain.pem
p256 sha1
issue sha1 "/CN=sha1.example" intermediate "subjectAltName=DNS:sha1.example
authorityKeyIdentifier=keyid" -sha1
cat intermediate.pem >>sha1.pem
cat leaf.pem root.pem >gap.pem
cat intermediate.pem leaf.pem >reversed.pem

openssl genrsa -traditional -out rsa.key 2048            # PKCS#1
self rsa "/CN=rsa.example" "subjectAltName=DNS:rsa.example,DNS:both.example"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa1024.key
self rsa1024 "/CN=weak.example"
openssl genpkey -algorithm ED25519 -out ed25519.key
self ed25519 "/CN=ed25519.example" "subjectAltName=DNS:ed25519.example"
openssl ecparam -name secp384r1 -genkey -out p384.key    # EC PARAMETERS, then SEC 1
self p384 "/CN=p384.example" "subjectAltName=DNS:p384.example,DNS:both.example"
openssl ecparam -name secp521r1 -genkey -noout -out p521.key
self p521 "/CN=p521.example" "subjectAltName=DNS:p521.example"
openssl ecparam -name secp256k1 -genkey -noout -out k256.key
self k256 "/CN=k256.example"
openssl pkcs8 -topk8 -in leaf.key -passout pass:secret -out encrypted.key
openssl rsa -traditional -aes128 -passout pass:secret -in rsa.key -out encrypted-rsa.key
p256 common
openssl req -x509 -new -key common.key -subj "/CN=Common.Example" -days $DAYS -out common.pem
rm root.key k256.pem
