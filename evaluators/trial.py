"""A trial forward, which shows what the parts of a model answer with and what that goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import Shape, hidden_of, shape_of
from evaluators.bypasses import place_of_residual
from spaces.discovery import Anatomy
from spaces.layer import Layer


class Trial:
    """What a model showed: ``shapes``, the form of what each part returns, and ``norms``.

    ``norms`` names for each attention and MLP the modules of its block that its answer alone goes through, one after
    the other, before it is added to the residual stream: the norms behind both in Gemma 2 and 3, OLMo 2 and GLM-4, none
    in most models.
    """

    def __init__(self, model: nn.Module, anatomy: Anatomy) -> None:
        self.shapes: dict[str, Shape] = {}
        self.norms: dict[str, tuple[str, ...]] = {part.name: () for part in anatomy.parts}
        self._answers: dict[str, Tensor] = {}  # as far as they have come, by the part
        with ExitStack() as hooks, torch.inference_mode():
            for part in anatomy.parts:
                last = model.get_submodule(anatomy.modules_of[part.name][-1])
                hooks.callback(last.register_forward_hook(self._seen_by(part)).remove)
            for index, name in enumerate(anatomy.blocks):
                parts = [part.name for part in anatomy.parts if part.block == index and part.part != "block"]
                inner = {module for part in parts for module in anatomy.modules_of[part]}
                for child, module in model.get_submodule(name).named_children():
                    if f"{name}.{child}" not in inner:
                        follow = self._followed_by(f"{name}.{child}", parts)
                        hooks.callback(module.register_forward_hook(follow, with_kwargs=True).remove)
            tokens = torch.zeros(1, 2, dtype=torch.long, device=next(model.parameters()).device)
            model(input_ids=tokens, use_cache=False)
        self._answers.clear()

    def _seen_by(self, part: Layer) -> Any:
        def hook(module: nn.Module, _inputs: object, output: object) -> None:
            self.shapes[part.name] = shape_of(output)
            if part.part != "block" and place_of_residual(module) is None:
                self._answers[part.name] = hidden_of(output)

        return hook

    def _followed_by(self, name: str, parts: Sequence[str]) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: object) -> None:
            entering = next(iter([*inputs, *named.values()]), None)
            for part in parts:
                if entering is not None and entering is self._answers.get(part):
                    self.norms[part] += (name,)
                    self._answers[part] = hidden_of(output)

        return hook
