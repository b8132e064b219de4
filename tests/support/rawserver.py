"""A server on loopback that answers each connection with bytes of the test's own, as odd as they may be."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket, int], None]
"""Writes the answer to the request whose number (from 0) is given."""


def answer(status: str, body: bytes, *headers: str) -> Answer:
    """A whole answer, always the same."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    data = "\r\n".join([*lines, "", ""]).encode() + body
    return lambda connection, number: connection.sendall(data)


def dripping(pause: threading.Event, *, head: bytes = b"HTTP/1.1 200 OK\r\nX-Padding: ") -> Answer:
    """A byte every now and then, without an end."""

    def drip(connection: socket.socket, _: int) -> None:
        connection.sendall(head)
        while not pause.wait(0.05):
            connection.sendall(b"a")

    return drip


def endless(pause: threading.Event, *headers: str) -> Answer:
    """Bytes as fast as they are taken, without an end."""

    def flood(connection: socket.socket, _: int) -> None:
        connection.sendall("\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode())
        while not pause.is_set():
            connection.sendall(b" " * 2**20)

    return flood


@contextmanager
def raw_server(respond: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """Serve until the block ends; yields the URL and the requests that came."""
    listening = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []
    lock = threading.Lock()

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += connection.recv(65536)
            with lock:
                number = len(requests)
                requests.append(heard)
            respond(connection, number)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", requests
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
