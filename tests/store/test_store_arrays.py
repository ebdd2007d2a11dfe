"""Named arrays survive their packing bit for bit, and no damage to the bytes passes for a result."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from store.arrays import checksum_of, pack, unpack

DTYPES = ("float64", "float32", "int64")
ARRAYS = {"trace": np.array([1.5, np.nan]), "counts": np.arange(3)}


def form(arrays: dict[str, np.ndarray]) -> dict[str, tuple[np.dtype, tuple[int, ...], bytes]]:
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def packed_and_unpacked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    blob = pack(arrays)
    return unpack(blob, checksum_of(blob))


@settings(max_examples=50, deadline=None)
@given(
    arrays=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=5))
        ),
        max_size=4,
    )
)
def test_arrays_return_bit_for_bit(arrays: dict[str, np.ndarray]) -> None:
    assert form(packed_and_unpacked(arrays)) == form(arrays)


@pytest.mark.parametrize(
    "name", ["file", "allow_pickle", "a.npy", "a/b", "../a", "model.layers.0.mlp.up_proj", "ü", ""]
)
def test_any_name_will_do(name: str) -> None:
    assert form(packed_and_unpacked({name: np.ones(2), "a": np.zeros(1)})) == form({name: np.ones(2), "a": np.zeros(1)})


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_return_whatever_their_strides(dtype: str) -> None:
    cube = np.arange(60).reshape(3, 4, 5).astype(dtype)
    for view in (cube.T, cube[::2, ::-1], np.asfortranarray(cube), np.broadcast_to(cube[0], (2, 4, 5))):
        assert form(packed_and_unpacked({"a": view})) == form({"a": view})


def test_any_bits_of_a_float_return() -> None:
    patterns = np.random.default_rng(0).integers(0, 2**64, size=10_000, dtype=np.uint64)  # NaN with payloads too
    assert form(packed_and_unpacked({"a": patterns.view("float64")})) == form({"a": patterns.view("float64")})


def test_a_scalar_returns_as_an_array_without_axes() -> None:
    assert form(packed_and_unpacked({"a": np.ones(3)[0]})) == form({"a": np.array(1.0)})


def test_numpy_reads_what_is_packed() -> None:
    with np.load(io.BytesIO(pack(ARRAYS)), allow_pickle=False) as loaded:
        assert form(dict(loaded)) == form(ARRAYS)


def test_no_damage_passes_for_a_result() -> None:
    blob = pack(ARRAYS)
    checksum = checksum_of(blob)
    for place in range(len(blob)):
        changed = bytes([*blob[:place], blob[place] ^ 1, *blob[place + 1 :]])
        for damaged in (changed, blob[:place]):
            with pytest.raises(ValueError, match=f"its {len(damaged)} bytes do not match their checksum"):
                unpack(damaged, checksum)


def test_a_pickle_is_neither_written_nor_read() -> None:
    array = np.array([{}], dtype=object)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        pack({"a": array})
    buffer = io.BytesIO()
    np.savez(buffer, a=array)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        unpack(buffer.getvalue(), checksum_of(buffer.getvalue()))
