"""Turns what a service refuses (RFC 9457 problem details) into the errors that local work raises, sentence and all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from service.client.address import TOKEN_VARIABLE
from spaces.errors import ConflictError, InputError, LayerpressError, UnknownError, UnreachableError


class TokenError(LayerpressError):
    """The service asks for a token, or for one that may do more."""


def error_of(status: int, media_type: str, body: bytes, where: str) -> LayerpressError:
    """The error that an answer with ``status`` stands for; ``where`` is the address that was asked."""
    if 300 <= status < 400:
        return UnreachableError(f"{where} answers with a redirect ({status}); set LAYERPRESS_URL to where it leads")
    problem = _problem(media_type, body)
    if problem is None:
        return UnreachableError(
            f"{where} answered {status} with {media_type or 'no type'}, which is not a Layerpress service speaking; "
            f"check LAYERPRESS_URL and what stands between"
        )
    sentence = _sentence(problem) or f"{where} answered {status} and gave no reason"
    if status in (401, 403, 429):
        hint = f"; set {TOKEN_VARIABLE}" if status == 401 and TOKEN_VARIABLE not in sentence else ""
        return TokenError(sentence + hint)
    if status == 404:
        return UnknownError(sentence)
    if status == 409:
        return ConflictError(sentence)
    return InputError(sentence) if status < 500 else UnreachableError(f"{sentence} ({where}, {status})")


def _problem(media_type: str, body: bytes) -> Mapping[str, Any] | None:
    if media_type.partition(";")[0].strip() not in ("application/problem+json", "application/json"):
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None


def _sentence(problem: Mapping[str, Any]) -> str:
    """The detail in the server's words, and what its list of places says beside it."""
    detail = str(problem.get("detail") or problem.get("title") or "")
    listed = problem.get("errors")
    more = [
        f"{'.'.join(map(str, each.get('loc', ())))}: {each['msg']}"
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and str(each.get("msg", "")) not in detail
    ]
    return "; ".join([detail] * bool(detail) + more)
