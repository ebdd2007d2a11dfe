"""The quantization solvers: the table that lists them, what each promises, and the checks they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Protocol

import torch
from torch import Tensor

from compressors.compressed import CompressedWeight
from spaces.errors import InputError
from spaces.option import Banked
from spaces.tables import check_name, load

# The module of each states a VERSION: raised when the same input gives other codes, it renews banks.
SOLVERS = {
    "rtn": "compressors.rtn:rtn",
    "gptq": "compressors.gptq:gptq",
    "ggml": "compressors.ggml:ggml",
}


class Solver(Protocol):
    """Makes the compressed forms of weights that are fed one and the same input, by the options that name it."""

    def __call__(
        self,
        weights: Sequence[Tensor],  # each (out, in): out may differ, in may not
        hessian: Tensor | None,  # (in, in) of their common input, or None where the solver needs none
        options: Sequence[Banked],
    ) -> list[list[CompressedWeight]]:  # for each weight, for each option
        """Quantize every weight by every option; the result does not depend on which are solved together.

        Raises:
            InputError: NaN or infinity, shapes that do not fit, or a group size that does not divide ``in``.
        """


def solve(
    weights: Sequence[Tensor],  # each (out, in)
    hessian: Tensor | None,  # (in, in)
    options: Sequence[Banked],
) -> list[list[CompressedWeight]]:  # for each weight, for each option
    """Quantize every weight by every option, each option by the solver it names."""
    solved: list[dict[Banked, CompressedWeight]] = [{} for _ in weights]
    for name in dict.fromkeys(option.solver for option in options):
        own = [option for option in options if option.solver == name]
        solver: Solver = load(SOLVERS, name, "quantize solver")
        for found, results in zip(solved, solver(weights, hessian, own), strict=True):
            found.update(zip(own, results, strict=True))
    return [[found[option] for option in options] for found in solved]


def solver_version(name: str) -> int:
    """The version of a solver's results, part of every bank key."""
    module, _, _ = SOLVERS[check_name(name, SOLVERS, "quantize solver")].partition(":")
    version: int = import_module(module).VERSION
    return version


def foreign_codes() -> tuple[tuple[str, str], ...]:
    """(solver, package and version) of solvers whose results are made by code that is not ours, as installed here.

    Another release of that code may make other bytes of the same input, so it is part of those bank keys. A solver
    whose package is missing is not there.
    """
    found = []
    for name, place in SOLVERS.items():
        version = getattr(import_module(place.partition(":")[0]), "code_version", None)
        if version is not None and (installed := version()):
            found.append((name, installed))
    return tuple(found)


def check_installed(names: Iterable[str]) -> None:
    """Refuse solvers whose packages are missing.

    Raises:
        InputError: what to install.
    """
    for name in names:
        module, _, _ = SOLVERS[check_name(name, SOLVERS, "quantize solver")].partition(":")
        check = getattr(import_module(module), "check_installed", None)  # of those that need more than torch
        if check is not None:
            check()


def check_problem(weights: Sequence[Tensor], hessian: Tensor | None, options: Sequence[Banked]) -> None:
    """Refuse what no solver can work on; the errors are those of `Solver`."""
    columns = weights[0].shape[1]
    for weight in weights:
        if weight.ndim != 2 or weight.shape[1] != columns:
            raise InputError(f"weights of one input must have {columns} columns, got shape {tuple(weight.shape)}")
        check_finite(weight, "the weight")
    for option in options:
        check_groups(option, columns, "the weight")
    if hessian is not None:
        if tuple(hessian.shape) != (columns, columns):
            raise InputError(f"the Hessian must be {columns}x{columns}, got shape {tuple(hessian.shape)}")
        check_finite(hessian, "the Hessian")


def check_groups(option: Banked, columns: int, noun: str) -> None:
    """Raise InputError unless whole groups of ``option`` fill the ``columns`` inputs of what ``noun`` names."""
    if not option.divides(columns):
        raise InputError(
            f"{option.unit} of {option.slug} does not divide the {columns} inputs of {noun}; {option.to_divide}"
        )


def check_finite(values: Tensor, noun: str) -> None:
    """Raise InputError if what ``noun`` names holds a NaN or an infinity."""
    is_bad = ~torch.isfinite(values)
    if bool(is_bad.any()):
        place = tuple(int(index) for index in is_bad.nonzero()[0])
        raise InputError(
            f"{noun} must hold finite numbers, got {float(values[place])} at {place} "
            f"({int(is_bad.sum())} of {values.numel()}); repair the model, or load it in float32"
        )


def computation_dtype(weights: Sequence[Tensor]) -> torch.dtype:
    """float64 for float64 weights; float32 for all others."""
    return torch.float64 if weights[0].dtype == torch.float64 else torch.float32
