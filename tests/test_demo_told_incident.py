"""Which incident an alert of the demonstration tells of."""

from __future__ import annotations

from kentongan.demo.verify import SentIncident, told_incident
from kentongan.domain.marking import Level
from kentongan.trial.receivers import Arrival


def sent(*titles: str) -> dict[str, SentIncident]:
    ids = [f"incident--{number}" for number in range(len(titles))]
    return {
        stix_id: SentIncident(stix_id, title, "CERT-ID", Level.GREEN, frozenset())
        for stix_id, title in zip(ids, titles, strict=True)
    }


def mail(text: str) -> Arrival:
    return Arrival("bank", "email", "<1@localhost>", 0.0, {"subject": "[TLP:GREEN]", "text": text})


def test_a_mail_tells_of_the_title_that_stands_first_and_is_longest() -> None:
    everything = sent("Web shell at a much larger hospital", "Web shell", "Web shell at a bank")

    told = told_incident(
        mail("New case: Web shell at a bank\nRelated: Web shell at a much larger hospital"), everything
    )

    assert told == "incident--2"


def test_a_title_that_two_incidents_share_names_neither() -> None:
    assert told_incident(mail("New case: Web shell"), sent("Web shell", "Web shell")) is None
