"""TAXII put to the test from outside: the conformance tester against a running web server, with all the accounts it asks for.

`python tests/taxii_trials.py` (`make conformance`) does it once on each database, and ends with the tester's own last line.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from kentongan.bench.stage import admit, web_alone
from kentongan.domain.identity import Scope
from servers import running_postgres

TESTER = Path(__file__).parent / "conformance" / "taxii_conformance.py"
_MEMBER, _STRANGER = "CERT-ID", "CERT-MY"


@dataclass(frozen=True)
class Accounts:
    """A web server, the member that asks, another one that may see nothing of its collections, and what the tester asks of."""

    url: str
    token: str
    stranger: str

    def collection(self, alias: str) -> str:
        """The id of one of the member's collections."""
        with requests.Session() as session:
            session.trust_env = False
            told = session.get(
                f"{self.url}/taxii2/kentongan/collections/{alias}/", auth=("anybody", self.token), timeout=60
            )
            told.raise_for_status()
            return str(told.json()["id"])


@contextmanager
def accounts(database_url: str = "", web_workers: int = 1) -> Iterator[Accounts]:
    """A running web server with the accounts; its data lies in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="kentongan-taxii-") as folder,
        web_alone(Path(folder), database_url, web_workers) as (settings, url),
    ):
        scopes = (Scope.TAXII, Scope.SUBMIT)
        yield Accounts(url, admit(settings, _MEMBER, *scopes), admit(settings, _STRANGER, *scopes))


def conformance(who: Accounts, *, base: str = "", bearer: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the tester; what it printed. `base` is another address of the same server."""
    shown = ["--token", who.token] if bearer else ["--user", "anybody", "--password", who.token]
    command = [sys.executable, str(TESTER), base or who.url, *shown, "--api-root", "/taxii2/kentongan/"]
    for option, alias in (("", "everything"), ("ro-", "public"), ("wo-", "inbox")):
        command += [f"--{option}collection", who.collection(alias)]
    command += ["--denied-user", "anybody", "--denied-password", who.stranger]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def main() -> int:
    """On SQLite, and on PostgreSQL with four web processes; 0 where nothing failed."""
    failed = _told("SQLite, one web process", "", 1)
    with running_postgres() as database_url:
        return _told("PostgreSQL, four web processes", database_url, 4) or failed


def _told(name: str, database_url: str, web_workers: int) -> int:
    sys.stdout.write(f"== {name}\n")
    sys.stdout.flush()
    with accounts(database_url, web_workers) as who:
        ran = conformance(who)
    sys.stdout.write(ran.stdout + ran.stderr)
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
