"""The egress guard lets nothing through to what is not public, whatever the name says and however often it is asked."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kentongan.domain.target import networks
from kentongan_feeds.egress import MOST_ANSWER_BYTES, Answer, Egress, EgressRefused, NotReached

LOOPBACK = networks("127.0.0.0/8")
CERTIFICATE = Path(__file__).with_name("hooks.cert.example.pem")
"""A key and its own certificate for hooks.cert.example, good for a hundred years and for these tests alone."""


class Resolver:
    """Gives one list of addresses after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    def __call__(self, name: str, port: int) -> Sequence[str]:
        self.asked.append(name)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's `answer` says, and keeps the requests."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        self.server.requests.append((dict(self.headers), self.rfile.read(length)))  # type: ignore[attr-defined]
        self.server.answer(self)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass


def plainly(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    """An answer with these headers."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def serving(answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.answer = answer  # type: ignore[attr-defined]
    server.requests = []  # type: ignore[attr-defined]
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def port_of(server: ThreadingHTTPServer) -> int:
    return int(server.server_address[1])


def refused(resolver: Resolver, url: str = "https://hooks.cert.example/in") -> str:
    with pytest.raises(EgressRefused) as caught:
        Egress(resolver=resolver).post(url, b"{}", {})
    return str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:10.0.0.1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "100::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    resolver = Resolver([address])

    assert refused(resolver)
    assert resolver.asked == ["hooks.cert.example"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "169.254.169.254", "10.0.0.1", "[fe80::1]", "0.0.0.0"]
)
def test_an_address_in_the_url_is_refused_before_anything_is_resolved(host: str) -> None:
    resolver = Resolver(["93.184.215.14"])

    assert "not a public address" in refused(resolver, f"https://{host}/in")
    assert resolver.asked == []


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.1", "1.2.3.4.5", "a.0x"])
def test_a_number_in_an_odd_spelling_is_refused_whatever_it_means(host: str) -> None:
    resolver = Resolver(["93.184.215.14"])

    assert "odd spelling" in refused(resolver, f"https://{host}/in")
    assert resolver.asked == []


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    assert "10.0.0.1" in refused(Resolver(["93.184.215.14", "10.0.0.1"]))


def test_a_name_that_changes_its_mind_is_asked_once() -> None:
    with serving(plainly(200)) as inside:
        resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
        url = f"http://rebinding.example:{port_of(inside)}/in"

        Egress(LOOPBACK, resolver).post(url, b"{}", {})

        assert resolver.asked == ["rebinding.example"]


def test_a_name_that_turns_to_loopback_between_two_deliveries_is_refused() -> None:
    with serving(plainly(200)) as inside:
        guard = Egress(networks("127.0.0.1/32"), Resolver(["127.0.0.1"], ["127.0.0.2"]))
        url = f"http://rebinding.example:{port_of(inside)}/in"
        guard.post(url, b"{}", {})

        with pytest.raises(EgressRefused, match=r"127\.0\.0\.2"):
            guard.post(url, b"{}", {})

        assert len(inside.requests) == 1  # type: ignore[attr-defined]


def test_the_host_header_is_the_name_and_the_connection_goes_to_the_judged_address() -> None:
    with serving(plainly(200, b"thank you")) as inside:
        url = f"http://hooks.cert.example:{port_of(inside)}/in"

        answer = Egress(LOOPBACK, Resolver(["127.0.0.1"])).post(url, b'{"a":1}', {"x-test": "1"})

        headers, body = inside.requests[0]  # type: ignore[attr-defined]
    assert answer == Answer(200, b"thank you")
    assert headers["Host"] == f"hooks.cert.example:{port_of(inside)}"
    assert (headers["x-test"], body) == ("1", b'{"a":1}')


def test_http_is_for_opened_networks_only() -> None:
    with pytest.raises(EgressRefused, match="not encrypted"):
        Egress(LOOPBACK, Resolver(["93.184.215.14"])).post("http://hooks.cert.example/in", b"", {})

    assert "not encrypted" in refused(Resolver(["127.0.0.1"]), "http://hooks.cert.example/in")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass@hooks.cert.example/in",
        "https://hooks.cert.example@127.0.0.1/",
        "https://hooks.cert.example:22/in",
        "https://hooks.cert.example:0/in",
        "https://hooks.cert.example:99999/in",
        "https://hooks.cert.example/in#fragment",
        "https://hooks.cert.example\\@127.0.0.1/",
        "https:///in",
        "https://",
        "file:///etc/passwd",
        "gopher://hooks.cert.example/",
        "https://ﬀ.example/",
        "https://hooks.cert.example/\r\nHost: other",
        "https://hooks..example/",
    ],
)
def test_a_strange_url_is_refused_and_nothing_is_resolved(url: str) -> None:
    resolver = Resolver(["93.184.215.14"])

    assert refused(resolver, url)
    assert resolver.asked == []


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with (
        serving(plainly(200)) as elsewhere,
        serving(plainly(307, location=f"http://127.0.0.1:{port_of(elsewhere)}/")) as inside,
    ):
        answer = Egress(LOOPBACK).post(f"http://127.0.0.1:{port_of(inside)}/", b"{}", {})

        assert answer.status == 307
        assert elsewhere.requests == []  # type: ignore[attr-defined]


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(plainly(200)) as proxy, serving(plainly(204)) as inside:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port_of(proxy)}")

        answer = Egress(LOOPBACK).post(f"http://127.0.0.1:{port_of(inside)}/", b"{}", {})

        assert answer.status == 204
        assert proxy.requests == []  # type: ignore[attr-defined]


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    with serving(plainly(500, b"x" * (3 * 1024 * 1024))) as inside:
        answer = Egress(LOOPBACK).post(f"http://127.0.0.1:{port_of(inside)}/", b"{}", {})

    assert len(answer.body) == MOST_ANSWER_BYTES


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    stop = threading.Event()

    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not stop.wait(0.05):
            handler.wfile.write(b"a")

    with serving(drip) as inside:
        guard = Egress(LOOPBACK, total_seconds=0.5)
        started = time.monotonic()

        with pytest.raises(NotReached, match="time"):
            guard.post(f"http://127.0.0.1:{port_of(inside)}/", b"{}", {})

        stop.set()
        assert time.monotonic() - started < 10


def test_a_resolver_that_never_answers_is_not_waited_for() -> None:
    never = threading.Event()

    def silent(name: str, port: int) -> Sequence[str]:
        never.wait(30)
        return ["93.184.215.14"]

    with pytest.raises(NotReached, match="could not be resolved"):
        Egress(resolver=silent, connect_seconds=0.1).post("https://hooks.cert.example/", b"{}", {})
    never.set()


def test_who_does_not_exist_or_listen_is_not_reached() -> None:
    def unknown(name: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(NotReached, match="could not be resolved"):
        Egress(resolver=unknown).post("https://hooks.cert.example/", b"{}", {})
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(NotReached):
            Egress(LOOPBACK).post(f"http://127.0.0.1:{closed.getsockname()[1]}/", b"{}", {})


def test_what_is_no_http_is_not_reached() -> None:
    def greet(handler: Handler) -> None:
        handler.wfile.write(b"220 mail.example ESMTP\r\n\r\n")

    with serving(greet) as inside, pytest.raises(NotReached):
        Egress(LOOPBACK).post(f"http://127.0.0.1:{port_of(inside)}/", b"{}", {})


@pytest.mark.parametrize(("name", "reached"), [("hooks.cert.example", True), ("other.cert.example", False)])
def test_the_certificate_must_be_that_of_the_name(name: str, reached: bool) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(CERTIFICATE)
    shown: list[str | None] = []
    server_side.sni_callback = lambda sock, server_name, context: shown.append(server_name)
    with serving(plainly(204), server_side) as inside:
        guard = Egress(LOOPBACK, Resolver(["127.0.0.1"]), ssl.create_default_context(cafile=CERTIFICATE))
        url = f"https://{name}:{port_of(inside)}/in"

        if reached:
            assert guard.post(url, b"{}", {}).status == 204
        else:
            with pytest.raises(NotReached, match="certificate"):
                guard.post(url, b"{}", {})

    assert shown == [name]
