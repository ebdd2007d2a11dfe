"""A script for NNCF, OpenVINO's quantizer: one pass for each scheme, with the exact names of the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

from exporters.format import FormatInfo
from exporters.plan import Plan, Planned
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy

NAME: Final = "openvino"
Pass = tuple[str, int]  # NNCF's mode and group size
MODES = {  # NNCF 3.4 also has symmetric 3 and 2 bits, but no pass can follow them: it cannot read its own result
    (8, True): "INT8_SYM",
    (8, False): "INT8_ASYM",
    (4, True): "INT4_SYM",
    (4, False): "INT4_ASYM",
}
HEADER = '''"""Compresses an OpenVINO model with NNCF, layer by layer: python compress_openvino.py IN.xml OUT.xml

IN.xml is the model before any compression, as openvino.convert_model makes it of the PyTorch model, or
optimum-cli export openvino --model MODEL --weight-format fp16 DIR
"""

import sys

import nncf
import openvino

PASSES = [  # mode, group size (-1: one group for each output), layers; what is in none stays as it is
'''
FOOTER = ''']


def node(layer):
    """The name that OpenVINO gives to a linear layer of a PyTorch model."""
    return f"__module.{layer}/aten::linear/MatMul"


def stored(operation):
    """The element type of the weight that a node multiplies by: a constant, behind whatever decodes it."""
    weight = operation.input_value(1).get_node()
    while weight.get_type_name() != "Constant":
        weight = weight.input_value(0).get_node()
    return weight.get_element_type()


def compress(model):
    """The model with its weights compressed: a pass leaves alone whatever is not its own."""
    # operators alone: to name a constant here would exclude it from every pass, without a word
    known = {each.get_friendly_name(): each for each in model.get_ops() if each.get_type_name() in ("MatMul", "Gather")}
    lost = [node(layer) for _, _, layers in PASSES for layer in layers if node(layer) not in known]
    if lost:
        raise SystemExit(f"the model has no node {lost[0]}, and {len(lost) - 1} more; export it again from PyTorch")
    for mode, group_size, layers in PASSES:
        own = {node(layer) for layer in layers}
        others = nncf.IgnoredScope(names=sorted(known.keys() - own), validate=False)
        grouping = {} if mode.startswith("INT8") else {"group_size": group_size, "ratio": 1.0, "all_layers": True}
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode[mode], ignored_scope=others, **grouping)
        missed = [name for name in own if not stored(known[name]).is_integral()]
        if missed:
            raise SystemExit(f"NNCF left {missed[0]} as it was, and {len(missed) - 1} more; is IN.xml uncompressed?")
    return model


if __name__ == "__main__":
    openvino.save_model(compress(openvino.Core().read_model(sys.argv[1])), sys.argv[2], compress_to_fp16=False)
'''


class OpenVino:
    """``python compress_openvino.py IN.xml OUT.xml``."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="script for NNCF that compresses an OpenVINO model layer by layer",
        loads_in=("NNCF 3.4 with OpenVINO 2026.4",),
        limits=(
            "The tool quantizes anew, by rounding to nearest: its codes and losses are near ours, not ours.",
            "4 bits in groups or channels, and 8 bits in channels.",
            "Linear layers alone: embeddings, and a head that shares their matrix, stay dense.",
            "The names of nodes are those that openvino.convert_model gives; a model from optimum-cli was not run.",
            "Dropped parts have no word in it: export the dropped model as dense first.",
        ),
        kind="recipe",
        file_name="compress_openvino.py",
        media_type="text/x-python",
        checked="run with NNCF 3.4.0 on OpenVINO 2026.4.1: every layer has the type and groups asked for",
        usage="python compress_openvino.py openvino_model.xml compressed.xml",
        language="sh",
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        widths = plan.refuse(
            lambda each: _mode(each) is None,
            "NNCF holds 4 and 8 bits",
            "choose one of these, or export gguf",
        )
        groups = plan.refuse(
            lambda each: each.option.bits_per_code == 8 and each.option.group_size is not None,
            "NNCF holds 8 bits with one group for each output alone",
            "set its group_size to channel",
        )
        known = [*plan.refuse_foreign(NAME, "keep and quantize"), *plan.refuse_lookups(NAME), *plan.refuse_drops(NAME)]
        return [*known, *plan.refuse_transposed(NAME), *widths, *groups]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        text = script(Plan.of(source.anatomy, source.configuration))
        (folder / self.info.file_name).write_text(text, encoding="utf-8")


def script(plan: Plan) -> str:
    """The Python file, a layer a line."""
    passes: dict[Pass, list[str]] = {}
    for each in plan.quantized:
        passes.setdefault((_mode(each) or "", each.option.group_size or -1), []).append(each.name)
    return HEADER + "".join(_listed(each, passes[each]) for each in sorted(passes)) + FOOTER


def _listed(each: Pass, layers: list[str]) -> str:
    mode, group_size = each
    lines = "".join(f'            "{layer}",\n' for layer in layers)
    return f'    (\n        "{mode}",\n        {group_size},\n        [\n{lines}        ],\n    ),\n'


def _mode(each: Planned) -> str | None:
    return MODES.get((each.option.bits_per_code, each.option.symmetric))
