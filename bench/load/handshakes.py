"""Proof that a row's connections are resumed, or are not: wrk goes through a relay that looks at each
ServerHello, which is in the clear and carries pre_shared_key exactly when a session is resumed
(RFC 8446 4.2.11)."""

import asyncio
import threading

from process import Trouble
from throughput import wrk

PRE_SHARED_KEY = 41
HANDSHAKE_RECORD, SERVER_HELLO = 22, 2


def resumes(hello):
    """Of the first record a server sends."""
    if len(hello) < 44 or hello[0] != HANDSHAKE_RECORD or hello[5] != SERVER_HELLO:
        raise Trouble(f"no ServerHello: {hello[:16].hex()}")
    at = 44 + hello[43] + 3  # record 5, handshake 4, version 2, random 32, session id, suite, compression
    end = at + 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 2
    while at + 4 <= end:
        if int.from_bytes(hello[at:at + 2], "big") == PRE_SHARED_KEY:
            return True
        at += 4 + int.from_bytes(hello[at + 2:at + 4], "big")
    return False


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


class Observer:
    """A relay on a port of its own, in a thread, for as long as the `with` lasts."""

    def __init__(self, port):
        self.to, self.port, self.resumed, self.full, self.trouble = port, 0, 0, 0, None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)

    def __enter__(self):
        self.thread.start()
        self.ready.wait(5)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(5)

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        # Not closed in turn: what wrk leaves open at its end is cancelled with the loop.
        listening = await asyncio.start_server(self.serve_one, "127.0.0.1", 0, backlog=512)
        self.port = listening.sockets[0].getsockname()[1]
        self.ready.set()
        await self.over.wait()
        listening.close()

    async def serve_one(self, client_in, client_out):
        try:
            server_in, server_out = await asyncio.open_connection("127.0.0.1", self.to)
            there = asyncio.create_task(pump(client_in, server_out))
            head = await server_in.readexactly(5)
            hello = head + await server_in.readexactly(int.from_bytes(head[3:5], "big"))
            if resumes(hello):
                self.resumed += 1
            else:
                self.full += 1
            client_out.write(hello)
            await pump(server_in, client_out)
            there.cancel()
        except Trouble as why:
            self.trouble = why
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # wrk stops in the middle of things
        finally:
            client_out.close()


def check(plan, server):
    """Raises unless wrk's connections are what the row says; the first ones cannot be resumed."""
    with Observer(server.port) as observer:
        wrk(plan, server, 1, observer.port)
        resumed, full = observer.resumed, observer.full
    if observer.trouble:
        raise Trouble(f"{server.name}: {observer.trouble}")
    if not server.setting.row.tickets:
        good = resumed == 0 and full > 0
    else:
        good = resumed > 0 and full <= plan.connections
    if not good:
        raise Trouble(f"{server.name}: {resumed} connections were resumed and {full} were not")
    return resumed, full
