"""Packed calls: one argument of plain bytes, whatever is called with whatever."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.engine.calls import Callee, pack
from spaces.configuration import Configuration
from spaces.option import KEEP, Quantize


class Desk(Callee):
    """Gives back what it is given, in reverse."""

    def reverse(self, *arguments: object) -> tuple[object, ...]:
        return arguments[::-1]


def test_a_packed_call_is_the_call_itself() -> None:
    option = Quantize(bits_per_code=3, group_size=64, symmetric=False, solver="gptq")
    candidates = [Configuration.of({"a": option, "b": KEEP}), Configuration.of({"a": KEEP, "b": option})]
    packed = pack("reverse", ("calibration", Path("dense"), candidates, 4))
    assert Desk().call(packed) == (4, candidates, Path("dense"), "calibration")


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="'Desk' object has no attribute 'mend'"):
        Desk().call(pack("mend", ()))
