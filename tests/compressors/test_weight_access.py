"""Reading and writing a module's weight as (out, in), whichever way it is stored."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from compressors.weights import weight_of, write_weight
from spaces.errors import InputError


@pytest.mark.parametrize("module", [nn.Linear(5, 3, bias=False), Conv1D(3, 5)], ids=["Linear", "Conv1D"])
def test_the_written_matrix_maps_inputs_to_outputs(module: nn.Module) -> None:
    matrix, inputs = torch.randn(3, 5), torch.randn(2, 5)
    write_weight(module, matrix.double())
    assert torch.equal(weight_of(module), matrix)
    assert torch.allclose(module(inputs), inputs @ matrix.T, atol=1e-6)


def test_writing_is_in_place_so_that_tied_modules_see_it() -> None:
    embedding, head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
    head.weight = embedding.weight
    write_weight(head, torch.ones(7, 4))
    assert (embedding(torch.tensor([3])) == 1).all()
    assert head.weight is embedding.weight
    assert weight_of(embedding).shape == (7, 4)


def test_modules_without_a_matrix_are_refused() -> None:
    with pytest.raises(InputError, match="got LayerNorm; exclude it"):
        weight_of(nn.LayerNorm(4))
    with pytest.raises(InputError, match="got Conv2d"):
        weight_of(nn.Conv2d(1, 1, 3))


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(3, 5\), got \(5, 3\)"):
        write_weight(nn.Linear(5, 3), torch.zeros(5, 3))
