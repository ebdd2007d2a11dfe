"""A model in memory that takes on one configuration after another, touching only the layers that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import Shape, give_forward
from compressors.bank import Bank
from compressors.compressed import CompressedWeight
from compressors.weights import weight_of, write_weight
from evaluators.bypasses import add_nothing, pass_on, place_of_residual
from evaluators.linear import quicken
from evaluators.memory import Memory
from evaluators.trial import Trial
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Banked, Option

BANK_BYTES = 2 << 30  # of the bank's entries, packed as they are, that a model in main memory keeps beside it
BANK_GPU_FRACTION = 0.3  # of what a GPU has free beside the model


class LiveModel:
    """Holds the dense model with some layers compressed and some parts bypassed; owns ``model`` from then on.

    Dense weights are copied aside when they are first overwritten, in the narrowest dtype that loses nothing. Entries
    of the bank are read once, as far as ``bank_bytes`` go, and kept packed on the model's device.
    """

    def __init__(self, model: nn.Module, anatomy: Anatomy, bank: Bank, *, bank_bytes: int | None = None) -> None:
        quicken(model)
        self.model = model
        self.anatomy = anatomy
        self.bank = bank
        trial = Trial(model, anatomy)
        self.shapes: Mapping[str, Shape] = trial.shapes  # what each part returns
        self.norms: Mapping[str, Sequence[str]] = trial.norms  # that an attention's or MLP's answer alone goes through
        self._loaded: dict[str, Option] = {}  # layers that are not dense now
        self._dense: dict[str, Tensor] = {}
        self._bypassed: dict[str, list[tuple[nn.Module, Any]]] = {}  # a module, and the forward it had of its own
        self._parts = {part.name: part for part in anatomy.parts}
        self._entries: Memory[tuple[str, Banked], CompressedWeight] = Memory(
            _room_for_the_bank(self.device) if bank_bytes is None else bank_bytes
        )
        self._own_writes = 0

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def foreign_writes(self) -> int:
        """How often weights were written to by others: what was computed before the last time may no longer hold."""
        return sum(parameter._version for parameter in self.model.parameters()) - self._own_writes

    def apply(self, configuration: Configuration) -> int:
        """Make the model compute ``configuration``; returns the number of layers that changed.

        Layers that the configuration does not name, and weights inside a dropped part, are left or made dense:
        what is in them is never computed.

        Raises:
            InputError: a layer is not the model's, or cannot take on its option; nothing was changed.
            JobError: the bank lacks an option; the model is between two configurations, and another apply mends it.
        """
        wanted = {name: option for name, option in configuration.options if option != KEEP}
        dropped = {name for name, option in wanted.items() if option == DROP}
        for name, option in wanted.items():
            self._check(name, option, dropped)
        wanted = {name: option for name, option in wanted.items() if option != DROP or name in self._parts}
        stale = [name for name in self._loaded if name not in wanted and not self._is_inside(name, dropped)]
        changed = [name for name, option in wanted.items() if self._loaded.get(name) != option]
        for name in stale:
            self._restore(name)
        for name in changed:
            self._load(name, wanted[name])
        return len(stale) + len(changed)

    def _check(self, name: str, option: Option, dropped: set[str]) -> None:
        if self.anatomy.find(name) is None:
            raise InputError(f"the model has no layer {name!r}; see `layerpress space` for its layers")
        if option == DROP:
            fits = name in self._parts or self._is_inside(name, dropped)
        else:
            fits = isinstance(option, Banked) and name not in self._parts
        if not fits:
            raise InputError(
                f"{name} cannot take on option {option.slug}: weights are quantized, and attentions, MLPs and blocks "
                f"dropped; choose an option that `layerpress space` lists for it"
            )

    def _is_inside(self, name: str, dropped: set[str]) -> bool:
        layer = self.anatomy.find(name)
        return layer is not None and layer.part is None and bool(dropped.intersection(layer.inside))

    def _load(self, name: str, option: Option) -> None:
        if isinstance(option, Banked):
            entry = self._entry(name, option)
            if name not in self._dense:
                self._dense[name] = _set_aside(weight_of(self.model.get_submodule(name)))
            self._write(name, entry.dequantize(torch.float32))
        else:
            self._bypass(name)
        self._loaded[name] = option

    def _entry(self, name: str, option: Banked) -> CompressedWeight:
        """An entry of the bank; every byte of it is checked when it is read, and read once."""
        entry = self._entries.get((name, option))
        if entry is None:
            entry = self.bank.read(name, option).to(self.device)
            self._entries.keep((name, option), entry, entry.size_bytes)
        return entry

    def _write(self, name: str, weight: Tensor) -> None:
        module = self.model.get_submodule(name)
        before = weight_of(module)._version
        write_weight(module, weight)
        self._own_writes += weight_of(module)._version - before

    def _restore(self, name: str) -> None:
        if self._loaded.pop(name) == DROP:
            for module, forward in self._bypassed.pop(name):
                give_forward(module, forward)
        else:
            self._write(name, self._dense[name])

    def _bypass(self, name: str) -> None:
        """A dropped block passes its input on; a dropped attention or MLP adds nothing to the residual stream."""
        modules = [self.model.get_submodule(module) for module in self.anatomy.modules_of[name]]
        is_block = self._parts[name].part == "block"
        self._bypassed[name] = [(module, vars(module).get("forward")) for module in modules]
        for module in modules[:-1]:  # loose layers of an MLP (OPT): only the last one's output reaches the stream
            module.forward = pass_on(None)
        last = modules[-1]
        if is_block:
            last.forward = pass_on(self.shapes[name])
        else:
            last.forward = add_nothing(self.shapes[name], place_of_residual(last))


def _room_for_the_bank(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * BANK_GPU_FRACTION)
    return BANK_BYTES


def _set_aside(weight: Tensor) -> Tensor:
    """A copy of ``weight`` that converts back to its very values, in half the memory where they allow it."""
    for narrow in (torch.bfloat16, torch.float16):
        copy = weight.to(narrow, copy=True)
        if torch.equal(copy.to(weight.dtype), weight):
            return copy
    return weight.clone()
