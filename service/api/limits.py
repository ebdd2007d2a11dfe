"""What is refused before a route sees it: foreign hosts and pages, large bodies, and bodies that are no JSON."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import SECURITY_HEADERS, problem
from service.api.settings import ANY_HOST, API_PATH, ApiSettings
from service.api.strict_json import read_json
from spaces.errors import InputError

WRITES = ("POST", "PUT", "PATCH", "DELETE")
WITHOUT_HOST = (f"{API_PATH}/healthz", f"{API_PATH}/readyz")  # asked by address, and nothing to keep from anybody
JSON_TYPE = "application/json"


class Guard:
    """Answers requests that name a host of ours and come from no foreign page, with headers that keep browsers strict.

    A page elsewhere whose name was rebound to this address still sends its own name as Host; one that posts here
    sends its own as Origin.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self.app = app
        self.hosts = settings.hosts
        self.own_names = {host.lower() for host in settings.allowed_hosts}
        self.base_path = settings.base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        if refusal := self._host_refusal(scope, headers):
            response = problem(421, refusal, path=scope["path"])
        elif refusal := self._origin_refusal(scope, headers):
            response = problem(403, refusal, path=scope["path"])
        else:
            await self.app({**scope, "root_path": self.base_path}, receive, send_safely)
            return
        await response(scope, receive, send_safely)

    def _host_refusal(self, scope: Scope, headers: Headers) -> str:
        host = headers.get("host", "")
        if ANY_HOST in self.hosts or _name(host) in self.hosts or scope["path"].endswith(WITHOUT_HOST):
            return ""
        return f"this service does not go by the name {host!r}; start it with --allow-host, or ask for it by address"

    def _origin_refusal(self, scope: Scope, headers: Headers) -> str:
        origin = headers.get("origin")
        if origin is None or scope["method"] not in WRITES:
            return ""
        netloc = urlsplit(origin).netloc.lower()
        if netloc and (netloc == headers.get("host", "").lower() or _name(netloc) in self.own_names):
            return ""
        return f"a page of {origin!r} may not write here; use the service's own pages, or a program"


def _name(host: str) -> str:
    """A Host header without its port."""
    bare, colon, port = host.lower().rpartition(":")
    return bare if colon and port.isdigit() else host.lower()


class StrictBodies:
    """Reads the body of a write whole, within the limit, and passes it on only where it is JSON that reads one way."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self.app(scope, receive, send)
            return
        body = await self._read(Headers(scope=scope), receive)
        if body is None:
            detail = f"the body must be at most {self.max_bytes} bytes; send a smaller one"
            await problem(413, detail, path=scope["path"], headers={"Connection": "close"})(scope, receive, send)
            return
        kind = Headers(scope=scope).get("content-type", "")
        if kind.partition(";")[0].strip().lower() != JSON_TYPE and (body or kind):
            detail = f"the body must be {JSON_TYPE}, got {kind or 'no Content-Type'}"
            await problem(415, detail, path=scope["path"])(scope, receive, send)
            return
        try:
            if body:
                read_json(body)
        except InputError as error:
            await problem(422, str(error), path=scope["path"], loc=["body"])(scope, receive, send)
            return
        await self.app(scope, _replaying(body, receive), send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body; None as soon as it is known to be too large."""
        told = headers.get("content-length", "0")
        if told.isdigit() and int(told) > self.max_bytes:
            return None
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > self.max_bytes:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body at once, and then what else comes."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
