"""The dtype that sizes count in is that of the stored weights, whatever the config says of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file
from tiny_models import TINY

from spaces.skeleton import anatomy_of, load_config
from spaces.weight_files import WHOLE, stored_dtype, stored_dtype_on_hub


def saved(folder: Path, stored: torch.dtype, shards: str = "5GB", **named: str) -> Path:
    """A tiny model in that dtype, whose config.json names another one, or none."""
    TINY["llama"].model().to(stored).save_pretrained(folder, max_shard_size=shards)  # type: ignore[operator]
    content = json.loads((folder / "config.json").read_text("utf-8"))
    del content["dtype"]
    (folder / "config.json").write_text(json.dumps(content | named))
    return folder


@pytest.mark.parametrize("named", [{}, {"dtype": "float32"}, {"torch_dtype": "float16"}, {"dtype": "bfloat16"}])
@pytest.mark.parametrize("shards", ["5GB", "20KB"])
def test_the_files_have_the_last_word(tmp_path: Path, named: dict[str, str], shards: str) -> None:
    folder = saved(tmp_path, torch.bfloat16, shards, **named)
    assert load_config(str(folder)).dtype == torch.bfloat16
    assert anatomy_of(str(folder)).dense_bits == 16


def test_wide_files_of_a_narrow_config_are_counted_wide(tmp_path: Path) -> None:
    assert anatomy_of(str(saved(tmp_path, torch.float32, dtype="bfloat16"))).dense_bits == 32


def test_most_weights_decide(tmp_path: Path) -> None:
    folder = saved(tmp_path, torch.bfloat16)
    tensors = load_file(folder / WHOLE)
    tensors = {name: each.float() if "norm" in name else each for name, each in tensors.items()}
    save_file(tensors | {"mask": torch.ones(10**6, dtype=torch.bool)}, folder / WHOLE, {"format": "pt"})
    assert stored_dtype(folder) == torch.bfloat16


@pytest.mark.parametrize("damage", ["no file", "half a file"])
def test_without_whole_files_the_config_is_believed(tmp_path: Path, damage: str) -> None:
    folder = saved(tmp_path, torch.float32, dtype="float16")
    content = (folder / WHOLE).read_bytes()
    (folder / WHOLE).unlink()
    if damage == "half a file":
        (folder / WHOLE).write_bytes(content[: len(content) // 2])
    assert load_config(str(folder)).dtype == torch.float16


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What a hub on loopback answers when it is asked about a model."""
    answer: dict[str, object] = {}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("spaces.weight_files.HfApi", lambda: HfApi(f"http://127.0.0.1:{server.server_port}"))
    yield answer
    server.shutdown()
    server.server_close()


def test_a_hub_is_asked_for_what_it_counts(hub: dict[str, object]) -> None:
    hub |= {"id": "nobody/model", "safetensors": {"parameters": {"F32": 64, "BF16": 4096, "I64": 9999}, "total": 14159}}
    assert stored_dtype_on_hub("nobody/model", None) == torch.bfloat16


def test_a_hub_that_cannot_tell_is_no_error(hub: dict[str, object]) -> None:
    assert stored_dtype_on_hub("nobody/model", None) is None
    hub |= {"id": "nobody/model"}
    assert stored_dtype_on_hub("nobody/model", None) is None


def test_the_copy_in_the_hubs_cache_is_asked_first(
    tmp_path: Path, hub: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub |= {"id": "nobody/model", "safetensors": {"parameters": {"BF16": 4096}, "total": 4096}}
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    root = tmp_path / "models--nobody--model"
    (root / "snapshots" / "abc").mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("abc")
    saved(root / "snapshots" / "abc", torch.float16)
    assert stored_dtype_on_hub("nobody/model", None) == torch.float16
