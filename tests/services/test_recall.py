"""Who was told of what is erased is told that it is gone: they and nobody else, once, and nothing of what it was."""

from __future__ import annotations

import multiprocessing
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dying import die_while_sending
from erasing_stories import Region
from kentongan.bootstrap import assemble, deliverer
from kentongan.domain.alert import AlertKind, RecallContent, Receipt, message_id, proof_of
from kentongan.domain.alert_text import recall_subject, recall_text
from kentongan.domain.marking import Level
from kentongan.services.deliver import Deliver
from kentongan.services.deliveries import Deliveries
from kentongan.settings import load_settings
from kentongan.storage.alerts import Alert, Delivery, Subscription
from kentongan.storage.database import Database
from kentongan.trial.receivers import Arrivals, MailReceiver, WebhookReceiver
from kentongan_workers.deliveries import Deliveries as Worker
from matching_stories import about
from stories import NOON, incident, newer


@pytest.fixture
def region(database: Database) -> Region:
    return Region(database)


def test_exactly_those_who_were_sent_the_alert_are_told_and_nothing_of_the_content(region: Region) -> None:
    told = region.subscribes("CERT-MY", target="https://my.example/hook")
    mail = region.subscribes("CERT-SG", channel="email", target="duty@sg.example", secret="")
    region.subscribes("CERT-TH", wants={"countries": ["TH"]}, target="https://th.example/hook")
    sent = region.sends("CERT-ID", *about("Kenari intrusion", victim="PT Kenari", files=["kenari"]))
    alerts = region.deliver()
    assert {one.target for one in alerts} == {"https://my.example/hook", "duty@sg.example"}
    late = region.subscribes("CERT-PH", target="https://ph.example/hook")
    public_id = region.incidents()[0].public_id

    region.erases("CERT-ID", sent, "Kenari must not be named")
    recalls = region.deliver()
    region.settle()

    assert {one.target for one in recalls} == {"https://my.example/hook", "duty@sg.example"}
    of_target = {one.target: one for one in alerts}
    for recall in recalls:
        assert recall.payload == {
            "kind": "recall",
            "timestamp": recall.payload["timestamp"],
            "incident": {"id": public_id},
            "organization": "CERT-ID",
            "messages": [of_target[recall.target].message_id],
        }
        assert recall.message_id != of_target[recall.target].message_id
        assert "Kenari" not in repr(recall)
        assert of_target[recall.target].message_id in recall.text
        assert "CERT-ID" in recall.subject
    assert region.deliver() == []
    assert [one.state for one in region.deliveries_of(told)] == ["delivered", "delivered"]
    assert len(region.deliveries_of(mail)) == 2
    assert region.deliveries_of(late) == []


def test_every_message_about_the_incident_is_named(region: Region) -> None:
    region.subscribes("CERT-MY")
    event = incident("First words")
    region.sends("CERT-ID", event)
    region.sends("CERT-ID", newer(event, name="Second words"))
    alerts = region.deliver()
    assert [one.payload["kind"] for one in alerts] == ["new-case", "update"] or len(alerts) == 1

    region.erases_incident("CERT-ID", event["id"])
    (recall,) = region.deliver()

    assert recall.payload["messages"] == [one.message_id for one in alerts]


def test_what_was_not_sent_yet_is_withheld_and_recalls_nothing(region: Region) -> None:
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))

    region.erases("CERT-ID", sent)

    assert region.deliver() == []
    (delivery,) = region.deliveries_of(subscription)
    assert (delivery.state, delivery.next_attempt_at) == ("withheld", None)
    assert region.promised() == []
    with region.database.reading() as session:
        assert Deliveries(session, lambda: region.now).page(region.asks("CERT-MY")).items == ()


def test_only_the_version_that_is_erased_is_recalled(region: Region) -> None:
    region.subscribes("CERT-MY")
    event = incident("First words")
    region.sends("CERT-ID", event)
    region.deliver()
    second = region.sends("CERT-ID", newer(event, name="Second words"))
    (update,) = region.deliver()

    region.erases("CERT-ID", second)
    region.settle()
    (recall,) = region.deliver()

    assert recall.payload["messages"] == [update.message_id]


def test_a_version_that_another_document_still_carries_is_not_recalled(region: Region) -> None:
    region.subscribes("CERT-MY")
    event = incident("Sent twice")
    first = region.sends("CERT-ID", event)
    region.deliver()
    region.sends("CERT-ID", event, incident("Another"))
    region.deliver()

    region.erases("CERT-ID", first)
    region.settle()

    assert region.deliver() == []


def test_a_subscription_that_has_ended_is_sent_nothing_and_the_list_says_so(region: Region) -> None:
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    region.deliver()
    region.pause(subscription)

    region.erases("CERT-ID", sent)

    assert region.deliver() == []
    assert [one.state for one in region.deliveries_of(subscription)] == ["delivered", "given-up"]


def test_a_recall_is_sent_whatever_the_filter_wants_and_the_policy_has_become(region: Region) -> None:
    region.subscribes("CERT-MY", wants={"kinds": ["new-case"]})
    event = incident("Mine", marking=Level.AMBER)
    region.sends("CERT-ID", event)
    region.deliver()
    region.sends("CERT-ID", newer(event, object_marking_refs=incident(marking=Level.RED)["object_marking_refs"]))
    assert region.deliver() == []

    region.erases_incident("CERT-ID", event["id"])

    (recall,) = region.deliver()
    assert recall.payload["kind"] == "recall"


def test_what_arrives_while_it_is_erased_is_recalled_too(region: Region) -> None:
    region.post.says = "HTTP 200: Kenari received"
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    service = region.deliverer()
    (waiting,) = region.deliveries_of(subscription)
    with region.database.writing() as session:
        (message,) = service.plan(session, [waiting.id])

    answer = service.send(message)
    region.erases("CERT-ID", sent)
    with region.database.writing() as session:
        service.record(session, waiting.id, answer)
    (recall,) = region.deliver()

    assert recall.payload["messages"] == [message.message_id]
    before, _ = region.deliveries_of(subscription)
    assert (before.state, before.last_answer) == ("delivered", "HTTP 200")


def test_the_list_shows_the_recall_and_what_it_recalls_without_its_title(region: Region) -> None:
    region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Kenari"))
    region.deliver()

    region.erases("CERT-ID", sent)
    region.deliver()

    with region.database.writing() as session:
        deliveries = Deliveries(session, lambda: region.now)
        recall, alert = deliveries.page(region.asks("CERT-MY")).items
        again = deliveries.replay(region.asks("CERT-MY"), recall.id)
    assert [(one.kind, one.title, one.incident_id) for one in (recall, alert)] == [
        (AlertKind.RECALL, None, None),
        (AlertKind.NEW_CASE, None, None),
    ]
    assert again.state == "waiting"
    assert len(region.deliver()) == 1


def test_a_failed_recall_is_tried_again_under_the_same_message_id(region: Region) -> None:
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    region.deliver()
    region.erases("CERT-ID", sent)
    _, waiting = region.deliveries_of(subscription)
    service = Deliver(lambda: region.now, {}, "https://kentongan.example", chance=lambda: 1.0)
    with region.database.writing() as session:
        (first,) = service.plan(session, [waiting.id])
        service.record(session, waiting.id, Receipt(False, "HTTP 503"))

    assert region.deliver() == []
    region.now += timedelta(seconds=31)
    (again,) = region.deliver()

    assert again.message_id == first.message_id == message_id(waiting.public_id)


def test_a_recall_arrives_signed_and_by_mail(region: Region, tmp_path: Path) -> None:
    region.now = datetime.now(UTC) - timedelta(minutes=2)  # a receiver believes no old signature
    with WebhookReceiver(arrivals := Arrivals()) as hook, MailReceiver(mails := Arrivals()) as mail:
        kentongan = assemble(
            load_settings(data_dir=tmp_path, egress_allow="127.0.0.0/8", smtp_host="127.0.0.1", smtp_port=mail.port),
            clock=lambda: region.now,
        )
        hooked = region.subscribes("CERT-MY", target=hook.url_for("my"))
        region.subscribes("CERT-SG", channel="email", target="duty@cert.example", secret="")
        with region.database.reading() as session:
            hook.secrets["my"] = session.get_one(Subscription, hooked).secret
        service = deliverer(kentongan)
        worker = Worker(region.database, kentongan.clock, timedelta(minutes=1), service)
        sent = region.sends("CERT-ID", incident("Mine"))
        worker.drain(lambda: True)

        region.erases("CERT-ID", sent)
        worker.drain(lambda: True)

    alert, recall = arrivals.all()
    assert (alert.fault, recall.fault, recall.content["kind"]) == ("", "", "recall")
    assert recall.content["messages"] == [alert.message_id]
    assert [one.content["subject"].partition(":")[0] for one in mails.all()][1:] == ["Recall"]
    assert region.promised() == []


def test_a_worker_that_is_killed_while_it_recalls_recalls_again_under_the_same_message_id(
    region: Region, tmp_path: Path
) -> None:
    subscription = region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    region.deliver()
    region.erases("CERT-ID", sent)
    url, log = region.database.engine.url.render_as_string(hide_password=False), tmp_path / "sent"
    worker = multiprocessing.get_context("spawn").Process(target=die_while_sending, args=(url, region.now, log))

    worker.start()
    worker.join(60)
    region.now += timedelta(minutes=2)
    (recall,) = region.deliver()

    assert worker.exitcode == -signal.SIGKILL
    assert log.read_text().split() == [recall.message_id, "recall"]
    assert [one.state for one in region.deliveries_of(subscription)] == ["delivered", "delivered"]


def test_of_an_erased_incident_only_numbers_are_left_with_its_alerts(region: Region) -> None:
    region.subscribes("CERT-MY")
    sent = region.sends("CERT-ID", incident("Mine"))
    region.deliver()

    region.erases("CERT-ID", sent)

    with region.database.reading() as session:
        alerts = list(session.scalars(select(Alert).order_by(Alert.id)))
        states = list(session.scalars(select(Delivery.state).order_by(Delivery.id)))
    assert {(one.incident_id, one.object_id, one.submission_id) for one in alerts} == {(None, None, None)}
    assert [one.kind for one in alerts] == ["new-case", "recall"]
    assert states == ["delivered", "waiting"]


RECALL = RecallContent(NOON, "0d5c", "CERT\u202e-ID http://evil.example", ("msg_1", "msg_2"))


def test_a_recall_by_mail_links_nothing() -> None:
    assert "http://" not in recall_subject(RECALL) + recall_text(RECALL)
    assert "\u202e" not in recall_subject(RECALL) + recall_text(RECALL)
    assert "msg_1" in recall_text(RECALL) and "msg_2" in recall_text(RECALL)


@pytest.mark.parametrize(
    ("answer", "proof"),
    [("HTTP 200: echo", "HTTP 200"), ("SMTP 550: no", "SMTP 550"), ("accepted by mx", "accepted by mx"), (None, None)],
)
def test_of_an_answer_the_proof_is_kept_without_the_receivers_words(answer: str | None, proof: str | None) -> None:
    assert proof_of(answer) == proof
