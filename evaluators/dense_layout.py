"""What is kept of the dense model's logits: all of them, or the largest, so that they fit a limit."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from spaces.errors import InputError

VERSION = 1  # of the files: another version is rebuilt
K_STEP = 16  # K is a multiple of this, and at least this
FLOAT_BYTES = 4
ENTRY_BYTES = 8  # of one kept token: int32 index and float32 logit


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What is kept of each token's logits: all of them, or the ``num_kept`` largest and the mass of the others."""

    kind: Literal["full", "top-k"]
    vocab_size: int
    num_kept: int

    @property
    def bytes_per_token(self) -> int:
        if self.kind == "full":
            return FLOAT_BYTES * self.vocab_size
        return ENTRY_BYTES * self.num_kept + FLOAT_BYTES

    def describe(self) -> str:
        """The words for the report."""
        if self.kind == "full":
            return f"full logits over {self.vocab_size} tokens"
        return (
            f"top-{self.num_kept} of {self.vocab_size} logits with the tail's mass in one bucket; "
            f"never overstates the KL"
        )


def choose_layout(num_tokens: int, vocab_size: int, limit_bytes: int) -> Layout:
    """Keep all the logits of ``num_tokens`` if ``limit_bytes`` holds them, else as many of each as it holds.

    Raises:
        InputError: the limit holds not even the smallest layout.
    """
    full = Layout(kind="full", vocab_size=vocab_size, num_kept=vocab_size)
    if num_tokens * full.bytes_per_token <= limit_bytes:
        return full
    num_kept = (limit_bytes // num_tokens - FLOAT_BYTES) // ENTRY_BYTES // K_STEP * K_STEP
    if num_kept < K_STEP:
        needed = num_tokens * min(full.bytes_per_token, ENTRY_BYTES * K_STEP + FLOAT_BYTES)
        raise InputError(
            f"the dense model's logits of {num_tokens} tokens need at least {needed} bytes, and the limit is "
            f"{limit_bytes}; raise the memory limit or ask for fewer tokens"
        )
    return Layout(kind="top-k", vocab_size=vocab_size, num_kept=num_kept)


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How many sequences are kept, how long they are, and what of each token: the content of the metadata."""

    layout: Layout
    num_sequences: int
    length: int

    @property
    def size_bytes(self) -> int:
        """Of the logits; the files have a few hundred bytes more, and eight for each sequence."""
        return self.num_sequences * self.length * self.layout.bytes_per_token

    def arrays(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The type and shape of every file of numbers."""
        tokens = (self.num_sequences, self.length)
        arrays: dict[str, tuple[str, tuple[int, ...]]] = {"nll": ("<f8", (self.num_sequences,))}
        if self.layout.kind == "full":
            return arrays | {"logits": ("<f4", (*tokens, self.layout.vocab_size))}
        kept = (*tokens, self.layout.num_kept)
        return arrays | {"indices": ("<i4", kept), "kept": ("<f4", kept), "tail": ("<f4", tokens)}

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Extent:
        """Read what ``to_json`` wrote; anything else is a ValueError, KeyError or TypeError."""
        fields = json.loads(text)
        if fields.pop("version") != VERSION:
            raise ValueError(f"not of version {VERSION}")
        return cls(**(fields | {"layout": Layout(**fields["layout"])}))
