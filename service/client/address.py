"""Where a service is and what lets one in; a token comes from the environment or a file, never in an address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from spaces.errors import InputError

URL_VARIABLE, TOKEN_VARIABLE, TOKEN_FILE_VARIABLE = "LAYERPRESS_URL", "LAYERPRESS_TOKEN", "LAYERPRESS_TOKEN_FILE"
DEFAULT_URL = "http://127.0.0.1:8400"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A service's address without ``/api/v1``, and the bearer token for it, which no message shows.

    Raises:
        InputError: the address is none of http or https, or carries more than host, port and path; the token holds
            what no header can.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise InputError(
                f"a token is one word such as lp_..., and the one given has {len(self.token)} characters with spaces, "
                f"line breaks or letters that no token has; see {TOKEN_VARIABLE} and {TOKEN_FILE_VARIABLE}"
            )

    @property
    def is_loopback(self) -> bool:
        return urlsplit(self.url).hostname in LOOPBACK


def address_from(
    environment: Mapping[str, str] = os.environ, *, url: str | None = None, token: str | None = None
) -> Address:
    """The address asked for; what is not given comes from the environment, and the token from a file there named.

    Raises:
        InputError: see ``Address``, or the file with the token cannot be read.
    """
    found = token or environment.get(TOKEN_VARIABLE) or _token_in(environment.get(TOKEN_FILE_VARIABLE))
    chosen = url or environment.get(URL_VARIABLE) or DEFAULT_URL
    return Address(url=chosen.rstrip("/"), token=found.strip() if found else None)


def _token_in(file: str | None) -> str | None:
    if not file:
        return None
    try:
        return Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"cannot read the token in {file!r} ({reason}); {TOKEN_FILE_VARIABLE} names it") from error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError as error:
        raise InputError(f"{url!r} is no address ({error}); write, say, {DEFAULT_URL}") from error
    if parts.username is not None or parts.password is not None:
        raise InputError(
            f"the address of {parts.hostname} carries a name or password, which end in logs; "
            f"take it out and put a token into {TOKEN_VARIABLE}"
        )
    if parts.scheme not in ("http", "https") or not has_host:
        raise InputError(f"a service's address begins with http:// or https:// and a host, got {url!r}")
    if parts.query or parts.fragment:
        raise InputError(
            f"a service's address ends with its path, and {parts.hostname}'s goes on with a query or a fragment; "
            f"leave it out, and put a token into {TOKEN_VARIABLE}"
        )
