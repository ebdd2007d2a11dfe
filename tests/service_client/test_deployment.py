"""Containers, manifests and documents name commands, options, files, versions and tests that exist."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_lines import check_arguments, commands_in

ROOT = Path(__file__).parents[2]
IMAGES = ("Dockerfile", "docker/gpu-worker.Dockerfile")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "deploy/kuberay.yaml").read_text()))
CLUSTER = MANIFESTS[-1]
SCRIPT = (ROOT / "docker/serve.sh").read_text()
DOCUMENTS = (
    "README.md",
    "SECURITY.md",
    "compose.yaml",
    "deploy/kuberay.yaml",
    "docs/dashboard.md",
    "docs/exports.md",
    "docs/jobs.md",
    "docs/methods.md",
)


def instructions(image: str) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile with its text, continued lines joined."""
    lines = (ROOT / image).read_text().replace("\\\n", " ").splitlines()
    found = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(name, text.strip()) for name, _, text in found]


def served(arguments: list[str]) -> list[str]:
    """What docker/serve.sh makes of its arguments."""
    [line] = [line for line in SCRIPT.splitlines() if line.startswith("layerpress ")]
    [command] = commands_in(line.replace('"$@"', " ".join(arguments)))
    return command


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_made_of_what_is_there_and_runs_as_nobody_special(image: str) -> None:
    made = instructions(image)
    assert made[0] == ("FROM", "python:3.11-slim-trixie")
    for text in (text for name, text in made if name == "COPY"):
        assert all((ROOT / source).exists() for source in text.split()[:-1])
    [user] = [text for name, text in made if name == "USER"]
    assert user == "layerpress"
    names = [name for name, _ in made]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")


def test_images_and_script_start_what_there_is() -> None:
    service, worker = (dict(instructions(image)) for image in IMAGES)
    assert json.loads(service["ENTRYPOINT"]) == ["layerpress"]
    head = re.search(r'^ray_head="(.*)"$', SCRIPT, re.MULTILINE)
    assert head
    listed = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"], capture_output=True, text=True, check=True
    )
    known = set(re.findall(r"--[a-z-]+", listed.stdout))
    for command in (head[1].split(), [*json.loads(worker["ENTRYPOINT"]), *json.loads(worker["CMD"])]):
        assert command[:2] == ["ray", "start"]
        assert {word.partition("=")[0] for word in command[2:]} <= known


def test_every_command_of_compose_is_one() -> None:
    services = COMPOSE["services"]
    ours = {name: each for name, each in services.items() if each.get("image") == "layerpress"}
    assert set(ours) == {"upgrade", "admin", "service"}
    for each in ours.values():
        is_script = each.get("entrypoint") == ["/app/docker/serve.sh"]
        check_arguments(served(each["command"]) if is_script else each["command"])
    assert set(COMPOSE["volumes"]) == {"database", "home"}
    for each in services.values():
        assert {*each.get("depends_on", [])} <= set(services)


def test_compose_holds_no_secret_and_listens_here_alone() -> None:
    environment = COMPOSE["services"]["service"]["environment"]
    assert all(environment[name].startswith("${") for name in ("PGPASSWORD", "RAY_AUTH_TOKEN"))
    assert "@" in environment["LAYERPRESS_STORE"]
    assert ":" not in environment["LAYERPRESS_STORE"].partition("://")[2].partition("@")[0]
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["service"]["ports"])


def test_every_command_of_the_manifest_is_one() -> None:
    head = CLUSTER["spec"]["headGroupSpec"]["template"]["spec"]
    [upgrade], [service] = head["initContainers"], head["containers"]
    check_arguments(upgrade["args"])
    assert service["command"] == ["/app/docker/serve.sh"]
    check_arguments(served(service["args"]))
    claims = {each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "PersistentVolumeClaim"}
    assert {each["persistentVolumeClaim"]["claimName"] for each in head["volumes"]} == claims
    assert {each["name"] for each in service["volumeMounts"]} == {each["name"] for each in head["volumes"]}


def test_versions_agree() -> None:
    assert CLUSTER["spec"]["rayVersion"] == version("ray")
    assert CLUSTER["spec"]["authOptions"] == {"mode": "token"}
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("ends", "code"), [("layerpress", 3), ("ray", 4)])
def test_the_container_ends_with_whichever_ends_first(ends: str, code: int, tmp_path: Path) -> None:
    waits = f"until [ -e {tmp_path}/ready ]; do sleep 0.05; done; exit {code}"
    listens = f"trap 'echo $0 >> {tmp_path}/told; kill $!; exit 0' TERM; touch {tmp_path}/ready; sleep 60 & wait"
    for name in ("layerpress", "ray"):
        said = waits if name == ends else listens
        program = tmp_path / name
        program.write_text(f"#!/bin/bash\n{said}\n")
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ended = subprocess.run([ROOT / "docker/serve.sh"], env=environment, timeout=30, check=False)
    assert ended.returncode == code
    other = "ray" if ends == "layerpress" else "layerpress"
    assert (tmp_path / "told").read_text() == f"{tmp_path / other}\n"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_commands_and_options_that_exist(document: str) -> None:
    text = (ROOT / document).read_text().replace("\n#   ", "\n").replace(".venv/bin/", "")
    for command in commands_in(text):
        if command and "..." not in " ".join(command):
            check_arguments(command)


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[^`:]+)?::(test_\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 30
    file = ""
    for path, name in named:
        file = path or file
        tree = ast.parse((ROOT / file).read_text())
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, f"{file} has no {name}"
