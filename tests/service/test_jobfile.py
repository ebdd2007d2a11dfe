"""Job files and changes to them from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.jobfile import parse_change, put, read_job
from spaces.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "jobs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_reads(path: Path) -> None:
    assert read_job(path, []).model == "examples/reference-model"


def test_the_job_of_the_documentation_reads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "jobs.md").read_text()
    path = tmp_path / "job.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0])
    spec = read_job(path, ["strategy.rounds=20", "space.options.0.bits=[2, 4]", "budget.size=12MB"])
    assert isinstance(spec.strategy, dict)
    assert spec.strategy["rounds"] == 20
    assert spec.space.options[0].bits == [2, 4]
    assert spec.budget == {"nominal_bits_per_weight": 3.0, "size": "12MB"}


def test_the_job_of_the_readme_reads(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text((ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0])
    assert read_job(path, []).budget == {"size": "400MB"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seed", r"--set takes key\.path=value, got 'seed'"),
        ("seed=[", r"--set seed: the value is not YAML: '\['"),
        ("name=2024-13-45", "--set name: the value is not YAML: '2024-13-45'"),
        ("space.options.²=3", "'²' is no place in a list of 1"),
        ("space.options.7.bits=3", r"'7' is no place in a list of 1"),
        ("model.name=3", r"'examples/reference-model' is a single value and has no 'name'"),
        ("sed=3", r"unknown key sed; did you mean 'seed'"),
        ("workers=0", r"workers: .* got 0"),
        ("budget={}", r"budget: .* got \{\}"),
    ],
)
def test_a_bad_change_is_refused(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_job(ROOT / "examples" / "jobs" / "demo.yaml", [change])


def test_what_is_no_job_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no job file 'absent\.yaml'"):
        read_job(Path("absent.yaml"), [])
    path = tmp_path / "job.yaml"
    path.write_text("model: [")
    with pytest.raises(InputError, match=r"job\.yaml is not YAML"):
        read_job(path, [])
    path.write_text("name: 2024-13-45\n")
    with pytest.raises(InputError, match=r"job\.yaml is not YAML: month must be"):
        read_job(path, [])
    path.write_text("- 1\n")
    with pytest.raises(InputError, match=r"must be a mapping of keys .* got \[1\]"):
        read_job(path, [])


@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers())), st.integers())
def test_a_change_sets_one_value_and_leaves_the_rest(raw: dict[str, dict[str, int]], value: int) -> None:
    path, parsed = parse_change(f"a.x={value}")
    changed = put(raw, path.split("."), parsed, path)
    assert changed["a"]["x"] == value
    assert {key: rest for key, rest in changed.items() if key != "a"} == {k: v for k, v in raw.items() if k != "a"}
    assert {k: v for k, v in changed["a"].items() if k != "x"} == {
        k: v for k, v in raw.get("a", {}).items() if k != "x"
    }
