"""Many idle TLS connections to 127.0.0.1. Arguments: port, CA file, headers. Lines on stdin: `open N`
opens N more, each having made one request and read its answer; `ask N` makes N requests on the last of them;
`check` sees that all are still open.
Answers `good`, or what went wrong."""

import socket
import ssl
import sys


def connect(context, port, request):
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a server without tickets is silent
    link = context.wrap_socket(plain, server_hostname="localhost")
    exchange(link, request)
    link.setblocking(False)
    return link


def exchange(link, request):
    link.sendall(request)
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        got = link.recv(4096)
        if not got:
            raise OSError(f"closed after {answer!r}")
        answer += got
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"answered {answer!r}")


def closed(link):
    try:
        return link.recv(1) is not None  # whatever comes now is not silence
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True


def main():
    port, chain, headers = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    context = ssl.create_default_context(cafile=chain)
    request = "".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", "Host: localhost", *headers, "")).encode()
    links = []
    for line in sys.stdin:
        word, *number = line.split()
        try:
            if word == "open":
                for _ in range(int(number[0])):
                    links.append(connect(context, port, request))
            if word == "ask":
                links[-1].settimeout(10)
                for _ in range(int(number[0])):
                    exchange(links[-1], request)
                links[-1].setblocking(False)
            gone = sum(map(closed, links))
            print(f"{gone} of {len(links)} connections are closed" if gone else "good", flush=True)
        except (OSError, ValueError) as why:
            print(f"connection {len(links) + 1}: {why!r}", flush=True)


if __name__ == "__main__":
    main()
