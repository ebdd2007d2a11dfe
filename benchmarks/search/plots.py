"""One picture a task: unseen loss against tokens read, and smaller against tokens computed."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from benchmarks.search.curves import band
from benchmarks.search.goals import LESS_GLOBAL, LESS_SAME_SPACE, TIMES_FEWER
from benchmarks.search.methods import METHODS, PUBLISHED, Method, Scope
from benchmarks.search.records import Record
from benchmarks.search.standing import Standing
from service.pictures.palette import HAIRLINE, INK, MUTED, PAPER

# told apart by colour-blind readers (Okabe and Ito 2008, without the yellow that paper swallows)
COLOURS = ("#d1495b", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195", "#8c6d31")
DOTS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*", "d", "8")
WIDTH, TALL, SHORT, DPI = 6.2, 4.4, 2.5, 150  # inches of one panel
TITLES: dict[Scope, str] = {"same space": "In EvoPress' space", "global": "With one global budget"}
ROOM = 1.15  # the axis goes on so much further than the last point


def draw(standing: Standing) -> bytes:
    """PNG. EvoPress as published is in every panel; ablations are left to their table."""
    scopes = [scope for scope in TITLES if scope == "same space" or standing.task.kind == "bits"]
    figure = Figure(figsize=(WIDTH * len(scopes), TALL + SHORT + 1.6), dpi=DPI, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(scopes), squeeze=False, height_ratios=[TALL, SHORT], sharex=True, sharey="row")
    figure.suptitle(_heading(standing.task.title, len(scopes)), color=INK, fontsize=12, x=0.01, ha="left")
    styles = _styles(standing)
    for column, scope in enumerate(scopes):
        for row, is_computed in enumerate((False, True)):
            panel = _Panel(grid[row][column], standing, scope, is_computed=is_computed)
            panel.draw(styles)
            if column == 0:
                panel.axes.set_ylabel("validation KL, nats per token", color=MUTED, fontsize=8.5)
        grid[0][column].set_title(TITLES[scope], color=INK, fontsize=10, loc="left")
    handles: dict[str, Artist] = {}
    for axes in grid[0]:
        shown, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, shown, strict=True))
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower left",
        ncols=2 + len(scopes),
        fontsize=8,
        frameon=False,
    )
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def _heading(title: str, num_columns: int) -> str:
    """In two lines where one panel alone has no room for it in one."""
    return "Unseen KL against tokens:" + (" " if num_columns > 1 else "\n") + title


def _styles(standing: Standing) -> dict[Method, tuple[str, str]]:
    """Colour and dot of every method: one strategy looks alike in both spaces, and whatever else was run."""
    families: tuple[list[str], list[str]] = ([], [])  # strategies that go on, and scores solved in one shot
    for method in METHODS:
        own = families[_is_one_shot(method)]
        if _family(method) not in own and method.name != PUBLISHED:
            own.append(_family(method))
    styles = {}
    for method in standing.runs:
        own = families[_is_one_shot(method)]
        number = own.index(_family(method)) if _family(method) in own else len(own)
        styles[method] = (COLOURS[number % len(COLOURS)], DOTS[number % len(DOTS)])
    return styles | {method: (INK, "o") for method in standing.runs if method.name == PUBLISHED}


def _is_one_shot(method: Method) -> bool:
    return (method.bits or method.drops or {}).get("name") == "allocate"


def _family(method: Method) -> str:
    return method.name.removesuffix(", same space").removesuffix(", global")


class _Panel:
    """One pair of axes."""

    def __init__(self, axes: Axes, standing: Standing, scope: Scope, *, is_computed: bool) -> None:
        self.axes = axes
        self._standing = standing
        self._scope = scope
        self._is_computed = is_computed

    def draw(self, styles: dict[Method, tuple[str, str]]) -> None:
        axes = self.axes
        axes.set(xscale="log", yscale="log")
        axes.set_xlabel("tokens computed" if self._is_computed else "tokens read", color=MUTED, fontsize=8.5)
        last = self._last_tokens()
        for method in self._standing.in_scope(self._scope):
            self._draw_method(method, *styles[method], last=last)
        self._draw_plain()
        if not self._is_computed:
            self._draw_goals()
        _dress(axes)

    def _end(self, record: Record) -> int:
        return record.computed if self._is_computed else record.read

    def _last_tokens(self) -> float:
        """Where lines end: the most tokens of all."""
        return ROOM * max(self._end(record) for runs in self._standing.runs.values() for record in runs.values())

    def _draw_method(self, method: Method, colour: str, dot: str, *, last: float) -> None:
        records = list(self._standing.runs[method].values())
        curves = [record.curve(computed=self._is_computed) for record in records]
        if _is_one_shot(method):
            tokens, loss = (np.array([getattr(curve, name)[-1] for curve in curves]) for name in ("tokens", "loss"))
            shown = np.maximum(tokens, self._first_tokens())
            self.axes.plot(
                shown, loss, dot, color=colour, markersize=5, label=_family(method), linestyle="none", alpha=0.9
            )
            return
        lines = band(curves)
        tokens = np.append(lines.tokens, max(self._end(record) for record in records))
        low, middle, high = (np.append(each, each[-1]) for each in (lines.low, lines.middle, lines.high))
        width = 2.4 if method.name == PUBLISHED else 1.6
        self.axes.plot(tokens, middle, color=colour, linewidth=width, drawstyle="steps-post", label=_family(method))
        self.axes.fill_between(tokens, low, high, step="post", color=colour, alpha=0.18, linewidth=0)
        self.axes.plot([tokens[-1], last], [middle[-1]] * 2, color=colour, linewidth=0.8, linestyle=(0, (1, 2)))

    def _first_tokens(self) -> float:
        """Where scores that read nothing are drawn: left of all others."""
        positive = [
            float(tokens)
            for runs in self._standing.runs.values()
            for record in runs.values()
            for tokens in record.curve(computed=self._is_computed).tokens
            if tokens > 0
        ]
        return min(positive, default=1.0) / 2

    def _draw_plain(self) -> None:
        drawn = [loss for runs in self._standing.runs.values() for r in runs.values() for loss in r.curve().loss]
        for choice in self._standing.plain:
            loss = float(choice.kl.mean())
            if min(drawn) / 2 <= loss <= max(drawn) * 1.5:  # else it would squeeze what is compared
                name = choice.name + ("" if choice.holds else ", over budget")
                self.axes.axhline(loss, color=MUTED, linewidth=0.8, linestyle="--")
                across = self.axes.get_yaxis_transform()  # x as a share of the axes, y as a loss
                self.axes.text(0.01, loss, name, transform=across, va="bottom", fontsize=7, color=MUTED)

    def _draw_goals(self) -> None:
        target, tokens = self._standing.target, self._standing.published_tokens
        if target is None or tokens is None:
            return
        fewer = TIMES_FEWER.get(self._standing.task.name.partition("-")[2])
        less = LESS_SAME_SPACE if self._scope == "same space" else LESS_GLOBAL
        self.axes.axhline(target, color=HAIRLINE, linewidth=1.2, zorder=0)
        goals = [(tokens, target * (1 - less)), *([(tokens / fewer, target)] if fewer else [])]
        self.axes.plot(*zip(*goals, strict=True), "*", color="#e0a100", markersize=11, label="goals", linestyle="none")


def _dress(axes: Axes) -> None:
    axes.grid(which="major", color=HAIRLINE, linewidth=0.5)
    axes.tick_params(which="both", colors=MUTED, labelsize=8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tokens, _: show_tokens(tokens)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:.3g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(HAIRLINE)


def show_tokens(tokens: float) -> str:
    """``10k``, ``1M``: whole powers of ten as people read them."""
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if tokens >= scale:
            return f"{tokens / scale:g}{unit}"
    return f"{tokens:g}"
