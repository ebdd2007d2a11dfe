"""Runs every test without the network, and lets the rooms share ``tiny_models``."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so before any test is
