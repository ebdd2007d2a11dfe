"""The second moments of what layers are fed: GPTQ's Hessian, one for all layers that share an input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from compressors.weights import weight_of
from spaces.errors import InputError, JobError


def shared_inputs(
    modules: Mapping[str, nn.Module],
    forward: Callable[[], None],  # runs a few tokens through all of them
) -> list[tuple[str, ...]]:
    """Group the layers that are fed the very same tensor, as q/k/v and gate/up are, in the order given.

    The same means the same Python tensor that nobody wrote to in between. A layer that is fed nothing
    (an expert no token chose) stays alone.
    """
    seen: WeakValueDictionary[int, Tensor] = WeakValueDictionary()  # weak: no activation outlives its use
    first: dict[tuple[int, int], str] = {}
    leaders: dict[str, str] = {}

    def note(name: str, fed: Tensor) -> None:
        mark = (id(fed), fed._version)
        if seen.get(id(fed)) is not fed or mark not in first:
            seen[id(fed)] = fed
            first[mark] = name
        leaders.setdefault(name, first[mark])

    with _watching(modules, note):
        forward()
    groups: dict[str, list[str]] = {}
    for name in modules:
        groups.setdefault(leaders.get(name, name), []).append(name)
    return [tuple(names) for names in groups.values()]


def input_hessians(
    modules: Mapping[str, nn.Module],
    forward: Callable[[], None],  # runs the calibration tokens through all of them
) -> dict[str, Tensor]:  # float32 (in, in) each
    """``X^T X / tokens`` over all that each layer is fed while ``forward`` runs.

    Raises:
        JobError: a layer was fed nothing.
        InputError: what a layer was fed held a NaN or an infinity.
    """
    sums: dict[str, Tensor] = {}
    tokens = dict.fromkeys(modules, 0)

    def accumulate(name: str, fed: Tensor) -> None:
        rows = fed.detach().reshape(-1, fed.shape[-1]).to(torch.float32)
        if name not in sums:
            sums[name] = rows.new_zeros(rows.shape[1], rows.shape[1])
        sums[name].addmm_(rows.T, rows)
        tokens[name] += rows.shape[0]

    with _watching(modules, accumulate):
        forward()
    for name, count in tokens.items():
        if not count:
            raise JobError(f"layer {name} was fed 0 calibration tokens; give more text, or exclude the layer")
        if not bool(torch.isfinite(sums[name]).all()):
            raise InputError(
                f"the inputs of layer {name} hold NaN or infinity; load the model in float32, or repair it"
            )
    return {name: sums[name].div_(tokens[name]) for name in modules}


def hessian_bytes(module: nn.Module) -> int:
    """The memory that one layer's Hessian takes."""
    columns = weight_of(module).shape[1]
    return columns * columns * torch.float32.itemsize


@contextmanager
def _watching(modules: Mapping[str, nn.Module], see: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Show every input of every module to ``see`` while the context is open."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: see(name, inputs[0])

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.callback(module.register_forward_pre_hook(hook(name)).remove)
        yield


def within_memory(
    sizes: Sequence[int],  # bytes that each item takes
    limit: int,
) -> list[range]:
    """Cut a row of items into the fewest runs that stay within ``limit`` bytes; at least one item a run."""
    runs: list[range] = []
    start = held = 0
    for index, size in enumerate(sizes):
        if index > start and held + size > limit:
            runs.append(range(start, index))
            start, held = index, 0
        held += size
    return [*runs, range(start, len(sizes))] if sizes else runs
