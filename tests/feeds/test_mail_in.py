"""Mail for feeds by SMTP: kept before 250 is said, refused in words, never passed on, and nothing is lost by a kill."""

from __future__ import annotations

import multiprocessing
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from dying import Moment
from feeding_samples import COLUMNS, mail
from feeding_stories import Station, counts
from kentongan import mail_reception
from kentongan.bootstrap import Kentongan, no_nudge
from kentongan.domain.feeding import address_of_feed, feed_of_address
from kentongan.services.read_feeds import ReadFeeds, RunView
from kentongan.settings import WrongSetting, load_settings
from kentongan.storage.audit import AuditEntry
from kentongan.storage.database import Database
from kentongan.storage.drafts import Draft
from kentongan.storage.feeds import FeedRow
from kentongan.storage.organizations import Organization
from kentongan.supervisor.parts import all_parts
from mail_stories import DOMAIN, receive_and_die, receiving, reception_settings
from servers import free_port
from stories import CONSOLE

LETTER = mail(1, "Phishing at a bank").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.fixture
def station(database: Database, tmp_path: Path) -> Station:
    return Station(database, tmp_path / "installation")


def place_of(station: Station, **settings: object) -> Kentongan:
    return Kentongan(reception_settings(station.folder, **settings), station.database, lambda: station.now, no_nudge)


@pytest.fixture
def port(station: Station) -> Iterator[int]:
    with receiving(place_of(station)) as listening:
        yield listening


def mailbox(station: Station, name: str = "mail") -> str:
    """The address of a feed that takes mail."""
    with station.database.reading() as session:
        known = session.scalars(select(FeedRow.public_id).where(FeedRow.name == name)).one_or_none()
    if known is None:
        station.add("", "mail", name)
        return mailbox(station, name)
    return address_of_feed(known, DOMAIN)


@contextmanager
def client(port: int) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as speaking:
        speaking.ehlo("sender.example")
        yield speaking


def send(port: int, to: str | list[str], raw: bytes = LETTER) -> dict[str, tuple[int, bytes]]:
    """Sends a mail; who refused it."""
    with client(port) as speaking:
        return speaking.sendmail("siti@partner.example", to, raw)


def drafts(station: Station) -> list[str]:
    with station.database.reading() as session:
        return list(session.scalars(select(Draft.title).order_by(Draft.id)))


def runs(station: Station) -> tuple[RunView, ...]:
    with station.database.reading() as session:
        reading = ReadFeeds(session, CONSOLE)
        return reading.runs(reading.all()[0].id)


def test_a_mail_is_a_draft_once_and_accounted_as_a_push(station: Station, port: int) -> None:
    address = mailbox(station)

    refused, again = send(port, address), send(port, address.upper())

    assert refused == again == {}
    assert drafts(station) == ["Phishing at a bank"]
    assert [(counts(run), run.pushed) for run in runs(station)] == [((0, 0, 1, 0), True), ((1, 0, 0, 0), True)]
    with station.database.reading() as session:
        (entry,) = [each for each in session.scalars(select(AuditEntry)) if each.subject.startswith("draft ")]
    assert "mail from 127.0.0.1" in str(entry.details)


def test_one_mail_to_two_feeds_is_in_both(station: Station, port: int) -> None:
    send(port, [mailbox(station, "one"), mailbox(station, "other"), mailbox(station, "one")])

    with station.database.reading() as session:
        every = [each.last_push for each in ReadFeeds(session, CONSOLE).all()]
    assert [push is not None and push.refused for push in every] == [0, 0]
    assert drafts(station) == ["Phishing at a bank"]  # of one organization, the same draft


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        ("00000000-0000-4000-8000-000000000000@kentongan.example", (550, b"5.1.1")),
        ("postmaster@kentongan.example", (550, b"5.1.1")),
        ("somebody@elsewhere.example", (550, b"5.7.1")),
        ("somebody%elsewhere.example@kentongan.example", (550, b"5.1.1")),
        ("somebody@elsewhere.example@kentongan.example", (553, b"5.1.3")),
        ("somebody@sub.kentongan.example", (550, b"5.7.1")),
    ],
)
def test_for_nobody_here_it_is_refused_at_once_and_never_passed_on(
    station: Station, port: int, to: str, answer: tuple[int, bytes]
) -> None:
    mailbox(station)

    with client(port) as speaking:
        speaking.mail("siti@partner.example")
        status, words = speaking.rcpt(to)
        without = speaking.docmd("DATA")

    assert (status, words[:5]) == answer
    assert without[0] == 503
    assert drafts(station) == []


def test_a_feed_that_takes_no_mail_and_one_whose_organization_left_are_no_mailboxes(
    station: Station, port: int
) -> None:
    station.add("", "csv", "table", options={"columns": COLUMNS})
    with station.database.writing() as session:
        other = session.scalars(select(FeedRow.public_id)).one()
    address = mailbox(station)
    with station.database.writing() as session:
        session.get_one(Organization, station.member).ended_at = station.now

    for one in (address, address_of_feed(other, DOMAIN)):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(port, one)


def test_what_is_no_mail_is_refused_with_its_reason_and_accounted(station: Station, port: int) -> None:
    address = mailbox(station)

    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(port, address, b"\r\n")

    assert refused.value.smtp_code == 554
    assert b"5.6.0" in refused.value.smtp_error
    assert [counts(run) for run in runs(station)] == [(0, 0, 0, 1)]


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(data=st.data())
def test_whatever_is_sent_is_kept_or_refused_in_words_and_the_next_mail_is_taken(
    station: Station, port: int, data: st.DataObject
) -> None:
    address = mailbox(station)
    raw = bytearray(LETTER)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[at : at + 1] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\r\n", b"\n.\n", b"\x00", b"\xff", b"\r"])
        )
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw))) :]
    lines = bytes(raw).split(b"\r\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)

    with client(port) as speaking:
        speaking.mail("siti@partner.example")
        speaking.rcpt(address)
        speaking.docmd("DATA")
        speaking.send(stuffed + b"\r\n.\r\n")
        status, words = speaking.getreply()
        again = speaking.noop()[0]

    assert (status == 250 or (status == 554 and len(words) > 10), again) == (True, 250), words
    (last, *_) = runs(station)
    assert (last.refused == 0) == (status == 250)


def test_the_size_limit_is_announced_and_kept_however_it_is_tried(station: Station) -> None:
    address = mailbox(station)
    with receiving(place_of(station, max_bytes=20_000)) as port:
        with client(port) as speaking:
            assert speaking.esmtp_features["size"] == "20000"
            announced = speaking.mail("siti@partner.example", ["SIZE=20001"])
            lying = speaking.mail("siti@partner.example", ["SIZE=100"])
            speaking.rcpt(address)
            with pytest.raises(smtplib.SMTPDataError) as refused:
                # smtplib's data() raises only for the reply to DATA itself
                status, words = speaking.data(LETTER + b"x" * 60 + (b"\r\n" + b"y" * 70) * 400)
                raise smtplib.SMTPDataError(status, words)
        small = send(port, address)

    assert (announced[0], lying[0], refused.value.smtp_code, small) == (552, 250, 552, {})
    assert drafts(station) == ["Phishing at a bank"]


def test_who_never_ends_a_line_is_cut_off(station: Station) -> None:
    address = mailbox(station)
    with receiving(place_of(station, max_bytes=20_000)) as port, client(port) as speaking:
        speaking.mail("siti@partner.example")
        speaking.rcpt(address)
        speaking.docmd("DATA")
        with pytest.raises((ConnectionError, smtplib.SMTPServerDisconnected)):
            for _ in range(400):
                speaking.send(b"x" * 10_000)
                time.sleep(0.001)
            speaking.getreply()

    assert drafts(station) == []


def test_bytes_after_a_lone_line_feed_and_dot_smuggle_no_second_mail(station: Station, port: int) -> None:
    address = mailbox(station)
    smuggled = LETTER + b"\n.\nMAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<" + address.encode() + b">\r\nDATA\r\n"

    with client(port) as speaking:
        speaking.mail("siti@partner.example")
        speaking.rcpt(address)
        speaking.docmd("DATA")
        speaking.send(smuggled + b"Subject: Smuggled\r\n\r\nx\r\n.\r\n")
        answer = speaking.getreply()
        after = speaking.noop()

    assert (answer[0], after[0]) == (250, 250)
    assert drafts(station) == ["Phishing at a bank"]


def test_no_more_than_so_many_connections_and_recipients(
    station: Station, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_reception, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(mail_reception, "MOST_RECIPIENTS", 2)
    address = mailbox(station)
    open_ones = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3)]
    assert all(one.recv(3) == b"220" for one in open_ones)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one_more:
        assert one_more.recv(3) == b"421"
    open_ones.pop().close()
    time.sleep(0.2)

    with client(port) as speaking:
        speaking.mail("siti@partner.example")
        answers = [speaking.rcpt(address)[0] for _ in range(3)]

    assert answers == [250, 250, 452]
    for one in open_ones:
        one.close()


def test_nobody_signs_in_and_nobody_is_told_who_is_here(station: Station, port: int) -> None:
    with client(port) as speaking:
        assert "auth" not in speaking.esmtp_features
        assert speaking.verify(mailbox(station))[0] == 252
        assert speaking.expn("everybody")[0] == 502


def test_while_the_database_is_away_the_sender_is_asked_to_come_back(station: Station, port: int) -> None:
    address = mailbox(station)
    with client(port) as speaking:
        speaking.mail("siti@partner.example")
        speaking.rcpt(address)
        with station.database.writing() as session:
            session.execute(text("ALTER TABLE draft RENAME TO draft_away"))
        status, _ = speaking.data(LETTER)
        with station.database.writing() as session:
            session.execute(text("ALTER TABLE draft_away RENAME TO draft"))

    assert status == 451
    assert send(port, address) == {}
    assert drafts(station) == ["Phishing at a bank"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return paths


def test_starttls_is_offered_where_there_is_a_certificate(station: Station, certificate: tuple[Path, Path]) -> None:
    address, (cert, key) = mailbox(station), certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    with (
        receiving(place_of(station, mail_in_certificate=str(cert), mail_in_key=str(key))) as port,
        client(port) as speaking,
    ):
        assert speaking.has_extn("starttls")
        speaking._host = DOMAIN  # type: ignore[attr-defined]  # the name that smtplib checks the certificate against
        speaking.starttls(context=trusting)
        speaking.ehlo("sender.example")
        speaking.sendmail("siti@partner.example", [address], LETTER)

    assert drafts(station) == ["Phishing at a bank"]


def test_without_a_certificate_it_is_not(station: Station, port: int) -> None:
    with client(port) as speaking:
        assert not speaking.has_extn("starttls")


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
def test_killed_before_250_is_said_the_sender_sends_again_and_it_is_kept_once(station: Station, before: bool) -> None:
    address = mailbox(station)
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    url = station.database.engine.url.render_as_string(hide_password=False)
    arguments = (url, station.folder, station.now, Moment(1, before=before), port)
    process = context.Process(target=receive_and_die, args=arguments)
    process.start()
    until = time.monotonic() + 60
    while not port.value and time.monotonic() < until:
        time.sleep(0.05)

    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(port.value, address)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert drafts(station) == ([] if before else ["Phishing at a bank"])

    with receiving(place_of(station)) as other:
        assert send(other, address) == {}
    assert drafts(station) == ["Phishing at a bank"]
    assert counts(runs(station)[0]) == ((1, 0, 0, 0) if before else (0, 0, 1, 0))


def test_the_command_receives_and_stops_when_it_is_told_to(sqlite_database: Database, tmp_path: Path) -> None:
    station = Station(sqlite_database, tmp_path / "installation")
    address, port = mailbox(station), free_port()
    env = {
        "PATH": "/usr/bin:/bin",
        "KENTONGAN_DATA_DIR": str(station.folder),
        "KENTONGAN_DATABASE_URL": sqlite_database.engine.url.render_as_string(hide_password=False),
        "KENTONGAN_MAIL_IN": f"127.0.0.1:{port}",
        "KENTONGAN_PUBLIC_URL": f"https://{DOMAIN}/portal",
    }
    command = [sys.executable, "-m", "kentongan", "mail"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        taken = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        sent = send(port, address)
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
        assert process.wait(30) == 0

    assert f"port {port}" in said
    assert (sent, drafts(station)) == ({}, ["Phishing at a bank"])
    assert taken.returncode == 4
    assert "cannot be received" in taken.stderr
    assert "siti" not in log
    assert "Phishing" not in log


def test_an_installation_that_is_told_where_has_a_part_for_it(tmp_path: Path) -> None:
    with_mail, without = reception_settings(tmp_path), reception_settings(tmp_path).model_copy(update={"mail_in": ""})

    names = [{part.name for part in all_parts(each)} for each in (with_mail, without)]

    assert names[0] - names[1] == {"mail"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_in": "25"},
        {"mail_in": "host:smtp"},
        {"mail_in": ":25"},
        {"mail_in_certificate": "/x"},
        {"mail_in_key": "/x"},
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(wrong: dict[str, str]) -> None:
    with pytest.raises(WrongSetting, match="KENTONGAN_MAIL_IN"):
        load_settings(**wrong)


def test_addresses_name_feeds_of_this_domain_alone() -> None:
    feed = "0b6d4e5c-1c7e-4b0e-8e0e-000000000001"

    assert feed_of_address(address_of_feed(feed, DOMAIN).upper(), DOMAIN) == feed
    for other in (f"{feed}@elsewhere.example", feed, f"{feed}x@{DOMAIN}", f"{feed}@x@{DOMAIN}", "@", ""):
        assert feed_of_address(other, DOMAIN) is None


def test_a_reception_ends_with_what_it_was_keeping(station: Station) -> None:
    """Told to stop while a mail is being kept, it answers first."""
    address, place = mailbox(station), place_of(station)

    class Slow(Database):
        @contextmanager
        def writing(self) -> Iterator[object]:  # type: ignore[override]  # the same, later
            time.sleep(0.5)
            with super().writing() as session:
                yield session

    slow = Slow(station.database.engine.url.render_as_string(hide_password=False))
    with receiving(replace(place, database=slow)) as port:
        speaking = smtplib.SMTP("127.0.0.1", port, timeout=30)
        speaking.ehlo("sender.example")
        speaking.mail("siti@partner.example")
        speaking.rcpt(address)
        speaking.docmd("DATA")
        speaking.send(LETTER + b"\r\n.\r\n")
        time.sleep(0.1)
    answer = speaking.getreply()
    slow.close()

    assert answer[0] == 250
    assert drafts(station) == ["Phishing at a bank"]
