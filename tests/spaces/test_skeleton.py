"""Configs: read from a folder without weights, and refused with the reason where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import TINY

from spaces.errors import InputError
from spaces.skeleton import anatomy_of, load_config, skeleton


def write_config(folder: Path, **changes: object) -> Path:
    settings = TINY["llama"].config().to_dict() | {"model_type": "llama"} | changes
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def test_a_folder_with_a_config_alone_has_an_anatomy(tmp_path: Path) -> None:
    assert anatomy_of(str(write_config(tmp_path))) == TINY["llama"].anatomy()


def test_the_skeleton_holds_no_weights(tmp_path: Path) -> None:
    model = skeleton(load_config(str(write_config(tmp_path))))
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("/no/such/model", "got '/no/such/model': there is no such folder"),
        ("./model", "got './model': there is no such folder"),
        ("reference-model", "got 'reference-model': there is no such folder"),
        (
            "nobody/no-such-model",
            "cannot read the config of model 'nobody/no-such-model': .*check the hub id and the network",
        ),
    ],
)
def test_a_model_that_is_not_there_is_refused(model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config(model)


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"got '{tmp_path}': it has no config.json"):
        load_config(str(tmp_path))


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"model_type": "no-such-model"}', "{}"])
def test_a_config_that_does_not_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=f"cannot read the config of model '{tmp_path}'"):
        load_config(str(tmp_path))


@pytest.mark.parametrize("changes", [{"hidden_size": "abc"}, {"hidden_size": 65}])
def test_a_config_of_impossible_values_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"cannot read the config of model .*hidden"):
        load_config(str(write_config(tmp_path, **changes)))


def test_a_model_that_is_quantized_already_is_refused(tmp_path: Path) -> None:
    folder = write_config(tmp_path, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(InputError, match=f"model '{folder}' is quantized already; give the dense checkpoint"):
        load_config(str(folder))
