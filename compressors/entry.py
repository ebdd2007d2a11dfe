"""One bank entry as a file: a safetensors container that carries its own description, errors and checksums."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from compressors.compressed import CompressedWeight, restore
from compressors.measure import EntryErrors
from spaces.errors import InputError, JobError
from spaces.option import Banked

_LENGTH_BYTES = 8  # a safetensors file is the header's length, the header (JSON), and the payload


class DamagedError(Exception):
    """A file is not the whole entry that it should be."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an entry's file says of itself in front of the payload."""

    metadata: dict[str, str]
    payload_bytes: int
    file_bytes: int

    @property
    def errors(self) -> EntryErrors:
        weight, output = self.metadata["errors"].split()
        return EntryErrors(weight=float(weight), output=float(output))


def encode(layer: str, option: Banked, compressed: CompressedWeight, errors: EntryErrors) -> bytes:
    """The file's content. Its metadata is short: it must vanish beside the codes of a small layer."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in compressed.tensors().items()}
    metadata = {
        "entry": f"{layer} {option.slug}",
        "shape": "x".join(map(str, compressed.shape)),
        "errors": f"{errors.weight!r} {errors.output!r}",
    }
    metadata["crc32"] = f"{_text_checksum(metadata):08x} {_payload_checksum(tensors):08x}"
    data: bytes = safetensors.torch.save(tensors, metadata)
    return data


def decode(data: bytes, layer: str, option: Banked) -> CompressedWeight:
    """The weight in a file's content, every byte of it checked.

    Raises:
        DamagedError: the content is not what `encode` wrote for this layer and option.
    """
    header = _parse(data[:_LENGTH_BYTES], data[_LENGTH_BYTES:], len(data))
    if header.metadata.get("entry") != f"{layer} {option.slug}":
        raise DamagedError(f"it holds {header.metadata.get('entry')!r}")
    try:
        tensors = safetensors.torch.load(data)
        rows, columns = map(int, header.metadata["shape"].split("x"))
        compressed = restore(tensors, option, (rows, columns))
    except (SafetensorError, InputError, KeyError, ValueError) as error:
        raise DamagedError(str(error)) from error
    if header.metadata["crc32"].split()[1] != f"{_payload_checksum(tensors):08x}":
        raise DamagedError("its payload does not match its checksum")
    return compressed


def read_header(path: Path) -> Header:
    """The header of the entry at ``path``: its text is checked, and the file's length, but no payload is read.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: the header is damaged, or the file is shorter or longer than it says.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        prefix = file.read(_LENGTH_BYTES)
        return _parse(prefix, file.read(min(int.from_bytes(prefix, "little"), size)), size)


def write_whole(path: Path, data: bytes) -> None:
    """Make the file at ``path`` appear with all of ``data``, or not at all.

    There is no fsync: a file that a power failure cut short is detected by its length or checksum.

    Raises:
        JobError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    draft = path.with_name(f".{path.name[:48]}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as file:
                file.write(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise JobError(
            f"cannot write bank entry {path}: {error.strerror}; finished entries are kept: "
            f"make room (or name another folder) and run the job again"
        ) from error


def _parse(prefix: bytes, rest: bytes, size: int) -> Header:
    """Check the header at the beginning of ``rest`` against itself and the file's ``size``."""
    length = int.from_bytes(prefix, "little")
    try:
        content: dict[str, Any] = json.loads(rest[:length])
        metadata = dict(content.pop("__metadata__"))
        payload = max(int(tensor["data_offsets"][1]) for tensor in content.values())
        text_checksum = metadata["crc32"].split()[0]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DamagedError("its header cannot be read") from error
    if size != _LENGTH_BYTES + length + payload:
        raise DamagedError(f"it has {size} bytes, not {_LENGTH_BYTES + length + payload}")
    if text_checksum != f"{_text_checksum(metadata):08x}":
        raise DamagedError("its header does not match its checksum")
    return Header(metadata=metadata, payload_bytes=payload, file_bytes=size)


def _text_checksum(metadata: dict[str, str]) -> int:
    described = {name: text for name, text in metadata.items() if name != "crc32"}
    return crc32(json.dumps(described, sort_keys=True).encode())


def _payload_checksum(tensors: dict[str, Tensor]) -> int:
    checksum = 0
    for name in sorted(tensors):
        checksum = crc32(tensors[name].flatten().view(torch.uint8).numpy().data, crc32(name.encode(), checksum))
    return checksum
