"""Downloads of a candidate in every format: what they hold, what they are called, and what cannot be said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import candidate, running_job, serving

from exporters.evopress import read_evopress
from exporters.formats import EXPORTERS
from service.exporting import NAMES
from spaces.configuration import Configuration
from spaces.option import Quantize, parse_option
from store.records import Artifact
from store.store import Store

OPTIONS = ["gptq-int2-g32-sym", "gptq-int3-g32-sym", "keep"]
SPACE: dict[str, Any] = {
    "version": 1,
    "ties": "none",
    "dense_bits": 16,
    "layers": [
        {"name": f"block.{i}.proj", "block": i, "module": "proj", "part": None, "rows": 32, "columns": 64, "inside": []}
        for i in range(4)
    ],
    "units": [{"layers": [i], "options": OPTIONS} for i in range(4)],
}
QUANTIZED, MIXED = (0, 1, 1, 0), (0, 1, 2, 0)  # 2: a layer that is kept


@pytest.fixture
def job_id(sqlite_template: Path, tmp_path: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_template.read_bytes())
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        job = running_job(store)
        content = json.dumps(SPACE).encode()
        store.put_artifacts(job.id, 1, [Artifact(name="space.json", media_type="application/json", content=content)])
        found = [candidate(n, size=100, loss=1.0, levels=levels) for n, levels in enumerate((QUANTIZED, MIXED), 1)]
        store.add_candidates(job.id, 1, found)
        return job.id


@pytest.fixture
def client(job_id: str, tmp_path: Path) -> Iterator[httpx2.Client]:
    with serving(f"sqlite:///{tmp_path / 'store.db'}", tmp_path) as client:
        yield client


def test_every_exporter_is_described(client: httpx2.Client) -> None:
    listed = client.get("/exports").raise_for_status().json()
    assert [each["name"] for each in listed] == list(NAMES)
    assert set(EXPORTERS) <= set(NAMES)
    for each in listed:
        assert each["summary"]
        assert each["loads_in"]
        assert each["checked"]
        assert (each["file_name"] == "") == (each["kind"] == "checkpoint")
        assert (each["media_type"] == "application/x-tar") == (each["kind"] == "checkpoint")


@pytest.mark.parametrize(
    ("name", "file_name", "media_type"),
    [
        ("configuration", "configuration", "application/json"),
        ("layers.csv", "layers", "text/csv"),
        ("evopress", "evopress", "text/plain"),
    ],
)
def test_a_download_has_a_name_and_a_type(
    client: httpx2.Client, job_id: str, name: str, file_name: str, media_type: str
) -> None:
    answer = client.get(f"/jobs/{job_id}/candidates/1/export", params={"format": name}).raise_for_status()
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith(f'attachment; filename="{file_name}-{job_id}-{1:012x}.')
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.endswith("\n")


def test_the_configuration_is_what_the_command_line_reads(client: httpx2.Client, job_id: str) -> None:
    for seq, levels in ((1, QUANTIZED), (2, MIXED)):
        text = client.get(f"/jobs/{job_id}/candidates/{seq}/export", params={"format": "configuration"}).text
        slugs = {f"block.{i}.proj": parse_option(OPTIONS[level]) for i, level in enumerate(levels)}
        assert Configuration.parse(text) == Configuration.of(slugs)
        assert text == client.get(f"/jobs/{job_id}/candidates/{seq}/configuration").text


def test_the_table_has_a_line_for_each_layer(client: httpx2.Client, job_id: str) -> None:
    text = client.get(f"/jobs/{job_id}/candidates/2/export", params={"format": "layers.csv"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    layers = client.get(f"/jobs/{job_id}/candidates/2/layers").json()
    assert [row["option"] for row in rows] == [OPTIONS[level] for level in MIXED]
    for row, layer in zip(rows, layers, strict=True):
        assert float(row.pop("bits")) == layer.pop("bits")
        assert row == {name: "" if value is None else str(value) for name, value in layer.items()}


def test_evopress_reads_its_file_and_is_told_what_it_has_no_word_for(client: httpx2.Client, job_id: str) -> None:
    path = f"/jobs/{job_id}/candidates/{{}}/export"
    text = client.get(path.format(1), params={"format": "evopress"}).text

    def option(_layer: str, bits: int) -> Quantize:
        return Quantize(bits_per_code=bits, group_size=32, symmetric=True, solver="gptq")

    again = read_evopress(text, option)
    assert [again[f"block.{i}.proj"].slug for i in range(4)] == [OPTIONS[level] for level in QUANTIZED]
    refused = client.get(path.format(2), params={"format": "evopress"})
    assert refused.status_code == 409
    assert "block.0.proj: gptq-int2-g32-sym" in refused.json()["detail"]


def test_what_is_no_format_is_refused_before_anything_is_looked_up(client: httpx2.Client) -> None:
    refused = client.get("/jobs/nobody/candidates/1/export", params={"format": "onnx"})
    assert refused.status_code == 422
    assert "format must be one of configuration, layers.csv, dense, " in refused.json()["detail"]
    assert "got 'onnx'" in refused.json()["detail"]
    assert client.get("/jobs/nobody/candidates/1/export").status_code == 422


def test_what_is_not_there_is_404_and_what_is_not_yet_409(client: httpx2.Client, job_id: str, tmp_path: Path) -> None:
    asked = {"format": "configuration"}
    assert client.get("/jobs/nobody/candidates/1/export", params=asked).status_code == 404
    assert client.get(f"/jobs/{job_id}/candidates/3/export", params=asked).status_code == 404
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        job = running_job(store)
        store.add_candidates(job.id, 1, [candidate(1, size=100, loss=1.0)])
    assert client.get(f"/jobs/{job.id}/candidates/1/export", params=asked).status_code == 409
