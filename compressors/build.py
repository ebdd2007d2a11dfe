"""Builds the missing entries of a bank: calibrate, quantize, measure and store, block after block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from compressors.bank import Bank
from compressors.compressed import CompressedWeight
from compressors.hessian import hessian_bytes, input_hessians, shared_inputs, within_memory
from compressors.measure import EntryErrors, measure_errors
from compressors.relay import Relay, evaluating
from compressors.solvers import check_finite, check_groups, solve
from compressors.weights import weight_of, write_weight
from spaces.errors import InputError, JobError
from spaces.option import Banked

BATCH_TOKENS = 2048
HESSIAN_MEMORY_BYTES = 4 << 30
_PROBE_TOKENS = 8  # enough to see which layers share an input


def build_bank(
    model: nn.Module,  # called as model(input_ids=..., use_cache=False)
    *,
    blocks: Sequence[str],  # the names of its transformer blocks, in order
    layers: Mapping[str, Sequence[Banked]],  # module name -> the options wanted
    tokens: Tensor,  # int64 (sequences, length)
    bank: Bank,
    propagate: Banked | None,
    batch_tokens: int = BATCH_TOKENS,
    hessian_memory_bytes: int = HESSIAN_MEMORY_BYTES,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Make every entry of ``layers`` that ``bank`` lacks; the model ends as it came, on an error too.

    Without ``propagate`` every layer is calibrated on the dense model, and processes may share the work, each
    with some of the layers. With it, block after block is calibrated behind blocks whose ``layers`` are all
    quantized by that option (EvoPress, Sieberling et al. 2024, arXiv:2410.14649), layers beside ``layers``
    staying dense; its own entries are made as well.

    Raises:
        InputError: NaN or infinity in a weight or in what a layer is fed, a group size that does not divide
            a layer, or gptq for an embedding. Weights and sizes are checked before any work.
        JobError: a layer is never fed, or the bank cannot be written.
    """
    wanted = {name: list(dict.fromkeys(options)) for name, options in layers.items()}
    if propagate is not None:
        for name in _inside(wanted, blocks):
            wanted[name] = list(dict.fromkeys([propagate, *wanted[name]]))
    build = _Build(model, wanted, bank, on_progress)
    build.check()
    if not build.missing:
        return
    with evaluating(model):
        relay = Relay(model, blocks, tokens, batch_tokens=batch_tokens)
        build.embeddings()
        legs = _plan(build, blocks, relay, hessian_memory_bytes if propagate is None else 0)
        _run(build, relay, legs, [_inside(wanted, [block]) for block in blocks], propagate)


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """The layers calibrated in one run over the tokens."""

    start: int  # the first block that has some
    stop: int | None  # behind the last block that has some; None: layers behind all blocks
    groups: list[tuple[str, ...]]  # layers that share an input


class _Build:
    """What is still to be made, and the making of it."""

    def __init__(
        self,
        model: nn.Module,
        wanted: Mapping[str, Sequence[Banked]],
        bank: Bank,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.bank = bank
        self.modules = {name: _submodule(model, name) for name in wanted}
        self.missing: dict[str, list[Banked]] = defaultdict(list)
        pairs = [(name, option) for name, options in wanted.items() for option in options]
        for layer, option in bank.missing(pairs):
            self.missing[layer].append(option)
        self._wanted = wanted
        self._on_progress = on_progress
        self._done = 0
        self._total = sum(map(len, self.missing.values()))

    def check(self) -> None:
        """Refuse bad weights, sizes and solvers before any work."""
        for name, module in self.modules.items():
            weight = weight_of(module)
            if name in self.missing:
                check_finite(weight, f"the weight of layer {name}")
            for option in self._wanted[name]:
                check_groups(option, weight.shape[1], f"layer {name}")
                if isinstance(module, nn.Embedding) and option.needs_inputs:
                    raise InputError(
                        f"an embedding has no input to calibrate on, which {option.slug} needs: "
                        f"layer {name} must use rtn, or a ggml type that does without"
                    )

    def embeddings(self) -> None:
        """Make the entries of embeddings, which no Hessian belongs to."""
        for name, module in self.modules.items():
            if name in self.missing and isinstance(module, nn.Embedding):
                self.make([name], None)

    def make(self, names: Sequence[str], hessian: Tensor | None) -> None:
        """Quantize, measure and store what is missing of layers that share an input."""
        alike = defaultdict(list)
        for name in names:
            alike[tuple(self.missing[name])].append(name)
        for options, same in alike.items():
            weights = [weight_of(self.modules[name]) for name in same]
            try:
                solved = solve(weights, hessian, options)
            except JobError as error:
                raise JobError(f"layer {', '.join(same)}: {error}") from error
            for name, weight, results in zip(same, weights, solved, strict=True):
                measured = measure_errors(weight, results, hessian)
                for option, quantized, errors in zip(options, results, measured, strict=True):
                    self._store(name, option, quantized, errors)

    def _store(self, name: str, option: Banked, compressed: CompressedWeight, errors: EntryErrors) -> None:
        self.bank.write(name, option, compressed, errors)
        self._done += 1
        self._on_progress(self._done, self._total)

    @contextmanager
    def propagated(self, names: Sequence[str], option: Banked) -> Iterator[None]:
        """Give these layers their weights of the bank for a while."""
        originals: list[tuple[nn.Module, Tensor]] = []
        try:
            for name in names:
                module = self.modules[name]
                weight = weight_of(module)
                originals.append((module, weight.clone()))
                write_weight(module, self.bank.read(name, option).dequantize(weight.dtype))
            yield
        finally:
            for module, original in originals:
                write_weight(module, original)


def _run(
    build: _Build,
    relay: Relay,
    legs: Sequence[_Leg],
    names_of: Sequence[Sequence[str]],  # the layers of each block
    propagate: Banked | None,
) -> None:
    """Calibrate leg after leg, and make the entries of each as soon as its Hessians are there."""
    for leg in legs:
        if propagate is not None and leg.start > relay.start:
            before = [name for names in names_of[relay.start : leg.start] for name in names]
            with build.propagated(before, propagate):
                relay.run(leg.start, keep=True)
        modules = {group[0]: build.modules[group[0]] for group in leg.groups}
        keep = propagate is None and leg is not legs[-1]
        hessians = input_hessians(modules, lambda: relay.run(leg.stop, keep=keep))  # noqa: B023 - called at once
        for group in leg.groups:
            build.make(group, hessians.pop(group[0]))


def _plan(build: _Build, blocks: Sequence[str], relay: Relay, memory_bytes: int) -> list[_Leg]:
    """Cut the layers with missing entries into legs of consecutive blocks whose Hessians fit the memory."""
    fed = {name: build.modules[name] for name in build.missing if not isinstance(build.modules[name], nn.Embedding)}
    groups = shared_inputs(fed, lambda: relay.probe(_PROBE_TOKENS)) if fed else []
    by_block: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for group in groups:
        by_block[_block_of(group[0], blocks)].append(group)
    inside = sorted(index for index in by_block if index < len(blocks))
    sizes = [sum(hessian_bytes(fed[group[0]]) for group in by_block[index]) for index in inside]
    legs = []
    for run in within_memory(sizes, memory_bytes):
        own = [inside[position] for position in run]
        in_order = [group for index in own for group in by_block[index]]
        legs.append(_Leg(start=own[0], stop=own[-1] + 1, groups=in_order))
    if len(blocks) in by_block:
        legs.append(_Leg(start=len(blocks), stop=None, groups=by_block[len(blocks)]))
    return legs


def _block_of(name: str, blocks: Sequence[str]) -> int:
    """The position of the block that holds the layer; behind the last one for a layer outside them all."""
    return next((index for index, block in enumerate(blocks) if name.startswith(f"{block}.")), len(blocks))


def _inside(names: Mapping[str, object], blocks: Sequence[str]) -> list[str]:
    return [name for name in names if _block_of(name, blocks) < len(blocks)]


def _submodule(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise InputError(f"the model has no module {name!r}; see `layerpress space` for its layers") from error
