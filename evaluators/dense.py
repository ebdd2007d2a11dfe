"""The dense model's logits, computed once and kept on disk within a limit, for every worker to compare with.

Axes: ``N`` sequences, ``S`` tokens in each, ``V`` vocabulary, ``K`` tokens of the vocabulary kept, ``B`` a batch.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluators.dense_layout import Extent, Layout
from evaluators.divergence import Comparison, compare_full, compare_top_k, log_normalizer, truncate
from spaces.errors import InputError, JobError

logger = logging.getLogger(__name__)

METADATA = "metadata.json"


class DenseLogits:
    """Logits of the dense model in memory-mapped files, whose pages all processes of a machine share.

    They are made in a temporary folder: one process calls ``create``, any number ``attach`` and ``write``
    disjoint ranges of sequences, and one calls ``commit`` when all have.
    """

    def __init__(self, folder: Path, extent: Extent, mode: Literal["r+", "c"]) -> None:
        self.folder = folder
        self.extent = extent
        self._arrays = {
            name: _map(folder / f"{name}.npy", dtype, shape, mode) for name, (dtype, shape) in extent.arrays().items()
        }

    @classmethod
    def create(cls, folder: Path, layout: Layout, *, num_sequences: int, length: int) -> DenseLogits:
        """Allocate the files in ``folder``, which is new or empty.

        Raises:
            InputError: the sequences are too short to have a next token.
            JobError: the folder is in use, or the disk has no room; nothing is left behind.
        """
        if length < 2 or num_sequences < 1:
            raise InputError(
                f"dense logits need at least 1 sequence of 2 tokens, got {num_sequences} of {length}; "
                f"ask for longer or more sequences"
            )
        extent = Extent(layout=layout, num_sequences=num_sequences, length=length)
        _allocate(folder, extent)
        created = cls(folder, extent, "r+")
        created._arrays["nll"][:] = np.nan  # until it is written
        return created

    @classmethod
    def attach(cls, folder: Path) -> DenseLogits:
        """Open files under construction, to write to them."""
        return cls(folder, Extent.from_json((folder / METADATA).read_text("utf-8")), "r+")

    @classmethod
    def open(cls, folder: Path) -> DenseLogits | None:
        """Open finished files to read; None if they are missing, damaged or unfinished and must be made again."""
        if not folder.exists():
            return None
        try:
            opened = cls(folder, Extent.from_json((folder / METADATA).read_text("utf-8")), "c")
            opened._check_whole()
        except (OSError, ValueError, KeyError, TypeError, JobError) as error:
            logger.warning("dense logits in %s cannot be used and will be made again: %s", folder, error)
            return None
        return opened

    def describe(self) -> str:
        """The words for the report."""
        return self.extent.layout.describe()

    @property
    def nll(self) -> NDArray[np.float64]:
        """The dense model's own loss on each sequence (N,), nats per next token."""
        return np.array(self._arrays["nll"])

    def write(
        self,
        first: int,
        logits: Tensor,  # (B, S, V)
        tokens: Tensor,  # (B, S)
    ) -> None:
        """Keep the dense model's logits of the sequences from ``first`` on.

        Raises:
            InputError: a logit is NaN or +inf, or the shapes are not those of ``create``.
        """
        rows = self._rows(first, logits, tokens)
        normalizer = log_normalizer(logits.flatten(0, 1))
        if not normalizer.isfinite().all():
            raise InputError(
                f"the dense model gives NaN or infinite logits in sequences {first} to {rows.stop - 1}; "
                f"check its weights, or evaluate in float32"
            )
        for name, values in self._truncated(logits).items():
            self._arrays[name][rows] = values.reshape(self._arrays[name][rows].shape).numpy(force=True)
        self._arrays["nll"][rows] = _next_token_loss(logits, tokens, normalizer).numpy(force=True)

    def compare(
        self,
        first: int,
        logits: Tensor,  # (B, S, V)
        tokens: Tensor,  # (B, S)
    ) -> tuple[Tensor, Tensor]:  # kl (B,), nll (B,), float64 on the device of logits
        """Compare a candidate's logits of the sequences from ``first`` on: means over each sequence, in nats.

        ``kl`` averages over all ``S`` positions, ``nll`` over the ``S - 1`` that have a next token.
        Both are NaN for a sequence with a NaN or infinite logit.
        """
        comparison = self._compare_tokens(self._rows(first, logits, tokens), logits.flatten(0, 1))
        kl = comparison.kl.reshape(tokens.shape).mean(dim=1)
        nll = _next_token_loss(logits, tokens, comparison.log_normalizer)
        return kl, nll.masked_fill(kl.isnan(), torch.nan)

    def _truncated(self, logits: Tensor) -> dict[str, Tensor]:
        if self.extent.layout.kind == "full":
            return {"logits": logits.float()}
        indices, kept, tail = truncate(logits.flatten(0, 1), self.extent.layout.num_kept)
        return {"indices": indices, "kept": kept, "tail": tail}

    def _compare_tokens(self, rows: slice, candidate: Tensor) -> Comparison:  # candidate (B S, V)
        if self.extent.layout.kind == "full":
            return compare_full(self._tokens("logits", rows), candidate)
        indices, kept, tail = (self._tokens(name, rows) for name in ("indices", "kept", "tail"))
        return compare_top_k(indices, kept, tail, candidate)

    def _tokens(self, name: str, rows: slice) -> Tensor:  # (B S, ...)
        return torch.from_numpy(self._arrays[name][rows]).flatten(0, 1)

    def _rows(self, first: int, logits: Tensor, tokens: Tensor) -> slice:
        stop = first + len(logits)
        expected = (len(logits), self.extent.length, self.extent.layout.vocab_size)
        if tuple(logits.shape) != expected or tokens.shape != logits.shape[:2]:
            raise InputError(
                f"logits {tuple(logits.shape)} of tokens {tuple(tokens.shape)} do not match the dense model's, "
                f"{expected}; compare on the same text and vocabulary"
            )
        if not 0 <= first < stop <= self.extent.num_sequences:
            raise InputError(
                f"sequences {first} to {stop} are not among the {self.extent.num_sequences} whose dense "
                f"logits are kept; ask for fewer tokens"
            )
        return slice(first, stop)

    def _check_whole(self) -> None:
        missing = np.flatnonzero(np.isnan(self._arrays["nll"]))
        if missing.size:
            raise JobError(
                f"{missing.size} of {self.extent.num_sequences} sequences in {self.folder} have no dense logits, "
                f"the first is {missing[0]}; write them and commit again"
            )


def commit(temporary: Path, final: Path) -> DenseLogits:
    """Publish files that are whole under their final name, and open them to read.

    Of several processes that publish under one name the first wins, and all read its files.

    Raises:
        JobError: a sequence was not written, or the disk failed.
    """
    DenseLogits.attach(temporary)._check_whole()
    try:
        for file in temporary.iterdir():
            _flush(file)  # a power cut after the rename then finds no hole
        final.parent.mkdir(parents=True, exist_ok=True)
        _publish(temporary, final)
    except OSError as error:
        raise JobError(f"cannot keep dense logits as {final}: {error}; check the disk") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    opened = DenseLogits.open(final)
    if opened is None:
        raise JobError(f"dense logits in {final} were damaged while they were published; run the job again")
    return opened


def _publish(temporary: Path, final: Path) -> None:
    try:
        temporary.rename(final)
    except OSError:  # the name is taken: by whole files, or by damaged ones
        if DenseLogits.open(final) is None:
            shutil.rmtree(final, ignore_errors=True)
            temporary.rename(final)


def _next_token_loss(
    logits: Tensor,  # (B, S, V)
    tokens: Tensor,  # (B, S)
    normalizer: Tensor,  # (B S,) float64
) -> Tensor:  # (B,) float64
    labels = tokens[:, 1:, None].to(device=logits.device, dtype=torch.int64)
    chosen = logits[:, :-1].gather(2, labels).squeeze(2).double()
    return (normalizer.reshape(tokens.shape)[:, :-1] - chosen).mean(dim=1)


def _map(path: Path, dtype: str, shape: tuple[int, ...], mode: Literal["r+", "c"]) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.open_memmap(path, mode=mode)
    header = path.stat().st_size - array.nbytes
    if array.dtype.str != dtype or array.shape != shape or header > 1024:
        raise ValueError(f"{path} holds {array.dtype.str} {array.shape}, not {dtype} {shape}")
    return array


def _allocate(folder: Path, extent: Extent) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise JobError(f"{folder} holds files already; remove it, or make dense logits in another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, extent.size_bytes)
        for name, (dtype, shape) in extent.arrays().items():
            _reserve(folder / f"{name}.npy", dtype, shape)
        (folder / METADATA).write_text(extent.to_json(), "utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise JobError(
            f"cannot keep {extent.size_bytes} bytes of dense logits in {folder}: {error}; "
            f"free some space, lower the memory limit or ask for fewer tokens"
        ) from error


def _check_room(folder: Path, size_bytes: int) -> None:
    """Refuse at once what cannot fit: claiming blocks until none is left would starve others on the disk."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise OSError(errno.ENOSPC, f"the disk has {free} bytes free")


def _reserve(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """Write an array's header and claim its blocks, so that a full disk is an error now and not a SIGBUS later."""
    with path.open("wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        size = file.tell() + np.dtype(dtype).itemsize * math.prod(shape)
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):  # Linux
            os.posix_fallocate(file.fileno(), 0, size)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
