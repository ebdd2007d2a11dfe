"""What was measured of the dashboard, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import CDPSession

from benchmarks.document import table
from benchmarks.pages import NUM_UNITS
from benchmarks.timing import Spread

NUM_NEW = 20  # candidates of an update
AIM_KB, AIM_UPDATE_MS = 450, 150
LOADS_HEADER = ("first load of", "requests", "kB on the wire", "kB unpacked")
COSTS_HEADER = (
    "candidates",
    "first plot, ms",
    "all loaded, ms",
    "click to strip, ms",
    "an update, ms",
    "its longest task, ms",
)


@dataclass(kw_only=True)
class Wire:
    """What came over the wire, as the browser counts it: heads and packed bodies."""

    num_requests: int = 0
    num_bytes: int = 0
    unpacked: int = 0

    def listen(self, session: CDPSession) -> None:
        session.on("Network.loadingFinished", self._finish)
        session.on("Network.dataReceived", self._unpack)
        session.send("Network.enable")

    def _finish(self, event: Mapping[str, Any]) -> None:
        self.num_requests += 1
        self.num_bytes += int(event["encodedDataLength"])

    def _unpack(self, event: Mapping[str, Any]) -> None:
        self.unpacked += int(event["dataLength"])


@dataclass(kw_only=True)
class Costs:
    """Milliseconds at one number of candidates."""

    plot: list[float] = field(default_factory=list)
    everything: list[float] = field(default_factory=list)
    strip: list[float] = field(default_factory=list)
    update: list[float] = field(default_factory=list)  # of the page's thread, for each update
    longest: list[float] = field(default_factory=list)  # time in which it answered nobody


def described(version: str, loads: Mapping[str, Wire], costs: Mapping[int, Costs]) -> str:
    """Both tables with what was done."""
    return "\n\n".join((_loads_told(version, loads), _loads(loads), _costs_told(costs), _costs(costs)))


def _loads_told(version: str, loads: Mapping[str, Wire]) -> str:
    heaviest = max(wire.num_bytes for wire in loads.values()) / 1000
    return (
        f"Chromium {version} without a window, an empty cache for each load, the real server on loopback. "
        f"The heaviest first load takes {heaviest:.0f} kB; the aim is {AIM_KB} kB."
    )


def _loads(loads: Mapping[str, Wire]) -> str:
    rows = [
        (name, str(wire.num_requests), f"{wire.num_bytes / 1000:.0f}", f"{wire.unpacked / 1000:.0f}")
        for name, wire in loads.items()
    ]
    return table(LOADS_HEADER, rows)


def _costs_told(costs: Mapping[int, Costs]) -> str:
    one = next(iter(costs.values()))
    return (
        f"The page of a running job on a Llama of {NUM_UNITS} layers, dominated candidates shown, so that every point "
        f"is drawn: {len(one.plot)} loads, {len(one.strip)} clicks on rows of the table, {len(one.update)} updates of "
        f"{NUM_NEW} new candidates each. An update takes all that the page's thread did from the event to rest, the "
        f"reading of the service's answers included; the aim is {AIM_UPDATE_MS} ms."
    )


def _costs(costs: Mapping[int, Costs]) -> str:
    rows = [
        (
            f"{num:,}",
            *(
                Spread.of(each).show(".0f")
                for each in (cost.plot, cost.everything, cost.strip, cost.update, cost.longest)
            ),
        )
        for num, cost in costs.items()
    ]
    return table(COSTS_HEADER, rows)
