"""BENCHMARKS.md: tables line up, sections are replaced between their markers and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.document import renew, table, with_section
from spaces.errors import InputError

WRITTEN = "# Title\n\nby hand\n\n<!-- begin speed -->\n\nold\n\n<!-- end speed -->\n\nby hand as well\n"


def test_a_table_lines_up() -> None:
    assert table(("", "size"), [("bank", "1 MB"), ("all", "12,345 MB")]).splitlines() == [
        "|      |      size |",
        "| ---- | --------: |",
        "| bank |      1 MB |",
        "| all  | 12,345 MB |",
    ]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="argument 3 is shorter"):
        table(("", "size"), [("bank", "1 MB"), ("all",)])


def test_only_what_stands_between_the_markers_changes() -> None:
    assert with_section(WRITTEN, "speed", "new\n") == WRITTEN.replace("old", "new")


def test_writing_a_section_again_changes_nothing() -> None:
    once = with_section(WRITTEN, "speed", "new")
    assert with_section(once, "speed", "new") == once


def test_a_section_that_is_missing_is_added_at_the_end() -> None:
    text = with_section(WRITTEN, "scale", "giant")
    assert text == WRITTEN + "\n## Scale\n\n<!-- begin scale -->\n\ngiant\n\n<!-- end scale -->\n"


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (WRITTEN.replace("<!-- end speed -->", ""), "got 1 and 0"),
        (WRITTEN.replace("<!-- begin speed -->", ""), "got 0 and 1"),
        (WRITTEN + WRITTEN, "got 2 and 2"),
        ("<!-- end speed --> <!-- begin speed -->", "got 1 and 1"),
    ],
)
def test_markers_that_do_not_pair_are_refused(text: str, counts: str) -> None:
    with pytest.raises(InputError, match=counts):
        with_section(text, "speed", "new")


def test_a_missing_document_is_made(tmp_path: Path) -> None:
    path = tmp_path / "BENCHMARKS.md"
    renew(path, "speed", "fast")
    renew(path, "scale", "large")
    assert path.read_text("utf-8") == (
        "# Benchmarks\n\n## Speed\n\n<!-- begin speed -->\n\nfast\n\n<!-- end speed -->\n"
        "\n## Scale\n\n<!-- begin scale -->\n\nlarge\n\n<!-- end scale -->\n"
    )


def test_a_document_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/BENCHMARKS\.md"):
        renew(tmp_path / "nowhere" / "BENCHMARKS.md", "speed", "fast")
