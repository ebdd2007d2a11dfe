"""What every export reads: one model's tensors, one after another, and what a configuration makes of its layers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import PreTrainedConfig
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, apply_renamings
from transformers.pytorch_utils import Conv1D

from compressors.compressed import CompressedWeight
from compressors.quantized import QuantizedWeight
from exporters.provenance import Provenance
from exporters.removal import Removal
from spaces.configuration import Configuration
from spaces.discovery import Anatomy, find_anatomy
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Banked, Option
from spaces.shorter_config import shorter_config
from spaces.skeleton import load_config, skeleton
from spaces.weight_files import weight_files

if TYPE_CHECKING:  # its import takes torchao's with it
    from transformers import PreTrainedModel

Entry = Callable[[str, Banked], CompressedWeight]

# buffers that old checkpoints hold and transformers computes: no model of today reads them
STALE = re.compile(r"rotary_emb\.inv_freq$|\.(attn|attention|crossattention)\.(masked_)?bias$")


class _Place(NamedTuple):
    path: Path
    stored: str  # its name there
    own: str  # the model's


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dense model on disk and the configuration to write it in. Streams: one tensor in memory at a time.

    Tensors have the names that they get in the export, which differ from the model's own behind removed blocks;
    layers have the model's own names, those of the configuration. `Removal.renamed` leads from one to the other.
    """

    model: Path
    anatomy: Anatomy
    config: PreTrainedConfig  # of the dense model
    configuration: Configuration  # layers that it does not name stay dense
    dtype: torch.dtype  # of most of the checkpoint's weights
    entry: Entry  # from the bank
    provenance: Provenance
    transposed: frozenset[str] = frozenset()  # layers whose modules store (in, out): GPT-2's Conv1D
    tied: Mapping[str, str] = field(default_factory=dict)  # an embedding's module -> the head that shares its matrix
    on_tensor: Callable[[int, int], None] = lambda done, total: None  # hears of each that `weights` gives
    own_names: Mapping[str, str] = field(default_factory=dict)  # the model's name of tensors stored under another
    parameters: frozenset[str] = frozenset()  # names of the model's own, by which a size is counted
    keeps_hollow: bool = False  # whether a block that lost both its parts stays: see `Removal.of`

    @classmethod
    def open(cls, model: Path, configuration: Configuration, entry: Entry, provenance: Provenance) -> Source:
        """Read config and names of the model in a folder; no weight is read yet.

        Raises:
            InputError: as `load_config`; the configuration names a layer that the model has not, or the checkpoint
                has no tensor for a layer that is to be compressed, or a dropped part no last module.
        """
        config = load_config(str(model))
        made = skeleton(config)
        anatomy = find_anatomy(made)
        source = cls(
            model=model,
            anatomy=anatomy,
            config=config,
            configuration=configuration,
            dtype=next(made.parameters()).dtype,
            entry=entry,
            provenance=provenance,
            transposed=frozenset(name for name, module in made.named_modules() if isinstance(module, Conv1D)),
            tied=_tied(made),
            own_names=_own_names(cast("PreTrainedModel", made), [name for _, name in _keys(model)]),
            parameters=frozenset(name for name, _ in made.named_parameters()),
        )
        source.check()
        return source

    @cached_property
    def removal(self) -> Removal:
        """What the configuration drops."""
        return Removal.of(self.anatomy, self.configuration, keeps_hollow=self.keeps_hollow)

    def option(self, layer: str) -> Option:
        """What becomes of a layer; ``keep`` for one that the configuration does not name."""
        return self._options.get(layer, KEEP)

    def layer_of(self, tensor_name: str) -> str | None:
        """The compressed layer whose weight a tensor of the export is: ``model.layers.0.mlp.up_proj`` for
        ``model.layers.0.mlp.up_proj.weight``. None for biases and norms, kept and dropped layers.

        Where head and embedding share one matrix it is one layer, under the head's name.
        """
        if not tensor_name.endswith(".weight"):
            return None
        place = self._places.get(tensor_name)
        own = self.removal.original(tensor_name) if place is None else place.own
        module = own.removesuffix(".weight")
        layer = self.tied.get(module, module)
        return None if self.option(layer) in (KEEP, DROP) else layer

    def own_name(self, tensor_name: str) -> str:
        """The model's own name for a tensor of the export, with the new number of its block."""
        own = self.removal.renamed(self._places[tensor_name].own)
        assert own is not None  # it is written, so its block is there
        return own

    def compressed(self, layer: str) -> CompressedWeight:
        """The bank's entry of a layer that `layer_of` names, of whatever kind."""
        option = self.option(layer)
        if not isinstance(option, Banked):
            raise InputError(f"{layer} has option {option.slug}, which has no entry; ask for compressed layers alone")
        return self.entry(layer, option)

    def quantized(self, layer: str) -> QuantizedWeight:
        """The bank's entry of a layer that is quantized to codes.

        Raises:
            InputError: it is not.
        """
        entry = self.compressed(layer)
        if not isinstance(entry, QuantizedWeight):
            raise InputError(f"{layer} has option {self.option(layer).slug}, which has no codes; export gguf or dense")
        return entry

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the export with its dense values, shard by shard, as the checkpoint stores it.

        A parameter stored in another dtype than most is rounded to theirs: loaders do so, and sizes count on it.
        Tensors of removed blocks are left out, those that make a dropped attention or MLP add nothing are zeros,
        and a head that is stored beside the embedding it is tied to comes once.
        """
        for number, (name, place) in enumerate(self._places.items()):
            self.on_tensor(number, len(self._places))
            with _opened(place.path) as file:
                tensor: Tensor = file.get_tensor(place.stored)
            if place.own in self.parameters:
                tensor = tensor.to(self.dtype)
            yield name, torch.zeros_like(tensor) if self.removal.is_zeroed(place.own) else tensor

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor that `weights` gives, in its order; reads headers alone."""
        shapes = {}
        for number, (name, place) in enumerate(self._places.items()):
            self.on_tensor(number, len(self._places))
            with _opened(place.path) as file:
                shapes[name] = tuple(file.get_slice(place.stored).get_shape())
        return shapes

    def names(self) -> list[str]:
        """The names that `weights` gives, in its order; reads headers alone."""
        return list(self._places)

    def matrix(self, layer: str, weight: Tensor) -> Tensor:
        """A layer's weight (out, in) the way its module stores it, or the stored one as (out, in)."""
        return weight.T.contiguous() if layer in self.transposed else weight

    def check(self) -> None:
        """Refuse what no format can write.

        Raises:
            InputError: a layer is unknown, or has no tensor of its own, or a part cannot be made to add nothing.
        """
        for name in self.configuration.names:
            if self.anatomy.find(name) is None:
                raise InputError(f"the model has no layer {name!r}; the configuration belongs to another model")
        wanted = {name for name, option in self.configuration.options if option not in (KEEP, DROP)}
        found = {layer for name in self.names() if (layer := self.layer_of(name)) is not None}
        lost = sorted(name for name in wanted - found if self.removal.renamed(name) is not None)
        if lost:
            raise InputError(
                f"{self.model} has no tensor {lost[0]}.weight, which is to be {self.option(lost[0]).slug}; "
                f"save the model again with transformers' save_pretrained, and export from there"
            )
        self.removal.check()

    def exported_config(self) -> dict[str, Any]:
        """``config.json`` of the export, to which a format may add: its makers' own, without removed blocks.

        Its dtype is that of the tensors, also where its makers named another.

        Raises:
            InputError: the config has no way to leave the dropped blocks out.
        """
        content: dict[str, Any] = json.loads((self.model / "config.json").read_text("utf-8"))
        for key in ("_name_or_path", "auto_map"):  # of another folder, and of code that is never run
            content.pop(key, None)
        content["torch_dtype" if "torch_dtype" in content else "dtype"] = str(self.dtype).removeprefix("torch.")
        if self.removal.num_removed:
            content = shorter_config(self.config, content, self.anatomy, self.removal.blocks)
        return content

    @cached_property
    def _options(self) -> dict[str, Option]:
        return dict(self.configuration.options)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        """Where each tensor that is written lies, by its name in the export, shard by shard."""
        found = [(path, stored, self.own_names.get(stored, stored)) for path, stored in _keys(self.model)]
        present = {own for _, _, own in found}
        twins = {f"{head}.weight" for module, head in self.tied.items() if f"{module}.weight" in present}
        places: dict[str, _Place] = {}
        for path, stored, own in found:
            name = self._exported(stored, own)
            if name is not None and own not in twins:
                places[name] = _Place(path, stored, own)
        return places

    def _exported(self, stored: str, own: str) -> str | None:
        """Its makers' name for a tensor, whole and with the new number of its block; None for one that is left out."""
        if own.endswith(f".{stored}"):  # without the base model's prefix
            return self.removal.renamed(own)
        return self.removal.renamed_like(own, stored)


def _tied(model: nn.Module) -> dict[str, str]:
    names = {id(module): name for name, module in model.named_modules()}
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    head = model.get_output_embeddings()  # type: ignore[operator]
    is_tied = head is not None and embedding is not None and head.weight is embedding.weight
    return {names[id(embedding)]: names[id(head)]} if is_tied else {}


def _keys(model: Path) -> list[tuple[Path, str]]:
    """Every stored tensor by file and name, without buffers that are no more."""
    found = []
    for path in weight_files(model):
        with _opened(path) as file:
            found += [(path, name) for name in file.keys() if not STALE.search(name)]  # noqa: SIM118 (no mapping)
    return found


def _own_names(made: PreTrainedModel, stored: list[str]) -> dict[str, str]:
    """The model's names of tensors that their checkpoint calls otherwise: without a prefix, or by an older word."""
    known = frozenset(made.state_dict())
    renamings = [each for each in get_model_conversion_mapping(made) if isinstance(each, WeightRenaming)]
    names = {}
    for name in stored:
        changed = apply_renamings(name, renamings)
        longer = f"{made.base_model_prefix}.{changed}"
        own = next((each for each in (name, changed, longer) if each in known), name)
        if own != name:
            names[name] = own
    return names


def _opened(path: Path) -> Any:  # a context manager that gives tensors by name
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}); copy or download it again") from error
