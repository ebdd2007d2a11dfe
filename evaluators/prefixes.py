"""Forward passes of many configurations, each from the first block in which it differs from one that ran before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import blake2b

from torch import Tensor

from evaluators.live import LiveModel
from evaluators.memory import Memory
from evaluators.resume import Start, forward, state_bytes
from evaluators.trie import Route, route, shares, walk
from spaces.configuration import Configuration

MEMORY_BYTES = {"cpu": 1 << 30, "cuda": 4 << 30}  # of hidden states


class Prefixes:
    """Runs a live model, and keeps the hidden states through which other configurations pass too.

    The logits are those of whole forward passes: a block that runs reads what it would have read. Where a model does
    not allow that, every pass is a whole one. ``memory_bytes`` of states are kept, the least recently used forgotten
    first; with 0 nothing is shared.
    """

    def __init__(self, live: LiveModel, memory_bytes: int | None = None) -> None:
        self.live = live
        self.computed_tokens = 0.0  # so far: a block taken over is a fraction of a token, see ``trie.shares``
        self._shares = shares(live.anatomy)
        limit = MEMORY_BYTES[live.device.type] if memory_bytes is None else memory_bytes
        self._states: Memory[tuple[bytes, bytes], Tensor] = Memory(limit)  # by the tokens' hash and the route's node
        self._owner: object = None  # the state of the model that they belong to

    def logits_each(
        self,
        configurations: Sequence[Configuration],
        batches: Sequence[Tensor],  # (B, S) each
    ) -> Iterator[tuple[int, int, Tensor]]:
        """Yield (number of the configuration, number of the batch, logits (B, S, V)), in the order that shares most.

        Logits are in the model's dtype. Until the last has come nobody else may apply a configuration; the one that
        came last stays loaded.
        """
        can_share = self._can_share  # found out on the dense model, so before any is loaded
        routes = [route(each, self.live.anatomy) for each in configurations]
        turns = walk(routes)
        for together in self._groups(batches):
            for turn in turns:
                self.live.apply(configurations[turn.number])
                for place in together:
                    keep = turn.keep if can_share else 0
                    yield turn.number, place, self._logits(batches[place], routes[turn.number], keep)

    def _groups(self, batches: Sequence[Tensor]) -> Iterator[range]:
        """Batches that take turns under one configuration: half the memory is left to what was kept before them."""
        size = len(batches)
        if self._can_share and batches:
            route_bytes = self._token_bytes * len(self.live.anatomy.blocks) * max(each.numel() for each in batches)
            size = max(1, self._states.limit_bytes // (2 * route_bytes))
        yield from (range(first, min(first + size, len(batches))) for first in range(0, len(batches), max(1, size)))

    def _logits(self, tokens: Tensor, path: Route, keep: int) -> Tensor:
        """The logits of the configuration that is loaded, whose route is ``path``."""
        self._forget_another_models()
        text = blake2b(tokens.numpy(force=True).tobytes() + str(tuple(tokens.shape)).encode()).digest()
        start = self._furthest(text, path)
        depth = start.depth if start else 0
        logits, states = forward(self.live, tokens, start, keep)
        for number in reversed(range(depth, keep)):  # the first block's is used last: most others pass through it
            self._states.keep((text, path[number]), states[number], states[number].nbytes)
        self.computed_tokens += tokens.numel() * self._shares[depth]
        return logits

    def _furthest(self, text: bytes, path: Route) -> Start | None:
        """The deepest state on the route; all that lie on it count as used."""
        start = None
        for number in reversed(range(len(path))):
            state = self._states.get((text, path[number]))
            if state is not None and start is None:
                start = Start(depth=number + 1, state=state)
        return start

    def _forget_another_models(self) -> None:
        """States go with the weights that made them, and scores may disturb those by hand."""
        owner = (self.live.device, self.live.foreign_writes)
        if owner != self._owner:
            self._states.clear()
            self._owner = owner

    @property
    def _can_share(self) -> bool:
        return self._states.limit_bytes > 0 and self._token_bytes > 0

    @cached_property
    def _token_bytes(self) -> int:
        """Of one token's state; 0 where passes of this model cannot go on behind its blocks."""
        return state_bytes(self.live) or 0
