"""What others wrote and the dashboard serves is exactly what its locks say, and nothing of it reaches off the host."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "service" / "static" / "vendor"
PAGES = ROOT / "dashboards" / "static"
FOLDERS = sorted(folder for folder in VENDOR.iterdir() if folder.is_dir())
SOURCES = sorted(PAGES.rglob("*.js"))
IMPORT = re.compile(r"""(?:^import |^} from |^import .* from |^export .* from |\bimport\()"([^"\s]+)""", re.MULTILINE)
VENDORED = re.compile(r"vendor/([A-Za-z0-9._-]+/[A-Za-z0-9._/-]+)")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_that_of_the_lock(folder: Path) -> None:
    lock = json.loads((folder / "lock.json").read_text(encoding="utf-8"))
    found = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "lock.json"
    }
    assert found == lock["sha256"]
    assert folder.name == f"{lock['name'].split('/')[-1]}-{lock['version']}"
    assert lock["licence"]
    assert lock["taken"]
    assert f"-{lock['version']}.tgz" in lock["origin"]
    assert any(name.startswith("LICEN") for name in found)


def test_versions_are_those_that_the_types_are_checked_with() -> None:
    checked = json.loads((ROOT / "dashboards" / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    locks = [json.loads((folder / "lock.json").read_text(encoding="utf-8")) for folder in FOLDERS]
    served = {lock["name"]: lock["version"] for lock in locks}
    assert {name: version for name, version in checked.items() if name in served} == {
        name: version for name, version in served.items() if name in checked
    }
    assert {"preact", "htm", "echarts"} <= set(checked) & set(served)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.relative_to(PAGES).as_posix())
def test_modules_import_files_that_are_there(source: Path) -> None:
    for name in IMPORT.findall(_without_comments(source.read_text(encoding="utf-8"))):
        assert name.startswith("."), f"{source.name} imports {name!r}, which no browser finds without a build"
        target = (source.parent / name).resolve()
        if not target.is_file():
            target = VENDOR / target.relative_to(PAGES / "vendor")
        assert target.is_file(), f"{source.name} imports {name!r}, which is not there"


@pytest.mark.parametrize("source", [*SOURCES, PAGES / "index.html"], ids=lambda source: source.name)
def test_vendored_files_that_pages_name_are_there(source: Path) -> None:
    for name in VENDORED.findall(source.read_text(encoding="utf-8")):
        assert (VENDOR / name).is_file()


@pytest.mark.parametrize("source", sorted(PAGES.rglob("*.*")), ids=lambda source: source.relative_to(PAGES).as_posix())
def test_nothing_is_fetched_from_elsewhere(source: Path) -> None:
    text = source.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"""(?:src|href|from|import|url|fetch)\s*[=(]?\s*["'(]*(?:https?:)?//[A-Za-z]""", text) == []


def test_style_sheets_that_pages_name_are_there() -> None:
    names = re.findall(r"styles: \[([^\]]*)\]", (PAGES / "js" / "pages.js").read_text(encoding="utf-8"))
    sheets = {name for part in names for name in re.findall(r'"([^"]+)"', part)}
    assert sheets
    assert all((PAGES / "css" / f"page-{name}.css").is_file() for name in sheets)


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
