"""Finds the layers and droppable parts of a transformers causal LM, with weights or on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor, nn
from transformers import PreTrainedConfig  # not its models: they import torchao, which takes seconds
from transformers.pytorch_utils import Conv1D

from spaces.errors import InputError
from spaces.layer import Layer, Part

ATTENTION_WORDS = ("attn", "attention")
MLP_WORDS = ("mlp", "ffn", "feed_forward", "moe")


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """All that a space can be made of: every candidate layer of one model, in the model's own order."""

    blocks: tuple[str, ...]  # dotted names of the transformer blocks
    weights: tuple[Layer, ...]  # inside the blocks
    outside: tuple[Layer, ...]  # lm_head and embeddings: in a space only when asked for
    parts: tuple[Layer, ...]  # attention, MLP and block, of every block
    num_parameters: int  # all parameters, shared ones counted once
    dense_bits: int  # bits of one parameter in the dense checkpoint
    modules_of: dict[str, tuple[str, ...]]  # part name -> the modules whose output a drop replaces or skips
    config: PreTrainedConfig | None = field(default=None, compare=False, repr=False)  # the model's, where it has one

    def find(self, name: str) -> Layer | None:
        """The layer or part of that name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in (*self.weights, *self.outside, *self.parts)}


def find_anatomy(model: nn.Module) -> Anatomy:
    """Read the layers off ``model``, a transformers causal language model.

    Raises:
        InputError: no list of transformer blocks was found, or one has no linear layer.
    """
    blocks = _find_blocks(model)
    names = {id(module): name for name, module in model.named_modules()}
    weights: list[Layer] = []
    parts: list[Layer] = []
    modules_of: dict[str, tuple[str, ...]] = {}
    for index, block in enumerate(blocks):
        block_name = names[id(block)]
        found = list(_parts_of_block(block, block_name, index))
        modules_of.update({part.name: modules for part, modules in found})
        parts += [part for part, _ in found]
        weights += _weights_of_block(block, block_name, index, modules_of)
    if not weights:
        raise InputError(f"{type(model).__name__} has no linear layer inside its {len(blocks)} blocks")
    parameter = next(model.parameters())
    config = getattr(model, "config", None)
    return Anatomy(
        blocks=tuple(names[id(block)] for block in blocks),
        weights=tuple(weights),
        outside=tuple(_outside(model)),
        parts=tuple(parts),
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        dense_bits=parameter.element_size() * 8,
        modules_of=modules_of,
        config=config if isinstance(config, PreTrainedConfig) else None,
    )


def weight_shape(module: nn.Module) -> tuple[int, int]:
    """(output, input) channels of a linear layer; GPT-2's ``Conv1D`` stores them the other way round."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    rows, columns = weight.shape
    return (columns, rows) if isinstance(module, Conv1D) else (rows, columns)


def _find_blocks(model: nn.Module) -> list[nn.Module]:
    """The longest list of modules that hold both an attention and linear layers."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) > 0]
    decoders = [[*blocks] for blocks in lists if all(_attention_of(block) is not None for block in blocks)]
    if not decoders:
        raise InputError(
            f"found no transformer blocks in {type(model).__name__}: "
            f"Layerpress reads causal language models whose blocks are one list of modules with an attention each"
        )
    return max(decoders, key=len)


def _attention_of(block: nn.Module) -> str | None:
    return _child_called(block, ATTENTION_WORDS, _has_linear)


def _child_called(block: nn.Module, words: Iterable[str], has_weights: Callable[[nn.Module], bool]) -> str | None:
    for name, child in block.named_children():
        if any(word in name.lower() for word in words) and has_weights(child):
            return name
    return None


def _has_linear(module: nn.Module) -> bool:
    return any(_is_linear(each) for each in module.modules())


def _has_matrix(module: nn.Module) -> bool:
    """Whether it has any, be they experts stacked in one tensor, which are no linear layers."""
    return any(parameter.ndim > 1 for parameter in module.parameters())


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | Conv1D)


def _parts_of_block(block: nn.Module, name: str, index: int) -> Iterator[tuple[Layer, tuple[str, ...]]]:
    """The block's attention, MLP and the block itself, each with the modules that a drop acts on."""
    attention = _attention_of(block)
    mlp = _child_called(block, MLP_WORDS, _has_linear) or _child_called(block, MLP_WORDS, _has_matrix)
    loose = [child for child, module in block.named_children() if _is_linear(module)]  # OPT: fc1, fc2
    counted = 0
    for part, children in (("attention", [attention]), ("mlp", [mlp] if mlp else loose)):
        inner = [child for child in children if child is not None]
        if not inner:
            continue
        other = sum(_other_parameters(block.get_submodule(child)) for child in inner)
        counted += other
        module = inner[0] if len(inner) == 1 else part
        layer = Layer(
            name=f"{name}.{module}",
            block=index,
            module=module,
            part="attention" if part == "attention" else "mlp",
            other_parameters=other,
            inside=(name,),
        )
        yield layer, tuple(f"{name}.{child}" for child in inner)
    rest = _other_parameters(block) - counted
    yield Layer(name=name, block=index, module="block", part="block", other_parameters=rest), (name,)


def _other_parameters(module: nn.Module) -> int:
    """Parameters of ``module`` that are not the weight of a linear layer: biases and norms."""
    weights = sum(linear.weight.numel() for linear in module.modules() if isinstance(linear, nn.Linear | Conv1D))
    return sum(parameter.numel() for parameter in module.parameters()) - weights


def _weights_of_block(
    block: nn.Module, block_name: str, index: int, modules_of: dict[str, tuple[str, ...]]
) -> Iterator[Layer]:
    for module_name, module in block.named_modules():
        if not _is_linear(module):
            continue
        name = f"{block_name}.{module_name}"
        rows, columns = weight_shape(module)
        holders = [
            part
            for part, modules in modules_of.items()
            if any(name == held or name.startswith(f"{held}.") for held in modules)
        ]
        yield Layer(
            name=name,
            block=index,
            module=module_name,
            rows=rows,
            columns=columns,
            inside=tuple(sorted(holders)),
            is_transposed=isinstance(module, Conv1D),
        )


def _outside(model: nn.Module) -> Iterator[Layer]:
    """Embeddings and output head. Where they share one matrix it is one layer, under the head's name."""
    names = {id(module): name for name, module in model.named_modules()}
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    head = model.get_output_embeddings()  # type: ignore[operator]
    tied = head is not None and embedding is not None and head.weight is embedding.weight
    if isinstance(embedding, nn.Embedding) and not tied:
        rows, columns = embedding.weight.shape
        name = names[id(embedding)]
        yield Layer(name=name, block=None, module=name, rows=rows, columns=columns, is_lookup=True)
    if head is not None and _is_linear(head):
        rows, columns = weight_shape(head)
        name = names[id(head)]
        yield Layer(name=name, block=None, module=name, rows=rows, columns=columns)


def parts_named(kinds: Iterable[Part], parts: Iterable[Layer]) -> list[Layer]:
    """Those of ``parts`` whose kind (attention, mlp, block) is among ``kinds``."""
    wanted = set(kinds)
    return [part for part in parts if part.part in wanted]
