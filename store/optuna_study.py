"""A job's configurations as trials of an Optuna study, which optuna-dashboard and Optuna's own tools open."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import create_trial
from sqlalchemy.exc import SQLAlchemyError

from spaces.errors import InputError, JobError

KEY = "configuration_id"  # the attribute of a trial by which it is known again


@dataclass(frozen=True, kw_only=True)
class StudyTrial:
    """One configuration that was measured."""

    id: str  # of the configuration
    params: Mapping[str, str]  # layer -> slug of its option
    values: Sequence[float]  # one for each metric, smaller is better
    attributes: Mapping[str, str | float] = field(default_factory=dict)


class OptunaStudy:
    """A study of one job: each configuration is one finished trial, however often it is added."""

    def __init__(self, study: Study, distributions: Mapping[str, CategoricalDistribution]) -> None:
        self._study = study
        self._distributions = dict(distributions)

    @classmethod
    def open(
        cls, address: str, name: str, *, choices: Mapping[str, Sequence[str]], metrics: Sequence[str]
    ) -> OptunaStudy:
        """Open the study, or make it.

        Args:
            address: a database's URL, ``sqlite:///trials.db``; or a file's path, for an Optuna journal.
            choices: of every layer the slugs that it may have.
            metrics: what is minimised.

        Raises:
            InputError: nothing can be opened there, or the study is of another space or of other metrics.
        """
        with _quiet():
            try:
                study = optuna.create_study(
                    storage=_storage(address),
                    study_name=name,
                    directions=["minimize"] * len(metrics),
                    load_if_exists=True,
                )
            except (OptunaError, SQLAlchemyError, ImportError, OSError, ValueError) as error:
                raise InputError(
                    f"cannot open the Optuna storage {_shown(address)!r}: {_first_line(error)}; "
                    f"write a database such as sqlite:///trials.db, or a journal's path such as trials.log"
                ) from error
            opened = cls(study, {layer: CategoricalDistribution(slugs) for layer, slugs in choices.items()})
            opened._check(address, metrics)
            if not study.metric_names:
                study.set_metric_names(list(metrics))
        return opened

    def add(self, trials: Sequence[StudyTrial]) -> int:
        """Add those that are not in the study yet; how many that were. Infinite values are kept, NaN is no value.

        Raises:
            JobError: the storage failed.
        """
        with _quiet():
            try:
                known = {trial.user_attrs.get(KEY) for trial in self._study.get_trials(deepcopy=False)}
                new = {trial.id: trial for trial in trials if trial.id not in known and not _has_nan(trial)}
                self._study.add_trials([self._frozen(trial) for trial in new.values()])
            except (OptunaError, SQLAlchemyError, OSError) as error:
                raise JobError(
                    f"cannot write trials into the Optuna study {self._study.study_name!r}: {_first_line(error)}; "
                    f"nothing else is lost: the same command finds everything in the store and tries again"
                ) from error
        return len(new)

    def _frozen(self, trial: StudyTrial) -> optuna.trial.FrozenTrial:
        return create_trial(
            params=dict(trial.params),
            distributions=dict(self._distributions),
            values=list(trial.values),
            user_attrs={KEY: trial.id, **trial.attributes},
        )

    def _check(self, address: str, metrics: Sequence[str]) -> None:
        """A study that is there already must be of the same question."""
        study, way_out = self._study, "name another storage, or give the job another name"
        if study.directions != [StudyDirection.MINIMIZE] * len(metrics) or (
            study.metric_names and study.metric_names != list(metrics)
        ):
            raise InputError(
                f"the study {study.study_name!r} in {_shown(address)!r} must be of {', '.join(metrics)}, "
                f"got {study.metric_names or len(study.directions)}; {way_out}"
            )
        first = next(iter(study.get_trials(deepcopy=False)), None)
        if first is not None and first.distributions != self._distributions:
            raise InputError(
                f"the study {study.study_name!r} in {_shown(address)!r} must have this space's "
                f"{len(self._distributions)} layers and their options, got {len(first.distributions)} layers "
                f"with other options; {way_out}"
            )


def _storage(address: str) -> BaseStorage:
    if address in ("", "sqlite://", "sqlite:///", "sqlite:///:memory:"):
        raise InputError(f"an Optuna storage must be a file or a server, got {address!r}; write sqlite:///trials.db")
    return RDBStorage(address) if "://" in address else JournalStorage(JournalFileBackend(address))


def _has_nan(trial: StudyTrial) -> bool:
    return any(math.isnan(value) for value in trial.values)


def _shown(address: str) -> str:
    """Without the password that a URL may hold."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of each study and trial on stderr; its errors alone are kept. Names of metrics are experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
