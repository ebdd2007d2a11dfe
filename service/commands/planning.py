"""What the commands that measure begin with: a job understood, the store open, and somebody watching."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.engine.plan import Plan, make_plan
from search.engine.progress import Watch
from search.spec import JobSpec
from service.home import home_folder, store_url
from service.outputs import check_out
from service.watching import watching
from store.store import Store


@contextmanager
def planned(
    spec: JobSpec, store_asked: str | None, *, out: Path | None = None, quiet: bool
) -> Iterator[tuple[Plan, Store, Watch]]:
    """The plan of a job, the store and the progress view, both closed at the end.

    Raises:
        InputError: ``make_plan``, or ``out`` is no folder to write to.
    """
    silence_libraries()
    home = home_folder()
    if out is not None:
        check_out(out)
    with Store.open(store_url(store_asked, home)) as store, watching(quiet=quiet) as watch:
        yield make_plan(spec, home, watch), store, watch


def silence_libraries() -> None:
    """Progress bars and advice of the libraries below have no place in ours."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("datasets").setLevel(logging.ERROR)
