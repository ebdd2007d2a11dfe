"""What a configuration drops, and what that means for a checkpoint's names, tensors and config."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from exporters.hollow_blocks import hollow_blocks
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.errors import InputError
from spaces.layer import Layer
from spaces.option import DROP
from spaces.shorter_config import WAY_OUT, removal_fault

# modules whose output an attention or MLP adds to the residual stream, by the last part of their names
LAST_MODULES = frozenset(
    {"o_proj", "out_proj", "c_proj", "dense", "wo", "down_proj", "fc2", "dense_4h_to_h", "w2", "fc_out"}
)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Blocks that a checkpoint leaves out, and attentions and MLPs that it keeps with an output of zero.

    A block is left out when it is dropped, or when its attention and its MLP both are and nothing is left of it but
    the identity. Any other keeps its attention and MLP whatever becomes of them: a plain checkpoint has no way to
    leave one out, so its last module is written as zeros and adds nothing to the residual stream.
    """

    anatomy: Anatomy
    blocks: tuple[int, ...]  # those that stay, by their old numbers
    zeroed: tuple[Layer, ...]  # dropped attentions and MLPs of blocks that stay
    hollow: tuple[int, ...] = ()  # blocks that are left out for want of both their parts

    @classmethod
    def of(cls, anatomy: Anatomy, configuration: Configuration, *, keeps_hollow: bool = False) -> Removal:
        """What ``configuration`` drops of a model; ``keeps_hollow`` leaves no block out but those dropped as a whole.

        So it is too where the model cannot be told without the hollow ones.
        """
        dropped = [part for part in anatomy.parts if part.name in configuration and configuration[part.name] == DROP]
        whole = {part.block for part in dropped if part.part == "block"}
        hollow = () if keeps_hollow else _hollow(anatomy, dropped, whole)
        gone = whole.union(hollow)
        return cls(
            anatomy=anatomy,
            blocks=tuple(number for number in range(len(anatomy.blocks)) if number not in gone),
            zeroed=tuple(part for part in dropped if part.part != "block" and part.block not in gone),
            hollow=hollow,
        )

    @property
    def num_removed(self) -> int:
        return len(self.anatomy.blocks) - len(self.blocks)

    @property
    def kept_parameters(self) -> int:
        """Parameters in the checkpoint: all but those of removed blocks."""
        gone = {name for name in self.anatomy.blocks if self.renamed(name) is None}
        weights = sum(layer.num_weights for layer in self.anatomy.weights if gone.intersection(layer.inside))
        others = sum(
            part.other_parameters for part in self.anatomy.parts if part.name in gone or gone.intersection(part.inside)
        )
        return self.anatomy.num_parameters - weights - others

    def savings(self) -> list[str]:
        """What the drops save in a plain checkpoint and what they do not, a sentence each; [] without drops."""
        if not self.zeroed:
            return self.removed()
        kept = sum(self._parameters(part) for part in self.zeroed) * self._megabytes
        names = ", ".join(part.name for part in self.zeroed)
        return [
            *self.removed(),
            f"{len(self.zeroed)} parts are zeroed, not removed, as this format has no word for it ({names}): "
            f"the model computes what was searched, but their {kept:,.1f} MB of dense weights and their time stay.",
        ]

    def removed(self) -> list[str]:
        """What is saved by blocks that are left out; [] where all stay."""
        if not self.num_removed:
            return []
        saved = (self.anatomy.num_parameters - self.kept_parameters) * self._megabytes
        gone = ", ".join(name for name in self.anatomy.blocks if self.renamed(name) is None)
        sentence = (
            f"{self.num_removed} of {len(self.anatomy.blocks)} blocks are removed ({gone}): {saved:,.1f} MB of "
            f"dense weights and all their time are saved, and later blocks have new numbers."
        )
        if not self.hollow:
            return [sentence]
        names = ", ".join(self.anatomy.blocks[number] for number in self.hollow)
        return [sentence, f"Of these, {names} had lost both attention and MLP by drops of their own."]

    @property
    def _megabytes(self) -> float:
        """Of a dense parameter."""
        return self.anatomy.dense_bits / 8e6

    def _parameters(self, part: Layer) -> int:
        held = sum(layer.num_weights for layer in self.anatomy.weights if part.name in layer.inside)
        return held + part.other_parameters

    def renamed(self, name: str) -> str | None:
        """The name in the export of a layer, part or tensor of the model; None where its block is removed."""
        match = self._inside.match(name)
        if match is None:
            return name
        number = self._new_number.get(int(match["number"]))
        return None if number is None else f"{match['list']}{number}{name[match.end() :]}"

    def renamed_like(self, own: str, stored: str) -> str | None:
        """The same of a tensor that its checkpoint calls ``stored``, which keeps the rest of that name."""
        renamed = self.renamed(own)
        if renamed is None or renamed == own:
            return None if renamed is None else stored
        old, new = (self._inside.match(name) for name in (own, renamed))
        assert old is not None
        assert new is not None
        return stored.replace(f".{old['number']}.", f".{new['number']}.", 1)

    def original(self, name: str) -> str:
        """The model's own name for a layer or tensor of the export: the inverse of `renamed`."""
        match = self._inside.match(name)
        if match is None or int(match["number"]) >= len(self.blocks):
            return name
        return f"{match['list']}{self.blocks[int(match['number'])]}{name[match.end() :]}"

    def check(self) -> None:
        """Refuse a part that no tensor of zeros makes add nothing.

        Raises:
            InputError: its last module is called by no name that is known.
        """
        for reason in self.unsilenced():
            raise InputError(reason)

    def unsilenced(self) -> list[str]:
        """A sentence for each dropped part whose last module is called by no name that is known."""
        reasons = []
        for part in self.zeroed:
            held = [layer.name for layer in self.anatomy.weights if part.name in layer.inside]
            if not any(self.is_zeroed(name) for name in held):
                last = f"which of {', '.join(held)}" if held else "which of its stacked experts' tensors"
                reasons.append(
                    f"{part.name} is dropped, but {last} gives its output is not known; "
                    f"drop whole blocks of this model, or keep the part"
                )
        return reasons

    def refusals(self) -> list[str]:
        """Why no plain checkpoint can be without what is dropped, a sentence each; [] where it can."""
        fault = removal_fault(self.anatomy, self.blocks)
        return [*([f"{fault}; {WAY_OUT}"] if fault else []), *self.unsilenced()]

    def is_zeroed(self, name: str) -> bool:
        """Whether this tensor or module, by the model's own name, is written as zeros."""
        module = name.removesuffix(".weight").removesuffix(".bias")
        return self.is_idle(name) and module.rpartition(".")[2] in LAST_MODULES

    def is_idle(self, name: str) -> bool:
        """Whether this tensor or module, by the model's own name, lies in an attention or MLP that adds nothing."""
        return any(name == module or name.startswith(f"{module}.") for module in self._idle_modules)

    @cached_property
    def _idle_modules(self) -> tuple[str, ...]:
        return tuple(module for part in self.zeroed for module in self.anatomy.modules_of[part.name])

    @cached_property
    def _inside(self) -> re.Pattern[str]:
        """Names inside the list of blocks."""
        blocks = self.anatomy.blocks[0].rpartition(".")[0]
        return re.compile(rf"(?P<list>{re.escape(blocks)}\.)(?P<number>\d+)(?=\.|$)")

    @cached_property
    def _new_number(self) -> Mapping[int, int]:
        return {old: new for new, old in enumerate(self.blocks)}


def _hollow(anatomy: Anatomy, dropped: Sequence[Layer], whole: Container[int | None]) -> tuple[int, ...]:
    """Blocks that lost both parts and can be left out: none of them where the model is not told without them."""
    kinds = {(part.block, part.part) for part in dropped}
    numbers = range(len(anatomy.blocks))
    both = [number for number in numbers if {(number, "attention"), (number, "mlp")} <= kinds and number not in whole]
    found = tuple(number for number in both if number in hollow_blocks(anatomy))
    kept = tuple(number for number in numbers if number not in whole and number not in found)
    return found if found and kept and not removal_fault(anatomy, kept) else ()
