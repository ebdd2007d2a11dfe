"""Where a worker finds the model, the bank and the dense logits: on the job's own storage, or fetched from afar."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compressors.bank import Bank, Pair
from compressors.compressed import CompressedWeight
from compressors.entry import write_whole
from compressors.measure import EntryErrors
from evaluators.dense import METADATA, DenseLogits
from evaluators.dense_layout import Extent
from search.engine.depot import CHUNK_BYTES
from spaces.option import Banked

NODE_CACHE_VARIABLE = "LAYERPRESS_NODE_CACHE"


class Supplies:
    """Those of a worker that shares the job's storage: everything lies where the job says."""

    def model(self, folder: Path) -> Path:
        """A folder with the model's files."""
        return folder

    def bank(self, bank: Bank) -> Bank:
        """The bank to read from and to write to."""
        return bank

    def dense(self, folder: Path) -> DenseLogits | None:
        """Finished dense logits; None if they are gone or damaged."""
        return DenseLogits.open(folder)

    @contextmanager
    def unfinished(self, folder: Path, start: int, stop: int) -> Iterator[DenseLogits]:
        """Dense logits under construction, of which sequences ``start`` to ``stop`` are going to be written."""
        yield DenseLogits.attach(folder)


class Fetched(Supplies):
    """Those of a worker that shares nothing: files come through Ray's object store into a cache of the node.

    The cache is shared by the node's workers and outlives them: what is in it is named by content.
    """

    def __init__(self, depot: Any) -> None:
        self._depot = depot  # the actor's handle
        self._cache = node_cache()

    def model(self, folder: Path) -> Path:
        files = _call(self._depot.stamps, folder)
        name = hashlib.sha256(f"{folder} {files}".encode()).hexdigest()[:24]
        return self._folder(folder, self._cache / "model" / name)

    def bank(self, bank: Bank) -> Bank:
        return DistantBank(
            self._cache / "bank",
            model=bank.model,
            calibration=bank.calibration,
            propagate=bank.propagate,
            dtype=bank.dtype,
            codes=bank.codes,
            origin=bank,
            depot=self._depot,
        )

    def dense(self, folder: Path) -> DenseLogits | None:
        local = self._folder(folder, self._cache / "dense" / folder.name)
        opened = DenseLogits.open(local)
        if opened is None:
            shutil.rmtree(local, ignore_errors=True)  # the next try fetches them anew
        return opened

    @contextmanager
    def unfinished(self, folder: Path, start: int, stop: int) -> Iterator[DenseLogits]:
        draft = self._cache / f".draft.{uuid.uuid4().hex}"
        draft.mkdir()
        try:
            metadata = _call(self._depot.read, folder / METADATA)
            (draft / METADATA).write_bytes(metadata)
            arrays = Extent.from_json(metadata.decode()).arrays()
            for name, (dtype, shape) in arrays.items():  # with holes: only what is written takes room
                np.lib.format.open_memmap(draft / f"{name}.npy", mode="w+", dtype=np.dtype(dtype), shape=shape)
            yield DenseLogits.attach(draft)
            for name in arrays:
                self._send_rows(draft / f"{name}.npy", folder / f"{name}.npy", start, stop)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _send_rows(self, source: Path, target: Path, start: int, stop: int) -> None:
        array = np.lib.format.open_memmap(source, mode="r")
        row_bytes = array[:1].nbytes
        rows = array[start:stop].reshape(-1).view(np.uint8)
        for first in range(0, len(rows), CHUNK_BYTES):
            data = rows[first : first + CHUNK_BYTES].tobytes()
            _call(self._depot.write_array, target, start * row_bytes + first, data)

    def _folder(self, source: Path, target: Path) -> Path:
        """A copy of a folder, made by one worker of the node and used by all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.with_name(f".{target.name}.lock")):
            if target.is_dir():
                return target
            draft = target.with_name(f".{target.name}.tmp")
            shutil.rmtree(draft, ignore_errors=True)  # of a worker that died over it
            draft.mkdir()
            for name, size, _ in _call(self._depot.stamps, source):
                self._copy(source / name, size, draft / name)
            draft.rename(target)
        return target

    def _copy(self, source: Path, size: int, target: Path) -> None:
        with target.open("wb") as file:
            for start in range(0, size, CHUNK_BYTES):
                file.write(_call(self._depot.read, source, start))


@dataclass(frozen=True)
class DistantBank(Bank):
    """A bank whose entries are fetched when they are read, and sent back when they are made."""

    _: KW_ONLY
    origin: Bank  # the job's own, whose files the depot sees
    depot: Any

    def missing(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Those that the job's own bank lacks."""
        wanted = list(pairs)
        present = _call(self.depot.present, [self.origin.path(*pair) for pair in wanted])
        return [pair for pair, is_there in zip(wanted, present, strict=True) if not is_there]

    def write(self, layer: str, option: Banked, quantized: CompressedWeight, errors: EntryErrors) -> None:
        super().write(layer, option, quantized, errors)
        _call(self.depot.write, self.origin.path(layer, option), self.path(layer, option).read_bytes())

    def read(self, layer: str, option: Banked) -> CompressedWeight:
        path = self.path(layer, option)
        if not path.exists():
            source = self.origin.path(layer, option)
            if _call(self.depot.present, [source])[0]:
                write_whole(path, _call(self.depot.read, source, 0, -1))
        return super().read(layer, option)


def node_cache() -> Path:
    """Where this node keeps what it fetched: ``$LAYERPRESS_NODE_CACHE``, or a folder of this user beside other
    temporary files."""
    asked = os.environ.get(NODE_CACHE_VARIABLE)
    folder = Path(asked) if asked else Path(tempfile.gettempdir()) / f"layerpress-node-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; set {NODE_CACHE_VARIABLE} to a folder of your own")
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _call(method: Any, *arguments: object) -> Any:
    """The depot's answer."""
    import ray

    return ray.get(method.remote(*arguments))
