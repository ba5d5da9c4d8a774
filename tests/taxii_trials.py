"""TAXII put to the test from outside: the conformance tester against a running web server, with all the accounts it asks for.

`python tests/taxii_trials.py` (`make conformance`) does it once on each database, and ends with the tester's own last line.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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


def conformance(
    who: Accounts, *, base: str = "", authority: Path | None = None, bearer: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the tester; what it printed. `base` is another address of the same server, `authority` vouches for its certificate."""
    shown = ["--token", who.token] if bearer else ["--user", "anybody", "--password", who.token]
    command = [sys.executable, str(TESTER), base or who.url, *shown, "--api-root", "/taxii2/kentongan/"]
    for option, alias in (("", "everything"), ("ro-", "public"), ("wo-", "inbox")):
        command += [f"--{option}collection", who.collection(alias)]
    if authority is not None:
        command += ["--ca", str(authority)]
    command += ["--denied-user", "anybody", "--denied-password", who.stranger]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


@contextmanager
def encrypting(url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """A proxy before this server that speaks TLS: its address, and the certificate that vouches for it."""
    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    address = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        ended = threading.Event()
        accepting = threading.Thread(target=_accept, args=(listening, context, (address.hostname, address.port), ended))
        accepting.start()
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}", certificate
        finally:
            ended.set()
            accepting.join()


def _accept(
    listening: socket.socket, context: ssl.SSLContext, behind: tuple[str | None, int | None], ended: threading.Event
) -> None:
    while not ended.is_set():
        try:
            plain, _ = listening.accept()
        except TimeoutError:
            continue
        threading.Thread(target=_relay, args=(plain, context, behind), daemon=True).start()


def _relay(plain: socket.socket, context: ssl.SSLContext, behind: tuple[str | None, int | None]) -> None:
    """Both ways, until the client has gone. What it still sends when the server has said all is read and thrown away: closed
    with something unread, the connection would take the answer with it."""
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection((behind[0] or "", behind[1] or 0)) as server,
    ):
        sources: list[socket.socket] = [client, server]
        while ready := [client] if client.pending() else select.select(sources, [], [], 10)[0]:
            if server in ready:
                if piece := server.recv(65536):
                    client.sendall(piece)
                else:
                    socket.socket.shutdown(client, socket.SHUT_WR)
                    sources.remove(server)
            if client in ready:
                if not (piece := client.recv(65536)):
                    return
                with contextlib.suppress(OSError):
                    server.sendall(piece)


def _certificate(folder: Path) -> Path:
    """A key and a certificate of this machine's loopback, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(own + made.public_bytes(Encoding.PEM))
    return path


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
