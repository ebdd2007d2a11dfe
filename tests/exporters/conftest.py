"""Fixtures of every exporter's tests; see ``twins`` for what they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import twins


@pytest.fixture
def made(tmp_path: Path) -> twins.Made:
    """``made("llama", {"*.mlp.*": "rtn-int4-g32-sym"}) -> Source``."""
    return partial(twins.make_source, tmp_path)


@pytest.fixture
def dense_twin() -> twins.DenseTwin:
    """``dense_twin(source) -> nn.Module``: the searched candidate."""
    return twins.dense_twin


@pytest.fixture
def logits() -> twins.Logits:
    """``logits(model) -> Tensor`` on the same few random tokens."""
    return twins.logits
