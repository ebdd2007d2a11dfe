"""The model card of an export: what it is, what was measured of it, and how to load it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from exporters.format import FormatInfo
from exporters.provenance import Provenance, Row
from exporters.source import Source

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
LIBRARIES = {"gguf": "gguf", "mlx": "mlx", "openvino": "openvino"}  # of the others: transformers
ROWS_SHOWN = 8  # of the uniform choices


def model_card(source: Source, info: FormatInfo, name: str, savings: list[str], notes: list[str]) -> str:
    """``README.md``, with the front matter that the Hugging Face hub reads."""
    provenance = source.provenance
    blocks = [
        f"---\n{_front_matter(source, info, name).to_yaml()}\n---",
        f"# {name}",
        f"`{Path(provenance.model).name}` with a compression of its own for each layer, found by Layerpress and "
        f"written as `{info.name}`. {provenance.verdict}".strip(),
        *_figures(provenance),
        *_layers(source),
        *(["## What was dropped", "\n".join(f"- {sentence}" for sentence in savings)] if savings else []),
        "## How to load it",
        f"Loads in {', '.join(info.loads_in)}.",
        *([f"```{info.language}\n{info.usage}\n```"] if info.usage else []),
        *(["\n".join(f"- {sentence}" for sentence in (*notes, *info.limits))] if notes or info.limits else []),
        *[f"![{picture.removesuffix('.png')}]({picture})" for picture in provenance.pictures],
        "`compression.json` has the option of every layer, the budget, all that was measured and the versions; "
        "`sha256sum -c SHA256SUMS` checks the files.",
    ]
    return "\n\n".join(blocks) + "\n"


def _front_matter(source: Source, info: FormatInfo, name: str) -> ModelCardData:
    model = source.provenance.model
    is_hub = HUB_ID.fullmatch(model) is not None and not Path(model).exists()
    results = list(_results(source.provenance))
    return ModelCardData(
        base_model=model if is_hub else None,
        base_model_relation="quantized" if is_hub else None,
        library_name=LIBRARIES.get(info.name, "transformers"),
        pipeline_tag="text-generation",
        tags=["layerpress", "mixed-precision", info.name],
        model_name=name if results else None,
        eval_results=results or None,
    )


def _results(provenance: Provenance) -> Iterator[EvalResult]:
    text = provenance.spec.get("validation")
    source = str(text.get("source")) if isinstance(text, Mapping) else "validation text"
    for key, metric in (("kl_validation", "kl_divergence"), ("perplexity_validation", "perplexity")):
        value = provenance.candidate.get(key)
        if isinstance(value, float):
            yield EvalResult(
                task_type="text-generation",
                dataset_type="text",
                dataset_name=Path(source).name,
                metric_type=metric,
                metric_value=value,
            )


def _figures(provenance: Provenance) -> Iterator[str]:
    """The candidate above the uniform choices that it was held against."""
    rows = [row for row in (provenance.candidate, *provenance.baselines[:ROWS_SHOWN]) if "size_bytes" in row]
    if not rows:
        return
    yield "## What was measured"
    head = "| | size | bits per weight | KL to the dense model | perplexity |\n| --- | ---: | ---: | ---: | ---: |"
    measured = provenance.candidate.keys() & {"kl_validation", "perplexity_validation"}
    is_unseen = any(provenance.candidate[key] is not None for key in measured)
    text = "validation" if is_unseen else "calibration"  # one for all: losses on two texts do not compare
    yield "\n".join([head, *(_line(row, text) for row in rows)])
    yield (
        "KL in nats per token with its standard error, on "
        + ("text that the search never saw" if is_unseen else "the search's own text")
        + "; sizes as predicted for packed tensors, the uncompressed rest included."
    )


def _line(row: Row, text: str) -> str:
    loss, error, perplexity = (row.get(key) for key in (f"kl_{text}", f"kl_{text}_se", f"perplexity_{text}"))
    if loss is None:
        shown = "broken" if f"kl_{text}" in row and perplexity is None else "not measured"
    else:
        shown = f"{loss:.5f}" + ("" if error is None else f" ± {error:.5f}")
    return (
        f"| {row.get('name', '')} | {row['size_bytes'] / 1e6:,.1f} MB | {row['bits_per_weight']:.3f} | {shown} | "
        f"{'' if perplexity is None else f'{perplexity:.2f}'} |"
    )


def _layers(source: Source) -> Iterator[str]:
    counts = Counter(option.slug for _, option in source.configuration.options)
    yield "## Its layers"
    lines = [f"| `{slug}` | {count} |" for slug, count in counts.most_common()]
    yield "\n".join(["| option | layers |\n| --- | ---: |", *lines])
