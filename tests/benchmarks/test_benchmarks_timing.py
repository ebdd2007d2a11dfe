"""Timing side by side: who runs when, what is counted, and ratios round by round."""

from __future__ import annotations

from benchmarks.throughput import APPLY, BARE, BARE_THREAD, HERE, ONE, ONE_THREAD, OWN, TWO, show_throughput
from benchmarks.timing import Arm, Spread, Work, interleave, ratio


class Laboratory:
    """Arms whose work takes a known time by a clock of its own; preparing takes a long time that must not count."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def clock(self) -> float:
        return self.now

    def arm(self, name: str, seconds: float) -> Arm:
        def work() -> None:
            self.now += seconds
            self.log.append(name)

        def prepare() -> Work:
            self.now += 1000
            return work

        return prepare


def test_arms_take_turns_and_only_their_work_counts() -> None:
    room = Laboratory()
    arms = {"a": room.arm("a", 2.0), "b": room.arm("b", 3.0)}
    assert interleave(arms, rounds=2, warm_ups=1, clock=room.clock) == {"a": [2.0, 2.0], "b": [3.0, 3.0]}
    assert room.log == ["a", "b"] * 3


def test_a_ratio_is_taken_round_by_round() -> None:
    # the third round was slow for both; the ratio of the medians would be 3 / 2
    assert ratio([2.0, 3.0, 30.0], [1.0, 2.0, 10.0]) == Spread(middle=2.0, low=1.5, high=3.0)


def test_a_spread_shows_its_median_and_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0, 10.0]).show(".1f") == "2.5 (1.0 to 10.0)"


def test_throughput_by_hand() -> None:
    seconds = {
        BARE: 16.0,
        OWN: 8.0,
        ONE: 10.0,
        BARE_THREAD: 15.0,
        ONE_THREAD: 16.0,
        TWO: 8.0,
        APPLY: 0.5,
        HERE: 9.5,
    }
    shown = show_throughput({name: [value] for name, value in seconds.items()}, num_tokens=1000)
    cells = {
        line.split("|")[1].strip(): line.split("|")[2].split("(")[0].strip() for line in shown.splitlines() if line
    }
    expected = {
        BARE: "62",
        OWN: "125",
        ONE: "100",
        TWO: "125",
        f"{OWN} / {BARE}": "2.000",
        f"{ONE} / {BARE}": "1.600",
        f"{ONE} / {OWN}": "0.800",
        f"{ONE_THREAD} / {BARE_THREAD}": "0.938",
        f"{TWO} / {ONE_THREAD}": "2.000",
        f"{TWO} / {ONE}": "1.250",
        "the forward pass: the bare loop with the engine's linear layers": "80.0%",
        "applying: reading the bank, dequantizing, writing weights": "5.0%",
        "comparing: KL and loss against the dense logits": "10.0%",
        "the engine: Ray, leases and the store": "5.0%",
    }
    assert {name: cells[name] for name in expected} == expected
