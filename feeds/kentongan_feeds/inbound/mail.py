"""Mail: files of RFC 822, each a draft that somebody looks at before it is submitted."""

from __future__ import annotations

from typing import ClassVar

from kentongan.domain.feeding import RFC_822, Converted, Fetched, bundle_of
from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.mail_report import mail_report
from kentongan.domain.stix_making import bundle_id
from kentongan_feeds.inbound.feed import Feed


class MailFeed(Feed):
    """A folder into which a mail server or a person puts mails."""

    kind: ClassVar[str] = "mail"
    about: ClassVar[str] = "mails (RFC 822, .eml) in a folder: each becomes a draft, on the page Drafts of the portal"
    suffixes: ClassVar[frozenset[str]] = frozenset({".eml"})
    content_types: ClassVar[tuple[str, ...]] = (RFC_822,)
    drafts: ClassVar[bool] = True

    def convert(self, fetched: Fetched) -> Converted:
        """A draft of an incident, with what the mail names and what hangs on it."""
        report = mail_report(fetched.raw)
        if len(report.objects) > self.reach.limits.max_objects:
            reason = "the mail names more values than a submission may have objects"
            raise Unreadable([Problem("$", "too-many-objects", reason, "Submit them as a file.")], too_large=True)
        document = bundle_of(report.objects, bundle_id(fetched.raw))
        return Converted((document,), report.changes, sender=report.sender)
