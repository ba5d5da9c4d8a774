"""What the audit trail knows of."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """What was done."""

    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    SIGNED_OUT = "signed out"
    READ = "read"
    EXPORTED = "exported"
    SUBMITTED = "submitted"
    CHANGED = "changed"
    DELIVERED = "delivered"
    WITHHELD = "withheld"
    ERASED = "erased"
    ADDED = "added"
    ENDED = "ended"
