"""Named arrays as the bytes of a .npz file, bit for bit, without pickle either way."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

SUFFIX = ".npy"


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The arrays as ``numpy.load`` reads them; any name will do, where ``numpy.savez`` takes some for its settings."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(name + SUFFIX, "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack(blob: bytes, checksum: str) -> dict[str, NDArray[np.generic]]:
    """What ``pack`` was given.

    Raises:
        ValueError: the bytes are not those of the checksum, or hold a pickle.
    """
    if checksum_of(blob) != checksum:  # a zip's own checksums cover its members, but not which members it has
        raise ValueError(f"its {len(blob)} bytes do not match their checksum")
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return {name.removesuffix(SUFFIX): _read(archive, name) for name in archive.namelist()}


def checksum_of(blob: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(blob).hexdigest()


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[np.generic]:
    with archive.open(name) as member:
        array: NDArray[np.generic] = npy.read_array(member, allow_pickle=False)
    return array
