"""The API in a thread of the test's process, on a port of loopback that was free."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import httpx2

from service.api.server import ApiServer

EXAMPLES = Path(__file__).parents[2] / "examples"
GRACE_S = 30.0  # for a server to come up or go down on a busy machine

Serve = Callable[..., httpx2.Client]


class Listening:
    """Runs a server in a thread, from the first request that it can answer to the last stream that it ends."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        self.thread = Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"  # connections wait until it accepts them

    def __exit__(self, *exception: object) -> None:
        self.server.should_exit = True
        self.thread.join(GRACE_S)
        self.socket.close()
        assert not self.thread.is_alive()
