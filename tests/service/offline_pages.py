"""How tests read an offline page: what it holds and refers to, and what Chromium makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHROMIUM = "/usr/bin/chromium"
HOSTILE = "</script><script>alert(1)</script><!-- \u2028 \u2029 & \"<b>\" '$title'"
NO_ERROR = '<p id="error" role="alert" hidden="">'

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}"),
]


class Reader(HTMLParser):
    """Collects the scripts of a page and everything a browser would fetch for it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._open: str | bool | None = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.references += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster") and value
        ]
        if tag == "script":
            self._open = attributes.get("type")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open is not False:
            self.scripts.append((str(self._open) if self._open else None, data))

    @property
    def data(self) -> dict[str, object]:
        (text,) = (text for kind, text in self.scripts if kind == "application/json")
        loaded: dict[str, object] = json.loads(text)
        return loaded


def rendered(page: Path, profile: Path) -> str:
    """The document after its scripts ran, as Chromium writes it out."""
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --virtual-time-budget=3000"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def table_of(document: str, table: str) -> list[list[str]]:
    """The texts of the cells of each body row of the table with this id."""
    body = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', document, re.S)
    assert body is not None
    rows = re.findall(r"<tr.*?</tr>", body[1], re.S)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in rows]


def driven(page: Path, program: str) -> Path:
    """A copy of ``page`` that also runs ``program``, as a reader's hands would."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    copy = page.with_name("driven.html")
    copy.write_text(f"{text}<script>{program}</script>", encoding="utf-8")
    return copy
