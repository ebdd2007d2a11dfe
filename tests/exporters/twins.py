"""Models with a bank of their own, as sources to export, and the searched candidate to hold an export against."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import torch
from tiny_models import NUM_BLOCKS, TINY
from torch import Tensor, nn

from compressors.bank import Bank
from compressors.measure import EntryErrors
from compressors.solvers import solve
from compressors.weights import weight_of
from evaluators import linear
from evaluators.checkpoint import load_model
from evaluators.live import LiveModel
from exporters.provenance import Provenance
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.option import DROP, KEEP, Banked, Option, parse_option
from spaces.skeleton import anatomy_of

REFERENCE = Path(__file__).parents[2] / "examples" / "reference-model"


class Made(Protocol):
    """Saves a tiny random model (or takes ``reference``), quantizes what the globs name, and gives a source."""

    def __call__(
        self,
        architecture: str,
        options: Mapping[str, str],  # glob over layers, parts, head and embedding -> slug; the last match wins
        *,
        num_blocks: int = NUM_BLOCKS,
        dtype: torch.dtype = torch.float32,
        max_shard_size: str | int = "5GB",
    ) -> Source: ...


class DenseTwin(Protocol):
    def __call__(self, source: Source, dtype: torch.dtype | None = None) -> nn.Module: ...


class Logits(Protocol):
    def __call__(self, model: nn.Module, ids: Tensor | None = None) -> Tensor: ...


def make_source(
    root: Path,
    architecture: str,
    options: Mapping[str, str],
    *,
    num_blocks: int = NUM_BLOCKS,
    dtype: torch.dtype = torch.float32,
    max_shard_size: str | int = "5GB",
) -> Source:
    folder = REFERENCE
    if architecture != "reference":
        folder = root / f"model-{architecture}-{num_blocks}-{str(dtype)[6:]}"
        model = TINY[architecture].model(num_blocks).to(dtype)
        model.save_pretrained(folder, max_shard_size=max_shard_size)  # type: ignore[operator]
    return source_of(root, folder, options)


def source_of(root: Path, folder: Path, options: Mapping[str, str]) -> Source:
    """A source of any model folder, its bank filled by rounding to nearest."""
    configuration = configured(anatomy_of(str(folder)), options)
    bank = Bank(root / "bank", model=folder.name, calibration="none", propagate="dense")
    _fill(bank, folder, configuration)
    return Source.open(folder, configuration, bank.read, Provenance(model=str(folder)))


def configured(anatomy: Anatomy, options: Mapping[str, str]) -> Configuration:
    """Every weight inside the blocks and whatever else a glob names; what lies in a dropped part is dropped."""
    chosen: dict[str, Option] = {layer.name: KEEP for layer in anatomy.weights}
    everything = (*anatomy.weights, *anatomy.outside, *anatomy.parts)
    parts = {part.name for part in anatomy.parts}
    for glob, slug in options.items():
        option = parse_option(slug)
        names = [layer.name for layer in everything if option == KEEP or (layer.name in parts) == (option == DROP)]
        hits = [name for name in names if fnmatchcase(name, glob)]
        assert hits, f"{glob}: {slug} matches no layer, so the test would mean nothing"
        chosen |= dict.fromkeys(hits, option)
    dropped = {name for name, option in chosen.items() if option == DROP}
    for layer in everything:
        if layer.name in chosen and dropped.intersection(layer.inside):
            chosen[layer.name] = DROP
    return Configuration.of(chosen)


def _fill(bank: Bank, folder: Path, configuration: Configuration) -> None:
    model = load_model(folder, dtype=torch.float32)
    for name, option in configuration.options:
        if isinstance(option, Banked):
            [[quantized]] = solve([weight_of(model.get_submodule(name))], None, [option])
            bank.write(name, option, quantized, EntryErrors(weight=0.0, output=0.0))


def dense_twin(source: Source, dtype: torch.dtype | None = None) -> nn.Module:
    """The searched candidate, as a search measures it: dequantized weights in place, dropped parts skipped."""
    bank = source.entry.__self__  # type: ignore[attr-defined]
    live = LiveModel(load_model(source.model, dtype=dtype or source.dtype), source.anatomy, bank)
    live.apply(source.configuration)
    return _as_loaded(live.model)


def _as_loaded(live: nn.Module) -> nn.Module:
    """``live`` with linear layers multiplied as in a model just loaded, so that both can be equal to the last bit."""
    for module in live.modules():
        if type(module).__module__ == linear.__name__:
            module.__class__ = type(module).__base__
    return live


def logits(model: nn.Module, ids: Tensor | None = None) -> Tensor:  # float32 (2, 16, vocabulary)
    """What a model says to ``ids``, by default the same random ones every time."""
    if ids is None:
        ids = torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answer: Tensor = model(input_ids=ids, use_cache=False).logits
    return answer.float().clone()
