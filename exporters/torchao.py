"""torchao checkpoints for transformers: the searched codes, one byte for each, under a `FqnToConfig` of exact names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from compressors.quantized import QuantizedWeight
from exporters.format import FormatInfo
from exporters.packed_checkpoint import write_packed
from exporters.plan import Plan, Planned
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.option import SCALE_BITS, Quantize

NAME: Final = "torchao"
CODE_BITS = 8  # torchao's unpacked form keeps a code, and a zero point, in a byte of its own
DATA_NAMES = ("qdata", "scale", "zero_point")
CONFIG_VERSION = 2  # of IntxWeightOnlyConfig in torchao 0.18


class TorchAo:
    """torchao's ``IntxUnpackedToInt8Tensor``: written by hand, so that no rounding is torchao's."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name=NAME,
        summary="Checkpoint for transformers with torchao: our codes of 2 to 8 bits, a byte each",
        loads_in=("transformers 5 with torchao 0.18",),
        limits=(
            "A code takes a byte whatever its width, so 2 to 7 bits save no more than 8 do.",
            "It loads in the dtype it was written in; with another one, the first forward pass raises (layerpress "
            "evaluate decodes the weights first, so it measures in any).",
            "Place a bfloat16 model with device_map: .to rounds its float16 scales to bfloat16, without an error.",
            "Linear layers alone: embeddings, and a head that shares their matrix, stay dense.",
            "The quant_type in config.json is a recipe as well: TorchAoConfig.from_dict quantizes the dense model by "
            "it, with torchao's own rounding.",
        ),
        kind="checkpoint",
        checked="loaded with transformers 5.23 and torchao 0.18: weights and logits equal bit for bit",
        usage='AutoModelForCausalLM.from_pretrained("DIR")  # with torchao installed',
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        plan = Plan.of(anatomy, configuration)
        known = [*plan.refuse_foreign(NAME), *plan.refuse_lookups(NAME), *plan.refuse_transposed(NAME)]
        return [*known, *plan.removal.refusals()]

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        plan = Plan.of(anatomy, configuration)
        dense = plan.removal.kept_parameters - sum(each.layer.num_weights for each in plan.quantized)
        stored = sum(_size_bits(each.option, each.layer.rows, each.layer.columns) for each in plan.quantized)
        return -(-(stored + dense * anatomy.dense_bits) // 8)

    def write(self, source: Source, folder: Path) -> None:
        plan = Plan.of(source.anatomy, source.configuration)
        config = {"quantization_config": quantization_config(plan)}
        # under the model's own names: a loader that renames tensors does not rename what the header says of them
        metadata = _metadata(source, plan)
        write_packed(source, folder, lambda weight, _: tensors(weight), config, metadata, source.own_name)


def tensors(weight: QuantizedWeight) -> dict[str, Tensor]:
    """What torchao stores for a weight: ``scale * (qdata - zero_point)``, in signed bytes."""
    found = (
        _signed(weight.unpacked_codes(), weight.bits),  # int8 (out, in)
        weight.scales,  # (out, groups)
        _signed(weight.unpacked_zeros(), weight.bits),  # int8 (out, groups)
    )
    return {f"_weight_{name}": tensor for name, tensor in zip(DATA_NAMES, found, strict=True)}


def quantization_config(plan: Plan) -> dict[str, Any]:
    """What ``config.json`` says; every linear layer is named, for transformers quantizes those that are not."""
    kinds: dict[str, Any] = {each.name: _kind(each) for each in plan.quantized}
    kinds |= dict.fromkeys(plan.dense)
    config = _typed("FqnToConfig", {"fqn_to_config": kinds, "module_fqn_to_config": kinds}, 1)
    return {
        "quant_method": NAME,
        "quant_type": {"default": config},
        # none is left out by default, as the head would be: the names say it all
        "modules_to_not_convert": [],
        "include_input_output_embeddings": False,
        "untie_embedding_weights": False,
    }


def _kind(each: Planned) -> dict[str, Any]:
    """torchao's ``IntxWeightOnlyConfig`` of one layer, as its own JSON."""
    bits, group_size, is_symmetric = each.scheme
    granularity = (
        _typed("PerAxis", {"axis": 0}, 1) if group_size < 0 else _typed("PerGroup", {"group_size": group_size}, 1)
    )
    return _typed(
        "IntxWeightOnlyConfig",
        {
            "weight_dtype": _typed("torch.dtype", f"int{bits}"),
            "granularity": granularity,
            "mapping_type": _typed("MappingType", "SYMMETRIC" if is_symmetric else "ASYMMETRIC"),
            "scale_dtype": None,
            "intx_packing_format": _typed("IntxPackingFormat", "UNPACKED_TO_INT8"),
            "intx_choose_qparams_algorithm": _typed("IntxChooseQParamsAlgorithm", "AFFINE"),
        },
        CONFIG_VERSION,
    )


def _typed(kind: str, data: object, version: int | None = None) -> dict[str, Any]:
    return {"_type": kind, **({} if version is None else {"_version": version}), "_data": data}


def _metadata(source: Source, plan: Plan) -> dict[str, str]:
    """The header by which torchao puts its tensors together again, tensor by tensor."""
    planned = {each.layer.name: each for each in plan.quantized}
    dtype = str(source.dtype).removeprefix("torch.")
    described = {
        source.own_name(name): _described(planned.get(source.layer_of(name) or ""), dtype) for name in source.names()
    }
    return {"tensor_names": _compact(list(described))} | {name: _compact(each) for name, each in described.items()}


def _described(each: Planned | None, dtype: str) -> dict[str, Any]:
    if each is None:
        return {"_type": "Tensor"}
    data = {
        "target_dtype": _typed("torch.dtype", f"int{each.option.bits_per_code}"),
        "block_size": [1, each.option.group_size or each.layer.columns],
        "dtype": _typed("torch.dtype", dtype),
        "activation_quantization": None,
    }
    return _typed("IntxUnpackedToInt8Tensor", data) | {"_tensor_data_names": list(DATA_NAMES)}


def _compact(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))


def _signed(unsigned: Tensor, bits: int) -> Tensor:  # uint8 -> int8
    return (unsigned.to(torch.int16) - (1 << bits - 1)).to(torch.int8)


def _size_bits(option: Quantize, rows: int, columns: int) -> int:
    """A byte for each weight; a scale and a byte for each group, of symmetric layers too."""
    return rows * (CODE_BITS * columns + (SCALE_BITS + CODE_BITS) * option.num_groups(columns))
