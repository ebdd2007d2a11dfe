"""``python -m service.runner.leash PARENT COMMAND ...`` becomes a command that is killed when its parent dies.

Linux sends the signal when the *thread* that started the process ends, so processes are started by threads that
live as long as they do. What the command starts itself is its own care.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of linux/prctl.h; it outlives exec
EXIT_ORPHANED = 70


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could have told
        sys.exit(EXIT_ORPHANED)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
