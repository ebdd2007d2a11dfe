"""The large model by its shape: counts that can be worked out by hand."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.giant import BITS, Giant, build_giant
from benchmarks.scale import CHANGED_LAYERS, Moved

HIDDEN, INNER, VOCABULARY, BLOCKS, KEY_VALUE = 4096, 14336, 128256, 32, 1024
IN_BLOCK = 2 * HIDDEN * HIDDEN + 2 * KEY_VALUE * HIDDEN + 3 * INNER * HIDDEN


@cache
def giant() -> Giant:
    return build_giant()


def test_the_shape_is_llama_3_1_8b() -> None:
    norms = (2 * BLOCKS + 1) * HIDDEN
    space = giant().space
    assert len(space.layers) == 224
    assert space.num_weights == BLOCKS * IN_BLOCK
    assert space.anatomy.num_parameters == BLOCKS * IN_BLOCK + 2 * VOCABULARY * HIDDEN + norms
    assert giant().dense_bytes == 2 * space.anatomy.num_parameters
    assert giant().lookup_bytes == 2 * VOCABULARY * HIDDEN


def test_the_bank_holds_codes_scales_and_zero_points() -> None:
    stored = sum(giant().bytes_of(layer, option) for layer, option in giant().entries())
    groups = BLOCKS * IN_BLOCK // 128
    assert stored == sum((BLOCKS * IN_BLOCK * bits + groups * (16 + bits)) // 8 for bits in BITS)


def test_dense_logits_stay_within_their_limit() -> None:
    layout = giant().layout
    assert layout.kind == "top-k"
    assert giant().num_tokens * layout.bytes_per_token <= 2**32 < giant().num_tokens * (layout.bytes_per_token + 16 * 8)
    assert giant().full_layout.bytes_per_token == 4 * VOCABULARY


def test_items_are_the_nominal_bits_of_each_option() -> None:
    for layer, item in zip(giant().space.layers, giant().items(), strict=True):
        assert item.sizes.tolist() == [layer.num_weights * bits for bits in (*BITS, 16)]
        assert item.costs[:-1] / item.costs[1:] == pytest.approx([4, 4, 4, 4, 16, 4**8])


def test_bytes_moved_add_up_and_are_shown_as_shares() -> None:
    total = Moved.total([Moved(packed=1_000, wide=20_000, written=3_000), Moved(packed=3_000, wide=0, written=1_000)])
    assert total == Moved(packed=4_000, wide=20_000, written=4_000)
    assert total.show(0.5) == ("2.000 kB", "10.000 kB", "2.000 kB")


def test_a_child_of_evopress_changes_as_many_layers_as_are_shown() -> None:
    # min(U{1..3}, U{1..3}) switches, and each lowers one layer and raises another
    assert CHANGED_LAYERS == (2 * 1, 2 * 3)
