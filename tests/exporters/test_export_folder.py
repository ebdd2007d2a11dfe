"""An export as a folder: whole or not there, with its provenance, its sums and what the drops saved."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from twins import Made

from evaluators.checkpoint import load_tokenizer
from exporters.export import Exported, check_size, export
from exporters.formats import EXPORTERS, exporter, formats
from exporters.provenance import Provenance
from exporters.source import Source
from spaces.errors import InputError, JobError
from spaces.weight_files import WHOLE

ROW = {
    "name": "evolution",
    "configuration_id": "0123456789ab",
    "size_bytes": 5_819_872,
    "bits_per_weight": 4.4375,
    "kl_calibration": 0.0141,
    "kl_validation": 0.0152,
    "kl_validation_se": 0.0004,
    "perplexity_validation": 54.03,
}
PROVENANCE = Provenance(
    model="layerpress/reference-model",
    candidate=ROW,
    baselines=({**ROW, "name": "uniform gptq-int3-g128-asym", "kl_validation": None},),
    budget={"nominal_bits_per_weight": 3.0},
    verdict="Better than uniform.",
    job="3f9c2a7d81e04b56",
    seed=7,
    spec={"validation": {"source": "text/validation.txt"}},
    hashes={"calibration": "c0ffee"},
    versions={"torch": "2.13.0"},
)


def test_every_format_says_what_it_is() -> None:
    known = formats()
    assert [info.name for info in known] == list(EXPORTERS)
    for info in known:
        assert info.summary
        assert info.loads_in
        assert info.checked
        assert (info.kind == "recipe") == bool(info.file_name), info.name
        assert all(sentence.endswith((".", "?", ":", ")")) for sentence in info.limits), info.name


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown export format 'gguff'; did you mean 'gguf'"):
        exporter("gguff")


def test_the_folder_has_weights_config_tokenizer_provenance_and_sums(made: Made, tmp_path: Path) -> None:
    source = replace(made("reference", {"*.mlp.*": "rtn-int4-g64-asym"}), provenance=PROVENANCE)
    picture = tmp_path / "drawn.png"
    picture.write_bytes(b"PNG")
    source = replace(source, provenance=replace(PROVENANCE, pictures={"front.png": picture}))
    exported = export(source, "dense", tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    assert [path.name for path in out.parent.iterdir()] == ["out"]  # and no draft
    assert set(exported.files) == {path.name for path in out.iterdir()}
    assert {WHOLE, "config.json", "tokenizer.json", "front.png", "README.md", "SHA256SUMS"} <= set(exported.files)
    assert load_tokenizer(out).encode("Once upon a time") == load_tokenizer(source.model).encode("Once upon a time")
    for line in (out / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert len((out / "SHA256SUMS").read_text("utf-8").splitlines()) == len(exported.files) - 1
    facts = json.loads((out / "compression.json").read_text("utf-8"))
    assert facts["configuration_id"] == source.configuration.id
    assert facts["configuration"] == {name: option.slug for name, option in source.configuration.options}
    assert (facts["metrics"], facts["job"], facts["seed"]) == (ROW, "3f9c2a7d81e04b56", 7)
    assert facts["hashes"] == {"calibration": "c0ffee"}
    assert facts["size"] == {"file_bytes": exported.file_bytes, "predicted_bytes": exported.predicted_bytes}
    assert exported.file_bytes == (out / WHOLE).stat().st_size
    assert exported.is_as_predicted
    assert (out / "front.png").read_bytes() == b"PNG"


def test_the_card_reads_as_the_hub_reads_it(made: Made, tmp_path: Path) -> None:
    source = replace(made("llama", {"*.mlp.*": "rtn-int4-g32-sym"}), provenance=PROVENANCE)
    export(source, "dense", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    card = ModelCard(text)
    assert card.data.base_model == "layerpress/reference-model"
    assert card.data.eval_results is not None
    values = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert values == {"kl_divergence": 0.0152, "perplexity": 54.03}
    assert yaml.safe_load(text.split("---")[1])["base_model_relation"] == "quantized"
    assert "| evolution | 5.8 MB | 4.438 | 0.01520 ± 0.00040 | 54.03 |" in text
    assert "| uniform gptq-int3-g128-asym | 5.8 MB | 4.438 | not measured | 54.03 |" in text  # on that text
    assert "on text that the search never saw" in text
    assert "| `rtn-int4-g32-sym` | 6 |" in text
    assert "Better than uniform." in text


def test_a_card_compares_losses_of_one_text_and_calls_broken_only_what_is(made: Made, tmp_path: Path) -> None:
    searched = {**ROW, "name": "a point of the front", "kl_validation": None, "perplexity_validation": None}
    perplexity = {key: value for key, value in ROW.items() if not key.startswith("kl")} | {
        "name": "of perplexity",
        "perplexity_calibration": 50.0,
    }
    broken = {**ROW, "name": "uniform int2", "kl_calibration": None, "perplexity_calibration": None}
    source = made("llama", {"*.mlp.*": "rtn-int4-g32-sym"})
    baselines = ({**ROW, "name": "uniform int3", "kl_calibration": 0.02}, broken, perplexity)
    source = replace(source, provenance=replace(PROVENANCE, candidate=searched, baselines=baselines))
    export(source, "dense", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "| a point of the front | 5.8 MB | 4.438 | 0.01410 | |" in text.replace("|  |", "| |")
    assert "| uniform int3 | 5.8 MB | 4.438 | 0.02000 |" in text
    assert "| uniform int2 | 5.8 MB | 4.438 | broken |" in text
    assert "| of perplexity | 5.8 MB | 4.438 | not measured | 50.00 |" in text
    assert "on the search's own text" in text


def test_a_size_that_was_asked_for_is_that_of_the_format(made: Made) -> None:
    source = made("reference", {"*": "rtn-int2-g128-sym"})
    packed, dense = exporter("compressed-tensors"), exporter("dense")
    size = packed.size_bytes(source.anatomy, source.configuration)
    check_size(packed, source, size)
    check_size(dense, source, None)
    check_size(exporter("configuration"), source, 1)
    with pytest.raises(InputError, match=r"--max-size is .* MB, and compressed-tensors takes"):
        check_size(packed, source, size - 1)
    with pytest.raises(InputError, match=r"and dense takes .* MB for the candidate .* ask for a smaller --max-size"):
        check_size(dense, source, size)


def test_a_link_to_an_empty_folder_leads_there(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "far" / "away")
    export(source, "dense", tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "far" / "away" / WHOLE).is_file()
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["away"]


def test_a_volume_is_refused_before_anything_is_written(made: Made, tmp_path: Path) -> None:
    mount = Path("/dev/shm")
    if not mount.is_mount():
        pytest.skip("needs a volume")
    if any(mount.iterdir()):
        mount = next((path for path in map(Path, ("/sys/fs/cgroup", "/proc")) if path.is_mount()), mount)
    with pytest.raises(InputError, match=rf"got the volume '{mount}'; name a new folder in it"):
        export(made("llama", {"*": "rtn-int4-g32-sym"}), "dense", mount)


def test_drops_say_what_they_save_and_what_not(made: Made, tmp_path: Path) -> None:
    options = {"model.layers.1": "drop", "model.layers.2.mlp": "drop", "model.layers.0.*": "rtn-int4-g32-sym"}
    exported = export(made("llama", options, num_blocks=3), "dense", tmp_path / "out")
    removed, zeroed = exported.savings
    assert "1 of 3 blocks are removed (model.layers.1)" in removed
    assert "1 parts are zeroed, not removed" in zeroed
    assert "(model.layers.2.mlp)" in zeroed
    assert removed in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert json.loads((tmp_path / "out" / "compression.json").read_text("utf-8"))["dropped"] == [removed, zeroed]


def test_a_recipe_is_one_file_with_its_provenance(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    exported = export(source, "configuration", tmp_path / "out")
    assert set(exported.files) == {"configuration.json", "compression.json", "README.md", "SHA256SUMS"}
    assert exported.deviation is None


def test_a_folder_in_use_is_left_alone(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="--out must be a new or empty folder, got"):
        export(source, "dense", tmp_path / "out")
    with pytest.raises(InputError, match="--out must be a new or empty folder, got"):
        export(source, "dense", tmp_path / "out" / "mine.txt")
    assert (tmp_path / "out" / "mine.txt").read_text() == "precious"
    (tmp_path / "empty").mkdir()
    assert isinstance(export(source, "dense", tmp_path / "empty"), Exported)


def test_what_a_format_cannot_say_is_refused_before_anything_is_written(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*.0.*": "rtn-int4-g32-sym", "*.1.*": "rtn-int4-channel-sym"})
    with pytest.raises(InputError, match=r"format evopress: .*options that differ in more: rtn-int4-channel-sym"):
        export(source, "evopress", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_error_leaves_nothing_behind(made: Made, tmp_path: Path) -> None:
    def missing(layer: str, option: object) -> object:
        raise JobError(f"the bank has no entry for {layer}")

    source = replace(made("llama", {"*": "rtn-int4-g32-sym"}), entry=missing)  # type: ignore[arg-type]
    with pytest.raises(JobError, match="the bank has no entry for "):
        export(source, "dense", tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_place_that_is_none_ends_in_one_message(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match=r"cannot write the export .*\(File exists\); nothing is left there"):
        export(source, "dense", tmp_path / "file" / "out")


FULL = """
import resource, signal, sys
from pathlib import Path
from exporters.export import export
from exporters.provenance import Provenance
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.errors import JobError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # no file may grow beyond: what a full disk does
try:
    source = Source.open(Path(sys.argv[1]), Configuration.of({}), None, Provenance(model="m"))
    export(source, "dense", Path(sys.argv[2]))
except JobError as error:
    print(error)
"""


def test_a_full_disk_ends_in_one_message_and_leaves_nothing(made: Made, tmp_path: Path) -> None:
    source = made("llama", {"*": "rtn-int4-g32-sym"})
    command = [sys.executable, "-c", FULL, str(source.model), str(tmp_path / "new" / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert "cannot write the export" in ran.stdout, ran.stderr
    assert "File too large" in ran.stdout
    assert list((tmp_path / "new").iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from exporters.export import export
from exporters.source import Source
from exporters.provenance import Provenance
from spaces.configuration import Configuration

def wait(done, total):
    if done == 5:
        print("writing", flush=True)
        time.sleep(600)

from dataclasses import replace
source = Source.open(Path(sys.argv[1]), Configuration.of({}), None, Provenance(model="m"))
export(replace(source, on_tensor=wait), "dense", Path(sys.argv[2]))
"""


def test_kill_minus_9_leaves_nothing_at_out_and_the_next_export_clears_up(made: Made, tmp_path: Path) -> None:
    source: Source = made("llama", {"*": "rtn-int4-g32-sym"})
    out = tmp_path / "new" / "out"
    command = [sys.executable, "-c", KILLED, str(source.model), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    [draft] = out.parent.iterdir()
    assert draft.name.startswith(".out.")
    assert draft.name.endswith(f".{process.pid}.partial")
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process.pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    export(source, "dense", out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]
