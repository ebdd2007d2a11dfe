"""What a job's measurements stand on: the bank's entries and the dense model's logits, made by all workers together."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import psutil

from evaluators.dense import DenseLogits, commit
from evaluators.evaluator import batch_sequences
from search.engine.plan import Plan
from search.engine.pool import PATIENT_ATTEMPTS, Pool, Task
from search.engine.worker import Text
from spaces.errors import JobError
from spaces.option import Banked

DENSE_PIECE_BATCHES = 4  # batches of one dense-logits task

Entries = Mapping[str, tuple[Banked, ...]]  # layer name -> the options wanted


class Show(Protocol):
    """Tells whoever watches the job what changed."""

    def __call__(self, **changes: object) -> None: ...


def build_missing(plan: Plan, entries: Entries, pool: Pool, show: Show) -> None:
    """Build the entries that the bank lacks.

    Raises:
        InputError, JobError: as ``compressors.build.build_bank``; finished entries are kept.
    """
    missing = plan.bank.missing((layer, option) for layer, options in entries.items() for option in options)
    if not missing:
        return
    show(label="calibrating", total=len(missing), unit="entries")
    shares = _shares(plan, entries, {name for name, _ in missing}, max(1, pool.num_workers))
    tasks = [
        Task(method="build", arguments=({name: entries[name] for name in share},), max_attempts=PATIENT_ATTEMPTS)
        for share in shares
    ]
    for finished in pool.run(tasks):
        if finished is not None and finished.error is not None:
            raise JobError(f"the bank could not be built: {finished.error}; finished entries are kept")
        done = len(missing) - len(plan.bank.missing(missing))
        show(done=done, label="calibrating" if done == 0 else "quantizing")


def _shares(plan: Plan, entries: Entries, missing: set[str], num_workers: int) -> list[list[str]]:
    """The layers of each worker: consecutive blocks, fewer of them the later they come.

    Behind quantized blocks, where each block waits for the one before, one worker does it all.
    """
    if plan.propagate is not None:
        return [list(entries)]
    anatomy = plan.problem.space.anatomy
    bounds = balanced_bounds(len(anatomy.blocks), num_workers)
    shares: list[list[str]] = [[] for _ in pairwise(bounds)]
    for name in missing:
        layer = anatomy.find(name)
        block = None if layer is None else layer.block
        # what stands outside the blocks, lm_head, comes behind them all
        share = -1 if block is None else next(n for n, last in enumerate(bounds[1:]) if block < last)
        shares[share].append(name)
    return [share for share in shares if share]


def balanced_bounds(num_blocks: int, num_workers: int) -> list[int]:
    """Block bounds 0 = b0 < b1 < ... = num_blocks, so that workers finish together.

    A worker that calibrates blocks a to b runs b blocks and calibrates b - a, each at about the cost of one block.
    """
    for limit in range(num_blocks + 1, 2 * num_blocks):  # the time of the slowest worker, in blocks
        bounds = [0]
        while bounds[-1] < num_blocks and len(bounds) <= num_workers:
            furthest = (limit + bounds[-1]) // 2  # the largest b with b + (b - a) <= limit
            bounds.append(min(num_blocks, max(bounds[-1] + 1, furthest)))
        if bounds[-1] == num_blocks:
            return bounds
    return [0, num_blocks]


def keep_dense(plan: Plan, text: Text, pool: Pool, show: Show) -> DenseLogits:
    """The dense model's logits of one text: found on disk, or computed and kept.

    Raises:
        InputError: the dense model itself gives NaN or infinite logits.
        JobError: the disk is full.
    """
    folder, stream = plan.dense_folder(text), plan.streams[text]
    kept = DenseLogits.open(folder)
    if kept is not None:
        return kept
    _remove_abandoned(folder)
    draft = folder.with_name(f".{folder.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    DenseLogits.create(draft, plan.layouts[text], num_sequences=stream.num_sequences, length=stream.length)
    pieces = list(_pieces(stream.num_sequences, batch_sequences(stream.length) * DENSE_PIECE_BATCHES))
    tasks = [
        Task(method="write_dense", arguments=(text, draft, start, stop), max_attempts=PATIENT_ATTEMPTS)
        for start, stop in pieces
    ]
    done = 0
    show(label=f"dense logits of the {text} text", done=0, total=stream.num_tokens, unit="tokens")
    try:
        for finished in pool.run(tasks):
            if finished is not None:
                if finished.error is not None:
                    raise JobError(f"the dense model could not be run: {finished.error}")
                start, stop = pieces[finished.index]
                done += (stop - start) * stream.length
            show(done=done)
        return commit(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _pieces(total: int, step: int) -> Iterator[tuple[int, int]]:
    yield from ((start, min(start + step, total)) for start in range(0, total, step))


def _remove_abandoned(folder: Path) -> None:
    """Drafts of processes of this machine that are no more (kill -9); those of the living are left to them."""
    for draft in folder.parent.glob(f".{folder.name}.{socket.gethostname()}.*.tmp"):
        if not psutil.pid_exists(int(draft.name.split(".")[-2])):
            shutil.rmtree(draft, ignore_errors=True)
