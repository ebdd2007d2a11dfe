"""Optuna's samplers as strategies: NSGA-II, NSGA-III, TPE, a Gaussian process, and quasi-random points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, TPESampler
from optuna.samplers.nsgaii import PolynomialMutation

from search.sampling.sampled import Sampled
from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Nsga2(Sampled):
    """NSGA-II (Deb et al. 2002): a generation is a batch; uniform crossover, then a mutation of each gene or none.

    ``mutation`` polynomial moves a unit to a near level (Deb and Agrawal 1995), resample to any.
    """

    mutation: Literal["polynomial", "resample"] = "polynomial"
    crossover_prob: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_genetic(self.batch, self.crossover_prob)

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIISampler(
            population_size=self.batch,
            mutation=PolynomialMutation() if self.mutation == "polynomial" else None,
            crossover_prob=self.crossover_prob,
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True)
class Nsga3(Nsga2):
    """NSGA-III (Deb and Jain 2014): NSGA-II with reference points, which pays from three objectives on."""

    divisions: int = 3  # of each objective's axis between reference points

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.divisions < 1:
            raise InputError(f"divisions must be at least 1, got {self.divisions}")

    def sampler(self, seed: int) -> BaseSampler:
        return NSGAIIISampler(
            population_size=self.batch,
            mutation=PolynomialMutation() if self.mutation == "polynomial" else None,
            crossover_prob=self.crossover_prob,
            dividing_parameter=self.divisions,
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True)
class Tpe(Sampled):
    """Tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023), over all units jointly."""

    batch: int = 16
    startup: int = 32  # random trials before the estimator
    candidates: int = 24  # drawn from it for each trial, of which the likeliest to be good is taken

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_model(self.startup, candidates=self.candidates)

    def sampler(self, seed: int) -> BaseSampler:
        return TPESampler(
            n_startup_trials=self.startup,
            n_ei_candidates=self.candidates,
            multivariate=True,
            seed=seed,
        )


@dataclass(frozen=True, kw_only=True)
class Gp(Sampled):
    """Bayesian optimisation by a Gaussian process with a length scale for each unit (optuna's ``GPSampler``).

    Its own time grows with the cube of the trials: for spaces of few units, or few trials.
    """

    trials: int = 96
    batch: int = 8
    startup: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_model(self.startup)

    def sampler(self, seed: int) -> BaseSampler:
        return GPSampler(n_startup_trials=self.startup, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Qmc(Sampled):
    """Quasi-random points that fill the space evenly; learns nothing, as ``random``, with fewer gaps."""

    points: Literal["sobol", "halton"] = "sobol"

    def sampler(self, seed: int) -> BaseSampler:
        return QMCSampler(qmc_type=self.points, scramble=True, seed=seed)


def _check_genetic(batch: int, crossover_prob: float) -> None:
    if batch < 2:
        raise InputError(f"batch must be at least 2 for a generation to have two parents, got {batch}")
    if not 0 <= crossover_prob <= 1:
        raise InputError(f"crossover_prob must be from 0 to 1, got {crossover_prob}")


def _check_model(startup: int, **others: int) -> None:
    for name, value in {"startup": startup, **others}.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}")
