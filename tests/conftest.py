"""Runs every test without the network and on one thread, and lets the rooms share ``tiny_models``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from postgres_server import (  # noqa: F401  # fixtures for the tests of every room
    database_url,
    empty_database_url,
    postgres_server_url,
    postgres_template,
    sqlite_template,
)

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so before any test is
settings.register_profile("layerpress", derandomize=True, deadline=None)  # what passes once passes again, however busy
settings.load_profile("layerpress")  # others: pytest --hypothesis-profile=default


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small models gain nothing from more, and threads that wait for each other on busy cores take far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def same_default_dtype() -> Iterator[None]:
    """A library that leaves another one behind would break whatever runs after it in this process."""
    yield
    left, _ = torch.get_default_dtype(), torch.set_default_dtype(torch.float32)
    assert left == torch.float32
