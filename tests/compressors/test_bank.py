"""The bank: what is written comes back, damage is noticed and renewed, and nothing is made twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compressors.bank import Bank
from compressors.ggml import GgmlWeight
from compressors.measure import EntryErrors
from compressors.quantized import QuantizedWeight
from compressors.rtn import rtn
from spaces.errors import InputError, JobError
from spaces.ggml import Ggml
from spaces.option import SOLVERS, Quantize

LAYER = "model.layers.10.self_attn.q_proj"
ERRORS = EntryErrors(weight=0.12345678901234568, output=1.2345678901234568e-05)


def option(bits: int, symmetric: bool = False, solver: str = "rtn") -> Quantize:
    return Quantize(bits_per_code=bits, group_size=128, symmetric=symmetric, solver=solver)


def quantized(how: Quantize, rows: int = 256, size: float = 1.0) -> QuantizedWeight:
    weight = torch.randn(rows, 256, generator=torch.Generator().manual_seed(how.bits_per_code)) * size
    return rtn([weight], None, [how])[0][0]


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path, model="a" * 64, calibration="b" * 64, propagate="dense")


def store(bank: Bank, how: Quantize) -> Path:
    bank.write(LAYER, how, quantized(how), ERRORS)
    return bank.path(LAYER, how)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("size", [1.0, 1e-20])  # scales in float16, in bfloat16
def test_an_entry_comes_back_whole(bank: Bank, symmetric: bool, size: float) -> None:
    how = option(3, symmetric)
    written = quantized(how, size=size)
    bank.write(LAYER, how, written, ERRORS)
    read = bank.read(LAYER, how)
    assert read.tensors().keys() == written.tensors().keys()
    for name, tensor in written.tensors().items():
        assert torch.equal(read.tensors()[name], tensor)
        assert read.tensors()[name].dtype == tensor.dtype
    assert bank.errors(LAYER, how) == ERRORS
    assert bank.missing([(LAYER, how), (LAYER, option(4))]) == [(LAYER, option(4))]


def test_files_take_two_percent_more_than_the_bits_at_most(bank: Bank) -> None:
    pairs = [(LAYER, option(bits)) for bits in (2, 3, 4, 5, 6, 8)]
    sizes = [store(bank, how).stat().st_size for _, how in pairs]
    assert bank.size_bytes(pairs) * 8 == sum(how.bits(256, 256, 16).stored for _, how in pairs)
    assert bank.file_bytes(pairs) == sum(sizes)
    assert sum(sizes) <= 1.02 * bank.size_bytes(pairs)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_cut_short_is_missing_and_removed(bank: Bank, kept: int) -> None:
    path = store(bank, option(3))
    path.write_bytes(path.read_bytes()[:kept])
    assert bank.missing([(LAYER, option(3))]) == [(LAYER, option(3))]
    assert not path.exists()
    store(bank, option(3))
    assert bank.missing([(LAYER, option(3))]) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(place=st.integers(min_value=0, max_value=25_000), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_anywhere_is_noticed(bank: Bank, place: int, bit: int) -> None:
    path = store(bank, option(3))
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(JobError, match=f"{path.name} was damaged and is deleted"):
        bank.read(LAYER, option(3))
    assert not path.exists()


@pytest.mark.parametrize("place", range(8, 440, 9))
def test_a_flipped_bit_in_the_header_never_changes_what_is_read(bank: Bank, place: int) -> None:
    path = store(bank, option(3))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(JobError, match="was damaged and is deleted"):
        bank.read(LAYER, option(3))


def test_changed_errors_are_noticed_without_reading_the_payload(bank: Bank) -> None:
    path = store(bank, option(3))
    path.write_bytes(path.read_bytes().replace(b"0.12345678901234568", b"0.12345678901234569"))
    with pytest.raises(JobError, match="its header does not match its checksum"):
        bank.errors(LAYER, option(3))


def test_an_entry_in_the_place_of_another_is_refused(bank: Bank) -> None:
    store(bank, option(3)).rename(bank.path(LAYER, option(4)))
    with pytest.raises(JobError, match=r"it holds 'model\.layers\.10\.self_attn\.q_proj rtn-int3-g128-asym'"):
        bank.read(LAYER, option(4))


def test_an_absent_entry_is_named(bank: Bank) -> None:
    for ask in (bank.read, bank.errors):
        with pytest.raises(JobError, match=f"no entry {bank.path(LAYER, option(5))}; build it first"):
            ask(LAYER, option(5))


def test_a_key_depends_on_all_that_the_content_does(bank: Bank) -> None:
    changes = ({"model": "c"}, {"calibration": "c"}, {"propagate": "quantized:x"}, {"dtype": "bfloat16"})
    others = [replace(bank, **change) for change in changes]
    keys = {each.key(LAYER, option(3)) for each in [bank, *others]}
    keys |= {bank.key("other", option(3)), bank.key(LAYER, option(4)), bank.key(LAYER, option(3, solver="gptq"))}
    assert len(keys) == 8
    assert bank.key(LAYER, option(3)) == replace(bank, root=Path("elsewhere")).key(LAYER, option(3))


@pytest.mark.parametrize("layer", ["../up", "a/b", "..", "", "/etc"])
def test_a_name_that_leads_out_of_the_folder_is_refused(bank: Bank, layer: str) -> None:
    with pytest.raises(InputError, match=f"got '{layer}'; rename it"):
        bank.path(layer, option(3))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bank = Bank(tmp_path / "file", model="a", calibration="b", propagate="dense")
    with pytest.raises(JobError, match=r"cannot write bank entry .*Not a directory; finished entries are kept"):
        store(bank, option(3))


def test_another_release_of_foreign_code_renews_its_own_entries_alone(tmp_path: Path) -> None:
    """ggml's code comes from another project, whose next release may round otherwise."""
    ours = Bank(tmp_path, model="a", calibration="b", propagate="dense", codes=(("ggml", "xllamacpp 1"),))
    theirs, none = (replace(ours, codes=codes) for codes in ((("ggml", "xllamacpp 2"),), ()))
    types = Ggml.named("q4_k")
    assert len({bank.key(LAYER, types) for bank in (ours, theirs, none)}) == 3
    assert len({bank.key(LAYER, option(3, solver=solver)) for bank in (ours, theirs, none) for solver in SOLVERS}) == 2


def test_an_entry_of_another_release_is_not_written_under_the_banks_key(tmp_path: Path) -> None:
    """Machines of one cluster may have different packages; such an entry would stand under a wrong name."""
    bank = Bank(tmp_path, model="a", calibration="b", propagate="dense", codes=(("ggml", "xllamacpp 1"),))
    types = Ggml.named("q8_0")
    blocks = torch.zeros(2, 34, dtype=torch.uint8)
    with pytest.raises(JobError, match=r"ggml entries must be made by xllamacpp 1, got .*install the same release"):
        bank.write(LAYER, types, GgmlWeight(blocks=blocks, option=types, shape=(2, 32)), ERRORS)
    assert not list(tmp_path.rglob("*.safetensors"))
    bank.write(LAYER, option(3), quantized(option(3)), ERRORS)
