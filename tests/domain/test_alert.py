"""When an alert is due, and that it is due once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.alert import (
    INTRODUCTIONS,
    AlertKind,
    Heard,
    Sight,
    alert_key,
    bundle_id,
    message_id,
    worth_telling,
)

sights = st.builds(
    Sight,
    version=st.integers(1, 3),
    revoked=st.booleans(),
    earlier_version=st.booleans(),
    earlier_report=st.booleans(),
    campaign_tie=st.booleans(),
)
wishes = st.frozensets(st.sampled_from(AlertKind)).map(lambda kinds: lambda kind: kind in kinds)


def everything(_kind: AlertKind) -> bool:
    return True


def heard_after(heard: Heard, sight: Sight, told: tuple[AlertKind, ...]) -> Heard:
    about = {sight.version} if any(kind is not AlertKind.CAMPAIGN_GREW for kind in told) else set()
    return Heard(heard.versions | about, heard.campaign or AlertKind.CAMPAIGN_GREW in told)


def test_the_first_that_is_seen_of_a_case_is_a_new_case() -> None:
    assert worth_telling(Sight(1), Heard(), everything) == (AlertKind.NEW_CASE,)


def test_a_report_beside_another_is_a_new_report() -> None:
    assert worth_telling(Sight(1, earlier_report=True), Heard(), everything) == (AlertKind.NEW_REPORT,)


def test_a_version_not_told_yet_is_an_update() -> None:
    assert worth_telling(Sight(2), Heard(frozenset({1})), everything) == (AlertKind.UPDATE,)


def test_who_wants_only_updates_hears_of_a_later_version_although_never_introduced() -> None:
    def only_updates(kind: AlertKind) -> bool:
        return kind is AlertKind.UPDATE

    assert worth_telling(Sight(2, earlier_version=True), Heard(), only_updates) == (AlertKind.UPDATE,)
    assert worth_telling(Sight(2), Heard(), only_updates) == ()


def test_a_tie_is_told_beside_the_report() -> None:
    told = worth_telling(Sight(1, campaign_tie=True), Heard(), everything)

    assert told == (AlertKind.NEW_CASE, AlertKind.CAMPAIGN_GREW)


@given(sights, wishes)
def test_what_was_told_is_never_due_again(sight: Sight, wants: object) -> None:
    told = worth_telling(sight, Heard(), wants)  # type: ignore[arg-type]

    assert worth_telling(sight, heard_after(Heard(), sight, told), wants) == ()  # type: ignore[arg-type]


@given(st.lists(sights, max_size=6), wishes)
def test_a_subscription_is_introduced_to_an_incident_at_most_once(seen: list[Sight], wants: object) -> None:
    heard, introductions = Heard(), 0

    for sight in seen:
        told = worth_telling(sight, heard, wants)  # type: ignore[arg-type]
        introductions += sum(kind in INTRODUCTIONS for kind in told)
        heard = heard_after(heard, sight, told)

    assert introductions <= 1


@given(sights, st.sets(st.integers(1, 3)), st.booleans(), wishes)
def test_nothing_unwanted_is_told(sight: Sight, versions: set[int], campaign: bool, wants: object) -> None:
    told = worth_telling(sight, Heard(frozenset(versions), campaign), wants)  # type: ignore[arg-type]

    assert all(wants(kind) for kind in told)  # type: ignore[operator]


def test_message_and_bundle_are_named_by_the_delivery_alone() -> None:
    delivery = "0d5c6b1e-0000-4000-8000-00000000000a"

    assert alert_key(AlertKind.NEW_CASE, 17, 405) == "new-case:17:405"
    assert message_id(delivery) == "msg_0d5c6b1e00004000800000000000000a"
    assert bundle_id(delivery) == f"bundle--{delivery}"
