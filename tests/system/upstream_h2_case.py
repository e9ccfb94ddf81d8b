"""What tests of HTTP/2 towards origins start from: a gate with one worker before a scripted origin that speaks it."""

import configs
import h2_origin
import harness


def echo(peer, call):
    """The request's fields as a text, and its body behind them."""
    fields = "".join(f"{name}: {value}\n" for name, value in call.fields)
    peer.answer(call, 200, fields.encode() + b"\n" + call.body, [("content-type", "text/plain")])


class UpstreamH2(harness.SystemTest):
    def start(self, script=echo, upstream="", tls=None, more="", origin=None, files=None, **parts):
        """`parts`: of h2_origin.serve() where they are its, else of configs.plain(). tls: an SSLContext of the
        origin's."""
        known = ("on_head", "on_data", "takes_bodies", "settings")
        self.served = h2_origin.serve(script, **{k: parts.pop(k) for k in known if k in parts})
        self.upstream = origin or self.origin(None, per_connection=self.served, tls=tls)
        text = configs.plain(upstream=f'protocol = "h2"\n{upstream}',
                             more=f"[server]\nworkers = 1\n{more}", **parts)
        return self.gate(text, origin=self.upstream.address, files=files)

    def wait_for_calls(self, number):
        harness.eventually(lambda: len(self.served.calls) >= number, what=f"{number} requests at the origin")
        return self.served.calls

    def wait_for_reset(self, call, code):
        harness.eventually(lambda: call.reset is not None, what="a reset of the stream")
        self.assertEqual(call.reset, code)
