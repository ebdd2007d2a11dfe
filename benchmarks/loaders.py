"""Loads an export's files with each runtime's own loader, as a function from tokens to logits."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.export_folder import load_export

Answer = Callable[[Tensor], Tensor]  # tokens (sequences, length) -> logits float32 (sequences, length, vocabulary)


@dataclass(frozen=True, kw_only=True)
class Loader:
    """What loads a format: a package, and the dtype that it then computes in."""

    format: str
    package: str  # as pip knows it
    module: str
    dtype: torch.dtype
    load: Callable[[Path, torch.dtype], Answer]

    @property
    def is_installed(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def words(self) -> str:
        """The package with its version."""
        return f"{self.package} {version(self.package)}" if self.is_installed else self.package


def answer_of(model: nn.Module) -> Answer:
    """A torch model as a function."""

    def answer(tokens: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(input_ids=tokens, use_cache=False).logits
        return logits.float()

    return answer


def _transformers(folder: Path, dtype: torch.dtype) -> Answer:
    return answer_of(load_export(folder, dtype=dtype))


def _auto_round(folder: Path, dtype: torch.dtype) -> Answer:
    logging.getLogger("autoround").setLevel(logging.ERROR)  # what could be installed to be faster
    return _transformers(folder, dtype)


def _gptqmodel(folder: Path, dtype: torch.dtype) -> Answer:
    torch.compiler.set_stance("force_eager")  # its kernel compiles itself for minutes
    with redirect_stdout(sys.stderr):  # it says a lot, and the benchmark's own words are on stdout
        gptqmodel = import_module("gptqmodel")
        loaded = gptqmodel.GPTQModel.load(str(folder), device="cpu", backend=gptqmodel.BACKEND.TORCH, dtype=dtype)
    return answer_of(loaded.model.eval())


def _mlx(folder: Path, dtype: torch.dtype) -> Answer:
    mx, utils = import_module("mlx.core"), import_module("mlx_lm.utils")
    mx.set_default_device(mx.cpu)
    model, _ = utils.load_model(folder)
    return lambda tokens: torch.from_numpy(np.array(model(mx.array(tokens.numpy())).astype(mx.float32)))


FULL, HALF, BRAIN = torch.float32, torch.float16, torch.bfloat16
# GPTQModel and auto-round change transformers as they are imported: they come last
LOADERS = (
    Loader(format="dense", package="transformers", module="transformers", dtype=FULL, load=_transformers),
    Loader(format="dense", package="transformers", module="transformers", dtype=BRAIN, load=_transformers),
    *(
        Loader(format=name, package=name, module=module, dtype=dtype, load=_transformers)
        for name, module in (
            ("compressed-tensors", "compressed_tensors"),
            ("gguf", "gguf"),
            ("torchao", "torchao"),
        )
        for dtype in (FULL, BRAIN)
    ),
    Loader(format="mlx", package="mlx-lm", module="mlx_lm", dtype=BRAIN, load=_mlx),
    Loader(format="auto-round", package="auto-round", module="auto_round", dtype=HALF, load=_auto_round),
    Loader(format="auto-round", package="auto-round", module="auto_round", dtype=BRAIN, load=_auto_round),
    Loader(format="gptq", package="gptqmodel", module="gptqmodel", dtype=HALF, load=_gptqmodel),
    Loader(format="gptq", package="gptqmodel", module="gptqmodel", dtype=BRAIN, load=_gptqmodel),
)
