"""An export's files, loaded by transformers, measure as the searched candidate does: same text, same KL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from twins import Made

from evaluators.checkpoint import load_model
from evaluators.dense import DenseLogits, commit
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator, Measurement
from evaluators.export_folder import load_export
from evaluators.live import LiveModel
from evaluators.stream import Stream
from evaluators.whole_model import measure_model
from exporters.export import export
from exporters.source import Source
from spaces.errors import InputError

VOCABULARY = 256
MIXED = {
    "*.0.*": "rtn-int4-g32-sym",
    "*.1.*": "rtn-int8-channel-sym",
    "model.layers.1.mlp.down_proj": "rtn-int3-g32-sym",
}


def searched(source: Source, root: Path) -> tuple[Measurement, Stream, DenseLogits]:
    """What a search measures of the candidate, and what it is measured against."""
    stream = Stream(torch.randint(0, VOCABULARY, (12, 24), generator=torch.Generator().manual_seed(3)))
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    bank = source.entry.__self__  # type: ignore[attr-defined]
    live = LiveModel(load_model(source.model, dtype=torch.float32), source.anatomy, bank)
    draft = DenseLogits.create(root / "draft", layout, num_sequences=stream.num_sequences, length=stream.length)
    Evaluator(live, stream, draft).write_dense(0, stream.num_sequences)
    dense = commit(root / "draft", root / "logits")
    return Evaluator(live, stream, dense).measure(source.configuration, 0, stream.num_sequences), stream, dense


@pytest.mark.parametrize(
    ("format_", "needed"), [("dense", "safetensors"), ("compressed-tensors", "compressed_tensors"), ("gguf", "gguf")]
)
def test_the_files_give_the_kl_that_was_searched(format_: str, needed: str, made: Made, tmp_path: Path) -> None:
    pytest.importorskip(needed)
    options = {"*.mlp.*": "rtn-int4-g32-sym", "*.self_attn.*": "rtn-int8-g32-sym"} if format_ == "gguf" else MIXED
    source = made("llama", options)
    expected, stream, dense = searched(source, tmp_path)
    exported = export(source, format_, tmp_path / "out")
    seen: list[int] = []
    found = measure_model(load_export(exported.folder, dtype=torch.float32), stream, dense, seen.append)
    assert expected.kl.mean() > 1e-4
    np.testing.assert_allclose(found.kl, expected.kl, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(found.nll, expected.nll, rtol=1e-6)
    assert seen[-1] == stream.num_tokens


def test_a_broken_model_has_infinite_losses(made: Made, tmp_path: Path) -> None:
    source = made("llama", MIXED)
    _, stream, dense = searched(source, tmp_path)
    model = load_model(source.model, dtype=torch.float32)
    model.get_submodule("lm_head").weight[7] = torch.inf  # type: ignore[index, operator]
    found = measure_model(model, stream, dense)
    assert np.isinf(found.kl).all()
    assert np.isinf(found.nll).all()


def test_folders_that_are_no_export_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither a GGUF file nor a config\.json"):
        load_export(tmp_path, dtype=torch.float32)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json is no model's config"):
        load_export(tmp_path, dtype=torch.float32)
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"must hold one GGUF file, got a\.gguf, b\.gguf"):
        load_export(tmp_path, dtype=torch.float32)


@pytest.mark.parametrize(
    ("config", "runtime"),
    [({"quant_method": "gptq", "bits": 4}, "GPTQModel"), ({"mode": "affine", "bits": 4}, "mlx-lm")],
)
def test_what_transformers_does_not_load_is_refused(config: dict[str, object], runtime: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": config}))
    with pytest.raises(InputError, match=f"is a checkpoint for {runtime}, .*measure the candidate's dense"):
        load_export(tmp_path, dtype=torch.float32)


def test_a_missing_package_is_named(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.export_folder.find_spec", lambda name: None)
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "compressed-tensors"}}))
    with pytest.raises(InputError, match=r"the package compressed_tensors; run: pip install 'layerpress\[compressed"):
        load_export(tmp_path, dtype=torch.float32)
