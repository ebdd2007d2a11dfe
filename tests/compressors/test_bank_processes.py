"""The bank under real processes and real limits: concurrent builders, and a disk that runs full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from toy_model import ToyModel, layer_names

from compressors.bank import Bank
from compressors.measure import EntryErrors
from compressors.rtn import rtn
from spaces.errors import JobError
from spaces.option import Quantize

OPTIONS = [Quantize(bits_per_code=b, group_size=32, symmetric=False, solver="gptq") for b in (2, 3, 4)]
ERRORS = EntryErrors(weight=0.0, output=0.0)

BUILDER = """
import sys
from pathlib import Path
import torch
from toy_model import ToyModel, block_names, layer_names, toy_tokens
from compressors.bank import Bank
from compressors.build import build_bank
from spaces.option import Quantize
torch.set_num_threads(1)
options = [Quantize(bits_per_code=b, group_size=32, symmetric=False, solver="gptq") for b in (2, 3, 4)]
model = ToyModel()
bank = Bank(Path(sys.argv[1]), model="toy", calibration="toy", propagate="dense")
print("ready", flush=True)
sys.stdin.readline()
build_bank(model, blocks=block_names(model), layers=dict.fromkeys(layer_names(model), options),
           tokens=toy_tokens(), bank=bank, propagate=None)
"""

LIMITED = """
import resource, sys
from pathlib import Path
import torch
from compressors.bank import Bank
from compressors.measure import EntryErrors
from compressors.rtn import rtn
from spaces.errors import JobError
from spaces.option import Quantize
bank = Bank(Path(sys.argv[1]), model="toy", calibration="toy", propagate="dense")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
weight = torch.zeros(256, 256)
for bits in (2, 8):
    option = Quantize(bits_per_code=bits, group_size=128, symmetric=False, solver="rtn")
    try:
        bank.write("layer", option, rtn([weight], None, [option])[0][0], EntryErrors(weight=0.0, output=0.0))
    except JobError as error:
        print(error)
"""


def start(program: str, root: Path) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}"}
    return subprocess.Popen(
        [sys.executable, "-c", program, str(root)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_build_one_bank_leave_it_whole(tmp_path: Path) -> None:
    builders = [start(BUILDER, tmp_path) for _ in range(2)]
    for builder in builders:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "ready\n"
    for builder in builders:
        assert builder.stdin is not None
        builder.stdin.write("go\n")
        builder.stdin.flush()
    for builder in builders:
        _, complaints = builder.communicate(timeout=60)
        assert builder.returncode == 0, complaints
    bank = Bank(tmp_path, model="toy", calibration="toy", propagate="dense")
    pairs = [(name, how) for name in layer_names(ToyModel()) for how in OPTIONS]
    assert bank.missing(pairs) == []
    assert all(bank.read(*pair).bits == pair[1].bits_per_code for pair in pairs)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(pairs)


def test_a_file_size_limit_ends_in_one_message_and_no_rest(tmp_path: Path) -> None:
    output, complaints = start(LIMITED, tmp_path).communicate(timeout=60)
    assert "cannot write bank entry" in output, complaints
    assert "rtn-int8-g128-asym" in output
    assert "File too large; finished entries are kept" in output
    [kept] = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert kept.startswith("rtn-int2-g128-asym")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_keeps_what_is_finished(tiny_disk: Path) -> None:
    bank = Bank(tiny_disk, model="toy", calibration="toy", propagate="dense")
    how = Quantize(bits_per_code=4, group_size=128, symmetric=False, solver="rtn")
    stored = rtn([torch.zeros(256, 256)], None, [how])[0][0]  # 35 kB: one fits, two do not
    bank.write("first", how, stored, ERRORS)
    with pytest.raises(JobError, match=r"second/.*No space left on device; finished entries are kept"):
        bank.write("second", how, stored, ERRORS)
    assert [path.name for path in tiny_disk.rglob("*") if path.is_file()] == [bank.path("first", how).name]
    assert torch.equal(bank.read("first", how).codes, stored.codes)
