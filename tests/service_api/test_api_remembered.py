"""Looking beside the requests: nobody waits long, nobody looks twice at once, and what was seen is kept for a while."""

from __future__ import annotations

from threading import Event

from service.api.remembered import Remembered

LONG_S = 60.0  # more than any look of this test takes


class Clock:
    """Stands still until it is set."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Looks:
    """Counts looks, each of which waits until it may end, and fails where it is told to."""

    def __init__(self) -> None:
        self.num = 0
        self.fails = False
        self.may_end = Event()
        self.may_end.set()
        self.has_ended = Event()

    def __call__(self) -> int:
        self.num += 1
        number = self.num
        assert self.may_end.wait(LONG_S)
        self.has_ended.set()
        if self.fails:
            raise RuntimeError("the disk is gone")
        return number


def test_the_first_look_is_waited_for_and_kept_for_a_while() -> None:
    looks, clock = Looks(), Clock()
    remembered = Remembered(looks, max_age_s=20.0, clock=clock)
    assert remembered.value(LONG_S) == 1
    clock.now_s = 19.9
    assert remembered.value(LONG_S) == 1
    assert looks.num == 1


def test_who_asks_during_a_later_look_hears_of_the_one_before() -> None:
    looks, clock = Looks(), Clock()
    remembered = Remembered(looks, max_age_s=20.0, clock=clock)
    assert remembered.value(LONG_S) == 1
    looks.may_end.clear()
    clock.now_s = 20.0
    assert [remembered.value(LONG_S) for _ in range(3)] == [1, 1, 1]
    looks.may_end.set()
    while (seen := remembered.value(LONG_S)) == 1:
        pass
    assert (seen, looks.num) == (2, 2)


def test_a_slow_first_look_is_not_waited_for() -> None:
    looks = Looks()
    looks.may_end.clear()
    remembered = Remembered(looks, max_age_s=20.0)
    assert [remembered.value(0.01) for _ in range(3)] == [None] * 3
    looks.may_end.set()
    assert remembered.value(LONG_S) == 1
    assert looks.num == 1


def test_a_look_that_fails_leaves_what_was_seen() -> None:
    looks, clock = Looks(), Clock()
    remembered = Remembered(looks, max_age_s=20.0, clock=clock)
    looks.fails = True
    assert remembered.value(LONG_S) is None
    looks.fails, clock.now_s = False, 20.0
    while (seen := remembered.value(LONG_S)) is None:
        pass
    assert seen == 2
    looks.fails, clock.now_s = True, 40.0
    looks.has_ended.clear()
    assert remembered.value(LONG_S) == 2
    assert looks.has_ended.wait(LONG_S)
    assert remembered.value(LONG_S) == 2
