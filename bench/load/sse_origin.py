"""An origin of server-sent events: GET /events/COUNT/MILLISECONDS answers with so many events, one each so
many milliseconds, each of which says when it was sent: CLOCK_MONOTONIC in nanoseconds. GET / answers ok."""

import asyncio
import re
import time

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n" \
         b"transfer-encoding: chunked\r\n\r\n"


async def stream(writer, count, gap):
    writer.write(STREAM)
    due = time.monotonic()
    for _ in range(count):
        due += gap
        await asyncio.sleep(due - time.monotonic())
        event = b"data: %d\n\n" % time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
    writer.write(b"0\r\n\r\n")


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            asked = re.match(rb"GET /events/(\d+)/(\d+) ", head)
            if asked:
                await stream(writer, int(asked[1]), int(asked[2]) / 1e3)
            else:
                writer.write(OK if head.startswith(b"GET / ") else NOT_FOUND)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    host, port = listening.sockets[0].getsockname()
    print(f"listening {host}:{port}", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
