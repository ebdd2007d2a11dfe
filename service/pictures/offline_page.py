"""One HTML file that needs no network and no server: shared frame, own content, own data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite
from pathlib import Path
from string import Template

from service.pictures.replacement import replace_file

STATIC = files("service") / "static"
ECHARTS = STATIC / "vendor" / "echarts-6.1.0" / "echarts.min.js"

# Inside <script> a browser looks for "<" first, and older JavaScript ends lines at U+2028 and U+2029.
JSON_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@dataclass(frozen=True, kw_only=True)
class PageKind:
    """The parts of one kind of page, as paths below ``service/static``."""

    content: str
    styles: Sequence[str]
    scripts: Sequence[str]  # in the order they run, in one scope


def write_page(kind: PageKind, path: Path, *, title: str, subtitle: str, lead: str, data: dict[str, object]) -> None:
    """Write a page of this kind into ``path``, replacing the file whole. ``lead`` is its first sentence."""
    chart_library = ECHARTS.read_text(encoding="utf-8")
    program = _program(kind.scripts)
    page = Template(_static("base/page.html")).substitute(
        policy=_policy(chart_library, program),
        style="".join(map(_static, kind.styles)),
        content=_static(kind.content),
        chart_library=chart_library,
        program=program,
        data=embed(data),
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        lead=html.escape(lead),
    )
    replace_file(path, page.encode("utf-8"))


def embed(data: dict[str, object]) -> str:
    """``data`` as JSON that ends no ``<script>`` element, whatever the strings in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(JSON_ESCAPES)


def finite(value: float | None) -> float | None:
    """JSON has no infinity: what is not finite becomes null."""
    return value if value is not None and isfinite(value) else None


def _static(name: str) -> str:
    return STATIC.joinpath(*name.split("/")).read_text(encoding="utf-8")


def _program(scripts: Sequence[str]) -> str:
    """The page's own scripts as one, whose names stay out of the global scope."""
    return "\n".join(('(() => {"use strict";', *map(_static, scripts), "})();"))


def _policy(*scripts: str) -> str:
    """A content security policy that runs exactly ``scripts`` and lets the page fetch nothing."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}"
