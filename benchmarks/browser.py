"""Chromium as Debian has it, driven by Playwright and cut off from every host but this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from spaces.errors import InputError

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def chromium_path() -> Path:
    """Where it should be: in $CHROMIUM, or where Debian puts it."""
    return Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. While it runs, this thread can run no event loop of its own.

    Raises:
        InputError: there is none.
    """
    path = chromium_path()
    if not path.exists():
        raise InputError(f"needs Chromium, and there is no {path}; install the package chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
