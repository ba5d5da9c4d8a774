"""`python -m kentongan_workers stages|deliver|all|scheduler [--scheduler]`: what `kentongan worker` and `kentongan up` start."""

from __future__ import annotations

import sys

from kentongan.settings import WrongSetting
from kentongan_workers.app import QUEUES, run

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words[0] not in (*QUEUES, "scheduler") or words[1:] not in ([], ["--scheduler"]):
        sys.exit(f"usage: python -m kentongan_workers {'|'.join(QUEUES)}|scheduler [--scheduler]")
    try:
        run(words[0], with_scheduler="--scheduler" in words)
    except WrongSetting as error:
        sys.exit(str(error))
