"""``layerpress serve`` as a process of a test: ``python serve_process.py JSON`` with the fields of ``Serving``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from service.commands.serve import Serving, serve_command

asked = json.loads(sys.argv[1])
serve_command(Serving(**asked | {"roots": tuple(map(Path, asked.get("roots", ())))}))
