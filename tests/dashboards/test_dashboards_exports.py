"""A checkpoint from the export dialog: refused in words, written while the page tells how far it is, and downloaded."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from dashboard_site import EXAMPLES, Site
from dashboard_visit import Visit
from playwright.sync_api import expect

from search.spec import read_spec
from service.spaces_view import space_document
from spaces.build import build_space
from spaces.skeleton import anatomy_of
from store.records import Artifact, NewCandidate, NewJob

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 240_000.0  # a process that loads torch and hashes a model, on a busy machine
SPEC = {
    "model": str(EXAMPLES / "reference-model"),
    "calibration": {"source": str(EXAMPLES / "text" / "calibration.txt"), "tokens": 1024, "sequence_length": 128},
    "validation": {"source": str(EXAMPLES / "text" / "validation.txt"), "tokens": 1024},
    "space": {"options": [{"kind": "quantize", "bits": [7], "group_size": 128, "solver": "rtn"}]},
    "budget": {"size": "1GB"},
    "strategy": "uniform",
}


@pytest.fixture(scope="module")
def job(site: Site) -> str:
    """One that measured the dense model (1), which needs no bank, and seven bits everywhere (2), which few hold."""
    space = build_space(anatomy_of(str(EXAMPLES / "reference-model")), read_spec(SPEC).space.spec())
    made, _ = site.store.add_job(NewJob(name="to export", spec=SPEC, origin="local", model=str(SPEC["model"])))
    document = json.dumps(space_document(space)).encode()
    site.store.put_artifacts(made.id, 1, [Artifact(name="space.json", media_type="application/json", content=document)])
    found = []
    for number, levels in enumerate((space.kept, (0,) * len(space.units)), start=1):
        size = space.measure(levels).size_bytes
        found.append(
            NewCandidate(
                configuration_id=space.configure(levels).id,
                levels=levels,
                label=f"candidate {number}",
                kind="candidate",
                size_bytes=size,
                bits_per_weight=8 * size / space.anatomy.num_parameters,
                nominal_bits_per_weight=8.0,
                loss=1.0 / size,
                loss_se=None,
                source="computed",
            )
        )
    site.store.add_candidates(made.id, 1, found)
    return made.id


def choose(visit: Visit, job: str, seq: int, format_: str) -> None:
    visit.open(f"/jobs/{job}?candidate={seq}")
    visit.button("Export").click()
    visit.page.locator(f"[name='export-format'][value='{format_}']").check(timeout=PATIENCE_MS)
    expect(visit.page.locator(".export-facts")).to_contain_text("a folder with the weights, as one tar file")


def test_a_format_without_room_for_it_says_why(visit: Visit, job: str) -> None:
    visit.allow("status of 40[49]")
    choose(visit, job, 2, "mlx")
    visit.button("Write this checkpoint").click()
    expect(visit.page.locator(".export-checkpoint")).to_contain_text(
        "MLX holds 2, 3, 4, 5, 6 and 8 bits", timeout=PATIENCE_MS
    )


def test_a_checkpoint_is_written_and_downloaded(visit: Visit, job: str, tmp_path: Path) -> None:
    visit.allow("status of 404")  # nobody asked for it before
    choose(visit, job, 1, "dense")
    visit.button("Write this checkpoint").click()
    expect(visit.page.locator(".export-progress")).to_be_visible(timeout=PATIENCE_MS)
    link = visit.page.get_by_role("link", name="Download, 2")
    expect(link).to_be_visible(timeout=PATIENCE_MS)
    with visit.page.expect_download(timeout=PATIENCE_MS) as download:
        link.click()
    saved = tmp_path / "fetched.tar"
    download.value.save_as(saved)
    assert download.value.suggested_filename.endswith("-dense.tar")
    with tarfile.open(saved) as tar:
        names = {Path(name).name for name in tar.getnames()}
    assert {"config.json", "model.safetensors", "compression.json", "SHA256SUMS", "tokenizer.json"} <= names
