"""Who takes part in the race: one line each, in the words of a job file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.search.tasks import Kind, Task
from search.strategies.trust_region import TrustRegion

Settings = Mapping[str, Any]
Scope = Literal["same space", "global", "ablation"]

# EvoPress' published settings, scaled down; ``benchmarks.search.scaling`` shows both side by side
EVOPRESS_BITS: Settings = {
    "name": "evolution",
    "generations": 150,
    "offspring": 64,
    "stages": [
        {"tokens": 128, "survivors": 8},
        {"tokens": 1024, "survivors": 2},
        {"tokens": 4096, "survivors": 1},
    ],
    "start": {"name": "uniform", "samples": 32},
}
EVEN_STAGE: Settings = {"tokens": 8192, "survivors": 1}  # a sixteenth of EvoPress' last stage, as the others are
EVOPRESS_DROPS: Settings = {
    "name": "evolution",
    "generations": None,
    "offspring": 32,
    "stages": [{"tokens": 128, "survivors": 2}, {"tokens": 2048, "survivors": 1}],
    "start": {"name": "random", "samples": 64},
}
RANDOM_STAGES = [
    {"tokens": 128, "survivors": 300},
    {"tokens": 1024, "survivors": 75},
    {"tokens": 4096, "survivors": 1},
]
# nobody watches a race: new parents are not measured as answers are while it searches
TRUST_REGION: Settings = {"name": "trust-region", "measure_parents": False}
# a quarter or an eighth of its usual tokens, as EvoPress' are scaled: it reads a hundred thousand or two here
TRUST_REGION_DROPS: Settings = {
    **TRUST_REGION,
    "score": {"name": "measured-kl", "tokens": 512},
    "doubt": {"scale": 0.3, "unit": 0.5, "option": 0.0, "together": 0.3},  # drops add up less well than bits
    "rounds": 64,
    "patience": 8,
    "probes": 12,
    "probe_tokens": 256,
    "screen_tokens": 256,
    "radius": 4,
    "race": {"tokens": 1024, "rungs": 3},  # the fewest sequences that a race accepts on, at once
}
AS_PUBLISHED: Settings = {"text": "fresh", "fitness": "float16"}
SAME, GLOBAL = {"groups": "equal-size"}, {"groups": "global"}
ABLATED = ("reference-2.5-bits", "reference-drop-4", "reference-drop-6")
SMALL: Mapping[str, Settings] = {  # what makes a strategy short, by its name
    "evolution": {"generations": 2, "offspring": 4},
    "random": {"samples": 8, "stages": [{"tokens": 128, "survivors": 2}, {"tokens": 512, "survivors": 1}]},
    "trust-region": {"rounds": 2},
    "nsga2": {"trials": 8, "batch": 4, "rungs": [128, 512], "finalists": 2},
    "tpe": {"trials": 8, "batch": 4, "rungs": [128, 512], "finalists": 2},
}


def shortened(settings: Settings, *, is_small: bool) -> Settings:
    """The settings themselves, unless it is only to be seen that everything runs."""
    return {**settings, **SMALL.get(settings["name"], {})} if is_small else settings


@dataclass(frozen=True, kw_only=True, eq=False)  # hashed by identity: settings are mappings
class Method:
    """A strategy for each kind of task; None where it takes no part."""

    name: str
    bits: Settings | None = None
    drops: Settings | None = None
    scope: Scope = "global"  # in which space it looks for bit-widths; drops have one space alone
    rank: int = 1  # 0: runs first
    has_seed: bool = True  # without, one run holds for all seeds
    is_published: bool = False  # reads everything anew, as EvoPress does, and computes all that it reads
    budget: float | None = 1.0  # tokens it may read, as a share of what EvoPress reads; None: until it ends
    tasks: Collection[str] = ()  # the only ones it takes part in; empty: all of the kinds that it has settings for

    def takes_part(self, task: Task) -> bool:
        return self.strategy(task.kind) is not None and (not self.tasks or task.name in self.tasks)

    def strategy(self, kind: Kind, *, is_small: bool = False) -> Settings | None:
        settings = self.bits if kind == "bits" else self.drops
        return None if settings is None else shortened(settings, is_small=is_small)


def _allocate(
    score: str,
    *,
    groups: str = "global",
    solver: str = "knapsack",
    rank: int = 1,
    drops: bool = False,
    seed: bool = False,
) -> Method:
    """A score and the exact solver; ``drops``: it has a number for them, ``seed``: it draws at random."""
    own: Settings = {"name": solver} if solver != "knapsack" else {"name": solver, "groups": groups}
    settings = {"name": "allocate", "score": score, "solver": own}
    return Method(
        name=f"allocate, {score}" + (", same space" if groups != "global" else ""),
        bits=None if score == "cosine-similarity" else settings,
        drops=settings if drops else None,
        scope="global" if groups == "global" else "same space",
        rank=rank,
        has_seed=seed,
        budget=None,
    )


def _without(part: str, **changes: Any) -> Method:
    """The trust region under a global budget, less one of its parts."""
    return _changed(f"without {part}", **changes)


def _from_gram(what: str, *, shrink: float) -> Method:
    """The trust region started from single changes measured around the uniform choice, with or without pair terms."""
    return _changed(f"from gram {what}", score={"name": "gram", "tokens": 512, "shrink": shrink})


def _changed(how: str, **changes: Any) -> Method:
    return Method(
        name=f"trust-region {how}",
        bits=_over({**TRUST_REGION, **GLOBAL}, changes),
        drops=_over({**TRUST_REGION_DROPS, **GLOBAL}, changes),
        scope="ablation",
        rank=2,
        tasks=ABLATED,
    )


def _over(settings: Settings, changes: Settings) -> Settings:
    """The settings with ``changes``; of nested ones those that are named."""
    nested = {
        name: {**settings.get(name, {}), **value} for name, value in changes.items() if isinstance(value, Mapping)
    }
    return {**settings, **changes, **nested}


def _longer(times: int) -> Method:
    """The trust region with so many times the tokens, rounds and patience: what more searching would still find."""
    usual = TrustRegion()
    settings = {**TRUST_REGION, **GLOBAL, "rounds": times * usual.rounds, "patience": times * usual.patience}
    return Method(
        name=f"trust-region, {times} times as long",
        bits=settings,
        scope="ablation",
        rank=2,
        budget=float(times),
        tasks=ABLATED,
    )


def _sampler(name: str, *, batch: int) -> Method:
    """Of Optuna's, for a quarter of the tokens that EvoPress reads in bit-widths, and about as many as it in drops."""
    return Method(
        name=name,
        bits={"name": name, "trials": 960, "batch": batch, "rungs": [1024, 4096], "finalists": 16},
        drops={"name": name, "trials": 192, "batch": 32, "rungs": [512, 2048], "finalists": 8},
        budget=None,
    )


PUBLISHED = "EvoPress as published"
TRUST_SAME, TRUST_GLOBAL = "trust-region, same space", "trust-region, global"
UNGROUPED = "EvoPress with our engine, global"
START = "allocate, fisher"  # where the trust region starts at bit-widths
METHODS: tuple[Method, ...] = (
    Method(
        name=PUBLISHED,
        bits={**EVOPRESS_BITS, **AS_PUBLISHED, **SAME},
        drops={**EVOPRESS_DROPS, **AS_PUBLISHED, **SAME},
        scope="same space",
        rank=0,
        is_published=True,
        budget=None,
    ),
    Method(
        name=TRUST_SAME,
        bits={**TRUST_REGION, **SAME},
        drops={**TRUST_REGION_DROPS, **GLOBAL},  # its budgets hold the kinds apart by themselves
        scope="same space",
        rank=0,
    ),
    Method(
        name="EvoPress as published, last stage of 8,192 tokens",
        bits={**EVOPRESS_BITS, **AS_PUBLISHED, **SAME, "stages": [*EVOPRESS_BITS["stages"][:-1], EVEN_STAGE]},
        scope="same space",
        rank=3,
        is_published=True,
        budget=None,
        tasks=("reference-2.5-bits",),
    ),
    Method(name=TRUST_GLOBAL, bits={**TRUST_REGION, **GLOBAL}, rank=0),
    _allocate("measured-kl", rank=0, drops=True),
    _allocate("gradient-output", rank=0),
    _allocate("fisher", rank=0, drops=True, seed=True),
    _allocate("measured-kl", groups="equal-size", rank=0),
    _allocate("gradient-output", groups="equal-size", rank=0),
    _allocate("fisher", groups="equal-size", rank=0, seed=True),
    Method(
        name="EvoPress with our engine",
        bits={**EVOPRESS_BITS, **SAME},
        drops={**EVOPRESS_DROPS, **SAME},
        scope="same space",
        rank=0,
        budget=None,
    ),
    Method(name=UNGROUPED, bits={**EVOPRESS_BITS, **GLOBAL}),
    Method(
        name="random",
        bits={"name": "random", "samples": 2400, "stages": RANDOM_STAGES},
        drops={"name": "random", "samples": 300, "stages": EVOPRESS_DROPS["stages"]},
        budget=None,
    ),
    _sampler("nsga2", batch=64),
    _sampler("tpe", batch=32),
    _allocate("cosine-similarity", drops=True),
    _allocate("weight-error"),
    _allocate("output-error"),
    _allocate("spectral-error"),
    _allocate("activation-entropy"),
    _allocate("hessian-trace", seed=True),
    _allocate("delta-loss"),
    _allocate("linearity", seed=True),
    _allocate("gram", solver="quadratic", seed=True),
    _allocate("inter-layer", solver="quadratic", seed=True),
    _without("probes", probes=0),
    _without("races", race={"rungs": 1, "confidence": 0.5}),  # whoever beats the parent on one rung is accepted
    _without("mutations", mutations=0),
    _from_gram("with its interactions", shrink=1.0),
    _from_gram("without its interactions", shrink=0.0),
    _longer(4),
    _allocate("hessian-eigenvalue", rank=3, seed=True),
    _allocate("hessian-eigenvalue-spread", rank=3, seed=True),
    # quadratic, which gram and inter-layer need, knows no groups
    _allocate("weight-error", groups="equal-size", rank=2),
    _allocate("output-error", groups="equal-size", rank=2),
    _allocate("spectral-error", groups="equal-size", rank=2),
    _allocate("activation-entropy", groups="equal-size", rank=2),
    _allocate("hessian-trace", groups="equal-size", rank=2, seed=True),
    _allocate("delta-loss", groups="equal-size", rank=2),
    _allocate("linearity", groups="equal-size", rank=2, seed=True),
    _allocate("hessian-eigenvalue", groups="equal-size", rank=3, seed=True),
    _allocate("hessian-eigenvalue-spread", groups="equal-size", rank=3, seed=True),
)
