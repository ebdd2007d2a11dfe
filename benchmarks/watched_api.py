"""An API's process whose memory is watched, ``python -m benchmarks.watched_api``: a line of JSON says where data is.

It imports nothing that the service's own would not.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from service.api.server import ApiServer
from service.api.settings import ApiSettings


def main() -> None:
    """Say the port, and serve until SIGTERM."""
    told = json.loads(sys.stdin.readline())
    home = Path(told["home"])
    listening = socket.create_server(("127.0.0.1", 0))
    server = ApiServer(ApiSettings(store_url=told["url"], home=home, roots=(home,)))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
