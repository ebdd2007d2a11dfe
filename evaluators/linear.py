"""Linear layers in float32 on a CPU, computed by whichever of torch's two libraries is the faster one there."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D


def quicken(model: nn.Module) -> None:
    """Let the linear layers of ``model`` run through oneDNN where that is faster; weights stay as and where they are.

    torch multiplies float32 matrices by MKL, which takes its AVX2 kernels on processors that are not Intel's, whatever
    they can do: oneDNN's AVX-512 kernels are about twice as fast on AMD's. Results differ by rounding alone. With
    gradients, on a GPU and in other dtypes everything is as before. Which library it is depends on the processor and
    not on a measurement, so that a search that is run again reads the same numbers.
    """
    if not is_faster():
        return
    for module in model.modules():
        if type(module) is nn.Linear:  # what others made of it (quantized, tensor-parallel) computes in its own way
            module.__class__ = _Linear
        elif type(module) is Conv1D:
            module.__class__ = _Conv1D


@cache
def is_faster() -> bool:
    """Whether this processor has AVX-512, MKL takes AVX2 on it, and torch was built with oneDNN."""
    here = torch.cpu.get_capabilities()
    is_built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    has_operator = is_built and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return has_operator and bool(here.get("avx512_f")) and "Intel" not in str(here.get("cpu_name", ""))


class _Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        if _is_plain(input, self.weight):
            return _product(input, self.weight, self.bias)
        return super().forward(input)


class _Conv1D(Conv1D):  # GPT-2's: the weight is (in_features, out_features)
    def forward(self, x: Tensor) -> Tensor:
        if _is_plain(x, self.weight):
            return _product(x, self.weight.T, self.bias)
        output: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return output


def _is_plain(input: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN may compute it: the operator has no gradient and no autocast of its own."""
    return (
        not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and input.device.type == weight.device.type == "cpu"
        and input.dtype == weight.dtype == torch.float32
    )


def _product(
    input: Tensor,  # (..., in_features)
    weight: Tensor,  # (out_features, in_features)
    bias: Tensor | None,
) -> Tensor:  # (..., out_features)
    """What ``nn.functional.linear`` gives; torch.compile's own operator, which torch has no public name for."""
    output: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")
    return output
