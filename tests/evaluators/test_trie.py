"""Routes, walks and shares, against the plain definitions: sets of prefixes and brute force over orders."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import TINY

from evaluators.trie import Route, num_shared, route, shares, walk
from spaces.configuration import Configuration
from spaces.option import DROP, KEEP, Option, Quantize

FOUR, TWO = (Quantize(bits_per_code=bits, group_size=32, symmetric=False, solver="rtn") for bits in (4, 2))
BLOCK = "model.layers"
LLAMA = TINY["llama"].anatomy(3)

Contents = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=6)


def way(options: dict[str, Option]) -> Route:
    return route(Configuration.of(options), LLAMA)


def made(contents: list[tuple[int, ...]]) -> list[Route]:
    """Routes through blocks that hold these numbers."""
    options = (KEEP, FOUR, TWO)
    return [
        way({f"{BLOCK}.{block}.mlp.up_proj": options[number] for block, number in enumerate(each)}) for each in contents
    ]


def test_a_route_has_a_node_for_each_block() -> None:
    assert len(way({})) == 3
    assert way({}) == way({f"{BLOCK}.1.mlp.up_proj": KEEP})


@pytest.mark.parametrize("block", [0, 1, 2])
def test_routes_part_at_the_first_block_that_differs(block: int) -> None:
    assert num_shared(way({}), way({f"{BLOCK}.{block}.mlp.up_proj": FOUR})) == block
    assert num_shared(way({f"{BLOCK}.{block}.self_attn": DROP}), way({f"{BLOCK}.{block}.mlp": DROP})) == block


def test_routes_that_part_never_meet_again() -> None:
    one, other = (way({f"{BLOCK}.0.mlp.up_proj": option, f"{BLOCK}.2.mlp": DROP}) for option in (FOUR, TWO))
    assert not set(one) & set(other)


def test_what_lies_inside_a_dropped_part_leaves_no_mark() -> None:
    dropped: dict[str, Option] = {f"{BLOCK}.1": DROP}
    assert way(dropped) == way(dropped | {f"{BLOCK}.1.mlp.up_proj": FOUR, f"{BLOCK}.1.self_attn": DROP})
    assert way(dropped | {f"{BLOCK}.1.mlp.up_proj": DROP}) == way(dropped)


def test_the_head_alone_leaves_no_mark_and_the_embedding_changes_all() -> None:
    assert way({"lm_head": FOUR}) == way({})
    assert num_shared(way({"model.embed_tokens": FOUR}), way({})) == 0


@pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if len(tiny.outside) == 1])
def test_a_head_that_is_the_embedding_changes_all(name: str) -> None:
    anatomy = TINY[name].anatomy()
    changed = route(Configuration.of({"lm_head": FOUR}), anatomy)
    assert num_shared(changed, route(Configuration.of({}), anatomy)) == 0


@given(Contents)
def test_a_walk_enters_every_distinct_prefix_once(contents: list[tuple[int, ...]]) -> None:
    """Blocks computed turn by turn, with only what each turn keeps for the next, against the set of prefixes."""
    routes = made(contents)
    turns = walk(routes)
    assert sorted(turn.number for turn in turns) == list(range(len(routes)))
    held = computed = 0
    for turn, later in itertools.zip_longest(turns, turns[1:]):
        computed += 3 - held
        held = turn.keep
        if later is not None:
            assert contents[turn.number][:held] == contents[later.number][:held]
    assert turns[-1].keep == 3
    assert computed == len({each[:depth] for each in contents for depth in (1, 2, 3)})


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=5, unique=True))
def test_no_order_computes_fewer_blocks(contents: list[tuple[int, ...]]) -> None:
    def computed(order: list[Route]) -> int:
        return 3 + sum(3 - num_shared(one, other) for one, other in itertools.pairwise(order))

    routes = made(contents)
    least = min(computed(list(order)) for order in itertools.permutations(routes))
    assert computed([routes[turn.number] for turn in walk(routes)]) == least


def test_a_walk_ends_in_the_branch_that_most_take() -> None:
    routes = made([(1, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (2, 0, 0)])
    assert {turn.number for turn in walk(routes)[-2:]} == {1, 2}


def test_an_empty_walk_has_no_turn() -> None:
    assert walk([]) == []


@pytest.mark.parametrize("name", TINY)
def test_shares_are_those_of_the_weights_multiplied(name: str) -> None:
    """Read off the architecture's own list of linear layers; embeddings are looked up and not multiplied."""
    tiny = TINY[name]
    block = sum(rows * columns for rows, columns in tiny.linears.values())
    head = tiny.outside["lm_head"][0] * tiny.outside["lm_head"][1]
    expected = [(left * block + head) / (3 * block + head) for left in (3, 2, 1, 0)]
    assert shares(tiny.anatomy(3)) == pytest.approx(expected, rel=1e-12)
