#!/usr/bin/python3
"""An origin in a process of its own, which a test may kill, stop and slow down.

    origin = OriginProcess()        listens on a free port; origin.address, origin.process
    origin.kill(); origin.start()   gone, and back on the same port
    origin.stop(); origin.go_on()   SIGSTOP: the kernel still takes connections; SIGCONT
    origin.slow(0.3); origin.slow(0)

    OriginProcess("127.0.0.2", 5001)        another address; its body is that address

Answers 200 with its port as the body; GET /health too. Run as a program it is that process.
"""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path


class OriginProcess:
    def __init__(self, host="127.0.0.1", port=0):
        self.host = host
        self.port = port
        self.process = None
        self.start()
        self.address = f"{host}:{self.port}"

    def start(self):
        self.process = subprocess.Popen(["/usr/bin/python3", Path(__file__), self.host,
                                         str(self.port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def slow(self, seconds):
        self.process.stdin.write(b"%f\n" % seconds)
        self.process.stdin.flush()


async def listen(answer, host, port):
    """Port 0: one below those that the kernel gives out by itself, so that nobody gets it for a connection while
    the origin is away, or has it on the address of another origin that is to listen there too."""
    while True:
        try:
            return await asyncio.start_server(answer, host, port or random.randrange(10000, 32000), backlog=1024)
        except OSError:
            if port:
                raise


async def serve(host, port):
    delay = 0.0

    async def answer(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                               if line.startswith(b"content-length:")), 0)
                await reader.readexactly(length)
                if delay:
                    await asyncio.sleep(delay)
                body = b"%d" % port if host == "127.0.0.1" else host.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                if b"connection: close" in head:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await listen(answer, host, port)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():  # its end: the test is over
        delay = float(line)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
