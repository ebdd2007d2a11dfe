"""The colours of both pictures: chosen to stay apart for colour-blind readers and in grey print."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from spaces.option import Banked, parse_option

INK = "#1b2530"
MUTED = "#5d6b7a"
HAIRLINE = "#d9dfe6"
PAPER = "#ffffff"
CANDIDATE = "#93a4b5"
FRONT = "#1f6f9f"
ANSWER = "#d1495b"
BASELINE = "#1b2530"

# Pale yellow to navy with evenly falling lightness (OKLCH 0.94 to 0.36): the order survives without hue.
BITS_FILLS = {
    2: "#f8ecb3",
    3: "#bdd792",
    4: "#74c18b",
    5: "#13a692",
    6: "#007e8b",
    7: "#045f84",
    8: "#273c64",
}
DARK_FROM_BITS = 6  # white text from here on


@dataclass(frozen=True, kw_only=True)
class Tone:
    """How a strip draws one kind of choice."""

    name: str  # in the legend: "3 bits"
    mark: str  # inside the cell: "3"
    fill: str
    ink: str


DROP = Tone(name="drop", mark="×", fill="#ffffff", ink="#b3263a")
KEEP = Tone(name="keep", mark="=", fill="#10161d", ink="#ffffff")
OTHER = Tone(name="other", mark="~", fill="#cfc3d8", ink=INK)
QUANTIZED = {
    bits: Tone(name=f"{bits} bits", mark=str(bits), fill=fill, ink="#ffffff" if bits >= DARK_FROM_BITS else INK)
    for bits, fill in BITS_FILLS.items()
}
TONES = (DROP, *QUANTIZED.values(), KEEP, OTHER)  # in legend order: the smallest choice first


@cache
def tone_of(slug: str) -> Tone:
    """The tone of the option that ``slug`` names.

    Raises:
        InputError: no option has this slug.
    """
    option = parse_option(slug)
    if isinstance(option, Banked):
        return QUANTIZED[option.bits_per_code]
    return {"keep": KEEP, "drop": DROP}.get(option.kind, OTHER)
