"""What the forward passes of several configurations have in common: the blocks up to the first that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.option import Drop, Keep

Route = tuple[bytes, ...]  # a hash for each block, of what is in it and in all that is computed before it

_HASH_BYTES = 16  # 128 bits: no two contents of a job's lifetime share one


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One configuration's place in a walk."""

    number: int  # the place of its route among those asked for
    keep: int  # leading blocks that the next turn has in common with it; all of them on the last


def route(configuration: Configuration, anatomy: Anatomy) -> Route:
    """The way of the hidden state through the blocks; what is kept dense or lies inside a dropped part leaves no mark.

    The head alone is no part of it, unless the embedding is the same matrix.
    """
    dropped = {name for name, option in configuration.options if isinstance(option, Drop)}
    contents: list[list[str]] = [[] for _ in range(1 + len(anatomy.blocks))]  # the first is what the blocks stand on
    for name, option in configuration.options:
        layer = anatomy.find(name)
        if layer is None or isinstance(option, Keep) or (dropped and dropped.intersection(layer.inside)):
            continue
        if layer.block is not None:
            contents[1 + layer.block].append(f"{name} {option.slug}")
        elif layer.is_lookup or _is_tied(anatomy):
            contents[0].append(f"{name} {option.slug}")
    return _chained(contents)


def num_shared(one: Route, other: Route) -> int:
    """Leading blocks that two routes have in common."""
    for depth, (left, right) in enumerate(zip(one, other, strict=True)):
        if left != right:
            return depth
    return len(one)


def walk(routes: Sequence[Route]) -> list[Turn]:
    """A depth-first walk of the routes' trie: every distinct prefix is entered once, and left for good.

    The branch that most routes take comes last at every fork, so that the walk ends as near as it can to the parent of
    them all: the next generation begins there.
    """
    sizes = Counter(node for each in routes for node in each)
    order = sorted(range(len(routes)), key=lambda number: [(sizes[node], node) for node in routes[number]])
    shared = [num_shared(routes[one], routes[other]) for one, other in pairwise(order)]
    ends = [len(routes[order[-1]])] if order else []
    return [Turn(number=number, keep=keep) for number, keep in zip(order, [*shared, *ends], strict=True)]


def shares(anatomy: Anatomy) -> tuple[float, ...]:
    """For 0, 1, ... leading blocks taken over: the share of a whole forward's multiplications by weights left to do.

    The first is 1, the last the head's alone. A dropped part counts as if it were there, so that a pass that takes
    nothing over counts all its tokens, whatever it drops.
    """
    remaining = [sum(layer.num_weights for layer in anatomy.outside if not layer.is_lookup)]
    weights = [0] * len(anatomy.blocks)
    for layer in anatomy.weights:
        weights[layer.block or 0] += layer.num_weights
    for weight in reversed(weights):
        remaining.append(remaining[-1] + weight)
    return tuple(each / remaining[-1] for each in reversed(remaining))


def _is_tied(anatomy: Anatomy) -> bool:
    """Whether the head's matrix is the embedding's too: then no layer is a lookup alone."""
    return not any(layer.is_lookup for layer in anatomy.outside)


def _chained(contents: Sequence[Sequence[str]]) -> Route:
    """The hash of each content but the first, and of all before it."""
    nodes = [b""]
    for content in contents:
        nodes.append(blake2b(nodes[-1] + "\n".join(content).encode(), digest_size=_HASH_BYTES).digest())
    return tuple(nodes[2:])
