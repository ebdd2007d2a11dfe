"""Tables of names to lazy import paths: how every extension point is listed and looked up."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from spaces.errors import InputError

NUM_SHOWN = 24  # of the known names: every table in full, and a few of a model's hundreds of layers


def check_name(name: str, known: Iterable[str], noun: str) -> str:
    """Return ``name`` if it is one of ``known``.

    Raises:
        InputError: it is not; the message has the nearest name and lists what is known.
    """
    names = list(known)
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    more = f" and {len(names) - NUM_SHOWN} more" if len(names) > NUM_SHOWN else ""
    raise InputError(f"unknown {noun} {name!r}; {hint}known: {', '.join(names[:NUM_SHOWN])}{more}")


def load(table: Mapping[str, str], name: str, noun: str) -> Any:  # the class or function named
    """Import and return what ``table`` lists under ``name`` as ``"module:attribute"``.

    Raises:
        InputError: the table has no such name.
    """
    module, _, attribute = table[check_name(name, table, noun)].partition(":")
    return getattr(import_module(module), attribute)
