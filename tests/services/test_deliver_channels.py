"""From a match to real receivers on loopback, with the parts that an installation uses."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from alert_stories import carries, match, reported, subscribed
from kentongan.bootstrap import Kentongan, assemble, deliverer
from kentongan.cli import main
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.domain.target import networks
from kentongan.services.deliver import Deliver
from kentongan.services.subscriptions import Subscriptions
from kentongan.settings import load_settings
from kentongan.storage.alerts import Delivery
from kentongan.storage.database import Database
from kentongan.trial.receivers import Arrivals, MailReceiver, WebhookReceiver
from stories import organization


def installation(tmp_path: Path, **settings: object) -> Kentongan:
    """With the ways out that it would really use."""
    return assemble(load_settings(data_dir=tmp_path, public_url="https://kentongan.example", **settings))


def send_all(session: Session, service: Deliver) -> None:
    """What the worker does, in one thread."""
    for message in service.plan(session, session.scalars(select(Delivery.id)).all()):
        service.record(session, message.delivery_id, service.send(message))
    session.flush()


def test_an_alert_arrives_signed_and_is_recorded(database: Database, tmp_path: Path) -> None:
    kentongan = installation(tmp_path, egress_allow="127.0.0.0/8")
    with WebhookReceiver(arrivals := Arrivals()) as receiver, database.writing() as session:
        made = Subscriptions(session, kentongan.clock, networks("127.0.0.0/8")).create(
            organization(session, "SingCERT").identity(), channel="webhook", target=receiver.url_for("sg")
        )
        receiver.secrets["sg"] = made.secret or ""
        row = reported(session, organization(session, "ID-CERT"))
        carries(session, row, Level.GREEN, Observable("domain", "evil.example"))
        match(session, row, now=kentongan.clock())

        send_all(session, deliverer(kentongan))

        (arrival,) = arrivals.all()
        delivery = session.scalars(select(Delivery)).one()
    assert (arrival.fault, arrival.content["kind"]) == ("", "new-case")
    assert arrival.message_id == "msg_" + delivery.public_id.replace("-", "")
    assert (delivery.state, delivery.attempts, delivery.last_answer) == ("delivered", 1, "HTTP 204")


def test_a_mail_arrives_with_nothing_to_click_but_our_pages(database: Database, tmp_path: Path) -> None:
    with MailReceiver(arrivals := Arrivals()) as receiver, database.writing() as session:
        kentongan = installation(tmp_path, smtp_host="127.0.0.1", smtp_port=receiver.port)
        subscribed(session, organization(session, "SingCERT"), channel="email", target="duty@cert.example", secret="")
        row = reported(session, organization(session, "ID-CERT"), title="Phishing at http://evil.example/login")
        carries(session, row, Level.GREEN, Observable("domain", "evil.example"))
        match(session, row, now=kentongan.clock())

        send_all(session, deliverer(kentongan))

        (arrival,) = arrivals.all()
        assert session.scalars(select(Delivery.state)).one() == "delivered"
    assert arrival.content["subject"] == "[TLP:GREEN] New case: Phishing at hxxp[://]evil[.]example/login"
    assert "evil.example" not in arrival.content["text"]
    assert f"https://kentongan.example/incidents/{row.public_id}" in arrival.content["text"]


def test_loopback_is_refused_where_no_operator_opened_it(database: Database, tmp_path: Path) -> None:
    kentongan = installation(tmp_path)
    with WebhookReceiver(arrivals := Arrivals()) as receiver, database.writing() as session:
        subscribed(session, organization(session, "SingCERT"), target=receiver.url_for("sg"))
        match(session, reported(session, organization(session, "ID-CERT")), now=kentongan.clock())

        send_all(session, deliverer(kentongan))

        delivery = session.scalars(select(Delivery)).one()
    assert arrivals.all() == []
    assert delivery.state == "given-up"
    assert (delivery.last_answer or "").startswith("not sent: 127.0.0.1 is loopback")


def test_the_command_subscribes_and_prints_the_secret_once(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.writing() as session:
        organization(session, "Bank Nusantara")
    wish = ["--data-dir", str(tmp_path), "subscribe", "--org", "Bank Nusantara", "--country", "id", "--json"]

    good = CliRunner().invoke(main, [*wish, "--webhook", "https://soc.bank.example/in", "--kind", "update"])
    bad = CliRunner().invoke(main, [*wish, "--webhook", "https://10.0.0.1/in", "--observable", "???"])
    both = CliRunner().invoke(main, [*wish, "--webhook", "https://soc.bank.example/in", "--email", "a@b.example"])
    unknown = CliRunner().invoke(main, [*wish[:4], "Nobody", "--email", "a@b.example"])

    assert good.exit_code == 0, good.output
    assert '"secret": "whsec_' in good.output
    assert '"countries": [\n      "ID"\n    ]' in good.output
    assert bad.exit_code == both.exit_code == 2
    assert "$.target" in bad.output and "$.filter.observables[0]" in bad.output
    assert unknown.exit_code == 1
