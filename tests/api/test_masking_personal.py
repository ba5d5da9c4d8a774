"""LaoCERT wants what is personal masked in all it sends: it marks nothing, and nobody else reads a name or a mailbox."""

from __future__ import annotations

import pytest

from asking import Door
from kentongan.domain.marking import Level
from masking_stories import (
    GUESS,
    MASKED_BY_YOU,
    SECRET,
    are_the_same,
    emptied,
    everything,
    plain_mail,
    same_ids_each_time,
    told_anew,
    why,
    wishes,
    with_mail,
    world,
)
from redaction_stories import region, seen, sends
from stories import Stix, identity, incident, mail_address, newer, observed, relationship, tlp

HIT, NEIGHBOUR = "PT. Surya Kartikatama (Persero) (SKP)", "Yayasan Melati Putih dan Kawan-kawan Tbk. (YMPK)"


def personal_report(name: str, mailbox: str) -> list[Stix]:
    """A report that tells who was hit wherever one may, in other words each time."""
    plain = name.partition(" (")[0]
    short = name.rpartition("(")[2].rstrip(")")
    event = incident(
        f"Phishing at {name}",
        description=f"{plain.upper()} was tricked by {mailbox.replace('@', '[at]')}. {short} has told all, says {mailbox}.",
        labels=["rsit:fraud", f"victim={plain}"],
        external_references=[{"source_name": "letter", "description": f"From {mailbox} to {name}"}],
    )
    victim = identity(name, roles=["victim"], contact_information=f"Jl. Merdeka 1, {mailbox}")
    person = identity("Siti Rahayu", identity_class="individual")
    mail = mail_address(mailbox, object_marking_refs=[tlp(Level.GREEN)], display_name="Front desk")
    watch = observed(mail)
    tie = relationship(event, "targets", victim)
    return [victim, person, mail, watch, relationship(event, "related-to", watch), tie, event]


def test_an_organization_may_have_what_is_personal_masked_in_all_it_sends(door: Door) -> None:
    readers = region(door)
    wishes(door, readers["owner"], personal=True)
    mine, theirs = personal_report(HIT, SECRET), with_mail(incident("A mailbox that sends malware"), plain_mail())
    sends(door, readers["owner"], *mine)
    sends(door, readers["member"], *theirs)

    event = mine[-1]
    assert seen(readers["owner"], event["id"]) == event
    assert why(readers["owner"], event["id"]) == [MASKED_BY_YOU]
    told = everything(readers["member"], [*mine, *theirs], [])
    own = {f"/objects/{obj['id']}" for obj in theirs} | {f"/incidents/{theirs[0]['id']}"}
    heard = " ".join(text for address, text in told.items() if not any(address.startswith(each) for each in own))
    for personal in ("Surya", "SURYA", "Kartikatama", "SKP", "Siti", "Merdeka"):
        assert personal not in heard, personal
    assert "Phishing at [undisclosed]" in heard
    assert seen(readers["member"], event["id"])["labels"] == ["rsit:fraud", "victim=[undisclosed]"]


def test_an_amendment_sent_alone_is_masked_as_well(door: Door) -> None:
    """Neither names who was hit by what came before, but its owner does."""
    readers = region(door)
    wishes(door, readers["owner"], personal=True)
    mine = personal_report(HIT, SECRET)
    sends(door, readers["owner"], *mine)

    sends(door, readers["owner"], newer(mine[-1], description="Surya Kartikatama was told."))
    sends(door, readers["owner"], newer(mine[0], description="PT. Surya Kartikatama, Jakarta"))

    assert seen(readers["member"], mine[-1]["id"])["description"] == "[undisclosed] was told."
    victim = seen(readers["member"], mine[0]["id"])
    assert victim["name"] == "[undisclosed]"
    assert "description" not in victim


def test_who_reports_of_other_persons_tells_everybody_the_same(door: Door) -> None:
    objects = personal_report(HIT, SECRET)
    plain = [name.partition(" (")[0] for name in (HIT, NEIGHBOUR)]
    instead = {
        HIT: NEIGHBOUR,
        plain[0]: plain[1],
        plain[0].upper(): plain[1].upper(),
        "SKP": "YMPK",
        SECRET: GUESS,
        SECRET.replace("@", "[at]"): GUESS.replace("@", "[at]"),
        "Siti Rahayu": "Ana",
        plain_mail()["id"]: plain_mail(GUESS)["id"],
    }
    swapped = told_anew(objects, instead)
    assert sum(one != other for one, other in zip(objects, swapped, strict=True)) == len(objects) - 2
    worlds = []
    for told_of in (objects, swapped):
        emptied(door.database)
        with pytest.MonkeyPatch.context() as patch:
            same_ids_each_time(patch)
            worlds.append(world(door, told_of, personal=True))

    are_the_same(*worlds)
