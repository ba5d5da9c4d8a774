"""Subscriptions are an organization's own business, and are right when they are made."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from kentongan.domain.target import networks
from kentongan.services.errors import NotFound, Refused
from kentongan.services.subscriptions import MOST_SUBSCRIPTIONS, InvalidSubscription, Subscriptions
from kentongan.storage.alerts import Subscription
from kentongan.storage.database import Database
from stories import NOON, organization

HOOK = "https://hooks.cert.example/in"


def subscriptions(session: Session, allowed: str = "") -> Subscriptions:
    return Subscriptions(session, lambda: NOON, networks(allowed))


def test_a_webhook_gets_a_secret_that_is_shown_once(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()

        made = subscriptions(session).create(me, channel="webhook", target=HOOK, filter={"countries": ["sg"]})

        assert made.secret is not None
        assert len(base64.b64decode(made.secret.removeprefix("whsec_"))) == 32
        assert Webhook(made.secret).sign("msg_1", NOON, "{}").startswith("v1,")
        assert made.subscription.filter == {"countries": ["SG"]}
        assert made.secret not in repr(subscriptions(session).all(me))


def test_mail_needs_no_secret(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()

        made = subscriptions(session).create(me, channel="email", target="duty@cert.example")

        assert made.secret is None
        assert made.subscription.name == "duty@cert.example"


@pytest.mark.parametrize(
    ("wish", "paths"),
    [
        ({"channel": "fax", "target": "1"}, {"$.channel"}),
        ({"channel": "webhook", "target": "ftp://x.example/", "name": "a\nb"}, {"$.target", "$.name"}),
        ({"channel": "webhook", "target": "https://10.0.0.1/", "filter": {"tlp_max": "PINK"}}, None),
        ({"channel": "email", "target": "a@b.example\r\nBcc: c@d.example"}, {"$.target", "$.name"}),
        ({"channel": "email", "target": "a@b.example", "filter": []}, {"$.filter"}),
    ],
)
def test_everything_wrong_is_said_at_once(database: Database, wish: dict[str, Any], paths: set[str] | None) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()

        with pytest.raises(InvalidSubscription) as caught:
            subscriptions(session).create(me, **wish)

        assert {problem.path for problem in caught.value.problems} == (paths or {"$.target", "$.filter.tlp_max"})
        assert all(problem.reason and problem.hint for problem in caught.value.problems)
        assert session.scalars(select(Subscription)).all() == []


def test_an_operator_may_open_a_network(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()

        made = subscriptions(session, "127.0.0.0/8").create(me, channel="webhook", target="http://127.0.0.1:8000/")

        assert made.subscription.target == "http://127.0.0.1:8000/"


def test_another_organizations_subscription_is_as_unknown_as_one_that_never_was(database: Database) -> None:
    with database.writing() as session:
        me, other = (organization(session, name).identity() for name in ("SingCERT", "MyCERT"))
        theirs = subscriptions(session).create(other, channel="webhook", target=HOOK).subscription.id
        mine = subscriptions(session)
        said = set()

        for number in (theirs, "6f0d0c0e-0000-4000-8000-000000000000", "nonsense"):
            for wish in (mine.subscription, mine.end, mine.change):
                with pytest.raises(NotFound) as caught:
                    wish(me, number)
                said.add(str(caught.value))

        assert len(said) == 1
        assert mine.all(me) == ()
        assert [one.id for one in mine.all(other)] == [theirs]


def test_a_change_keeps_what_it_does_not_name(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()
        made = subscriptions(session).create(me, channel="webhook", target=HOOK, filter={"text": "bank"}, name="Banks")

        changed = subscriptions(session).change(me, made.subscription.id, target=HOOK + "/2")

        assert (changed.name, changed.target, changed.filter) == ("Banks", HOOK + "/2", {"text": "bank"})
        assert session.scalars(select(Subscription.secret)).one() == made.secret
        with pytest.raises(InvalidSubscription):
            subscriptions(session).change(me, made.subscription.id, filter={"text": 1})


def test_an_ended_subscription_is_gone_with_its_secret(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()
        made = subscriptions(session).create(me, channel="webhook", target=HOOK)

        subscriptions(session).end(me, made.subscription.id)

        assert subscriptions(session).all(me) == ()
        row = session.scalars(select(Subscription)).one()
        assert (row.active, row.secret) == (False, "")


def test_there_is_an_end_to_subscribing(database: Database) -> None:
    with database.writing() as session:
        me = organization(session, "SingCERT").identity()
        for _ in range(MOST_SUBSCRIPTIONS):
            subscriptions(session).create(me, channel="webhook", target=HOOK)

        with pytest.raises(Refused, match="at most"):
            subscriptions(session).create(me, channel="webhook", target=HOOK)
