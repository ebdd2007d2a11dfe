"""GGUF, the file of llama.cpp and all that is built on it: each tensor in the ggml type that was searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compressors.ggml import gguf_package
from evaluators.gguf_vocabulary import vocabulary_fault
from exporters.format import FormatInfo
from exporters.gguf_blocks import block_bytes, float_bytes, zero_bytes
from exporters.gguf_names import refuse_strangers, refuse_wide
from exporters.gguf_plan import Planned, architecture, plan, size_bytes
from exporters.gguf_settings import NARROWEST, WITHOUT_PARTS, add_settings, idle_parts, part_of, rope_factors
from exporters.gguf_tokenizer import add_tokenizer
from exporters.source import Source
from spaces.configuration import Configuration
from spaces.discovery import Anatomy
from spaces.ggml import Ggml
from spaces.llama_cpp import ARCHITECTURES, model_faults

FILE = "model.gguf"
ROPE_FACTORS = "rope_freqs.weight"


class Gguf:
    """Writes one file, tensor by tensor."""

    info: ClassVar[FormatInfo] = FormatInfo(
        name="gguf",
        summary="One GGUF file, each layer in its own ggml type: llama.cpp, Ollama, LM Studio, and transformers.",
        loads_in=("llama.cpp", "Ollama", "LM Studio", "transformers 5 (gguf_file=...)"),
        limits=(
            f"Models of type {', '.join(ARCHITECTURES)} without sliding windows, and without biases but those of "
            "qwen2's attention.",
            "Vocabularies: the byte-level ones of GPT-2, Llama 3 and Qwen2, and SentencePiece's BPE as in Llama 2 (no "
            "Unigram, no normalization).",
            "Options of kind ggml are stored as they were searched, at the predicted size.",
            "Other quantized layers go into the smallest type that holds their values: 2 to 4 bits take 4.5 bits a "
            "weight, 5 bits 5.5, and 6 to 8 bits 8.5, whatever the group; exactly, with two exceptions.",
            "Asymmetric layers of 4 and 5 bits take 5 and 6 bits a weight, and their minimum is rounded to float16: a "
            "weight moves by at most 1/130 of a step (1/66 at 5 bits).",
            "Asymmetric layers of 8 bits, and rows that are no multiple of 32, are stored as float16.",
            "Dropped blocks are left out, and so are those that lost both attention and MLP. Of Llama models so are a "
            "dropped attention, but for the first block's, and all of a dropped MLP but 32 inner channels: such a file "
            "is of architecture deci, which llama.cpp reads and transformers does not. Of other models they are zeros "
            "at 4.5 bits a weight.",
            "transformers reads no rope scaling from GGUF, and takes the head size of qwen3 for 128.",
        ),
        kind="checkpoint",
        checked="loaded with transformers 5.23 (logits bit-equal) and with llama.cpp (top-1 and KL, which quantizes "
        "activations as well)",
        usage="llama-server --model DIR/model.gguf --no-repack",
        language="sh",
        needs_tokenizer=False,
    )

    def refusals(self, anatomy: Anatomy, configuration: Configuration) -> list[str]:
        reasons = refuse_wide(anatomy) or refuse_strangers(anatomy, ARCHITECTURES) or _model_faults(anatomy)
        for name, option in configuration.options:
            layer = anatomy.find(name)
            if isinstance(option, Ggml) and layer is not None and not option.divides(layer.columns):
                reasons.append(
                    f"{name}: {option.unit} of {option.slug} does not divide its {layer.columns} inputs; "
                    "choose a type with blocks of 32"
                )
        return reasons

    def size_bytes(self, anatomy: Anatomy, configuration: Configuration) -> int:
        return size_bytes(anatomy, configuration)

    def savings(self, source: Source) -> list[str]:
        without = idle_parts(source.removal) if architecture(source) == WITHOUT_PARTS else {}
        blocks = source.removal.blocks
        left = [part.name for part in source.removal.zeroed if part_of(part, blocks) not in without]
        out = [part.name for part in source.removal.zeroed if part_of(part, blocks) in without]
        sentences = source.removal.removed()
        if out:
            sentences.append(
                f"{len(out)} parts are left out ({', '.join(out)}), of an MLP all but {NARROWEST} inner channels: "
                f"their bytes and their time are saved in llama.cpp; transformers does not read such a file."
            )
        if left:
            sentences.append(
                f"{len(left)} parts are zeros at 4.5 bits a weight ({', '.join(left)}), which GGUF cannot leave out: "
                f"most of their bytes are saved, their time is not."
            )
        return sentences

    def write(self, source: Source, folder: Path) -> None:
        tensors = plan(source)
        factors = rope_factors(source.config)
        writer = gguf_package().GGUFWriter(folder / FILE, architecture(source))
        try:
            add_settings(writer, source.config, source.removal, Path(source.provenance.model).name)
            add_tokenizer(writer, source.model, source.config.vocab_size)
            if factors is not None:
                _announce(writer, Planned(name=ROPE_FACTORS, shape=tuple(factors.shape), type_name="f32"))
            for planned in tensors.values():
                _announce(writer, planned)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            if factors is not None:
                writer.write_tensor_data(float_bytes(factors, "f32", ROPE_FACTORS))
            for data in _contents(source, tensors):
                writer.write_tensor_data(data)
        finally:
            writer.close()


def _model_faults(anatomy: Anatomy) -> list[str]:
    """Why the model cannot be said in GGUF, whatever its configuration."""
    if anatomy.config is None:
        return []
    fault = vocabulary_fault(anatomy.config)
    return [*model_faults(anatomy.config), *([fault] if fault else [])]


def _announce(writer: Any, planned: Planned) -> None:
    """Tensors are listed in front of all their contents, and follow in the same order."""
    kind = gguf_package().GGMLQuantizationType[planned.type_name.upper()]
    writer.add_tensor_info(planned.name, planned.shape, np.dtype(np.float32), planned.num_bytes, raw_dtype=kind)


def _contents(source: Source, tensors: dict[str, Planned]) -> Iterator[NDArray[np.uint8]]:
    for name, tensor in source.weights():
        if name in tensors:
            planned = tensors[name]
            data = _content(source, name, tensor, planned)
            yield np.ascontiguousarray(data if planned.row_order is None else data[list(planned.row_order)])


def _content(source: Source, name: str, tensor: Tensor, planned: Planned) -> NDArray[np.uint8]:
    if planned.is_blank:
        return zero_bytes(planned.type_name, *planned.shape)
    layer = source.layer_of(name)
    if layer is None:
        return float_bytes(tensor, planned.type_name, name)
    return block_bytes(source.compressed(layer), planned.type_name, layer)
