"""Forward passes that go on where another left off: every architecture, against copies of the model patched by hand."""

from __future__ import annotations

import copy
import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from live_oracle import RTN, built_bank, expected_logits, logits_of, multiplied_alike
from tiny_models import TINY, VOCABULARY, Tiny
from torch import Tensor, nn

from compressors.bank import Bank
from compressors.weights import weight_of
from evaluators.live import LiveModel
from evaluators.prefixes import Prefixes
from evaluators.trie import shares
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.option import DROP, Option

BATCHES = [torch.randint(0, VOCABULARY, (rows, 9), generator=torch.Generator().manual_seed(rows)) for rows in (3, 1)]
NUM_BLOCKS = 3
DENSE = Configuration.of({})
STATE_BYTES = 64 * 4  # of one token


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One architecture with its bank: ``model`` stays dense."""

    tiny: Tiny
    model: nn.Module
    bank: Bank

    def prefixes(self, memory_bytes: int | None = None) -> Prefixes:
        model = copy.deepcopy(self.model)
        return Prefixes(LiveModel(model, find_anatomy(model), self.bank), memory_bytes)

    def expected(self, configuration: Configuration, tokens: Tensor) -> Tensor:
        return expected_logits(self.tiny, self.model, self.bank, configuration, tokens)

    def block(self, number: int) -> str:
        return f"{self.tiny.blocks}.{number}"

    def weights(self, number: int) -> list[str]:
        return [f"{self.block(number)}.{name}" for name in self.tiny.linears]

    def parts(self, number: int) -> list[str]:
        block = self.block(number)
        return [f"{block}.{self.tiny.attention}", f"{block}.{self.tiny.mlp}", block]


def stage_of(name: str, root: Path) -> Stage:
    tiny = TINY[name]
    model = multiplied_alike(tiny.model(NUM_BLOCKS))
    return Stage(tiny=tiny, model=model, bank=built_bank(root, model, beside=tuple(tiny.outside)))


@pytest.fixture(scope="module", params=TINY)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return stage_of(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return stage_of("llama", tmp_path_factory.mktemp("llama"))


def check(stage: Stage, prefixes: Prefixes, configurations: list[Configuration]) -> None:
    """Every configuration on every batch, once, with the very logits of a whole pass through a patched copy."""
    seen = set()
    for number, place, logits in prefixes.logits_each(configurations, BATCHES):
        assert torch.equal(logits, stage.expected(configurations[number], BATCHES[place]))
        seen.add((number, place))
    assert seen == {(number, place) for number in range(len(configurations)) for place in range(len(BATCHES))}


def around(stage: Stage, seed: int, count: int) -> list[Configuration]:
    """Children of one parent: one or two changes each, of every kind, anywhere in the model."""
    source = random.Random(seed)
    parent: dict[str, Option] = {source.choice(stage.weights(number)): RTN[4] for number in range(NUM_BLOCKS)}
    found = [Configuration.of(parent)]
    for _ in range(count - 1):
        child = dict(parent)
        for _ in range(source.choice((1, 2))):
            number = source.randrange(NUM_BLOCKS)
            changes = [(name, RTN[2]) for name in stage.weights(number)] + [
                (name, DROP) for name in stage.parts(number)
            ]
            name, option = source.choice([*changes, ("lm_head", RTN[8])])
            child[name] = option
        found.append(Configuration.of(child))
    return found


def test_children_of_one_parent_get_the_logits_of_whole_passes(stage: Stage) -> None:
    prefixes = stage.prefixes()
    for seed in (0, 1):  # the second call finds the states that the first one left
        check(stage, prefixes, around(stage, seed, 6))
    read = 12 * sum(batch.numel() for batch in BATCHES)
    assert prefixes.computed_tokens < 0.9 * read


@pytest.mark.parametrize("place", range(NUM_BLOCKS))
def test_parts_dropped_before_and_behind_the_place_where_passes_go_on(stage: Stage, place: int) -> None:
    configurations = []
    for part in stage.parts(place):
        before: dict[str, Option] = {part: DROP}
        configurations += [Configuration.of(before | {name: DROP}) for name in stage.parts(NUM_BLOCKS - 1)]
        configurations.append(Configuration.of(before | {stage.weights(NUM_BLOCKS - 1)[0]: RTN[2]}))
    prefixes = stage.prefixes()
    check(stage, prefixes, configurations)
    check(stage, prefixes, [DENSE])
    assert not any("forward" in vars(module) for module in prefixes.live.model.modules())


@contextmanager
def counted(stage: Stage, prefixes: Prefixes) -> Iterator[Counter[int]]:
    """How often each block really ran: the calls of a weight within it that a pass taken over never reaches."""
    counts: Counter[int] = Counter()
    hooks = []
    for number in range(NUM_BLOCKS):

        def count(module: nn.Module, inputs: object, output: object, number: int = number) -> None:
            counts[number] += 1

        module = prefixes.live.model.get_submodule(stage.weights(number)[0])
        hooks.append(module.register_forward_hook(count))
    yield counts
    for hook in hooks:
        hook.remove()


def test_every_distinct_prefix_runs_once(stage: Stage) -> None:
    configurations = [
        Configuration.of({stage.weights(block)[1]: option}) for block in range(NUM_BLOCKS) for option in RTN.values()
    ]
    prefixes = stage.prefixes()
    check(stage, prefixes, [DENSE])  # and with it the trial
    prefixes.computed_tokens = 0.0
    with counted(stage, prefixes) as counts:
        check(stage, prefixes, configurations)
    # nine probes: those of block 1 share the dense block 0, and so on; the dense prefixes themselves are known
    assert counts == {0: 3 * len(BATCHES), 1: 6 * len(BATCHES), 2: 9 * len(BATCHES)}
    expected = 3 * sum(shares(prefixes.live.anatomy)[:NUM_BLOCKS])
    assert prefixes.computed_tokens == pytest.approx(expected * sum(batch.numel() for batch in BATCHES))


def test_where_only_the_head_differs_no_block_runs(llama: Stage) -> None:
    prefixes = llama.prefixes()
    parent: dict[str, Option] = {llama.weights(1)[0]: RTN[4]}
    heads = [Configuration.of(parent | {"lm_head": option}) for option in RTN.values()]
    check(llama, prefixes, [Configuration.of(parent)])
    with counted(llama, prefixes) as counts:
        check(llama, prefixes, heads)
    assert not counts


def test_an_embedding_that_differs_shares_nothing(llama: Stage) -> None:
    prefixes = llama.prefixes()
    check(llama, prefixes, [DENSE])
    with counted(llama, prefixes) as counts:
        check(llama, prefixes, [Configuration.of({"model.embed_tokens": RTN[4]})])
    assert counts == dict.fromkeys(range(NUM_BLOCKS), len(BATCHES))


@pytest.mark.parametrize("states", [0, 1, 2, 5, 20])
def test_a_small_memory_costs_passes_and_no_digit(llama: Stage, states: int) -> None:
    """``states`` of the larger batch: none, fewer than one pass leaves, and some more."""
    limit = states * BATCHES[0].numel() * STATE_BYTES
    prefixes = llama.prefixes(limit)
    configurations = around(llama, 3, 8)
    check(llama, prefixes, configurations)
    assert prefixes._states.num_bytes <= limit
    read = len(configurations) * sum(batch.numel() for batch in BATCHES)
    assert (prefixes.computed_tokens == pytest.approx(read)) == (states == 0)


def test_batches_that_the_memory_cannot_hold_side_by_side_follow_each_other(llama: Stage) -> None:
    """With room for one batch's states and no more, each batch still shares all that its candidates have in common."""
    limit = 2 * NUM_BLOCKS * BATCHES[0].numel() * STATE_BYTES
    configurations = around(llama, 3, 8)
    roomy, narrow = llama.prefixes(), llama.prefixes(limit)
    places = {}
    for prefixes in (roomy, narrow):
        places[prefixes] = [place for _, place, _ in prefixes.logits_each(configurations, [BATCHES[0], BATCHES[0] + 0])]
    assert places[roomy][:2] == [0, 1]
    assert places[narrow] == [0] * 8 + [1] * 8


def test_weights_changed_by_hand_are_seen(llama: Stage) -> None:
    prefixes = llama.prefixes()
    check(llama, prefixes, [DENSE])
    weight = weight_of(prefixes.live.model.get_submodule(llama.weights(0)[0]))
    before = weight.clone()
    with torch.inference_mode():
        weight.add_(0.1)
    ((_, _, moved),) = prefixes.logits_each([DENSE], BATCHES[:1])
    assert torch.equal(moved, logits_of(prefixes.live.model, BATCHES[0]))
    assert not torch.equal(moved, logits_of(llama.model, BATCHES[0]))
    weight.copy_(before)
    check(llama, prefixes, [DENSE, *around(llama, 1, 2)])


class HandsOn(nn.Module):
    """A block that leaves a number beside the hidden state for the block behind it."""

    def __init__(self, block: nn.Module, board: dict[str, Tensor], place: int) -> None:
        super().__init__()
        self.self_attn, self.mlp = block.self_attn, block.mlp
        self.block = [block]  # not a submodule: its weights are registered above
        self.board, self.place = board, place

    def forward(self, hidden: Tensor, *inputs: object, **named: object) -> Tensor:
        taken = self.board.pop(f"from {self.place - 1}") if self.place else torch.zeros(())
        found: Tensor = self.block[0](hidden, *inputs, **named) + taken
        self.board[f"from {self.place}"] = hidden.mean()
        return found


@pytest.fixture
def secretive(llama: Stage) -> Stage:
    """A Llama whose blocks hand on more than the hidden state."""
    model = copy.deepcopy(llama.model)
    blocks = model.get_submodule("model.layers")
    board: dict[str, Tensor] = {}
    assert isinstance(blocks, nn.ModuleList)
    for place in range(NUM_BLOCKS):
        blocks[place] = HandsOn(blocks[place], board, place)
    return Stage(tiny=llama.tiny, model=model, bank=llama.bank)


def test_blocks_that_hand_on_more_than_a_hidden_state_are_never_taken_over(
    secretive: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    prefixes = secretive.prefixes()
    with caplog.at_level(logging.WARNING), counted(secretive, prefixes) as counts:
        for configurations in ([DENSE], [Configuration.of({secretive.weights(2)[0]: RTN[2]})]):
            for number, place, logits in prefixes.logits_each(configurations, BATCHES):
                assert torch.equal(logits, secretive.expected(configurations[number], BATCHES[place]))
    assert [record.message for record in caplog.records if "first block on" in record.message] == [
        "every candidate is computed from its first block on: behind model.layers.0, "
        "the next lack something that it hands on (KeyError: 'from 0')"
    ]
    assert counts[0] == 2 * len(BATCHES) + 1  # and once in the trial


def test_what_goes_missing_in_silence_is_noticed(llama: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """The second block adds what the first one's attention left for it, if it left anything."""
    prefixes = llama.prefixes()
    left: list[Tensor] = []

    def leave(module: nn.Module, inputs: object, output: tuple[Tensor, ...]) -> None:
        left.append(output[0].mean())

    def take(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output + left.pop() if left else output

    prefixes.live.model.get_submodule(f"{llama.block(0)}.self_attn").register_forward_hook(leave)
    prefixes.live.model.get_submodule(llama.block(1)).register_forward_hook(take)
    with caplog.at_level(logging.WARNING):
        for configuration in (DENSE, Configuration.of({llama.weights(2)[0]: RTN[2]})):
            ((_, _, logits),) = prefixes.logits_each([configuration], BATCHES[:1])
            assert torch.equal(logits, logits_of(prefixes.live.model, BATCHES[0]))
    (record,) = caplog.records
    assert "behind model.layers.0, the logits of a pass that goes on there move by" in record.message
    assert prefixes.computed_tokens == 2 * BATCHES[0].numel()


def test_blocks_that_write_into_their_input_are_taken_over_all_the_same(llama: Stage) -> None:
    prefixes = llama.prefixes()
    for number in range(NUM_BLOCKS):
        block = prefixes.live.model.get_submodule(llama.block(number))

        def spoil(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            inputs[0].mul_(0)

        block.register_forward_hook(spoil)
    check(llama, prefixes, around(llama, 5, 6))
    assert prefixes.computed_tokens < 6 * sum(batch.numel() for batch in BATCHES)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_whatever_the_models_dtype_the_logits_are_those_of_whole_passes(llama: Stage, dtype: torch.dtype) -> None:
    model = copy.deepcopy(llama.model).to(dtype)
    narrow = Stage(tiny=llama.tiny, model=model, bank=llama.bank)
    sharing, whole = narrow.prefixes(), narrow.prefixes(0)
    for configuration in around(narrow, 2, 5):
        ((_, _, found),) = sharing.logits_each([configuration], BATCHES[:1])
        ((_, _, expected),) = whole.logits_each([configuration], BATCHES[:1])
        assert found.dtype == dtype
        assert torch.equal(found, expected)
    assert sharing.computed_tokens < whole.computed_tokens == 5 * BATCHES[0].numel()
