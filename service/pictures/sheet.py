"""A sheet of paper measured in inches from its top left corner, on which matplotlib draws."""

from __future__ import annotations

import io
import warnings
from functools import cache

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from service.pictures.palette import INK, PAPER

DPI = 144
# DejaVu Sans comes with matplotlib but knows no Chinese, Japanese or Korean: one of these does, where installed.
WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip


class Sheet:
    """Holds one picture while its parts are placed. No global state: sheets may be drawn side by side."""

    def __init__(self, *, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._canvas = Canvas(figsize=(width, height), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self._canvas)

    def axes(self, *, left: float, top: float, width: float, height: float) -> Axes:
        """Ordinary axes whose frame is the box given."""
        bottom = self.height - top - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self._canvas.add_axes(box)

    def panel(self, *, left: float, top: float, width: float, height: float) -> Axes:
        """Bare axes whose data coordinates are inches, rightwards and downwards from the box's corner."""
        axes = self.axes(left=left, top=top, width=width, height=height)
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        return axes

    def png(self) -> bytes:
        """The sheet as a PNG file."""
        target = io.BytesIO()
        with warnings.catch_warnings():
            # A character that no font knows is drawn as a box; the table and the page have it whole.
            warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font", category=UserWarning)
            self._canvas.savefig(target, format="png", dpi=DPI)
        return target.getvalue()


@cache
def font_families() -> tuple[str, ...]:
    """The fonts to write with, each for what those before it do not know."""
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in WIDE_FONTS if name in installed))


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 9,
    color: str = INK,
    weight: str = "normal",
    align: str = "left",
    rotation: float = 0,
) -> None:
    """Write ``text`` as it stands (a ``$`` is no formula), centred vertically on ``y``."""
    axes.text(
        x,
        y,
        text,
        fontsize=size,
        color=color,
        fontweight=weight,
        ha=align,
        va="center_baseline",
        rotation=rotation,
        parse_math=False,
        fontfamily=list(font_families()),
    )
