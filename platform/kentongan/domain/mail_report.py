"""A mail that somebody wrote about an incident: its words, what it names, and what hangs on it (RFC 5322, RFC 2045 to 2049)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email import message_from_bytes, policy
from email.errors import CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final

from kentongan.domain.feeding import Change
from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.observables import found_in_text
from kentongan.domain.stix_making import FIRST_MOMENT, StixObject, made_id, of_value, once, relationship, sco, sdo
from kentongan.domain.timestamp import format_timestamp

LONGEST_TEXT: Final = 20_000
MOST_NAMED: Final = 1_000
MOST_PARTS: Final = 200
_READ_AS_TEXT: Final = 1_000_000
_CUT: Final = (CloseBoundaryNotFoundDefect, StartBoundaryNotFoundDefect)
_TEXTS: Final = frozenset({"text/plain", "text/csv", "application/json"})
_INVISIBLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BLOCKS: Final = frozenset("p br div tr li h1 h2 h3 h4 h5 h6 table ul ol blockquote pre hr".split())


@dataclass(frozen=True, slots=True)
class MailReport:
    """What a mail comes to: a draft of an incident, for somebody to look at."""

    objects: list[StixObject]
    sender: str
    changes: tuple[Change, ...]


def mail_report(raw: bytes) -> MailReport:
    """Read a mail. Raises Unreadable where it is none."""
    try:
        return _read(raw)
    except Unreadable:
        raise
    except (
        Exception
    ) as error:  # the standard library's parser stumbles in many ways over mails that were made to trip it
        reason = f"the mail cannot be read ({type(error).__name__})"
        raise Unreadable([Problem("$", "no-mail", reason, "Save it anew as RFC 822 (.eml).")]) from None


def _read(raw: bytes) -> MailReport:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    if not any(name in mail for name in ("from", "subject", "date", "message-id")):
        raise Unreadable([Problem("$", "no-mail", "this has no header of a mail", "Save the mail as RFC 822 (.eml).")])
    if any(isinstance(defect, _CUT) for part in mail.walk() for defect in part.defects):
        raise Unreadable([Problem("$", "cut-off", "the mail ends before its end", "Save it anew, whole.")])
    changes: list[Change] = []
    parts = _parts(mail, changes)
    text = _text(mail, changes)
    subject = _clean(str(mail.get("subject", ""))).strip() or "Mail without a subject"
    named = "\n".join([subject, text, *(_words(part) for _, part in parts if part.get_content_type() in _TEXTS)])
    seen = [made for value in found_in_text(named) if (made := of_value(value.kind, value.value)) is not None]
    files = [_file(path, part, changes) for path, part in parts]
    about = once([*(file for file in files if file), *seen])
    if len(about) > MOST_NAMED:
        changes.append(Change("body", "values-left-out", f"of the values it names the first {MOST_NAMED} are kept"))
    about = about[:MOST_NAMED]
    incident = _incident(mail, raw, subject, text)
    when = incident["created"]
    ties = [relationship(incident["id"], "related-to", obj["id"], when, when) for obj in about]
    return MailReport([incident, *about, *once(ties)], _clean(str(mail.get("from", "")))[:400], tuple(changes))


def _incident(mail: EmailMessage, raw: bytes, subject: str, text: str) -> StixObject:
    number = _clean(str(mail.get("message-id", ""))).strip()[:500]
    references = [{"source_name": "mail", "external_id": number}] if number else None
    stix_id = made_id("incident", "mail", number or hashlib.sha256(raw).hexdigest())
    when = _moment(mail)
    return sdo("incident", stix_id, when, when, name=subject[:1000], description=text, external_references=references)


def _moment(mail: EmailMessage) -> str:
    try:
        read = parsedate_to_datetime(str(mail.get("date", "")))
        return format_timestamp(read if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, TypeError, OverflowError, IndexError):
        return FIRST_MOMENT


def _parts(mail: EmailMessage, changes: list[Change]) -> list[tuple[str, EmailMessage]]:
    """What hangs on the mail: files, and mails within it, which are not looked into."""
    found = []
    for number, part in enumerate(_leaves(mail)):
        if number >= MOST_PARTS:
            changes.append(
                Change(f"part {number}", "parts-left-out", f"parts behind the first {MOST_PARTS} are left out")
            )
            break
        if (
            part.get_filename()
            or part.get_content_disposition() == "attachment"
            or part.get_content_type() == "message/rfc822"
        ):
            found.append((f"part {number}", part))
    return found


def _leaves(mail: EmailMessage) -> Iterator[EmailMessage]:
    if mail.get_content_maintype() != "multipart":
        yield mail
        return
    for part in mail.iter_parts():
        assert isinstance(part, EmailMessage)
        yield from _leaves(part)


def _text(mail: EmailMessage, changes: list[Change]) -> str:
    body = mail.get_body(("plain", "html"))
    if body is None:
        return ""
    text = _words(body)
    if body.get_content_type() == "text/html":
        changes.append(
            Change("body", "html-as-text", "the body is HTML: its words and the targets of its links are kept")
        )
        text = _of_html(text)
    if len(text) > LONGEST_TEXT:
        changes.append(Change("body", "text-cut", f"of the body the first {LONGEST_TEXT} characters are kept"))
    return text.strip()[:LONGEST_TEXT]


def _words(part: Message) -> str:
    """A part's text, whatever it says of its letters."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or len(content) > _READ_AS_TEXT:
        return ""
    try:
        return _clean(content.decode(part.get_content_charset("utf-8"), "replace"))
    except LookupError:
        return _clean(content.decode("utf-8", "replace"))


def _file(path: str, part: EmailMessage, changes: list[Change]) -> StixObject | None:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        content = b"".join(inner.as_bytes() for inner in part.iter_parts()) if part.is_multipart() else b""
    name = _clean(part.get_filename() or "").strip()[:1000]
    changes.append(
        Change(path, "content-left-out", "of what hangs on the mail name, size and hashes are kept, not the content")
    )
    digests = {
        "MD5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "SHA-256": hashlib.sha256(content).hexdigest(),
    }
    return sco("file", hashes=digests, size=len(content), **({"name": name} if name else {}))


def _clean(text: str) -> str:
    """Without what cannot be stored or seen."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


class _Words(HTMLParser):
    """The words of a page, and where its links lead."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        if tag in _BLOCKS:
            self.found.append("\n")
        if tag == "a" and (target := dict(attrs).get("href")) and "://" in target:
            self.found.append(f" <{target}> ")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style") and self._silent > 0

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


def _of_html(text: str) -> str:
    words = _Words()
    words.feed(text)
    words.close()
    return re.sub(r"\n\s*\n+", "\n\n", re.sub(r"[ \t]+", " ", "".join(words.found)))
