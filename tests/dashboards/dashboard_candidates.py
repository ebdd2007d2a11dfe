"""Candidates of a small space as a search finds them, and the documents that tell what they and their layers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from store.records import NewCandidate

MODULES = {
    "self_attn.q_proj": (256, 256),
    "self_attn.k_proj": (128, 256),
    "self_attn.v_proj": (128, 256),
    "self_attn.o_proj": (256, 256),
    "mlp.gate_proj": (768, 256),
    "mlp.up_proj": (768, 256),
    "mlp.down_proj": (256, 768),
}
BITS = (2, 3, 4, 6, 8)
NUM_BLOCKS = 4
NUM_UNITS = NUM_BLOCKS * len(MODULES)
REST_BYTES = 2_100_000  # of the embedding, which no option changes


def weights() -> np.ndarray:
    """Of each unit, block by block."""
    return np.array([rows * columns for rows, columns in MODULES.values()] * NUM_BLOCKS)


def space_document() -> dict[str, Any]:
    """What tells what the levels of ``quantized`` are."""
    layers = [
        {
            "name": f"model.layers.{block}.{module}",
            "block": block,
            "module": module,
            "part": None,
            "rows": rows,
            "columns": columns,
            "inside": [],
        }
        for block in range(NUM_BLOCKS)
        for module, (rows, columns) in MODULES.items()
    ]
    slugs = [f"gptq-int{bits}-g128-asym" for bits in BITS]
    return _document(layers, slugs, NUM_BLOCKS, int(weights().sum()))


def drop_document(num_blocks: int = 6) -> dict[str, Any]:
    """The same of a space of attentions and MLPs to keep or drop."""
    layers = [
        {
            "name": f"model.layers.{block}.{name}",
            "block": block,
            "module": name,
            "part": part,
            "rows": 0,
            "columns": 0,
            "inside": [],
        }
        for block in range(num_blocks)
        for name, part in (("self_attn", "attention"), ("mlp", "mlp"))
    ]
    return _document(layers, ["drop", "keep"], num_blocks, 0)


def _document(layers: list[dict[str, Any]], slugs: list[str], num_blocks: int, num_weights: int) -> dict[str, Any]:
    return {
        "version": 1,
        "ties": "none",
        "dense_bits": 16,
        "num_parameters": num_weights + REST_BYTES // 2,
        "num_weights": num_weights,
        "num_blocks": num_blocks,
        "layers": layers,
        "units": [{"layers": [index], "options": slugs} for index in range(len(layers))],
    }


def quantized(num: int, *, seed: int = 0, first: int = 0) -> list[NewCandidate]:
    """Uniform choices first, then mixtures: losses fall fourfold a bit, and some layers matter more than others."""
    rng, own = np.random.default_rng(seed), np.random.default_rng([seed, first])
    importance = rng.lognormal(0, 1, NUM_UNITS) / NUM_UNITS
    found = []
    for number in range(first, first + num):
        is_plain = number < len(BITS)
        middle = own.uniform(0, len(BITS) - 1)
        levels = np.clip(np.rint(own.normal(middle, 1, NUM_UNITS)), 0, len(BITS) - 1).astype(int)
        found.append(
            _mixture(number, np.full(NUM_UNITS, number) if is_plain else levels, importance, is_plain=is_plain)
        )
    return found


def _mixture(number: int, levels: np.ndarray, importance: np.ndarray, *, is_plain: bool) -> NewCandidate:
    bits = np.array(BITS)[levels]
    nominal = float((bits * weights()).sum() / weights().sum())
    size_bytes = REST_BYTES + int(((bits + 32 / 128) * weights()).sum() / 8)
    loss = float((importance * 4.0**-bits).sum()) * (1 if is_plain else 0.8)
    return NewCandidate(
        configuration_id=f"{number:012x}",
        levels=tuple(levels.tolist()),
        label=f"uniform gptq-int{bits[0]}-g128-asym" if is_plain else f"round {number // 20} of 4",
        kind="plain" if is_plain else "candidate",
        size_bytes=size_bytes,
        bits_per_weight=size_bytes * 8 / (int(weights().sum()) + REST_BYTES // 2),
        nominal_bits_per_weight=nominal,
        loss=loss,
        loss_se=loss / 20,
        source="cached" if number % 4 == 0 else "computed",
    )


def dropped(num: int, num_units: int = 12) -> list[NewCandidate]:
    """Candidates that leave out more and more parts."""
    rng = np.random.default_rng(0)
    return [
        NewCandidate(
            configuration_id=f"{number:012x}",
            levels=tuple(int(level) for level in rng.random(num_units) > number / (2 * num)),
            label=f"generation {number // 5} of 4",
            kind="candidate",
            size_bytes=20_000_000 - 400_000 * number,
            bits_per_weight=16.0 - 0.3 * number,
            nominal_bits_per_weight=16.0 - 0.3 * number,
            loss=0.01 * (number + 1) ** 1.5,
            loss_se=0.001,
            source="computed",
        )
        for number in range(num)
    ]


def mixed(num: int, *, num_units: int = 12, first_known: int = 0, has_task: bool = False) -> list[NewCandidate]:
    """Candidates that drop parts here and there: fewer FLOPs cost loss, and bytes go their own way.

    Those before ``first_known`` were noted by a release that knew no FLOPs.
    """
    rng = np.random.default_rng(5)
    found = []
    for number in range(num):
        levels = (rng.random(num_units) > rng.uniform(0, 0.6)).astype(int)
        bits, num_kept = rng.uniform(2, 8), int(levels.sum())
        is_known = number >= first_known
        found.append(
            NewCandidate(
                configuration_id=f"{number:012x}",
                levels=tuple(levels.tolist()),
                label=f"nsga3, batch {number // 16 + 1} of 4",
                kind="plain" if number < 2 else "candidate",
                size_bytes=2_000_000 + int(bits * (20_000 * num_kept + 60_000)),
                bits_per_weight=float(bits),
                nominal_bits_per_weight=float(bits),
                loss=(0.01 * (num_units + 1 - num_kept) ** 1.5 + float(4.0**-bits)) * rng.lognormal(0, 0.5),
                loss_se=0.001,
                source="computed",
                flops=2 * (1_000_000 + 700_000 * num_kept) if is_known else None,
                parameters=2_000_000 + 800_000 * num_kept if is_known else None,
                task_errors={"next": float(rng.integers(4, 24)) / 32} if has_task else {},
            )
        )
    return found


def lost(found: Sequence[NewCandidate], which: Callable[[int], bool] = lambda number: True) -> list[NewCandidate]:
    """The same where those of these numbers broke the model."""
    return [replace(each, loss=None, loss_se=None) if which(number) else each for number, each in enumerate(found)]


def sensitivity_document() -> dict[str, Any]:
    """What each option costs each layer."""
    costs = np.random.default_rng(1).lognormal(-7, 1, NUM_UNITS)
    slugs = {f"gptq-int{bits}-g128-asym": 4.0**-bits for bits in BITS}
    return {
        "unit": "nats per token",
        "source": "fisher",
        "items": [
            {
                "name": layer["name"],
                "block": layer["block"],
                "module": layer["module"],
                "losses": {slug: cost * factor for slug, factor in slugs.items()},
            }
            for layer, cost in zip(space_document()["layers"], costs, strict=True)
        ],
    }
