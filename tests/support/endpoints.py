"""A port whose answers a test writes itself, byte by byte: an endpoint that means nobody well, or a proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Write = Callable[[bytes], None]


@dataclass
class Endpoint:
    """Where it answers, and the requests that it got."""

    url: str
    requests: list[bytes] = field(default_factory=list)

    def got(self, secret: str) -> bool:
        """Whether a request had this in it."""
        return any(secret.encode() in request for request in self.requests)


Play = Callable[[bytes, Write], None]
"""The answer to a request; the connection is closed afterwards."""


def http(body: bytes, status: int = 200, kind: str = "text/xml", **headers: str) -> bytes:
    """An answer as HTTP/1.1 sends it."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@contextmanager
def endpoint(play: Play) -> Iterator[Endpoint]:
    """The port, for a `with` block."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    connection, _ = listener.accept()
                    threading.Thread(target=_carry, args=(connection, found, play, over), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield found
        finally:
            over.set()
            with suppress(OSError), socket.create_connection(listener.getsockname(), timeout=1):
                pass


def _carry(connection: socket.socket, found: Endpoint, play: Play, over: threading.Event) -> None:
    def write(data: bytes) -> None:
        if over.is_set():
            raise ConnectionAbortedError
        connection.sendall(data)

    with connection, suppress(OSError):
        connection.settimeout(10)
        request = _request(connection)
        if request:
            found.requests.append(request)
            play(request, write)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(1 << 16)
        if not part:
            return data
        data += part
    head = data.partition(b"\r\n\r\n")[0].lower()
    length = int((head.partition(b"content-length:")[2].split() or [b"0"])[0])
    while len(data) < len(head) + 4 + length:
        data += connection.recv(1 << 16)
    return data
