"""What tests of HTTP/2 start from: a gate that speaks it, over TLS or in the clear, before an HTTP/1.1 origin."""

import configs
import credentials
import harness


def echo(connection, request):
    fields = "".join(f"{name}: {value}\n" for name, value in request.headers)
    connection.answer(200, f"{request.start}\n{fields}\n".encode() + request.body)


class Http2(harness.SystemTest):
    def start(self, script=echo, tls=True, files=None, origin=None, **parts):
        self.upstream = self.origin(script, **(origin or {}))
        if tls:
            own = credentials.certificate("localhost")
            files = {"cert.pem": own.chain, "key.pem": own.key} | (files or {})
        make = configs.tls if tls else configs.plain
        return self.gate(make(**parts), origin=self.upstream.address, files=files)
