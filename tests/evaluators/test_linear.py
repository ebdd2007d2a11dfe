"""Linear layers give what torch's own give, whichever library multiplies, and gradients go through torch's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from evaluators import linear
from evaluators.linear import quicken

REFERENCE = Path(__file__).parents[2] / "examples" / "reference-model"
ROUNDINGS = 64  # of the largest logit: sums over 768 products, 12 blocks deep, in another order


def reference() -> nn.Module:
    model: nn.Module = AutoModelForCausalLM.from_pretrained(REFERENCE, dtype=torch.float32)
    return model


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=2, vocab_size=128, n_positions=64))


@pytest.fixture
def by_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor where it is faster: it computes the same on every one that torch has it for."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        pytest.skip("torch has no oneDNN here")
    monkeypatch.setattr(linear, "is_faster", lambda: True)


@pytest.mark.usefixtures("by_onednn")
@pytest.mark.parametrize("make", [reference, gpt2])
def test_a_quick_model_has_the_logits_of_the_model(make: Callable[[], nn.Module]) -> None:
    model = make().eval()
    tokens = torch.randint(0, 128, (3, 50), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = model(input_ids=tokens, use_cache=False).logits
        quicken(model)
        after = model(input_ids=tokens, use_cache=False).logits
    kinds = {type(module) for module in model.modules() if isinstance(module, nn.Linear | Conv1D)}
    assert not kinds & {nn.Linear, Conv1D}, "some layer was left as it was"
    assert not torch.equal(before, after), "the same numbers to the last bit: the same library computed both"
    limit = ROUNDINGS * torch.finfo(torch.float32).eps * float(before.abs().max())
    assert float((before - after).abs().max()) <= limit


@pytest.mark.usefixtures("by_onednn")
@pytest.mark.parametrize("make", [reference, gpt2])
def test_gradients_are_those_of_the_model(make: Callable[[], nn.Module]) -> None:
    tokens = torch.randint(0, 128, (2, 20), generator=torch.Generator().manual_seed(1))
    gradients = []
    for is_quick in (False, True):
        model = make().eval()
        if is_quick:
            quicken(model)
        model(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for plain, quick in zip(*gradients, strict=True):
        assert plain is not None
        assert quick is not None
        assert torch.equal(plain, quick)


@pytest.mark.usefixtures("by_onednn")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_dtypes_and_autocast_are_as_before(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(32, 16)).to(dtype)
    inputs = torch.randn(4, 32, dtype=dtype)
    with torch.inference_mode():
        before = layer(inputs)
        quicken(layer)
        assert torch.equal(layer(inputs), before)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer.float()(inputs.float()).dtype == torch.bfloat16


def test_what_others_made_of_a_linear_layer_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs(nn.Linear):
        pass

    monkeypatch.setattr(linear, "is_faster", lambda: True)
    model = nn.Sequential(Theirs(4, 4), nn.Linear(4, 4))
    quicken(model)
    assert type(model[0]) is Theirs
    assert type(model[1]) is not nn.Linear


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),  # MKL's AVX2 kernels are as good as any
        ({"cpu_name": "Intel(R) Xeon(R) Platinum 8481C", "avx512_f": True}, False),  # MKL takes AVX-512 itself
        ({"architecture": "arm64"}, False),
    ],
)
def test_onednn_is_faster_where_mkl_does_not_take_the_widest_kernels(
    here: dict[str, object], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch has no oneDNN here")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: here)
    linear.is_faster.cache_clear()
    try:
        assert linear.is_faster() is expected
    finally:
        linear.is_faster.cache_clear()


def test_elsewhere_layers_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "is_faster", lambda: False)
    model = nn.Sequential(nn.Linear(4, 4), Conv1D(4, 4))
    quicken(model)
    assert [type(module) for module in model] == [nn.Linear, Conv1D]
