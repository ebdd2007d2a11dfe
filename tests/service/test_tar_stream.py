"""A folder as a tar that is made as it is sent: tarfile reads what lay there, and the length is known before."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from service.tar_stream import CHUNK_BYTES, TarStream


def test_tarfile_reads_what_lies_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model-dense"
    contents = {
        "config.json": b"{}",
        "empty": b"",
        "block": bytes(512),
        "large.safetensors": bytes(range(256)) * (CHUNK_BYTES // 128 + 1),
        "below/" + "n" * 140: b"a long name",
        "ümläut.txt": b"x",
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    stream = TarStream.of(folder)
    packed = b"".join(stream.chunks())
    assert len(packed) == stream.num_bytes
    assert max(len(chunk) for chunk in stream.chunks()) <= CHUNK_BYTES
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        assert {name: file.read() for name, file in found.items() if file is not None} == {
            f"model-dense/{name}": content for name, content in contents.items()
        }


def test_a_link_is_left_out_and_a_file_that_shrinks_breaks_the_stream(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_bytes(bytes(1000))
    (folder / "out").symlink_to("/etc/hostname")
    stream = TarStream.of(folder)
    assert [path.name for path, _, _ in stream.members] == ["a"]
    (folder / "a").write_bytes(bytes(10))
    with pytest.raises(OSError, match="became shorter"):
        list(stream.chunks())
