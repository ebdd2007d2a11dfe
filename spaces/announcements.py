"""Keeps off stderr what torchao says of its own installation while transformers imports it.

transformers imports torchao, where it is installed, with its first model class, whether or not torchao has a part in
what is done. Its wheel then warns of libraries for GPUs that are not there, and torch of how torchao registers enums.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

ANNOUNCEMENTS = {  # by logger: what each such message says
    "torchao": "Failed to load ",
    "torch.utils._pytree": "register_constant() on Enum subclasses is deprecated",
}


@contextmanager
def unannounced() -> Iterator[None]:
    """Drop these messages, and no others, for a while."""
    filters = {name: _Without(text) for name, text in ANNOUNCEMENTS.items()}
    for name, each in filters.items():
        logging.getLogger(name).addFilter(each)
    try:
        yield
    finally:
        for name, each in filters.items():
            logging.getLogger(name).removeFilter(each)


class _Without(logging.Filter):
    """Lets everything pass that does not say ``text``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def filter(self, record: logging.LogRecord) -> bool:
        return self._text not in record.getMessage()
