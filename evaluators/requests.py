"""How likely a model finds continuations of given contexts: what multiple-choice tasks measure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.evaluator import BATCH_TOKENS, Evaluator
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Banked

SAMPLE_REQUESTS = 32  # of one sample: few enough to spread over workers, and one row in the store for many


@dataclass(frozen=True, kw_only=True, eq=False)
class Requests:
    """Contexts, each with a continuation: plain arrays, so that they can be sent anywhere.

    ``tokens`` int64 (sum of lengths), one request after another, context before continuation; ``lengths`` int64
    (requests,) of both together; ``continuations`` int64 (requests,), how many tokens at the end are the continuation.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    continuations: np.ndarray

    @classmethod
    def of(cls, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Requests:
        """From the token ids of contexts and continuations, none of which is empty."""
        lengths = [(len(context) + len(continuation), len(continuation)) for context, continuation in pairs]
        return cls(
            tokens=np.fromiter(chain.from_iterable(chain(*pair) for pair in pairs), dtype=np.int64),
            lengths=np.asarray([whole for whole, _ in lengths], dtype=np.int64),
            continuations=np.asarray([continuation for _, continuation in lengths], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def key(self) -> str:
        """A hash of the exact tokens, and of where each request is divided."""
        digest = hashlib.sha256()
        for array in (self.lengths, self.continuations, self.tokens):
            digest.update(array.astype("<i8").tobytes())
        return digest.hexdigest()

    @property
    def num_tokens(self) -> int:
        """That a model reads: the last of each is only predicted."""
        return len(self.tokens) - len(self)

    @property
    def num_samples(self) -> int:
        return math.ceil(len(self) / SAMPLE_REQUESTS)

    def whole(self, number: int) -> np.ndarray:
        """The tokens of one request."""
        stop = int(self._stops[number])
        return self.tokens[stop - int(self.lengths[number]) : stop]

    def batches(self, numbers: range) -> Iterator[tuple[list[int], Tensor]]:
        """What is read of the requests of ``numbers``, all but their last tokens, in batches of like lengths.

        int64 (B, S): shorter ones end in zeros, which a causal model reads after all that counts. Which requests share
        a batch depends on ``numbers`` alone.
        """
        waiting = sorted(numbers, key=lambda number: (-self.lengths[number], number))
        while waiting:
            longest = int(self.lengths[waiting[0]]) - 1
            size = max(1, BATCH_TOKENS // longest)
            batch, waiting = waiting[:size], waiting[size:]
            tokens = torch.zeros(len(batch), longest, dtype=torch.int64)
            for row, number in enumerate(batch):
                tokens[row, : self.lengths[number] - 1] = torch.from_numpy(self.whole(number)[:-1])
            yield batch, tokens

    @cached_property
    def _stops(self) -> np.ndarray:
        stops: np.ndarray = np.cumsum(self.lengths)
        return stops


@dataclass(frozen=True, kw_only=True)
class RequestLikelihoods:
    """ln p(continuation | context) of requests under a configuration; a sample is ``SAMPLE_REQUESTS`` of them.

    ``log_likelihoods`` float64 (samples, SAMPLE_REQUESTS), in nats, summed in float32; ``are_greedy`` int64 of that
    shape, 1 where each token of the continuation is the likeliest. The last sample ends in zeros. Where the logits are
    NaN or infinite the likelihood is -inf, and not greedy: a broken candidate is data, not an exception.
    """

    name: ClassVar[str] = "request-likelihoods"
    version: ClassVar[int] = 1

    configuration: Configuration
    requests: str  # their key
    num_requests: int
    num_tokens: int

    def num_sequences(self, length: int) -> int:
        return 0

    def entries(self) -> tuple[Entry, ...]:
        return tuple((layer, option) for layer, option in self.configuration.options if isinstance(option, Banked))

    def passes(self, length: int) -> Passes:
        """A sample counts as the mean of all, rounded up."""
        return Passes(forward_tokens=math.ceil(self.num_tokens * SAMPLE_REQUESTS / self.num_requests))

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        requests = evaluator.requests.get(self.requests)
        if requests is None:
            raise JobError(f"the worker was not sent the requests {self.requests[:12]}; run the job again")
        likelihoods = np.zeros((stop - start, SAMPLE_REQUESTS))
        greedy = np.zeros((stop - start, SAMPLE_REQUESTS), dtype=np.int64)
        for row in range(stop - start):
            first = (start + row) * SAMPLE_REQUESTS
            batches = list(requests.batches(range(first, min(first + SAMPLE_REQUESTS, len(requests)))))
            each = evaluator.prefixes.logits_each([self.configuration], [tokens for _, tokens in batches])
            for _, place, logits in each:
                numbers, _ = batches[place]
                for line, number in enumerate(numbers):
                    stop_at, count = int(requests.lengths[number]) - 1, int(requests.continuations[number])
                    continuation = torch.from_numpy(requests.whole(number)[-count:])
                    found = _continued(logits[line, stop_at - count : stop_at], continuation)
                    likelihoods[row, number - first], greedy[row, number - first] = found
        return {"log_likelihoods": likelihoods, "are_greedy": greedy}


def _continued(logits: Tensor, tokens: Tensor) -> tuple[float, bool]:
    """The log-likelihood of ``tokens`` (S,) where ``logits`` (S, V) predict them, and whether each is the likeliest."""
    wide = logits.float()
    chosen = tokens.to(wide.device)
    each = torch.log_softmax(wide, dim=-1).gather(1, chosen[:, None])
    likelihood = float(each.sum())
    if not math.isfinite(likelihood):
        return -math.inf, False
    return likelihood, bool((wide.argmax(-1) == chosen).all())
