"""A job of several budgets from plan to files, on real Ray and SQLite; and the real command."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import layerpress, write_job

from search.engine.front_run import run_front
from search.engine.plan import Plan, make_plan
from search.engine.progress import Progress
from search.engine.run import run_job
from search.front_report import FrontOutcome
from search.spec import read_spec
from service.figures import make_figure
from service.outputs import full_report, write_outputs
from spaces.configuration import Configuration
from spaces.errors import BudgetError, InputError
from store.store import Store

BITS = "nominal_bits_per_weight"
VALUES = [3.5, 2.25, 2.75, 3.0]

ray = pytest.mark.usefixtures("running_ray")


def run(
    job: dict[str, Any], home: Path, watch: Callable[[Progress], None] = lambda moment: None
) -> tuple[Plan, FrontOutcome]:
    plan = make_plan(read_spec(job), home)
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        return plan, run_front(plan, store, watch)


@pytest.fixture
def front(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "budget": {BITS: VALUES}, "strategy": {"name": "allocate", "score": "gradient-output"}}


@ray
def test_each_budget_gets_an_answer_that_fits_and_is_validated_against_what_fits(
    front: dict[str, Any], tmp_path: Path
) -> None:
    seen: list[Progress] = []
    plan, outcome = run(front, tmp_path, seen.append)
    assert [at.value for at in outcome.answers] == ["2.25", "2.75", "3.0", "3.5"]
    space = plan.problem.space
    for problem, at in zip(plan.problems, outcome.answers, strict=True):
        assert problem.holds(space.levels(at.answer.configuration))
        names = {"uniform gptq-int2-g64-asym"} | ({"uniform gptq-int3-g64-asym"} if float(at.value) >= 3 else set())
        assert {each.name for each in at.plain} == names
        validated = [each.validation.kl.mean() for each in (*at.plain, at.found) if each.validation is not None]
        assert len(validated) == len(at.plain) + 1
        assert at.answer.validation is not None
        assert at.answer.validation.kl.mean() == min(validated)
    found = [float(at.found.calibration.kl.mean()) for at in outcome.answers]
    assert found == sorted(found, reverse=True)
    assert len(outcome.bins.elites()) == len({outcome.bins.number_of(s) for s in sizes(outcome)}) >= 4
    assert seen[-1].done == seen[-1].total > 0
    searching = [moment for moment in seen if moment.phase == "search"]
    assert 0.5 <= searching[-1].done / searching[-1].total <= 1  # winners may be shared, and are measured once


def sizes(outcome: FrontOutcome) -> list[int]:
    space = outcome.space
    return [space.measure(space.levels(each.configuration)).stored_bits for each in outcome.evaluated]


@ray
def test_several_budgets_are_asked_for_once_and_a_second_run_computes_nothing(
    front: dict[str, Any], tmp_path: Path
) -> None:
    plan, first = run(front, tmp_path)
    alone = make_plan(read_spec({**front, "budget": {BITS: 3.0}}), tmp_path / "alone")
    with Store.open(f"sqlite:///{tmp_path / 'alone.db'}") as store:
        single = run_job(alone, store, lambda moment: None)
    measured = len({at.found.configuration for at in first.answers} - {each.configuration for each in first.baselines})
    text = plan.streams["calibration"].num_tokens
    # the score once, and each answer on the whole text; more where an answer was not the one its own budget gave
    extra = first.facts["asked_tokens"] - single.facts["asked_tokens"]
    assert measured * text <= extra <= len(VALUES) * text
    assert first.facts["statistics"] == single.facts["statistics"]
    _, again = run(front, tmp_path)
    assert again.facts["evaluations"]["computed"] == again.facts["statistics"]["computed"] == 0
    assert [at.answer.configuration for at in again.answers] == [at.answer.configuration for at in first.answers]


@ray
def test_a_job_stopped_in_the_middle_goes_on_and_ends_with_the_same_answers(
    job: dict[str, Any], tmp_path: Path
) -> None:
    front = {**job, "budget": {BITS: [2.5, 3.0]}}  # evolution, started by measured allocation
    _, calm = run(front, tmp_path / "calm")

    class Killed(BaseException):
        pass

    def kill_late(moment: Progress) -> None:
        if moment.label.startswith("budget 2 of 2: generation 2"):
            raise Killed

    with pytest.raises(Killed):
        run(front, tmp_path / "killed", kill_late)
    _, resumed = run(front, tmp_path / "killed")
    assert [at.answer.configuration for at in resumed.answers] == [at.answer.configuration for at in calm.answers]
    assert 0 < resumed.facts["evaluations"]["computed"] < calm.facts["evaluations"]["computed"] // 2
    assert resumed.facts["asked_tokens"] == calm.facts["asked_tokens"]


@ray
def test_drops_have_plain_choices_of_their_own_at_every_budget(job: dict[str, Any], tmp_path: Path) -> None:
    changes = {
        "space": {"options": [{"kind": "drop", "parts": ["attention", "mlp"]}]},
        "budget": {"dropped_mlps": 1, "dropped_attentions": {"points": 2, "from": 1, "to": 2}},
        "strategy": {"name": "random", "samples": 6, "stages": [{"tokens": 1024, "survivors": 1}]},
    }
    plan, outcome = run({**job, **changes}, tmp_path)
    assert [at.value for at in outcome.answers] == ["2", "1"]
    for problem, at in zip(plan.problems, outcome.answers, strict=True):
        assert at.plain
        assert all(problem.holds(plan.problem.space.levels(each.configuration)) for each in at.plain)
    assert outcome.answers[1].plain[0] in outcome.answers[0].plain or len(outcome.answers[1].plain) > len(
        outcome.answers[0].plain
    )


@ray
def test_files_have_an_answer_for_each_budget(front: dict[str, Any], tmp_path: Path) -> None:
    plan, outcome = run(front, tmp_path)
    content = full_report(plan, outcome)
    write_outputs(tmp_path / "out", content, plan, outcome)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written == json.loads(json.dumps(content))
    files = [row["file"] for row in written["answers"]]
    assert files == [f"configuration-{BITS}-{value}.json" for value in ("2.25", "2.75", "3.0", "3.5")]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *files,
        "report.json",
        "configurations.json",
        "front.csv",
        "front.html",
        "front.png",
    }
    for file, at in zip(files, outcome.answers, strict=True):
        assert Configuration.parse((tmp_path / "out" / file).read_text()) == at.answer.configuration
    assert len(list(csv.DictReader((tmp_path / "out" / "front.csv").read_text().splitlines()))) == len(outcome.front)
    figure = make_figure(plan, outcome)
    assert ", ".join(point.budget for point in figure.answers) == "2.25, 2.75, 3.0, 3.5"
    assert figure.budget_label == f"{BITS} 2.25 to 3.5 (4 budgets)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": {BITS: [1.5, 3]}}, r"at least 2\.0000 .*got 1\.5; .*2\.0000 to 16\.0000"),
        ({"budget": {BITS: []}}, r"at least one value, got \[\]"),
        ({"budget": {BITS: [3], "size": ["1MB"]}}, "only one limit of a budget may have several values"),
        ({"max_loss": 0.1}, r"max_loss 0\.1 asks for one size"),
        ({"front_points": 3}, "front_points 3 adds points around one answer"),
        ({"strategy": "augmented-hessian"}, "bisection looks for the smallest size .* give the budget one value"),
        ({"strategy": {"name": "evolution", "generations": None}}, "generations can be left open only when"),
    ],
)
def test_what_cannot_be_a_front_is_refused_before_any_work(
    front: dict[str, Any], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_plan(read_spec({**front, **changes}), tmp_path)
    assert isinstance(caught.value, BudgetError) == (changes.get("budget") == {BITS: [1.5, 3]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_front_on_the_command_line(front: dict[str, Any], tmp_path: Path) -> None:
    path, home, out = write_job(tmp_path, front), tmp_path / "home", tmp_path / "out"
    points = ("--set", f"budget={{{BITS}: {{points: 3, from: 2.25, to: 3.25}}}}")
    ran = layerpress("run", path, *points, "--out", out, "--quiet", home=home)
    assert ran.returncode == 0, ran.stderr
    lines = [line for line in ran.stdout.splitlines() if re.match(r"\d\.\d", line)]
    assert [line.split()[0] for line in lines] == ["2.25", "2.75", "3.25"]
    assert f"configuration-{BITS}-2.25.json to configuration-{BITS}-3.25.json" in ran.stdout

    refused = layerpress("solve", out, home=home)
    assert refused.returncode == 2
    assert f"has answers at {BITS} 2.25 to 3.25 (3 budgets); name another budget" in refused.stderr
    solved = layerpress("solve", out, "--budget", f"{BITS}=2.5", "--output", "json", home=home)
    assert solved.returncode == 0, solved.stderr
    assert json.loads(solved.stdout)["evaluations"] == {"computed": 0}

    text = ("--format", "evopress")
    refused = layerpress("export", out, *text, home=home)
    assert refused.returncode == 2
    assert "there is an answer for each of several budgets; --pick one, or give --max-size" in refused.stderr
    one = out / f"configuration-{BITS}-2.25.json"
    assert layerpress("export", one, *text, "--out", tmp_path / "evopress.txt", home=home).returncode == 0
    first = Configuration.parse(one.read_text())
    picked = layerpress("export", out, "--format", "configuration", "--pick", first.id, home=home)
    assert Configuration.parse(picked.stdout) == first
    smallest = layerpress("export", out, "--format", "configuration", "--max-kl", "1000", home=home)
    assert smallest.returncode == 0, smallest.stderr

    compared = layerpress(
        "compare", path, *points, "--methods", "l-greco", "--out", tmp_path / "compare", "--output", "json", home=home
    )
    assert compared.returncode == 0, compared.stderr
    assert {row["budget"] for row in json.loads(compared.stdout)["rows"]} == {"2.25", "2.75", "3.25"}
