"""The OpenAPI document against the service: its examples run, its errors are real, and a fuzzer finds nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from live_api import EXAMPLES
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.api.problems import CODES
from service.api.settings import API_PATH
from service.api.views import EXAMPLE_SPEC
from store.records import NewJob
from store.store import Store

SPEAKS_OF_JOBS = ("/jobs", "/jobs/{job_id}:clone", "/jobs/{job_id}:select", "/jobs/{job_id}:solve")

TOGETHER = {"cursor", "reference_loss", "reference_bits_per_weight"}  # of no use alone, or made up


@pytest.fixture
def document(api: httpx2.Client) -> dict[str, Any]:
    content: dict[str, Any] = api.get("/openapi.json").json()
    return content


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    paths = document["paths"].items()
    return {f"{method.upper()} {path}": operation for path, methods in paths for method, operation in methods.items()}


def test_every_operation_is_described_and_declares_its_errors(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation.get("description"), name
        for status, answer in operation["responses"].items():
            assert answer["description"] not in ("", "Successful Response") or status.startswith("2"), (name, status)
            if status.startswith(("4", "5")):
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
        if not name.endswith(("/healthz", "/readyz")):
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), name


def test_every_code_of_a_problem_is_documented_somewhere_or_without_a_route(document: dict[str, Any]) -> None:
    declared = {int(status) for operation in operations(document).values() for status in operation["responses"]}
    assert {status for status in CODES if status not in declared} <= {400, 405, 406}


def test_the_job_is_described_as_the_service_reads_it(document: dict[str, Any], api: httpx2.Client) -> None:
    body = operations(document)["POST /api/v1/jobs"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/JobSpec"}
    own = api.get("/schemas/job").json()
    assert set(document["components"]["schemas"]["JobSpec"]["properties"]) == set(own["properties"])


def test_the_example_of_a_job_runs(document: dict[str, Any], api: httpx2.Client) -> None:
    examples = operations(document)["POST /api/v1/jobs"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        answer = api.post("/jobs", json=example["value"], params={"dry_run": True})
        assert answer.status_code == 200, answer.text


@pytest.mark.slow
def test_a_fuzzer_finds_nothing(
    document: dict[str, Any], api: httpx2.Client, sqlite_url: str, subtests: pytest.Subtests
) -> None:
    """Requests that the document allows, and requests that it forbids, to every operation.

    Without tokens: who guesses them is soon told to wait, see test_api_access.py.
    """
    for operation in operations(document).values():
        operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    server = f"http://{api.base_url.host}:{api.base_url.port}"
    for found in schema.get_all_operations():
        operation = found.ok()
        with subtests.test(operation.label), Store.open(sqlite_url) as store:
            job_id = store.add_job(NewJob(name="job", spec=EXAMPLE_SPEC, model=str(EXAMPLES)))[0].id
            _fuzz(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), server)
            _fuzz(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), server, job_id=job_id)
            with suppress(Unsatisfiable):  # nothing can be wrong with a request that holds nothing
                _fuzz(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), server)


def _fuzz(cases: SearchStrategy[Case], server: str, **path: str) -> None:
    @settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def ask(case: Case) -> None:
        case.path_parameters |= {name: value for name, value in path.items() if name in case.path_parameters}
        without = [positive_data_acceptance] if _depends_on_meaning(case) else []
        case.call_and_validate(base_url=server, timeout=60, excluded_checks=without)

    ask()


def _depends_on_meaning(case: Case) -> bool:
    """A schema tells the form of a request, not which strategies, budgets and cursors there are."""
    speaks_of_jobs = case.method == "POST" and case.path.removeprefix(API_PATH) in SPEAKS_OF_JOBS
    return speaks_of_jobs or not TOGETHER.isdisjoint(case.query or {})
