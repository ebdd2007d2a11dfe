"""Targets: the runtimes that a configuration is searched for, and what they make of a space.

A target offers one or more export formats (`spaces.carriers`); a space belongs to it when one of them holds every
option of every layer. That is checked when a job is submitted, so that whatever its search finds can be exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spaces.carriers import AUTO_ROUND, COMPRESSED_TENSORS, GGUF, MLX, SYMMETRIC_COMPRESSED_TENSORS, Carrier
from spaces.errors import InputError, PlacedError
from spaces.layer import PARTS, Layer, Part
from spaces.llama_cpp import ARCHITECTURES
from spaces.option import DROP, KEEP, Option
from spaces.spec import DropSpec, SpaceSpec
from spaces.tables import check_name

if TYPE_CHECKING:
    from spaces.discovery import Anatomy

ANY = "any"
WAY_OUT = f"leave it out, or set space.target: {ANY}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a runtime loads, fuses and leaves out."""

    name: str
    summary: str
    carriers: tuple[Carrier, ...] = ()  # the first that holds a space is what it is exported as; none: no limit
    ties: str = "none"  # the preset that its layers need
    parts: tuple[Part, ...] = PARTS  # those whose drop makes its files as small as is counted
    lean_parts: tuple[Part, ...] = ()  # further ones, of models whose attention has no biases and norms: Llama's
    limits: tuple[str, ...] = ()  # sentences

    @property
    def formats(self) -> tuple[str, ...]:
        """The export formats that serve it, the usual one first."""
        return tuple(dict.fromkeys(carrier.format for carrier in self.carriers))

    def tied(self, asked: str | None) -> str:
        """The preset of ties of a space that asks for ``asked``, or leaves it open.

        Raises:
            PlacedError: the target needs other ties than those asked for.
        """
        if asked is None or self.ties in ("none", asked):
            return asked or self.ties
        raise PlacedError(
            f"target {self.name} fuses layers and needs ties: {self.ties}, got ties: {asked}; "
            f"leave ties out, or set space.target: {ANY}",
            ("space", "ties"),
        )

    def faults(self, options: Sequence[Option]) -> list[str]:
        """Why no format holds all the options: a reason for each of them, or nothing where one does."""
        found = [next(filter(None, map(carrier.fault, options)), "") for carrier in self.carriers]
        return found if all(found) else []

    def check_parts(self, parts: Sequence[Part], place: tuple[str | int, ...], *, is_lean: bool = True) -> None:
        """Refuse drops that its files only hide.

        Raises:
            PlacedError: names the kinds of part.
        """
        known = (*self.parts, *(self.lean_parts if is_lean else ()))
        wrong = [part for part in parts if part not in known]
        if wrong:
            raise PlacedError(
                f"target {self.name} leaves out {_listed(known)} alone, got a drop of {_listed(wrong)}: its files "
                f"would hold the dropped weights, and be larger than the budget says; "
                f"write parts: [{_listed(known)}], or set space.target: {ANY}",
                place,
            )


TARGETS: Mapping[str, Target] = {
    each.name: each
    for each in (
        Target(name=ANY, summary="no runtime in particular: every option, and bytes as compressed-tensors has them"),
        Target(
            name="vllm",
            summary="vLLM 0.33 and later",
            carriers=(COMPRESSED_TENSORS,),
            ties="vllm",
            parts=("block",),
            limits=(
                "q, k and v get one option, and so do gate and up.",
                "Every GPU serves symmetric 4 and 8 bits; 2, 3, 5, 6 and 7 bits and asymmetric 8 need vLLM's newest "
                "kernels on CUDA.",
                "Embeddings, and a head that shares their matrix, stay dense.",
            ),
        ),
        Target(
            name="transformers",
            summary="transformers 5, with compressed-tensors or auto-round installed",
            carriers=(SYMMETRIC_COMPRESSED_TENSORS, AUTO_ROUND),
            parts=("block",),
            limits=(
                "All options symmetric with 2 to 8 bits (compressed-tensors), or some asymmetric and all of 2, 3, 4 or "
                "8 bits in layers whose rows and columns are multiples of 32 (auto-round).",
                "Embeddings, and a head that shares their matrix, stay dense; with asymmetric options every head does.",
            ),
        ),
        Target(
            name="llama.cpp",
            summary="llama.cpp, Ollama, LM Studio: one GGUF file",
            carriers=(GGUF,),
            parts=("block",),
            lean_parts=("attention", "mlp"),
            limits=(
                f"Models of type {_listed(ARCHITECTURES)}, without sliding windows and without biases but qwen2's, "
                "whose tokenizer is byte-level BPE or SentencePiece's. Attentions and MLPs are dropped of llama alone.",
                "Options are ggml types (kind: ggml), or symmetric 4, 5 and 8 bits in groups of 32, which are Q4_0, "
                "Q5_0 and Q8_0.",
                "K and IQ types need columns in multiples of 256, the others of 32.",
            ),
        ),
        Target(
            name="mlx",
            summary="mlx-lm on Apple silicon",
            carriers=(MLX,),
            parts=("block",),
            limits=(
                "2, 3, 4, 5, 6 and 8 bits in groups of 32, 64 or 128; no channels.",
                "A bias is stored for every group, as wide as its scale: symmetric options take the space of "
                "asymmetric ones.",
                "Not GPT-NeoX and GPT-J, whose layers mlx-lm calls by names of its own.",
                "No block is dropped where some slide a window and others see everything.",
            ),
        ),
    )
}


def find_target(name: str) -> Target:
    """The target of that name.

    Raises:
        PlacedError: there is none.
    """
    try:
        return TARGETS[check_name(name, TARGETS, "target")]
    except InputError as error:
        raise PlacedError(str(error), ("space", "target")) from error


def check_spec(spec: SpaceSpec) -> None:
    """Refuse options, pins and ties that the target cannot load whatever the model is.

    Raises:
        PlacedError: names the rule, the value and the way out, and the line of the job.
    """
    target = find_target(spec.target)
    target.tied(spec.ties)
    options: list[Option] = []
    for place, request in _lines(spec):
        if isinstance(request, DropSpec):
            target.check_parts(request.parts, place)
            continue
        for option in request:
            _refuse(target, target.faults([option]), place)
        options += request
    _refuse(target, target.faults(options), ("space", "target"))


def carrier_of(
    target: Target, layers: Sequence[Layer], options: Mapping[str, Sequence[Option]], anatomy: Anatomy
) -> Carrier | None:
    """What every layer with its options is stored in, the target's first choice; None where anything goes.

    Raises:
        PlacedError: no format of the target's holds all of them.
    """
    dropped = [layer.part for layer in layers if layer.part is not None and DROP in options[layer.name]]
    attentions = [part for part in anatomy.parts if part.part == "attention"]
    is_lean = all(part.other_parameters == 0 for part in attentions)
    target.check_parts(list(dict.fromkeys(dropped)), ("space", "target"), is_lean=is_lean)
    reasons = [next(_reasons(carrier, layers, options, anatomy), "") for carrier in target.carriers]
    if all(reasons):
        _refuse(target, reasons, ("space", "target"))
    return next((carrier for carrier, reason in zip(target.carriers, reasons, strict=True) if not reason), None)


def _lines(spec: SpaceSpec) -> Iterator[tuple[tuple[str | int, ...], DropSpec | tuple[Option, ...]]]:
    """What each line of the job offers, and its place there."""
    for number, request in enumerate(spec.options):
        offered = request if isinstance(request, DropSpec) else tuple(request.options())
        yield ("space", "options", number), offered
    for glob, option in spec.pin.items():
        yield ("space", "pin", glob), (option,)


def _reasons(
    carrier: Carrier, layers: Sequence[Layer], options: Mapping[str, Sequence[Option]], anatomy: Anatomy
) -> Iterator[str]:
    """Why the format cannot hold the layers, each with its options."""
    for layer in anatomy.weights:
        if not carrier.knows(layer):
            yield f"{carrier.format} is written for models with {_listed(carrier.modules)} alone, got {layer.name}"
    if anatomy.config is not None:
        yield from carrier.model_faults(anatomy.config)
    yield from _removals(carrier, layers, options, anatomy)
    shares_matrix = not any(layer.is_lookup for layer in anatomy.outside)
    for layer in layers:
        for option in options[layer.name]:
            if option in (KEEP, DROP):
                continue
            fault = carrier.fault(option)
            yield from [f"{layer.name}: {fault}"] if fault else []
            misfit = carrier.misfit(layer, shares_matrix=shares_matrix)
            yield from [misfit] if misfit else []


def _removals(
    carrier: Carrier, layers: Sequence[Layer], options: Mapping[str, Sequence[Option]], anatomy: Anatomy
) -> Iterator[str]:
    """Why the format cannot be without the blocks that may be dropped: seen at the first of them, and at all.

    If the others are the same blocks when the first alone has made way, what a block is does not hang on its place.
    """
    from spaces.shorter_config import removal_fault, shifted_kinds

    gone = [layer.block for layer in layers if layer.part == "block" and DROP in options[layer.name]]
    if carrier.removes == "any" or not gone:
        return
    numbers = range(len(anatomy.blocks))
    for lost in (gone[:1], gone[-len(numbers) + 1 :]):  # one stays
        fault = removal_fault(anatomy, tuple(number for number in numbers if number not in lost))
        yield from [fault] if fault else []
    kinds = shifted_kinds(anatomy.config, len(numbers), len(gone)) if carrier.removes == "alike" else ""
    yield from [kinds] if kinds else []


def _refuse(target: Target, reasons: Sequence[str], place: tuple[str | int, ...]) -> None:
    if not reasons:
        return
    each = f"no one of its formats holds everything that is offered: {'; '.join(reasons)}"
    raise PlacedError(f"target {target.name}: {reasons[0] if len(reasons) == 1 else each}; {WAY_OUT}", place)
