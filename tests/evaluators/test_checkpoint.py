"""Checkpoints: hashed by content, refused when damaged or incomplete, loaded without a word on the terminal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import TINY
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from evaluators.checkpoint import fingerprint, fingerprint_model, load_model, load_tokenizer, locate
from spaces.errors import InputError
from spaces.weight_files import weight_files

REFERENCE = Path(__file__).parents[2] / "examples" / "reference-model"
WEIGHTS = "model.safetensors"


def saved(folder: Path, *, shard: str = "1GB", architecture: str = "llama") -> Path:
    """A tiny model as transformers saves it, in one file or in shards."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = TINY[architecture].model()
    model.save_pretrained(folder, max_shard_size=shard)  # type: ignore[operator]
    return folder


def edit(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    """Change the tensors of a checkpoint of one file."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder


def test_the_fingerprint_does_not_depend_on_the_shards(tmp_path: Path) -> None:
    whole, parts = saved(tmp_path / "whole"), saved(tmp_path / "parts", shard="100KB")
    assert [path.name for path in weight_files(whole)] == [WEIGHTS]
    assert len(weight_files(parts)) > 2
    assert fingerprint(whole) == fingerprint(parts)


def test_the_fingerprint_does_not_depend_on_metadata_or_other_files(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    before = fingerprint(folder)
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, {"format": "pt", "note": "saved again"})
    save_file({"extra": torch.ones(3)}, folder / "consolidated.safetensors")
    assert fingerprint(folder) == before


def flip_last_bit(tensors: dict[str, Tensor]) -> None:
    tensors["lm_head.weight"].view(torch.int32)[3, 5] ^= 1


def rename(tensors: dict[str, Tensor]) -> None:
    tensors["lm_head.other"] = tensors.pop("lm_head.weight")


def reshape(tensors: dict[str, Tensor]) -> None:
    tensors["lm_head.weight"] = tensors["lm_head.weight"].reshape(64, 256)


def retype(tensors: dict[str, Tensor]) -> None:
    tensors["lm_head.weight"] = tensors["lm_head.weight"].view(torch.int32)


def swap(tensors: dict[str, Tensor]) -> None:
    first, second = (f"model.layers.{block}.mlp.up_proj.weight" for block in range(2))
    tensors[first], tensors[second] = tensors[second], tensors[first]


@pytest.mark.parametrize("change", [flip_last_bit, rename, reshape, retype, swap])
def test_the_fingerprint_changes_with_any_bit_name_shape_and_dtype(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], None]
) -> None:
    folder = saved(tmp_path)
    before = fingerprint(folder)
    assert fingerprint(edit(folder, change)) != before


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, bad: float) -> None:
    name = "model.layers.1.mlp.down_proj.weight"
    folder = edit(saved(tmp_path), lambda tensors: tensors[name][:2, 0].fill_(bad))
    with pytest.raises(InputError, match=rf"weight {name} holds 2 NaN or infinite values of {64 * 96};"):
        fingerprint(folder)


@pytest.mark.parametrize("left", [0, 5, 1000, -1])
def test_a_truncated_file_is_named(tmp_path: Path, left: int) -> None:
    path = saved(tmp_path) / WEIGHTS
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=f"{path} is not a whole safetensors file"):
        fingerprint(tmp_path)
    with pytest.raises(InputError, match=f"transformers cannot load the model in {tmp_path}"):
        load_model(tmp_path, dtype=torch.float32)


def test_a_folder_that_holds_a_model_is_where_it_is(tmp_path: Path) -> None:
    assert locate(str(saved(tmp_path))) == tmp_path
    assert locate(str(REFERENCE)) == REFERENCE


@pytest.mark.parametrize("model", ["/no/such/folder", "no/such/hub/id", "nobody/no-such-model"])
def test_a_model_that_is_nowhere_is_refused(model: str) -> None:
    with pytest.raises(InputError, match=f"model '{model}' is no local folder, and the hub did not give it"):
        locate(model)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=f"{folder} holds neither model.safetensors nor .*never reads pickled weights"):
        locate(str(folder))
    with pytest.raises(InputError, match=f"transformers cannot load the model in {folder}"):
        load_model(folder, dtype=torch.float32)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path, shard="100KB")
    shard = weight_files(folder)[1]
    shard.unlink()
    with pytest.raises(InputError, match=f"{folder} lacks {shard.name}, which model.safetensors.index.json names"):
        locate(str(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"weight_map": []}'])
def test_an_index_that_does_not_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(InputError, match=r"model\.safetensors\.index\.json is no index of safetensors files"):
        weight_files(tmp_path)


def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
    with pytest.raises(InputError, match=r"names '\.\./secret\.safetensors', which is not in its own folder"):
        weight_files(tmp_path)


def test_a_checkpoint_that_lacks_weights_is_refused_not_filled_at_random(tmp_path: Path) -> None:
    names = [f"model.layers.{block}.mlp.up_proj.weight" for block in range(2)]
    folder = edit(saved(tmp_path), lambda tensors: [tensors.pop(name) for name in names])
    with pytest.raises(InputError, match=f"{folder} lacks 2 weights of LlamaForCausalLM, the first {names[0]};"):
        load_model(folder, dtype=torch.float32)


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    folder = edit(saved(tmp_path), lambda tensors: tensors.update({name: torch.ones(128, 64)}))
    with pytest.raises(InputError, match=rf"weight {name} has shape \(128, 64\), and the config asks for \(96, 64\)"):
        load_model(folder, dtype=torch.float32)


@pytest.mark.parametrize("architecture", TINY)
def test_a_model_loads_with_its_very_weights(tmp_path: Path, architecture: str) -> None:
    loaded = load_model(saved(tmp_path, architecture=architecture), dtype=torch.float32)
    expected: nn.Module = TINY[architecture].model()
    found = loaded.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.state_dict().items())
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_loads_in_the_dtype_asked_for(dtype: torch.dtype) -> None:
    assert {parameter.dtype for parameter in load_model(REFERENCE, dtype=dtype).parameters()} == {dtype}


def test_loading_says_nothing_and_leaves_the_settings_of_transformers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = edit(saved(tmp_path), lambda tensors: tensors.pop("lm_head.weight"))
    transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    verbosity = transformers_logging.get_verbosity()
    capfd.readouterr()
    load_model(REFERENCE, dtype=torch.float32)
    load_tokenizer(REFERENCE)
    with pytest.raises(InputError, match=r"lacks 1 weights of LlamaForCausalLM, the first lm_head\.weight"):
        load_model(folder, dtype=torch.float32)
    assert capfd.readouterr() == ("", "")
    assert transformers_logging.get_verbosity() == verbosity
    assert transformers_logging.is_progress_bar_enabled()


def test_the_tokenizer_beside_the_model_reads_text() -> None:
    tokenizer = load_tokenizer(REFERENCE)
    assert tokenizer.decode(tokenizer("a plain sentence")["input_ids"]) == "a plain sentence"


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_tokenizer_that_is_missing_or_broken_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("tokenizer*"))
    if damage == "broken":
        (folder / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=f"{folder} has no tokenizer that transformers reads .*copy tokenizer.json"):
        load_tokenizer(folder)


def test_a_model_is_its_weights_and_the_settings_that_they_are_used_with(tmp_path: Path) -> None:
    def of(weights: str = "w", **settings: object) -> str:
        (tmp_path / "config.json").write_text(json.dumps(settings))
        return fingerprint_model(tmp_path, weights)

    known = of(rope_theta=1e4, text_config={"eps": 1e-5})
    others = [
        of("v", rope_theta=1e4, text_config={"eps": 1e-5}),
        of(rope_theta=1e6, text_config={"eps": 1e-5}),
        of(rope_theta=1e4, text_config={"eps": 1e-2}),
        of(rope_theta=1e4),
    ]
    assert len({known, *others}) == 5
    labels = {"transformers_version": "6", "dtype": "bfloat16", "use_cache": False, "_name_or_path": "x"}
    assert of(text_config={"eps": 1e-5, "torch_dtype": "float16"}, rope_theta=1e4, **labels) == known
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json cannot be read .*; copy or download it again"):
        fingerprint_model(tmp_path, "w")
