"""The script for NNCF, run on an OpenVINO model that was converted from PyTorch."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from twins import Made

from evaluators.checkpoint import load_model
from exporters.openvino import OpenVino
from exporters.source import Source

MIXED = {
    "*.self_attn.*": "rtn-int4-g32-sym",
    "*.0.mlp.*": "rtn-int8-channel-sym",
    "*.1.mlp.up_proj": "rtn-int4-g64-asym",
    "*.1.mlp.down_proj": "rtn-int4-channel-sym",
    "*.1.mlp.gate_proj": "keep",
    "*.1.self_attn.o_proj": "rtn-int8-channel-asym",
    "lm_head": "rtn-int4-channel-sym",
}
TYPES = {"int4-sym": "i4", "int4-asym": "u4", "int8-sym": "i8", "int8-asym": "u8"}


def script(source: Source, folder: Path) -> dict[str, Any]:
    """The names that the script defines, without running its last two lines."""
    assert OpenVino().refusals(source.anatomy, source.configuration) == []
    OpenVino().write(source, folder)
    return runpy.run_path(str(folder / "compress_openvino.py"))


def run_script(folder: Path) -> None:
    """As a person runs it: from one file to another."""
    command = [sys.executable, "compress_openvino.py", "in.xml", "out.xml"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)


def converted(folder: Path) -> Any:
    openvino = pytest.importorskip("openvino")
    model = load_model(folder, dtype=torch.float32)
    model.config.use_cache = False
    ids = torch.zeros(2, 8, dtype=torch.long)
    places = torch.arange(8).expand(2, 8)
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": places}
    return openvino.convert_model(model, example_input=example)


def stored(model: Any) -> dict[str, tuple[str, int]]:
    """Element type and number of groups in a row of every linear layer's weight, by the layer's name."""
    found = {}
    for operation in model.get_ops():
        name = operation.get_friendly_name()
        if operation.get_type_name() == "MatMul" and name.endswith("/aten::linear/MatMul"):
            weight = operation.input_value(1).get_node()
            while weight.get_type_name() != "Constant":
                weight = weight.input_value(0).get_node()
            shape = list(weight.get_shape())
            layer = name.removeprefix("__module.").removesuffix("/aten::linear/MatMul")
            found[layer] = (weight.get_element_type().get_type_name(), shape[1] if len(shape) == 3 else 1)
    return found


@pytest.mark.filterwarnings("ignore")  # NNCF, OpenVINO and torch's tracer have much to say
@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("llama", MIXED),
        ("phi3", {"*_proj": "rtn-int4-g32-asym", "*.1.mlp.down_proj": "rtn-int8-channel-sym", "*.0.mlp.*": "keep"}),
    ],
)
def test_every_layer_has_the_type_and_groups_asked_for(
    made: Made, tmp_path: Path, architecture: str, options: dict[str, str]
) -> None:
    """The trap: names of constants among the ignored ones exclude them from every pass, without a word."""
    pytest.importorskip("nncf")
    source = made(architecture, options)
    names = script(source, tmp_path)
    openvino, whole = pytest.importorskip("openvino"), converted(source.model)
    openvino.save_model(whole, tmp_path / "in.xml")  # in float16: a constant and its conversion
    done = stored(names["compress"](whole))
    run_script(tmp_path)
    assert stored(openvino.Core().read_model(tmp_path / "out.xml")) == {
        name: ("f16" if kind == "f32" else kind, groups) for name, (kind, groups) in done.items()
    }
    chosen = {name: option.slug.split("-") for name, option in source.configuration.options if option.slug != "keep"}
    wanted = {}
    for name, (_, bits, group, symmetry) in chosen.items():
        layer = source.anatomy.find(name)
        assert layer is not None
        groups = 1 if group == "channel" else layer.columns // int(group[1:])
        wanted[name] = (TYPES[f"{bits}-{symmetry}"], groups)
    assert {name: each for name, each in done.items() if name in wanted} == wanted
    assert {each for name, each in done.items() if name not in wanted} <= {("f32", 1)}
    assert len(done) > len(wanted)


@pytest.mark.filterwarnings("ignore")
def test_a_model_without_the_named_nodes_is_refused(made: Made, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    source = made("llama", MIXED, num_blocks=3)
    names = script(source, tmp_path)
    with pytest.raises(SystemExit, match=r"no node __module\.model\.layers\.2\.\S+, and 3 more"):
        names["compress"](converted(made("llama", {}).model))


def test_what_nncf_has_no_room_for_is_refused(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*.0.mlp.up_proj": "rtn-int3-g32-sym", "*.1.mlp.up_proj": "rtn-int8-g32-sym"})
    assert OpenVino().refusals(source.anatomy, source.configuration) == [
        "model.layers.0.mlp.up_proj: NNCF holds 4 and 8 bits, got rtn-int3-g32-sym; "
        "choose one of these, or export gguf",
        "model.layers.1.mlp.up_proj: NNCF holds 8 bits with one group for each output alone, got rtn-int8-g32-sym; "
        "set its group_size to channel",
    ]
    dropped = made("llama", {"*.1.mlp": "drop"})
    [sentence] = OpenVino().refusals(dropped.anatomy, dropped.configuration)
    assert sentence.startswith("model.layers.1.mlp: openvino has no word for drop")


def test_the_script_is_read_by_any_python(made: Made, tmp_path: Path) -> None:
    """Where NNCF is not installed: it parses, and every layer is in the one pass of its scheme."""
    source = made("llama", MIXED)
    OpenVino().write(source, tmp_path)
    text = (tmp_path / "compress_openvino.py").read_text(encoding="utf-8")
    body = text[text.index("PASSES = ") : text.index("def node")]
    scope: dict[str, Any] = {}
    exec(compile(body, "compress_openvino.py", "exec"), scope)
    modes = {layer: (mode, group) for mode, group, layers in scope["PASSES"] for layer in layers}
    assert sum(len(layers) for _, _, layers in scope["PASSES"]) == len(modes) == 14
    assert modes["model.layers.1.self_attn.o_proj"] == ("INT8_ASYM", -1)
    assert modes["model.layers.1.mlp.up_proj"] == ("INT4_ASYM", 64)
    assert "model.layers.1.mlp.gate_proj" not in modes
