"""Which files a job may name: nothing leads out of the roots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from live_api import EXAMPLES

from search.spec import JobSpec, TaskModel, read_spec
from service.api.views import EXAMPLE_SPEC
from service.intake.fields import FieldError
from service.intake.roots import check_paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root beside things that no job may read."""
    root = tmp_path / "root"
    (root / "model").mkdir(parents=True)
    (root / "model" / "config.json").write_text("{}")
    for name in ("calibration.txt", "validation.txt"):
        (root / name).write_text("words")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "config.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    return root


def job(model: str = "model", calibration: str = "calibration.txt") -> JobSpec:
    texts: dict[str, Any] = {"calibration": {"source": calibration}, "validation": {"source": "validation.txt"}}
    return read_spec({**EXAMPLE_SPEC, "model": model, **texts})


def test_paths_become_absolute_and_links_within_are_followed(root: Path) -> None:
    (root / "link").symlink_to("model")
    checked = check_paths(job("./link/../link"), [root], allow_hub=False)
    assert checked.model == str(root / "model")
    assert checked.calibration.source == str(root / "calibration.txt")
    assert checked.calibration.tokens == 65536
    assert check_paths(checked, [root], allow_hub=False) == checked


def test_absolute_paths_within_any_root_are_taken(root: Path) -> None:
    reference = str(EXAMPLES / "reference-model")
    assert check_paths(job(reference), [root, EXAMPLES], allow_hub=False).model == reference


@pytest.mark.parametrize(
    "path",
    ["..", "../secret", "model/../../secret", "/", "/etc", "~", "~root", "link", "link/deeper", "rooted/../../secret"],
)
def test_nothing_leads_out_of_the_roots(root: Path, path: str) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    with pytest.raises(FieldError, match="within the service's folders") as caught:
        check_paths(job(path), [root], allow_hub=True)
    assert caught.value.faults[0].loc == ("model",)
    assert repr(path) in str(caught.value)


def test_a_folder_whose_name_begins_like_a_root_is_outside(root: Path) -> None:
    beside = root.with_name("root-of-another")
    beside.mkdir()
    with pytest.raises(FieldError, match="root-of-another"):
        check_paths(job(str(beside)), [root], allow_hub=False)


def test_a_text_outside_is_refused_where_it_is_named(root: Path) -> None:
    with pytest.raises(FieldError, match=r"'\.\./secret\.txt'") as caught:
        check_paths(job(calibration="../secret.txt"), [root], allow_hub=False)
    assert caught.value.faults[0].loc == ("calibration", "source")


@pytest.mark.parametrize("folder", ["model", "texts/deep"])
def test_links_inside_a_folder_lead_nowhere_else(root: Path, folder: str) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "link.txt").symlink_to(root.parent / "secret.txt")
    asked = job(folder) if folder == "model" else job(calibration="texts")
    with pytest.raises(FieldError, match=r"link\.txt"):
        check_paths(asked, [root], allow_hub=False)


def test_a_link_that_changes_after_the_check_is_found_by_the_next(root: Path) -> None:
    checked = check_paths(job(), [root], allow_hub=False)
    (root / "model" / "config.json").unlink()
    (root / "model").rmdir()
    (root / "model").symlink_to(root.parent / "secret")
    with pytest.raises(FieldError, match="within the service's folders"):
        check_paths(checked, [root], allow_hub=False)


def test_hub_ids_are_taken_where_they_are_allowed(root: Path) -> None:
    checked = check_paths(job("Qwen/Qwen3-0.6B", "allenai/c4"), [root], allow_hub=True)
    assert (checked.model, checked.calibration.source) == ("Qwen/Qwen3-0.6B", "allenai/c4")
    with pytest.raises(FieldError, match=r"'Qwen/Qwen3-0\.6B'.*hub ids are not allowed here"):
        check_paths(job("Qwen/Qwen3-0.6B"), [root], allow_hub=False)


@pytest.mark.parametrize(
    "model", ["a/b/c", "no-such-folder", "a//b", "../Qwen/x", "-a/b", "hub.txt", "~nobody-of-this-name/x"]
)
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused(root: Path, model: str) -> None:
    with pytest.raises(FieldError, match="model"):
        check_paths(job(model), [root], allow_hub=True)


def with_tasks(*sources: str) -> JobSpec:
    return job().model_copy(update={"tasks": [TaskModel(source=source) for source in sources]})


def test_tasks_are_files_within_the_roots_under_the_names_they_had(root: Path) -> None:
    (root / "asked.jsonl").write_text("{}")
    (root / "link.jsonl").symlink_to("asked.jsonl")
    (task,) = check_paths(with_tasks("link.jsonl"), [root], allow_hub=False).tasks
    assert (task.source, task.called) == (str(root / "asked.jsonl"), "link")
    (root.parent / "secret.jsonl").write_text("{}")
    (root / "out.jsonl").symlink_to(root.parent / "secret.jsonl")
    for source in ("../secret.jsonl", "out.jsonl", str(root.parent / "secret.jsonl"), "gone.jsonl"):
        with pytest.raises(FieldError) as caught:
            check_paths(with_tasks("asked.jsonl", source), [root], allow_hub=True)
        assert caught.value.faults[0].loc == ("tasks", 1, "source")


def test_tasks_of_lm_eval_read_the_hub(root: Path) -> None:
    (task,) = check_paths(with_tasks("arc_easy"), [root], allow_hub=True).tasks
    assert (task.source, task.called) == ("arc_easy", "arc_easy")
    with pytest.raises(FieldError, match="reads the hub: not allowed here"):
        check_paths(with_tasks("arc_easy"), [root], allow_hub=False)


def test_what_libraries_would_read_in_place_of_the_hub_is_checked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / "org").mkdir()
    (root.parent / "org" / "name").mkdir()
    monkeypatch.chdir(root.parent)
    with pytest.raises(FieldError, match="within the service's folders"):
        check_paths(job("org/name"), [root], allow_hub=True)


@pytest.mark.parametrize("path", ["a" * 5000, "", " ", "a\0b"])
def test_what_no_path_can_be_is_refused(root: Path, path: str) -> None:
    with pytest.raises(FieldError, match="model"):
        check_paths(job(path), [root], allow_hub=False)


def test_links_in_a_circle_are_refused(root: Path) -> None:
    os.symlink("two", root / "one")
    os.symlink("one", root / "two")
    with pytest.raises(FieldError, match="'one'"):
        check_paths(job("one"), [root], allow_hub=False)
