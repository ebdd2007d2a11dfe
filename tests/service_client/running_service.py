"""The real application under a real uvicorn, on a free port of loopback, in a thread of the test."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from service.api.server import ApiServer
from service.api.settings import ApiSettings

EXAMPLES = Path(__file__).parents[2] / "examples"
GRACE_S = 30.0  # to go down, on a busy machine


class RunningService:
    """Can be stopped and started again on the same port, as a service is that is upgraded."""

    def __init__(self, store_url: str, home: Path, **settings: Any) -> None:
        self._settings = ApiSettings(store_url=store_url, home=home, **{"roots": (EXAMPLES,), **settings})
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", self._port))  # takes connections before it answers them
        self._port = listener.getsockname()[1]
        self._server = ApiServer(self._settings, host="127.0.0.1", port=self._port)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        self._listener = listener

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(GRACE_S)
        self._listener.close()
        assert not self._thread.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
