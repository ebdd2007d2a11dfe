"""``python -m benchmarks.search``: races strategies, shows what came out, trains the second model."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.document import DOCUMENT, renew
from benchmarks.search.methods import METHODS, Method
from benchmarks.search.queue import SEEDS, queue
from benchmarks.search.race import Race
from benchmarks.search.records import Records
from benchmarks.search.report import COMMAND, write_report
from benchmarks.search.second_model import Recipe, train
from benchmarks.search.tasks import SECOND_FOLDER, TASKS, Task
from benchmarks.search.work import work_through, work_through_fronts
from service.commands.planning import silence_libraries
from service.home import home_folder, store_url
from spaces.errors import InputError, LayerpressError
from spaces.tables import check_name
from store.store import Store

SECTION = "search"
PICTURES = Path("docs")
MEASURED = Path("benchmarks/search/measured")  # kept with the code: what one machine measured, another goes on from
NICENESS = 15  # of training: whoever measures on this machine goes first
EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 130
SMALL_TASKS, SMALL_RANK, SMALL_SEEDS = ("reference-3.0-bits", "reference-drop-2"), 0, (0,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of the three; the exit code."""
    asked = parser().parse_args(arguments)
    silence_libraries()
    try:
        home = home_folder()
        return {"run": _run, "front": _front, "report": _report, "train": _train}[asked.command](asked, home)
    except LayerpressError as error:
        _say(f"error: {error}")
        return EXIT_INPUT if isinstance(error, InputError) else EXIT_FAILED
    except KeyboardInterrupt:
        _say("interrupted: finished trials are written, and what the others measured is kept")
        return EXIT_INTERRUPTED


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition(": ")[2])
    commands = made.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="work through what is missing, the most telling first")
    front = commands.add_parser("front", help="nine budgets of the reference model in one search")
    for each in (run, front):
        each.add_argument("--minutes", type=float, default=60.0, help="stop after so long (60); the next run goes on")
        each.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="N", help="default: 0 to 4")
    report = commands.add_parser("report", help="renew the tables and the pictures from what there is")
    report.add_argument("--out", type=Path, metavar="FILE", help=f"the document to renew; default: {DOCUMENT}")
    for each in (run, report):
        each.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all")
        each.add_argument("--methods", nargs="+", metavar="METHOD", help="default: all")
    for each in (run, front, report):
        each.add_argument("--small", action="store_true", help="a few tokens and layers, to see that everything runs")
    commands.add_parser("train", help=f"train the second model into $LAYERPRESS_HOME/{SECOND_FOLDER}")
    return made


def _run(asked: argparse.Namespace, home: Path) -> int:
    tasks, methods = _tasks(asked), _methods(asked, SMALL_RANK if asked.small else None)
    trials = queue(tasks, methods, _seeds(asked))
    with Store.open(store_url(None, home)) as store:
        tally = work_through(trials, _race(asked, home, store), _records(asked, home), home, _say)
    return EXIT_FAILED if tally.num_failed else 0


def _front(asked: argparse.Namespace, home: Path) -> int:
    with Store.open(store_url(None, home)) as store:
        work_through_fronts(_seeds(asked), _race(asked, home, store), _records(asked, home), _say)
    return 0


def _race(asked: argparse.Namespace, home: Path, store: Store) -> Race:
    end = time.monotonic() + 60 * asked.minutes
    return Race(home, store, is_small=asked.small, say=_say, is_over=lambda: time.monotonic() > end)


def _seeds(asked: argparse.Namespace) -> Sequence[int]:
    return SMALL_SEEDS if asked.small else asked.seeds


def _report(asked: argparse.Namespace, home: Path) -> int:
    records = _records(asked, home)
    pictures = records.folder / "pictures" if asked.small else PICTURES
    body = write_report(records, _tasks(asked), _methods(asked, None), pictures)
    out: Path | None = asked.out or (None if asked.small else DOCUMENT)
    if out is None:
        print(body)
    else:
        renew(out, SECTION, body)
        _say(f"{SECTION}: written into {out}, pictures into {pictures}")
    return 0


def _train(asked: argparse.Namespace, home: Path) -> int:
    os.nice(NICENESS)
    loss = train(home / SECOND_FOLDER, Recipe(), _say)
    _say(f"trained: {loss:.3f} nats per token on books that it never saw; in {home / SECOND_FOLDER}")
    return 0


def _records(asked: argparse.Namespace, home: Path) -> Records:
    return Records(home / "bench-search-small" if asked.small else MEASURED, is_small=asked.small)


def _tasks(asked: argparse.Namespace) -> list[Task]:
    known = {task.name: task for task in TASKS}
    names = asked.tasks or (SMALL_TASKS if asked.small else known)
    return [known[check_name(name, known, "task")] for name in names]


def _methods(asked: argparse.Namespace, rank: int | None) -> list[Method]:
    """Those named, or all up to a rank."""
    known = {method.name: method for method in METHODS}
    names = asked.methods or [each.name for each in METHODS if rank is None or each.rank <= rank]
    return [known[check_name(name, known, "method")] for name in names]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
