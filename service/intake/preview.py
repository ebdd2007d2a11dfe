"""What a job would be, before any of its work: refused as early as it can be, and otherwise told in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluators.dense_layout import choose_layout
from search.engine.draft import check_lengths, make_problem, make_space, propagated, text_sources
from search.fronts import check_budgets, planned_front_tokens
from search.settings import make_strategy
from search.spec import JobSpec
from search.strategy import Problem, Strategy
from search.sweep import check_sweep
from service.api.views import Preview, Range, SizePoint
from service.intake.fields import at
from spaces.budget import BUDGETS, Budget, feasible_range, parse_size
from spaces.constraints import make_constraints
from spaces.feasibility import unit_costs
from spaces.option import Banked
from spaces.skeleton import load_config
from spaces.space import Space
from spaces.targets import TARGETS


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A job that nothing speaks against, as far as its words and its model's config go."""

    strategy: Strategy
    problem: Problem
    budgets: tuple[Budget, ...]
    dense_logits_bytes: int


def understand(spec: JobSpec) -> Understood:
    """Check all of a job that can be checked without reading weights or text.

    Raises:
        FieldError: what cannot be done, and where the job asks for it.
    """
    with at("strategy"):
        strategy = make_strategy(spec.strategy)
    with at("calibration"):
        sources = text_sources(spec)
    with at("model"):
        config = load_config(spec.model)
    with at("calibration"):
        check_lengths(spec, config)
    with at("space"):
        space = make_space(spec, config)
    with at("constraints"):
        make_constraints(spec.constraints, space)
    max_tokens = sources["calibration"].num_sequences * spec.sequence_length
    with at("budget"):
        problem, budgets = make_problem(spec, space, max_tokens)
    with at("strategy"):
        check_budgets(strategy, problem, budgets)
    with at("bank"):
        propagated(spec, space)
    if spec.front_points:
        with at("front_points"):
            check_sweep(problem)
    limit, vocab_size = parse_size(str(spec.evaluation.dense_logits_limit)), config.get_text_config().vocab_size
    lengths = [source.num_sequences * source.sequence_length for source in sources.values()]
    with at("evaluation", "dense_logits_limit"):
        dense = sum(tokens * choose_layout(tokens, vocab_size, limit).bytes_per_token for tokens in lengths)
    return Understood(strategy=strategy, problem=problem, budgets=budgets, dense_logits_bytes=dense)


def preview(spec: JobSpec) -> Preview:
    """The job in numbers: sizes, feasible budgets, and about what it will read and keep.

    Raises:
        FieldError: as ``understand``.
    """
    job = understand(spec)
    space = job.problem.space
    smallest, largest = _ends(space)
    return Preview(
        target=space.target,
        ties=space.ties,
        formats=list(TARGETS[space.target].formats),
        num_layers=len(space.layers),
        num_units=len(space.units),
        num_options=len({option.slug for unit in space.units for option in unit.options}),
        num_budgets=len(job.budgets),
        dense_size_bytes=space.measure(space.kept).size_bytes,
        smallest=smallest,
        largest=largest,
        feasible={name: _range(name, space) for name in spec.budget if name in BUDGETS},
        planned_tokens=_planned_tokens(job),
        bank_bytes=_bank_bytes(space),
        dense_logits_bytes=job.dense_logits_bytes,
    )


def _ends(space: Space) -> tuple[SizePoint, SizePoint]:
    """The smallest and the largest configuration: units add up, so that each unit's own extreme is the whole's."""
    costs = [unit_costs(space, number, "stored_bits") for number in range(len(space.units))]
    low, high = ([pick(range(len(cost)), key=cost.__getitem__) for cost in costs] for pick in (min, max))
    return _size_point(space, low), _size_point(space, high)


def _size_point(space: Space, levels: Sequence[int]) -> SizePoint:
    measures = space.measure(levels)
    return SizePoint(
        size_bytes=measures.size_bytes,
        bits_per_weight=measures.stored_bits / space.anatomy.num_parameters,
        nominal_bits_per_weight=measures.nominal_bits / space.num_weights if space.num_weights else None,
    )


def _range(name: str, space: Space) -> Range:
    smallest, largest = feasible_range(name, space)
    return Range(smallest=smallest, largest=largest)


def _planned_tokens(job: Understood) -> int:
    problems = tuple(replace(job.problem, budget=budget) for budget in job.budgets)
    if len(problems) > 1:
        return planned_front_tokens(job.strategy, problems)
    return job.strategy.planned_tokens(job.problem)


def _bank_bytes(space: Space) -> int:
    """Codes, scales and zero points of every entry that the space needs; the files' headers come on top."""
    bits = sum(
        option.bits(space.layers[index].rows, space.layers[index].columns, space.anatomy.dense_bits).stored
        for unit in space.units
        for option in unit.options
        for index in unit.layers
        if isinstance(option, Banked)
    )
    return -(-bits // 8)
