"""Checkpoints written beside the API: one at a time, told of while they are written, done by what lies on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from service.sidecar.exports import FOLDER, MOST_QUEUED, PROGRESS_FILE, Exports, Moment, Wanted
from service.sidecar.keeper import Sidecar
from spaces.errors import ConflictError

GRACE_S = 60.0
# tells how far it is, waits for a file called go (or refuses where there is one called no), and writes
PROGRAM = """
import json, pathlib, sys, time
for line in sys.stdin:
    content = json.loads(line)["content"]
    out, progress = pathlib.Path(content["out"]), pathlib.Path(content["progress"])
    progress.with_name("draft").write_text(json.dumps({"phase": "tensors", "done": 3, "total": 7}))
    progress.with_name("draft").rename(progress)
    root = pathlib.Path(content["signals"])
    while not (root / "go").exists():
        time.sleep(0.01)
    if (root / "no").exists():
        print(json.dumps({"error": "InputError", "message": "the model has changed"}), flush=True)
    else:
        draft = out.with_name("whole")  # a folder appears whole, as an export's does
        draft.mkdir()
        (draft / "config.json").write_text(content["text"])
        draft.rename(out)
        print(json.dumps({"result": {}}), flush=True)
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[], Exports]]:
    """Makes the exports of one home, as services do that start one after the other."""
    running: list[Exports] = []

    def make() -> Exports:
        running.append(Exports(tmp_path, lambda: Sidecar(("-c", PROGRAM))))
        return running[-1]

    yield make
    for exports in running:
        exports.close()


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[[str], Wanted]:
    def make(text: str) -> Wanted:
        content = {"text": text, "signals": str(tmp_path), "format": "dense"}
        return Wanted(name="tiny-dense", about=("1.0", text), content=content)

    return make


def until(exports: Exports, wanted: Wanted, state: str | None) -> Moment | None:
    """The moment in which it is ``state``."""
    deadline = time.monotonic() + GRACE_S
    while True:
        moment = exports.moment(wanted)
        if (moment.state if moment else None) == state:
            return moment
        assert time.monotonic() < deadline, moment
        time.sleep(0.01)


def test_one_is_written_at_a_time_and_told_of(
    made: Callable[[], Exports], wanted: Callable[[str], Wanted], tmp_path: Path
) -> None:
    exports, first, second = made(), wanted("first"), wanted("second")
    assert exports.moment(first) is None
    assert exports.begin(first).state in ("queued", "writing")
    assert exports.begin(second).state == "queued"
    deadline = time.monotonic() + GRACE_S
    while exports.moment(first) != Moment(state="writing", phase="tensors", done=3, total=7):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert exports.moment(second) == Moment(state="queued")
    for each in (first, second):
        with pytest.raises(ConflictError, match=r"tiny-dense is (writing|queued); remove it when it is done"):
            exports.remove(each)
    (tmp_path / "go").touch()
    for each, text in ((first, "first"), (second, "second")):
        assert until(exports, each, "done") == Moment(state="done")
        assert (exports.folder(each) / "config.json").read_text() == text
    deadline = time.monotonic() + GRACE_S  # it is done as soon as its folder is there, and tidied a moment later
    while any((exports.folder(each).parent / PROGRESS_FILE).exists() for each in (first, second)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert exports.folder(first).parent.parent == tmp_path / FOLDER
    assert exports.folder(first) != exports.folder(second)


def test_what_is_done_outlives_the_service_and_can_be_removed(
    made: Callable[[], Exports], wanted: Callable[[str], Wanted], tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    before, one = made(), wanted("one")
    before.begin(one)
    until(before, one, "done")
    before.close()
    after = made()
    assert after.moment(one) == Moment(state="done")
    assert after.begin(one) == Moment(state="done")
    assert after.remove(one)
    assert after.moment(one) is None
    assert not after.remove(one)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_failure_is_told_and_asking_again_tries_again(
    made: Callable[[], Exports], wanted: Callable[[str], Wanted], tmp_path: Path
) -> None:
    (tmp_path / "go").touch()
    (tmp_path / "no").touch()
    exports, one = made(), wanted("one")
    exports.begin(one)
    assert until(exports, one, "failed") == Moment(state="failed", error="the model has changed")
    (tmp_path / "no").unlink()
    exports.begin(one)
    until(exports, one, "done")


def test_a_service_that_ends_takes_its_writer_along_and_forgets_it(
    made: Callable[[], Exports], wanted: Callable[[str], Wanted]
) -> None:
    exports, one = made(), wanted("one")
    before = {child.pid for child in psutil.Process().children()}
    exports.begin(one)
    until(exports, one, "writing")
    deadline = time.monotonic() + GRACE_S
    while not (writers := [each for each in psutil.Process().children() if each.pid not in before]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    exports.close()
    assert not any(writer.is_running() for writer in writers)
    assert made().moment(one) is None


def test_a_long_queue_sends_people_away(made: Callable[[], Exports], wanted: Callable[[str], Wanted]) -> None:
    exports = made()
    for number in range(MOST_QUEUED):
        exports.begin(wanted(str(number)))
    with pytest.raises(ConflictError, match=f"{MOST_QUEUED} exports wait already"):
        exports.begin(wanted("one more"))
    assert exports.begin(wanted("0")).state in ("queued", "writing")  # which is no new one
