"""A server on loopback that answers as it is told: with bytes, or by hanging up."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from threading import Thread
from types import TracebackType
from typing import Self

from service.client import Patience

AT_ONCE = Patience(sleep=lambda _seconds: None)  # tries as often, and waits for nothing
HANG_UP = b""


def answer(status: str, body: str = "{}", kind: str = "application/json", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}", "Connection: close"]
    return ("\r\n".join([*head, *more]) + "\r\n\r\n" + body).encode()


class ScriptedServer:
    """Takes one connection after the other, keeps what it was sent, and gives each the next answer."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[str] = []
        self._answers: Sequence[bytes] = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def header(self, name: str) -> list[str]:
        """What each request said under ``name``."""
        found = [
            [line.partition(": ")[2] for line in request.splitlines() if line.lower().startswith(f"{name.lower()}:")]
            for request in self.requests
        ]
        return [each[0] if each else "" for each in found]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closing would not
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        for sent in self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            with connection:
                self.requests.append(_read(connection))
                connection.sendall(sent)


def _read(connection: socket.socket) -> str:
    """A request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(sizes):
        body += _more(connection)
    return (head + b"\r\n\r\n" + body).decode()


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the client hung up within its request")
    return received
