"""How a runner asks a job's process to end, and how the process tells it what to do next.

Exit code 0 is for what the job's state says already.
"""

from __future__ import annotations

import signal

END_SIGNAL = signal.SIGUSR1  # finish what is in flight, then end; SIGTERM is taken: Ray exits on it at once

EXIT_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the same may go well in a while
EXIT_STOPPED = 76  # as the service asked: the job is to be queued again
EXIT_LOST = 77  # another attempt has the job
