"""The pages of an organization's administrators, the directory, and what each reader finds there."""

from __future__ import annotations

import re

import pytest

from kentongan.domain.identity import Identity, OrganizationKind, Role
from kentongan.storage.organizations import Organization
from pgp_keys import ED25519, ED25519_FINGERPRINT
from portal_stories import Place, Visitor

SUBSCRIBER = OrganizationKind.SUBSCRIBER


def joins(kampung: Place, name: str = "ID-CERT", kind: OrganizationKind = OrganizationKind.MEMBER) -> Identity:
    with kampung.region() as region:
        return region.joins(name, kind, "ID")


def administrator(kampung: Place, who: Identity) -> Visitor:
    return kampung.signed_in(who, Role.ADMINISTRATOR)


def send(visitor: Visitor, address: str, form_page: str | None = None, **fields: object) -> tuple[int, str]:
    answer = visitor.send(address, form_page=form_page or address, **fields)
    return answer.status_code, answer.text


def stix_id(kampung: Place, who: Identity) -> str:
    with kampung.kentongan.database.reading() as session:
        return session.get_one(Organization, who.organization_id).stix_id


def founded(visitor: Visitor, name: str = "Banks") -> str:
    answer = visitor.send("/groups", form_page="/groups", name=name)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_an_organization_tells_of_itself_and_keeps_what_it_told(kampung: Place) -> None:
    visitor = administrator(kampung, joins(kampung))

    for value in ("Jl. Harsono 70\r\nJakarta", "Jl. Merdeka 1"):
        assert send(visitor, "/organization", name="contact-address", value=value)[0] == 303
    key = ED25519.replace("\n", "\r\n")
    assert send(visitor, "/organization", name="pgp-key", value=key, expires="2099-01-01")[0] == 303

    page = visitor.sees("/organization")
    assert "Siti of ID-CERT" in page
    assert ED25519_FINGERPRINT in page
    assert "1 Jan 2099" in page
    assert page.index("Jl. Merdeka 1") < page.index("Everything told so far") < page.index("Jl. Harsono 70")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "time-zone", "value": "Jakarta"}, "there is no such time zone"),
        ({"name": "password", "value": "x"}, "is no attribute"),
        ({"name": "phone", "value": "+62 21 555 0100", "expires": "soon"}, "is no day"),
        ({"name": "phone", "value": "+62 21 555 0100", "expires": "2001-01-01"}, "it has expired already"),
    ],
)
def test_what_is_wrong_is_said_and_the_form_stays_filled(kampung: Place, fields: dict[str, str], words: str) -> None:
    visitor = administrator(kampung, joins(kampung))

    status, page = send(visitor, "/organization", **fields)

    assert (status, words in page, fields["value"] in page) == (422, True, True)


def test_a_token_is_shown_once_listed_and_revoked(kampung: Place) -> None:
    visitor = administrator(kampung, joins(kampung))

    status, page = send(
        visitor,
        "/tokens",
        scope=["read", "submit"],
        label="SIEM",
        networks="192.0.2.0/24\r\n2001:db8::/32",
        expires="2099-01-01",
        read_only="1",
    )

    secret = re.search(r"kt_[\w-]{43}", page)
    assert (status, bool(secret)) == (201, True)
    listed = visitor.sees("/tokens")
    assert secret is not None
    assert secret[0] not in listed
    assert "192.0.2.0/24, 2001:db8::/32" in listed
    addresses = re.findall(r'action="(/tokens/[^"]+/revoke)"', listed)
    assert send(visitor, addresses[0], "/tokens")[0] == 303
    assert re.findall(r'action="(/tokens/[^"]+/revoke)"', visitor.sees("/tokens")) == addresses[1:]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "at least one scope"),
        ({"scope": "operate"}, "at least one scope"),
        ({"scope": "read", "networks": "here"}, "192.0.2.0/24"),
        ({"scope": "read", "expires": "2001-01-01"}, "expired already"),
    ],
)
def test_a_token_that_cannot_be_is_refused(kampung: Place, fields: dict[str, str], words: str) -> None:
    visitor = administrator(kampung, joins(kampung))

    status, page = send(visitor, "/tokens", label="SIEM", **fields)

    assert (status, words in page, 'value="SIEM"' in page) == (422, True, True)


def test_a_group_is_founded_filled_and_known_to_who_is_in_it(kampung: Place) -> None:
    jakarta, manila, bank = joins(kampung), joins(kampung, "CERT-PH"), joins(kampung, "Bank Nusantara", SUBSCRIBER)
    owner, member, listener = (administrator(kampung, one) for one in (jakarta, manila, bank))
    group = founded(owner)
    nothing = member.get("/groups/identity--00000000-0000-4000-8000-000000000000")

    hidden = member.get(group)
    for one, level in ((manila, "TLP:RED"), (bank, "TLP:AMBER")):
        fields = {"organization": stix_id(kampung, one), "strictest": level}
        assert send(owner, f"{group}/organizations", group, **fields)[0] == 303

    assert (hidden.status_code, without_token(hidden.text)) == (404, without_token(nothing.text))
    assert "constituent" in listener.sees(group)
    assert "Let an organization in" in owner.sees(group)
    assert "Let an organization in" not in member.sees(group)
    assert "Banks" in member.sees("/groups")
    dismissed = f"{group}/organizations/{stix_id(kampung, manila)}/dismiss"
    assert send(owner, dismissed, group)[0] == 303
    assert "Banks" not in member.sees("/groups")
    assert send(owner, f"{group}/name", group, name="All banks")[0] == 303
    assert "All banks" in listener.sees("/groups")
    assert send(owner, f"{group}/end", group)[0] == 303
    assert listener.get(group).status_code == 404
    assert "ended" in owner.sees("/groups")


def test_only_the_owner_changes_a_group_whatever_is_sent(kampung: Place) -> None:
    jakarta, manila = joins(kampung), joins(kampung, "CERT-PH")
    owner, member = administrator(kampung, jakarta), administrator(kampung, manila)
    group = founded(owner)
    ids = {one.organization_name: stix_id(kampung, one) for one in (jakarta, manila)}
    send(owner, f"{group}/organizations", group, organization=ids["CERT-PH"], strictest="TLP:RED")

    for address, fields in (
        ("name", {"name": "Ours"}),
        ("organizations", {"organization": ids["CERT-PH"], "strictest": "TLP:RED"}),
        (f"organizations/{ids['ID-CERT']}/dismiss", {}),
        ("end", {}),
    ):
        assert send(member, f"{group}/{address}", "/organization", **fields)[0] == 404
    for address, fields in (
        ("organizations", {"organization": ids["CERT-PH"], "strictest": "TLP:GREEN"}),
        (f"organizations/{ids['ID-CERT']}/dismiss", {}),
        ("name", {"name": " "}),
    ):
        assert send(owner, f"{group}/{address}", group, **fields)[0] == 422
    assert "TLP:RED" in member.sees(group)


def test_a_subscriber_founds_no_group(kampung: Place) -> None:
    visitor = administrator(kampung, joins(kampung, "Bank Nusantara", SUBSCRIBER))

    status, page = send(visitor, "/groups", "/organization", name="Ours")

    assert (status, "Only a member CERT founds sharing groups" in page) == (422, True)
    assert "Found a group" not in visitor.sees("/groups")


def test_who_does_not_administer_reads_and_changes_nothing(kampung: Place) -> None:
    who = joins(kampung)
    group = founded(administrator(kampung, who))
    visitor = kampung.signed_in(who)

    for page in ("/organization", "/groups", "/organizations", group):
        assert visitor.sees(page).count("<form") == 1  # to sign out
    assert visitor.get("/tokens").status_code == 403
    assert 'href="/tokens"' not in visitor.sees("/organization")
    for address in ("/organization", "/tokens", "/groups", f"{group}/name", f"{group}/organizations", f"{group}/end"):
        assert send(visitor, address, "/organization", name="phone", value="+62 21 555 0100")[0] == 403
    for address in ("/organizations", f"/organizations/{stix_id(kampung, who)}/end"):
        assert send(visitor, address, "/organization", name="CERT-XX", kind="member")[0] == 403
    assert send(visitor, "/coordinator", "/organization", organization=stix_id(kampung, who))[0] == 404


def test_an_operator_lets_organizations_in_and_out(kampung: Place) -> None:
    host, member = joins(kampung, "Host"), joins(kampung, "CERT-MY")
    listening = administrator(kampung, member)
    operator = kampung.signed_in(host, Role.OPERATOR)
    bank = {"name": "Bank Nusantara", "kind": "subscriber", "country": "id", "vouched_by": stix_id(kampung, member)}

    added = send(operator, "/organizations", **bank)
    twice = send(operator, "/organizations", **{**bank, "name": "BANK nusantara"})
    strange = send(operator, "/organizations", name="X", kind="friend")

    assert [added[0], twice[0], strange[0]] == [303, 422, 422]
    assert "vouched for by <bdi>CERT-MY</bdi>" in operator.sees("/organizations")
    assert send(operator, f"/organizations/{stix_id(kampung, member)}/end", "/organizations")[0] == 303
    assert "CERT-MY" not in re.sub(r"vouched for by <bdi>CERT-MY</bdi>", "", operator.sees("/organizations"))
    assert listening.get("/organization").status_code == 302


def test_the_coordinator_hands_the_role_over_once_and_has_it_until_then(kampung: Place) -> None:
    office, malaysia = joins(kampung, "The office", OrganizationKind.COORDINATOR), joins(kampung, "CERT-MY")
    bank = joins(kampung, "Bank Nusantara", SUBSCRIBER)
    coordinator = kampung.signed_in(office, Role.COORDINATOR)

    to = {"organization": stix_id(kampung, malaysia)}
    given = send(coordinator, "/coordinator", "/organizations", **{**to, "from": "2027-01-01"})
    past = send(coordinator, "/coordinator", "/organizations", **{**to, "from": "2001-01-01"})
    listener = send(coordinator, "/coordinator", "/organizations", organization=stix_id(kampung, bank))
    page = coordinator.sees("/organizations")

    assert [given[0], past[0], listener[0]] == [303, 422, 422]
    assert "<bdi>The office</bdi> coordinates the region" in page
    assert "1 Jan 2027, 00:00 UTC</time> it is <bdi>CERT-MY</bdi>" in page
    assert send(coordinator, "/coordinator", "/organizations", **to)[0] == 303
    assert "Handed over to CERT-MY" in coordinator.sees("/")
    assert "<bdi>CERT-MY</bdi> coordinates the region" in kampung.signed_in(bank).sees("/organizations")
    assert coordinator.get("/organizations").status_code == 403
    assert send(coordinator, "/coordinator", "/", organization=stix_id(kampung, office))[0] == 404


def without_token(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)
