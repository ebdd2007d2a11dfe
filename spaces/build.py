"""Builds the space that a person asked for from a model's anatomy."""

from __future__ import annotations

from dataclasses import replace

from spaces.discovery import Anatomy, parts_named
from spaces.errors import InputError
from spaces.layer import Layer
from spaces.option import DROP, KEEP, Banked, Option
from spaces.space import Space, Unit
from spaces.spec import DropSpec, SpaceSpec, check_groups, check_lookups, check_option, matches, offer
from spaces.tables import check_name
from spaces.targets import carrier_of, check_spec, find_target
from spaces.ties import broken_tie, tie


def build_space(anatomy: Anatomy, spec: SpaceSpec) -> Space:
    """The space of ``spec`` over ``anatomy``.

    Layers are the linear weights inside the blocks when a quantize option is offered, the droppable parts when a
    drop is offered, and what ``include`` names besides; less what ``exclude`` names.

    Raises:
        InputError: a glob matches nothing, a group size does not divide a layer, no layer has a choice, a pin does
            not suit its layer, tied layers differ or are not all in the space, or the target cannot load it.
    """
    check_spec(spec)
    target = find_target(spec.target)
    ties = target.tied(spec.ties)
    candidates = _candidates(anatomy, spec)
    _check_globs(anatomy, candidates, spec)
    chosen = [layer for layer in candidates if not matches(layer.name, spec.exclude)]
    free = [layer for layer in chosen if _pinned(layer, spec) is None]
    check_groups(free, spec)
    check_lookups(free, spec)
    options = {layer.name: _options(layer, spec) for layer in chosen}
    # a layer that nothing is offered to is left out, so that it does not dilute the averages
    layers = tuple(layer for layer in chosen if options[layer.name] != [KEEP] or _pinned(layer, spec) is not None)
    if not any(len(options[layer.name]) > 1 for layer in layers):
        raise InputError("the space leaves no layer a choice; offer more options, or exclude and pin less")
    carrier = carrier_of(target, layers, options, anatomy)
    _check_ties(layers, anatomy, ties)
    loose = Space(anatomy=anatomy, layers=layers, units=(), ties=ties, target=target.name, carrier=carrier)
    return replace(loose, units=tuple(_unit(indices, loose, options) for indices in tie(layers, ties)))


def _candidates(anatomy: Anatomy, spec: SpaceSpec) -> list[Layer]:
    drops = {part for request in spec.options if isinstance(request, DropSpec) for part in request.parts}
    quantizes = any(not isinstance(request, DropSpec) for request in spec.options)
    layers = list(anatomy.weights) if quantizes else []
    layers += parts_named(drops, anatomy.parts)
    layers += [layer for layer in anatomy.outside if matches(layer.name, spec.include)]
    order = {layer.name: number for number, layer in enumerate((*anatomy.weights, *anatomy.parts))}
    return sorted(layers, key=lambda layer: (_block(layer, anatomy), order.get(layer.name, 0)))


def _block(layer: Layer, anatomy: Anatomy) -> int:
    """Where the layer stands: the head after every block, an embedding before."""
    if layer.block is not None:
        return layer.block
    return -1 if layer.is_lookup else len(anatomy.blocks)


def _check_globs(anatomy: Anatomy, candidates: list[Layer], spec: SpaceSpec) -> None:
    outside = [layer.name for layer in anatomy.outside]
    for glob in spec.include:
        if not any(matches(name, (glob,)) for name in outside):
            raise InputError(
                f"space.include: {glob!r} matches no layer outside the blocks, which are {', '.join(outside)}; to take "
                f"only some of the layers inside the blocks, exclude the others or give the options layers: [...]"
            )
    names = [layer.name for layer in candidates]
    if not names:
        raise InputError("the space offers no option, so it has no layer; give it options")
    uses = [("exclude", glob) for glob in spec.exclude]
    uses += [("pin", glob) for glob in spec.pin]
    uses += [("layers", glob) for request in spec.options for glob in request.layers]
    for key, glob in uses:
        if any(matches(name, (glob,)) for name in names):
            continue
        if "*" not in glob and "?" not in glob and "[" not in glob:
            check_name(glob, names, f"layer in space.{key}")
        raise InputError(f"space.{key}: {glob!r} matches no layer; layers are called, say, {names[0]!r}")


def _pinned(layer: Layer, spec: SpaceSpec) -> Option | None:
    """The last pin that matches, so that a later, narrower line wins."""
    found = [option for glob, option in spec.pin.items() if matches(layer.name, (glob,))]
    return found[-1] if found else None


def _options(layer: Layer, spec: SpaceSpec) -> list[Option]:
    pinned = _pinned(layer, spec)
    if pinned is None:
        return [KEEP, *offer(layer, spec)]
    _check_pin(layer, pinned)
    return [pinned]


def _check_pin(layer: Layer, pinned: Option) -> None:
    if pinned == DROP and layer.part is None:
        raise InputError(f"pin: {layer.name} is a weight and cannot be dropped alone; pin its attention, MLP or block")
    if layer.part is not None and pinned not in (KEEP, DROP):
        raise InputError(f"pin: {layer.name} is a droppable part, so keep or drop it, got {pinned.slug}")
    if isinstance(pinned, Banked):
        check_option(pinned, layer)


def _check_ties(layers: tuple[Layer, ...], anatomy: Anatomy, ties: str) -> None:
    broken = broken_tie(layers, anatomy.weights, ties)
    if broken is None:
        return
    inside, outside = broken
    left = ", ".join(outside)
    raise InputError(
        f"{', '.join(inside)} and {left} are tied (ties: {ties}), but nothing is offered to {left}; "
        f"exclude all of them or none, offer them the same options, or untie them"
    )


def _unit(indices: tuple[int, ...], space: Space, options: dict[str, list[Option]]) -> Unit:
    """One decision for all tied layers: the options open to every one of them, smallest first."""
    layers = space.layers
    first = options[layers[indices[0]].name]
    shared = [option for option in first if all(option in options[layers[i].name] for i in indices)]
    if not shared or (len(shared) == 1 and any(len(options[layers[i].name]) > 1 for i in indices)):
        names = ", ".join(layers[i].name for i in indices)
        raise InputError(
            f"{names} are tied but share no choice of options; pin or exclude them together, or untie them"
        )

    def stored_bits(option: Option) -> int:
        return sum(space.bits(layers[i], option).stored for i in indices)

    return Unit(layers=indices, options=tuple(sorted(shared, key=lambda option: (stored_bits(option), option.slug))))
