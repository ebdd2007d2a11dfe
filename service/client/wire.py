"""Sends requests to a service: with the token, with limits of time, again after what passes, as errors of ours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from service.client.address import Address
from service.client.problems import error_of
from spaces.errors import InputError, LayerpressError, UnreachableError

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Value = str | int | float | bool
Query = Mapping[str, Value | Sequence[Value] | None]
PREFIX = "/api/v1"
CONNECT_S, READ_S = 5.0, 120.0  # a dry run of a large model takes its time
PASSING = (502, 503, 504)  # a proxy without its service, or a service without its database
LONGEST_WAIT_S = 30.0  # that a Retry-After is obeyed
V = TypeVar("V", bound=BaseModel)
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often something is tried, and how long it waits in between: twice as long each time, give or take a half."""

    attempts: int = 4
    first_s: float = 0.2
    longest_s: float = 5.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int, asked_s: float | None = None) -> None:
        """Wait after the failure of ``attempt`` (1, 2, ...), at least as long as the service asked for."""
        pause_s = min(self.longest_s, self.first_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        self.sleep(max(pause_s, min(asked_s or 0.0, LONGEST_WAIT_S)))


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Why a request was not answered as wished; one that ``passes`` may go well in a while."""

    error: LayerpressError
    passes: bool
    is_unsent: bool = False
    retry_after_s: float | None = None


class Wire:
    """One connection pool to one service."""

    def __init__(self, address: Address, *, patience: Patience, timeout_s: float = READ_S) -> None:
        self.address = address
        self.patience = patience
        bearer = {} if address.token is None else {"Authorization": f"Bearer {address.token}"}
        self._http = httpx2.Client(
            base_url=address.url + PREFIX,
            headers={"Accept": "application/json", **bearer},
            timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S),
            trust_env=not address.is_loopback,  # a company's proxy does not lead to this machine
        )

    def close(self) -> None:
        self._http.close()

    def get(self, view: type[V], path: str, query: Query | None = None) -> V:
        """What a GET answers, read as ``view``."""
        return self._read(view, self.send("GET", path, query=query))

    def post(
        self,
        view: type[V],
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        is_repeatable: bool,
        key: str | None = None,
    ) -> V:
        """What a POST answers, read as ``view``. One with a ``key`` is answered twice and done once."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._read(
            view, self.send("POST", path, query=query, body=body, headers=headers, is_repeatable=is_repeatable)
        )

    def patch(self, view: type[V], path: str, body: object) -> V:
        """What a PATCH answers, read as ``view``."""
        return self._read(view, self.send("PATCH", path, body=body))

    def send(
        self,
        method: Method,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
    ) -> httpx2.Response:
        """Send until it is answered or patience ends; what is not ``is_repeatable`` goes again only if it never left.

        Raises:
            InputError, UnknownError, ConflictError, TokenError: what the service says, or the body is no JSON.
            UnreachableError: nobody answers, or the service failed.
        """
        request = self._request(method, path, query, body, headers)
        attempt, has_left = 0, False
        while True:
            attempt += 1
            answer = self._send_once(request, is_repeated=has_left)
            if isinstance(answer, httpx2.Response):
                return answer
            has_left = has_left or not answer.is_unsent
            if attempt >= self.patience.attempts or not (is_repeatable or answer.is_unsent) or not answer.passes:
                raise answer.error
            self.patience.wait(attempt, answer.retry_after_s)

    def _request(
        self, method: Method, path: str, query: Query | None, body: object, headers: Mapping[str, str] | None
    ) -> httpx2.Request:
        try:
            return self._http.build_request(method, path, params=_given(query), json=body, headers=headers)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"what is sent must be JSON, got {error}; "
                "give finite numbers, and put what YAML takes for a date in quotes"
            ) from error

    def _send_once(self, request: httpx2.Request, *, is_repeated: bool) -> httpx2.Response | _Failure:
        try:
            response = self._http.send(request)
        except httpx2.RequestError as error:
            return _Failure(error=self._unreachable(error), passes=True, is_unsent=isinstance(error, UNSENT))
        if response.is_success:
            return response
        if response.status_code == 404 and request.method == "DELETE" and is_repeated:
            return response  # the one before did it, and only its answer was lost
        refused = self._refused(response)
        return _Failure(error=refused, passes=response.status_code in PASSING, retry_after_s=_retry_after_s(response))

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = READ_S
    ) -> Iterator[httpx2.Response]:
        """The answer to a GET whose body is read piece by piece; not tried again.

        Raises:
            as ``send``, and also within the block, when the connection ends there.
        """
        try:
            timeout = httpx2.Timeout(timeout_s, connect=CONNECT_S)
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise self._refused(response)
                yield response
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx2.RequestError) -> UnreachableError:
        reason = str(error) or type(error).__name__
        return UnreachableError(
            f"no answer from {self.address.url} ({reason}); is `layerpress serve` running there? "
            f"LAYERPRESS_URL names another"
        )

    def _read(self, view: type[V], response: httpx2.Response) -> V:
        return self.read(view, response.content, response.headers.get("Content-Type", ""))

    def read(self, view: type[V], content: bytes | str, media_type: str) -> V:
        """What the service said, read as ``view``.

        Raises:
            UnreachableError: it is something else.
        """
        try:
            return view.model_validate_json(content)
        except ValidationError as error:
            raise UnreachableError(
                f"{self.address.url} answered with {media_type or 'no type'} that does not read as {view.__name__}; "
                f"check LAYERPRESS_URL, and that service and client are of one version"
            ) from error

    def _refused(self, response: httpx2.Response) -> LayerpressError:
        media_type = response.headers.get("Content-Type", "")
        return error_of(response.status_code, media_type, response.content, self.address.url)


def _given(query: Query | None) -> dict[str, Value | Sequence[Value]]:
    return {name: value for name, value in (query or {}).items() if value is not None}


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds of a Retry-After; its other form, a date, is not read."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
