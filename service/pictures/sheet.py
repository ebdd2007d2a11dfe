"""A sheet of paper measured in inches from its top left corner, on which matplotlib draws."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from service.pictures.palette import INK, PAPER

DPI = 144


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
        self._canvas.savefig(target, format="png", dpi=DPI)
        return target.getvalue()


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
    )
