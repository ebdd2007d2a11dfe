"""A person at a browser: a page of the dashboard, and a list of everything that it did and may not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

TIMEOUT_MS = 60_000.0  # on a busy machine
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""
AWAY = r"net::ERR_(CONNECTION_(REFUSED|RESET)|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH)"

expect.set_options(timeout=TIMEOUT_MS)


class Place(Protocol):
    """Where a dashboard is found."""

    @property
    def origin(self) -> str: ...

    @property
    def pages(self) -> str: ...


class Visit:
    """One tab. Errors that a test brings about itself are announced with ``allow``."""

    def __init__(self, site: Place, page: Page) -> None:
        self.site = site
        self.page = page
        self.requests: list[str] = []
        self._complaints: list[str] = []
        self._allowed: list[str] = []
        page.set_default_timeout(TIMEOUT_MS)
        page.add_init_script(TELL_VIOLATIONS)
        page.on("pageerror", lambda error: self._complaints.append(f"page error: {error.stack or error}"))
        page.on("console", self._hear)
        page.on("request", self._see)
        page.on("response", self._judge)

    def open(self, route: str) -> None:
        """Go to a route, such as ``/jobs?state=failed``; the page is there when its heading is."""
        self.page.goto(f"{self.site.pages}#{route}", wait_until="domcontentloaded")
        expect(self.page.locator("main h1").first).to_be_attached()

    def allow(self, pattern: str) -> None:
        """Complaints that match are what the test is about."""
        self._allowed.append(pattern)

    @property
    def complaints(self) -> list[str]:
        return [each for each in self._complaints if not any(re.search(allowed, each) for allowed in self._allowed)]

    def button(self, name: str, *, exact: bool = True) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    def table(self, caption: str = "Candidates") -> Locator:
        return self.page.get_by_role("grid", name=caption)

    def rows(self, caption: str = "Candidates") -> Locator:
        """The rows of a table that are drawn."""
        return self.table(caption).locator("tbody tr:not(.spacer)")

    def number_of_rows(self, caption: str = "Candidates") -> int:
        """All rows, drawn or not, without the head."""
        return int(self.table(caption).get_attribute("aria-rowcount") or 0) - 1

    def query(self) -> dict[str, str]:
        """What the address keeps of the view."""
        _, _, text = self.page.evaluate("location.hash").partition("?")
        found: dict[str, str] = self.page.evaluate("text => Object.fromEntries(new URLSearchParams(text))", text)
        return found

    def chart(self, name: str) -> Locator:
        """The canvas of a chart, scrolled into view."""
        found = self.page.get_by_role("img", name=name).locator("canvas").first
        found.scroll_into_view_if_needed()
        return found

    def drag(self, on: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
        """With the mouse, from one place to another; places are shares of the element's width and height."""
        box = on.bounding_box()
        assert box is not None
        at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        self.page.mouse.move(*at[1], steps=8)
        self.page.mouse.up()

    def expect_query(self, **wanted: str | None) -> None:
        """Wait until the address says so; None: it does not name the key."""
        script = """wanted => {
          const query = new URLSearchParams(location.hash.split("?")[1] ?? "");
          return Object.entries(wanted).every(([key, value]) => query.get(key) === value);
        }"""
        self.page.wait_for_function(script, arg=wanted, timeout=TIMEOUT_MS)

    def wait_for_key(self, *keys: str) -> dict[str, str]:
        """Wait until the address names these keys, whatever it says of them."""
        script = 'keys => keys.every((key) => new URLSearchParams(location.hash.split("?")[1] ?? "").has(key))'
        self.page.wait_for_function(script, arg=keys, timeout=TIMEOUT_MS)
        return self.query()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _see(self, request: Request) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.site.origin:
            self._complaints.append(f"a request off the host: {request.url}")

    def _judge(self, response: Response) -> None:
        if response.status >= 500:
            self._complaints.append(f"status {response.status}: {response.url}")


@contextmanager
def visiting(browser: Browser, site: Place, **settings: Any) -> Iterator[Visit]:
    """A tab of its own; keywords are of Playwright's context. Complaints at its end fail the test."""
    context = browser.new_context(**{"viewport": DESK, "locale": "en-GB", "reduced_motion": "reduce", **settings})
    visit = Visit(site, context.new_page())
    try:
        yield visit
    finally:
        complaints = visit.complaints
        context.close()
    assert not complaints, "\n".join(complaints)
