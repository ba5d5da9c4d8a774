"""`python -m kentongan_workers stages|deliver|scheduler`: what `kentongan worker` and `kentongan up` start."""

from __future__ import annotations

import sys

from kentongan.settings import WrongSetting
from kentongan_workers.app import ROLES, run

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ROLES:
        sys.exit(f"usage: python -m kentongan_workers {'|'.join(ROLES)}")
    try:
        run(sys.argv[1])
    except WrongSetting as error:
        sys.exit(str(error))
