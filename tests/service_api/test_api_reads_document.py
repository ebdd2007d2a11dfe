"""What the OpenAPI document says of the reading routes: every answer has a form and an example that is one."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from service.api import candidate_views, cluster_views
from service.api.app import make_app
from service.api.settings import API_PATH, ApiSettings

ROUTES = {
    "/jobs/{job_id}/candidates": "get",
    "/jobs/{job_id}/candidates/{seq}": "get",
    "/jobs/{job_id}/candidates/{seq}/layers": "get",
    "/jobs/{job_id}/candidates/{seq}/configuration": "get",
    "/jobs/{job_id}/candidates/{seq}/export": "get",
    "/jobs/{job_id}/front": "get",
    "/jobs/{job_id}/sensitivity": "get",
    "/jobs/{job_id}:select": "post",
    "/jobs/{job_id}:solve": "post",
    "/jobs:compare": "post",
    "/jobs/{job_id}/artifacts": "get",
    "/jobs/{job_id}/artifacts/{name}": "get",
    "/workers": "get",
    "/models": "get",
    "/banks": "get",
    "/exports": "get",
    "/spaces": "get",
    "/cache": "get",
    "/evaluations/{key}": "get",
    "/metrics": "get",
}
VIEWS = {
    name: view
    for module in (candidate_views, cluster_views)
    for name, view in inspect.getmembers(module, inspect.isclass)
    if issubclass(view, BaseModel) and view.__module__ == module.__name__
}
WITH_EXAMPLES = [
    name for name, view in VIEWS.items() if "examples" in (view.model_config.get("json_schema_extra") or {})
]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    return make_app(ApiSettings(store_url=f"sqlite:///{home / 'none.db'}", home=Path(home), roots=(home,))).openapi()


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_is_documented(document: dict[str, Any], path: str) -> None:
    route = document["paths"][f"{API_PATH}{path}"][ROUTES[path]]
    assert route["summary"]
    assert route["description"]
    assert {"401", "403", "422", "500", "503"} < set(route["responses"])
    assert ("404" in route["responses"]) == ("{" in path or path == "/jobs:compare")
    assert route["responses"]["200"]["content"]
    for status, response in route["responses"].items():
        if status >= "400":
            assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_what_they_show(name: str) -> None:
    view: Any = VIEWS[name]
    for example in view.model_config["json_schema_extra"]["examples"]:
        shown = view.model_validate(example).model_dump(mode="json", exclude_unset=True)
        assert shown == example


def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for path, method in ROUTES.items():
        for media_type, content in document["paths"][f"{API_PATH}{path}"][method]["responses"]["200"][
            "content"
        ].items():
            reference = content.get("schema", {}).get("$ref")
            if reference is not None:
                name = reference.rpartition("/")[2]
                assert document["components"]["schemas"][name].get("examples"), (path, media_type)
