"""Writes tensors to safetensors files as they come, with no more in memory than one file holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from spaces.errors import InputError
from spaces.weight_files import INDEX, WHOLE

MAX_SHARD_BYTES = 2 << 30


class ShardWriter:
    """A context in which tensors are added; ``model.safetensors``, or shards and their index, are whole behind it.

    Names are those of transformers. A tensor is written as it is; what is added must not be changed afterwards.
    """

    def __init__(
        self, folder: Path, max_shard_bytes: int = MAX_SHARD_BYTES, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._max_bytes = max_shard_bytes
        self._metadata = {"format": "pt", **(metadata or {})}
        self._waiting: dict[str, Tensor] = {}
        self._waiting_bytes = 0
        self._shards: list[list[str]] = []  # names in each that is written
        self._names: set[str] = set()
        self.tensor_bytes = 0  # of all added so far

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def add(self, name: str, tensor: Tensor) -> None:
        """Write a tensor, or keep it until its shard is full.

        Raises:
            InputError: the name is taken; the file would lose one of the two.
        """
        if name in self._names:
            raise InputError(f"tensor {name} was written before; two tensors of a checkpoint cannot share a name")
        if self._waiting and self._waiting_bytes + tensor.nbytes > self._max_bytes:
            self._write()
        self._names.add(name)
        self._waiting[name] = tensor.detach().contiguous()
        self._waiting_bytes += tensor.nbytes
        self.tensor_bytes += tensor.nbytes

    def close(self) -> None:
        """Write what waits, give the files their final names, and write the index where there are several."""
        if self._waiting or not self._shards:
            self._write()
        if len(self._shards) == 1:
            self._draft(0).rename(self._folder / WHOLE)
            return
        places: dict[str, str] = {}
        for number, names in enumerate(self._shards):
            file_name = f"model-{number + 1:05d}-of-{len(self._shards):05d}.safetensors"
            self._draft(number).rename(self._folder / file_name)
            places |= dict.fromkeys(names, file_name)
        content = {"metadata": {"total_size": self.tensor_bytes}, "weight_map": dict(sorted(places.items()))}
        (self._folder / INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _write(self) -> None:
        path = self._draft(len(self._shards))
        try:
            save_file(self._waiting, path, self._metadata)
        except SafetensorError as error:  # a full disk as well
            raise OSError(f"{path.name}: {error}") from error
        path.chmod(self._folder.stat().st_mode & 0o666)  # safetensors makes files that only their owner reads
        self._shards.append(list(self._waiting))
        self._waiting, self._waiting_bytes = {}, 0

    def _draft(self, number: int) -> Path:
        return self._folder / f"shard-{number}.part"
