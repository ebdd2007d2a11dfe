"""A bfloat16 model in every packed format: what each loader makes of the bank's float16 scales, within a bound.

Computed in float32, compressed-tensors, GGUF and torchao give the searched candidate's logits bit for bit. In bfloat16
itself, GGUF and torchao still do. compressed-tensors, auto-round and GPTQModel round scales, or multiply in another
order, and stay about as near to the candidate in bfloat16 as that is to the candidate in float32 (0.03 standard
deviations of the logits, a divergence of 5e-6 nats). MLX rounds scales and biases to bfloat16, and is 0.11 away.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import TINY
from torch import Tensor
from transformers import AutoModelForCausalLM
from twins import DenseTwin, Logits, Made, source_of

from evaluators.divergence import kl_full
from evaluators.export_folder import load_export
from exporters.export import export
from spaces.errors import InputError

SYMMETRIC = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int3-g32-sym",
    "*.1.mlp.down_proj": "rtn-int8-g32-sym",
    "*.1.mlp.up_proj": "rtn-int2-g32-sym",
}
ASYMMETRIC = SYMMETRIC | {"*.0.mlp.*": "rtn-int3-g32-asym", "*.1.mlp.up_proj": "rtn-int2-g32-asym"}
NEAR, APART = 0.06, 2e-5  # standard deviations of the logits; nats
pytestmark = [
    pytest.mark.filterwarnings("ignore:::(torchao|torch|transformers|mlx|mlx_lm|auto_round)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of auto-round's many dependencies
]


def check_near(ours: Tensor, theirs: Tensor, near: float = NEAR, apart: float = APART) -> None:
    assert float((ours - theirs).abs().max()) < near * float(ours.std())
    assert float(kl_full(ours.flatten(0, 1), theirs.flatten(0, 1)).mean()) < apart


@pytest.mark.parametrize(
    ("format_", "package", "options"),
    [
        ("compressed-tensors", "compressed_tensors", SYMMETRIC),
        ("gguf", "gguf", SYMMETRIC),
        ("torchao", "torchao", ASYMMETRIC),
    ],
)
def test_computed_in_float32_it_is_the_candidate(
    made: Made,
    dense_twin: DenseTwin,
    logits: Logits,
    tmp_path: Path,
    format_: str,
    package: str,
    options: dict[str, str],
) -> None:
    pytest.importorskip(package)
    source = made("llama", options, dtype=torch.bfloat16)
    folder = export(source, format_, tmp_path / "out").folder
    wide, narrow = (load_export(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    assert torch.equal(logits(wide), logits(dense_twin(source, torch.float32)))
    ours = logits(dense_twin(source))
    check_near(ours, logits(narrow))
    assert torch.equal(ours, logits(narrow)) == (format_ != "compressed-tensors")  # which rounds scales first


def test_auto_round_stays_near(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    pytest.importorskip("auto_round")
    source = made("llama", ASYMMETRIC, dtype=torch.bfloat16)
    folder = export(source, "auto-round", tmp_path / "out").folder
    ours, model = logits(dense_twin(source)), AutoModelForCausalLM.from_pretrained(folder, device_map="cpu")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    check_near(ours, logits(model.eval()))


def test_mlx_stays_near(made: Made, dense_twin: DenseTwin, logits: Logits, tmp_path: Path) -> None:
    mx, utils = pytest.importorskip("mlx.core"), pytest.importorskip("mlx_lm.utils")
    mx.set_default_device(mx.cpu)
    source = made("llama", ASYMMETRIC, dtype=torch.bfloat16)
    model, _ = utils.load_model(export(source, "mlx", tmp_path / "out").folder)
    ids = torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(np.array(model(mx.array(ids.numpy())).astype(mx.float32)))
    check_near(logits(dense_twin(source), ids), theirs, near=0.15, apart=1e-4)


@pytest.mark.parametrize(
    ("format_", "dtype"),
    [("mlx", torch.float32), ("mlx", torch.float16), ("compressed-tensors", torch.float16), ("gguf", torch.bfloat16)],
)
def test_scales_that_the_loader_would_lose_are_refused(format_: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """The trap: scales below float16 are stored in bfloat16, and loaders that round them to float16 make them 0."""
    if format_ == "gguf":
        pytest.importorskip("gguf")
    name = "model.layers.0.mlp.down_proj"
    model = TINY["llama"].model(2)
    with torch.no_grad():
        model.get_submodule(name).weight.mul_(1e-6)  # type: ignore[operator]
    model.to(dtype).save_pretrained(tmp_path / "model")  # type: ignore[operator]
    source = source_of(tmp_path, tmp_path / "model", {name: "rtn-int8-g32-sym"})
    assert source.quantized(name).scales.dtype == torch.bfloat16
    with pytest.raises(InputError, match=rf"{name}: .*float16.*; keep the layer, or export as"):
        export(source, format_, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    kept = import_module("exporters.torchao").tensors(source.quantized(name))["_weight_scale"]
    assert torch.equal(kept, source.quantized(name).scales)
