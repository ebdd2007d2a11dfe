"""README.md and docs/exports.md say of each format what its exporter says and refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import exports_page
import pytest

from exporters.formats import EXPORTERS, exporter

ROW = re.compile(r"^\| `([\w-]+)` \|.*\|$", re.MULTILINE)
COMMAND = re.compile(r"^layerpress export (.*?)(?:\s+#.*)?$", re.MULTILINE)
OPTIONS = {"--list", "--format", "--out", "--pick", "--max-size", "--max-kl"}


@pytest.mark.parametrize("path", [exports_page.README, exports_page.PAGE], ids=lambda path: path.name)
def test_the_document_is_what_the_exporters_say(path: Path) -> None:
    assert path.read_text("utf-8") == exports_page.pages()[path], (
        f"{path.name} is not what the exporters say; run PYTHONPATH=. python tests/exporters/exports_page.py"
    )


@pytest.mark.parametrize("path", [exports_page.README, exports_page.PAGE], ids=lambda path: path.name)
def test_every_format_is_in_the_table_and_the_other_way_round(path: Path) -> None:
    text = path.read_text("utf-8")
    _, _, rest = text.partition("<!-- formats: ")
    assert ROW.findall(rest.partition("<!-- end of formats -->")[0]) == list(EXPORTERS)


def test_every_format_has_a_section() -> None:
    assert re.findall(r"^### (.+)$", exports_page.PAGE.read_text("utf-8"), re.MULTILINE) == list(EXPORTERS)


@pytest.mark.parametrize("path", [exports_page.README, exports_page.PAGE], ids=lambda path: path.name)
def test_the_commands_ask_for_what_there_is(path: Path) -> None:
    commands = [shlex.split(line) for line in COMMAND.findall(path.read_text("utf-8"))]
    assert len(commands) >= 3
    for words in commands:
        assert {word for word in words if word.startswith("--")} <= OPTIONS
        if "--format" in words:
            name = words[words.index("--format") + 1]
            assert ("--out" in words) or exporter(name).info.kind == "recipe"  # a checkpoint needs a folder


@pytest.mark.parametrize("name", list(EXPORTERS))
def test_a_format_says_who_it_is_and_how_it_was_checked(name: str) -> None:
    info = exporter(name).info
    assert info.name == name
    assert all((info.summary, info.loads_in, info.checked, info.media_type))
    assert (info.file_name != "") == (info.kind == "recipe")


def test_the_columns_are_asked_of_the_exporters() -> None:
    """Three that are known by heart: an exporter that changes what it refuses changes the documents."""
    assert exports_page.bits(exporter("auto-round")) == "symmetric 2-8; asymmetric 2, 3, 4, 8"
    assert exports_page.groups(exporter("mlx")) == "32, 64, 128"
    assert exports_page.layers(exporter("modelopt")) == "linear, head"
