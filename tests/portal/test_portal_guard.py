"""What every request passes: strict headers, forms that come from our own pages, bounded sizes, plain words for errors."""

from __future__ import annotations

import pytest

from portal_stories import Place

FORMS = ["/submit", "/sign-out"]


@pytest.mark.parametrize("address", ["/sign-in", "/", "/incidents", "/no/such/page", "/static/portal.css"])
def test_every_answer_carries_the_strict_headers(kampung: Place, address: str) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")

    headers = kampung.signed_in(visitor_of).get(address).headers

    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_a_static_file_is_kept_only_at_the_address_of_its_content(kampung: Place) -> None:
    client = kampung.app.test_client()
    page = client.get("/sign-in").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]

    kept = client.get(address)
    other = client.get(address + "0")

    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert other.headers["Cache-Control"] == "no-store"


def test_https_is_remembered(kampung: Place) -> None:
    answer = kampung.app.test_client().get("/sign-in", base_url="https://kentongan.example")

    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"


@pytest.mark.parametrize("address", FORMS)
def test_a_form_without_its_token_is_refused(kampung: Place, address: str) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")
    visitor = kampung.signed_in(visitor_of)

    answer = visitor.client.post(address, data={"pasted": "{}"})

    assert answer.status_code == 400
    assert "This form is no longer valid" in answer.text
    assert visitor.get("/").status_code == 200


def test_a_form_with_the_token_of_another_session_is_refused(kampung: Place) -> None:
    with kampung.region() as region:
        jakarta, hanoi = region.joins("ID-CERT"), region.joins("VNCERT")
    one, other = kampung.signed_in(jakarta), kampung.signed_in(hanoi)
    token = one.get("/submit").text.split('name="csrf_token" value="')[1].split('"')[0]

    answer = other.client.post("/submit", data={"csrf_token": token, "pasted": "{}"})

    assert answer.status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_sent_from_another_site_is_refused(kampung: Place, site: str) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")
    visitor = kampung.signed_in(visitor_of)
    visitor.client.environ_base["HTTP_SEC_FETCH_SITE"] = site

    answer = visitor.send("/sign-out")

    assert answer.status_code == 400
    assert "from another site" in answer.text


def test_forms_work_over_https_although_our_pages_send_no_referer(kampung: Place) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")
    visitor = kampung.visitor()
    visitor.client.environ_base["wsgi.url_scheme"] = "https"

    assert visitor.sign_in(kampung.person(visitor_of)).status_code == 302


def test_a_large_form_is_refused_before_it_is_read(kampung: Place) -> None:
    visitor = kampung.visitor()

    answer = visitor.sign_in("x" * 100_000)

    assert answer.status_code == 413
    assert "Too large" in answer.text


def test_who_is_not_signed_in_hands_in_nothing(kampung: Place) -> None:
    answer = kampung.app.test_client().post("/submit", data={"pasted": "x" * 2_000_000})

    assert answer.status_code == 302
    assert answer.location == "/sign-in"


def test_a_wrong_method_is_told_in_plain_words(kampung: Place) -> None:
    answer = kampung.app.test_client().delete("/sign-in")

    assert answer.status_code == 405
    assert "Not like this" in answer.text


def test_a_failure_of_ours_tells_nothing_of_its_cause(kampung: Place) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")
    visitor = kampung.signed_in(visitor_of)

    def broken(*_: object) -> None:
        raise RuntimeError("the secret reason")

    kampung.kentongan.database.engine.dispose()
    object.__setattr__(kampung.kentongan.database, "reading", broken)
    answer = visitor.get("/incidents")

    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "secret reason" not in answer.text


@pytest.mark.parametrize("address", ["/incidents", "/cases", "/campaigns", "/submissions", "/deliveries"])
@pytest.mark.parametrize("cursor", ["x", "A" * 43, "\u202e", "é" * 43, "A" * 5000])
def test_a_cursor_of_nobodys_is_refused_in_plain_words(kampung: Place, address: str, cursor: str) -> None:
    with kampung.region() as region:
        visitor_of = region.joins("ID-CERT")

    answer = kampung.signed_in(visitor_of).client.get(address, query_string={"cursor": cursor})

    assert answer.status_code == 400
    assert "start again without a cursor" in answer.text


@pytest.mark.parametrize(
    "asked", ["tlp=TLP:PINK", "tlp=%00", "text=%ff%00%ed%a0%80", "country=%00", "trail=%00&trail=x"]
)
def test_whatever_is_asked_of_a_list_is_answered(kampung_everywhere: Place, asked: str) -> None:
    with kampung_everywhere.region() as region:
        visitor_of = region.joins("ID-CERT")

    answer = kampung_everywhere.signed_in(visitor_of).get(f"/incidents?{asked}")

    assert answer.status_code == (400 if "PINK" in asked else 200)
