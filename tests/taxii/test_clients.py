"""Clients as they are used: the OASIS library itself, and the ways of asking of OpenCTI, MISP and Splunk, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import requests
from taxii2client.exceptions import AccessError
from taxii2client.v21 import Collection, Server, as_pages

from kentongan.domain.marking import Level
from stories import identity, indicator, newer, relationship
from taxii_trials import Accounts, accounts

LAST = "X-TAXII-Date-Added-Last"
MEDIA_TYPE = "application/taxii+json;version=2.1"
PAGE = 7

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def member() -> Iterator[Accounts]:
    with accounts() as who:
        yield who


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library asks through whatever proxy the environment names; here there is none."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Asking:
    """A client of its own making: it sends what it likes, and remembers what it got."""

    who: Accounts
    headers: dict[str, str] = field(default_factory=lambda: {"Accept": MEDIA_TYPE})

    def get(self, tail: str = "objects/", **query: Any) -> requests.Response:
        return self._ask("GET", f"collections/everything/{tail}", params=query)

    def sends(self, *objects: dict[str, Any]) -> requests.Response:
        headers = {**self.headers, "Content-Type": MEDIA_TYPE}
        return self._ask("POST", "collections/everything/objects/", json={"objects": objects}, headers=headers)

    def now(self) -> str:
        """The date of the last thing there is; tests share one installation."""
        sent = identity("a mark")
        self.sends(sent)
        return self.get("manifest/", **{"match[id]": sent["id"]}).headers[LAST]

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, **how: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = ("client", self.who.token)
            answer = session.request(
                method, f"{self.who.url}/taxii2/kentongan/{path}", headers=headers or self.headers, timeout=60, **how
            )
        assert answer.ok, answer.text
        return answer


def test_the_oasis_library_finds_the_collections_and_their_rights(member: Accounts, here: None) -> None:
    server = Server(f"{member.url}/taxii2/", user="client", password=member.token)

    assert server.default is not None
    (root,) = server.api_roots
    assert (root.url, root.versions) == (server.default.url, [MEDIA_TYPE])
    found = {one.title: one for one in root.collections}
    assert found["Everything you may read"].can_write
    assert not found["Public"].can_write
    with pytest.raises(AccessError):
        found["Inbox"].get_objects()


def test_the_oasis_library_adds_reads_pages_and_deletes(member: Accounts, here: None) -> None:
    start = Asking(member).now()
    collection = Collection(
        f"{member.url}/taxii2/kentongan/collections/{member.collection('everything')}/",  # it refuses the alias
        user="client",
        password=member.token,
    )
    first = indicator()
    sent = [first, *(identity(f"No. {number}") for number in range(2 * PAGE))]

    status = collection.add_objects({"objects": [*sent, newer(first), {**identity(), "name": 1}]})

    assert (status.status, status.total_count, status.success_count) == ("complete", len(sent) + 2, len(sent) + 1)
    assert [failure["message"] != "" for failure in status.failures] == [True]
    status.refresh()
    assert status.failure_count == 1

    pages = list(as_pages(collection.get_objects, per_request=PAGE, added_after=start))
    assert [one["id"] for page in pages for one in page["objects"]] == [*(one["id"] for one in sent[1:]), first["id"]]
    records = [
        one
        for page in as_pages(collection.get_manifest, per_request=PAGE, added_after=start)
        for one in page["objects"]
    ]
    assert len(records) == len(sent)

    after = datetime.fromisoformat(records[2]["date_added"])
    assert len(collection.get_objects(added_after=after, limit=100)["objects"]) == len(sent) - 3
    assert collection.get_object(first["id"], version=first["modified"])["objects"] == [first]
    assert len(collection.object_versions(first["id"])["versions"]) == 2

    collection.delete_object(first["id"])
    with pytest.raises(requests.HTTPError, match="404"):
        collection.get_object(first["id"])


@dataclass
class LikeOpenCti(Asking):
    """Keeps `next` while there is more, and the header's date when there is none; both in its database, between two runs."""

    cursor: str | None = None
    after: str | None = None

    def runs(self) -> list[str]:
        """One turn of its scheduler: one page."""
        kept = {"next": self.cursor, "added_after": self.after, "limit": PAGE}
        answer = self.get(**{name: value for name, value in kept.items() if value is not None})
        page = answer.json()
        if page.get("more"):
            self.cursor = page["next"]
        else:
            self.cursor, self.after = None, answer.headers.get(LAST, self.after)
        return [one["id"] for one in page.get("objects", [])]


def test_opencti_goes_on_with_its_cursor_while_others_add(member: Accounts) -> None:
    importer = LikeOpenCti(member)
    importer.after = importer.now()
    importer.headers = {"Accept": "application/json, text/plain, */*"}  # axios' own, as it once sent it
    sent = [identity() for _ in range(2 * PAGE + 3)]
    importer.sends(*sent)
    got = importer.runs()

    late = [relationship(sent[0], "related-to", sent[1]), identity()]
    importer.sends(*late)
    got += importer.runs() + importer.runs() + importer.runs()

    assert sorted(got) == sorted(one["id"] for one in [*sent, *late])
    assert importer.runs() == []


def test_misp_pushes_in_pieces_and_browses_without_a_version_in_its_media_type(member: Accounts) -> None:
    pushing = Asking(member, {"Accept": "application/taxii+json", "User-Agent": "MISP"})
    start = pushing.now()
    sent = [indicator(marking=Level.AMBER) for _ in range(25)]
    for piece in range(0, len(sent), 10):
        assert pushing.sends(*sent[piece : piece + 10]).json()["failure_count"] == 0

    got, query = [], {"limit": "10", "added_after": start}
    while True:
        page = pushing.get(**query).json()
        got += [one["id"] for one in page.get("objects", [])]
        if not page["more"]:
            break
        query["next"] = page["next"]

    assert got == [one["id"] for one in sent]


def test_splunk_takes_up_where_it_was_cut_off(member: Accounts) -> None:
    polling = Asking(member)
    checkpoint = polling.now()
    sent = [identity() for _ in range(3 * PAGE)]
    polling.sends(*sent)

    first = polling.get(limit=PAGE, added_after=checkpoint)
    lost = polling.get(limit=PAGE, added_after=first.headers[LAST])  # the answer never reached it
    again = polling.get(limit=PAGE, added_after=first.headers[LAST])
    rest = polling.get(limit=100, added_after=again.headers[LAST])

    assert again.json()["objects"] == lost.json()["objects"]
    got = [one["id"] for answer in (first, again, rest) for one in answer.json()["objects"]]
    assert got == [one["id"] for one in sent]
