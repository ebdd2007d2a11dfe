"""A configuration: one option for every layer, in one canonical form with one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from spaces.errors import InputError
from spaces.option import Option, parse_option

ID_LENGTH = 12  # hex digits shown: 48 bits, a collision among a million configurations is a 0.2 % chance


@dataclass(frozen=True)
class Configuration:
    """Maps each layer's name to its option; equal mappings are equal whatever the order they were written in."""

    options: tuple[tuple[str, Option], ...]  # sorted by layer name, block 2 before block 10

    @classmethod
    def of(cls, options: Mapping[str, Option]) -> Configuration:
        """The canonical form of a mapping from layer name to option."""
        return cls(tuple(sorted(options.items(), key=lambda item: _natural(item[0]))))

    @classmethod
    def parse(cls, text: str) -> Configuration:
        """Read the JSON that ``dump`` writes, or the same mapping edited by hand.

        Raises:
            InputError: it is not a JSON object from layer names to option slugs.
        """
        try:
            raw = json.loads(text, object_pairs_hook=_refuse_duplicates)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"the configuration is not JSON: {error}; write it as `dump` does") from error
        if not isinstance(raw, dict) or not all(isinstance(slug, str) for slug in raw.values()):
            raise InputError('a configuration must be one JSON object, {"layer name": "gptq-int4-g128-asym", ...}')
        return cls.of({name: _option_of(name, slug) for name, slug in raw.items()})

    def dump(self, order: Iterator[str] | list[str] | tuple[str, ...] | None = None) -> str:
        """JSON with one line for each layer, in the order of the model's layers where given."""
        mapping = dict(self.options)
        names = list(order) if order is not None else list(mapping)
        return json.dumps({name: mapping[name].slug for name in names}, indent=2) + "\n"

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled without what was worked out: Python's hashes of text differ from process to process."""
        return Configuration, (self.options,)

    @cached_property
    def _hash(self) -> int:
        return hash(tuple([option.slug for _, option in self.options]))  # far cheaper than the options' own

    def __getitem__(self, name: str) -> Option:
        return self._mapping[name]

    def __contains__(self, name: object) -> bool:
        return name in self._mapping

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.options]

    @cached_property
    def _mapping(self) -> dict[str, Option]:
        return dict(self.options)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical form, in hex."""
        canonical = json.dumps([[name, option.slug] for name, option in self.options], separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def id(self) -> str:
        """The hash as people see it."""
        return self.hash[:ID_LENGTH]


def _option_of(name: str, slug: str) -> Option:
    try:
        return parse_option(slug)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping: dict[str, object] = {}
    for name, value in pairs:
        if name in mapping:
            raise InputError(f"the configuration names {name!r} more than once; leave one line")
        mapping[name] = value
    return mapping


@lru_cache(maxsize=2**16)  # the layers of a few models
def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A sorting key by which numbers count as numbers."""
    steps = name.split(".")
    return tuple((step.isdecimal(), int(step) if step.isdecimal() else 0, step) for step in steps)
