"""``python -m service.runner web``: the API as a process, on a socket that whoever started it had opened."""

from __future__ import annotations

import json
import logging
import socket
import sys
from dataclasses import asdict
from pathlib import Path

from service.api.server import ApiServer
from service.api.settings import ApiSettings
from service.runner.logs import log_to_stderr


def dump(settings: ApiSettings, descriptor: int) -> str:
    """What ``main`` reads; the store's address may hold a password, so it goes through standard input."""
    return json.dumps({"descriptor": descriptor, "settings": asdict(settings)}, default=str)


def read(text: str) -> tuple[ApiSettings, int]:
    """What ``dump`` wrote."""
    content = json.loads(text)
    values = content["settings"]
    paths = {"home": Path(values["home"]), "roots": tuple(map(Path, values["roots"]))}
    pages = {"pages": None if values["pages"] is None else Path(values["pages"])}
    hosts = {"allowed_hosts": tuple(values["allowed_hosts"])}
    return ApiSettings(**values | paths | pages | hosts), content["descriptor"]


def without_query(record: logging.LogRecord) -> bool:
    """Cut the query off a line of uvicorn's access log: it may hold what is nobody's business."""
    if isinstance(record.args, tuple) and len(record.args) == 5:  # client, method, path, version, status
        client, method, path, version, status = record.args
        record.args = (client, method, str(path).partition("?")[0], version, status)
    return True


def main() -> None:
    """Serve until SIGTERM."""
    settings, descriptor = read(sys.stdin.read())
    log_to_stderr()
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO if name == "uvicorn.access" else logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    ApiServer(settings, access_log=True).run(sockets=[socket.socket(fileno=descriptor)])
