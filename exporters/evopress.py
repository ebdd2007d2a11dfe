"""EvoPress' text files: ``layer: bit-width`` by line, or one line of dropped parts by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Option, Quantize
from spaces.tables import check_name

DROPPED: dict[str, tuple[str, ...]] = {
    "none": (),
    "attn": ("attention",),
    "mlp": ("mlp",),
    "attn+mlp": ("attention", "mlp"),
}
PART_NAMES = {"attention": "self_attn", "mlp": "mlp"}


def read_evopress(text: str, make_option: Callable[[str, int], Option], blocks: str = "model.layers") -> Configuration:
    """The configuration in an EvoPress file; ``make_option(layer, bits)`` says how a bit-width is stored here.

    A drop file has one line for each block of ``blocks``: none, attn, mlp or attn+mlp.

    Raises:
        InputError: a line that is neither, named by its number, or no line at all.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise InputError("the file is empty; EvoPress writes 'layer: level' or one line of drops for each block")
    if all(":" not in line for _, line in lines):
        return _read_drops([line for _, line in lines], blocks)
    options: dict[str, Option] = {}
    for number, line in lines:
        layer, colon, level = (part.strip() for part in line.rpartition(":"))
        if not colon or not level.isdigit():
            raise InputError(f"line {number}: expected 'layer: bit-width' with a whole number, got {line!r}")
        if layer in options:
            raise InputError(f"line {number}: {layer!r} has a level already; leave one line")
        options[layer] = make_option(layer, int(level))
    return Configuration.of(options)


def _read_drops(lines: list[str], blocks: str) -> Configuration:
    options: dict[str, Option] = {}
    for number, line in enumerate(lines):
        dropped = DROPPED[check_name(line, DROPPED, f"drop on line {number + 1}")]
        for part, name in PART_NAMES.items():
            options[f"{blocks}.{number}.{name}"] = DROP if part in dropped else KEEP
    return Configuration.of(options)


def write_evopress(configuration: Configuration, num_blocks: int = 0) -> str:
    """The text that EvoPress loads: of drops a line for each of ``num_blocks`` blocks, and as many as are named.

    A block that the configuration does not name, as one that a search left out, drops nothing.

    Raises:
        InputError: options that the format has no word for: unquantized layers, ggml's types, several group sizes or
            solvers, or drops together with bit-widths.
    """
    options = dict(configuration.options)
    if any(option in (KEEP, DROP) for option in options.values()):
        return _write_drops(options, num_blocks)
    quantized = {name: option for name, option in options.items() if isinstance(option, Quantize)}
    for name in options.keys() - quantized.keys():
        raise InputError(
            f"EvoPress' format holds bit-widths of kind quantize, got {name}: {options[name].slug}; export gguf"
        )
    kinds = {(option.group_size, option.symmetric, option.solver) for option in quantized.values()}
    if len(kinds) > 1:
        slugs = sorted({option.slug for option in quantized.values()})
        raise InputError(
            f"EvoPress' format holds bit-widths alone, got options that differ in more: {', '.join(slugs)}; "
            f"search a space of one group size, symmetry and solver"
        )
    return "".join(f"{name}: {option.bits_per_code}\n" for name, option in quantized.items())


def _write_drops(options: Mapping[str, Option], num_blocks: int) -> str:
    parts: dict[int, set[str]] = {}
    for name, option in options.items():
        steps = name.split(".")
        block = next((int(step) for step in steps if step.isdigit()), None)
        kind = next((part for part, word in (("attention", "attn"), ("mlp", "mlp")) if word in steps[-1]), None)
        if block is None or kind is None or option not in (KEEP, DROP):
            raise InputError(
                f"EvoPress' format holds either a bit-width for every layer or drops of attentions and MLPs, "
                f"got {name}: {option.slug}; export such a mix in another format"
            )
        parts.setdefault(block, set()).update({kind} if option == DROP else set())
    words = {frozenset(dropped): word for word, dropped in DROPPED.items()}
    numbers = range(max(num_blocks, max(parts) + 1))
    return "".join(f"{words[frozenset(parts.get(block, ()))]}\n" for block in numbers)


class EvoPress:
    """EvoPress' text as an export format."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name="evopress",
        summary="EvoPress' text file: a bit-width for each layer, or the dropped parts of each block.",
        loads_in=("EvoPress", "layerpress import"),
        limits=("Bit-widths of one group size, symmetry and solver, or drops of attentions and MLPs; no mix of both.",),
        kind="recipe",
        file_name="evopress.txt",
        media_type="text/plain",
        checked="read back by layerpress import; EvoPress itself was not run",
        usage="layerpress import evopress.txt --out configuration.json",
        language="sh",
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        try:
            write_evopress(configuration, len(anatomy.blocks))
        except InputError as error:
            return [str(error)]
        return []

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        (folder / self.info.file_name).write_text(
            write_evopress(source.configuration, len(source.anatomy.blocks)), encoding="utf-8"
        )
