"""A memory with a limit, against a plain list of what was used when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evaluators.memory import Memory

LIMIT = 10
Steps = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, LIMIT + 2)), max_size=40)


@given(Steps)
def test_the_most_recently_used_stay_within_the_limit(steps: list[tuple[bool, int, int]]) -> None:
    """Each step keeps a value of some size under a key, or asks for it."""
    memory: Memory[int, int] = Memory(LIMIT)
    used: list[tuple[int, int]] = []  # (key, size), the least recently used first
    for keeps, key, size in steps:
        before = next((each for each in used if each[0] == key), None)
        if keeps:
            memory.keep(key, size, size)
            used = [each for each in used if each[0] != key] + ([(key, size)] if size <= LIMIT else [])
            while sum(size for _, size in used) > LIMIT:
                used.pop(0)
        else:
            assert memory.get(key) == (None if before is None else before[1])
            if before is not None:
                used = [each for each in used if each != before] + [before]
        assert {key for key in range(6) if key in memory} == {key for key, _ in used}
        assert memory.num_bytes == sum(size for _, size in used) <= LIMIT
        assert len(memory) == len(used)


def test_a_limit_of_nothing_keeps_nothing() -> None:
    memory: Memory[str, str] = Memory(0)
    memory.keep("a", "value", 1)
    assert memory.get("a") is None


def test_what_is_cleared_is_gone() -> None:
    memory: Memory[str, str] = Memory(LIMIT)
    memory.keep("a", "value", 3)
    memory.clear()
    assert (memory.get("a"), memory.num_bytes, len(memory)) == (None, 0, 0)
