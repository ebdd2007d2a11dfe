"""What torchao says of its own installation stays off stderr, and nothing else does."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec

import pytest
from twins import REFERENCE

from spaces.announcements import unannounced

USE = """
import sys
from service.commands.export import list_command
from spaces.skeleton import anatomy_of

list_command(as_json=True)
assert "torchao" not in sys.modules  # seconds, of which a list has no need
anatomy_of(sys.argv[1])
assert "torchao" in sys.modules
"""


@pytest.mark.skipif(find_spec("torchao") is None, reason="needs torchao")
def test_neither_the_list_nor_a_model_has_anything_on_stderr() -> None:
    ran = subprocess.run([sys.executable, "-c", USE, str(REFERENCE)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_other_messages_pass_and_these_do_again_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    library, tree = logging.getLogger("torchao"), logging.getLogger("torch.utils._pytree")
    with unannounced():
        library.warning("Failed to load %s", "a.so")
        library.warning("a layer has no weight")
        tree.warning("Calling register_constant() on Enum subclasses is deprecated and will be an error")
        tree.warning("something else")
    library.warning("Failed to load %s", "b.so")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["a layer has no weight", "something else", "Failed to load b.so"]
