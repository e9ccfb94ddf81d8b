"""Credentials for the origin: what the route sets is all the origin gets, whatever a client sends."""

import base64

import configs
import credentials
import harness

SET = """
  [route.request_headers.set]
  authorization = { file = "$dir/token", prefix = "Bearer " }
  x-api-key = { env = "ORIGIN_KEY" }
  x-tenant = { credential = "tenant" }
  x-plain = "written here"
"""
OURS = {"authorization": ["Bearer gate-token"], "x-api-key": ["gate-key"], "x-tenant": ["gate-tenant"],
        "x-plain": ["written here"]}
KEYS = '[auth.api_keys]\nfile = "$dir/keys"\n'


class Credentials(harness.SystemTest):
    def start(self, text=None, **files):
        self.upstream = self.origin(lambda c, r: c.answer(200, r.get("authorization", "-").encode()))
        self.write("secrets/tenant", "gate-tenant\n")
        return self.gate(text or configs.plain(route=SET), origin=self.upstream.address,
                         files={"token": "gate-token\n"} | files,
                         env={"ORIGIN_KEY": "gate-key",
                              "CREDENTIALS_DIRECTORY": str(self.directory / "secrets")})

    def ours_alone(self, request):
        for name, values in OURS.items():
            self.assertEqual(request.all(name), values, name)
        self.assertNotIn(b"evil", request.head)


class Mixing(Credentials):
    def test_whatever_a_client_sends_beside_them(self):
        gate = self.start()
        evil = base64.b64encode(b"evil:evil").decode()
        for lines in (["Authorization: Bearer evil"],
                      ["authorization:Basic " + evil], ["AUTHORIZATION:\tevil, Basic " + evil],
                      ["aUtHoRiZaTiOn: ", "x-API-key: evil"], ["Authorization:", "X-Api-Key:"],
                      ["X-Tenant: evil", "x-tenant: evil", "X-Plain: evil"],
                      ["Proxy-Authorization: Basic evil"],
                      ["Connection: authorization, x-api-key, x-tenant, x-plain",
                       "Authorization: evil", "X-Tenant: evil"],
                      ["Connection: close, Authorization", "Connection: X-Api-Key"]):
            with self.subTest(lines), gate.connect() as one:
                one.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode())
                self.assertEqual(one.read_response().body, b"Bearer gate-token")
                self.ours_alone(self.upstream.requests[-1])

    def test_several_credentials_are_nobodys(self):
        """Which one would count? Not even on a route that is open to everyone."""
        gate = self.start()
        for lines in (["Authorization: Bearer evil", "Authorization: Basic ZXZpbA=="],
                      ["authorization:evil", "X-A: b", "AUTHORIZATION: evil"],
                      ["X-Api-Key: evil", "x-api-key: evil"]):
            with self.subTest(lines), gate.connect() as one:
                one.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode())
                self.assertEqual(one.read_response().status, 400)
        self.assertEqual(self.upstream.requests, [])

    def test_lines_that_could_be_read_in_two_ways_are_refused(self):
        gate = self.start()
        for lines in (["X-A: b", " Authorization: evil"], ["Authorization: a", "\tevil"],
                      ["Authorization : evil"], ["Auth\0orization: evil"], ["x_api_key: evil"],
                      ["X_Tenant: evil"], [" Authorization: evil"], ["X-A: b\rAuthorization: evil"],
                      ["X-A: b\nAuthorization: evil"]):
            with self.subTest(lines), gate.connect() as one:
                one.send("\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode())
                self.assertEqual(one.read_response().status, 400)
        self.assertEqual(self.upstream.requests, [])

    def test_trailers(self):
        gate = self.start()
        with gate.connect() as one:
            one.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                     b"Trailer: Authorization, X-Tenant, X-Kept\r\n\r\n2\r\nhi\r\n")
            harness.eventually(lambda: self.upstream.connections)  # the rest does not come with it
            one.send(b"0\r\nAuthorization: evil\r\nX-Api-Key: evil\r\nx-TENANT: evil\r\n"
                     b"x-auth-identity: evil\r\nX-Plain: evil\r\nX-Kept: kept\r\n\r\n")
            self.assertEqual(one.read_response().status, 200)
        seen = self.upstream.requests[-1]
        self.ours_alone(seen)
        self.assertEqual(seen.trailers, [("X-Kept", "kept")])

    def test_a_caller_that_was_let_in_by_its_own_key_takes_none_of_it_along(self):
        key, line = harness.new_key("alice")
        line += "\n"
        for forward in ("false", "true"):
            gate = self.start(configs.plain(
                route=f"forward_credentials = {forward}\n" + SET, auth='["api_keys"]', more=KEYS),
                keys=line)
            for header in ({"x-api-key": key}, {"Authorization": f"Bearer {key}"}):
                self.assertEqual(gate.get("/", headers=header).status, 200)
                self.ours_alone(self.upstream.requests[-1])
                self.assertNotIn(key.encode(), self.upstream.requests[-1].head)
            gate.stop()

    def test_without_any_of_ours_a_clients_own_stops_here_unless_it_is_let_through(self):
        for forward, due in (("false", []), ("true", ["Bearer theirs"])):
            gate = self.start(configs.plain(route=f"forward_credentials = {forward}"))
            gate.get("/", headers={"Authorization": "Bearer theirs"})
            self.assertEqual(self.upstream.requests[-1].all("authorization"), due)
            gate.stop()

    def test_a_second_try_has_them_once(self):
        seen = []

        def first_dies(c):
            seen.append(c.read_head())
            if len(seen) > 1:
                c.answer(200, b"ok")
        self.upstream = self.origin(None, per_connection=first_dies)
        gate = self.gate(configs.plain(route='request_headers = { set = { authorization = '
                                             '{ file = "$dir/token" } } }'),
                         origin=self.upstream.address, files={"token": "gate-token"})
        self.assertEqual(gate.get("/", headers={"Authorization": "evil"}).status, 200)
        self.assertEqual([r.all("authorization") for r in seen], [["gate-token"]] * 2)


class Changing(Credentials):
    def test_a_new_token_is_used_and_a_broken_one_is_not(self):
        gate = self.start()

        def sent():
            return gate.get("/").body
        self.assertEqual(sent(), b"Bearer gate-token")
        self.write("token", "second\n")
        harness.eventually(lambda: sent() == b"Bearer second", 10, "the new token")
        for broken, why in (("", "is empty"), ("two\nlines\n", "characters that no header value"),
                            ("caf\x00e", "characters that no header value")):
            self.write("token", broken)
            gate.wait_for_log(why, 10)
            self.assertEqual(sent(), b"Bearer second")
        self.write("token", "open", mode=0o644)
        gate.wait_for_log("others may reach it", 10)
        self.assertEqual(sent(), b"Bearer second")
        self.write("token", "third")
        harness.eventually(lambda: sent() == b"Bearer third", 10, "the mended token")

    def test_a_token_is_nowhere_to_be_read(self):
        gate = self.start()
        self.assertEqual(gate.get("/").status, 200)
        self.assertEqual(gate.get("/", method="TRACE").status, 405)
        self.write("token", "se\x01cret-token")
        gate.wait_for_log("characters that no header value", 10)
        gate.wait_for_access(status=200)
        for text in ("\n".join(gate.log), "\n".join(gate.output), gate.metrics()):
            for word in ("gate-token", "gate-key", "gate-tenant", "cret-token"):
                self.assertNotIn(word, text)

    def test_what_is_missing_or_written_out_is_refused_at_the_start(self):
        made = credentials.certificate()  # of no matter: any file
        for value, why in (('{ file = "$dir/none", prefix = "Bearer " }', "cannot open the secret"),
                           ('{ env = "RW_NOT_THERE" }', "is not set"),
                           ('{ credential = "none" }', "CREDENTIALS_DIRECTORY"),
                           ('"Bearer written out"', "a secret is never written here"),
                           ('{ file = "$dir/open" }', "others may reach it")):
            self.write("open", made.key, mode=0o644)
            said = self.refused_start(configs.plain(
                route=f"request_headers = {{ set = {{ authorization = {value} }} }}"),
                origin="127.0.0.1:9")
            self.assertIn(why, said)
            self.assertIn("authorization", said)


if __name__ == "__main__":
    harness.main()
