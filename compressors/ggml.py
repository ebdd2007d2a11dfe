"""Weights as blocks of ggml's types, llama.cpp's format: made by ggml's own code, and read back as its users do."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compressors.solvers import check_problem
from spaces.errors import InputError
from spaces.ggml import Ggml

VERSION = 1

# Inputs that calibration never saw get this share of the mean importance: with none at all in a block, ggml's searches
# divide by nothing.
LEAST_IMPORTANCE = 1e-6
_LIBRARIES = (  # package, file in it, what it is installed as
    ("xllamacpp", "xllamacpp*.so", "xllamacpp"),
    ("llama_cpp", "lib/libggml-base*", "llama-cpp-python"),
)


@dataclass(frozen=True, kw_only=True)
class GgmlWeight:
    """A weight of ``shape`` (out, in) as the bytes that a GGUF file holds for it, row after row."""

    blocks: Tensor  # uint8 (out, bytes of a row)
    option: Ggml
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = self.shape
        expected = (rows, self.option.row_bytes(columns))
        if tuple(self.blocks.shape) != expected or self.blocks.dtype != torch.uint8:
            raise InputError(
                f"blocks of a {rows}x{columns} weight of type {self.option.type_name} must be torch.uint8 {expected}, "
                f"got {self.blocks.dtype} {tuple(self.blocks.shape)}"
            )

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], option: Ggml, shape: tuple[int, int]) -> GgmlWeight:
        """See `compressors.compressed.restore`."""
        return cls(blocks=tensors["blocks"], option=option, shape=shape)

    @property
    def size_bytes(self) -> int:
        return self.blocks.nbytes

    def tensors(self) -> dict[str, Tensor]:
        return {"blocks": self.blocks}

    def dequantize(self, dtype: torch.dtype) -> Tensor:  # (out, in)
        gguf = gguf_package()
        kind = gguf.GGMLQuantizationType[self.option.type_name.upper()]
        with np.errstate(invalid="ignore"):  # infinite scales are reported where they are made
            values = gguf.quants.dequantize(self.blocks.cpu().numpy(), kind)
        return torch.from_numpy(values).to(self.blocks.device).to(dtype)

    def to(self, device: torch.device | str) -> GgmlWeight:
        return replace(self, blocks=self.blocks.to(device))


def ggml(
    weights: Sequence[Tensor],  # each (out, in)
    hessian: Tensor | None,  # (in, in)
    options: Sequence[Ggml],
) -> list[list[GgmlWeight]]:  # for each weight, for each option
    """Quantize by ggml's own code: a `compressors.solvers.Solver`.

    Its importance of an input is the mean of its square over the calibration tokens, as llama.cpp's importance matrix
    has it: the diagonal of the Hessian. Without a Hessian (an embedding) ggml weighs all inputs alike.

    Raises:
        InputError: as every solver, and where a type needs a Hessian, a weight's scale lies outside float16, or the
            packages are missing.
    """
    check_problem(weights, hessian, options)
    importance = None if hessian is None else _importance(hessian)
    return [[_quantize(weight, importance, option) for option in options] for weight in weights]


def _importance(hessian: Tensor) -> NDArray[np.float32]:  # (in,)
    squares = hessian.diagonal().to(torch.float32).cpu()
    mean = float(squares.mean())
    seen = squares.clamp(min=LEAST_IMPORTANCE * mean) if mean > 0 else torch.ones_like(squares)
    found: NDArray[np.float32] = seen.contiguous().numpy()
    return found


def _quantize(weight: Tensor, importance: NDArray[np.float32] | None, option: Ggml) -> GgmlWeight:
    if importance is None and option.needs_inputs:
        raise InputError(f"ggml needs the importance of every input for {option.type_name}; choose, say, q2_k")
    rows, columns = weight.shape
    values = np.ascontiguousarray(weight.to(torch.float32).cpu().numpy())
    blocks = np.empty((rows, option.row_bytes(columns)), np.uint8)
    _in_threads(option, values, blocks, importance)
    quantized = GgmlWeight(blocks=torch.from_numpy(blocks), option=option, shape=(rows, columns))
    if not bool(torch.isfinite(quantized.dequantize(torch.float32)).all()):
        raise InputError(
            f"{option.type_name} holds its scales in float16, too narrow for weights up to {np.abs(values).max():.3g}; "
            f"leave the layer out of the ggml types"
        )
    return quantized


def _in_threads(
    option: Ggml,
    values: NDArray[np.float32],  # (out, in)
    blocks: NDArray[np.uint8],  # (out, bytes of a row), written to
    importance: NDArray[np.float32] | None,  # (in,)
) -> None:
    """Rows do not depend on each other, and ctypes lets go of Python's lock."""
    kind = int(gguf_package().GGMLQuantizationType[option.type_name.upper()])
    quantize_chunk = library().ggml_quantize_chunk
    rows, columns = values.shape
    share = -(-rows // torch.get_num_threads())
    weighing = None if importance is None else importance.ctypes.data

    def one(start: int) -> None:
        count = min(share, rows - start)
        quantize_chunk(kind, values.ctypes.data, blocks.ctypes.data, start * columns, count, columns, weighing)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(one, range(0, rows, share)))


def gguf_package() -> Any:
    """The ``gguf`` package, which reads and writes GGUF.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module("gguf")
    except ImportError as error:
        raise InputError("ggml types need the package gguf; run: pip install 'layerpress[gguf]'") from error


def check_installed() -> None:
    """Refuse to begin what cannot be finished.

    Raises:
        InputError: a package is missing.
    """
    gguf_package()
    _library_path()


def code_version() -> str:
    """The package that ggml's code comes from, with its version; "" where there is none."""
    return next((f"{installed} {version(installed)}" for _, installed in _libraries()), "")


def _library_path() -> Path:
    for path, _ in _libraries():
        return path
    raise InputError(
        "to quantize by ggml's own code needs the package xllamacpp; run: pip install 'layerpress[gguf]' "
        "(wheels are for Linux and macOS), or use options of kind: quantize"
    )


def _libraries() -> Iterator[tuple[Path, str]]:
    """Files that hold ggml's code, each with what its package is installed as."""
    for package, pattern, installed in _LIBRARIES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or []:
            yield from ((path, installed) for path in sorted(Path(folder).glob(pattern)))


@cache
def library() -> ctypes.CDLL:
    """ggml's compiled code, out of a package that brings it along.

    Raises:
        InputError: none of them is installed.
    """
    found = ctypes.CDLL(str(_library_path()))
    found.ggml_quantize_chunk.restype = ctypes.c_size_t
    found.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,  # the type
        ctypes.c_void_p,  # float32 (rows, columns)
        ctypes.c_void_p,  # the blocks
        ctypes.c_int64,  # the first weight
        ctypes.c_int64,  # rows
        ctypes.c_int64,  # columns
        ctypes.c_void_p,  # float32 (columns,) or null
    ]
    return found
