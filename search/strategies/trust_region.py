"""Trust region: a local model of the loss, exact proposals from it, and races that decide."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import numpy as np

from search.baselines import uniform_near
from search.fronts import middle
from search.mutation import GROUPS, Groups
from search.region.local_model import Doubt, LocalModel, check_moves, model_of, single_changes
from search.region.proposals import Region, cautious, imagined, kicked, mutated, undecided_moves, with_hidden
from search.region.race import Belief, Race, Raced, broken, run_race
from search.region.windows import Windows, differences
from search.scores.fisher import Fisher
from search.scores.measured import MeasuredKL
from search.scores.score import NO_PREDICTION, SCORES, Score, name_of_score
from search.scores.shares import in_shares
from search.selection import distinct
from search.solvers.allocation import Allocator, check_allocation
from search.strategy import FINAL_TOKENS, Asking, Problem, Search, check_budget_alone
from spaces.errors import InputError
from spaces.option import Banked
from spaces.space import Levels
from spaces.tables import check_name

PENALTIES = (0.0, 0.5, 1.0)  # standard deviations of a change's cost that it is made dearer by
SMALLEST_RADIUS = 2  # one unit down and one up
LONGEST_LOOK = 4  # times the tokens of a probe or a proposal, once rounds bring nothing


@dataclass(frozen=True, kw_only=True)
class TrustRegion:
    """Learns what single changes cost near a parent, proposes the exact optimum of that, and accepts what wins a race.

    It starts where ``score`` x knapsack ends; None takes fisher, or measured-kl where nothing but drops is open or
    gradients underflow. A single budget's is asked for in growing shares, so that there is an answer after an eighth of
    its tokens. The score's costs are the prior of an additive Gaussian model of the loss (``doubt`` says how far they
    are believed), which every later measurement corrects. A round

    1. *probes* single changes of the parent: those about which answers drawn from the model disagree most;
    2. *proposes* the exact knapsack of the model's costs, at several penalties for what is little known, and of costs
       drawn from it (Thompson sampling), all within ``radius`` changed units, and EvoPress' mutations for a quarter;
    3. *screens* all proposals on ``screen_tokens`` and *races* the ``rivals`` that are then likeliest to be better
       against the parent, with the confidence of ``race``. What is not accepted has still taught the model;
    4. doubles the radius where the winner gained at least half of what the model said; where nobody won it halves the
       radius and reads twice as many tokens at the next look, up to four times.

    Every question reads text that the one before did not, as far as the stream goes, so that nothing is learned twice
    from the luck of a few sequences, and the parent is measured once on each. After ``patience`` rounds without a
    winner the proposals of one round are made around a parent with random flips. It ends after ``rounds``, when twice
    ``patience`` rounds in a row brought nothing, or before the round that might exceed ``tokens``. With
    ``measure_parents`` every new parent is also measured as an answer is, for the front and for those who watch; the
    search itself learns nothing from that.

    Not published in this form. The parts: trust regions (Conn, Gould and Toint 2000, chapter 6), Thompson sampling on
    a Bayesian linear model (Agrawal and Goyal 2013, arXiv:1209.3352), racing (Maron and Moore 1994).
    """

    score: Score | None = None
    doubt: Doubt = field(default_factory=Doubt)
    rounds: int = 16
    tokens: int | None = None
    probes: int = 32
    probe_tokens: int = 2048
    proposals: int = 16
    mutations: int = 4
    screen_tokens: int = 2048
    rivals: int = 4
    race: Race = field(default_factory=Race)
    radius: int = 16
    patience: int = 3
    groups: Groups = "global"
    measure_parents: bool = True

    def __post_init__(self) -> None:
        check_name(self.groups, GROUPS, "grouping")
        for name in ("probe_tokens", "proposals", "screen_tokens", "rivals", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("rounds", "probes", "mutations"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.radius < SMALLEST_RADIUS:
            raise InputError(f"radius must be at least {SMALLEST_RADIUS}, one unit down and one up, got {self.radius}")
        if self.tokens is not None and self.tokens < 1:
            raise InputError(f"tokens must be at least 1, got {self.tokens}; leave it out for no limit")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "strategy trust-region")
        check_allocation(problem, self.groups)
        check_moves(problem.space)
        self._check_score()
        self.first_score(problem).check(problem)

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(FINAL_TOKENS)

    def planned_tokens(self, problem: Problem) -> int:
        return self._planned(problem, rounds=self.rounds, starts=1)

    def first_score(self, problem: Problem) -> Score:
        """The score that the model begins with.

        A few dozen drops are measured for as many tokens as fisher reads, and without a gradient.
        """
        if self.score is not None:
            return self.score
        fisher = Fisher()
        try:
            fisher.check(problem)
        except InputError:
            return MeasuredKL()
        choices = chain.from_iterable(unit.options for unit in problem.space.units if len(unit.options) > 1)
        return fisher if any(isinstance(option, Banked) for option in choices) else MeasuredKL()

    def search(self, problem: Problem) -> Search:
        scores = yield from in_shares(
            partial(self.first_score(problem).score, problem),
            problem,
            lambda scores: self._begun(problem, model_of(problem.space, scores, self.doubt)),
        )
        model = model_of(problem.space, scores, self.doubt)
        windows = Windows(problem=problem, most=self._left_by_score(problem))
        return (yield from self._improve(model, windows, self.rounds))

    def search_front(self, problems: tuple[Problem, ...]) -> Asking[tuple[Levels, ...]]:
        """One model and one stream of text for all budgets: what one learns, all know. They share rounds and tokens.

        The score is that of the budget in the middle. What one budget leaves of its share is for those after it.
        """
        scores = yield from self.first_score(middle(problems)).score(middle(problems))
        model = model_of(middle(problems).space, scores, self.doubt)
        windows, rounds = Windows(problem=middle(problems)), -(-self.rounds // len(problems))
        left, answers = self._left_by_score(middle(problems)), list[Levels]()
        for problem in problems:
            share = None if left is None else (left - windows.tokens) // (len(problems) - len(answers))
            windows = replace(windows, problem=problem, most=None if share is None else windows.tokens + share)
            answers.append((yield from self._improve(model, windows, rounds, *answers[-1:])))
        return tuple(answers)

    def planned_front_tokens(self, problems: tuple[Problem, ...]) -> int:
        rounds = -(-self.rounds // len(problems)) * len(problems)
        return self._planned(middle(problems), rounds=rounds, starts=len(problems))

    def _left_by_score(self, problem: Problem) -> int | None:
        """The tokens for everything but the score; None: no limit."""
        return None if self.tokens is None else self.tokens - self.first_score(problem).planned_tokens(problem)

    def _check_score(self) -> None:
        """Refuse a score whose costs cannot be held against measured losses.

        Raises:
            InputError: names the scores that can.
        """
        if self.score is not None and name_of_score(self.score) in NO_PREDICTION:
            fitting = ", ".join(name for name in SCORES if name not in NO_PREDICTION)
            raise InputError(
                f"strategy trust-region needs a score that predicts the KL in nats, got {name_of_score(self.score)}; "
                f"use one of {fitting}"
            )

    def _begun(self, problem: Problem, model: LocalModel, sound: Levels | None = None) -> Levels:
        """The model's own optimum; ``sound`` is the answer of a tighter budget, if there was one."""
        found = Allocator(problem, self.groups).solve(model.table(model.mean, sound))
        return with_hidden(problem.space, found, uniform_near(problem))

    def _improve(self, model: LocalModel, windows: Windows, rounds: int, sound: Levels | None = None) -> Search:
        """From the model's optimum, so many rounds on; fewer where they bring nothing or the tokens are spent.

        ``sound`` is the answer of a tighter budget, if there was one.
        """
        problem = windows.problem
        allocator = Allocator(problem, self.groups)
        parent = self._begun(problem, model, sound)
        radius, idle = min(self.radius, len(problem.space.units)), 0
        yield from self._measure_parent(parent, windows, "where the search starts")
        for number in range(1, rounds + 1):
            look = min(2**idle, LONGEST_LOOK)
            if idle >= 2 * self.patience or self._is_spent(windows, look):
                break
            rng = np.random.default_rng([problem.seed, number])
            center = kicked(parent, self.groups, problem, rng) if idle == self.patience else parent
            region = Region(allocator=allocator, parent=center, radius=radius, sound=parent)
            label = f"round {number} of {rounds}"
            step = _Round(
                settings=self,
                region=region,
                parent=parent,
                model=model,
                windows=windows,
                look=look,
                label=label,
            )
            yield from step.probe(rng)
            rivals = yield from step.screen(rng)
            raced = yield from step.race(rivals)
            if raced.winner is None:
                radius, idle = max(SMALLEST_RADIUS, radius // 2), idle + 1
                continue
            if float(raced.differences[raced.winner].mean()) <= rivals[raced.winner].mean / 2:
                radius = min(2 * radius, len(problem.space.units))
            parent, idle = raced.winner, 0
            yield from self._measure_parent(parent, windows, f"{label}, its winner")
        return parent

    def _measure_parent(self, parent: Levels, windows: Windows, label: str) -> Asking[None]:
        """As an answer is measured, unless the tokens left do not suffice."""
        tokens = self._parent_tokens(windows.problem)
        if tokens and not windows.exceeds(tokens):
            yield from windows.ask_beginning(parent, tokens, label)

    def _parent_tokens(self, problem: Problem) -> int:
        """What measuring one new parent reads."""
        return self.fidelity(problem) if self.measure_parents else 0

    def _planned(self, problem: Problem, *, rounds: int, starts: int) -> int:
        """About what so many rounds read: half of them find a winner."""
        score = self.first_score(problem).planned_tokens(problem)
        parents = (starts + rounds // 2) * self._parent_tokens(problem)
        planned = score + rounds * self._round_tokens(problem) + parents
        return planned if self.tokens is None else min(planned, self.tokens)

    def _round_tokens(self, problem: Problem) -> int:
        """About what a round reads."""
        return self._look_tokens(problem, 1) + self.race.planned_tokens(self.rivals, problem)

    def _look_tokens(self, problem: Problem, look: int) -> int:
        """What the probes and the proposals of a round read at most, in whole sequences."""
        probes = min(self.probes, sum(len(unit.options) - 1 for unit in problem.space.units))
        proposals = max(self.proposals, self.mutations + len(PENALTIES))
        probed = (1 + probes) * problem.sequences(self.probe_tokens * look) if probes else 0
        screened = (1 + proposals) * problem.sequences(self.screen_tokens * look)
        return (probed + screened) * problem.sequence_length

    def _is_spent(self, windows: Windows, look: int) -> bool:
        """Whether another round might exceed the tokens."""
        problem = windows.problem
        return windows.exceeds(self._look_tokens(problem, look) + self.race.most_tokens(self.rivals, problem))


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One round: what it asks and what the model learns from the answers."""

    settings: TrustRegion
    region: Region  # around the parent, or around a kicked one
    parent: Levels  # what everything is measured against
    model: LocalModel
    windows: Windows
    look: int  # times as many tokens as usual
    label: str

    def probe(self, rng: np.random.Generator) -> Asking[None]:
        """Single changes of the parent."""
        draws = list(imagined(self.model, self.region, self.settings.proposals, rng))
        moves = undecided_moves(self.model, self.parent, draws, self.settings.probes)
        yield from self._look(single_changes(self.parent, moves), self.settings.probe_tokens, "probes")

    def screen(self, rng: np.random.Generator) -> Asking[dict[Levels, Belief]]:
        """The proposals that may still be better than the parent after a first look at all of them, likeliest first."""
        settings, model, region = self.settings, self.model, self.region
        num_drawn = max(0, settings.proposals - settings.mutations - len(PENALTIES))
        proposed = chain(
            cautious(model, region, PENALTIES),
            imagined(model, region, num_drawn, rng),
            mutated(region, settings.mutations, rng),
        )
        beliefs = yield from self._look(list(proposed), settings.screen_tokens, "proposals")
        hopeful = [levels for levels, held in beliefs.items() if held.is_better > 1 - settings.race.confidence]
        hopeful.sort(key=lambda levels: -beliefs[levels].is_better)
        return {levels: beliefs[levels] for levels in hopeful[: settings.rivals]}

    def race(self, rivals: dict[Levels, Belief]) -> Asking[Raced]:
        """The rivals against the parent, each with what is held of it."""
        raced = yield from run_race(self.parent, rivals, self.settings.race, self.windows, f"{self.label}, race")
        for rival, difference in raced.differences.items():
            self.model.observe(self.parent, rival, difference)
        return raced

    def _look(self, candidates: list[Levels], tokens: int, what: str) -> Asking[dict[Levels, Belief]]:
        """Measure candidates beside the parent on text of their own, learn, and tell what is held of each by then."""
        others = distinct([self.parent, *candidates], self.windows.problem)[1:]
        if not others:
            return {}
        losses = yield from self.windows.ask(
            [self.parent, *others], tokens * self.look, f"{self.label}, {what}", self.parent
        )
        found = list(zip(others, differences(losses), strict=True))
        for levels, difference in found:
            self.model.observe(self.parent, levels, difference)
        return {levels: self._belief(levels, difference) for levels, difference in found}

    def _belief(self, levels: Levels, difference: np.ndarray) -> Belief:
        """Of a candidate's loss less the parent's: what the model holds, unless one of the two broke."""
        if not np.isfinite(difference).all():
            return broken(difference)
        mean, variance = self.model.predict(self.parent, levels)
        return Belief(mean=mean, variance=variance)
