"""What README.md and docs/exports.md say of each format, asked of the exporters themselves.

``PYTHONPATH=. python tests/exporters/exports_page.py`` writes both documents' generated parts anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from transformers import LlamaConfig

from exporters.format import Exporter
from exporters.formats import EXPORTERS, exporter
from spaces.configuration import Configuration
from spaces.discovery import Anatomy, find_anatomy
from spaces.option import BIT_WIDTHS, DROP, GROUP_SIZES, Option, Quantize, parse_option
from spaces.skeleton import skeleton

ROOT = Path(__file__).parents[2]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "exports.md"
GROUPS = (None, *GROUP_SIZES)
NAMES = frozenset({"transformers", "llama-quantize's", "mlx-lm", "auto-round", "vLLM"})
HEAD = "| format | who loads it | bits | layers | checked how |\n| --- | --- | --- | --- | --- |\n"


def table() -> str:
    """A row for each format: what its exporter says of itself, and what it refuses."""
    rows = []
    for name in EXPORTERS:
        made = exporter(name)
        said = (", ".join(made.info.loads_in), bits(made), layers(made), made.info.checked.removesuffix("."))
        rows.append(" | ".join((f"| `{name}`", *(each.replace("|", "\\|") for each in said))) + " |\n")
    return HEAD + "".join(rows)


def sections() -> str:
    """A section for each format."""
    return "\n".join("\n".join(_section(exporter(name))) + "\n" for name in EXPORTERS)


def _section(made: Exporter) -> Iterator[str]:
    info = made.info
    what = f"writes `{info.file_name}`" if info.kind == "recipe" else "writes a folder with weights"
    yield f"### {info.name}\n"
    yield f"{_sentence(info.summary)}. A {info.kind}: {what}.\n"
    yield f"- Loads in: {', '.join(info.loads_in)}."
    yield f"- Bits: {bits(made)}. Groups: {groups(made)}. Layers: {layers(made)}."
    yield f"- Checked: {info.checked.rstrip('.')}."
    yield from (f"- {_sentence(sentence)}." for sentence in info.limits)
    if info.usage:
        yield f"\n```{info.language}\n{info.usage}\n```"


def bits(made: Exporter) -> str:
    """The bit-widths it takes, with and without zero points, and ggml's types."""
    of = {symmetric: [width for width in BIT_WIDTHS if _takes(made, width, symmetric)] for symmetric in (True, False)}
    both = _widths(of[True])
    if of[True] != of[False]:
        both = f"symmetric {both}" + (f"; asymmetric {_widths(of[False])}" if of[False] else "")
    has_types = made.refusals(anatomy(), _everywhere(parse_option("ggml-q4_k"))) == []
    return both + (", ggml types" if has_types else "")


def groups(made: Exporter) -> str:
    """The group sizes that it takes at some bit-width."""
    found = [
        size
        for size in GROUPS
        if any(_fits(made, width, size, symmetric) for width in BIT_WIDTHS for symmetric in (True, False))
    ]
    return ", ".join("channels" if size is None else str(size) for size in found)


def layers(made: Exporter) -> str:
    """Which layers it compresses, and what it can drop."""
    rounded = {group: Quantize(bits_per_code=4, group_size=group, symmetric=True, solver="rtn") for group in GROUPS}

    def takes(of: Anatomy, layer: str) -> bool:
        return any(made.refusals(of, Configuration.of({layer: option})) == [] for option in rounded.values())

    kinds = ["linear"]
    kinds += ["head"] if takes(anatomy(), "lm_head") else []
    kinds += ["embeddings"] if takes(anatomy(), "model.embed_tokens") else []
    kinds += ["tied head"] if takes(anatomy(is_tied=True), "lm_head") else []
    dropped = {part.part: Configuration.of({part.name: DROP}) for part in anatomy().parts}
    drops = [f"{part}s" for part, chosen in dropped.items() if made.refusals(anatomy(), chosen) == []]
    return ", ".join(kinds) + (f"; drops of {', '.join(drops).replace('mlps', 'MLPs')}" if drops else "")


@cache
def anatomy(*, is_tied: bool = False) -> Anatomy:
    """Of a Llama whose rows every group and block fills; no weights."""
    sizes: dict[str, Any] = {"hidden_size": 256, "intermediate_size": 512, "vocab_size": 256, "num_hidden_layers": 2}
    config = LlamaConfig(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=is_tied, **sizes)
    return find_anatomy(skeleton(config))


def renewed(text: str, name: str, content: str) -> str:
    """A document with what stands between the two marks of ``name`` replaced."""
    begin, end = f"<!-- {name}: made by tests/exporters/exports_page.py -->\n", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document must have the marks {begin!r} and {end!r}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def pages() -> dict[Path, str]:
    """Both documents as they should be."""
    return {
        README: renewed(README.read_text("utf-8"), "formats", table()),
        PAGE: renewed(renewed(PAGE.read_text("utf-8"), "formats", table()), "sections", sections()),
    }


def _takes(made: Exporter, width: int, symmetric: bool) -> bool:
    return any(_fits(made, width, group, symmetric) for group in GROUPS)


def _fits(made: Exporter, width: int, group: int | None, symmetric: bool) -> bool:
    option = Quantize(bits_per_code=width, group_size=group, symmetric=symmetric, solver="rtn")
    return made.refusals(anatomy(), _everywhere(option)) == []


def _everywhere(option: Option) -> Configuration:
    return Configuration.of({layer.name: option for layer in anatomy().weights})


def _widths(found: list[int]) -> str:
    """``2-8`` or ``2, 3, 4, 8``."""
    is_range = len(found) > 2 and found == list(range(found[0], found[-1] + 1))
    return f"{found[0]}-{found[-1]}" if is_range else ", ".join(map(str, found))


def _sentence(text: str) -> str:
    """With a capital letter unless it is a name, and without its full stop."""
    word = text.split(" ")[0]
    return (text if word in NAMES else text[:1].upper() + text[1:]).removesuffix(".")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
