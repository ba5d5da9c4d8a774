"""Subscriptions and deliveries of one's own organization."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from kentongan.domain.identity import Identity
from kentongan.portal.subscriptions import filter_in_words, filter_of
from kentongan.services.match import Match
from kentongan.storage.alerts import Delivery, Subscription
from kentongan.storage.incidents import Incident
from kentongan.storage.jobs import Stage
from portal_stories import Place, Visitor

HOOK = "https://soc.example.org/hook"


def someone(kampung: Place, name: str = "ID-CERT") -> tuple[Identity, Visitor]:
    with kampung.region() as region:
        who = region.joins(name)
    return who, kampung.signed_in(who)


def subscribe(visitor: Visitor, **fields: object) -> str:
    answer = visitor.send("/subscriptions", **{"channel": "webhook", "target": HOOK, "name": "Our SOC", **fields})
    assert answer.status_code == 201, answer.text
    return answer.text


def told(kampung: Place, reporter: Identity, title: str) -> None:
    """An incident is reported, and whoever wants to hear of it has a delivery waiting."""
    with kampung.region() as region:
        region.reports(reporter, title)
        Match(region.session, lambda: region.now).run(region.session.scalars(select(Incident.id)).all())


def test_a_webhook_secret_is_shown_this_once(kampung: Place) -> None:
    _, visitor = someone(kampung)

    page = subscribe(visitor)

    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert secret
    assert secret[0] not in visitor.sees("/subscriptions")
    assert "Our SOC" in visitor.sees("/subscriptions")


def test_a_mail_subscription_needs_no_secret(kampung: Place) -> None:
    _, visitor = someone(kampung)

    answer = visitor.send("/subscriptions", channel="email", target="soc@cert.example")

    assert answer.status_code == 303
    assert "soc@cert.example" in visitor.sees("/subscriptions")


def test_what_is_wrong_is_said_at_its_field_and_the_form_stays_filled(kampung: Place) -> None:
    _, visitor = someone(kampung)

    answer = visitor.send(
        "/subscriptions", channel="webhook", target="http://127.0.0.1/hook", name="Mine", observables="not?a?value!"
    )

    assert answer.status_code == 422
    assert 'href="#target"' in answer.text
    assert 'id="target-error"' in answer.text
    assert 'aria-describedby="target-error target-hint"' in answer.text
    assert 'href="#observables"' in answer.text
    assert 'value="Mine"' in answer.text


def test_a_filter_is_stored_as_asked_and_told_in_words(kampung: Place) -> None:
    _, visitor = someone(kampung)

    subscribe(
        visitor, countries=["ID", "TH"], severities="C1", sectors="energy, healthcare", observables="evil[.]example"
    )
    page = visitor.sees("/subscriptions")

    assert "Countries: Indonesia, Thailand" in page
    assert "Sectors: energy, healthcare" in page
    assert "Values: evil.example" in page


def test_an_empty_form_asks_for_everything() -> None:
    form = MultiDict({"channel": "webhook", "sectors": " , ", "observables": "\n", "text": "", "tlp_max": ""})

    assert filter_of(form) == {}
    assert filter_in_words({}) == []


def test_a_subscription_ends(kampung: Place) -> None:
    _, visitor = someone(kampung)
    subscribe(visitor)
    address = re.search(r'action="(/subscriptions/[^"]+/end)"', visitor.sees("/subscriptions"))
    assert address

    visitor.send(address[1])

    assert "Our SOC" not in visitor.sees("/subscriptions")


def test_a_delivery_shows_its_state_and_can_be_sent_again(kampung: Place) -> None:
    _, listener = someone(kampung)
    reporter, _ = someone(kampung, "VNCERT")
    subscribe(listener)
    told(kampung, reporter, "Ransomware at a hospital")
    with kampung.region() as region:
        delivery = region.session.scalars(select(Delivery)).one()
        delivery.state, delivery.attempts, delivery.last_answer = "given-up", 9, "503 <b>busy</b>"
    kampung.nudged.clear()

    listed = listener.sees("/deliveries?state=given-up")
    answer = listener.send(f"/deliveries/{delivery.public_id}/replay")

    assert "Ransomware at a hospital" in listed
    assert "503 &lt;b&gt;busy&lt;/b&gt;" in listed
    assert answer.status_code == 303
    assert kampung.nudged == [Stage.DELIVER]
    assert "It is being sent again." in listener.sees("/deliveries")
    assert "Ransomware" not in listener.sees("/deliveries?state=given-up")
    assert "Ransomware" in listener.sees("/")


def test_an_ended_subscription_is_not_sent_to_again(kampung: Place) -> None:
    _, listener = someone(kampung)
    reporter, _ = someone(kampung, "VNCERT")
    subscribe(listener)
    told(kampung, reporter, "Ransomware")
    with kampung.region() as region:
        region.session.scalars(select(Subscription)).one().active = False
        delivery = region.session.scalars(select(Delivery)).one()
    kampung.nudged.clear()

    listener.send(f"/deliveries/{delivery.public_id}/replay")

    assert "It was not sent again" in listener.sees("/deliveries")
    assert kampung.nudged == []


@pytest.mark.parametrize("address", ["/deliveries/{delivery}/replay", "/subscriptions/{subscription}/end"])
def test_what_is_another_organizations_is_not_there(kampung: Place, address: str) -> None:
    _, listener = someone(kampung)
    reporter, stranger = someone(kampung, "VNCERT")
    subscribe(listener)
    told(kampung, reporter, "Ransomware")
    with kampung.region() as region:
        delivery = region.session.scalars(select(Delivery)).one().public_id
        subscription = region.session.scalars(select(Subscription)).one().public_id

    answer = stranger.send(address.format(delivery=delivery, subscription=subscription))

    assert answer.status_code == 404
    assert "Our SOC" not in stranger.sees("/subscriptions")
    assert "Our SOC" in listener.sees("/subscriptions")
