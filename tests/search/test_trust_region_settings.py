"""What a job may ask of the trust region, and what is refused at once."""

from __future__ import annotations

import pytest

from search.region.local_model import Doubt
from search.region.race import Race
from search.settings import make_strategy
from search.strategies.trust_region import TrustRegion
from spaces.errors import InputError


def test_settings_come_from_mappings() -> None:
    made = make_strategy(
        {"name": "trust-region", "radius": 4, "doubt": {"scale": 0.5}, "race": {"rungs": 2, "confidence": 0.9}}
    )
    assert made == TrustRegion(radius=4, doubt=Doubt(scale=0.5), race=Race(rungs=2, confidence=0.9))


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"radius": 1}, "radius must be at least 2, one unit down and one up, got 1"),
    ({"rivals": 0}, "rivals must be at least 1, got 0"),
    ({"patience": 0}, "patience must be at least 1, got 0"),
    ({"probe_tokens": 0}, "probe_tokens must be at least 1, got 0"),
    ({"screen_tokens": -1}, "screen_tokens must be at least 1, got -1"),
    ({"proposals": 0}, "proposals must be at least 1, got 0"),
    ({"rounds": -1}, "rounds must be at least 0, got -1"),
    ({"probes": -1}, "probes must be at least 0, got -1"),
    ({"mutations": -2}, "mutations must be at least 0, got -2"),
    ({"tokens": 0}, "tokens must be at least 1, got 0; leave it out"),
    ({"groups": "by-name"}, "by-name"),
    ({"radios": 3}, "radios.*radius"),
    ({"race": {"rung": 3}}, "rung.*rungs"),
    ({"race": {"tokens": 0}}, r"strategy\.race: race tokens must be at least 1, got 0"),
    ({"race": 3}, r"strategy\.race must be a mapping of any of tokens, .*got 3"),
    ({"doubt": {"scales": 1.0}}, "scales.*scale"),
    ({"doubt": {"unit": -1.0}}, r"strategy\.doubt: doubt unit .* got -1\.0"),
    ({"doubt": {"unit": "much"}}, r"strategy\.doubt\.unit.*got 'much'"),
    ({"rounds": 2.5}, r"strategy\.rounds.*got 2\.5"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_strategy({"name": "trust-region", **settings})
