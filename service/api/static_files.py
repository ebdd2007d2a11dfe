"""Files of a folder for browsers: no other file is ever read, and each is compressed once, not for each who asks."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fastapi import Request
from starlette.responses import Response

MEDIA_TYPES = {  # of nothing else: a file of another kind is none for browsers
    "": "text/plain; charset=utf-8",  # LICENSE, NOTICE
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".yaml": "text/plain; charset=utf-8",
}
COMPRESSED = (".ico", ".png", ".woff2")  # already
PART = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.+-]*")  # of a path: neither empty, nor hidden, nor a way up
ALWAYS_ASKED = "no-cache"  # kept, and asked for again each time, mostly to hear that it is the same
FOR_EVER = "public, max-age=31536000, immutable"  # of what has its version in its address
PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)


@dataclass(frozen=True, kw_only=True)
class _Content:
    """A file as it was when it was last looked at."""

    stamp: tuple[int, int]  # when it was written, and its size
    media_type: str
    plain: bytes
    zipped: bytes | None  # where that is smaller
    tag: str


class StaticFolder:
    """What lies in a folder, by its path from there."""

    def __init__(self, folder: Path, caching: str = ALWAYS_ASKED) -> None:
        self._folder = folder.resolve()
        self._caching = caching
        self._read: dict[Path, _Content] = {}  # no larger than the folder

    def answer(self, path: str, request: Request) -> Response | None:
        """The file for who asks; 304 where they have it already, None where there is none."""
        found = self._find(path)
        if found is None:
            return None
        content = self._content(found)
        headers = {"Cache-Control": self._caching, "ETag": content.tag, "Vary": "Accept-Encoding"}
        if content.media_type.startswith("text/html"):
            headers["Content-Security-Policy"] = PAGE_POLICY  # of all that the page loads; a script has none of its own
        if _knows(request.headers.get("if-none-match", ""), content.tag):
            return Response(status_code=304, headers=headers)
        is_zipped = content.zipped is not None and "gzip" in request.headers.get("accept-encoding", "")
        if is_zipped:
            headers["Content-Encoding"] = "gzip"
        body = content.zipped if is_zipped else content.plain
        return Response(body, headers=headers, media_type=content.media_type)

    def _find(self, path: str) -> Path | None:
        parts = path.split("/")
        if len(path) > 200 or not all(PART.fullmatch(part) for part in parts):
            return None
        if PurePosixPath(path).suffix not in MEDIA_TYPES:
            return None
        found = self._folder.joinpath(*parts).resolve()
        return found if found.is_relative_to(self._folder) and found.is_file() else None

    def _content(self, path: Path) -> _Content:
        """Read again when it has changed, as it does under who writes a page."""
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path)
        if known is None or known.stamp != stamp:
            known = self._read[path] = _load(path, stamp)
        return known


def _load(path: Path, stamp: tuple[int, int]) -> _Content:
    plain = path.read_bytes()
    zipped = None if path.suffix in COMPRESSED else gzip.compress(plain, mtime=0)
    return _Content(
        stamp=stamp,
        media_type=MEDIA_TYPES[path.suffix],
        plain=plain,
        zipped=zipped if zipped is not None and len(zipped) < len(plain) else None,
        tag=f'W/"{hashlib.sha256(plain).hexdigest()[:20]}"',  # weak: the same for both encodings
    )


def _knows(asked: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; a proxy may have made it a strong one, or the reverse."""
    tags = {each.strip().removeprefix("W/") for each in asked.split(",")}
    return asked.strip() == "*" or tag.removeprefix("W/") in tags
