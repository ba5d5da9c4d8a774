"""What tools that others wrote make of our feeds, where they are on this machine: BIND and Unbound obey the policy zone."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from feed_stories import FeedDoor
from servers import die_with_parent, free_port
from stories import domain_name, incident, ipv4, sco


def tool(name: str) -> str | None:
    """Where it is; Debian puts servers where not every user looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


NO_CHECKER = "no named-checkzone on this machine: install the package `bind9-utils`"
has_checker = pytest.mark.skipif(tool("named-checkzone") is None, reason=NO_CHECKER)
EVIL, LONG, INTERNATIONAL = "kntg-c2-panel.com", f"{'a' * 60}.{'b' * 60}.{'c' * 50}.net", "xn--kntg-bedrohung-bsb.com"
ADDRESSES = ("45.9.148.10", "45.9.149.0/24"), ("2a0b:7280::5", "2a0b:7281::/32", "2a0b:7282:0:0:1::1")


BLOCKED = (EVIL, f"www.{EVIL}", f"a.b.{EVIL}", LONG, INTERNATIONAL, "kntg-upper.com")
OTHERS = (f"x{EVIL}", "com", "kntg-nobody.org")


@pytest.fixture
def zone(sqlite_door: FeedDoor, tmp_path: Path) -> Path:
    """The policy zone that a reader fetched, with names and addresses of every form."""
    owner, reader = sqlite_door.reader("ID-CERT"), sqlite_door.reader("VNCERT")
    names = [domain_name(name) for name in (EVIL, LONG, INTERNATIONAL, "kntg_under.score.com", "kntg-UPPER.com")]
    four = [ipv4(value) for value in ADDRESSES[0]]
    six = [sco("ipv6-addr", value=value) for value in ADDRESSES[1]]
    owner.sends(incident("Beacon", labels=["PAP:GREEN"]), *names, *four, *six)
    kept = tmp_path / "kentongan.zone"
    kept.write_bytes(reader.ask("rpz.zone").data)
    return kept


@has_checker
def test_bind_finds_the_policy_zone_sound(zone: Path) -> None:
    command = [tool("named-checkzone"), "-i", "full", "-k", "fail", "rpz.kentongan", str(zone)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # type: ignore[arg-type]

    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.splitlines()[-1] == "OK"
    assert "ignoring" not in checked.stdout


@has_checker
def test_an_empty_policy_zone_is_sound_too(sqlite_door: FeedDoor, tmp_path: Path) -> None:
    kept = tmp_path / "empty.zone"
    kept.write_bytes(sqlite_door.reader("VNCERT").ask("rpz.zone").data)

    checked = subprocess.run([tool("named-checkzone"), "rpz", str(kept)], capture_output=True, timeout=30, check=False)  # type: ignore[list-item]

    assert checked.returncode == 0


@contextmanager
def running(zone: Path, command: list[str | None], ready: str) -> Iterator[None]:
    """A resolver in the zone's folder, from when it says `ready` on."""
    log = zone.parent / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stderr=output, preexec_fn=die_with_parent())  # type: ignore[arg-type]  # noqa: PLW1509  # two system calls
    try:
        until = time.monotonic() + 20
        while ready not in log.read_text():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def bind(zone: Path) -> Iterator[int]:
    """BIND as docs/feeds.md sets it up, over a root of its own that has nothing, so that nothing is asked elsewhere; its port."""
    folder, port = zone.parent, free_port()
    root = "$TTL 60\n@ SOA localhost. x.localhost. 1 60 60 60 60\n@ NS localhost.\nlocalhost. A 127.0.0.1\n"
    (folder / "root.zone").write_text(root)
    (folder / "named.conf").write_text(
        f"""
        options {{
            directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
            recursion yes; dnssec-validation no; pid-file "{folder}/pid"; session-keyfile "{folder}/key";
            response-policy {{ zone "rpz.kentongan"; }} qname-wait-recurse no;
        }};
        controls {{ }};
        zone "." {{ type primary; file "root.zone"; }};
        zone "rpz.kentongan" {{ type primary; file "{zone}"; }};
        """
    )
    command = [tool("named"), "-g", "-c", str(folder / "named.conf")]
    with running(zone, command, "rpz.kentongan: reload done: success"):
        assert "not loaded" not in (folder / "log").read_text()
        yield port


@contextmanager
def whole_internet() -> Iterator[int]:
    """A name server that has an address for whatever it is asked; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    asked, peer = listening.recvfrom(4096)
                    question = dns.message.from_wire(asked)
                    answer = dns.message.make_response(question, recursion_available=True)
                    answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "A", "192.0.2.1"))
                    listening.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]


@contextmanager
def unbound(zone: Path, upstream: int) -> Iterator[int]:
    """Unbound as docs/feeds.md sets it up; what is not in the policy zone it asks of `upstream`; its port."""
    folder, port = zone.parent, free_port()
    (folder / "unbound.conf").write_text(
        f"""
        server:
            interface: 127.0.0.1@{port}
            do-daemonize: no
            username: ""
            chroot: ""
            directory: "{folder}"
            pidfile: ""
            use-syslog: no
            verbosity: 1
            module-config: "respip validator iterator"
            do-not-query-localhost: no
        rpz:
            name: rpz.kentongan
            zonefile: "{zone}"
        forward-zone:
            name: "."
            forward-addr: 127.0.0.1@{upstream}
        """
    )
    with running(zone, [tool("unbound"), "-c", str(folder / "unbound.conf")], "start of service"):
        yield port


def answered(name: str, port: int) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", timeout=10, port=port)


@pytest.mark.skipif(tool("named") is None, reason="no named on this machine: install the package `bind9`")
def test_bind_loads_the_policy_zone_and_does_not_answer_for_what_is_in_it(zone: Path) -> None:
    def policy(name: str) -> bool:
        """Whether the answer comes from the policy: BIND then shows the policy zone's SOA beside it."""
        answer = answered(name, port)
        assert answer.rcode() == dns.rcode.NXDOMAIN
        return any(str(each.name) == "rpz.kentongan." for each in answer.additional)

    with bind(zone) as port:
        told = {name: policy(name) for name in BLOCKED}
        others = {name: policy(name) for name in OTHERS}

    assert told == dict.fromkeys(told, True)
    assert others == dict.fromkeys(others, False)
    assert "invalid" not in (zone.parent / "log").read_text()


@pytest.mark.skipif(tool("unbound") is None, reason="no unbound on this machine: install the package `unbound`")
def test_unbound_does_so_too(zone: Path) -> None:
    with whole_internet() as upstream, unbound(zone, upstream) as port:
        told = {name: answered(name, port).rcode() for name in (*BLOCKED, *OTHERS)}

    assert told == {name: dns.rcode.NXDOMAIN if name in BLOCKED else dns.rcode.NOERROR for name in told}
    assert "error" not in (zone.parent / "log").read_text()
