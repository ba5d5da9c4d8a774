"""What is personal is found wherever a document tells it, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.personal import personal_parts
from kentongan.domain.redaction import without
from stories import Stix, identity, incident, indicator, relationship

NAME = "PT. Surya Kartikatama Energi (Persero) Tbk (SKE)"


def masked(*objects: Stix, earlier: tuple[Stix, ...] = ()) -> list[Stix]:
    parts = personal_parts(objects, earlier)
    return [without(obj, parts.get(place, [])) for place, obj in enumerate(objects)]


def report(text: str) -> tuple[Stix, ...]:
    event, victim = incident("Intrusion", description=text), identity(NAME)
    return event, victim, relationship(event, "targets", victim)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{NAME} was hit.", "[undisclosed] was hit."),
        ("SURYA KARTIKATAMA ENERGI was hit.", "[undisclosed] was hit."),
        ("Surya-Kartikatama Energi, Tbk. was hit.", "[undisclosed] was hit."),
        ("SKE told us; SKELETON did not.", "[undisclosed] told us; SKELETON did not."),
        ("Write to cert@ske.co.id. Then wait.", "Write to [undisclosed]. Then wait."),
        ("Write to cert[at]ske[.]co[.]id today", "Write to [undisclosed] today"),
        ("The sun (surya) shines.", "The sun (surya) shines."),
        ("user@host, a@b.c", "user@host, [undisclosed]"),
    ],
)
def test_a_text_is_left_without_names_and_mailboxes(text: str, left: str) -> None:
    assert masked(*report(text))[0]["description"] == left


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(
    st.lists(
        st.one_of(words, st.sampled_from([NAME, NAME.upper(), "Surya Kartikatama Energi", "a.b@ske.co.id"])), max_size=8
    )
)
def test_nothing_of_it_stays_whatever_stands_around(pieces: list[str]) -> None:
    left = masked(*report(" ".join(pieces)))[0].get("description", "")

    assert "kartikatama" not in left.lower()
    assert "@ske" not in left


def test_what_came_before_tells_whom_an_amendment_speaks_of() -> None:
    event, victim, tie = report("")
    amended = incident("Intrusion at Surya Kartikatama Energi")

    assert masked(amended, earlier=(event, victim, tie))[0]["name"] == "Intrusion at [undisclosed]"


def test_a_pattern_tells_what_to_look_for_and_is_left() -> None:
    sent = indicator("[email-addr:value = 'sender@evil.example']")

    assert masked(sent) == [sent]


def test_a_reporter_that_was_not_hit_keeps_its_name() -> None:
    reporter = identity("Lao CERT")
    event = incident("Seen by Lao CERT", created_by_ref=reporter["id"])

    assert masked(reporter, event) == [reporter, event]
