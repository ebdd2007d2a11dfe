"""Serves the API with uvicorn, and stops in time although streams are open."""

from __future__ import annotations

import socket

import uvicorn

from service.api.app import make_app
from service.api.settings import ApiSettings

GRACE_S = 5  # for requests under way; streams end at once


class ApiServer(uvicorn.Server):
    """uvicorn waits for every answer to end before it lets the application go, and a stream ends only when told.

    ``run(sockets=[...])`` serves on sockets that are open already, whatever ``host`` and ``port`` say.
    """

    def __init__(
        self, settings: ApiSettings, *, host: str = "127.0.0.1", port: int = 0, access_log: bool = False
    ) -> None:
        app = make_app(settings)
        self._end_streams = app.state.api.broadcaster.close
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,  # the process's own
            access_log=access_log,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        await super().shutdown(sockets)
