"""What a measurement was made on: the machine, what else it did, and the versions that took part."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import psutil

VERSIONS = ("torch", "transformers", "ray", "numpy", "scipy")


def describe_machine() -> str:
    """One sentence: cores, processor, memory, load, system and versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores of {_processor()}, {memory:.1f} GiB of memory, load {os.getloadavg()[0]:.1f} "
        f"when it began; {platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    """As Linux names it; elsewhere what Python knows."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text("utf-8").splitlines() if listing.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "an unnamed processor"
