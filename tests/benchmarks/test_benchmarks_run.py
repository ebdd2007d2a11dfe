"""The command: which sections there are, where they are written, and what bad input ends in."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.document import DOCUMENT, markers
from benchmarks.run import EXIT_INPUT, SECTIONS, main
from spaces.tables import load


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("LAYERPRESS_HOME", str(folder))
    return folder


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_can_be_measured_and_has_its_place(name: str) -> None:
    assert callable(load(SECTIONS, name, "section"))
    text = DOCUMENT.read_text("utf-8")
    assert [text.count(marker) for marker in markers(name)] == [1, 1]


@pytest.mark.parametrize("name", ["knapsack", "scale"])
def test_a_section_is_written_with_its_command_and_machine(name: str, tmp_path: Path) -> None:
    out = tmp_path / "BENCHMARKS.md"
    out.write_text("# Mine\n\nby hand\n", "utf-8")
    assert main([name, "--small", "--out", str(out)]) == 0
    text = out.read_text("utf-8")
    assert text.startswith("# Mine\n\nby hand\n")
    assert f"`python -m benchmarks.run {name} --small`, 20" in text
    assert " cores of " in text
    assert text.rstrip().endswith(markers(name)[1])


def test_a_small_run_prints_and_leaves_the_document_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = DOCUMENT.read_bytes()
    assert main(["knapsack", "--small"]) == 0
    assert "| 24 x 5 " in capsys.readouterr().out
    assert DOCUMENT.read_bytes() == before


def test_an_unknown_section_ends_before_any_work(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["knapsack", "qality"]) == EXIT_INPUT
    assert "unknown section 'qality'; did you mean 'quality'?" in capsys.readouterr().err
    assert not home.exists()


def test_help_lists_the_sections(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in SECTIONS)
