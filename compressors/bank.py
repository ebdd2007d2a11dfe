"""The bank: compressed weights of one model, one safetensors file for each (layer, option), named by content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from compressors.compressed import CompressedWeight
from compressors.entry import DamagedError, Header, decode, encode, read_header, write_whole
from compressors.measure import EntryErrors
from compressors.solvers import foreign_codes, solver_version
from spaces.errors import InputError, JobError
from spaces.option import Banked

Pair = tuple[str, Banked]  # a layer's name and an option

_KEY_CHARACTERS = 16  # of a hash, in names: 64 bits


@dataclass(frozen=True)
class Bank:
    """The entries of one model, one calibration text and one propagation, under ``root``.

    An entry's name carries a hash of all that its content depends on, so an entry is never stale and never
    changed: several processes may build and read one bank at once, and whoever writes last writes the same.
    """

    root: Path
    _: KW_ONLY
    model: str  # hash of its weights and settings
    calibration: str  # hash of the calibration token ids
    propagate: str  # "dense", or say "quantized:gptq-int3-g128-asym"
    dtype: str = "float32"  # that the model is read in: its weights are rounded to it, and its activations
    # of solvers whose code is not ours, the release that the entries are made by: see `solvers.foreign_codes`
    codes: tuple[tuple[str, str], ...] = field(default_factory=foreign_codes)

    def key(self, layer: str, option: Banked) -> str:
        """The hash of all that the entry's content depends on."""
        name = (layer, option.slug)
        if name not in self._keys:
            self._keys[name] = self._hash(layer, option)
        return self._keys[name]

    @cached_property
    def _keys(self) -> dict[tuple[str, str], str]:
        """Of the entries asked for so far: each candidate asks for one entry of every layer."""
        return {}

    def _hash(self, layer: str, option: Banked) -> str:
        parts = {
            "model": self.model,
            "dtype": self.dtype,
            "calibration": self.calibration,
            "propagate": self.propagate,
            "layer": layer,
            "option": option.slug,
            "solver": option.solver,
            "solver_version": solver_version(option.solver),
        }
        code = dict(self.codes).get(option.solver)
        if code is not None:  # the keys of our own solvers are without it
            parts["code"] = code
        return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def path(self, layer: str, option: Banked) -> Path:
        """Where the entry is, or will be.

        Raises:
            InputError: the layer's name could lead out of the bank's folder.
        """
        if not re.fullmatch(r"\w[\w.-]*", layer):
            raise InputError(f"a layer's name must be of letters, digits, '_', '-' and '.', got {layer!r}; rename it")
        name = f"{option.slug}-{self.key(layer, option)[:_KEY_CHARACTERS]}.safetensors"
        return self.root / self.model[:_KEY_CHARACTERS] / layer / name

    def missing(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Those of ``pairs`` that are absent or damaged; what is left of the latter is deleted.

        Reads headers and lengths only: a damaged payload shows when it is read.
        """
        return [pair for pair in pairs if not self._is_whole(self.path(*pair))]

    def write(self, layer: str, option: Banked, compressed: CompressedWeight, errors: EntryErrors) -> None:
        """Store one entry; it appears whole or not at all.

        Raises:
            JobError: the disk is full, the folder cannot be written, or the entry was made by another release of
                foreign code than this bank's.
        """
        self._check_code(option.solver)
        write_whole(self.path(layer, option), encode(layer, option, compressed, errors))

    def _check_code(self, solver: str) -> None:
        """Two machines of a cluster may have other packages installed."""
        wanted, found = (dict(codes).get(solver) for codes in (self.codes, foreign_codes()))
        if wanted != found:
            raise JobError(
                f"this bank's {solver} entries must be made by {wanted or 'no package'}, got {found or 'no package'}; "
                f"install the same release on every machine"
            )

    def read(self, layer: str, option: Banked) -> CompressedWeight:
        """Load one entry to the CPU and check every byte of it.

        Raises:
            JobError: it is absent, or damaged; a damaged file is deleted, so that the next build renews it.
        """
        path = self.path(layer, option)
        try:
            return decode(path.read_bytes(), layer, option)
        except (FileNotFoundError, DamagedError) as error:
            _refuse(path, error)

    def errors(self, layer: str, option: Banked) -> EntryErrors:
        """The errors measured when the entry was made; reads only the file's header, and raises as `read` does."""
        return self._header((layer, option)).errors

    def size_bytes(self, pairs: Iterable[Pair]) -> int:
        """The bytes of what they store, without the files' headers; raises as `read` does."""
        return sum(self._header(pair).payload_bytes for pair in pairs)

    def file_bytes(self, pairs: Iterable[Pair]) -> int:
        """The bytes of the entries' files, headers included; raises as `read` does."""
        return sum(self._header(pair).file_bytes for pair in pairs)

    def _header(self, pair: Pair) -> Header:
        path = self.path(*pair)
        try:
            return read_header(path)
        except (FileNotFoundError, DamagedError) as error:
            _refuse(path, error)

    @staticmethod
    def _is_whole(path: Path) -> bool:
        try:
            read_header(path)
        except FileNotFoundError:
            return False
        except DamagedError:
            path.unlink(missing_ok=True)
            return False
        return True


def _refuse(path: Path, error: FileNotFoundError | DamagedError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise JobError(f"the bank has no entry {path}; build it first") from error
    path.unlink(missing_ok=True)
    raise JobError(f"bank entry {path} was damaged and is deleted: {error}; run the job again") from error
