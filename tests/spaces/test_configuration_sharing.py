"""Many configurations of one space: what they have in common is there once, and what is sent is their options alone."""

from __future__ import annotations

import pickle

import pytest
from hand_made import quantize, space_of

from spaces.configuration import Configuration
from spaces.option import KEEP
from spaces.space import Space


@pytest.fixture
def space() -> Space:
    shapes = [(8, 32)] * 2
    return space_of([(shapes, [quantize(2), quantize(4), KEEP]), (shapes, [quantize(2), quantize(4), KEEP])])


def test_configurations_share_what_is_equal(space: Space) -> None:
    one, other = space.configure([0] * 4), space.configure([0, 0, 0, 1])
    assert [left is right for left, right in zip(one.options, other.options, strict=True)] == [True] * 3 + [False]
    assert len({id(option) for _, option in one.options}) == 1  # the same option of every layer
    assert one == Configuration.of(dict(one.options))


def test_a_pickle_holds_the_options_alone(space: Space) -> None:
    """Its hashes would be another process's, and it is sent to workers by the thousand."""
    fresh, used = space.configure([0, 1, 2, 0]), space.configure([0, 1, 2, 0])
    assert used.id
    assert used[used.names[0]] == quantize(2)
    assert len({fresh, used}) == 1
    assert pickle.dumps(used) == pickle.dumps(fresh)
    again = pickle.loads(pickle.dumps(used))
    assert vars(again) == {"options": used.options}
    assert (again, hash(again), again.hash) == (used, hash(used), used.hash)


def test_too_few_levels_are_refused(space: Space) -> None:
    with pytest.raises(ValueError, match="one for each of the 4 units, got 3"):
        space.configure([0, 1, 2])
