"""What an export needs of a job's plan: the bank's entries of one configuration, and a check of what was written."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from evaluators.evaluator import Measurement
from evaluators.whole_model import measure_model
from search.engine.materials import Entries, build_missing, keep_dense
from search.engine.plan import Plan
from search.engine.pool import Pool
from search.engine.progress import Phase, Progress, Watch
from search.engine.worker import Text
from spaces.configuration import Configuration
from spaces.option import Banked


def keep_entries(plan: Plan, configuration: Configuration, watch: Watch) -> None:
    """Build the bank's entries of a configuration that are not there; workers start only where some are missing.

    Raises:
        InputError, JobError: as ``build_missing``.
    """
    entries: Entries = {layer: (option,) for layer, option in configuration.options if isinstance(option, Banked)}
    if not plan.bank.missing((layer, option) for layer, options in entries.items() for option in options):
        return
    if plan.propagate is not None:  # then what one block is built from depends on all before it
        entries = plan.entries()
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        build_missing(plan, entries, pool, _Shown(watch, "bank"))
    finally:
        pool.close()


def measure_export(plan: Plan, model: nn.Module, watch: Watch) -> dict[Text, Measurement]:
    """A model of an export's files on the whole of both texts, against the dense model as a job measures it.

    Raises:
        InputError, JobError: as ``keep_dense``.
    """
    pool = Pool(plan.worker_setup(), plan.spec.workers)
    try:
        dense = {text: keep_dense(plan, text, pool, _Shown(watch, "dense")) for text in plan.streams}
    finally:
        pool.close()
    show = _Shown(watch, "validation")
    found: dict[Text, Measurement] = {}
    for text, stream in plan.streams.items():
        show(label=f"{text} text", done=0, total=stream.num_tokens, unit="tokens")
        found[text] = measure_model(model, stream, dense[text], lambda done: show(done=done))
    return found


class _Shown:
    """Tells whoever watches what changed within one phase."""

    def __init__(self, watch: Watch, phase: Phase) -> None:
        self._watch = watch
        self._moment = Progress(phase=phase, label="")

    def __call__(self, **changes: object) -> None:
        self._moment = replace(self._moment, **changes)  # type: ignore[arg-type]
        self._watch(self._moment)
