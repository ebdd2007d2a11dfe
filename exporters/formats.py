"""The formats that a configuration can be written in."""

from __future__ import annotations

from exporters.format import Exporter, FormatInfo
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.tables import check_name, load

EXPORTERS = {
    "dense": "exporters.dense:Dense",
    "compressed-tensors": "exporters.compressed_tensors:CompressedTensors",
    "gguf": "exporters.gguf:Gguf",
    "mlx": "exporters.mlx:Mlx",
    "auto-round": "exporters.auto_round:AutoRound",
    "gptq": "exporters.gptq:Gptq",
    "openvino": "exporters.openvino:OpenVino",
    "torchao": "exporters.torchao:TorchAo",
    "llama-quantize": "exporters.llama_quantize:LlamaQuantize",
    "llm-compressor": "exporters.llm_compressor:LlmCompressor",
    "auto-round-config": "exporters.auto_round_config:AutoRoundConfig",
    "gptqmodel-dynamic": "exporters.gptqmodel_dynamic:GptqModelDynamic",
    "mlx-predicate": "exporters.mlx_predicate:MlxPredicate",
    "modelopt": "exporters.modelopt:ModelOpt",
    "evopress": "exporters.evopress:EvoPress",
    "configuration": "exporters.own_configuration:OwnConfiguration",
}
MODELLESS = ("configuration", "evopress")  # recipes that say nothing of a model


def formats() -> list[FormatInfo]:
    """What there is, in the table's order."""
    return [exporter(name).info for name in EXPORTERS]


def exporter(name: str) -> Exporter:
    """The exporter of a format.

    Raises:
        InputError: there is none of that name.
    """
    made: Exporter = load(EXPORTERS, name, "export format")()
    return made


def export_text(configuration: Configuration, format_: str) -> str:
    """``configuration`` as the one file of a format that says nothing of a model.

    Raises:
        InputError: the format needs the model, or has no word for something in the configuration.
    """
    if format_ == "configuration":
        return configuration.dump()
    if check_name(format_, EXPORTERS, "export format") == "evopress":
        from exporters.evopress import write_evopress

        return write_evopress(configuration)
    raise InputError(f"format {format_} reads the model; name the folder of a run, or a job, in place of a file")
