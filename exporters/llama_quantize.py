"""The file that llama-quantize reads with ``--tensor-type-file``: a ggml type for every tensor, by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from exporters.format import FormatInfo
from exporters.gguf_blocks import FLOATS
from exporters.gguf_names import gguf_name, refuse_strangers, refuse_wide
from exporters.removal import Removal
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.ggml import TYPES, Ggml
from spaces.layer import Layer
from spaces.llama_cpp import ARCHITECTURES
from spaces.option import DROP, KEEP, Banked, Option

FILE = "tensor-types.txt"
BASE = "q8_0"  # its blocks are of 32: from a base of 256, llama-quantize falls back before it reads the file
NEAREST = {2: "q2_k", 3: "q3_k", 4: "q4_k", 5: "q5_k", 6: "q6_k", 7: "q8_0", 8: "q8_0"}  # by the bits of a code


class LlamaQuantize:
    """One ``pattern=type`` a line, for a GGUF file of the dense model."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name="llama-quantize",
        summary="llama-quantize's tensor types, for those who quantize a GGUF of the dense model themselves.",
        loads_in=("llama-quantize (llama.cpp)",),
        limits=(
            f"Name the base type {BASE.upper()}: what a base type of F16 or COPY gives, no line of the file changes.",
            "Layers that are not of kind ggml get the K type of as many bits, which is not what was searched.",
            "Where blocks are dropped, the first line names the --prune-layers that has to be given: the numbers in "
            "all other lines are those behind it. Attentions and MLPs cannot be dropped.",
            "Types iq2_xxs and iq2_xs need --imatrix; all others of 2 to 6 bits profit from it.",
            "A file has no room for remarks: the first lines are patterns that no tensor's name matches.",
        ),
        kind="recipe",
        file_name=FILE,
        media_type="text/plain",
        checked="patterns and types compared with the tensors of the GGUF export; llama-quantize itself was not run",
        usage=f"llama-quantize --imatrix im.gguf --tensor-type-file DIR/{FILE} dense.gguf out.gguf {BASE.upper()}",
        language="sh",
        needs_tokenizer=False,
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        zeroed = Removal.of(anatomy, configuration).zeroed
        return (
            refuse_wide(anatomy)
            + refuse_strangers(anatomy, ARCHITECTURES)
            + [f"{part.name}: llama-quantize cannot drop an {part.part}, got drop; export gguf" for part in zeroed]
        )

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return 0

    def write(self, source: Source, folder: Path) -> None:
        lines = [*_remarks(source.removal), *_lines(source)]
        (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _remarks(removal: Removal) -> Iterator[str]:
    yield f"^base-type:{BASE}$={BASE}"
    if removal.num_removed:
        gone = set(range(len(removal.anatomy.blocks))) - set(removal.blocks)
        yield f"^needs:--prune-layers:{','.join(map(str, sorted(gone)))}$={BASE}"


def _lines(source: Source) -> Iterator[str]:
    """Of every matrix: the file ends with none left to the base type."""
    anatomy = source.anatomy
    tied = {head: module for module, head in source.tied.items()}
    for layer in (*anatomy.outside, *anatomy.weights):
        renamed = source.removal.renamed(tied.get(layer.name, layer.name))
        if renamed is not None:
            pattern = re.escape(f"{gguf_name(renamed)}.weight")
            yield f"^{pattern}$={type_for(source.option(layer.name), layer, FLOATS[source.dtype])}"


def type_for(option: Option, layer: Layer, dense: str) -> str:
    """The ggml type that an option asks llama-quantize for, or that it falls back to for want of whole blocks.

    ``dense`` is that of layers that are kept.
    """
    if option in (KEEP, DROP) or not isinstance(option, Banked):
        return dense
    chosen = option if isinstance(option, Ggml) else TYPES[NEAREST[option.bits_per_code]]
    if not chosen.divides(layer.columns) and chosen.fallback:
        chosen = TYPES[chosen.fallback]
    return chosen.type_name if chosen.divides(layer.columns) else "f16"
