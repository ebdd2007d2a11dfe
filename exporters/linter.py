"""What vLLM makes of a compressed-tensors checkpoint, checked by rule: vLLM itself need not be there.

The rules are those of vLLM 0.33, read in its source and not run: `shared/notes/exports.md`, sections 2 and 4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from safetensors import safe_open

from exporters.plan import tied_groups
from spaces.option import WORD_BITS
from spaces.ties import TIES
from spaces.weight_files import weight_files

FUSED = TIES["vllm"]
PORTABLE_BITS, NEW_BITS = (4, 8), range(2, 9)
PORTABLE_GROUPS = (-1, 32, 64, 128)  # -1: channel
CODES, SCALES, ZEROS, SHAPE = "weight_packed", "weight_scale", "weight_zero_point", "weight_shape"

Shapes = Mapping[str, tuple[int, ...]]  # of every tensor, by name


@dataclass(frozen=True, kw_only=True)
class Lint:
    """``errors``: vLLM refuses the file, or reads it as something else. ``beyond``: it loads in new versions alone."""

    errors: tuple[str, ...]
    beyond: tuple[str, ...]

    @property
    def is_portable(self) -> bool:
        """Whether every vLLM that knows the format serves it on every GPU: the subset that Marlin's kernels hold."""
        return not self.errors and not self.beyond

    def sentences(self) -> Iterator[str]:
        """All of it, for a report."""
        yield from (f"vLLM cannot serve this file: {error}" for error in self.errors)
        yield from (f"outside the portable subset of vLLM: {sentence}" for sentence in self.beyond)


def lint_folder(folder: Path) -> Lint:
    """Check the checkpoint in ``folder``: its config, and every tensor's name and shape."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return lint(config["quantization_config"], shapes)


def lint(config: Mapping[str, Any], shapes: Shapes | None = None) -> Lint:
    """Check a ``quantization_config``, and the tensors beside it where they are given."""
    schemes = [
        (target, group["weights"]) for group in config.get("config_groups", {}).values() for target in group["targets"]
    ]
    errors = [*_header(config), *_targets(schemes, config.get("ignore", [])), *_widths(schemes)]
    errors += _fusions(dict(schemes), config.get("ignore", []))
    if shapes is not None:
        errors += [*_tensors(dict(schemes), shapes), *_strangers(dict(schemes), config.get("ignore", []), shapes)]
    return Lint(errors=tuple(errors), beyond=tuple(_beyond(schemes)))


def _header(config: Mapping[str, Any]) -> Iterator[str]:
    wanted = {"quant_method": "compressed-tensors", "format": "pack-quantized", "quantization_status": "compressed"}
    for key, value in wanted.items():
        if config.get(key) != value:
            yield f"{key} must be {value!r}, got {config.get(key)!r}"
    if config.get("sparsity_config"):
        yield "sparsity_config must be absent; vLLM raises on one"


def _targets(schemes: list[tuple[str, Mapping[str, Any]]], ignored: list[str]) -> Iterator[str]:
    """Exact names, each once: patterns and classes take precedence differently in vLLM and in transformers."""
    seen: set[str] = set(ignored)
    for target in ignored + [target for target, _ in schemes]:
        if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", target) or target[0].isupper():
            yield f"target {target!r} must be the exact name of a layer, not a pattern or a class"
    for target, _ in schemes:
        if target in seen:
            yield f"target {target} is named more than once; leave it in one group, or in ignore"
        seen.add(target)


def _widths(schemes: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for target, weights in schemes:
        if weights["num_bits"] not in NEW_BITS or weights["type"] != "int":
            yield f"{target}: {weights['type']}{weights['num_bits']} must be an integer of 2 to 8 bits"
        if weights["strategy"] not in ("group", "channel"):
            yield f"{target}: strategy must be group or channel, got {weights['strategy']!r}"


def _fusions(schemes: Mapping[str, Mapping[str, Any]], ignored: list[str]) -> Iterator[str]:
    """vLLM merges q, k, v and gate, up into one layer, which has one scheme."""
    for names in tied_groups([*schemes, *ignored], FUSED):
        distinct = {_describe(schemes.get(name)) for name in names}
        if len(distinct) > 1:
            listed = ", ".join(f"{name}: {_describe(schemes.get(name))}" for name in sorted(names))
            yield f"{listed} are fused and must agree; search with ties: vllm"


def _beyond(schemes: list[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """One sentence for each scheme that only newer versions, CUDA or one kernel hold."""
    counts: dict[str, int] = {}
    for target, weights in schemes:
        is_plain = weights["symmetric"] and weights["num_bits"] in PORTABLE_BITS
        group_size = weights.get("group_size", -1)
        if not is_plain or group_size not in PORTABLE_GROUPS:
            counts[_describe(weights)] = counts.get(_describe(weights), 0) + 1
        if target == "lm_head":
            yield "lm_head is quantized, which vLLM's compressed-tensors layers may not take; keep it to be sure"
    for scheme, count in counts.items():
        yield f"{count} layers are {scheme}; needs vLLM >= 0.33 and CUDA (everywhere: symmetric, 4 or 8 bits)"


def _tensors(schemes: Mapping[str, Mapping[str, Any]], shapes: Shapes) -> Iterator[str]:
    """Every target has its codes, scales and shape, and a zero point only where it is asymmetric."""
    for target, weights in schemes.items():
        missing = [last for last in (CODES, SCALES, SHAPE) if f"{target}.{last}" not in shapes]
        if missing:
            yield f"{target}: tensor {missing[0]} is missing"
            continue
        if f"{target}.weight" in shapes:
            yield f"{target}: a dense weight lies beside the codes; leave one"
        if (f"{target}.{ZEROS}" in shapes) == weights["symmetric"]:
            place = "on a symmetric" if weights["symmetric"] else "missing on an asymmetric"
            yield f"{target}: zero point {place} layer"
        yield from _shapes(target, weights, shapes)


def _shapes(target: str, weights: Mapping[str, Any], shapes: Shapes) -> Iterator[str]:
    rows, words = shapes[f"{target}.{CODES}"]
    scale_rows, groups = shapes[f"{target}.{SCALES}"]
    columns = groups * weights["group_size"] if "group_size" in weights else None
    if scale_rows != rows or (columns is None and groups != 1):
        yield f"{target}: scales {scale_rows}x{groups} do not fit {rows} outputs"
    if columns is not None and words != ceil(columns * weights["num_bits"] / WORD_BITS):
        yield f"{target}: {words} words a row do not hold {columns} codes of {weights['num_bits']} bits"


def _strangers(schemes: Mapping[str, Any], ignored: list[str], shapes: Shapes) -> Iterator[str]:
    """vLLM raises on a linear layer that is neither a target nor ignored, and packed tensors need a target."""
    known = {*schemes, *ignored}
    for name, shape in shapes.items():
        module, _, last = name.rpartition(".")
        is_inside = re.search(r"\.\d+\.", module) is not None
        if module not in known and (last == CODES or (last == "weight" and len(shape) == 2 and is_inside)):
            yield f"{module} is neither a target nor ignored; name it in one of them"


def _describe(weights: Mapping[str, Any] | None) -> str:
    if weights is None:
        return "dense"
    group = weights.get("group_size", -1)
    symmetry = "symmetric" if weights["symmetric"] else "asymmetric"
    return f"{weights['num_bits']} bits {symmetry} in {'channels' if group == -1 else f'groups of {group}'}"
