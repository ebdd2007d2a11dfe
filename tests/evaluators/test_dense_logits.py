"""Dense logits on disk: layouts within a limit, comparison with a float64 oracle, sharing, damage, a full disk."""

from __future__ import annotations

import json
import math
import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from evaluators.dense import METADATA, DenseLogits, commit
from evaluators.dense_layout import Layout, choose_layout
from spaces.errors import InputError, JobError

SEQUENCES, LENGTH, VOCAB = 6, 10, 80
FULL = Layout(kind="full", vocab_size=VOCAB, num_kept=VOCAB)
TOP_32 = Layout(kind="top-k", vocab_size=VOCAB, num_kept=32)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits(seed: int) -> Tensor:
    return 3 * torch.randn(SEQUENCES, LENGTH, VOCAB, generator=seeded(seed))


def text() -> Tensor:
    return torch.randint(0, VOCAB, (SEQUENCES, LENGTH), generator=seeded(9))


def written(folder: Path, layout: Layout, dense: Tensor) -> DenseLogits:
    made = DenseLogits.create(folder / "temporary", layout, num_sequences=SEQUENCES, length=LENGTH)
    made.write(0, dense, text())
    return commit(folder / "temporary", folder / "final")


def kl_oracle(dense: Tensor, candidate: Tensor) -> Tensor:
    log_p, log_q = dense.double().log_softmax(-1), candidate.double().log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean(-1)


def nll_oracle(values: Tensor, tokens: Tensor) -> list[float]:
    """A plain loop over the positions that have a next token."""
    log_q = values.double().log_softmax(-1)
    steps = tokens.shape[1] - 1
    return [
        -sum(log_q[row, at, tokens[row, at + 1]].item() for at in range(steps)) / steps for row in range(len(tokens))
    ]


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Makes the system refuse larger files, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_layout_is_full_where_it_fits_to_the_byte() -> None:
    assert choose_layout(100, 4096, 100 * 4096 * 4).kind == "full"
    assert choose_layout(100, 4096, 100 * 4096 * 4 - 1).kind == "top-k"


@pytest.mark.parametrize("limit_bytes", [13_200, 13_201, 26_000, 26_100, 1_000_000, 1_638_399])
def test_layout_keeps_the_largest_k_that_fits(limit_bytes: int) -> None:
    layout = choose_layout(100, 4096, limit_bytes)
    fitting = [k for k in range(16, 4097, 16) if 100 * (8 * k + 4) <= limit_bytes]
    assert layout == Layout(kind="top-k", vocab_size=4096, num_kept=fitting[-1])


@pytest.mark.parametrize(("vocab_size", "needed"), [(4096, 13_200), (8, 3_200)])
def test_layout_refuses_a_limit_below_the_smallest(vocab_size: int, needed: int) -> None:
    with pytest.raises(InputError, match=rf"100 tokens need at least {needed} bytes, and the limit is {needed - 1}"):
        choose_layout(100, vocab_size, needed - 1)
    choose_layout(100, vocab_size, needed)  # which is true


@pytest.mark.parametrize("layout", [FULL, TOP_32])
def test_files_take_what_the_layout_says(tmp_path: Path, layout: Layout) -> None:
    made = DenseLogits.create(tmp_path / "new", layout, num_sequences=SEQUENCES, length=LENGTH)
    size = sum(file.stat().st_size for file in (tmp_path / "new").iterdir())
    assert made.extent.size_bytes == SEQUENCES * LENGTH * layout.bytes_per_token
    assert 0 <= size - made.extent.size_bytes < 2000


def test_compare_equals_float64_per_sequence(tmp_path: Path) -> None:
    dense, candidate = logits(0), logits(0) + 0.1 * logits(1)
    kl, nll = written(tmp_path, FULL, dense).compare(0, candidate, text())
    assert kl.dtype == nll.dtype == torch.float64
    torch.testing.assert_close(kl, kl_oracle(dense, candidate), rtol=1e-5, atol=0)
    assert nll.tolist() == pytest.approx(nll_oracle(candidate, text()), rel=1e-6)


def test_compare_of_a_range_is_that_range_of_the_whole(tmp_path: Path) -> None:
    candidate = logits(1)
    opened = written(tmp_path, FULL, logits(0))
    kl, nll = opened.compare(0, candidate, text())
    part_kl, part_nll = opened.compare(2, candidate[2:5], text()[2:5])
    torch.testing.assert_close(part_kl, kl[2:5], rtol=1e-6, atol=0)
    torch.testing.assert_close(part_nll, nll[2:5], rtol=1e-6, atol=0)


def test_compare_with_top_k_never_overstates_and_keeps_the_loss(tmp_path: Path) -> None:
    dense, candidate = logits(0), logits(0) + 0.3 * logits(1)
    kl, nll = written(tmp_path, TOP_32, dense).compare(0, candidate, text())
    exact = kl_oracle(dense, candidate)
    assert (kl < exact).all()
    assert (kl > 0.5 * exact).all()  # 32 of 80 hold most of the mass
    assert nll.tolist() == pytest.approx(nll_oracle(candidate, text()), rel=1e-6)


@pytest.mark.parametrize("layout", [FULL, TOP_32])
def test_the_dense_model_compared_with_itself(tmp_path: Path, layout: Layout) -> None:
    opened = written(tmp_path, layout, logits(0))
    kl, nll = opened.compare(0, logits(0), text())
    assert kl.max() < 1e-9
    assert opened.nll == pytest.approx(nll.numpy(), rel=1e-6)
    assert opened.nll.tolist() == pytest.approx(nll_oracle(logits(0), text()), rel=1e-6)


def test_accepts_logits_made_in_inference_mode_and_in_half_precision(tmp_path: Path) -> None:
    opened = written(tmp_path, FULL, logits(0))
    with torch.inference_mode():
        candidate = logits(1).bfloat16()
    kl, nll = opened.compare(0, candidate, text())
    torch.testing.assert_close(kl, kl_oracle(logits(0), candidate), rtol=1e-5, atol=0)
    assert nll.tolist() == pytest.approx(nll_oracle(candidate, text()), rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_candidate_that_breaks_has_no_value_in_that_sequence(tmp_path: Path, bad: float) -> None:
    candidate = logits(1)
    candidate[3, LENGTH - 1, 0] = bad  # the last position, which predicts no token of the sequence
    kl, nll = written(tmp_path, FULL, logits(0)).compare(0, candidate, text())
    assert kl.isnan().tolist() == nll.isnan().tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_a_dense_model_that_breaks(tmp_path: Path, bad: float) -> None:
    made = DenseLogits.create(tmp_path / "new", FULL, num_sequences=SEQUENCES, length=LENGTH)
    dense = logits(0)
    dense[1, 4, 7] = bad
    with pytest.raises(InputError, match="NaN or infinite logits in sequences 0 to 5"):
        made.write(0, dense, text())


def test_reading_changes_no_file(tmp_path: Path) -> None:
    opened = written(tmp_path, FULL, logits(0))
    before = (tmp_path / "final" / "logits.npy").read_bytes()
    opened.compare(0, logits(1), text())
    assert (tmp_path / "final" / "logits.npy").read_bytes() == before


def write_range(folder: Path, first: int, stop: int) -> None:
    torch.set_num_threads(1)
    DenseLogits.attach(folder).write(first, logits(0)[first:stop], text()[first:stop])


def test_several_processes_write_disjoint_ranges(tmp_path: Path) -> None:
    DenseLogits.create(tmp_path / "temporary", FULL, num_sequences=SEQUENCES, length=LENGTH)
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_range, args=(tmp_path / "temporary", at, at + 3)) for at in (0, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    kl, _ = commit(tmp_path / "temporary", tmp_path / "final").compare(0, logits(1), text())
    torch.testing.assert_close(kl, kl_oracle(logits(0), logits(1)), rtol=1e-5, atol=0)


def test_commit_refuses_what_is_not_whole_and_goes_on_later(tmp_path: Path) -> None:
    made = DenseLogits.create(tmp_path / "temporary", FULL, num_sequences=SEQUENCES, length=LENGTH)
    made.write(0, logits(0)[:4], text()[:4])
    with pytest.raises(JobError, match=r"2 of 6 sequences in .* have no dense logits, the first is 4"):
        commit(tmp_path / "temporary", tmp_path / "final")
    made.write(4, logits(0)[4:], text()[4:])
    commit(tmp_path / "temporary", tmp_path / "final")
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_the_second_commit_under_a_name_reads_the_first(tmp_path: Path) -> None:
    written(tmp_path, FULL, logits(0))
    second = written(tmp_path, FULL, logits(1))
    kl, _ = second.compare(0, logits(0), text())
    assert kl.max() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


@pytest.mark.parametrize("name", ["logits.npy", "nll.npy", METADATA])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_files_are_made_again(tmp_path: Path, name: str, keep: float) -> None:
    written(tmp_path, FULL, logits(0))
    damaged = tmp_path / "final" / name
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(keep * len(content))])
    assert DenseLogits.open(tmp_path / "final") is None
    kl, _ = written(tmp_path, FULL, logits(0)).compare(0, logits(0), text())
    assert kl.max() == 0


def test_metadata_of_another_version_or_shape_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path, FULL, logits(0))
    metadata = tmp_path / "final" / METADATA
    fields = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(fields | {"version": 0}))
    assert DenseLogits.open(tmp_path / "final") is None
    metadata.write_text(json.dumps(fields | {"length": LENGTH + 1}))
    assert DenseLogits.open(tmp_path / "final") is None
    assert "not of version 1" in caplog.text
    assert "not <f4 (6, 11, 80)" in caplog.text


def test_missing_and_unfinished_files_are_not_read(tmp_path: Path) -> None:
    assert DenseLogits.open(tmp_path / "nothing") is None
    DenseLogits.create(tmp_path / "new", FULL, num_sequences=SEQUENCES, length=LENGTH)
    assert DenseLogits.open(tmp_path / "new") is None


def test_no_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"cannot keep 320000000000000000 bytes .*new: .*the disk has \d+ bytes free"):
        DenseLogits.create(tmp_path / "new", FULL, num_sequences=10**12, length=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path: Path) -> None:
    with file_size_limit(10_000), pytest.raises(JobError, match=r"cannot keep 19200 bytes .*new: .*File too large"):
        DenseLogits.create(tmp_path / "new", FULL, num_sequences=SEQUENCES, length=LENGTH)
    assert list(tmp_path.iterdir()) == []


def test_blocks_are_claimed_at_once(tmp_path: Path) -> None:
    layout = Layout(kind="full", vocab_size=4096, num_kept=4096)
    DenseLogits.create(tmp_path / "new", layout, num_sequences=4, length=64)
    status = (tmp_path / "new" / "logits.npy").stat()
    assert status.st_blocks * 512 >= status.st_size  # no hole that a full disk could turn into a crash


def test_refuses_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    with pytest.raises(JobError, match="holds files already"):
        DenseLogits.create(tmp_path, FULL, num_sequences=SEQUENCES, length=LENGTH)
    assert (tmp_path / "other").read_text() == "mine"


@pytest.mark.parametrize(("num_sequences", "length"), [(6, 1), (0, 10)])
def test_refuses_sequences_without_a_next_token(tmp_path: Path, num_sequences: int, length: int) -> None:
    with pytest.raises(InputError, match=f"got {num_sequences} of {length}"):
        DenseLogits.create(tmp_path / "new", FULL, num_sequences=num_sequences, length=length)


def test_refuses_logits_of_another_vocabulary_length_or_range(tmp_path: Path) -> None:
    opened = written(tmp_path, FULL, logits(0))
    with pytest.raises(InputError, match=r"logits \(6, 10, 79\) .* \(6, 10, 80\)"):
        opened.compare(0, logits(1)[..., :-1], text())
    with pytest.raises(InputError, match=r"of tokens \(6, 9\)"):
        opened.compare(0, logits(1), text()[:, 1:])
    with pytest.raises(InputError, match="sequences 3 to 9 are not among the 6"):
        opened.compare(3, logits(1), text())


def test_describe_says_what_was_kept(tmp_path: Path) -> None:
    assert written(tmp_path, FULL, logits(0)).describe() == "full logits over 80 tokens"
    bounded = DenseLogits.create(tmp_path / "new", TOP_32, num_sequences=1, length=4)
    assert bounded.describe() == "top-32 of 80 logits with the tail's mass in one bucket; never overstates the KL"


def test_metadata_survives_a_round_trip(tmp_path: Path) -> None:
    made = DenseLogits.create(tmp_path / "new", TOP_32, num_sequences=SEQUENCES, length=LENGTH)
    assert DenseLogits.attach(tmp_path / "new").extent == made.extent
    assert np.isnan(made.nll).all()
