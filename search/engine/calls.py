"""Calls of a worker's methods, each packed as one argument: Ray takes a while over every argument that is an object."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any


def pack(method: str, arguments: Sequence[object]) -> bytes:
    """A call as plain bytes, which Ray passes on as they are."""
    return pickle.dumps((method, tuple(arguments)), protocol=pickle.HIGHEST_PROTOCOL)


class Callee:
    """What can be called so."""

    def call(self, packed: bytes) -> Any:
        """Unpack a call and do it."""
        method, arguments = pickle.loads(packed)
        return getattr(self, method)(*arguments)
