"""What a service may refuse. Only the doors know which status code that is."""

from __future__ import annotations


class NotFound(Exception):
    """There is no such thing for this reader: unknown and forbidden are the same, and say the same."""


class Refused(Exception):
    """The wish cannot be granted as it was put; the message says why and what to do."""
