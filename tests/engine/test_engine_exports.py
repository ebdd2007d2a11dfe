"""The files of an export of the reference model measure, by ``layerpress evaluate``, as the engine validated it.

The model is bfloat16, and jobs compute in float32. GGUF and compressed-tensors give the loader the searched codes and
scales, which it decodes in float32: the same KL but for the order of sums. Dense files hold bfloat16, as the model
does: each weight has 8 significant bits left, and the KL moves by up to 1 %.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from exporters.export import export
from exporters.provenance import Provenance
from exporters.source import Source
from search.engine.plan import Plan, make_plan
from search.engine.run import evaluate_configuration
from search.report import entry
from search.spec import read_spec
from service.commands.evaluate import evaluate_command
from spaces.configuration import Configuration
from spaces.option import Option, parse_option
from store.store import Store

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "examples" / "text"
JOB = {
    "model": str(ROOT / "examples" / "reference-model"),
    "calibration": {"source": str(TEXT / "calibration.txt"), "tokens": 512, "sequence_length": 128},
    "validation": {"source": str(TEXT / "validation.txt"), "tokens": 1024},
    "space": {
        "options": [{"kind": "quantize", "bits": [3, 4, 8], "group_size": 32, "symmetric": True, "solver": "rtn"}],
        "exclude": ["model.layers.[2-9].*", "model.layers.1[01].*"],
    },
    "budget": {"nominal_bits_per_weight": 8},
    "workers": 1,
}
BITS = {"self_attn": 8, "gate_proj": 3, "up_proj": 4, "down_proj": 4}  # k_proj stays dense
BOUNDS = {"dense": 1e-2, "compressed-tensors": 1e-5, "gguf": 1e-5}  # of the KL, relative


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A candidate as the engine measured it."""

    plan: Plan
    configuration: Configuration
    row: dict[str, object]  # as a report has it
    job: Path
    home: Path


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, running_ray: None) -> Searched:
    home = tmp_path_factory.mktemp("home")
    job = home / "job.yaml"
    job.write_text(yaml.safe_dump(JOB))
    plan = make_plan(read_spec(JOB), home)
    space = plan.problem.space
    configuration = Configuration.of({name: _option(name) for name in space.names})
    with Store.open(f"sqlite:///{home / 'store.db'}") as store:
        outcome = evaluate_configuration(plan, store, lambda moment: None, configuration, "mixed")
    return Searched(plan=plan, configuration=configuration, row=entry(outcome.answer, space), job=job, home=home)


def _option(layer: str) -> Option:
    bits = next((bits for part, bits in BITS.items() if part in layer), None)
    return parse_option("keep" if layer.endswith("k_proj") else f"rtn-int{bits}-g32-sym")


@pytest.mark.parametrize(("format_", "bound"), BOUNDS.items())
def test_the_files_measure_as_the_candidate(
    format_: str,
    bound: float,
    searched: Searched,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = searched.plan
    source = Source.open(
        plan.folder, searched.configuration, plan.bank.read, Provenance(model=plan.spec.model, candidate=searched.row)
    )
    done = export(source, format_, tmp_path / "out")
    assert done.is_as_predicted, done.deviation
    monkeypatch.setenv("LAYERPRESS_HOME", str(searched.home))
    evaluate_command(searched.job, done.folder, [], None, as_json=True, quiet=True)
    found = json.loads(capsys.readouterr().out)
    assert searched.row["kl_validation"] > 1e-3  # type: ignore[operator]
    for key in ("kl_validation", "kl_calibration"):
        assert found[key] == pytest.approx(searched.row[key], rel=bound)
    assert found["kl_validation_se"] == pytest.approx(searched.row["kl_validation_se"], rel=bound)
