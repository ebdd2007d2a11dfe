"""The vLLM linter: a clean file passes, and each rule has a file that breaks it and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import twins
from safetensors.torch import load_file, save_file

from exporters.compressed_tensors import CompressedTensors, quantization_config
from exporters.linter import lint, lint_folder
from exporters.plan import Plan

PORTABLE = {"*": "rtn-int4-g32-sym", "*.mlp.down_proj": "rtn-int8-channel-sym", "lm_head": "keep", "*embed*": "keep"}
Config = dict[str, Any]


def config_of(made: twins.Made, options: dict[str, str]) -> Config:
    source = made("llama", options)
    return quantization_config(Plan.of(source.anatomy, source.configuration))


def test_the_portable_subset_is_clean(made: twins.Made, tmp_path: Path) -> None:
    source = made("llama", PORTABLE)
    CompressedTensors().write(source, tmp_path)
    found = lint_folder(tmp_path)
    assert (found.errors, found.beyond, found.is_portable) == ((), (), True)
    assert CompressedTensors().notes(source.anatomy, source.configuration) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"*.mlp.down_proj": "rtn-int3-g32-sym"}, "2 layers are 3 bits symmetric in groups of 32; needs vLLM >= 0.33"),
        ({"*.mlp.down_proj": "rtn-int8-g32-asym"}, "2 layers are 8 bits asymmetric in groups of 32; needs vLLM"),
        ({"lm_head": "rtn-int8-g32-sym"}, "lm_head is quantized, which vLLM's"),
    ],
)
def test_what_only_new_versions_load_is_beyond_and_no_error(
    made: twins.Made, options: dict[str, str], sentence: str
) -> None:
    found = lint(config_of(made, PORTABLE | options))
    assert found.errors == ()
    assert not found.is_portable
    assert [beyond.startswith(sentence) for beyond in found.beyond] == [True]
    assert next(found.sentences()).startswith(f"outside the portable subset of vLLM: {sentence}")


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({"*.0.self_attn.k_proj": "rtn-int8-g32-sym"}, "k_proj: 8 bits symmetric in groups of 32"),
        ({"*.0.self_attn.k_proj": "rtn-int4-g64-sym"}, "k_proj: 4 bits symmetric in groups of 64"),
        ({"*.1.mlp.up_proj": "keep"}, "up_proj: dense"),
    ],
)
def test_fused_layers_must_agree(made: twins.Made, options: dict[str, str], layers: str) -> None:
    """The trap: vLLM gives the whole merged layer the scheme of its first part."""
    [error] = lint(config_of(made, PORTABLE | options)).errors
    assert layers in error
    assert error.endswith("are fused and must agree; search with ties: vllm")


def _groups(config: Config) -> list[Any]:
    return list(config["config_groups"].values())


def _twice(config: Config) -> None:
    _groups(config)[1]["targets"].append(_groups(config)[0]["targets"][-1])


BREAKS: dict[str, tuple[Callable[[Config], object], str]] = {
    "sparsity": (lambda c: c.update(sparsity_config={"format": "dense"}), "sparsity_config must be absent"),
    "format": (lambda c: c.update(format="mixed-precision"), "format must be 'pack-quantized', got 'mixed-precision'"),
    "pattern": (lambda c: c["ignore"].append("re:.*gate"), "target 're:.*gate' must be the exact name"),
    "class": (lambda c: c["ignore"].append("Linear"), "target 'Linear' must be the exact name"),
    "twice": (_twice, "is named more than once; leave it in one group"),
    "ignored": (
        lambda c: c["ignore"].append("model.layers.0.mlp.down_proj"),
        "target model.layers.0.mlp.down_proj is named more than once",
    ),
    "width": (lambda c: _groups(c)[1]["weights"].update(num_bits=9), "int9 must be an integer of 2 to 8 bits"),
    "strategy": (lambda c: _groups(c)[1]["weights"].update(strategy="block"), "strategy must be group or channel"),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_each_rule_of_the_config_is_told(made: twins.Made, rule: str) -> None:
    clean = config_of(made, PORTABLE)
    broken = copy.deepcopy(clean)
    change, sentence = BREAKS[rule]
    change(broken)
    errors = lint(broken).errors
    assert lint(clean).errors == ()
    assert any(sentence in error for error in errors), errors


Tensors = dict[str, torch.Tensor]
UP = "model.layers.0.mlp.up_proj"
SPOILS: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "zeros": (lambda t: t.update({f"{UP}.weight_zero_point": torch.zeros(1)}), f"{UP}: zero point on a symmetric"),
    "both": (lambda t: t.update({f"{UP}.weight": torch.zeros(96, 64)}), f"{UP}: a dense weight lies beside the codes"),
    "scales": (lambda t: t.pop(f"{UP}.weight_scale"), f"{UP}: tensor weight_scale is missing"),
    "words": (
        lambda t: t.update({f"{UP}.weight_packed": torch.zeros(96, 7, dtype=torch.int32)}),
        f"{UP}: 7 words a row do not hold 64 codes of 4 bits",
    ),
    "groups": (
        lambda t: t.update({"model.layers.0.mlp.down_proj.weight_scale": torch.zeros(64, 2)}),
        "model.layers.0.mlp.down_proj: scales 64x2 do not fit 64 outputs",
    ),
    "stranger": (
        lambda t: t.update({"model.layers.0.mlp.extra_proj.weight": torch.zeros(8, 8)}),
        "model.layers.0.mlp.extra_proj is neither a target nor ignored",
    ),
}


@pytest.mark.parametrize("rule", SPOILS)
def test_each_rule_of_the_tensors_is_told(made: twins.Made, tmp_path: Path, rule: str) -> None:
    CompressedTensors().write(made("llama", PORTABLE), tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    spoil, sentence = SPOILS[rule]
    spoil(tensors)
    save_file(tensors, path, {"format": "pt"})
    errors = lint_folder(tmp_path).errors
    assert [sentence in error for error in errors] == [True], errors


@pytest.mark.parametrize("symmetric", [True, False])
def test_an_asymmetric_layer_needs_its_zero_point(made: twins.Made, tmp_path: Path, symmetric: bool) -> None:
    source = made("llama", PORTABLE | {"*.down_proj": f"rtn-int4-g32-{'sym' if symmetric else 'asym'}"})
    CompressedTensors().write(source, tmp_path)
    assert lint_folder(tmp_path).errors == ()
    assert lint_folder(tmp_path).is_portable == symmetric
