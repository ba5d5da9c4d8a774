"""The description is true: what it says is taken is taken, what it says is answered is answered, and nothing breaks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance

from asking import Door
from kentongan.api.openapi import document
from kentongan.domain.incident import Observable
from kentongan.domain.marking import Level
from kentongan.storage.database import Database
from reading_stories import Region
from stories import domain_name, indicator

EVIL = Observable("domain", "evil.example")
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def populated(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An API over a region in which something happened, so that random questions meet real answers."""
    folder = tmp_path_factory.mktemp("described")
    shutil.copy(sqlite_template, folder / "kentongan.sqlite")
    database = Database(f"sqlite:///{folder / 'kentongan.sqlite'}")
    door = Door(database, folder, max_bytes=200_000)
    with database.writing() as session:
        region = Region(session)
        laos, thailand = region.joins("LaoCERT"), region.joins("ThaiCERT")
        campaign = region.campaign()
        shared = (domain_name("evil.example"), indicator())
        first = region.reports(laos, objects=shared, seen=(EVIL,), case=region.case(campaign), countries=("LA",))
        second = region.reports(thailand, seen=(EVIL,), case=region.case(campaign))
        region.related(first, second)
        region.duplicates(first, region.reports(laos, level=Level.AMBER, case=region.case()))
    yield door
    database.close()


@pytest.fixture(scope="module")
def described(populated: Door) -> Any:  # Any: schemathesis' schema class is not public
    """The API by its own description."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", populated.app)


@pytest.fixture(scope="module")
def token(populated: Door) -> str:
    """Of a member, for everything."""
    return populated.joins("A member that asks").secret


def endpoints() -> list[tuple[str, str]]:
    """Every method and address of the description."""
    return [(method.upper(), address) for address, methods in document()["paths"].items() for method in methods]


BEYOND_JSON_SCHEMA = {
    ("POST", "/api/v1/submissions"),  # STIX demands more of a document than its description here
    ("POST", "/api/v1/subscriptions"),  # whether an address may be reached, or a text is an observable
    ("PATCH", "/api/v1/subscriptions/{subscription_id}"),
    ("PATCH", "/api/v1/organization"),  # each attribute has a form of its own
    ("POST", "/api/v1/feeds"),  # each kind of feed has a form of its own
    ("PATCH", "/api/v1/feeds/{feed_id}"),
    ("POST", "/api/v1/feeds/preview"),
    ("POST", "/api/v1/groups"),  # a name that is taken
    ("POST", "/api/v1/incidents/{incident_id}/decisions"),  # a reason that shows nothing
    ("DELETE", "/api/v1/decisions/{decision_id}"),
    ("POST", "/api/v1/tokens"),  # moments that are over, networks that are none
}


def excluded(method: str, address: str) -> list[Any]:
    """The checks that do not hold where a body may be of the described form and still be refused."""
    return [positive_data_acceptance] if (method, address) in BEYOND_JSON_SCHEMA else []


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("endpoint", endpoints(), ids=" ".join)
def test_every_endpoint_keeps_to_its_description(
    described: Any, token: str, endpoint: tuple[str, str], mode: GenerationMode
) -> None:
    method, address = endpoint
    operation = described[address][method]
    shown = {"Authorization": f"Bearer {token}"}

    @BOUNDED
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if mode is GenerationMode.POSITIVE and case.query:
            # Its form can be described, but only a page can give a cursor that is taken.
            case.query.pop("cursor", None)
        case.call_and_validate(headers=shown, excluded_checks=excluded(method, address))

    ask()


def test_the_page_for_people_names_every_endpoint_and_loads_no_script(populated: Door) -> None:
    client = populated.app.test_client()

    page = client.get("/api/v1/docs")
    style = client.get("/api/v1/docs.css")

    assert page.status_code == style.status_code == 200
    assert all(f"{method} {address}" in page.text for method, address in endpoints())
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "http:" not in page.text
    assert style.content_type == "text/css; charset=utf-8"


def test_every_endpoint_but_the_description_needs_a_token(populated: Door) -> None:
    client = populated.app.test_client()

    answers = {
        (method, address): client.open(address.replace("{", "").replace("}", ""), method=method)
        for method, address in endpoints()
    }

    assert {answer.status_code for answer in answers.values()} == {401}
    assert {answer.content_type for answer in answers.values()} == {"application/problem+json"}
