"""The dense format: any transformers reader computes the searched candidate, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_models import TINY
from twins import REFERENCE, DenseTwin, Logits, Made, source_of

from evaluators.checkpoint import load_model
from exporters.dense import Dense
from spaces.skeleton import load_config
from spaces.weight_files import WHOLE, weight_files

MIXED = {
    "*.0.*": "rtn-int4-g32-sym",
    "*.1.*": "rtn-int3-channel-asym",
    "lm_head": "rtn-int8-g32-sym",
}


@pytest.mark.parametrize("architecture", list(TINY))
def test_the_loaded_model_is_the_searched_candidate(
    architecture: str, made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    source = made(architecture, MIXED)
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    loaded = load_model(out, dtype=source.dtype)
    assert torch.equal(logits(loaded), logits(dense_twin(source)))
    assert not torch.equal(logits(loaded), logits(load_model(source.model, dtype=source.dtype)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_checkpoints_stay_narrow_and_exact(
    dtype: torch.dtype, made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    source = made("qwen3", MIXED, dtype=dtype)
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    with safe_open(out / WHOLE, framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {dtype}  # noqa: SIM118 (no mapping)
    # saved and loaded again, both: casting a model in memory casts its rotary frequencies as well
    assert torch.equal(logits(load_model(out, dtype=dtype)), logits(dense_twin(source)))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt", "gpt_neox", "falcon", "gemma3", "phi3", "qwen3"])
@pytest.mark.parametrize("part", ["attention", "mlp"])
def test_a_dropped_part_adds_nothing(
    architecture: str, part: str, made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    tiny = TINY[architecture]
    source = made(architecture, {"*.1.*": "rtn-int4-g32-sym", f"{tiny.blocks}.0.{getattr(tiny, part)}": "drop"})
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    assert torch.equal(logits(load_model(out, dtype=source.dtype)), logits(dense_twin(source)))


@pytest.mark.parametrize("architecture", list(TINY))
def test_dropped_blocks_are_gone(
    architecture: str, made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path
) -> None:
    tiny = TINY[architecture]
    options = {"*.3.*": "rtn-int4-g32-sym", f"{tiny.blocks}.0": "drop", f"{tiny.blocks}.2": "drop"}
    source = made(architecture, options, num_blocks=4)
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    loaded = load_model(out, dtype=source.dtype)
    assert len(loaded.get_submodule(tiny.blocks)) == 2  # type: ignore[arg-type]
    assert torch.equal(logits(loaded), logits(dense_twin(source)))
    stored = weight_files(out)[0].stat().st_size
    assert stored == pytest.approx(Dense().size_bytes(source.anatomy, source.configuration), rel=0.02, abs=6000)


def test_the_reference_model_keeps_its_size(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    source = made("reference", {"*.mlp.*": "rtn-int3-g64-asym", "*.self_attn.*": "rtn-int6-g32-sym"})
    assert source.model == REFERENCE
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    assert torch.equal(logits(load_model(out, dtype=source.dtype)), logits(dense_twin(source)))
    assert (out / WHOLE).stat().st_size == pytest.approx(
        Dense().size_bytes(source.anatomy, source.configuration), rel=0.01
    )
    assert "quantization_config" not in json.loads((out / "config.json").read_text("utf-8"))


@pytest.mark.parametrize("named", [{}, {"dtype": "float32"}, {"torch_dtype": "float32"}])
def test_a_config_that_names_another_dtype_is_put_right(made: Made, tmp_path: Path, named: dict[str, str]) -> None:
    folder = made("llama", MIXED, dtype=torch.bfloat16).model
    tensors = load_file(folder / WHOLE)
    tensors = {name: each.float() if "norm" in name else each for name, each in tensors.items()}
    save_file(tensors, folder / WHOLE, {"format": "pt"})
    content = json.loads((folder / "config.json").read_text("utf-8"))
    del content["dtype"]
    (folder / "config.json").write_text(json.dumps(content | named), encoding="utf-8")
    source = source_of(tmp_path, folder, MIXED)
    out = tmp_path / "out"
    out.mkdir()
    Dense().write(source, out)
    written = load_file(out / WHOLE)
    assert sum(each.nbytes for each in written.values()) == Dense().size_bytes(source.anatomy, source.configuration)
    assert {each.dtype for each in written.values()} == {torch.bfloat16}
    assert load_config(str(out)).dtype == torch.bfloat16
    config = json.loads((out / "config.json").read_text("utf-8"))
    assert [config.get(key) for key in ("dtype", "torch_dtype") if key in config] == ["bfloat16"]
