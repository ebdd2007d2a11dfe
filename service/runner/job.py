"""``python -m service.runner job JOB ATTEMPT``: one attempt at one job, from its plan to its last state.

It may be killed at any point: the next attempt replays what the store has, and goes on from there.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from search.engine.cluster import connect, nodes
from search.engine.front_run import run_front
from search.engine.plan import Plan, make_plan
from search.engine.run import run_job
from search.engine.steering import Halt, Halted, Steering
from search.sampling.objectives import objectives_asked, weighed_beside
from search.spec import read_spec
from service.bank_folders import name_bank
from service.commands.planning import silence_libraries
from service.intake.roots import check_paths
from service.outputs import full_report
from service.runner.exits import END_SIGNAL, EXIT_AGAIN, EXIT_LOST, EXIT_STOPPED
from service.runner.logs import JobLog, log_to_stderr
from service.runner.reporter import Reporter
from service.runner.results import result_files, space_file
from service.runner.secrets import without_secrets
from service.runner.settings import RunnerSettings
from spaces.errors import InputError, JobError, LeaseLostError, UnreachableError
from store.records import Wish
from store.store import Store

logger = logging.getLogger(__name__)

KEPT = "what was finished is kept"


class JobProcess:
    """One attempt. Its state in the store says how it ended, unless its exit code asks for another attempt."""

    def __init__(self, settings: RunnerSettings, store: Store, job_id: str, attempt: int) -> None:
        self._settings = settings
        self._store = store
        self._job_id = job_id
        self._attempt = attempt
        self._reporter = Reporter(store, job_id, attempt)
        self._is_stopping = Event()
        self._has_joined = False

    def run(self) -> int:
        """The exit code."""
        signal.signal(END_SIGNAL, lambda number, frame: self._is_stopping.set())
        try:
            with self._reporter.speaking(), self._logged():
                return self._ended()
        except LeaseLostError as error:
            logger.warning("job %s: %s", self._job_id, error)
            return EXIT_LOST
        except UnreachableError as error:
            logger.warning("job %s is tried again: %s", self._job_id, error)
            return EXIT_AGAIN

    @contextmanager
    def _logged(self) -> Iterator[None]:
        handler = JobLog(self._reporter.log)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)

    def _ended(self) -> int:
        """Do the job, and have the store know how that went."""
        try:
            self._succeed()
        except Halted as halted:
            return self._halt(halted.wish)
        except (LeaseLostError, UnreachableError):
            raise
        except InputError as error:
            self._fail("bad_input", str(error), error)
        except JobError as error:
            if self._has_lost_cluster():
                raise UnreachableError(f"the cluster does not answer: {error}") from error
            self._fail("job_error", str(error), error)
        except Exception as error:  # a bug: its job must not be tried for ever
            self._fail("unforeseen", f"an error nobody foresaw: {error!r}; its traceback is in the job's log", error)
        return 0

    def _succeed(self) -> None:
        plan = self._plan()
        self._store.put_artifacts(self._job_id, self._attempt, [space_file(plan)])
        self._reporter.begin(weighed_beside(objectives_asked(plan.spec.strategy)))
        self._join()
        outcome = (run_front if plan.budgets else run_job)(plan, self._store, self._reporter.see, self._steering())
        content = {"job": self._job_id, **full_report(plan, outcome)}
        self._reporter.finish()
        if self._reporter.wish == "cancel":
            raise Halted("cancel")
        self._store.put_artifacts(self._job_id, self._attempt, result_files(plan, outcome, content, self._store))
        self._store.move_job(
            self._job_id,
            self._attempt,
            "succeeded",
            reason="stopped_by_user" if outcome.facts.get("stopped") else "",
            message=outcome.verdict,
            progress=self._reporter.progress,
            report=content,
        )

    def _join(self) -> None:
        if self._settings.ray is None:
            return
        try:
            connect(self._settings.ray)
        except JobError as error:
            raise UnreachableError(str(error)) from error
        self._has_joined = True

    def _plan(self) -> Plan:
        """What the job asks for, understood here and now: folders may have changed since it was submitted."""
        self._heed()
        record = self._store.job(self._job_id)
        spec = read_spec(record.spec, f"job {self._job_id}")
        spec = check_paths(spec, self._settings.roots, allow_hub=self._settings.allow_hub)
        plan = make_plan(spec, self._settings.home, self._reporter.see)
        name_bank(plan.bank, spec.model, plan.entries())
        self._reporter.turn()
        self._heed()
        return plan

    def _heed(self) -> None:
        """Go no further where somebody wished so; a stop is for the search to heed."""
        wish = self._wish()
        if wish in ("pause", "cancel"):
            raise Halted(wish)

    def _steering(self) -> Steering:
        reporter = self._reporter
        return Steering(
            wish=self._wish,
            num_workers=lambda: reporter.granted,
            found=reporter.found,
            workers=reporter.workers,
            subjects=reporter.subjects,
        )

    def _wish(self) -> Wish:
        self._reporter.check()
        wish = self._reporter.wish
        return "pause" if self._is_stopping.is_set() and wish != "cancel" else wish

    def _halt(self, wish: Halt) -> int:
        self._reporter.finish()
        if wish == "cancel":
            self._store.move_job(self._job_id, self._attempt, "cancelled", message=f"cancelled; {KEPT}")
        elif self._reporter.wish == "pause":
            self._store.move_job(self._job_id, self._attempt, "paused", message=f"paused; {KEPT}, resume to go on")
        else:
            return EXIT_STOPPED
        return 0

    def _has_lost_cluster(self) -> bool:
        """Then whatever failed is not the job's fault."""
        try:
            return self._has_joined and not nodes()
        except JobError:
            return True

    def _fail(self, reason: str, message: str, error: Exception) -> None:
        logger.error("job %s failed: %s", self._job_id, message, exc_info=error)
        self._reporter.finish()
        self._store.move_job(
            self._job_id,
            self._attempt,
            "failed",
            reason=reason,
            message=without_secrets(message),
            progress=self._reporter.progress,
        )


def main() -> int:
    """Read the settings, open the store, and make the attempt."""
    job_id, attempt = sys.argv[1], int(sys.argv[2])
    settings = RunnerSettings.read(sys.stdin.read())
    log_to_stderr()
    silence_libraries()
    try:
        with Store.open(settings.store_url, upgrade=False) as store:
            return JobProcess(settings, store, job_id, attempt).run()
    except UnreachableError as error:
        logger.warning("job %s is tried again: %s", job_id, error)
        return EXIT_AGAIN
